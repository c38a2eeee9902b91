//! What the services run on: serving, sockets, clients, fan-out and CPU work, in two designs behind one interface.
//!
//! Read one style at a time: `event_loop/` is tokio throughout, `threads/` is OS threads that block.

pub(crate) mod event_loop;
pub(crate) mod threads;

use crate::backend::http::Answer;
use crate::units::Nanos;
use crate::words::words;
use bytes::BytesMut;
use hdrhistogram::Histogram;
use hyper::StatusCode;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

// Calls of another server, for both runtimes. A [`Protocol`] is sans-IO. The runtimes move its bytes over a socket of tokio or of the standard library, and keep
// pools of equal size that serve callers in order.

pub(crate) const READ_BYTES: usize = 8_192;
/// How long another server may take to accept, and to let a client in.
pub(crate) const GREET_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take for an answer; after that the connection is given up, and the request with it.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A protocol of questions and answers, one under way at a time.
pub(crate) trait Protocol: fmt::Debug + Sized + Send + 'static {
    /// What a connection has to know to be let in.
    type Target: fmt::Debug + Send + Sync + 'static;
    type Question<'a>: Copy + Send + Sync;
    type Answer: Send;

    /// A connection that has just been accepted; there may be bytes to send.
    fn begin(target: &Self::Target) -> Self;
    /// Bytes have come, or may be sent at the start: whether the connection is ready for questions.
    ///
    /// # Errors
    /// The other side does not let us in.
    fn greet(&mut self) -> Result<bool, ClientError>;
    /// Puts a question among the bytes to send.
    fn ask(&mut self, question: Self::Question<'_>);
    /// The answer, when all of it has come.
    ///
    /// # Errors
    /// `Refused` by the other side; `Lost` when it does not speak the protocol.
    fn answer(&mut self) -> Result<Option<Self::Answer>, ClientError>;
    /// The bytes that came and have not been understood yet, and those that are to be sent.
    fn buffers(&mut self) -> &mut Buffers;
}

/// The bytes of a connection on their way in and out.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) incoming: BytesMut,
    pub(crate) outgoing: BytesMut,
}

#[derive(Debug)]
pub(crate) enum ClientError {
    /// The connection is no more. What was asked may or may not have been done.
    Lost(io::Error),
    /// The other side understood and did not do it.
    Refused(String),
}

impl ClientError {
    /// Bytes that the protocol does not have.
    pub(crate) fn garbled(what: &str) -> Self {
        Self::Lost(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    pub(crate) fn gone() -> Self {
        Self::Lost(io::ErrorKind::UnexpectedEof.into())
    }

    pub(crate) fn too_slow() -> Self {
        Self::Lost(io::ErrorKind::TimedOut.into())
    }

    /// Whether the connection can be used again.
    pub(crate) fn is_harmless(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) => write!(f, "the connection was lost: {error}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// 503: the dependency does not answer. A client may try again; its key keeps it from paying twice.
impl From<ClientError> for Answer {
    fn from(error: ClientError) -> Self {
        Self::error(StatusCode::SERVICE_UNAVAILABLE, format_args!("a dependency: {error}"))
    }
}

/// Another server, and how many connections it may be asked over.
#[derive(Debug)]
pub(crate) struct Peer<T> {
    pub(crate) address: SocketAddr,
    pub(crate) target: T,
    pub(crate) connections: usize,
    pub(crate) gather: Gather,
}

words! {
    "fan-out"
    /// How threads ask several questions at once.
    #[derive(Default, clap::ValueEnum)]
    pub enum Gather {
        /// One thread writes all of them and then reads the answers.
        #[default]
        #[value(name = "split")]
        AtOnce = "split",
        /// A fixed pool of threads, each asking one.
        Pool = "pool",
        /// Threads started for it.
        Scoped = "scoped",
        /// One after the other: the pitfall `sequential-lookups`.
        #[serde(skip)]
        #[value(skip)]
        InTurn = "in-turn",
    }
}

#[derive(Debug)]
pub(crate) struct Usage {
    size: usize,
    waits: Mutex<Histogram<u64>>,
    busy_ns: AtomicU64,
}

impl Usage {
    /// The longest wait that is told apart from longer ones.
    const WAIT_MAX: Nanos = Nanos(60_000_000_000);

    pub(crate) fn new(size: usize) -> Self {
        let waits = Histogram::new_with_max(Self::WAIT_MAX.0, 3).expect("three digits of a minute");
        Self { size, waits: Mutex::new(waits), busy_ns: AtomicU64::new(0) }
    }

    /// A caller that came at `came` has its `connections`, each of which it waited for; gives the instant.
    pub(crate) fn taken(&self, came: Instant, connections: usize) -> Instant {
        let now = Instant::now();
        let waited = Nanos::from(now - came).0;
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.saturating_record_n(waited, connections as u64);
        drop(waits);
        now
    }

    /// A connection that was taken at `since` is back.
    pub(crate) fn given_back(&self, since: Instant) {
        self.busy_ns.fetch_add(Nanos::from(since.elapsed()).0, Relaxed);
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The time that connections were in use, all of them together. Counted as they come back.
    pub(crate) fn busy(&self) -> Nanos {
        Nanos(self.busy_ns.load(Relaxed))
    }

    /// How long each connection that was taken was waited for.
    pub(crate) fn waits(&self) -> Histogram<u64> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Numbered pieces of work, which workers take in order.
#[derive(Debug)]
pub(crate) struct WorkQueue<W> {
    pub(crate) work: W,
    next: AtomicU32,
    count: u32,
}

impl<W> WorkQueue<W> {
    pub(crate) fn of(count: u32, work: W) -> Self {
        Self { work, next: AtomicU32::new(0), count }
    }

    pub(crate) fn take(&self) -> Option<u32> {
        // Workers are few, so the number cannot overflow.
        let next = self.next.fetch_add(1, Relaxed);
        (next < self.count).then_some(next)
    }

    /// Nothing more is taken, since one piece has failed.
    pub(crate) fn abandon(&self) {
        self.next.store(self.count, Relaxed);
    }
}
