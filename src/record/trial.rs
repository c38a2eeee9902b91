//! One trial: its load, its figures, and whether they hold.

use super::{LedIn, Spent, Timeline, is_zero, json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::words::words;

/// One contender at one level in one fresh process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// `payment` or `loyalty`; `http` for anyone's service.
    pub workload: String,
    /// The scenario's name, which tells those of one run apart; empty where only one server was driven.
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
    pub placement: TrialPlacement,
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
    /// From there to the end of the TLS handshake; left out without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake_ns: Option<Distribution>,
    /// What went over the connections; left out where nothing was sent, and in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The same by request kind, always.
    pub by_request: BTreeMap<String, ByRequest>,
    /// What the contender used.
    pub server: ServerUsage,
    /// What the generator used.
    pub generator: Generator,
    pub bound_by: BoundBy,
    /// Outstanding work grew without end: there are no percentiles.
    pub saturated: bool,
    /// Whether the trial's numbers hold.
    pub validity: Validity,
    /// Whether the books balance.
    pub audit: Audit,
    /// Belongs to a round that was run again, or was itself in a search for a capacity.
    pub voided: bool,
    /// The stand-in that it waited for; `null` where it waited for something else, or for nothing.
    pub standin: Option<Standin>,
    /// What it waited for: `a stand-in (lookup 50ms, write 1ms)`; `null` where state was in memory.
    pub dependency: Option<String>,
    /// Connections of its pool; `null` without one.
    pub pool: Option<u32>,
    /// The response times by when their requests were due, where they were kept.
    pub timeline: Option<Timeline>,
    /// Accounts credited per second of the window; `null` where no distributions were sent.
    pub accounts_per_s: Option<f64>,
    /// Right answers per second within the objective's time, of all that were due in the window; left out without an
    /// objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput_rps: Option<f64>,
    /// How it came back from a fault or a burst; `null` where there was none, no objective, or no 1,000 requests in a second.
    pub recovery: Option<Recovery>,
    /// What the contender said that runs it: `Node.js 24.22.3`; `null` where it did not say.
    pub runtime: Option<String>,
    /// What came before its window, where that was drained and led in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_in: Option<LedIn>,
    /// Left out where all was on one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<TrialHosts>,
    /// When it began and when it had ended, by its machine's clock: `2026-11-24T04:09:53Z`. Left out of one that was not run
    /// because of its contender, and in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_utc: Option<[String; 2]>,
}

/// The level of trials in closed loop; others are named by their rate or share: `1,500/s`, `60%`.
pub const CLOSED_LEVEL: &str = "closed";

words! {
    "bound"
    /// What bound a trial.
    #[derive(Default, Serialize)]
    pub enum BoundBy {
        /// The generator's core, descriptors or ports.
        Generator = "generator",
        /// Every connection was busy while the contender was not.
        Connections = "connections",
        /// What the contender waits for was full.
        Dependency = "dependency",
        /// The contender's connections to it were.
        Pool = "pool",
        /// The contender's cores, or it fell behind.
        Contender = "contender",
        /// There was room everywhere.
        #[default]
        Nothing = "nothing",
    }
}

words! {
    "placement"
    /// Whether contender and generator have cores of their own.
    #[derive(Default, Serialize)]
    pub enum PlacementKind {
        Apart = "apart",
        /// Co-located.
        Shared = "shared",
        /// On hosts of their own.
        Hosts = "hosts",
        #[default]
        Unknown = "unknown",
    }
}

words! {
    "loop"
    /// Whether sending depends on responses.
    #[derive(Default, Serialize)]
    pub enum LoopKind {
        #[default]
        Open = "open",
        Closed = "closed",
    }
}

words! {
    "kind of arrivals"
    /// How requests were spread over time.
    #[derive(Serialize)]
    pub enum ArrivalKind {
        Poisson = "poisson",
        /// Equal gaps.
        Constant = "constant",
        /// Bursts at random instants.
        Bursty = "bursty",
        /// The instants of a file.
        Replayed = "replayed",
    }
}

