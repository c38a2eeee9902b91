//! `gate.json`, `bakeoff.gate/1`: what a gate was asked, what its rounds measured, and what follows.
//!
//! The judgement is a function of the plan and the rounds, [`crate::record::gate::Plan`] and [`Round`], so that any reader
//! can make it anew from the file. Fields end in their unit. `null` is a figure that could not be had, or one beyond
//! all bounds, and never zero.

use serde::{Deserialize, Serialize};

use super::{Fingerprint, MemoryKind, Why, json};
use crate::words::words;

/// The version that is written, and the only one that is read.
pub const SCHEMA: &str = "bakeoff.gate/1";

/// A gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GateResult {
    /// [`SCHEMA`]
    pub schema: String,
    /// Whose gate, and on what.
    pub about: About,
    /// What was asked.
    pub plan: Plan,
    /// What was measured, void rounds included, in the order of the measuring.
    pub rounds: Vec<Round>,
    /// What follows from both.
    pub judgement: Judgement,
    /// Profiled rounds of both, the baseline as the first contender; no judgement uses them. Left out where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// Whose gate, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct About {
    /// The scenario's name.
    pub scenario: String,
    /// What the rounds are for.
    pub purpose: Purpose,
    /// The baseline's name.
    pub baseline: String,
    /// The candidate's name.
    pub candidate: String,
    /// The candidate's commit, where it was given.
    pub commit: Option<String>,
    /// SHA-256 of each one's binary, or of the files that its command names, first 16 digits, baseline first; `null`
    /// where there is none to read.
    pub binaries: [Option<String>; 2],
    /// When it started, `2026-11-24T04:09:53Z`.
    pub started_utc: String,
    /// Sets who goes first in each round.
    pub order_seed: u64,
    /// The load as it was asked for: `4,000/s`, `60% of the baseline's ceiling`.
    pub level: String,
    /// Requests offered per second.
    pub rate_rps: f64,
    /// Load before each measured window, not recorded.
    pub warm_up_ns: u64,
    /// The measured window of each block.
    pub duration_ns: u64,
    /// The generator lag p99 over which a round is void, ns.
    pub lag_limit_ns: Option<u64>,
    /// What a reader should know before the verdict, as sentences.
    pub notes: Vec<String>,
    /// The machine and the build.
    pub fingerprint: Fingerprint,
}

/// What rounds are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A verdict on the candidate.
    #[default]
    Gate,
    /// The scatter of a contender against itself.
    Calibration,
}

/// What is asked of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Rounds after which it ends undecided, 12 to 40.
    pub rounds_max: u32,
    /// What is gated, in the order of the values of a [`Block`].
    pub metrics: Vec<MetricPlan>,
    /// A regression must be shown to exceed the margin, and not only zero.
    pub prove_margin: bool,
    /// An intermittent regression fails the gate.
    pub fail_intermittent: bool,
    /// What an undecided metric means for the exit code.
    pub on_inconclusive: OnInconclusive,
    /// Why the verdict is information only, if it is: the contenders cannot be started anew for each round.
    pub report_only: Option<String>,
}

/// One gated metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MetricPlan {
    /// What is measured.
    pub metric: Metric,
    /// Of which request kind, where there are several.
    pub request: Option<String>,
    /// A change for the worse that is tolerated, 0.1 for 10 %.
    pub margin: f64,
    /// When it cannot be gated, the gate is not passed.
    pub required: bool,
    /// The scatter of A/A rounds or of past gates on this machine, if there were any.
    pub calibration: Option<Scatter>,
    /// Why it is measured and not gated, where the budget has no room for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

words! {
    "gate metric"
    /// What a gate can decide upon.
    #[derive(Serialize)]
    pub enum Metric {
        /// 99th percentile of the response time, ns.
        P99 = "p99",
        /// CPU time per request, us.
        CpuPerRequest = "cpu_per_request",
        /// Median response time, ns.
        P50 = "p50",
        /// Answers per second of a closed block.
        Throughput = "throughput",
        /// What the machine gave to all processes, kernel memory included, bytes.
        Memory = "memory",
        /// Peak resident memory, bytes.
        Rss = "rss",
    }
}

/// What an undecided metric means for the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnInconclusive {
    /// Nothing.
    #[default]
    Warn,
    /// Exit code 4.
    Fail,
}

