//! Anti-patterns that a contender can be told to use, alone or together: how much implementation quality matters
//! compared with the model.

use super::model::Model;
use crate::words::words;

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
