//! Where a request's CPU goes: what profiled trials found, and what was judged of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What `--why` asked for. Profiled trials stand here and nowhere else, so that no statistic of timed ones can take them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Why {
    /// How much this machine lets a profiler see.
    pub level: WhyLevel,
    /// The setting that gives the next level; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Samples per second of CPU time.
    pub samples_per_s: u32,
    /// One for each contender, load level and profiled round.
    pub profiles: Vec<Profile>,
    /// One for each contender and load level, of all its profiled rounds together.
    pub flames: Vec<Flame>,
    /// Each contender against the first one, layer by layer.
    pub differences: Vec<LayerDifference>,
}

/// How much a profiler can see, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum WhyLevel {
    /// Stacks of programs and of the kernel.
    #[serde(rename = "full")]
    Full,
    /// Stacks of programs; time in the kernel has no layers.
    #[serde(rename = "user only")]
    UserOnly,
    /// No stacks: what /proc counts.
    #[serde(rename = "counters only")]
    CountersOnly,
    /// Not even that.
    #[serde(rename = "nothing")]
    Nothing,
}

impl WhyLevel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::UserOnly => "user only",
            Self::CountersOnly => "counters only",
            Self::Nothing => "nothing",
        }
    }
}

/// A profiled trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Profile {
    /// The scenario's name.
    pub scenario: String,
    /// Whose it is.
    pub contender: String,
    /// The load level, as trials have it.
    pub level: String,
    /// Counted from 1, apart from the timed rounds.
    pub round: u32,
    /// Samples of the contender in the window.
    pub samples: u64,
    /// Samples that the kernel could not deliver.
    pub lost: u64,
    /// The share of samples whose stack ends before the start of a thread: code without frame pointers.
    pub cut_share: f64,
    /// The share of samples whose innermost function has no name.
    pub unnamed_share: f64,
    /// CPU time over right answers in this trial, us.
    pub cpu_us_per_request: f64,
    /// CPU time over right answers by layer, us. They add up to `cpu_us_per_request`.
    pub layers: BTreeMap<String, f64>,
}

/// Stacks of a contender at a load level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Flame {
    /// The scenario's name.
    pub scenario: String,
    /// Whose it is.
    pub contender: String,
    /// The load level, as trials have it.
    pub level: String,
    /// The mean over its profiled rounds; the rarest are pooled as `[rest]`.
    pub stacks: Vec<Stack>,
}

/// A stack and its CPU time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stack {
    /// Functions from the outermost to the innermost, with semicolons between them; those of the kernel end in `_[k]`.
    pub frames: String,
    /// CPU time over right answers, us.
    pub us: f64,
    /// The layer of its time.
    pub layer: String,
}

/// How much more CPU time a layer of a contender takes than that of the first contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LayerDifference {
    /// The scenario's name.
    pub scenario: String,
    /// The load level, as trials have it.
    pub level: String,
    /// A contender.
    pub of: String,
    /// The first contender.
    pub versus: String,
    /// A layer; `all` is all CPU time.
    pub layer: String,
    /// us per right answer; negative where it is less.
    pub difference_us: f64,
    /// The lower end of the 95 % interval; `null` with fewer than six profiled rounds.
    pub low_us: Option<f64>,
    /// The upper end.
    pub high_us: Option<f64>,
    /// Profiled rounds that both have.
    pub n: u32,
}
