//! `begun.json`: what a run had drawn and measured before its first trial, so that it can be gone on with.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, json};

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
