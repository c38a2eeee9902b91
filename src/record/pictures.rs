//! What pictures need beyond trials and comparisons. Each is optional: a chart is drawn only where its data exist.

use crate::words::words;
use serde::{Deserialize, Serialize};

/// What a contender was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ContenderInfo {
    /// `payment`, `loyalty` or `http`
    pub workload: String,
    /// The scenario's name, which tells those of one run apart.
    pub scenario: String,
    /// Its name in the scenario.
    pub contender: String,
    /// The name of all the sizes of a sweep, of which it is one; `null` where it is of no sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// The most memory with which it may stand for its sweep, bytes; `null` where that is not bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max_bytes: Option<u64>,
    /// The name on charts; `null` shows `contender`.
    pub label: Option<String>,
    /// Its colour on charts: `async`, `threaded`, `1` to `4`; `null` is read off the name.
    pub series: Option<String>,
    /// `event-loop`, ..; `null` for a command or a URL.
    pub model: Option<String>,
    /// Threads it was given; `null` for the model's default.
    pub threads: Option<u32>,
    /// Processes of it on one port; `null` where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Connections of its pool to the dependency; `null` without one.
    pub pool: Option<u32>,
}

/// What a scenario's service promises.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SloInfo {
    /// `payment`, `loyalty` or `http`
    pub workload: String,
    /// The scenario's name, which tells those of one run apart.
    pub scenario: String,
    /// The response time that 99 % must meet, ns.
    pub p99_ns: u64,
    /// The share of requests that may fail.
    pub error_rate: f64,
}

/// Who wins at which wait and CPU per request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Map {
    /// Of this object, 1.
    pub version: u32,
    /// `payment`, `loyalty` or `http`
    pub workload: String,
    /// `capacity`, `p99`, ..: what the ratios are of.
    pub metric: String,
    /// Whose metric.
    pub of: String,
    /// Against whose.
    pub versus: String,
    /// The columns: I/O wait per request, ns, ascending.
    pub waits_ns: Vec<u64>,
    /// The rows: CPU per request, ns, ascending.
    pub cpus_ns: Vec<u64>,
    /// Measured cells; what is not here was not measured.
    pub cells: Vec<MapCell>,
    /// The reader's own service, which belongs to the nearest cell.
    pub service: Option<MapPlace>,
}

/// A place on a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MapPlace {
    /// I/O wait per request, ns.
    pub wait_ns: u64,
    /// CPU per request, ns.
    pub cpu_ns: u64,
}

/// A measured cell of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MapCell {
    /// One of the map's columns, ns.
    pub wait_ns: u64,
    /// One of its rows, ns.
    pub cpu_ns: u64,
    /// of / versus; `null` where there is none to be had.
    pub ratio: Option<f64>,
    /// Lower limit; `null` when n is too small for an interval.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
    /// Paired rounds.
    pub n: u32,
    /// Why there is no ratio, in a few words: `the pool binds both`; else empty.
    pub reason: String,
    /// The size of each, in words: `833 threads of 833, 1,024`; empty where it has none.
    pub sizes: [String; 2],
    /// The metric of both, round by round, in its unit.
    pub rounds: Vec<[f64; 2]>,
    /// How likely chance alone takes the ratio so far out of 1/1.05 to 1.05; left out where there is no
    /// ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Who is better here, once all cells of its map are judged together; left out where nobody clearly
    /// is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Winner>,
}

/// One of the two that a cell compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Winner {
    /// The first: the ratio is its figure over the other's.
    Of,
    /// The second.
    Versus,
}

words! {
    "verdict"
    /// What a gate said of a metric.
    #[derive(Serialize)]
    pub enum GatePointVerdict {
        Regressed = "regressed",
        Improved = "improved",
        Pass = "pass",
        Inconclusive = "inconclusive",
        /// Another metric had decided before this one was.
        Open = "open",
    }
}

/// One gate of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GatePoint {
    /// Of this object, 1.
    pub version: u32,
    /// The candidate's commit, or what stands for it.
    pub commit: String,
    /// When it ran, `2026-11-24T04:09:53Z`.
    pub utc: String,
    /// `p99`, `capacity`, ..
    pub metric: String,
    /// candidate / baseline; `null` where there is none.
    pub ratio: Option<f64>,
    /// Lower limit.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
    pub verdict: GatePointVerdict,
}

/// Response times by when their requests were due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline {
    /// Of this object, 1.
    pub version: u32,
    /// The length of each window, ns: 100 ms.
    pub window_ns: u64,
    /// From the start of the measured window, one after the other.
    pub windows: Vec<TimeWindow>,
    /// Where the first of `counts` begins, ns.
    pub lowest_ns: u64,
    /// How many of `counts` make a factor of ten.
    pub steps_per_decade: u32,
    /// The fault that was configured, if one was.
    pub fault: Option<Fault>,
    /// From the fault's end until the SLO held again, ns; `null` if it never did, or was not asked.
    pub recovery_ns: Option<u64>,
}

/// The requests that were due in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimeWindow {
    /// Requests, failures among them.
    pub n: u64,
    /// Those that failed; 0 where left out.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub failures: u64,
    /// Response time, ns; an hour where it falls on a failure; withheld below 20 requests.
    pub p50_ns: Option<u64>,
    /// Response time, ns; an hour where it falls on a failure; withheld below 100 requests, for a window is a picture and
    /// no verdict.
    pub p99_ns: Option<u64>,
    /// Response time of right answers, ns.
    pub max_ns: Option<u64>,
    /// Right answers by response time, in equal steps of its logarithm; trailing zeros are left out.
    pub counts: Vec<u64>,
}

/// A fault that was configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// In two or three words: `bank stalled`.
    pub what: String,
    /// From the start of the measured window, ns.
    pub from_ns: u64,
    /// How long, ns.
    pub for_ns: u64,
}

/// Where the time of the requests near one percentile of the response time went: means over those requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spent {
    /// The percentile in tenths of a percent: 500, 990.
    pub per_mille: u32,
    /// Requests that the means are of.
    pub n: u64,
    /// The generator's own lateness, ns.
    pub lag_ns: f64,
    /// Waiting for a free connection of the generator, ns.
    pub backlog_ns: f64,
    /// From the write to the answer, ns: the rest of the response time.
    pub service_ns: f64,
}
