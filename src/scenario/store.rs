//! The part of a file that says where state lives, and how long that takes.

use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use super::raw::{RawLatencies, RawLatency, RawLognormal, RawStore};
use crate::fault::Fault;
use crate::latency::Latency;
use crate::scenario::field::whole;
use crate::units::Nanos;

/// Where state lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    /// In the contender's own memory.
    Memory,
    /// In another process, behind a socket.
    Dependency(Dependency),
}

/// A server that contenders wait for.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    pub server: Server,
    /// How long a statement takes that reads a row, beside what it must.
    pub lookup: Latency,
    /// How long one takes that changes something.
    pub write: Latency,
    /// Connections of each contender's pool.
    pub pool: usize,
}

/// Which server contenders wait for.
#[derive(Clone, PartialEq)]
pub enum Server {
    /// bakeoff's own.
    Standin {
        /// What goes wrong, and when.
        faults: Vec<Fault>,
    },
    /// A real PostgreSQL.
    Postgres {
        /// Where it is; `None` has one started for the run.
        url: Option<String>,
    },
}

/// A URL may hold a password, which does not belong in logs.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standin { faults } => f.debug_tuple("Standin").field(faults).finish(),
            Self::Postgres { url } => {
                f.debug_tuple("Postgres").field(&url.as_ref().map(|_| "..")).finish()
            }
        }
    }
}

impl Store {
    /// What is configured to go wrong with the dependency.
    pub fn faults(&self) -> &[Fault] {
        match self.dependency().map(|dependency| &dependency.server) {
            Some(Server::Standin { faults }) => faults,
            _ => &[],
        }
    }

    /// The server that contenders wait for, if there is one.
    pub fn dependency(&self) -> Option<&Dependency> {
        match self {
            Self::Memory => None,
            Self::Dependency(dependency) => Some(dependency),
        }
    }
}

impl Dependency {
    /// As subtitles name it: `stand-in`, `PostgreSQL`.
    fn name(&self) -> &'static str {
        match self.server {
            Server::Standin { .. } => "a stand-in",
            Server::Postgres { .. } => "PostgreSQL",
        }
    }

    /// As headings name it: `a stand-in (lookup 50ms, write 1ms)`.
    pub fn describe(&self) -> String {
        let Self { lookup, write, .. } = self;
        match (lookup == &Latency::ZERO, write == &Latency::ZERO) {
            (true, true) => self.name().to_owned(),
            (_, true) => format!("{} (lookup {lookup})", self.name()),
            _ => format!("{} (lookup {lookup}, write {write})", self.name()),
        }
    }
}

/// Connections of one pool: within the descriptors of one process.
pub(super) const POOL_MAX: u64 = 16_384;
/// Connections of a pool, where the file leaves them out.
const POOL_DEFAULT: u64 = 16;
/// Faults of one scenario.
const FAULTS_MAX: usize = 50;

/// The store of a file.
pub(super) fn store(raw: Option<&RawStore>) -> Result<Store, Diagnostic> {
    match raw {
        None | Some(RawStore::Memory(_)) => Ok(Store::Memory),
        Some(RawStore::Standin(raw)) => {
            if let Some(at) = raw.faults.get(FAULTS_MAX) {
                let title = format!("a scenario has at most {FAULTS_MAX} faults");
                return Err(Diagnostic::new(&at.span, title, "one too many"));
            }
            let faults = raw.faults.iter().map(|at| {
                at.value
                    .parse()
                    .map_err(|why: String| Diagnostic::new(&at.span, why, "not a fault"))
            });
            let server = Server::Standin { faults: faults.collect::<Result<_, _>>()? };
            dependency(server, raw.latency.as_ref(), raw.connections.as_ref())
        }
        Some(RawStore::Postgres(raw)) => {
            let url = (raw.url.value != "auto").then(|| raw.url.value.clone());
            if url.as_ref().is_some_and(|url| !url.starts_with("postgres")) {
                let title = "this is not the URL of a PostgreSQL database";
                return Err(Diagnostic::new(&raw.url.span, title, "not a URL").help(
                    "write url = \"auto\", or \"postgres://USER:PASSWORD@127.0.0.1:5432/DATABASE\"",
                ));
            }
            let server = Server::Postgres { url };
            dependency(server, raw.latency.as_ref(), raw.connections.as_ref())
        }
    }
}

fn dependency(
    server: Server,
    latency: Option<&RawLatencies>,
    connections: Option<&At<u64>>,
) -> Result<Store, Diagnostic> {
    let (lookup, write) = match latency {
        None => (Latency::ZERO, Latency::ZERO),
        Some(raw) => latencies(raw)?,
    };
    let pool = whole(connections, "connections", POOL_DEFAULT, 1..=POOL_MAX)? as usize;
    Ok(Store::Dependency(Dependency { server, lookup, write, pool }))
}

/// Those of lookups and of writes.
fn latencies(raw: &RawLatencies) -> Result<(Latency, Latency), Diagnostic> {
    let bare = [
        raw.constant.as_ref().map(|at| (&at.span, constant(&at.value))),
        raw.uniform.as_ref().map(|at| (&at.span, uniform(&at.value))),
        raw.lognormal.as_ref().map(|at| (&at.span, lognormal(&at.value))),
        raw.trace.as_ref().map(|at| (&at.span, trace(&at.value))),
    ];
    let law = |at: &At<RawLatency>| match &at.value {
        RawLatency::Constant(time) => constant(time),
        RawLatency::Uniform(times) => uniform(times),
        RawLatency::Lognormal(law) => lognormal(law),
        RawLatency::Trace(path) => trace(path),
    };
    let lookup = raw.lookup.as_ref().map(|at| (&at.span, law(at)));
    let mut lookups = bare.into_iter().chain([lookup]).flatten();
    let first = lookups.next();
    if let Some((span, _)) = lookups.next() {
        let title = "lookups have one latency, and this has two";
        return Err(Diagnostic::new(span, title, "a second one")
            .help("write { lookup = { constant = \"50ms\" }, write = { constant = \"1ms\" } }"));
    }
    let write = raw.write.as_ref().map(|at| (&at.span, law(at)));
    let read = |law: Option<(&std::ops::Range<usize>, Result<Latency, String>)>| match law {
        None => Ok(Latency::ZERO),
        Some((span, law)) => law.map_err(|why| Diagnostic::new(span, why, "not a latency")),
    };
    Ok((read(first)?, read(write)?))
}

fn constant(time: &Quantity<Nanos>) -> Result<Latency, String> {
    Ok(Latency::Constant(time.0))
}

fn uniform([min, max]: &[Quantity<Nanos>; 2]) -> Result<Latency, String> {
    Latency::uniform(min.0, max.0)
}

fn lognormal(law: &RawLognormal) -> Result<Latency, String> {
    Latency::lognormal(law.p50.0, law.p99.0)
}

fn trace(path: &str) -> Result<Latency, String> {
    format!("trace={path}").parse()
}

/// Connections of a contender's pool.
pub(crate) fn pool(built_in: Option<&crate::scenario::BuiltIn>, dependency: &Dependency) -> usize {
    built_in.and_then(|built_in| built_in.pool).unwrap_or(dependency.pool)
}
