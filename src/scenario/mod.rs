//! What is to be measured. A [`Scenario`] that exists can run: everything wrong with a file is said while reading it.
//!
//! A file goes `reading` (TOML of the right shape, as `raw` has it and `node` reads it) -> `convert` (with `contenders`,
//! `loading` and `statements`) -> [`Scenario`]; what is wrong on the way is a `diagnostic`. `overrides` applies a run's
//! flags.

mod builtin;
mod contender;
mod contenders;
mod convert;
mod data;
mod diagnostic;
mod disturbance;
mod experiment;
mod extent;
pub(crate) mod field;
mod fingerprint;
mod foreign;
mod gate;
mod hosts;
mod loading;
mod node;
mod overrides;
mod quantity;
mod raw;
mod reading;
mod routes;
#[cfg(test)]
mod schema;
mod sent;
mod sessions;
mod statements;
pub(crate) mod store;
mod warm_up;

pub use crate::record::metric::{Metric, Unit};
#[cfg(test)]
pub(crate) use builtin::mocked;
pub use builtin::{BUILTIN, builtin, load, tour};
pub use contender::{BuiltIn, Contender, Kind, Ready, STOP_WITHIN, Setup};
pub use disturbance::Disturbance;
pub use experiment::{CapacitySearch, Experiments, Footprint, MapMetric, MapPlan};
pub use fingerprint::fingerprint;
pub(crate) use fingerprint::fingerprints;
pub use gate::{Gate, GateMetric};
pub use hosts::{HostAt, Hosts, Manager, Roles};
pub use loading::{Load, LoadKind, Placement, PlacementMode, Slo};
pub use overrides::Overrides;
pub use statements::{Bound, Statement};
pub use store::{Dependency, Server, Store};
pub use warm_up::WarmUp;
pub(crate) use warm_up::{
    MODEL_REQUESTS, OF_CEILING, PILOT_REQUESTS, PILOT_TIME, SLOWEST, counted,
};

use std::path::Path;

use contender::Programs;

use crate::backend::cpu::CpuMode;
use crate::error::{Error, Result};
use crate::load::plan::{Operation, SessionStep};
use crate::units::{Nanos, Rate, Share};
use crate::words::words;

/// One experiment, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Names its report folder.
    pub name: String,
    /// One sentence for people.
    pub title: String,
    /// Sets the dataset, the arrivals and the bodies.
    pub seed: u64,
    /// Trials of each contender at each level.
    pub rounds: u32,
    /// A canary: its expectation must fail, and a run of a whole folder leaves it out.
    pub self_check: bool,
    /// The service under test.
    pub workload: Workload,
    /// Where state lives.
    pub store: Store,
    /// The operations of the load and their weights, at least one, weights above 0.
    pub mix: Vec<(Operation, u32)>,
    /// What is sent once before each trial's load.
    pub setup: Vec<SessionStep>,
    /// The load levels of the `compare` experiment and then those of `curve`: none under a closed load, and none where
    /// the other experiments find their own.
    pub rates: Vec<Level>,
    /// What is done beside comparing at these levels.
    pub experiments: Experiments,
    /// CPU time of one payment's signature, turned into rounds by calibration; 0 for loyalty.
    pub request_cpu: Nanos,
    /// At least one; names are unique. The first is the one that others are compared with.
    pub contenders: Vec<Contender>,
    /// Who runs on which cores.
    pub placement: Placement,
    /// Who runs on which host.
    pub hosts: Hosts,
    /// How the load is made.
    pub load: Load,
    /// What the service promises, if anything.
    pub slo: Option<Slo>,
    /// p99 of a gate's baseline before its rounds: it stands for a promise where none is stated.
    pub baseline_p99: Option<Nanos>,
    /// What the run itself compares and speaks of: the first contender against each other one, at the first level and of
    /// the first request kind. `None` says nothing of its own.
    pub headline: Option<Metric>,
    /// The confidence of every judged statement: 0.95, and 0.99 in a ledger of many.
    pub confidence: f64,
    /// The confidence at which a deciding statement fails, at least that of the others: a ledger's row with several of them
    /// must not fail more often by chance than a row with one.
    pub refutes_at: f64,
    /// How two builds are compared, where the file says so.
    pub gate: Option<Gate>,
    /// Statements that decide the exit code.
    pub expectations: Vec<Statement>,
    /// Statements that do not.
    pub claims: Vec<Statement>,
    /// Whether it is only to show that everything works.
    pub smoke: bool,
    /// What flags took away or changed, as sentences for the report.
    pub notes: Vec<String>,
}

words! {
    "service"
    /// The service under test.
    pub enum Workload {
        /// Captures payments.
        Payment = "payment",
        /// Distributes points to accounts.
        Loyalty = "loyalty",
        /// Anyone's service, with the requests of its routes.
        Http = "http",
    }
}

/// A load level of an experiment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many requests per second.
    Rate(Rate),
    /// A share of the lowest closed ceiling among the contenders.
    OfLowest(Share),
    /// A share of each contender's own closed ceiling.
    OfOwn(Share),
}

/// The scenario in `text`, which stands in the file `file_name`; what it names by relative paths is taken from there.
///
/// # Errors
/// The first mistake of the file, with its place underlined; a usage error.
pub fn parse(file_name: &str, text: &str) -> Result<Scenario> {
    let folder = Path::new(".").join(Path::new(file_name).parent().unwrap_or(Path::new("")));
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    parse_in(&folder, Programs::Now, file_name, text)
}

/// The same with the folder that relative paths are taken from.
fn parse_in(folder: &Path, programs: Programs, file_name: &str, text: &str) -> Result<Scenario> {
    let text = reading::without_mark(text);
    reading::read(text)
        .and_then(|raw| convert::scenario(&raw, folder, programs))
        .map_err(|diagnostic| diagnostic.render(file_name, text))
}

impl Scenario {
    /// Its claims and then its expectations, as a result lists what became of them.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.claims.iter().chain(&self.expectations)
    }

    /// The contender of a name.
    ///
    /// # Errors
    /// Usage: an unknown name.
    pub fn contender(&self, name: &str) -> Result<&Contender> {
        let known = || self.contenders.iter().map(|contender| contender.name.as_str());
        self.contenders.iter().find(|contender| contender.name == name).ok_or_else(|| {
            let help = match diagnostic::nearest(name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", diagnostic::listed(known())),
            };
            let message = format!("{} has no contender `{}`", self.name, name.escape_debug());
            Error::usage(message).help(help)
        })
    }
}

impl Level {
    /// So many times as much.
    fn scaled(self, times: f64) -> Self {
        match self {
            Self::Rate(rate) => Self::Rate(Rate(rate.0 * times)),
            Self::OfLowest(share) => Self::OfLowest(Share(share.0 * times)),
            Self::OfOwn(share) => Self::OfOwn(Share(share.0 * times)),
        }
    }

    /// How many times another it is, where both are of one kind.
    fn times(self, other: Self) -> Option<f64> {
        match (self, other) {
            (Self::Rate(one), Self::Rate(other)) => Some(one.0 / other.0),
            (Self::OfLowest(one), Self::OfLowest(other))
            | (Self::OfOwn(one), Self::OfOwn(other)) => Some(one.0 / other.0),
            _ => None,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rate(rate) => f.pad(&rate.to_string()),
            Self::OfLowest(share) => f.pad(&share.to_string()),
            Self::OfOwn(share) => f.pad(&format!("{share} own")),
        }
    }
}
