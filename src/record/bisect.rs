//! `bisect.json`, `bakeoff.bisect/1`: which of many versions made a metric worse, and how that was found.

use serde::{Deserialize, Serialize};

use super::gate::Metric;
use super::{Fingerprint, json};

/// The version that is written, and the only one that is read.
pub const SCHEMA: &str = "bakeoff.bisect/1";

/// A search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bisection {
    /// [`SCHEMA`]
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// What is compared.
    pub metric: Metric,
    /// Of which request kind, where there are several.
    pub request: Option<String>,
    /// The smallest change between the ends that is searched for, 0.03 for 3 %.
    pub margin: f64,
    /// The name of the contender that the versions are builds of.
    pub contender: String,
    /// The load that was asked for: `4000/s`, or a share of the maximum throughput.
    pub level: String,
    /// The versions, the good end first: commits, or paths of binaries.
    pub versions: Vec<String>,
    /// SHA-256 of what each binary runs, first 16 digits; nothing for commits.
    pub digests: Vec<String>,
    /// The command that builds a commit, and the file that it makes; `null` for binaries.
    pub build: Option<Build>,
    /// Sets who goes first in each round.
    pub order_seed: u64,
    /// How the last version compares with the first; `null` before it has been.
    pub ends: Option<EndsMeasured>,
    /// The versions in between that were compared, in the order of the search.
    pub steps: Vec<Compared>,
    /// What was found; `null` before the end.
    pub found: Option<SearchEnd>,
    /// The machine and the build.
    pub fingerprint: Fingerprint,
}

/// How a commit becomes a binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Build {
    /// Run by `sh -c` in a worktree of the commit.
    pub command: String,
    /// The file that it makes, below the worktree.
    pub binary: String,
}

/// How the last version compares with the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndsMeasured {
    /// The offered load of all comparisons, requests per second.
    pub rate_rps: f64,
    /// Rounds that count.
    pub rounds: u32,
    /// How long a round took, ns.
    pub round_ns: u64,
    /// The metric of the last version divided by that of the first, turned round where more is better; `null` where rounds were lost.
    pub ratio: Option<f64>,
    /// Whether the last version is clearly worse: otherwise nothing is searched for.
    pub worse: bool,
    /// The natural logarithm of the ratio: the size that steps are measured by.
    pub size: f64,
    /// The one-sided error level of a step.
    pub alpha: f64,
    /// The most rounds of a step.
    pub rounds_max: u32,
}

/// A version in between, compared with the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Compared {
    /// Its place in `versions`, from 0.
    pub version: u32,
    /// Which end it is like.
    pub likeness: Likeness,
    /// Rounds that count.
    pub rounds: u32,
    /// The metric divided by that of the first version.
    pub ratio: Option<f64>,
    /// Its lower limit at the last look.
    pub low: Option<f64>,
    /// Its upper limit at the last look.
    pub high: Option<f64>,
    /// Why it could not be compared, or needed no rounds.
    pub why: Option<String>,
}

/// Which end a version is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Worse by less than a quarter of the change.
    First,
    /// Worse by more than three quarters of it.
    Last,
    /// Worse by more than a quarter of it, and by less than three quarters.
    Between,
    /// The rounds show none of these.
    Undecided,
    /// It cannot be built, or does not run.
    NotBuilt,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// This version brought the change, by its place in `versions`.
    Version(u32),
    /// One of these brought it, or several did, first and last.
    Range(u32, u32),
    /// The last version is not clearly worse than the first.
    Nothing,
}

/// # Errors
/// Where the text is no JSON or another schema's.
pub fn from_json(text: &str) -> Result<Bisection, String> {
    let found: Bisection = json::read(text)?;
    match found.schema == SCHEMA {
        true => Ok(found),
        false => Err(format!("this is `{}`; this version reads `{SCHEMA}`", found.schema)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_current() {
        json::expect_current::<Bisection>("contracts/bisect.schema.json");
    }
}
