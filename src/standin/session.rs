//! One connection without its socket: bytes in, answers out, and the instant at which it wants to go on.

use super::limits::INPUT_BYTES_MAX;
use super::world::World;
use super::{http, postgres};
use crate::standin::step::{Input, Key, Refusal, Step};
use crate::units::Nanos;

/// A connection of either protocol.
#[derive(Debug)]
pub(super) struct Session {
    input: Input,
    protocol: Protocol,
    key: Key,
    refused: Option<Refusal>,
}

#[derive(Debug)]
enum Protocol {
    /// Nothing has come yet.
    Unknown,
    Postgres(Box<postgres::Session>),
    Http(http::Session),
}

impl Session {
    /// A connection that was accepted, and perhaps only to be refused.
    pub(super) fn new(key: Key, refused: Option<Refusal>) -> Self {
        Self { input: Input::default(), protocol: Protocol::Unknown, key, refused }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Gives up the statement that it waits for, if there is one.
    pub(super) fn cancel(&mut self, now: Nanos, out: &mut Vec<u8>) {
        if let Protocol::Postgres(session) = &mut self.protocol {
            session.cancel(now, out);
        }
    }

    /// Takes what has come by `now`.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Nanos) {
        self.input.push(bytes, now);
    }

    /// Whether it has more to read than it may hold.
    pub(super) fn is_full(&self) -> bool {
        self.input.rest().len() > INPUT_BYTES_MAX
    }

    /// Answers into `out` whatever can be answered by `now`.
    pub(super) fn advance(&mut self, now: Nanos, world: &mut World, out: &mut Vec<u8>) -> Step {
        if let Protocol::Unknown = self.protocol {
            // The length of a PostgreSQL startup begins with 0, a request line with a letter.
            self.protocol = match self.input.rest().first() {
                None => return Step::Read,
                Some(0) => {
                    Protocol::Postgres(Box::new(postgres::Session::new(self.key, self.refused)))
                }
                Some(_) => Protocol::Http(http::Session::new(self.refused)),
            };
        }
        let step = match &mut self.protocol {
            Protocol::Unknown => Step::Read,
            Protocol::Postgres(session) => session.advance(&mut self.input, now, world, out),
            Protocol::Http(session) => session.advance(&mut self.input, now, world, out),
        };
        self.input.tidy();
        step
    }
}
