//! A TOML document as serde reads it, every key and value with its place.
//!
//! The toml crate has a deserializer too, by which each type is compiled four times: as a table, as an array, as a value
//! with its place, and as a date. For the fifty types of a scenario that was a tenth of the library. Here it is once.

use std::fmt;
use std::ops::Range;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use toml::Spanned;
use toml::de::{DeArray, DeFloat, DeInteger, DeString, DeTable, DeValue};

/// What a type refuses.
#[derive(Debug)]
pub(super) struct Refusal {
    /// In serde's words, or in the type's own.
    pub(super) message: String,
    /// The innermost key or value that it is about.
    pub(super) span: Option<Range<usize>>,
}

impl Refusal {
    /// The same, about what stands at `span` if nothing within was refused.
    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), span: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// A key or a value.
#[derive(Clone)]
pub(super) struct Node<'a> {
    span: Range<usize>,
    content: Content<'a>,
}

#[derive(Clone)]
enum Content<'a> {
    Text(&'a str),
    Integer(&'a DeInteger<'a>),
    Float(&'a DeFloat<'a>),
    Boolean(bool),
    Date,
    Array(&'a DeArray<'a>),
    Table(&'a DeTable<'a>),
}

impl<'a> Node<'a> {
    /// The whole document.
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { span: table.span(), content: Content::Table(table.get_ref()) }
    }

    fn key(key: &'a Spanned<DeString<'a>>) -> Self {
        Self { span: key.span(), content: Content::Text(key.get_ref()) }
    }

    fn value(value: &'a Spanned<DeValue<'a>>) -> Self {
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Text(text),
            DeValue::Integer(number) => Content::Integer(number),
            DeValue::Float(number) => Content::Float(number),
            DeValue::Boolean(value) => Content::Boolean(*value),
            DeValue::Datetime(_) => Content::Date,
            DeValue::Array(array) => Content::Array(array),
            DeValue::Table(table) => Content::Table(table),
        };
        Self { span: value.span(), content }
    }

    /// What stands here, in serde's terms.
    fn found(&self) -> Unexpected<'a> {
        let too_large = Unexpected::Other("a number beyond all bounds");
        match self.content {
            Content::Text(text) => Unexpected::Str(text),
            Content::Integer(number) => {
                let (digits, radix) = (number.as_str(), number.radix());
                let signed = i64::from_str_radix(digits, radix).map(Unexpected::Signed);
                let unsigned = || u64::from_str_radix(digits, radix).map(Unexpected::Unsigned);
                signed.or_else(|_| unsigned()).unwrap_or(too_large)
            }
            Content::Float(number) => number.as_str().parse().map_or(too_large, Unexpected::Float),
            Content::Boolean(value) => Unexpected::Bool(value),
            Content::Date => Unexpected::Other("a date"),
            Content::Array(_) => Unexpected::Seq,
            Content::Table(_) => Unexpected::Map,
        }
    }

    fn refused(&self, expected: &dyn Expected) -> Refusal {
        Refusal::invalid_type(self.found(), expected).at(&self.span)
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Refusal;

    /// A text, a number or a truth value.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.found() {
            Unexpected::Str(text) => visitor.visit_str(text),
            Unexpected::Signed(number) => visitor.visit_i64(number),
            Unexpected::Unsigned(number) => visitor.visit_u64(number),
            Unexpected::Float(number) => visitor.visit_f64(number),
            Unexpected::Bool(value) => visitor.visit_bool(value),
            Unexpected::Seq => return self.deserialize_seq(visitor),
            found => Err(Refusal::invalid_type(found, &visitor)),
        }
        .map_err(|refusal| refusal.at(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    /// The one newtype of a scenario is [`super::quantity::At`].
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_map(Placed(self))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.content {
            Content::Text(text) => {
                visitor.visit_str::<Refusal>(text).map_err(|error| error.at(&self.span))
            }
            _ => Err(self.refused(&visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.content {
            Content::Array(array) => {
                visitor.visit_seq(Elements(array.iter())).map_err(|error| error.at(&self.span))
            }
            _ => Err(self.refused(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.content {
            Content::Table(table) => {
                let entries = Entries { rest: table.iter(), value: None };
                visitor.visit_map(entries).map_err(|error| error.at(&self.span))
            }
            _ => Err(self.refused(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }

    /// A word, or a table whose one key is the word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let span = self.span.clone();
        let variant = match self.content {
            Content::Text(_) => Ok(Variant { word: self, value: None }),
            Content::Table(table) => match (table.iter().next(), table.len()) {
                (Some((key, value)), 1) => {
                    Ok(Variant { word: Node::key(key), value: Some(Node::value(value)) })
                }
                _ => Err(Refusal::custom(NOT_ONE_KEY)),
            },
            _ => Err(Refusal::custom("wanted string or table")),
        };
        variant.and_then(|it| visitor.visit_enum(it)).map_err(|error| error.at(&span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple_struct ignored_any
    }
}

/// The message where a table stands for one of several kinds.
pub(super) const NOT_ONE_KEY: &str = "wanted exactly one key";

/// The entries of a table.
struct Entries<'a> {
    rest: toml::map::Iter<'a, Spanned<DeString<'a>>, Spanned<DeValue<'a>>>,
    value: Option<Node<'a>>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(Node::value(value));
        seed.deserialize(Node::key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        seed.deserialize(self.value.take().expect("a value is asked for after its key"))
    }
}

/// The elements of an array.
struct Elements<'a>(std::slice::Iter<'a, Spanned<DeValue<'a>>>);

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        self.0.next().map(|element| seed.deserialize(Node::value(element))).transpose()
    }
}

/// A value whose key is its place.
struct Placed<'a>(Node<'a>);

impl<'a> MapAccess<'a> for Placed<'a> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        let place = [self.0.span.start, self.0.span.end];
        seed.deserialize(SeqDeserializer::new(place.into_iter())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        seed.deserialize(self.0.clone())
    }
}

/// One of several kinds, and what it is given.
struct Variant<'a> {
    word: Node<'a>,
    value: Option<Node<'a>>,
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Refusal> {
        Ok((seed.deserialize(self.word.clone())?, self))
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        match self.value {
            Some(value) => Err(Refusal::custom("takes no value").at(&value.span)),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Refusal> {
        match self.value {
            Some(value) => seed.deserialize(value),
            None => Err(self.word.refused(&"a table")),
        }
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        Err(self.word.refused(&visitor))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        Err(self.word.refused(&visitor))
    }
}
