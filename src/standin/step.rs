//! What a session reads and what it answers.

use crate::units::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More bytes. What it has answered is to be written.
    Read,
    /// To go on at an instant.
    Wait {
        until: Nanos,
        /// Whether what it has answered is to be written before.
        flush: bool,
    },
    /// To go on once what it has answered is written.
    Write,
    /// The end, once what it has answered is written.
    Close,
}

/// Bytes that have come and have not been used.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    used: usize,
    arrived: Nanos,
}

impl Input {
    pub(crate) fn push(&mut self, bytes: &[u8], now: Nanos) {
        self.bytes.extend_from_slice(bytes);
        self.arrived = now;
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// The next `len` bytes, which count as used from now on.
    ///
    /// # Panics
    /// When there are fewer.
    pub(crate) fn take(&mut self, len: usize) -> &[u8] {
        let start = self.used;
        self.used += len;
        &self.bytes[start..self.used]
    }

    pub(crate) fn arrived(&self) -> Nanos {
        self.arrived
    }

    /// Gives up the place of what was used.
    pub(crate) fn tidy(&mut self) {
        if self.used == self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        } else if self.used > self.bytes.len() / 2 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
    }
}

/// What a connection proves with that it may give up the statement of another: PostgreSQL's process and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its place among the open connections, from 1.
    pub(crate) id: u32,
    pub(crate) secret: u32,
}

/// Why a connection gets no other answer than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionRefusal {
    TooMany,
    /// The proxy cannot reach its target.
    NoTarget,
}

impl ConnectionRefusal {
    pub(crate) const NO_TARGET: &'static str = "nothing answers where the proxy relays to";
}
