//! What machine and load leave of a trial: interference by others, the machine's floor, a contender that fell behind, and
//! a generator that shares the contender's cores.

use std::collections::BTreeMap;

use super::{Evidence, Finding};
use crate::judge::failures;
use crate::record::Hiccups;
use crate::record::outcome::{Kind, Outcome};
use crate::stats::percentile::RANKS;
use crate::text::percent;
use crate::units::{Nanos, grouped};

/// More than this of the machine's time given to others is suspect.
const STEAL: f64 = 0.05;
/// More than this of its time held back by a quota is suspect too.
const THROTTLED: f64 = 0.05;
/// A machine that takes more than this from a thread that only reads the clock is suspect.
const HICCUPS: f64 = 0.05;

/// Stolen time, as the kernel counts it.
pub(super) fn by_hypervisor(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.steal_share.filter(|&share| share > STEAL)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!("the hypervisor gave {share} of the machine's time to others")))
}

/// Time in which tasks of this cgroup, or of one around it, were ready and not allowed to run.
pub(super) fn by_quota(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.throttled_share.filter(|&share| share > THROTTLED)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!(
        "a CPU quota (cgroup) held tasks back for {share} of the machine's time"
    )))
}

/// Time that was gone before the run, whatever the kernel says of it.
pub(super) fn by_hiccups(evidence: &Evidence<'_>) -> Option<Finding> {
    let Hiccups { lost, worst, .. } =
        evidence.hiccups.filter(|hiccups| hiccups.lost.0 > HICCUPS)?;
    let lost = percent(lost.0, 0);
    Some(Finding::suspect(format!(
        "before the run the machine took {lost} of a core from a thread that only read the clock (worst pause {worst})"
    )))
}

/// A percentile is at the floor when the floor is at least this share of it.
const AT_FLOOR: f64 = 0.5;

/// The percentiles at the floor, by kind; a saturated trial has none.
pub(super) fn marks(evidence: &Evidence<'_>, saturated: bool) -> BTreeMap<String, Vec<String>> {
    let mut marks = BTreeMap::new();
    for kind in evidence.outcome.kinds.iter().filter(|_| evidence.open && !saturated) {
        let names: Vec<String> = (0..RANKS.len())
            .filter(|&index| at_floor(evidence, kind, index))
            .map(|index| RANKS[index].0.to_owned())
            .collect();
        if !names.is_empty() {
            marks.insert(kind.name.clone(), names);
        }
    }
    marks
}

/// Whether the floor is so much of a percentile.
fn at_floor(evidence: &Evidence<'_>, kind: &Kind, index: usize) -> bool {
    let Some(hiccups) = evidence.hiccups else { return false };
    let Some(value) = failures::percentile(kind, &kind.response, RANKS[index].1).time() else {
        return false;
    };
    let floor = hiccups.floor[index];
    floor > Nanos(0) && floor.0 as f64 >= AT_FLOOR * value as f64
}

/// Outstanding work that grew by more than this share of what was offered is no fluctuation of a service that keeps up.
const GROWTH: f64 = 0.01;
/// Standard deviations of the difference of two Poisson counts.
const DEVIATIONS: f64 = 3.0;

/// Outstanding work grew by more than 1 % of what was offered and by more than its own fluctuation.
pub(super) fn saturated(evidence: &Evidence<'_>) -> bool {
    let outcome = evidence.outcome;
    let outstanding = outcome.outstanding;
    let start = outstanding.at_start as f64;
    // Before the first request of all nothing is under way, and soon as much as ever. Of what grows without end, the mean
    // is half of the end.
    let start = if outcome.began_empty { start.max(outstanding.mean) } else { start };
    exceeds(outcome, outstanding.at_end as f64 - expected(evidence, start))
}

/// Outstanding work fell by as much: what the window measured was a backlog from before it.
pub(super) fn worked_off(evidence: &Evidence<'_>) -> Option<Finding> {
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

/// More than this of the machine is too much for a load generator.
const CROWDED: f64 = 0.05;

/// The generator's CPU time, polling included, of all cores that it shares.
pub(super) fn crowded(evidence: &Evidence<'_>) -> Option<Finding> {
    let available = evidence.outcome.window.0 as f64 * evidence.shared_cores? as f64;
    let share = evidence.outcome.cpu.0 as f64 / available.max(1.0);
    (share > CROWDED).then(|| {
        Finding::suspect(format!(
            "co-located: the generator took {} of the machine that it shares with the contender",
            percent(share, 0)
        ))
    })
}
