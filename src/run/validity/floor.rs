//! Which percentiles are the machine's: no better than its own stops would make those of any service.

use std::collections::BTreeMap;

use super::{Evidence, Finding, RANKS};
use crate::load::outcome::Kind;
use crate::stats::percentile::percentile;
use crate::units::Nanos;

/// A percentile is at the floor when the floor is at least this share of it.
const AT_FLOOR: f64 = 0.5;

/// The percentiles at the floor, by kind; a saturated trial has none.
pub(super) fn marks(evidence: &Evidence<'_>, saturated: bool) -> BTreeMap<String, Vec<String>> {
    let mut marks = BTreeMap::new();
    for kind in evidence.outcome.kinds.iter().filter(|_| evidence.open && !saturated) {
        let names: Vec<String> = (0..RANKS.len())
            .filter(|&index| at_floor(evidence, kind, index).is_some())
            .map(|index| RANKS[index].0.to_owned())
            .collect();
        if !names.is_empty() {
            marks.insert(kind.name.clone(), names);
        }
    }
    marks
}

/// The headline percentile at the floor is kept and marked.
pub(super) fn headline(evidence: &Evidence<'_>, saturated: bool) -> Vec<Finding> {
    let Some(index) = RANKS.iter().position(|&(name, _)| name == evidence.headline) else {
        return Vec::new();
    };
    let kinds = evidence.outcome.kinds.iter().filter(|_| evidence.open && !saturated);
    kinds
        .filter_map(|kind| {
            let (value, floor) = at_floor(evidence, kind, index)?;
            let name = RANKS[index].0;
            Some(Finding::suspect(format!(
                "the {name} of {} ({value}) is at the machine's floor: before the run its stops alone came to {floor}",
                kind.name
            )))
        })
        .collect()
}

/// The percentile and the floor under it, when it is there.
fn at_floor(evidence: &Evidence<'_>, kind: &Kind, index: usize) -> Option<(Nanos, Nanos)> {
    let floor = evidence.hiccups?.floor[index];
    let value = Nanos(percentile(&kind.response, RANKS[index].1)?);
    (floor > Nanos(0) && floor.0 as f64 >= AT_FLOOR * value.0 as f64).then_some((value, floor))
}
