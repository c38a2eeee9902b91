//! What hyper reads and writes through: a TCP stream with the deadlines of [`super::limits`].
//!
//! These two are the only files with hand-written `poll_*` functions: everything above them awaits, or blocks.

pub(super) mod event_loop;
pub(super) mod threads;

use std::io;

/// Bytes that one read takes at most: hyper's own first buffer.
const READ_BYTES: usize = 8_192;

/// Why a connection was closed: its peer took too long.
fn too_slow() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}
