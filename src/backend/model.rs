//! The four concurrency models, and the control that does nothing.

use std::fmt;
use std::str::FromStr;

/// Connections of `thread-per-connection` at once, unless `threads` says otherwise (503 beyond them).
pub const CONNECTION_THREADS: usize = 4_096;
/// Workers of `thread-pool`, unless `threads` says otherwise.
pub const POOL_THREADS: usize = 16;

/// How a server waits for many things at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// tokio on one thread: Node's shape.
    EventLoop,
    /// tokio on several threads that steal each other's tasks: with threads, Go's shape.
    WorkStealing,
    /// An OS thread for every connection, blocking in `recv`.
    ThreadPerConnection,
    /// A fixed number of OS threads that share one epoll set and run blocking handlers.
    ThreadPool,
    /// The control: answers everything with a constant, through no HTTP library at all.
    Null,
}

impl Model {
    /// The four that are compared, in the order in which they are shown.
    pub const RACED: [Self; 4] =
        [Self::EventLoop, Self::WorkStealing, Self::ThreadPerConnection, Self::ThreadPool];

    pub fn name(self) -> &'static str {
        match self {
            Self::EventLoop => "event-loop",
            Self::WorkStealing => "work-stealing",
            Self::ThreadPerConnection => "thread-per-connection",
            Self::ThreadPool => "thread-pool",
            Self::Null => "null",
        }
    }

    /// Whether waiting is done by awaiting (the first two) and not by blocking a thread.
    pub fn is_async(self) -> bool {
        matches!(self, Self::EventLoop | Self::WorkStealing)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Model {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::RACED.into_iter().chain([Self::Null]).find(|model| model.name() == text).ok_or_else(
            || {
                let names = Self::RACED.map(Self::name).join(", ");
                format!("there is no model `{text}`; there are {names} and null")
            },
        )
    }
}
