//! What a contender waited for, and what that let through.

use serde::{Deserialize, Serialize};

use super::Distribution;

/// What a contender can do at most, and what it did in closed loop where that was probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ceiling {
    /// `payment` or `loyalty`
    pub workload: String,
    /// The scenario's name; empty in older files.
    #[serde(default)]
    pub scenario: String,
    /// Whose it is.
    pub contender: String,
    /// Requests answered per second in closed loop; `null` where that was not probed.
    pub closed_rps: Option<f64>,
    /// Contender's cores over its CPU time per request; `null` if CPU could not be read.
    pub cpu_rps: Option<f64>,
    /// Connections of its pool over the connection-seconds of a request; `null` where nothing is waited for.
    #[serde(default)]
    pub pool_rps: Option<f64>,
    /// Threads over the time that a request holds one; `null` where waiting holds none.
    #[serde(default)]
    pub threads_rps: Option<f64>,
    /// The resource with the lowest ceiling: `cpu`, `pool`, `threads`; `unknown` where the CPU's is.
    pub binds: String,
    /// What it waited for, as its trials say it.
    #[serde(default)]
    pub dependency: Option<String>,
}

impl Ceiling {
    /// Whether it is of this contender of this scenario. Scenarios of one run can have contenders of one name and
    /// workload that wait, compute or are pooled differently, so nothing but the scenario's name tells them apart.
    pub fn is_of(&self, scenario: &str, contender: &str) -> bool {
        self.scenario == scenario && self.contender == contender
    }
}

/// What a stand-in says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standin {
    /// How much later than dialled its answers were.
    pub latency_error_ns: Distribution,
    /// Busy share of its core.
    pub cpu_share: Option<f64>,
}

/// How a contender came back from the last fault of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recovery {
    /// When the fault ended, from the start of the measured window, ns.
    pub fault_end_ns: u64,
    /// From there to the first instant after which at most 1 % of a second's requests failed or exceeded the SLO, ns;
    /// `null` if the window ended before.
    pub after_ns: Option<u64>,
}
