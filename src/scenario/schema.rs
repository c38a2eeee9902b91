//! The JSON Schema of a scenario file, for editors: `scenarios/bakeoff.schema.json`.

use super::raw::Raw;
use crate::published;

/// The schema as it is published, with a newline at its end.
pub fn json_schema() -> String {
    published::schema_of::<Raw>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_current() {
        published::expect_current("scenarios/bakeoff.schema.json", &json_schema());
    }
}
