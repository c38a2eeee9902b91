//! The concurrency models and what they can be told: their anti-patterns, and the client of a database.

use crate::backend::{Settings, StoreSettings};
use crate::error::{Error, Result};
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

words! {
    "client"
    /// A client of PostgreSQL.
    #[derive(Default)]
    pub enum Library {
        /// bakeoff's own.
        #[default]
        Bakeoff = "bakeoff",
        /// tokio-postgres with deadpool-postgres, a cross-check; in builds with the feature `cross-check`.
        TokioPostgres = "tokio-postgres",
    }
}

impl Library {
    /// Whether this build has it.
    pub(crate) fn available(self) -> Result<()> {
        if self == Self::Bakeoff || cfg!(feature = "cross-check") {
            return Ok(());
        }
        Err(Error::usage(format!("this build of bakeoff is without the client {self}"))
            .help("build it with `cargo build --release --features cross-check`"))
    }
}

/// Whether the settings' client can be had.
///
/// # Errors
/// Usage errors: a client of event loops for threads, or one with nothing to ask.
pub(crate) fn check_client(settings: &Settings) -> Result<()> {
    if settings.client == Library::Bakeoff {
        return Ok(());
    }
    let client = settings.client;
    if !settings.model.is_async() {
        return Err(Error::usage(format!("{} cannot use {client}", settings.model))
            .help("leave --client out, or take event-loop or work-stealing"));
    }
    if settings.store == StoreSettings::Memory {
        return Err(Error::usage(format!("there is no database for {client} to ask"))
            .help("add --store postgres --database-url URL, or leave --client out"));
    }
    client.available()
}

words! {
    "pitfall"
    /// A mistake that a contender can be told to make.
    #[derive(Hash)]
    pub enum Pitfall {
        /// The lookups of a payment wait for each other.
        SequentialLookups = "sequential-lookups",
        /// CPU work of any length runs on the thread that drives all connections.
        CpuOnLoop = "cpu-on-loop",
        /// Handlers block inside the pool that is there for CPU work.
        BlockingOnRayon = "blocking-on-rayon",
        /// One lock is held through each request, its waits included.
        GlobalLock = "global-lock",
        /// Each request starts a task or a thread of its own.
        SpawnPerRequest = "spawn-per-request",
        /// All requests share one connection to the dependency.
        OneConnection = "one-connection",
    }
}

impl Pitfall {
    /// Whether a model can make this mistake at all.
    pub fn is_of(self, model: Model) -> bool {
        match self {
            _ if model == Model::Null => false,
            Self::CpuOnLoop => model.is_async(),
            Self::BlockingOnRayon => !model.is_async(),
            _ => true,
        }
    }

    /// Whether it is a mistake only where there is a dependency.
    pub fn needs_a_dependency(self) -> bool {
        matches!(self, Self::SequentialLookups | Self::OneConnection)
    }
}
