//! What hyper reads and writes through: a TCP stream with deadlines, and one table of limits for every model.

use hyper::rt::{Read, ReadBuf, Write};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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

/// The largest body of a request (413 beyond it).
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// The largest head of a request (431 beyond it).
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long requests in progress may take to finish once the server is told to stop.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(5);
/// How long, and of how many bytes, a peer is listened to that has got its last answer and sends on: closing on unread
/// bytes is a reset, which may overtake the answer.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(2);
pub(crate) const DRAIN_BYTES_MAX: usize = 1024 * 1024;
/// How long accepting rests when the process is out of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of its head to the end of its body.
    pub body: Duration,
    /// From an answer, or the connection's start, to the next request.
    pub idle: Duration,
    /// For one write of an answer to make progress.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(10),
        }
    }
}
