//! The machines of a run that was joined from shards, and what each of them shows alone.

use super::{Ceiling, Direction, Fingerprint, is_zero};
use serde::{Deserialize, Serialize};

/// A machine that ran at least one shard, known by its boot id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    pub fingerprint: Fingerprint,
    /// `2/3`, ..
    pub shards: Vec<String>,
    /// Of the rounds that were asked for, those that it has finished.
    pub rounds: Vec<u32>,
    /// CPU time of one payment's signature as measured there, ns; 0 without one.
    pub request_cpu_measured_ns: u64,
    /// The SHA-256 rounds that this came to.
    pub signature_rounds: u32,
    /// The best each contender did in closed loop there, where it was probed: a level in percent is a share of these.
    pub ceilings: Vec<Ceiling>,
}

/// A comparison that the run was made for, on each machine alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AcrossMachines {
    /// The statement that it belongs to; `null` of one that only the headline makes.
    pub statement: Option<String>,
    /// `p99`, `cpu_per_request`, ..
    pub metric: String,
    /// The request kind; `null` when the metric has none.
    pub request: Option<String>,
    /// The level.
    pub at: String,
    /// Whose metric.
    pub of: String,
    /// Against whose.
    pub versus: String,
    /// In the order of `machines`.
    pub each: Vec<OnMachine>,
    /// Whether all of them are on the same side of 1.
    pub agree: bool,
}

/// What one machine's rounds show, without an interval: they are judged together with those of the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OnMachine {
    /// of / versus (Hodges-Lehmann); `null` without rounds, and where lost ones decide it.
    pub ratio: Option<f64>,
    /// On which side of 1 that is; `inconclusive` where it reads as 1.00, or is not known.
    pub side: Direction,
    /// Paired rounds, lost ones among them.
    pub n: u32,
    /// Those that `of` has lost; left out where it lost none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_of: u32,
    /// Those that `versus` has lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_versus: u32,
}
