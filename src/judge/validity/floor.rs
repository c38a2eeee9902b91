//! Which percentiles are the machine's: no better than its own stops would make those of any service.

use std::collections::BTreeMap;

use super::Evidence;
use crate::judge::rank;
use crate::load::outcome::Kind;
use crate::stats::percentile::RANKS;
use crate::units::Nanos;

/// A percentile is at the floor when the floor is at least this share of it.
const AT_FLOOR: f64 = 0.5;

/// The percentiles at the floor, by kind; a saturated trial has none.
pub(crate) fn marks(evidence: &Evidence<'_>, saturated: bool) -> BTreeMap<String, Vec<String>> {
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
    let Some(value) = rank::of(kind, &kind.response, RANKS[index].1).time() else { return false };
    let floor = hiccups.floor[index];
    floor > Nanos(0) && floor.0 as f64 >= AT_FLOOR * value as f64
}
