//! Parameters as clients send them, in text or binary.

use crate::sql::oid::{INT2, INT4, INT8, TEXT};
use crate::standin::postgres::SqlError;

/// float8, which `pg_sleep` takes.
pub(super) const FLOAT8: u32 = 701;
/// What has no value, which `pg_sleep` gives.
pub(super) const VOID: u32 = 2_278;
/// The name of something in the database.
pub(super) const NAME: u32 = 19;
/// oid, which types of the catalogue have.
pub(super) const OID: u32 = 26;
pub(super) const TIMESTAMPTZ: u32 = 1_184;
pub(super) const FLOAT4: u32 = 700;
pub(super) const NUMERIC: u32 = 1_700;
/// A literal without a type.
const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1_042;
pub(super) const VARCHAR: u32 = 1_043;

/// No statement has more parameters.
pub(super) const PARAMETERS_MAX: usize = 6;

#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::standin) enum Value {
    /// NULL, and what is not there.
    #[default]
    Null,
    /// int2, int4 and int8.
    Int(i64),
    /// float8.
    Float(f64),
    /// text.
    Text(Box<str>),
}

/// The parameters of a statement, without an allocation for those that are numbers.
pub(super) type Arguments = [Value; PARAMETERS_MAX];

/// The type of a parameter whose statement wants `wanted` and whose client says `said`, 0 for nothing.
///
/// # Errors
/// When the one cannot stand for the other (42804).
pub(super) fn settle(wanted: u32, said: u32) -> Result<u32, SqlError> {
    let fits = match wanted {
        INT2 | INT4 | INT8 => matches!(said, INT2 | INT4 | INT8),
        // Every number is made a float8 where one is wanted.
        FLOAT8 => matches!(said, FLOAT8 | FLOAT4 | NUMERIC | INT2 | INT4 | INT8),
        TEXT => matches!(said, TEXT | VARCHAR | BPCHAR | NAME),
        _ => said == wanted,
    };
    match said {
        0 | UNKNOWN => Ok(wanted),
        _ if fits => Ok(said),
        _ => Err(SqlError::new(
            "42804",
            format!("a parameter of type {wanted} cannot be given as one of type {said} (by OID)"),
        )),
    }
}

/// Reads a parameter of type `oid`.
///
/// # Errors
/// What is no such value (22P02, 22P03), or does not fit (22003).
pub(super) fn decode(bytes: &[u8], binary: bool, oid: u32) -> Result<Value, SqlError> {
    match (oid, binary) {
        (INT2 | INT4 | INT8, true) => int(bytes, oid).map(Value::Int),
        (NUMERIC, true) => Err(SqlError::new("0A000", "a numeric is taken as text alone")
            .hint("give it as a double precision")),
        (FLOAT4, true) => {
            let bytes = bytes.try_into().map_err(|_| wrong_length(oid))?;
            Ok(Value::Float(f32::from_be_bytes(bytes).into()))
        }
        (FLOAT8, true) => {
            let bytes = bytes.try_into().map_err(|_| wrong_length(oid))?;
            Ok(Value::Float(f64::from_be_bytes(bytes)))
        }
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                SqlError::new("22021", "a parameter is not valid UTF-8, which is the encoding here")
            })?;
            if text.contains('\0') {
                return Err(SqlError::new("22021", "a text must not contain a zero byte"));
            }
            parse(text, oid)
        }
    }
}

fn int(bytes: &[u8], oid: u32) -> Result<i64, SqlError> {
    let wrong = |_| wrong_length(oid);
    Ok(match oid {
        INT2 => i16::from_be_bytes(bytes.try_into().map_err(wrong)?).into(),
        INT4 => i32::from_be_bytes(bytes.try_into().map_err(wrong)?).into(),
        _ => i64::from_be_bytes(bytes.try_into().map_err(wrong)?),
    })
}

fn wrong_length(oid: u32) -> SqlError {
    SqlError::new("22P03", format!("incorrect binary data format for a {}", kind(oid)))
}

/// Reads a parameter as text; a literal of a statement is one.
pub(super) fn parse(text: &str, oid: u32) -> Result<Value, SqlError> {
    let bad = || {
        let kind = kind(oid);
        SqlError::new("22P02", format!("invalid input syntax for type {kind}: \"{text}\""))
    };
    match oid {
        INT2 | INT4 | INT8 => {
            let number: i128 = text.trim().parse().map_err(|_| bad())?;
            let range = match oid {
                INT2 => i128::from(i16::MIN)..=i128::from(i16::MAX),
                INT4 => i128::from(i32::MIN)..=i128::from(i32::MAX),
                _ => i128::from(i64::MIN)..=i128::from(i64::MAX),
            };
            match range.contains(&number) {
                true => Ok(Value::Int(number as i64)),
                false => Err(SqlError::out_of_range(kind(oid))),
            }
        }
        FLOAT4 | FLOAT8 | NUMERIC => text.trim().parse().map(Value::Float).map_err(|_| bad()),
        _ => Ok(Value::Text(text.into())),
    }
}

fn kind(oid: u32) -> &'static str {
    match oid {
        INT2 => "smallint",
        INT4 => "integer",
        INT8 => "bigint",
        FLOAT4 | FLOAT8 | NUMERIC => "double precision",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_binary_say_the_same() {
        for (oid, text, binary, value) in [
            (INT2, "-7", &(-7_i16).to_be_bytes()[..], Value::Int(-7)),
            (INT4, " 70000 ", &70_000_i32.to_be_bytes(), Value::Int(70_000)),
            (INT8, "9223372036854775807", &i64::MAX.to_be_bytes(), Value::Int(i64::MAX)),
            (FLOAT8, "0.05", &0.05_f64.to_be_bytes(), Value::Float(0.05)),
            (TEXT, "ä b", "ä b".as_bytes(), Value::Text("ä b".into())),
        ] {
            assert_eq!(decode(text.as_bytes(), false, oid), Ok(value.clone()));
            assert_eq!(decode(binary, true, oid), Ok(value));
        }
    }

    #[test]
    fn what_is_no_such_value_has_postgresqls_code() {
        let code = |bytes: &[u8], binary, oid| decode(bytes, binary, oid).unwrap_err().code;
        assert_eq!(code(b"x", false, INT4), "22P02");
        assert_eq!(code(b"", false, INT8), "22P02");
        assert_eq!(code(b"2147483648", false, INT4), "22003");
        assert_eq!(code(b"1234567", true, INT4), "22P03");
        assert_eq!(code(b"\xff", false, TEXT), "22021");
        assert_eq!(code(b"a\0b", true, TEXT), "22021");
    }

    #[test]
    fn a_client_may_give_an_integer_another_width_and_nothing_else() {
        assert_eq!(
            (settle(INT4, 0), settle(INT4, UNKNOWN), settle(INT4, INT8)),
            (Ok(INT4), Ok(INT4), Ok(INT8))
        );
        assert_eq!(settle(TEXT, VARCHAR), Ok(VARCHAR));
        assert_eq!(settle(INT8, TEXT).unwrap_err().code, "42804");
        for number in [INT2, INT4, INT8, FLOAT4, NUMERIC] {
            assert_eq!(settle(FLOAT8, number), Ok(number), "as PostgreSQL widens it");
        }
        assert_eq!(settle(FLOAT8, TEXT).unwrap_err().code, "42804");
        assert_eq!(decode(&0.5_f32.to_be_bytes(), true, FLOAT4), Ok(Value::Float(0.5)));
        assert_eq!(decode(b" 1.5", false, NUMERIC), Ok(Value::Float(1.5)));
    }
}