/// How far d = ln(candidate / baseline) scatters from round to round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scatter {
    /// 1.4826 median |d - centre|.
    pub s: f64,
    /// Rounds that it comes from.
    pub rounds: u32,
}

/// One block of each contender, one right after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Round {
    /// Counted from 1; a round that is run again gets a number of its own.
    pub round: u32,
    /// The coin: whether the baseline went first.
    pub baseline_first: bool,
    /// Why the machine or the generator spoilt it, if they did: it decides nothing.
    pub void: Option<String>,
    /// The baseline's block.
    pub baseline: Block,
    /// The candidate's block.
    pub candidate: Block,
}

/// A contender's part of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Block {
    /// A figure for each metric of the plan, in the metric's unit; `null` when it was withheld. A percentile of the response
    /// time that fell on a failure is 3,600,000,000,000 ns and worse than any time.
    pub values: Vec<Option<f64>>,
    /// Beside a `null` of `values`: the percentile of the response time as an upper bound, over a quarter of which is the
    /// generator's own lateness. `null` for any other; empty where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_most: Vec<Option<f64>>,
    /// How its memory was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_kind: Option<MemoryKind>,
    /// What the contender did wrong.
    pub faults: Vec<Fault>,
    /// Requests of the open block.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// Something that a contender is to blame for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// What it did.
    pub kind: FaultKind,
    /// In words: `exit status 139`, `3,180 of 4,000/s`.
    pub what: String,
}

/// What a contender can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// It ended, or did not start.
    Crashed,
    /// It answered wrongly, or its books do not balance.
    Wrong,
    /// Outstanding work grew without end.
    Saturated,
    /// More requests failed than the bound allows.
    Errors,
}

/// What follows from plan and rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judgement {
    /// Of the whole gate.
    pub verdict: Verdict,
    /// Whether more rounds could still change it.
    pub finished: bool,
    /// What the program exits with.
    pub exit_code: u8,
    /// The verdict in one line, with everything that was not gated.
    pub line: String,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// Rounds that count.
    pub rounds: u32,
    /// Rounds that the machine or the generator spoilt.
    pub void_rounds: u32,
    /// Each metric, in the order of the plan.
    pub metrics: Vec<MetricJudgement>,
    /// Failed requests, which every gate decides upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<FailureJudgement>,
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The candidate is worse.
    Regressed,
    /// No gated metric is worse by its margin.
    Pass,
    /// The rounds do not say.
    Inconclusive,
    /// There is nothing to conclude from.
    Invalid,
    /// A signal came before the rounds said anything.
    Interrupted,
}

/// One metric of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MetricJudgement {
    /// What was measured.
    pub metric: Metric,
    /// Of which request kind, where there are several.
    pub request: Option<String>,
    /// A change for the worse that is tolerated.
    pub margin: f64,
    /// Its share of the gate's chance to fail an equal candidate.
    pub alpha: f64,
    /// What its rounds say.
    pub outcome: Outcome,
    /// The rounds of the look that decided it.
    pub decided_at: Option<u32>,
    /// Why it has no say in the verdict, if it has none.
    pub not_gated: Option<String>,
    /// The candidate is better, as far as its last look can tell.
    pub improved: bool,
    /// The looks that were taken.
    pub looks: Vec<Look>,
    /// Candidate less baseline in the metric's unit over all rounds that count.
    pub difference: Option<f64>,
    /// Medians of the rounds that count, baseline first, in the metric's unit.
    pub medians: [Option<f64>; 2],
    /// Bad rounds that the centre does not show.
    pub intermittent: Option<Intermittent>,
    /// What could be seen, by the scatter known before the first round.
    pub sight_before: Option<Sight>,
    /// What could be seen, by the scatter of these rounds.
    pub sight_after: Option<Sight>,
}

/// Failed requests of a gate: the share of the candidate's requests that failed, less the baseline's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailureJudgement {
    /// Their part of the gate's chance to fail an equal candidate, whatever metrics were chosen.
    pub alpha: f64,
    /// `regressed`: the rounds show an excess, and over all of them it is 0.1 percentage points or more. `pass`: it is less.
    /// `open`: it is not, and the gate stopped before the rounds could show it. `inconclusive`: the rounds do not show it.
    /// Only `regressed` changes the verdict.
    pub outcome: Outcome,
    /// The rounds of the look that showed it.
    pub decided_at: Option<u32>,
    /// Requests that failed in the rounds that count, baseline first.
    pub failures: [u64; 2],
    /// All requests of these rounds, baseline first.
    pub requests: [u64; 2],
    /// Rounds in which any failed, baseline first.
    pub failing_rounds: [u32; 2],
    /// The looks that were taken.
    pub looks: Vec<FailureLook>,
    /// Rounds far from zero, at the last look; `null` without any.
    pub intermittent: Option<Intermittent>,
}

