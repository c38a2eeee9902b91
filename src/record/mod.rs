//! `result.json`, `bakeoff.result/2`: what a run came to. Every other output is made from this and nothing else.
//!
//! Fields end in their unit. `null` is a figure that was withheld or could not be had, and never zero.

mod begun;
pub mod bisect;
pub(crate) mod carried;
mod decision;
mod footprint;
mod found;
pub mod gate;
pub mod histogram;
pub(crate) mod json;
pub(crate) mod late;
mod ledger;
mod machines;
pub(crate) mod metric;
pub mod outcome;
mod pictures;
pub(crate) mod trial;
mod why;

use crate::stats::percentile::RANKS;
use crate::units::{Nanos, Share};
pub use begun::{
    BEGUN_SCHEMA, Begun, Calibrated, ContenderFiles, LedIn, Pilot, PilotSpan, Shard, begun_from,
    begun_json, pilot_from, pilot_line,
};
pub use decision::{Asked, DECISION_SCHEMA, Decided, Decision, Limit, Meeting};
pub use footprint::{FileSet, Footprint, Image, OverStarts};
pub use found::{Capacity, Comparison, Direction, Exploratory, Judgement, StatementVerdict};
pub use ledger::{LEDGER_SCHEMA, Ledger, LedgerClaim, LedgerRow, NotRun, ledger_from, ledger_json};
pub use machines::{AcrossMachines, Machine, OnMachine};
pub use pictures::{
    ContenderInfo, Fault, GatePoint, GatePointVerdict, Map, MapCell, MapPlace, SloInfo, Spent,
    TimeWindow, Timeline, Winner,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
pub use trial::{
    ArrivalKind, Audit, AuditVerdict, BoundBy, ByRequest, CLOSED_LEVEL, Ceiling, CertificateCheck,
    Distribution, DriftVerdict, Generator, Load, LoadStep, LoopKind, LostBy, MemoryKind, Pace,
    PlacementKind, Recovery, Resource, ServerUsage, Standin, StepFigures, Transfer, Trial,
    TrialHosts, TrialPlacement, TrialVerdict, Validity, trial_from, trial_line,
};

pub(crate) use why::KERNEL_MARK;
pub use why::{
    Flame, FunctionCost, FunctionDifference, LayerDifference, Profile, Stack, Why, WhyLevel,
};

/// The version that is written, and the only one that is read.
pub const SCHEMA: &str = "bakeoff.result/2";

/// A run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunResult {
    /// [`SCHEMA`]
    pub schema: String,
    /// The scenario's name, `tour` for the tour.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// Sets dataset, arrivals and bodies.
    pub seed: u64,
    /// Sets the order of the trials in each round.
    pub order_seed: u64,
    /// When it started, `2026-11-24T04:09:53Z`.
    pub started_utc: String,
    /// The machine and the build.
    pub fingerprint: Fingerprint,
    /// What the run says.
    pub verdict: Verdict,
    /// What the program exits with.
    pub exit_code: u8,
    /// Rounds that the machine or the generator spoilt; each was run again.
    pub voided_rounds: u32,
    /// Rounds asked for.
    pub rounds: u32,
    /// A canary: its expectation is meant to fail.
    pub self_check: bool,
    /// CPU time configured for one payment's signature, ns.
    pub request_cpu_ns: u64,
    /// The same as measured at start, ns.
    pub request_cpu_measured_ns: u64,
    /// The SHA-256 rounds that this came to.
    pub signature_rounds: u32,
    /// The best each contender did in closed loop, where it was probed.
    pub ceilings: Vec<Ceiling>,
    /// The response time that no model can beat, ns: the null contender's, or the dependency's; `null` if unknown.
    pub floor_ns: Option<u64>,
    /// Finished trials of rounds that count, and of voided ones (`voided`), as they were run.
    pub trials: Vec<Trial>,
    /// Trials that only prepared others: ceiling probes, and those of a search for the capacity.
    pub probes: Vec<Trial>,
    /// Each contender against the first one, by level and request kind.
    pub comparisons: Vec<Comparison>,
    /// How much of them chance would find; left out where none is exploratory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploratory: Option<Exploratory>,
    /// Capacity within the SLO, where an experiment looked for it.
    pub capacity: Vec<Capacity>,
    /// Judged statements that decide the exit code.
    pub expectations: Vec<Judgement>,
    /// Judged statements that do not.
    pub claims: Vec<Judgement>,
    /// Rules of the method that this version does not check.
    pub not_checked: Vec<String>,
    /// Sentences about the run that a reader should know.
    pub notes: Vec<String>,
    /// Contenders that do not work, with what they did: then the verdict is `fail` whatever was expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
    /// What each contender was, where it is known.
    pub contenders: Vec<ContenderInfo>,
    /// By scenario with an open load: the generator lag p99 over which a round was void, ns. One limit for all contenders.
    pub lag_limits_ns: BTreeMap<String, u64>,
    /// What each scenario's service promises, where it promises something.
    pub slos: Vec<SloInfo>,
    /// Who wins at which wait and CPU, where an experiment asked.
    pub map: Option<Map>,
    /// Earlier gates of the same scenario on the same fingerprint, the oldest first.
    pub gate_history: Vec<GatePoint>,
    /// What was asked, as words after `bakeoff run`, without the order seed and the report's folder; empty where
    /// nobody typed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What contenders are beside their load, where an experiment asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub footprints: Vec<Footprint>,
    /// When contenders that are not built in were warm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pilots: Vec<Pilot>,
    /// Where the CPU of a request goes, where `--why` asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The machines of the shards that it was joined from: `fingerprint` and `signature_rounds` are the first one's, a closed
    /// ceiling is the lowest. Left out of a run that was not divided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<Machine>,
    /// The comparisons of the headline and of statements on each of several `machines`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub across_machines: Vec<AcrossMachines>,
}

