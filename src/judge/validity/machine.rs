//! What machine and load leave of a trial: interference by others, the machine's floor, a contender that fell behind, and
//! a generator that shares the contender's cores.

use std::collections::BTreeMap;

use super::{Evidence, Finding};
use crate::judge::failures;
use crate::record::Hiccups;
use crate::record::outcome::{Kind, Outcome};
use crate::stats::backlog;
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

/// Outstanding requests grew all along the window, by more than fluctuation.
pub(super) fn saturated(evidence: &Evidence<'_>) -> bool {
    let Outcome { outstanding, offered, began_empty, .. } = evidence.outcome;
    let (start, end) = (outstanding.at_start as f64, outstanding.at_end as f64);
    // Before the first request of all nothing is under way, and soon as much as ever. Of what grows without end, the mean
    // is half of the end.
    if *began_empty {
        return backlog::changed(end - start.max(outstanding.mean), outstanding.mean, *offered);
    }
    match evidence.in_steps {
        // The mean of steps tells nothing of growth.
        Some(steps) => backlog::changed(end - start * steps, outstanding.mean, *offered),
        None => backlog::grew(start, end, outstanding.mean, *offered),
    }
}

/// Outstanding requests fell by as much: what the window measured was a backlog from before it.
pub(super) fn worked_off(evidence: &Evidence<'_>) -> Option<Finding> {
    let Outcome { outstanding, offered, .. } = evidence.outcome;
    let (start, end) = (outstanding.at_start, outstanding.at_end);
    // By Little's law as much is under way at the end of steps as the rates differ by.
    let fell = start as f64 * evidence.in_steps.unwrap_or(1.0) - end as f64;
    let fell = evidence.open && backlog::changed(fell, outstanding.mean, *offered);
    fell.then(|| {
        let [start, end] = [start, end].map(|n| grouped(n as f64));
        Finding::suspect(format!(
            "a backlog was worked off: {start} requests were outstanding at the window's start and {end} at its end"
        ))
    })
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