words! {
    "check of a certificate"
    /// Whether the server's certificate was checked.
    #[derive(Serialize)]
    pub enum CertificateCheck {
        Verified = "verified",
        Insecure = "insecure",
    }
}

words! {
    "pace"
    /// How a sending thread waits for the next instant.
    #[derive(Default, Serialize)]
    pub enum Pace {
        /// Polls and never sleeps, under an open load: for a core of its own. A closed load has no instants to be late for.
        #[default]
        Spin = "spin",
        /// Sleeps to the instant: for a shared core.
        Sleep = "sleep",
    }
}

words! {
    "kind of memory"
    /// How memory was read; two kinds are not compared with each other.
    #[derive(PartialOrd, Ord, Serialize)]
    pub enum MemoryKind {
        /// The largest reading in the window, ten a second, of a control group of its own, less file cache.
        Cgroup = "cgroup",
        /// Once after the window, the proportional set size with page tables and kernel stacks.
        Pss = "pss",
    }
}

words! {
    "resource"
    /// What has a ceiling.
    #[derive(Default, Serialize)]
    pub enum Resource {
        Cpu = "cpu",
        Pool = "pool",
        Threads = "threads",
        /// What a request costs is not known.
        #[default]
        Unknown = "unknown",
    }
}

words! {
    "drift"
    /// Whether the response time moved in the course of a trial.
    #[derive(Default, Serialize)]
    pub enum DriftVerdict {
        Slower = "slower",
        Faster = "faster",
        None = "none",
        /// It is no open load of 20 s with ten answers in most seconds.
        #[default]
        NotTested = "not tested",
    }
}

words! {
    "audit verdict"
    /// Whether the books balance.
    #[derive(Default, Serialize)]
    pub enum AuditVerdict {
        Balanced = "balanced",
        Unbalanced = "unbalanced",
        #[default]
        Unavailable = "unavailable",
    }
}

/// Who ran where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrialPlacement {
    pub mode: PlacementKind,
    /// Core numbers.
    pub contender_cores: Vec<u32>,
    /// Core numbers.
    pub generator_cores: Vec<u32>,
    pub pace: Pace,
    /// Core numbers; empty without a dependency.
    pub dependency_cores: Vec<u32>,
}

/// The hosts of a trial that did not run on one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrialHosts {
    /// Names of the scenario.
    pub contender: String,
    /// `null` where it waited for nothing.
    pub dependency: Option<String>,
    pub generators: Vec<String>,
    /// What each of the generators sent in the window.
    pub requests: Vec<u64>,
    /// By how much the clocks of the generators and of the contender may be off each other, at most.
    pub clock_bound_ns: u64,
    /// At least two of the hosts are one machine.
    pub one_machine: bool,
}

/// How a load was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    pub kind: LoopKind,
    /// `null` when closed.
    pub arrivals: Option<ArrivalKind>,
    /// Requests due per second; `null` when closed.
    pub rate: Option<f64>,
    /// The rate at the window's end, to which a ramp goes; `null` where it stays.
    pub rate_to: Option<f64>,
    /// Connections of the generator.
    pub connections: u32,
    /// Measured seconds.
    pub duration_s: f64,
    /// Left out without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<CertificateCheck>,
    /// The rates of a load in steps, from the window's start; left out where it is steady.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LoadStep>,
}

