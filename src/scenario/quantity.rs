//! Values as they stand in a file: with their place, and with their unit.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::Level;
use crate::load::plan::{Bursts, Spike, Statuses};
use crate::units::{Nanos, Rate, Share};

/// A value and where it stands, so that a later complaint can underline it.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    /// Bytes of the file.
    pub(super) span: Range<usize>,
    /// What stands there.
    pub(super) value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct("At", AtVisitor(PhantomData))
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and where it stands")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At<T>, A::Error> {
        let place = map.next_key()?;
        let (start, end) = place.ok_or_else(|| A::Error::custom("this has no place"))?;
        Ok(At { span: start..end, value: map.next_value()? })
    }
}

/// A quantity written as text with its unit: `"50ms"`. A bare number is refused with the spelling it should have had.
#[derive(Clone, Debug)]
pub(super) struct Quantity<T>(pub(super) T);

/// What can be written as a [`Quantity`].
pub(super) trait Unit: FromStr<Err = String> {
    /// As a wrong type's message names it, with an example.
    const EXPECTED: &'static str;
    /// How a bare `number` could have been meant.
    fn spelled(number: &str) -> String;
}

impl Unit for Nanos {
    const EXPECTED: &'static str = "a duration such as \"50ms\"";
    fn spelled(number: &str) -> String {
        format!("\"{number}ms\" or \"{number}s\"")
    }
}

impl Unit for Spike {
    const EXPECTED: &'static str = "a spike such as \"x5@3s+2s\"";
    fn spelled(number: &str) -> String {
        format!("\"x{number}@3s+2s\"")
    }
}

impl Unit for Bursts {
    const EXPECTED: &'static str = "bursts such as \"x5@200ms/800ms\"";
    fn spelled(number: &str) -> String {
        format!("\"x{number}@200ms/800ms\"")
    }
}

impl Unit for Share {
    const EXPECTED: &'static str = "a share such as \"0.1%\"";
    fn spelled(number: &str) -> String {
        format!("\"{number}%\"")
    }
}

impl Unit for Rate {
    const EXPECTED: &'static str = "a rate such as \"300/s\"";
    fn spelled(number: &str) -> String {
        format!("\"{number}/s\"")
    }
}

impl Unit for Level {
    const EXPECTED: &'static str = "a load level such as \"300/s\", \"50%\" or \"70% own\"";
    fn spelled(number: &str) -> String {
        format!("\"{number}/s\", \"{number}%\" or \"{number}% own\"")
    }
}

/// `300/s`, `50%` (of the lowest ceiling) or `70% own` (of each contender's own).
impl FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (shared, own) =
            text.strip_suffix("own").map_or((text, false), |share| (share.trim_end(), true));
        if shared.ends_with('%') {
            let share: Share = shared.parse()?;
            if share.0 <= 0.0 || share.0 > MAX_SHARE {
                return Err(format!("`{text}` must be above 0% and at most {}", Share(MAX_SHARE)));
            }
            return Ok(if own { Self::OfOwn(share) } else { Self::OfLowest(share) });
        }
        if own || !text.contains('/') {
            return Err(format!(
                "`{text}` is not a load level; write it as {}",
                Self::spelled("50")
            ));
        }
        text.parse::<Rate>().map(Self::Rate)
    }
}

/// Of a burst; a steady load has less.
const MAX_SHARE: f64 = 20.0;

impl<'de, T: Unit> Deserialize<'de> for Quantity<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

struct QuantityVisitor<T>(PhantomData<T>);

impl<T: Unit> Visitor<'_> for QuantityVisitor<T> {
    type Value = Quantity<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim().is_empty() {
            return Err(E::custom(format!("this is empty; write {}", T::EXPECTED)));
        }
        text.parse().map(Quantity).map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Err(no_unit::<T, E>(number))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Err(no_unit::<T, E>(number))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Err(no_unit::<T, E>(number))
    }
}

fn no_unit<T: Unit, E: Error>(number: impl fmt::Display) -> E {
    let spelled = T::spelled(&number.to_string());
    E::custom(format!("`{number}` has no unit; write it as {spelled}"))
}

/// The figure of a bound: a bare number for a ratio, text with a unit for a value. Which it must be is known later.
#[derive(Clone, Debug)]
pub(super) enum Figure {
    /// `1.5`
    Number(f64),
    /// `"5ms"`
    Text(String),
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FigureVisitor)
    }
}

struct FigureVisitor;

impl Visitor<'_> for FigureVisitor {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ratio such as 1.5, or a value with its unit such as \"5ms\"")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Figure, E> {
        Ok(Figure::Text(text.to_owned()))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Figure, E> {
        Ok(Figure::Number(number as f64))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Figure, E> {
        Ok(Figure::Number(number as f64))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Figure, E> {
        Ok(Figure::Number(number))
    }
}

/// One, or several in brackets: a number, or a word such as `"2xx"`.
impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusesVisitor)
    }
}

struct StatusesVisitor;

impl<'de> Visitor<'de> for StatusesVisitor {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("statuses such as [200, 201] or \"2xx\"")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Statuses, E> {
        text.parse().map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, status: i64) -> Result<Statuses, E> {
        self.visit_str(&status.to_string())
    }
    fn visit_u64<E: Error>(self, status: u64) -> Result<Statuses, E> {
        self.visit_str(&status.to_string())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Statuses, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = seq.next_element::<Figure>()? {
            words.push(match word {
                Figure::Number(number) => number.to_string(),
                Figure::Text(text) => text,
            });
        }
        Statuses::of_words(words.iter().map(String::as_str))
            .map_err(|why| A::Error::custom(format!("{why}; write for example [200, \"3xx\"]")))
    }
}

/// A count, or in brackets several that are swept.
#[derive(Clone, Debug)]
pub(crate) enum Counts {
    /// `64`
    One(u64),
    /// `[64, 128, 512]`
    Several(Vec<u64>),
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountsVisitor)
    }
}

pub(crate) struct CountsVisitor;

impl<'de> Visitor<'de> for CountsVisitor {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, 0 or more, or several in brackets")
    }
    fn visit_u64<E: Error>(self, count: u64) -> Result<Counts, E> {
        Ok(Counts::One(count))
    }
    fn visit_i64<E: Error>(self, count: i64) -> Result<Counts, E> {
        let refused = |_| E::invalid_value(Unexpected::Signed(count), &self);
        u64::try_from(count).map(Counts::One).map_err(refused)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Counts, A::Error> {
        let mut several = Vec::new();
        while let Some(count) = seq.next_element()? {
            several.push(count);
        }
        Ok(Counts::Several(several))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_and_print() {
        for (text, level, shown) in [
            ("300/s", Level::Rate(Rate(300.0)), "300/s"),
            ("20k/s", Level::Rate(Rate(20_000.0)), "20,000/s"),
            ("50%", Level::OfLowest(Share(0.5)), "50%"),
            (" 70%  own ", Level::OfOwn(Share(0.7)), "70% own"),
        ] {
            assert_eq!(text.parse::<Level>(), Ok(level), "{text}");
            assert_eq!(level.to_string(), shown);
            assert_eq!(shown.parse::<Level>(), Ok(level), "what is printed can be read");
        }
        for bad in ["", "own", "50", "50 own", "300/s own", "0%", "2001%", "-1%", "own 50%", "%own"]
        {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}
