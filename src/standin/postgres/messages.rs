//! The messages of a server and of a client (PostgreSQL's manual, "Message Formats").

use crate::clock;
use crate::sql::oid::{BOOL, INT2, INT4, INT8};
use crate::standin::postgres::SqlError;
use crate::standin::postgres::value::{FLOAT4, FLOAT8, NAME, OID, TIMESTAMPTZ, VOID};
use crate::standin::step::{Input, Key};
use crate::standin::{MESSAGE_BYTES_MAX, STARTUP_BYTES_MAX};
use crate::units::Nanos;

/// Which columns are written in binary, a bit for each.
pub(super) type Formats = u16;

/// One column of a row, in whatever type its description says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Bool(bool),
    Int(i64),
    Text(&'a str),
    /// Since 1970.
    Time(Nanos),
    Null,
}

/// Writes a message around `body`.
fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

pub(super) fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| out.extend_from_slice(&0_u32.to_be_bytes()));
}

pub(super) fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        string(out, name);
        string(out, value);
    });
}

pub(super) fn backend_key_data(out: &mut Vec<u8>, Key { id, secret }: Key) {
    message(out, b'K', |out| {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&secret.to_be_bytes());
    });
}

/// Says that 3.0 is spoken here and that no option of the protocol is known.
pub(super) fn negotiate_protocol_version(out: &mut Vec<u8>) {
    message(out, b'v', |out| {
        out.extend_from_slice(&0x3_0000_u32.to_be_bytes());
        out.extend_from_slice(&0_u32.to_be_bytes());
    });
}

/// `status` is `I` outside a transaction, `T` inside one, `E` inside one that has failed.
pub(super) fn ready_for_query(out: &mut Vec<u8>, status: u8) {
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, status]);
}

pub(super) fn parse_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"1\0\0\0\x04");
}

pub(super) fn bind_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"2\0\0\0\x04");
}

pub(super) fn close_complete(out: &mut Vec<u8>) {
    out.extend_from_slice(b"3\0\0\0\x04");
}

pub(super) fn no_data(out: &mut Vec<u8>) {
    out.extend_from_slice(b"n\0\0\0\x04");
}

pub(super) fn empty_query(out: &mut Vec<u8>) {
    out.extend_from_slice(b"I\0\0\0\x04");
}

pub(super) fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| string(out, tag));
}

pub(super) fn parameter_description(out: &mut Vec<u8>, types: &[u32]) {
    message(out, b't', |out| {
        out.extend_from_slice(&(types.len() as u16).to_be_bytes());
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
    });
}

pub(super) fn row_description(out: &mut Vec<u8>, columns: &[(&str, u32)], formats: Formats) {
    message(out, b'T', |out| {
        out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
        for (at, (name, oid)) in columns.iter().enumerate() {
            string(out, name);
            // Of no table.
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&oid.to_be_bytes());
            out.extend_from_slice(&size(*oid).to_be_bytes());
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            out.extend_from_slice(&(formats >> at & 1).to_be_bytes());
        }
    });
}

/// Bytes of a type; negative when they vary.
fn size(oid: u32) -> i16 {
    match oid {
        BOOL => 1,
        INT2 => 2,
        INT4 | FLOAT4 | OID | VOID => 4,
        INT8 | FLOAT8 | TIMESTAMPTZ => 8,
        NAME => 64,
        _ => -1,
    }
}

