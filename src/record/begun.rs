//! What came before the windows: `begun.json`, from which a run is resumed, pilots, and each trial's own warm-up.

use super::{Fingerprint, json};
use serde::{Deserialize, Serialize};

/// The version that is written, and the only one that is read.
pub const BEGUN_SCHEMA: &str = "bakeoff.begun/1";

/// A run that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Begun {
    /// [`BEGUN_SCHEMA`]
    pub schema: String,
    /// Sets the order of the trials.
    pub order_seed: u64,
    /// When it started, `2026-11-24T04:09:53Z`.
    pub started_utc: String,
    /// The machine, the build and the scenarios.
    pub fingerprint: Fingerprint,
    /// What the contenders ran.
    pub contenders: Vec<ContenderFiles>,
    /// CPU times that were asked for before the first trial, with the rounds and the ns that they came to.
    pub calibrations: Vec<Calibrated>,
}

/// What a contender ran, as a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContenderFiles {
    /// The scenario's name.
    pub scenario: String,
    /// Its name in the scenario.
    pub contender: String,
    /// SHA-256 of the files that it runs, first 16 digits; `null` for one that is given by URL.
    pub digest: Option<String>,
}

/// A CPU time as it was calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Calibrated {
    /// Asked for, ns.
    pub asked_ns: u64,
    /// SHA-256 rounds.
    pub rounds: u32,
    /// What they took, ns.
    pub measured_ns: u64,
}

/// `begun.json`.
pub fn begun_json(begun: &Begun) -> String {
    json::pretty(begun)
}

/// Reads a `begun.json`.
///
/// # Errors
/// Where the text is no JSON or another schema's.
pub fn begun_from(text: &str) -> Result<Begun, String> {
    let begun: Begun = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match begun.schema.as_str() {
        BEGUN_SCHEMA => Ok(begun),
        other => Err(format!("this is `{other}`; this version reads `{BEGUN_SCHEMA}`")),
    }
}

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

/// One line of `pilots.jsonl`.
pub fn pilot_line(pilot: &Pilot) -> String {
    json::on_one_line(pilot)
}

/// Reads one.
///
/// # Errors
/// Where the line is no pilot.
pub fn pilot_from(line: &str) -> Result<Pilot, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}
