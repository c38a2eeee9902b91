//! What is found from trials: comparisons, capacities and judged statements.

use serde::{Deserialize, Serialize};

use super::BoundBy;
use super::is_zero;
use crate::words::words;

/// One metric of one contender against another's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// `payment` or `loyalty`
    pub workload: String,
    /// The scenario's name.
    pub scenario: String,
    /// `p99`, `cpu_per_request`, ..
    pub metric: String,
    /// The request kind; `null` when the metric has none.
    pub request: Option<String>,
    /// The level.
    pub at: String,
    /// Whose metric.
    pub of: String,
    /// Against whose.
    pub versus: String,
    /// of / versus (Hodges-Lehmann); `null` without rounds.
    pub ratio: Option<f64>,
    /// Lower limit; `null` when n is too small for an interval.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
    /// of - versus in the metric's unit (Hodges-Lehmann): ns, us, bytes.
    pub difference: Option<f64>,
    /// Paired rounds, lost ones among them: they lie without end on the worse side, so a ratio or limit that they decide
    /// is `null`, and the verdict stands all the same.
    pub n: u32,
    /// Those that `of` has lost; left out where it lost none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_of: u32,
    /// Those that `versus` has lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_versus: u32,
    pub verdict: Direction,
    /// The confidence of the limits of a headline comparison, with which all of the run hold at once at 95 %. Left out of an
    /// exploratory one, whose limits hold at 95 % by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline_confidence: Option<f64>,
    /// The contender that has this percentile from the machine in most rounds: a difference may be hidden by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_floor: Option<String>,
}

words! {
    "direction"
    /// On which side of 1 the interval of a ratio lies.
    #[derive(Default, Serialize)]
    pub enum Direction {
        Higher = "higher",
        Lower = "lower",
        /// It covers 1, or there is none.
        #[default]
        Inconclusive = "inconclusive",
    }
}

/// How much chance finds among comparisons that nobody asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exploratory {
    /// Comparisons with an interval that are not the headline.
    pub compared: u32,
    /// Those whose interval excludes 1.
    pub differ: u32,
    /// So many would if nothing differed, on average.
    pub by_chance: f64,
}

/// A bounded capacity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Capacity {
    /// `payment`, `loyalty` or `http`; empty where only one server was driven.
    pub workload: String,
    /// The scenario's name; empty where only one server was driven.
    pub scenario: String,
    /// Whose it is.
    pub contender: String,
    /// Kept within the SLO.
    pub at_least_rps: Option<f64>,
    /// Not kept.
    pub below_rps: Option<f64>,
    /// What bound the trials that did not keep it; empty where none was run.
    #[serde(with = "super::or_empty")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub bound_by: Option<BoundBy>,
    /// Trials that it took.
    pub trials: u32,
    /// Why an end is open, or the interval wide because no trial inside it held, in a few words; else empty.
    pub reason: String,
}

/// A judged statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judgement {
    /// As the scenario has it.
    pub text: String,
    /// What was found.
    pub verdict: StatementVerdict,
    /// In a sentence, with the bound and the figure.
    pub reason: String,
    /// The estimate: a ratio, or without `versus` a value in the metric's unit.
    pub ratio: Option<f64>,
    /// Lower limit.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
    /// of - versus in the metric's unit: ns, us, bytes, requests per second; `null` without `versus`.
    pub difference: Option<f64>,
    /// Rounds, lost ones among them: an estimate or limit that they decide is `null`.
    pub n: u32,
    /// Those that the first contender has lost; left out where it lost none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_of: u32,
    /// Those that the second one has lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_versus: u32,
    /// About how many would decide what is inconclusive; `null` when it is decided, and where no number would.
    pub rounds_to_decide: Option<u32>,
    /// What stood for the real systems.
    pub tested_with: String,
    /// The statement of a ledger's row needs it.
    pub decides: bool,
}

words! {
    "verdict"
    /// How a statement was judged.
    #[derive(Default, Serialize)]
    pub enum StatementVerdict {
        /// The interval lies inside the bound.
        Holds = "holds",
        /// It lies outside.
        Fails = "fails",
        /// It does not settle it.
        #[default]
        Inconclusive = "inconclusive",
    }
}
