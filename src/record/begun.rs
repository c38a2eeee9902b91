//! What came before the windows: `begun.json`, from which a run is resumed, pilots, and each trial's own warm-up.

use std::fmt;
use std::str::FromStr;

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
    /// The words after `bakeoff run`, without the order seed and the report's folder; empty where nobody typed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// `2/3`; empty of a whole run.
    #[serde(default, with = "super::or_empty")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub shard: Option<Shard>,
    /// Differs between two machines, and between two boots of one; empty where it is not known.
    #[serde(default)]
    pub boot_id: String,
}

/// The part of a run that one machine does: every `of`-th round, as the whole run would do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    number: u32,
    of: u32,
}

impl Shard {
    /// Of a run that is not divided.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    pub fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether a round is its own; each round is one shard's.
    pub fn has(self, round: u32) -> bool {
        round % self.of == self.number % self.of
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            Some(Self { number, of })
        });
        let possible = parsed.filter(|one| (1..=one.of).contains(&one.number));
        possible
            .ok_or_else(|| "a shard is its number and how many there are: 1/3, 2/3 or 3/3".into())
    }
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
    let begun: Begun = json::read(text)?;
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
    json::read(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_is_one_shards() {
        let shards = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Shard>().unwrap());
        for round in 1..=20 {
            let own: Vec<u32> =
                shards.iter().filter(|one| one.has(round)).map(|one| one.number()).collect();
            assert_eq!(own, [(round - 1) % 3 + 1], "{round}");
            assert!(Shard::WHOLE.has(round));
        }
        assert_eq!(shards.map(|one| one.to_string()), ["1/3", "2/3", "3/3"]);
        for wrong in ["", "2", "0/3", "4/3", "0/0", "1/0", "-1/3", "a/b", "1/3/4", "1 / 3"] {
            let said = wrong.parse::<Shard>().unwrap_err();
            assert!(said.contains("1/3, 2/3 or 3/3"), "{wrong}: {said}");
        }
    }
}
