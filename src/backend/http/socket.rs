//! What hyper reads and writes through: a TCP stream with the deadlines of [`super::limits`].
//!
//! Only this file and the runtimes' sockets have hand-written `poll_*` functions: everything above them awaits, or blocks.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, Write};

use super::limits::DRAIN_BYTES_MAX;

/// Bytes that one read takes at most: hyper's own first buffer.
pub(crate) const READ_BYTES: usize = 8_192;

/// Why a connection was closed: its peer took too long.
pub(crate) fn too_slow() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

/// The end of a connection whose peer may still be sending: a last answer, and then what comes is thrown away until the
/// peer closes as well, has sent [`DRAIN_BYTES_MAX`], or has taken too long.
#[derive(Debug)]
pub(crate) struct Farewell {
    answer: &'static [u8],
    left: usize,
}

impl Farewell {
    /// With `answer`, which is empty where hyper has given one.
    pub(crate) fn new(answer: &'static [u8]) -> Self {
        Self { answer, left: DRAIN_BYTES_MAX }
    }

    /// Goes on with it; whatever goes wrong ends it.
    pub(crate) fn poll(
        &mut self,
        mut socket: impl Read + Write + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while !self.answer.is_empty() {
            match ready!(Pin::new(&mut socket).poll_write(cx, self.answer)) {
                Ok(written) if written > 0 => self.answer = &self.answer[written..],
                _ => return Poll::Ready(()),
            }
            if self.answer.is_empty() && ready!(Pin::new(&mut socket).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
        }
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        while self.left > 0 {
            let mut bytes = ReadBuf::uninit(&mut bytes);
            match ready!(Pin::new(&mut socket).poll_read(cx, bytes.unfilled())) {
                Ok(()) if !bytes.filled().is_empty() => {
                    self.left = self.left.saturating_sub(bytes.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}
