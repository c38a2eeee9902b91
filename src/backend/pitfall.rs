//! Anti-patterns that a contender can be told to use, alone or together: how much implementation quality matters
//! compared with the model.

use std::fmt;
use std::str::FromStr;

use super::model::Model;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pitfall {
    /// The lookups of a payment wait for each other.
    SequentialLookups,
    /// CPU work of any length runs on the thread that drives all connections.
    CpuOnLoop,
    /// Handlers block inside the pool that is there for CPU work, which has a thread for each core.
    BlockingOnRayon,
    /// One lock is held through each request, its waits included.
    GlobalLock,
    /// Each request starts a task or a thread of its own.
    SpawnPerRequest,
    /// All requests share one connection to the dependency.
    OneConnection,
}

impl Pitfall {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::SequentialLookups,
        Self::CpuOnLoop,
        Self::BlockingOnRayon,
        Self::GlobalLock,
        Self::SpawnPerRequest,
        Self::OneConnection,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SequentialLookups => "sequential-lookups",
            Self::CpuOnLoop => "cpu-on-loop",
            Self::BlockingOnRayon => "blocking-on-rayon",
            Self::GlobalLock => "global-lock",
            Self::SpawnPerRequest => "spawn-per-request",
            Self::OneConnection => "one-connection",
        }
    }

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

impl fmt::Display for Pitfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Pitfall {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|pitfall| pitfall.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no pitfall `{text}`; there are {names}")
        })
    }
}
