//! How long a peer may take and how much it may send: one table for every model.

use std::time::Duration;

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
