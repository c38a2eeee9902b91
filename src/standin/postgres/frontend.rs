//! The messages that a client writes (PostgreSQL's manual, "Message Formats").

use super::error::SqlError;
use crate::standin::limits::{MESSAGE_BYTES_MAX, STARTUP_BYTES_MAX};
use crate::standin::step::{Input, Key};

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
    let mut body = Body(&input.take(length)[4..]);
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
pub(super) fn message(input: &mut Input) -> Result<Option<(u8, Body<'_>)>, SqlError> {
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
    Ok(Some((tag, Body(&input.take(1 + length)[5..]))))
}

fn length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize)
}

/// The rest of a message. Every method takes something from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
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
            SqlError::new("22021", "a text is no valid UTF-8, which is the encoding here")
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
