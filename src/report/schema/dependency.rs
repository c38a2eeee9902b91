//! What a contender waited for, and what that let through.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;

/// The best a contender did in closed loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// `payment` or `loyalty`
    pub workload: String,
    /// Whose it is.
    pub contender: String,
    /// Requests answered per second.
    pub closed_rps: f64,
    /// Contender's cores over its CPU time per request; `null` if CPU could not be read.
    pub cpu_rps: Option<f64>,
    /// Which resource binds: `cpu`, `threads`, `unknown`.
    pub binds: String,
}

/// What a stand-in says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standin {
    /// How much later than dialled its answers were.
    pub latency_error_ns: Distribution,
    /// Busy share of its core.
    pub cpu_share: Option<f64>,
}

/// How a contender came back from the last fault of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// When the fault ended, from the start of the measured window, ns.
    pub fault_end_ns: u64,
    /// From there to the first instant after which at most 1 % of a second's requests failed or exceeded the SLO, ns;
    /// `null` if the window ended before.
    pub after_ns: Option<u64>,
}