/// The machine and the build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fingerprint {
    /// As /proc/cpuinfo has it.
    pub cpu_model: String,
    /// Cores that this process may use.
    pub cores: u32,
    /// `uname -r`
    pub kernel: String,
    /// The first core's frequency governor, if it has one.
    pub governor: Option<String>,
    /// The CPU quota in cores, if a cgroup sets one.
    pub cpu_quota: Option<f64>,
    /// Bytes.
    pub memory_bytes: u64,
    /// `0.1.0`
    pub bakeoff: String,
    /// SHA-256 of the binary, first 16 digits.
    pub binary: String,
    /// SHA-256 of the scenario after flags were applied, first 16 digits.
    pub scenario: String,
    /// Built without optimisation.
    pub debug_build: bool,
    /// The Cargo profile of the build, by the name of its folder: `release`, `dist`, `debug`.
    pub profile: String,
}

impl Fingerprint {
    /// What stands behind the version where the build is not the one that README's command makes: ` (debug build)`.
    pub fn unusual_build(&self) -> String {
        match self.profile.as_str() {
            "release" => String::new(),
            "" => String::new(),
            // Cargo's names of profiles; a file may say anything.
            name if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) => {
                format!(" ({name} build)")
            }
            _ => " (unknown build)".into(),
        }
    }
}

/// What a run says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every expectation holds, or there is none.
    Pass,
    /// An expectation fails.
    Fail,
    /// An expectation could not be decided and none fails.
    Inconclusive,
    /// A contender lacks valid rounds.
    #[default]
    Invalid,
    /// Stopped by a signal; what was finished is here.
    Interrupted,
}

impl Verdict {
    /// As every output for people writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

fn is_zero<N: PartialEq + Default>(count: &N) -> bool {
    *count == N::default()
}

/// What `drive --slo` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Search {
    /// `p99=100ms`
    pub slo: String,
    /// Between these rates.
    pub capacity: Capacity,
    /// Every trial of the search, in its order.
    pub trials: Vec<Trial>,
}

/// `result.json`.
pub fn to_json(result: &RunResult) -> String {
    json::pretty(result)
}

/// Reads a `result.json`.
///
/// # Errors
/// Where the text is no JSON or another schema's.
pub fn from_json(text: &str) -> Result<RunResult, String> {
    let other = |schema: &str| format!("this is `{schema}`; this version reads `{SCHEMA}`");
    match json::read::<RunResult>(text) {
        Ok(result) if result.schema == SCHEMA => Ok(result),
        Ok(result) => Err(other(&result.schema)),
        // Of another kind of file it is the kind that is wrong, and not its first key.
        Err(why) => match json::read::<Kind>(text) {
            Ok(Kind { schema }) if schema != SCHEMA => Err(other(&schema)),
            _ => Err(why),
        },
    }
}

/// What every file of bakeoff has. The rest is passed over: it may be of any size.
#[derive(Deserialize)]
struct Kind {
    schema: String,
}

/// What one core lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hiccups {
    /// The longest pause.
    pub(crate) worst: Nanos,
    /// All pauses over the time watched.
    pub(crate) lost: Share,
    /// What the pauses alone make of each percentile of [`RANKS`]: by so much they put off a request that comes at any
    /// time and needs the core at once.
    pub(crate) floor: [Nanos; RANKS.len()],
}

/// An optional word as a string, which is empty where there is none.
mod or_empty {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<T: Display, S: Serializer>(
        word: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match word {
            Some(word) => serializer.collect_str(word),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "" => Ok(None),
            word => word.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_named_where_it_is_not_the_usual_one() {
        let print = |profile: &str, debug_build| Fingerprint {
            profile: profile.into(),
            debug_build,
            ..Fingerprint::default()
        };
        assert_eq!(print("release", false).unusual_build(), "");
        assert_eq!(print("dist", false).unusual_build(), " (dist build)");
        assert_eq!(print("debug", true).unusual_build(), " (debug build)");
        assert_eq!(print("", false).unusual_build(), "");
        assert_eq!(print("a\u{1b}[2J", false).unusual_build(), " (unknown build)");
    }
}
