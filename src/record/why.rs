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
    /// Each contender against the first one, by function: those whose interval does not contain 0, and the largest others.
    #[serde(default)]
    pub functions: Vec<FunctionDifference>,
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

/// Behind the names of the kernel's functions.
pub(crate) const KERNEL_MARK: &str = "_[k]";

/// A profiled trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Samples by the function whose own time they are, and by entry point (`futex_[k]`) in the kernel. What has less than
    /// 0.1 % of every contender's samples is pooled by module.
    #[serde(default)]
    pub functions: BTreeMap<String, u64>,
    /// CPU time over right answers that a sample stands for, us: in user mode, and in the kernel.
    #[serde(default)]
    pub sample_us: [f64; 2],
    /// System calls over right answers; `null` where they cannot be counted.
    #[serde(default)]
    pub syscalls_per_request: Option<f64>,
    /// Instructions over right answers; `null` where the processor does not count them.
    #[serde(default)]
    pub instructions_per_request: Option<f64>,
}

impl Profile {
    /// CPU time over right answers of a function by itself, us.
    pub fn function_us(&self, name: &str) -> f64 {
        self.functions.get(name).map_or(0.0, |n| *n as f64 * self.function_sample_us(name))
    }

    /// What a sample of it stands for, us.
    pub fn function_sample_us(&self, name: &str) -> f64 {
        self.sample_us[usize::from(name.ends_with(KERNEL_MARK))]
    }
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
    /// The functions that take most by themselves.
    #[serde(default)]
    pub functions: Vec<FunctionCost>,
    /// How much more CPU a right answer took in profiled trials than in timed ones, 0.01 for 1 %; `null` where there are none
    /// to compare.
    #[serde(default)]
    pub overhead: Option<f64>,
    /// Why its layers are not told, if they are not: too many samples were lost, or too many stacks are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
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
    /// Of `all`: why no layer follows, if one of them has its layers withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// CPU time of a function by itself, without what it called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionCost {
    /// Its name without hashes and numbers of closures; of the kernel an entry point, ending in `_[k]`.
    pub function: String,
    /// Of all CPU time of the contender.
    pub share: f64,
    /// Over right answers, us.
    pub us: f64,
}

/// How much more CPU time a function of a contender takes by itself than in the first contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionDifference {
    /// The scenario's name.
    pub scenario: String,
    /// The load level, as trials have it.
    pub level: String,
    /// A contender.
    pub of: String,
    /// The first contender.
    pub versus: String,
    /// As [`FunctionCost::function`]; what is in one of them only is 0 in the other.
    pub function: String,
    /// The commonest stack of `of` that ends in it, as [`Stack::frames`]; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// us per right answer; negative where it is less.
    pub difference_us: f64,
    /// The lower end of its interval: all intervals of the pair hold together 99 times of 100.
    pub low_us: f64,
    /// The upper end.
    pub high_us: f64,
    /// Functions that were compared.
    pub family: u32,
    /// Profiled rounds that both have.
    pub n: u32,
}