/// A look at the failures of the rounds so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailureLook {
    /// Rounds that were looked at.
    pub rounds: u32,
    /// Of these, rounds in which both were sent requests.
    pub pairs: u32,
    /// One-sided level of the lower limit; `null` when too little was left to spend, and carried on.
    pub level: Option<f64>,
    /// The candidate's share less the baseline's over all of these rounds, 0.001 for 0.1 percentage points.
    pub excess: Option<f64>,
    /// Lower limit of a round's difference.
    pub low: Option<f64>,
}

/// What the rounds of a metric say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Worse, by an estimate of at least the margin.
    Regressed,
    /// Not worse by the margin.
    Pass,
    /// Undecided after the last look.
    Inconclusive,
    /// Undecided when the gate stopped, or so far.
    Open,
}

/// A look at the rounds so far. Ratios say how many times as bad the candidate is: 1.1 is 10 % worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Look {
    /// Rounds that were looked at.
    pub rounds: u32,
    /// Of these, rounds in which both have the figure, or one alone lost.
    pub pairs: u32,
    /// One-sided level of the lower limit; `null` when too little was left to spend, and carried on.
    pub fail_level: Option<f64>,
    /// One-sided level of the upper limit.
    pub pass_level: Option<f64>,
    /// The estimate (Hodges-Lehmann).
    pub ratio: Option<f64>,
    /// Lower limit.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
}

/// The exact one-sided sign test on rounds far from zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Intermittent {
    /// Rounds in which the candidate was far worse.
    pub worse: u32,
    /// Rounds in which it was far better.
    pub better: u32,
    /// How likely that is by a fair coin.
    pub p: f64,
    /// Whether it is one.
    pub found: bool,
}

/// What a metric's gate can see.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sight {
    /// The scatter, and the rounds it comes from.
    pub scatter: Scatter,
    /// Nine times of ten the true scatter is at least this many times `scatter.s`..
    pub band_low: f64,
    /// ..and at most this many times.
    pub band_high: f64,
    /// A true change for the worse that is caught 8 times of 10, 0.12 for 12 %.
    pub usually: f64,
    /// One that is caught 99 times of 100.
    pub surely: f64,
    /// What scatter alone hides, whatever the margin.
    pub hidden: f64,
}

/// `gate.json`.
pub fn to_json(result: &GateResult) -> String {
    json::pretty(result)
}

/// Reads a `gate.json`.
///
/// # Errors
/// Where the text is no JSON or another schema's.
// The program itself reads none: inlined, it is built by its callers alone.
#[inline]
pub fn from_json(text: &str) -> Result<GateResult, String> {
    let result: GateResult = json::read(text)?;
    if result.schema == SCHEMA {
        Ok(result)
    } else {
        Err(format!("this is `{}`; this version reads `{SCHEMA}`", result.schema))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::judge;
    use crate::record::json;
    use crate::report::gate::tests::{passed, sample};

    #[test]
    fn any_verdict_can_be_made_anew_from_the_rounds_in_the_file() {
        for result in [sample(), passed()] {
            let read = from_json(&to_json(&result)).unwrap();
            assert_eq!(read, result, "what was written is what is read, to the last digit");
            assert_eq!(judge(&read.plan, &read.rounds), read.judgement);
        }
        // Other rounds, another verdict: it does rest on them.
        let mut read = from_json(&to_json(&sample())).unwrap();
        read.rounds.iter_mut().for_each(|round| round.candidate = round.baseline.clone());
        assert_ne!(judge(&read.plan, &read.rounds).verdict, sample().judgement.verdict);
    }

    #[test]
    fn another_schema_is_refused() {
        let text = to_json(&sample()).replace(SCHEMA, "bakeoff.gate/2");
        assert!(from_json(&text).unwrap_err().contains("this version reads `bakeoff.gate/1`"));
        assert!(from_json("{}").is_err() && from_json("{\"schema\":").is_err());
    }

    #[test]
    fn the_published_schema_is_current() {
        json::expect_current::<GateResult>("contracts/gate.schema.json");
    }
}
