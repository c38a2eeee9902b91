//! The types that casts name, and what they make of a value.

use super::known::{Column, Scalar, UNNAMED, brackets};
use super::tokens::{Token, Tokens};
use super::value::{BPCHAR, FLOAT4, FLOAT8, NAME, NUMERIC, OID, TIMESTAMPTZ, VARCHAR};
use crate::sql::oid::{BOOL, INT2, INT4, INT8, TEXT};
use std::ops::RangeInclusive;

/// A type as a cast names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CastType {
    /// 0 of one that is not known here.
    oid: u32,
    /// What PostgreSQL calls it, and a column that has no other name.
    name: &'static str,
    /// Characters of its texts, where it limits them.
    length: Option<usize>,
}

/// As they are written, with PostgreSQL's own names.
const TYPES: [(&str, &str, u32); 25] = [
    ("bool", "bool", BOOL),
    ("boolean", "bool", BOOL),
    ("int2", "int2", INT2),
    ("smallint", "int2", INT2),
    ("int4", "int4", INT4),
    ("int", "int4", INT4),
    ("integer", "int4", INT4),
    ("int8", "int8", INT8),
    ("bigint", "int8", INT8),
    ("oid", "oid", OID),
    ("text", "text", TEXT),
    ("varchar", "varchar", VARCHAR),
    ("character varying", "varchar", VARCHAR),
    ("char varying", "varchar", VARCHAR),
    ("bpchar", "bpchar", BPCHAR),
    ("char", "bpchar", BPCHAR),
    ("character", "bpchar", BPCHAR),
    ("name", "name", NAME),
    ("float4", "float4", FLOAT4),
    ("real", "float4", FLOAT4),
    ("float8", "float8", FLOAT8),
    ("double precision", "float8", FLOAT8),
    ("numeric", "numeric", NUMERIC),
    ("decimal", "numeric", NUMERIC),
    ("timestamptz", "timestamptz", TIMESTAMPTZ),
];

/// Casts of one value, around it or behind it, are so many each at most: a text may be copied by each of them.
pub(super) const CASTS_MAX: u32 = 4;

/// A text of fixed length is filled up with so many blanks at most.
const FILLED_MAX: usize = 1_000;

/// Takes the name of a type, with its length: `varchar(60)`, `pg_catalog.int4`, `timestamp(3) with time zone`.
pub(super) fn cast_type(tokens: &mut Tokens<'_>) -> Option<CastType> {
    let mut written = word(tokens)?;
    if written == "pg_catalog" {
        (tokens.next()? == Token::Symbol('.')).then_some(())?;
        written = word(tokens)?;
    }
    let second = match &*written {
        "character" | "char" => "varying",
        "double" => "precision",
        _ => "",
    };
    if follow(tokens, &[second]) {
        written = format!("{written} {second}");
    }
    let mut ahead = tokens.clone();
    let mut length = brackets(&mut ahead, size);
    if length.is_some() {
        *tokens = ahead;
    }
    if written == "timestamp" && follow(tokens, &["with", "time", "zone"]) {
        written = "timestamptz".into();
    } else if matches!(&*written, "timestamp" | "time") {
        follow(tokens, &["without", "time", "zone"]);
    }
    if matches!(&*written, "char" | "character") {
        length = length.or(Some(1));
    }
    let known = TYPES.iter().find(|(own, ..)| *own == written);
    let (name, oid) = known.map_or(("", 0), |(_, name, oid)| (*name, *oid));
    Some(CastType { oid, name, length })
}

fn word(tokens: &mut Tokens<'_>) -> Option<String> {
    match tokens.next()? {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        _ => None,
    }
}

/// The length of `(60)`, and of `(10, 2)` the precision.
fn size(tokens: &mut Tokens<'_>) -> Option<usize> {
    let Token::Number(length) = tokens.next()? else { return None };
    let mut ahead = tokens.clone();
    if ahead.next() == Some(Token::Symbol(',')) {
        matches!(ahead.next()?, Token::Number(_)).then_some(())?;
        *tokens = ahead;
    }
    length.parse().ok()
}

/// Takes `words` if they are next; gives whether they were.
fn follow(tokens: &mut Tokens<'_>, words: &[&str]) -> bool {
    let mut ahead = tokens.clone();
    let all = words.iter().all(|word| ahead.next().is_some_and(|token| token.is(word)));
    if all {
        *tokens = ahead;
    }
    all
}

impl CastType {
    /// Takes the type behind `::`, if there is a cast; nothing where what stands there is no type.
    pub(super) fn behind(tokens: &mut Tokens<'_>) -> Option<Option<Self>> {
        let mut ahead = tokens.clone();
        if (ahead.next(), ahead.next()) != (Some(Token::Symbol(':')), Some(Token::Symbol(':'))) {
            return Some(None);
        }
        let found = cast_type(&mut ahead)?;
        *tokens = ahead;
        Some(Some(found))
    }

    /// `column` as one of this type; nothing where PostgreSQL refuses it, or the stand-in does not know what it becomes.
    pub(super) fn of(self, column: Column) -> Option<Column> {
        let Column { name, value, .. } = column;
        // A function keeps its name.
        let is_unnamed = *name == *UNNAMED || TYPES.iter().any(|(_, own, _)| **own == *name);
        let name = if is_unnamed { self.name.into() } else { name };
        Some(Column { name, oid: self.oid, value: self.value(value)? })
    }

