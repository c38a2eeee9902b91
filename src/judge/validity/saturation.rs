//! Whether a contender fell behind without end, or was still catching up.

use super::{Evidence, Finding};
use crate::load::outcome::Outcome;
use crate::units::grouped;

/// Outstanding work that grew by more than this share of what was offered is no fluctuation of a service that keeps up.
const GROWTH: f64 = 0.01;
/// Standard deviations of the difference of two Poisson counts.
const DEVIATIONS: f64 = 3.0;

/// Outstanding work grew by more than 1 % of what was offered and by more than its own fluctuation.
pub(crate) fn saturated(evidence: &Evidence<'_>) -> bool {
    let outcome = evidence.outcome;
    let outstanding = outcome.outstanding;
    let start = outstanding.at_start as f64;
    // Before the first request of all nothing is under way, and soon as much as ever. Of what grows without end, the mean
    // is half of the end.
    let start = if outcome.began_empty { start.max(outstanding.mean) } else { start };
    exceeds(outcome, outstanding.at_end as f64 - expected(evidence, start))
}

/// Outstanding work fell by as much: what the window measured was a backlog from before it.
pub(crate) fn worked_off(evidence: &Evidence<'_>) -> Option<Finding> {
    let outstanding = evidence.outcome.outstanding;
    let (start, end) = (outstanding.at_start, outstanding.at_end);
    let fell = expected(evidence, start as f64) - end as f64;
    let fell = evidence.open && exceeds(evidence.outcome, fell);
    fell.then(|| {
        let [start, end] = [start, end].map(|n| grouped(n as f64));
        Finding::suspect(format!(
            "a backlog was worked off: {start} requests were outstanding at the window's start and {end} at its end"
        ))
    })
}

/// What is under way at the end by Little's law, where so much was at the start.
fn expected(evidence: &Evidence<'_>, start: f64) -> f64 {
    start * evidence.in_steps.unwrap_or(1.0)
}

fn exceeds(outcome: &Outcome, change: f64) -> bool {
    change > GROWTH * outcome.offered as f64
        && change > DEVIATIONS * (2.0 * outcome.outstanding.mean + 1.0).sqrt()
}
