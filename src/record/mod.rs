//! `result.json`, `bakeoff.result/2`: what a run came to. Every other output is made from this and nothing else.
//!
//! Fields end in their unit. `null` is a figure that was withheld or could not be had, and never zero.

mod begun;
mod decision;
mod dependency;
mod footprint;
mod found;
pub mod gate;
pub(crate) mod hiccups;
pub mod histogram;
pub(crate) mod json;
pub(crate) mod late;
mod ledger;
pub(crate) mod metric;
mod pictures;
pub(crate) mod published;
pub(crate) mod slim;
mod warm;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use begun::{BEGUN_SCHEMA, Begun, Calibrated, ContenderFiles, begun_from, begun_json};
pub use decision::{Asked, DECISION_SCHEMA, Decided, Decision, Limit, Meeting, decision_json};
pub use dependency::{Ceiling, Recovery, Standin};
pub use footprint::{Footprint, Image, OverStarts, Part};
pub use found::{Capacity, Comparison, Exploratory, Judgement, StatementVerdict};
pub use ledger::{LEDGER_SCHEMA, Ledger, LedgerClaim, LedgerRow, NotRun, ledger_from, ledger_json};
pub use pictures::{
    ContenderInfo, Fault, GatePoint, Map, MapCell, MapPlace, SloInfo, Spent, TimeWindow, Timeline,
    Winner,
};
pub use warm::{LedIn, Pilot, PilotSpan};

/// The version that is written, and the only one that is read.
pub const SCHEMA: &str = "bakeoff.result/2";

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// CPU time dialled for one payment's signature, ns.
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
    /// How much of them chance would find; left out where none is exploratory, and in older files.
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
    #[serde(default)]
    pub contenders: Vec<ContenderInfo>,
    /// By scenario with an open load: the generator lag p99 over which a round was void, ns. One limit for all contenders.
    #[serde(default)]
    pub lag_limits_ns: BTreeMap<String, u64>,
    /// What each scenario's service promises, where it promises something.
    #[serde(default)]
    pub slos: Vec<SloInfo>,
    /// Who wins at which wait and CPU, where an experiment asked.
    #[serde(default)]
    pub map: Option<Map>,
    /// Earlier gates of the same scenario on the same fingerprint, the oldest first.
    #[serde(default)]
    pub gate_history: Vec<GatePoint>,
    /// What was asked, as words after `bakeoff run`, without the order seed and the report's folder; empty in older files and
    /// where nobody typed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What contenders are beside their load, where an experiment asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub footprints: Vec<Footprint>,
    /// When contenders that are not built in were warm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pilots: Vec<Pilot>,
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
    /// The Cargo profile of the build, by the name of its folder: `release`, `dist`, `debug`; empty in older files.
    #[serde(default)]
    pub profile: String,
}