    fn value(self, value: Scalar) -> Option<Scalar> {
        Some(match (self.oid, value) {
            (0, _) => return None,
            (_, Scalar::Null) => Scalar::Null,
            (TEXT | VARCHAR | BPCHAR | NAME, value) => Scalar::Text(self.text(&value)?),
            (BOOL, Scalar::Bool(value)) => Scalar::Bool(value),
            (BOOL, Scalar::Int(value)) => Scalar::Bool(value != 0),
            (BOOL, Scalar::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "on" | "1" => Scalar::Bool(true),
                "f" | "false" | "n" | "no" | "off" | "0" => Scalar::Bool(false),
                _ => return None,
            },
            (TIMESTAMPTZ, Scalar::Now) => Scalar::Now,
            (_, value) => {
                let number = match value {
                    Scalar::Int(number) => number,
                    Scalar::Text(text) => text.trim().parse().ok()?,
                    Scalar::Bool(value) if self.oid == INT4 => value.into(),
                    _ => return None,
                };
                self.whole()?.contains(&number).then_some(Scalar::Int(number))?
            }
        })
    }

    /// The whole numbers of a type of numbers. Of floating point those that are written without an exponent.
    fn whole(self) -> Option<RangeInclusive<i64>> {
        Some(match self.oid {
            INT2 => i16::MIN.into()..=i16::MAX.into(),
            INT4 => i32::MIN.into()..=i32::MAX.into(),
            INT8 => i64::MIN..=i64::MAX,
            OID => 0..=u32::MAX.into(),
            FLOAT4 | FLOAT8 => -999_999..=999_999,
            _ => return None,
        })
    }

    fn text(self, value: &Scalar) -> Option<Box<str>> {
        let text = match value {
            Scalar::Text(text) => text.to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Null | Scalar::Now | Scalar::BackendPid => return None,
        };
        let Some(length) = self.length else { return Some(text.into()) };
        let cut: String = text.chars().take(length).collect();
        match self.oid {
            BPCHAR if length > FILLED_MAX => None,
            BPCHAR => Some(format!("{cut:<length$}").into()),
            _ => Some(cut.into()),
        }
    }

    /// Whether the number `text` is another one as one of this type, or does not fit.
    pub(super) fn changes_number(self, text: &str) -> bool {
        let is_integer = matches!(self.oid, INT2 | INT4 | INT8 | OID);
        let range = self.whole().filter(|_| is_integer);
        range.is_some_and(|range| !text.parse::<i64>().is_ok_and(|number| range.contains(&number)))
    }

    /// Whether `text` is cut or filled up as one of this type.
    pub(super) fn changes_text(self, text: &str) -> bool {
        let is_text = matches!(self.oid, VARCHAR | BPCHAR);
        let length = self.length.filter(|_| is_text);
        length.is_some_and(|length| match self.oid {
            BPCHAR => text.chars().count() != length,
            _ => text.chars().count() > length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u32, &'static str, Option<usize>)> {
        let mut tokens = Tokens(text);
        let CastType { oid, name, length } = cast_type(&mut tokens)?;
        tokens.next().is_none().then_some((oid, name, length))
    }

    #[test]
    fn types_have_the_names_of_sql_and_those_of_postgresql() {
        for (text, expected) in [
            ("INTEGER", (INT4, "int4", None)),
            ("pg_catalog.int8", (INT8, "int8", None)),
            ("VARCHAR(60)", (VARCHAR, "varchar", Some(60))),
            ("character varying (60)", (VARCHAR, "varchar", Some(60))),
            ("char", (BPCHAR, "bpchar", Some(1))),
            ("double precision", (FLOAT8, "float8", None)),
            ("numeric(10, 2)", (NUMERIC, "numeric", Some(10))),
            ("timestamp(3) with time zone", (TIMESTAMPTZ, "timestamptz", Some(3))),
            ("timestamp without time zone", (0, "", None)),
            ("jsonb", (0, "", None)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in
            ["", "5", "int4 int4", "varchar()", "varchar(60", "varchar(a)", "pg_catalog int4"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_becomes_one_of_the_type_or_is_refused() {
        let cast = |value: Scalar, to: &str| {
            let column = Column { name: UNNAMED.into(), oid: TEXT, value };
            cast_type(&mut Tokens(to)).unwrap().of(column).map(|column| column.value)
        };
        let text = |text: &str| Scalar::Text(text.into());
        for (value, to, expected) in [
            (text("abc"), "varchar(2)", Some(text("ab"))),
            (text("abc"), "varchar(60)", Some(text("abc"))),
            (text("äb"), "char(3)", Some(text("äb "))),
            (text(" 7 "), "int", Some(Scalar::Int(7))),
            (text("x"), "int", None),
            (text("yes"), "boolean", Some(Scalar::Bool(true))),
            (text("{}"), "jsonb", None),
            (Scalar::Int(7), "text", Some(text("7"))),
            (Scalar::Int(70_000), "int2", None),
            (Scalar::Int(7), "float8", Some(Scalar::Int(7))),
            (Scalar::Int(7), "numeric", None),
            (Scalar::Int(0), "bool", Some(Scalar::Bool(false))),
            (Scalar::Bool(true), "text", Some(text("true"))),
            (Scalar::Null, "numeric", Some(Scalar::Null)),
            (Scalar::Now, "timestamptz", Some(Scalar::Now)),
            (Scalar::Now, "text", None),
        ] {
            assert_eq!(cast(value.clone(), to), expected, "{value:?} as {to}");
        }
        assert_eq!(cast(text("a"), "char(1000000000)"), None, "nothing is made that large");
    }
}
