//! The four concurrency models, and the control that does nothing.

use crate::words::words;

/// Connections of `thread-per-connection` at once, unless `threads` says otherwise (503 beyond them).
pub const CONNECTION_THREADS: usize = 4_096;
/// Workers of `thread-pool`, unless `threads` says otherwise.
pub const POOL_THREADS: usize = 16;

words! {
    "model"
    /// A concurrency model.
    #[derive(Hash)]
    pub enum Model {
        /// tokio on one thread: Node's shape.
        EventLoop = "event-loop",
        /// tokio on several threads: with threads, Go's shape.
        WorkStealing = "work-stealing",
        /// An OS thread for every connection.
        ThreadPerConnection = "thread-per-connection",
        /// A fixed number of OS threads.
        ThreadPool = "thread-pool",
        /// The control: answers everything with a constant.
        Null = "null",
    }
}

impl Model {
    /// The four that are compared, in the order in which they are shown.
    pub const RACED: [Self; 4] =
        [Self::EventLoop, Self::WorkStealing, Self::ThreadPerConnection, Self::ThreadPool];

    /// Whether waiting is done by awaiting (the first two) and not by blocking a thread.
    pub fn is_async(self) -> bool {
        matches!(self, Self::EventLoop | Self::WorkStealing)
    }
}
