//! What `decide` found, `bakeoff.decision/1`.

use super::BoundBy;
use serde::{Deserialize, Serialize};

use super::{Capacity, Fingerprint, MapCell};

/// The version that is written, and the only one that is read.
pub const DECISION_SCHEMA: &str = "bakeoff.decision/1";

/// The answer to one service's question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decision {
    /// [`DECISION_SCHEMA`]
    pub schema: String,
    /// The service that was asked about.
    pub asked: Asked,
    /// When it started, `2026-11-24T04:09:53Z`.
    pub started_utc: String,
    /// The machine, the build and the scenario that `--save` writes.
    pub fingerprint: Fingerprint,
    /// The response time that no model can beat, ns.
    pub floor_ns: u64,
    /// What it consists of.
    pub floor: String,
    /// Ceilings that no model passes, by Little's law.
    pub ceilings: Vec<Limit>,
    /// One for each model, in the order in which they are shown.
    pub models: Vec<Decided>,
    /// Where the two best models met: as asked first, then its neighbours.
    pub meetings: Vec<Meeting>,
    /// The answer, in a sentence.
    pub finding: String,
    /// What would turn it round, in a sentence.
    pub flips: String,
    /// Capacity within the SLO, where there was time for it.
    pub capacity: Vec<Capacity>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What the program exits with.
    pub exit_code: u8,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Asked {
    /// CPU time of a request, ns.
    pub cpu_ns: u64,
    /// What a lookup takes: `2ms`, `p50=2ms,p99=9ms`.
    pub wait: String,
    /// Lookups of a request, asked at once.
    pub lookups: u32,
    /// Requests per second.
    pub rate_rps: f64,
    /// p99 of the response time, ns.
    pub slo_ns: u64,
    /// Cores of the service.
    pub cores: u32,
    /// Connections to its database.
    pub pool: u32,
}

/// A ceiling by Little's law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limit {
    /// `CPU`, `pool`
    pub of: String,
    /// Requests per second.
    pub rps: f64,
}

/// One model at its best size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decided {
    /// `event-loop`, ..
    pub model: String,
    /// `32 threads (best of 16, 32, 64)`; empty where it has no size.
    pub size: String,
    /// Requests per second in closed loop, with no promise of a response time.
    pub closed_rps: f64,
    /// What bound that loop; empty where it was not run.
    #[serde(with = "super::or_empty")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub closed_bound_by: Option<BoundBy>,
    /// Median of the rounds at the asked rate, ns; an hour when it is a failure; `null` when withheld, saturated or not
    /// run.
    pub p99_ns: Option<f64>,
    /// How long that request took at least, ns, when it is a timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_at_least_ns: Option<f64>,
    /// What it is less the generator's own lateness, ns, where that is over a tenth of it; the truth lies between the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_without_lateness_ns: Option<f64>,
    /// Requests at the asked rate that failed, in all rounds.
    pub failures: u64,
    /// Of so many.
    pub requests: u64,
    /// Median of the rounds, us.
    pub cpu_us_per_request: Option<f64>,
    /// Median of the rounds.
    pub rss_peak_bytes: Option<f64>,
    /// What the machine gave, kernel memory included, median of the rounds.
    pub memory_peak_bytes: Option<f64>,
    /// Rounds that hold.
    pub rounds: u32,
    /// Whether most rounds fell behind.
    pub saturated: bool,
    /// Whether the SLO was kept in most rounds; `null` when it was not run or cannot be told.
    pub keeps_slo: Option<bool>,
}

/// The two best models in closed loop at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Meeting {
    /// `as asked`, `half the CPU`, `twice the wait`, ..
    pub place: String,
    /// The place in figures: `CPU 300 us, wait 2ms, pool 50`.
    pub figures: String,
    /// of / versus.
    pub cell: MapCell,
    /// Whose ceiling it is.
    pub of: String,
    /// Against whose.
    pub versus: String,
}