pub(super) fn data_row(
    out: &mut Vec<u8>,
    columns: &[(&str, u32)],
    cells: &[Cell<'_>],
    formats: Formats,
) {
    debug_assert_eq!(columns.len(), cells.len());
    message(out, b'D', |out| {
        out.extend_from_slice(&(cells.len() as u16).to_be_bytes());
        for (at, (cell, (_, oid))) in cells.iter().zip(columns).enumerate() {
            let start = out.len();
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            if let Cell::Null = cell {
                continue;
            }
            match formats >> at & 1 {
                1 => binary(out, *cell, *oid),
                _ => text(out, *cell),
            }
            let length = (out.len() - start - 4) as u32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    });
}

fn binary(out: &mut Vec<u8>, cell: Cell<'_>, oid: u32) {
    match (cell, oid) {
        (Cell::Bool(value), _) => out.push(value.into()),
        (Cell::Int(value), INT2) => out.extend_from_slice(&(value as i16).to_be_bytes()),
        // The bits of an oid, which has no sign, are those of the wider number too.
        (Cell::Int(value), INT4 | OID) => out.extend_from_slice(&(value as i32).to_be_bytes()),
        (Cell::Int(value), FLOAT4) => out.extend_from_slice(&(value as f32).to_be_bytes()),
        (Cell::Int(value), FLOAT8) => out.extend_from_slice(&(value as f64).to_be_bytes()),
        (Cell::Int(value), _) => out.extend_from_slice(&value.to_be_bytes()),
        (Cell::Text(value), _) => out.extend_from_slice(value.as_bytes()),
        // Microseconds since 2000.
        (Cell::Time(Nanos(ns)), _) => {
            let us = (ns / 1_000) as i64 - 946_684_800_000_000;
            out.extend_from_slice(&us.to_be_bytes());
        }
        (Cell::Null, _) => {}
    }
}

fn text(out: &mut Vec<u8>, cell: Cell<'_>) {
    use std::io::Write as _;
    match cell {
        Cell::Bool(value) => out.push(if value { b't' } else { b'f' }),
        Cell::Int(value) => write!(out, "{value}").expect("memory takes everything"),
        Cell::Text(value) => out.extend_from_slice(value.as_bytes()),
        // As `DateStyle` and `TimeZone` say.
        Cell::Time(Nanos(ns)) => {
            let (seconds, us) = (ns / 1_000_000_000, ns / 1_000 % 1_000_000);
            let date = clock::date(seconds).replace('T', " ");
            let date = date.trim_end_matches('Z');
            write!(out, "{date}.{us:06}+00").expect("memory takes everything");
        }
        Cell::Null => {}
    }
}

/// An error; a `fatal` one is the last message of its connection.
pub(super) fn error_response(out: &mut Vec<u8>, error: &SqlError, fatal: bool) {
    let severity = if fatal { "FATAL" } else { "ERROR" };
    notice(out, b'E', severity, error);
}

/// A warning, after which all goes on.
pub(super) fn warning(out: &mut Vec<u8>, warning: &SqlError) {
    notice(out, b'N', "WARNING", warning);
}

fn notice(out: &mut Vec<u8>, tag: u8, severity: &str, error: &SqlError) {
    message(out, tag, |out| {
        // The severity for people, for programs, the code, the message.
        for (field, text) in
            [(b'S', severity), (b'V', severity), (b'C', error.code), (b'M', &*error.message)]
        {
            out.push(field);
            string(out, text);
        }
        if let Some(hint) = &error.hint {
            out.push(b'H');
            string(out, hint);
        }
        out.push(0);
    });
}

// What a client writes.

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Startup {
    /// Whether the server encrypts, which it does not.
    Encryption,
    /// That the statement of another connection be given up, which had this key.
    Cancel(Key),
    /// A connection, in this minor version of the third protocol.
    Begin {
        /// 0 for 3.0.
        minor: u32,
    },
}

/// Takes a startup message. `None` when it has not come whole.
///
/// # Errors
/// A length or a version that cannot be.
pub(super) fn startup(input: &mut Input) -> Result<Option<Startup>, SqlError> {
    let Some(length) = length(input.rest()) else {
        return Ok(None);
    };
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(SqlError::protocol("invalid length of startup packet"));
    }
    if input.rest().len() < length {
        return Ok(None);
    }
    let mut body = MessageBody(&input.take(length)[4..]);
    let code = body.u32()?;
    match (code >> 16, code & 0xffff) {
        (1_234, 5_679 | 5_680) => Ok(Some(Startup::Encryption)),
        (1_234, 5_678) => Ok(Some(Startup::Cancel(Key { id: body.u32()?, secret: body.u32()? }))),
        (3, minor) => Ok(Some(Startup::Begin { minor })),
        (major, minor) => Err(SqlError::new(
            "0A000",
            format!("unsupported frontend protocol {major}.{minor}: the stand-in speaks 3.0"),
        )),
    }
}

/// Takes a message after the startup: its tag and its body. `None` when it has not come whole.
///
/// # Errors
/// A length that cannot be, or that is above the limit.
pub(super) fn next_message(input: &mut Input) -> Result<Option<(u8, MessageBody<'_>)>, SqlError> {
    let Some((&tag, rest)) = input.rest().split_first() else {
        return Ok(None);
    };
    let Some(length) = length(rest) else {
        return Ok(None);
    };
    if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
        return Err(SqlError::protocol(format!(
            "a message of {length} bytes; the stand-in takes 4 to {MESSAGE_BYTES_MAX}"
        )));
    }
    if rest.len() < length {
        return Ok(None);
    }
    Ok(Some((tag, MessageBody(&input.take(1 + length)[5..]))))
}

fn length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize)
}

/// The rest of a message. Every method takes something from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageBody<'a>(&'a [u8]);

impl<'a> MessageBody<'a> {
    pub(super) fn u8(&mut self) -> Result<u8, SqlError> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, SqlError> {
        Ok(u16::from_be_bytes(self.bytes(2)?.try_into().expect("two bytes")))
    }

    pub(super) fn u32(&mut self) -> Result<u32, SqlError> {
        Ok(u32::from_be_bytes(self.bytes(4)?.try_into().expect("four bytes")))
    }

    /// A text and the zero after it.
    pub(super) fn string(&mut self) -> Result<&'a str, SqlError> {
        let len = memchr::memchr(0, self.0).ok_or_else(cut_short)?;
        let text = std::str::from_utf8(&self.0[..len]).map_err(|_| {
            SqlError::new("22021", "a text is not valid UTF-8, which is the encoding here")
        })?;
        self.0 = &self.0[len + 1..];
        Ok(text)
    }

    /// The bytes of a parameter; `None` for NULL.
    pub(super) fn value(&mut self) -> Result<Option<&'a [u8]>, SqlError> {
        match self.u32()? as i32 {
            -1 => Ok(None),
            length => self.bytes(usize::try_from(length).map_err(|_| cut_short())?).map(Some),
        }
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], SqlError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn cut_short() -> SqlError {
    SqlError::protocol("a message is shorter than what it says it holds")
}