/// What went over the generator's connections in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Transfer {
    /// Bytes of HTTP, without TLS and what is below it.
    pub received_bytes_per_s: f64,
    pub sent_bytes_per_s: f64,
    /// Answers by status, right and wrong ones.
    pub answers: BTreeMap<String, u64>,
    /// The part of right answers that came over a connection that had carried one before; `null` without any.
    pub reused_share: Option<f64>,
    /// Service time of the others: the first on a connection.
    pub first_service_ns: Distribution,
    /// Connections that were opened again over the whole trial: the server had closed them, or an exchange failed on them.
    pub reconnects: u64,
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
    /// Samples without a time: requests that were not answered, or not rightly. 0 where left out.
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
    pub spent: Vec<Spent>,
    /// p99 of the response time in thirty equal windows of the trial, ns, an hour where it falls on a failure; empty where
    /// one of them does not support it.
    pub p99_windows_ns: Vec<u64>,
    /// Of a session: its steps, in order. Figures of `by_request` itself are of whole sessions, whose times are the sums of
    /// their steps' without the think times between; left out of other requests, and in older files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepFigures>,
}

/// One step of a session, of the sessions of the measured window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepFigures {
    pub name: String,
    /// Sessions, those that never came to it among them.
    pub requests: u64,
    /// Failures by kind; `not_reached` where an earlier step had failed.
    pub errors: BTreeMap<String, u64>,
    /// From the end of the think time, or the session's intended instant, to the answer; `null` in closed loop.
    pub response_ns: Option<Distribution>,
    /// From the write to the answer.
    pub service_ns: Distribution,
}

/// What a contender used, all its threads and children together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerUsage {
    /// All CPU time of the window over its right answers; `null` if it could not be read, or there was none.
    pub cpu_us_per_request: Option<f64>,
    /// The same of the window's first half and of its second one; empty where it could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_us_per_request_halves: Vec<f64>,
    /// The part of `cpu_us_per_request` in user mode and in the kernel, as the kernel's clock ticks divide it; left out where
    /// that could not be read, and in older files, as are the next five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_us_per_request: Option<f64>,
    /// The kernel's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_us_per_request: Option<f64>,
    /// Page faults of the window that read no disk, over its right answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults_minor_per_request: Option<f64>,
    /// Page faults of the window that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults_major_per_request: Option<f64>,
    /// How long its threads were ready to run and did not, from the start of the load to the window's end, over the right
    /// answers of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_queue_us_per_request: Option<f64>,
    /// `context_switches_voluntary` over the right answers from the start of the load to the window's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switches_voluntary_per_request: Option<f64>,
    /// The same of `context_switches_involuntary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switches_involuntary_per_request: Option<f64>,
    /// Busy share of its cores.
    pub cpu_share: Option<f64>,
    /// The most that was resident of its process over its life; `null` of several processes, whose sum would have shared
    /// pages in each.
    pub rss_peak_bytes: Option<u64>,
    /// What the machine gave to all its processes, kernel memory included; `null` where it could not be read.
    pub memory_peak_bytes: Option<u64>,
    /// How that was read.
    pub memory_kind: Option<MemoryKind>,
    /// It waited and let another run.
    pub context_switches_voluntary: Option<u64>,
    /// It was made to.
    pub context_switches_involuntary: Option<u64>,
    /// It went on on another core.
    pub migrations: Option<u64>,
    /// Threads at the end of the load.
    pub threads_max: Option<u64>,
    /// Resident memory at the end of each of thirty equal windows of the trial; empty where it could not be read.
    pub rss_windows_bytes: Vec<u64>,
}

impl ServerUsage {
    /// Context switches of a request, of both kinds.
    pub fn switches_per_request(&self) -> Option<f64> {
        Some(self.switches_voluntary_per_request? + self.switches_involuntary_per_request?)
    }