impl Fingerprint {
    /// What stands behind the version where the build is not the one that README's command makes: ` (debug build)`.
    pub fn unusual_build(&self) -> String {
        match self.profile.as_str() {
            "release" => String::new(),
            "" if self.debug_build => " (debug build)".into(),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// One contender at one level in one fresh process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// `payment` or `loyalty`; `http` for anyone's service.
    pub workload: String,
    /// The scenario's name, which tells those of one run apart; empty where only one server was driven, and in older
    /// files.
    #[serde(default)]
    pub scenario: String,
    /// Its name in the scenario.
    pub contender: String,
    /// Counted from 1.
    pub round: u32,
    /// Its place in the round, counted from 0.
    pub order: u32,
    /// The level as the scenario writes it: `50%`, `4,000/s`, `closed`.
    pub level: String,
    /// Who ran where.
    pub placement: Placement,
    /// Of the intended instants and what each sent, 16 hexadecimal digits; contenders of a round share it.
    pub schedule_hash: String,
    /// How the load was made.
    pub load: Load,
    /// Requests due per second.
    pub offered_rps: f64,
    /// Right answers per second. Answers with another status or content are no work.
    pub achieved_rps: f64,
    /// Requests of the measured window, sent or not.
    pub requests: u64,
    /// Failures by kind. They rank above every time in the percentiles of `response_ns`, `response_less_lag_ns` and
    /// `service_ns`.
    pub errors: BTreeMap<String, u64>,
    /// The `bad_status` ones by status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<String, u64>,
    /// What the first failure of a kind was, in words: `404: no such page`; of kinds that tell nothing more there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub first_errors: BTreeMap<String, String>,
    /// Of the only request kind, else `null`.
    pub response_ns: Option<Distribution>,
    /// Response time less the generator's own lag.
    pub response_less_lag_ns: Option<Distribution>,
    /// From the write to the answer.
    pub service_ns: Option<Distribution>,
    /// Waiting for a free connection.
    pub backlog_ns: Option<Distribution>,
    /// The generator's own lateness.
    pub generator_lag_ns: Option<Distribution>,
    /// Waiting for each connection that was taken from the pool to the dependency; a request may take several.
    pub pool_wait_ns: Option<Distribution>,
    /// Opening the generator's connections, over the whole trial.
    pub connect_ns: Option<Distribution>,
    /// The same by request kind, always.
    pub by_request: BTreeMap<String, ByRequest>,
    /// What the contender used.
    pub server: Server,
    /// What the generator used.
    pub generator: Generator,
    /// `generator`, `connections`, `dependency`, `pool`, `contender` or `nothing`.
    pub bound_by: String,
    /// Outstanding work grew without end: there are no percentiles.
    pub saturated: bool,
    /// Whether the trial's numbers hold.
    pub validity: Validity,
    /// Whether the books balance.
    pub audit: Audit,
    /// Belongs to a round that was run again, or was itself in a search for a capacity.
    pub voided: bool,
    /// The stand-in that it waited for; `null` where it waited for something else, or for nothing.
    #[serde(default)]
    pub standin: Option<Standin>,
    /// What it waited for: `a stand-in (lookup 50ms, write 1ms)`; `null` where state was in memory.
    #[serde(default)]
    pub dependency: Option<String>,
    /// Connections of its pool; `null` without one.
    #[serde(default)]
    pub pool: Option<u32>,
    /// The response times by when their requests were due, where they were kept.
    #[serde(default)]
    pub timeline: Option<Timeline>,
    /// Accounts credited per second of the window; `null` where no distributions were sent.
    #[serde(default)]
    pub accounts_per_s: Option<f64>,
    /// Right answers per second within the objective's time, of all that were due in the window; left out without an
    /// objective, and in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput_rps: Option<f64>,
    /// How it came back from a fault or a burst; `null` where there was none, no objective, or no 1,000 requests in a second.
    #[serde(default)]
    pub recovery: Option<Recovery>,
    /// What the contender said that runs it: `Node.js 24.22.3`; `null` where it did not say.
    #[serde(default)]
    pub runtime: Option<String>,
    /// What came before its window, where that was drained and led in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_in: Option<LedIn>,
}

/// Who ran where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Placement {
    /// `apart` or `shared` (co-located).
    pub mode: String,
    /// Core numbers.
    pub contender_cores: Vec<u32>,
    /// Core numbers.
    pub generator_cores: Vec<u32>,
    /// `spin` or `sleep`
    pub pace: String,
    /// Core numbers; empty without a dependency.
    #[serde(default)]
    pub dependency_cores: Vec<u32>,
}

/// How a load was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    /// `open` or `closed`
    pub kind: String,
    /// `poisson` or `constant`; `null` when closed.
    pub arrivals: Option<String>,
    /// Requests due per second; `null` when closed.
    pub rate: Option<f64>,
    /// The rate at the window's end, to which a ramp goes; `null` where it stays.
    pub rate_to: Option<f64>,
    /// Connections of the generator.
    pub connections: u32,
    /// Measured seconds.
    pub duration_s: f64,
    /// The rates of a load in steps, from the window's start; left out where it is steady.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LoadStep>,
}

/// A stretch of a window with a rate of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoadStep {
    /// Requests due per second.
    pub rate: f64,
    /// Its seconds.
    pub duration_s: f64,
}

