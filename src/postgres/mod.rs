//! PostgreSQL's protocol as a client speaks it: [`Server`] reads a URL, `Login` is let in and moves no bytes,
//! [`Connection`] asks and blocks.
//!
//! The contenders' sessions (`backend/postgres/`) log in with it and have their own way to ask.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

mod connection;
mod server;

use std::{fmt, io};

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorResponseBody;

pub(crate) use connection::Login;
pub use connection::{Connection, CopyIn, Prepared, Row};
pub use server::Server;

#[derive(Debug)]
pub enum ConnectionError {
    /// The server did not do it. The connection can be used again.
    Refused(Refusal),
    /// There is no connection, or no more.
    Lost(io::Error),
}

/// What a server says when it does not do what it was asked.
#[derive(Debug)]
pub struct Refusal {
    /// The SQLSTATE; empty where it is this side that refuses.
    pub code: String,
    /// All of it, in one line.
    said: String,
}

impl Refusal {
    pub(crate) fn of(error: &ErrorResponseBody) -> Self {
        let [mut code, mut message, mut more] = [const { String::new() }; 3];
        let mut fields = error.fields();
        while let Ok(Some(field)) = fields.next() {
            let text = String::from_utf8_lossy(field.value_bytes());
            match field.type_() {
                b'C' => code = text.into(),
                b'M' => message = text.into(),
                b'D' => more += &format!("; DETAIL: {text}"),
                b'H' => more += &format!("; HINT: {text}"),
                _ => {}
            }
        }
        let said = format!("{message} (SQLSTATE {code}){more}").replace('\n', " ");
        Self { code, said }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Lost(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}