    /// Page faults of a request, of both kinds.
    pub fn faults_per_request(&self) -> Option<f64> {
        Some(self.faults_minor_per_request? + self.faults_major_per_request?)
    }
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
    /// in closed loop and where a server was driven without a promise.
    pub lag_limit_ns: Option<u64>,
    /// The generator's share of each percentile of the response time, by percentile (`p50`..), worst request kind.
    pub our_share: BTreeMap<String, f64>,
    /// Time the hypervisor gave to others, as a share of the trial; `null` if unknown.
    pub steal_share: Option<f64>,
    /// Time that a CPU quota held tasks back, as a share of the machine's in the trial; `null` if unknown.
    pub throttled_share: Option<f64>,
    /// Percentiles of the response time (`p50`..) that are the machine's, by request kind: its stops before the run
    /// alone come to half of them or more.
    pub at_floor: BTreeMap<String, Vec<String>>,
    pub drift: DriftVerdict,
    /// The contender broke down, answered wrongly or failed too many requests: it has lost the round in every metric, and the
    /// round stands. (A saturated one has lost it in the metrics of response time.)
    pub lost: bool,
    /// By what; left out where it has not lost.
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
    pub verdict: AuditVerdict,
    /// What does not balance, or why there is no audit.
    pub reasons: Vec<String>,
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
    json::read(line)
}

/// What a contender can do at most, and what it did in closed loop where that was probed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ceiling {
    /// `payment` or `loyalty`
    pub workload: String,
    /// The scenario's name.
    pub scenario: String,
    /// Whose it is.
    pub contender: String,
    /// Requests answered per second in closed loop; `null` where that was not probed.
    pub closed_rps: Option<f64>,
    /// Contender's cores over its CPU time per request; `null` if CPU could not be read.
    pub cpu_rps: Option<f64>,
    /// Connections of its pool over the connection-seconds of a request; `null` where nothing is waited for.
    pub pool_rps: Option<f64>,
    /// Threads over the time that a request holds one; `null` where waiting holds none.
    pub threads_rps: Option<f64>,
    /// The resource with the lowest ceiling.
    pub binds: Resource,
    /// What it waited for, as its trials say it.
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
    /// How much later than configured its answers were.
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

/// Empties every histogram of a trial. What was read off them stays.
pub(crate) fn drop_histograms(trial: &mut Trial) {
    drop_all_but_response_times(trial);
    trial.by_request.values_mut().for_each(|kind| empty(&mut kind.response_ns));
}

/// The same, save the response times by request kind.
pub(crate) fn drop_all_but_response_times(trial: &mut Trial) {
    let own = [
        &mut trial.response_ns,
        &mut trial.response_less_lag_ns,
        &mut trial.service_ns,
        &mut trial.backlog_ns,
        &mut trial.generator_lag_ns,
        &mut trial.pool_wait_ns,
        &mut trial.connect_ns,
        &mut trial.handshake_ns,
        &mut trial.generator.receive_lag_ns,
    ];
    own.into_iter().for_each(empty);
    if let Some(standin) = &mut trial.standin {
        standin.latency_error_ns.hdr_v2 = String::new();
    }
    for kind in trial.by_request.values_mut() {
        let ByRequest { response_less_lag_ns, service_ns, backlog_ns, generator_lag_ns, .. } = kind;
        let others = [response_less_lag_ns, service_ns, backlog_ns, generator_lag_ns];
        others.into_iter().for_each(empty);
        for step in &mut kind.steps {
            empty(&mut step.response_ns);
            step.service_ns.hdr_v2 = String::new();
        }
    }
}

fn empty(distribution: &mut Option<Distribution>) {
    if let Some(distribution) = distribution {
        distribution.hdr_v2 = String::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record;
    use crate::record::RunResult;

    #[test]
    fn what_is_left_has_every_percentile_and_no_histogram() {
        let mut result = mock::everything();
        let whole = record::to_json(&result);
        result.trials.iter_mut().for_each(drop_histograms);
        let json = record::to_json(&result);
        assert!(!json.contains("hdr_v2") && whole.contains("hdr_v2"));
        let again = record::from_json(&json).unwrap();
        let p99 = |result: &RunResult| -> Vec<Option<u64>> {
            let kinds = result.trials.iter().flat_map(|trial| trial.by_request.values());
            kinds.filter_map(|kind| Some(kind.response_ns.as_ref()?.p99)).collect()
        };
        assert_eq!(p99(&again), p99(&record::from_json(&whole).unwrap()));
        assert!(!p99(&again).is_empty());
    }
}
