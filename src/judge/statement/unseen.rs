//! Percentiles that could not be seen: no better than the stops of this machine would make those of any service.

use super::series::Place;
use crate::record::Trial;
use crate::scenario::Metric;

/// The first of `names` of which more than half of the trials that count are at the machine's floor in a percentile; nothing
/// of a metric that is none.
pub(crate) fn behind_the_floor<'n>(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let percentile = match metric {
        // A distribution's median.
        Metric::Completion => "p50",
        metric => metric.name(),
    };
    names.into_iter().find(|name| {
        let own = trials.iter().filter(|trial| {
            trial.scenario == place.scenario.name
                && trial.contender == *name
                && trial.level == place.level
                && !trial.voided
        });
        let marked = |trial: &&Trial| {
            let of = |marks: &Vec<String>| marks.iter().any(|mark| mark == percentile);
            match place.request {
                Some(kind) => trial.validity.at_floor.get(kind).is_some_and(of),
                None => trial.validity.at_floor.values().any(of),
            }
        };
        let (all, marked) = (own.clone().count(), own.filter(marked).count());
        2 * marked > all
    })
}
