//! The messages that a server writes (PostgreSQL's manual, "Message Formats").

use super::error::SqlError;
use super::value::{FLOAT8, NAME, OID, TIMESTAMPTZ, VOID};
use crate::clock;
use crate::sql::oid::{BOOL, INT2, INT4, INT8};
use crate::standin::step::Key;
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
        INT4 | OID | VOID => 4,
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
        (Cell::Int(value), INT4) => out.extend_from_slice(&(value as i32).to_be_bytes()),
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
