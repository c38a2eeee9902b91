//! Whether a generator that shares its cores with the contender left it the machine.

use crate::text::percent;
use super::{Evidence, Finding};

/// More than this of the machine is too much for a load generator.
const CROWDED: f64 = 0.05;

/// The generator's CPU time, polling included, of all cores that it shares.
pub(crate) fn crowded(evidence: &Evidence<'_>) -> Option<Finding> {
    let available = evidence.outcome.window.0 as f64 * evidence.shared_cores? as f64;
    let share = evidence.outcome.cpu.0 as f64 / available.max(1.0);
    (share > CROWDED).then(|| {
        Finding::suspect(format!(
            "co-located: the generator took {} of the machine that it shares with the contender",
            percent(share, 0)
        ))
    })
}