/// A histogram and what is read off it. A percentile with fewer than 10 samples beyond it is withheld. Requests without a
/// right answer rank above every time: where a percentile falls on one of them it is 3,600,000,000,000 ns, an hour, which
/// stands for `at least timeout_ns` on a timeout and for `unbounded` on any other failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Distribution {
    /// Samples, those without a time among them.
    pub n: u64,
    /// ns
    pub p50: Option<u64>,
    /// ns
    pub p90: Option<u64>,
    /// ns
    pub p99: Option<u64>,
    /// ns
    pub p99_9: Option<u64>,
    /// ns; of the samples that have a time.
    pub max: Option<u64>,
    /// ns; of the samples that have a time.
    pub mean: Option<f64>,
    /// Samples without a time: requests that were not answered, or not rightly. 0 where left out, and in older files,
    /// which kept them apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// The part of `failures` that was given up as timeouts; they rank below the others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeouts: u64,
    /// How long each of `timeouts` took at least, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ns: Option<u64>,
    /// The generator's own share of each percentile (`p50`..), 1 - Q(response - lag) / Q(response); in `response_ns` of an
    /// open load alone. Lateness only adds: the truth lies between that percentile less this share and the percentile. Over
    /// 0.1 it is marked, over 0.25 it is an upper bound.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ours: BTreeMap<String, f64>,
    /// The whole histogram: HdrHistogram V2, deflated where that is shorter, base64. Failures stand in it at
    /// 3,600,000,000,000 ns. Left out in `probes`, which `trials.jsonl` has whole, save that of `by_request.*.response_ns`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hdr_v2: String,
}

fn is_zero<N: PartialEq + Default>(count: &N) -> bool {
    *count == N::default()
}

/// One request kind of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ByRequest {
    /// Requests of the measured window.
    pub requests: u64,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
    /// From the intended instant to the answer; `null` in closed loop.
    pub response_ns: Option<Distribution>,
    /// Response time less the generator's own lag.
    pub response_less_lag_ns: Option<Distribution>,
    /// From the write to the answer.
    pub service_ns: Option<Distribution>,
    /// Waiting for a free connection, of requests that failed too.
    pub backlog_ns: Option<Distribution>,
    /// The generator's own lateness, of requests that failed too.
    pub generator_lag_ns: Option<Distribution>,
    /// Where the time of requests near a percentile went, where that was kept.
    #[serde(default)]
    pub spent: Vec<Spent>,
    /// p99 of the response time in thirty equal windows of the trial, ns, an hour where it falls on a failure; empty where
    /// one of them does not support it.
    #[serde(default)]
    pub p99_windows_ns: Vec<u64>,
}

/// What a contender used, all its threads and children together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Server {
    /// All CPU time of the window over its right answers; `null` if it could not be read, or there was none.
    pub cpu_us_per_request: Option<f64>,
    /// The same of the window's first half and of its second one; empty where it could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_us_per_request_halves: Vec<f64>,
    /// Busy share of its cores.
    pub cpu_share: Option<f64>,
    /// The most that was resident of its process over its life; `null` of several processes, whose sum would have shared
    /// pages in each.
    pub rss_peak_bytes: Option<u64>,
    /// What the machine gave to all its processes, kernel memory included; `null` where it could not be read, and in older
    /// files.
    #[serde(default)]
    pub memory_peak_bytes: Option<u64>,
    /// How that was read, of two kinds that are not compared with each other. `cgroup`: the largest reading in the window, ten
    /// a second, of a control group of its own, less file cache. `pss`: once after the window, the proportional set size with
    /// page tables and kernel stacks.
    #[serde(default)]
    pub memory_kind: Option<String>,
    /// It waited and let another run.
    pub context_switches_voluntary: Option<u64>,
    /// It was made to.
    pub context_switches_involuntary: Option<u64>,
    /// It went on on another core.
    #[serde(default)]
    pub migrations: Option<u64>,
    /// Threads at the end of the load.
    pub threads_max: Option<u64>,
    /// Resident memory at the end of each of thirty equal windows of the trial; empty where it could not be read.
    #[serde(default)]
    pub rss_windows_bytes: Vec<u64>,
}

/// What the generator used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Generator {
    /// Busy share of its cores, polling for an instant left out.
    pub cpu_share: f64,
    /// Lateness of its reads against the kernel's receipt, of one in a hundred, all request kinds together.
    pub receive_lag_ns: Option<Distribution>,
    /// Threads that sent.
    pub threads: u32,
}

