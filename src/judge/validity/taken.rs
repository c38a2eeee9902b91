//! Interference: time that the machine gave to others.

use crate::text::percent;
use super::{Evidence, Finding};
use crate::record::hiccups::Hiccups;

/// More than this of the machine's time given to others is suspect.
const STEAL: f64 = 0.05;
/// More than this of its time held back by a quota is suspect too.
const THROTTLED: f64 = 0.05;
/// A machine that takes more than this from a thread that only reads the clock is suspect.
const HICCUPS: f64 = 0.05;

/// Stolen time, as the kernel counts it.
pub(crate) fn by_hypervisor(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.steal_share.filter(|&share| share > STEAL)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!("the hypervisor gave {share} of the machine's time to others")))
}

/// Time in which tasks of this cgroup, or of one around it, were ready and not allowed to run.
pub(crate) fn by_quota(evidence: &Evidence<'_>) -> Option<Finding> {
    let share = evidence.throttled_share.filter(|&share| share > THROTTLED)?;
    let share = percent(share, 0);
    Some(Finding::suspect(format!(
        "a CPU quota (cgroup) held tasks back for {share} of the machine's time"
    )))
}

/// Time that was gone before the run, whatever the kernel says of it.
pub(crate) fn by_hiccups(evidence: &Evidence<'_>) -> Option<Finding> {
    let Hiccups { lost, worst, .. } =
        evidence.hiccups.filter(|hiccups| hiccups.lost.0 > HICCUPS)?;
    let lost = percent(lost.0, 0);
    Some(Finding::suspect(format!(
        "before the run the machine took {lost} of a core from a thread that only read the clock (worst pause {worst})"
    )))
}
