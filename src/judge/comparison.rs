//! The reading of a comparison: its outcome, its limits, and which comparisons a race is about.

use crate::judge::races::Race;
use crate::judge::statement::series::{End, metric_of};
use crate::record::metric::Metric;
use crate::record::{Comparison, Exploratory, RunResult};
use crate::stats;

/// Of a comparison outside the headline.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// Counts the comparisons outside the headline, those that differ, and how many would differ by chance. A capacity has
/// a rule of its own and is not counted.
pub(crate) fn exploratory<'c>(
    comparisons: impl IntoIterator<Item = &'c Comparison>,
) -> Option<Exploratory> {
    let mut found = Exploratory::default();
    for c in comparisons {
        let interval = (c.low, c.high) != (None, None);
        if c.headline_confidence.is_some() || c.metric == "capacity" || !interval {
            continue;
        }
        found.compared += 1;
        found.differ += u32::from(side(c) != Side::Unclear);
        found.by_chance += stats::misses(c.n as usize, CONFIDENCE);
    }
    (found.compared > 0).then_some(found)
}

/// Rounds lost by either.
pub(crate) fn lost(c: &Comparison) -> u32 {
    c.lost_of + c.lost_versus
}

/// Both limits; 0 and infinity where lost rounds leave none, the ratio itself where there are too few rounds.
pub(crate) fn ends(c: &Comparison) -> (f64, f64) {
    let known = |limit: Option<f64>, open: f64| match (limit, lost(c)) {
        (Some(limit), _) => limit,
        (None, 0) => c.ratio.unwrap_or(open),
        (None, _) => open,
    };
    (known(c.low, 0.0), known(c.high, f64::INFINITY))
}

pub(crate) fn belongs(race: &Race<'_>, c: &Comparison) -> bool {
    (race.workload, race.scenario, race.level) == (&*c.workload, &*c.scenario, &*c.at)
}

/// The comparisons that are a race's headline.
pub(crate) fn headline<'r>(
    result: &'r RunResult,
    race: &Race<'_>,
) -> impl Iterator<Item = &'r Comparison> {
    let own = |c: &&Comparison| belongs(race, c) && c.headline_confidence.is_some();
    result.comparisons.iter().filter(own)
}

/// The three outcomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The whole interval lies above 1.
    Higher,
    /// The whole interval lies below 1.
    Lower,
    /// It covers 1, or there is none.
    Unclear,
}

impl Side {
    /// `higher`, ..
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Unclear => "unclear",
        }
    }
}

pub(crate) fn side(c: &Comparison) -> Side {
    match c.verdict.as_str() {
        "higher" => Side::Higher,
        "lower" => Side::Lower,
        _ => Side::Unclear,
    }
}

/// The lowest and the highest ratio of a round.
pub(crate) fn range(race: &Race<'_>, c: &Comparison) -> Option<(f64, f64)> {
    let (of, versus) = (race.entry(&c.of)?, race.entry(&c.versus)?);
    let metric = Metric::ALL.into_iter().find(|metric| metric.name() == c.metric)?;
    let value = |trial| metric_of(trial, metric, c.request.as_deref(), End::High);
    let mut ratios: Vec<f64> = of
        .usable()
        .filter_map(|trial| {
            let other = versus.usable().find(|other| other.round == trial.round)?;
            Some(value(trial)? / value(other)?)
        })
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .collect();
    ratios.sort_by(f64::total_cmp);
    Some((*ratios.first()?, *ratios.last()?))
}

/// How many times the larger of the two is the smaller; 1 without a ratio.
pub(crate) fn factor(c: &Comparison) -> f64 {
    c.ratio.map_or(1.0, |ratio| ratio.max(1.0 / ratio))
}
