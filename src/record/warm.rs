//! What came before the windows: pilots, and each trial's own warm-up.

use serde::{Deserialize, Serialize};

/// The load that showed when a contender is warm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pilot {
    /// The scenario's name.
    pub scenario: String,
    /// Its name in the scenario.
    pub contender: String,
    /// Requests due per second; `null` in closed loop.
    pub rate_rps: Option<f64>,
    /// Right answers.
    pub answered: u64,
    /// Failures of any kind.
    pub failed: u64,
    /// Seconds of load.
    pub duration_s: f64,
    /// What a span's cost is: `cpu`, or `response` (the median response time) where its CPU time could not be read.
    pub cost: String,
    /// In their order.
    pub spans: Vec<PilotSpan>,
    /// Right answers after which no four spans cost over 10 % more than the last third; `null` where there is no such
    /// number.
    pub warm_after: Option<u64>,
    /// Requests of each trial's warm-up.
    pub warm_up_requests: u64,
    /// Why it came to nothing; `null` where it did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A piece of a pilot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PilotSpan {
    /// Right answers.
    pub answered: u64,
    /// Of each, us.
    pub cost_us: f64,
}

/// What was sent before a trial's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedIn {
    /// Right answers of the warm-up.
    pub answered: u64,
    /// Failures in it.
    pub failed: u64,
    /// Its length.
    pub warm_up_s: f64,
    /// From its last request to the last answer.
    pub drain_s: f64,
    /// The slowest right answer of its end.
    pub slowest_ns: u64,
    /// The window's load before the window.
    pub lead_in_s: f64,
}
