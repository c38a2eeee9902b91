//! How the JSON Schema of a scenario file, for editors, describes the values that are read by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::contenders::SIZES_MAX;
use super::quantity::{At, Figure, Quantity, Unit};
use super::raw::Raw;
use super::{Level, WarmUp};
use crate::load::plan::Statuses;
use crate::load::plan::{Bursts, Spike};
use crate::record::json;
use crate::scenario::quantity::Counts;
use crate::units::{Nanos, Rate, Share};

#[test]
fn the_published_schema_is_current() {
    json::expect_current::<Raw>("scenarios/bakeoff.schema.json");
}

/// A place does not show in the schema.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The spelling of a [`Unit`].
trait Spelling: Unit {
    const PATTERN: &'static str;
}

impl Spelling for Nanos {
    const PATTERN: &'static str = r"^\s*([0-9]*\.?[0-9]+\s*(ns|us|µs|ms|s|m|min|h)\s*)+$";
}

impl Spelling for WarmUp {
    const PATTERN: &'static str = r"^\s*(auto|none|([0-9]*\.?[0-9]+\s*(ns|us|µs|ms|s|m|min|h)\s*)+|[0-9][0-9,_]*\s*requests?)\s*$";
}

impl Spelling for Spike {
    const PATTERN: &'static str = r"^x[0-9.]+@[0-9.]+[a-zµ][0-9a-zµ.]*\+[0-9.]+[a-zµ][0-9a-zµ.]*$";
}

impl Spelling for Bursts {
    const PATTERN: &'static str = r"^x[0-9.]+@[0-9.]+[a-zµ][0-9a-zµ.]*/[0-9.]+[a-zµ][0-9a-zµ.]*$";
}

impl Spelling for Share {
    const PATTERN: &'static str = r"^\s*[0-9]*\.?[0-9]+\s*%\s*$";
}

impl Spelling for Rate {
    const PATTERN: &'static str = r"^\s*[0-9][0-9,_]*(\.[0-9]+)?\s*k?\s*/\s*(s|m|min)\s*$";
}

impl Spelling for Level {
    const PATTERN: &'static str =
        r"^\s*[0-9][0-9,_]*(\.[0-9]+)?\s*(k?\s*/\s*(s|m|min)|%(\s*own)?)\s*$";
}

impl<T: Spelling> JsonSchema for Quantity<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed(T::EXPECTED)
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": T::PATTERN })
    }
}

impl JsonSchema for Figure {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Figure")
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}

impl JsonSchema for Statuses {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Statuses")
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let status = json_schema!({ "type": "integer", "minimum": 200, "maximum": 599 });
        let word = json_schema!({ "type": "string", "pattern": "^([2-5][0-9][0-9]|[2-5]xx)(,|$)" });
        let list = json_schema!({
            "type": "array", "items": { "anyOf": [status, word] }, "minItems": 1, "maxItems": Self::MAX
        });
        json_schema!({ "anyOf": [status, word, list] })
    }
}

impl JsonSchema for Counts {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Counts")
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = json_schema!({ "type": "integer", "minimum": 1 });
        json_schema!({
            "anyOf": [count, { "type": "array", "items": count, "minItems": 2, "maxItems": SIZES_MAX }]
        })
    }
}
