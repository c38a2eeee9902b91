//! Whether the response time moved while it was measured: a trend of its medians per second.

use super::{Evidence, Finding};
use crate::judge::failures;
use crate::record::DriftVerdict;
use crate::record::outcome::{Kind, Slice};
use crate::stats::mann_kendall;
use crate::stats::median;
use crate::text::percent;
use crate::units::Nanos;

/// Shorter trials have too few seconds for a trend.
const TESTED_FROM: Nanos = Nanos(20_000_000_000);
/// A second with fewer requests has no median to speak of.
const SAMPLES_MIN: u64 = 10;
/// A trend is one when chance makes it less often than this.
const P_MAX: f64 = 0.01;
/// A trend that changes less than this from the first third of the trial to its last is of no consequence.
const CHANGE_MIN: f64 = 0.05;
/// No time grows so many times over within a trial: it became a failure.
const WITHOUT_END: f64 = 1_000.0;

/// What the test says of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drift {
    /// It was too short, or had too few answers in its seconds.
    NotTested,
    /// No trend.
    Steady,
    /// It became slower, or faster, by this share.
    Moved { change: f64, p: f64 },
}

impl Drift {
    pub(crate) fn verdict(self) -> DriftVerdict {
        match self {
            Self::NotTested => DriftVerdict::NotTested,
            Self::Steady => DriftVerdict::None,
            Self::Moved { change, .. } if change > 0.0 => DriftVerdict::Slower,
            Self::Moved { .. } => DriftVerdict::Faster,
        }
    }
}

/// The largest drift of all kinds.
pub(crate) fn of(evidence: &Evidence<'_>) -> Drift {
    let drifts = evidence.outcome.kinds.iter().map(|kind| of_kind(evidence, kind));
    drifts.max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap_or(Drift::NotTested)
}

/// A drift is kept and marked; whose it is no test can say. That of a saturated trial has its name already.
pub(crate) fn finding(evidence: &Evidence<'_>, saturated: bool) -> Vec<Finding> {
    let kinds = evidence.outcome.kinds.iter().filter(|_| !saturated);
    kinds
        .filter_map(|kind| {
            let Drift::Moved { change, p } = of_kind(evidence, kind) else { return None };
            let direction = if change > 0.0 { "rose" } else { "fell" };
            // To a failure there is no share.
            let by = match change > WITHOUT_END {
                true => "without end".to_owned(),
                false => format!("by {}", percent(change.abs(), 0)),
            };
            Some(Finding::suspect(format!(
                "drift: the median of {} {direction} {by} in the course of the trial (Mann-Kendall, p = {p:.1e})",
                kind.name,
            )))
        })
        .collect()
}

fn of_kind(evidence: &Evidence<'_>, kind: &Kind) -> Drift {
    if !evidence.open || evidence.in_steps.is_some() || evidence.outcome.window < TESTED_FROM {
        return Drift::NotTested;
    }
    let enough =
        |slice: &&Slice| slice.times.len() + failures::of_slice(kind, slice).all >= SAMPLES_MIN;
    let median_of = |slice| failures::slice_median(kind, slice).written();
    let medians: Vec<f64> =
        kind.slices.iter().filter(enough).filter_map(median_of).map(|ns| ns as f64).collect();
    if medians.len() < kind.slices.len() / 2 {
        return Drift::NotTested;
    }
    let third = medians.len() / 3;
    let (first, last) = (median(&medians[..third]), median(&medians[medians.len() - third..]));
    match (mann_kendall(&medians), first.zip(last)) {
        (Some(trend), Some((first, last))) if first > 0.0 => {
            let change = last / first - 1.0;
            if trend.p < P_MAX && change.abs() >= CHANGE_MIN {
                Drift::Moved { change, p: trend.p }
            } else {
                Drift::Steady
            }
        }
        _ => Drift::NotTested,
    }
}

fn size(drift: Drift) -> f64 {
    match drift {
        Drift::NotTested => -1.0,
        Drift::Steady => 0.0,
        Drift::Moved { change, .. } => change.abs(),
    }
}