/// Whether a trial's numbers hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Validity {
    /// The worst of what was found.
    pub verdict: TrialVerdict,
    /// Why, in sentences; empty when valid.
    pub reasons: Vec<String>,
    /// Machine or generator at fault: the round is void.
    pub voids_round: bool,
    /// The generator lag p99 over which the round is void, ns: one limit for all contenders, fixed before the run; `null`
    /// in closed loop, where a server was driven without a promise, and in older files.
    #[serde(default)]
    pub lag_limit_ns: Option<u64>,
    /// The generator's share of each percentile of the response time, by percentile (`p50`..), worst request kind.
    pub our_share: BTreeMap<String, f64>,
    /// Time the hypervisor gave to others, as a share of the trial; `null` if unknown.
    pub steal_share: Option<f64>,
    /// Time that a CPU quota held tasks back, as a share of the machine's in the trial; `null` if unknown.
    #[serde(default)]
    pub throttled_share: Option<f64>,
    /// Percentiles of the response time (`p50`..) that are the machine's, by request kind: its stops before the run
    /// alone come to half of them or more.
    #[serde(default)]
    pub at_floor: BTreeMap<String, Vec<String>>,
    /// `slower`, `faster` or `none`; `not tested` where it is no open load of 20 s with ten answers in most seconds.
    #[serde(default)]
    pub drift: String,
    /// The contender broke down, answered wrongly or failed too many requests: it has lost the round in every metric, and the
    /// round stands. (A saturated one has lost it in the metrics of response time.)
    #[serde(default)]
    pub lost: bool,
    /// By what; left out where it has not lost, and in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_by: Option<LostBy>,
    /// The last of what a contender that broke down wrote to stderr, at most 4 KiB; left out where that was nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wrote: String,
}

/// By what a contender has lost a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LostBy {
    /// It did not start.
    Start,
    /// It ended before it was asked to, or did not end in good order.
    Crash,
    /// It answered wrongly, or its books do not balance.
    Wrong,
    /// It gave no right answer.
    Idle,
    /// More requests failed than the error bound allows.
    Errors,
}

/// In the order of their badness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrialVerdict {
    /// The numbers hold.
    #[default]
    Valid,
    /// They are kept and marked.
    Suspect,
    /// They are not used.
    Invalid,
}

impl TrialVerdict {
    /// As every output for people writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Suspect => "SUSPECT",
            Self::Invalid => "INVALID",
        }
    }
}

/// Whether the books balance at a trial's end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Audit {
    /// `balanced`, `unbalanced` or `unavailable`
    pub verdict: String,
    /// What does not balance, or why there is no audit.
    pub reasons: Vec<String>,
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

/// One line of `trials.jsonl`, written when the trial has finished.
pub fn trial_line(trial: &Trial) -> String {
    json::on_one_line(trial)
}

/// Reads one.
///
/// # Errors
/// Where the line is no trial.
pub fn trial_from(line: &str) -> Result<Trial, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
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

/// What `drive --slo --format json` prints.
pub fn search_json(search: &Search) -> String {
    json::on_one_line(search)
}

/// `result.json`.
pub fn to_json(result: &RunResult) -> String {
    json::pretty(result)
}

/// The same on one line.
pub(crate) fn to_compact_json(result: &RunResult) -> String {
    json::on_one_line(result)
}

/// Reads a `result.json`.
///
/// # Errors
/// Where the text is no JSON or another schema's.
pub fn from_json(text: &str) -> Result<RunResult, String> {
    let other = |schema: &str| format!("this is `{schema}`; this version reads `{SCHEMA}`");
    match serde_json::from_str::<RunResult>(text) {
        Ok(result) if result.schema == SCHEMA => Ok(result),
        Ok(result) => Err(other(&result.schema)),
        // Of another kind of file it is the kind that is wrong, and not its first key.
        Err(error) => match serde_json::from_str::<Kind>(text) {
            Ok(Kind { schema }) if schema != SCHEMA => Err(other(&schema)),
            _ => Err(error.to_string()),
        },
    }
}

/// What every file of bakeoff has. The rest is passed over: it may be of any size.
#[derive(Deserialize)]
struct Kind {
    schema: String,
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
        assert_eq!(print("", true).unusual_build(), " (debug build)", "an older file");
        assert_eq!(print("", false).unusual_build(), "");
        assert_eq!(print("a\u{1b}[2J", false).unusual_build(), " (unknown build)");
    }
}
