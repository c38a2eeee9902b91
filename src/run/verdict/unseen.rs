//! Percentiles that could not be seen: no better than the stops of this machine would make those of any service.

use crate::report::schema::Trial;
use crate::scenario::{Metric, Scenario, Statement};

/// The contender of which more than half of the trials that count are at the machine's floor in the statement's percentile.
pub(super) fn behind_the_floor<'s>(
    scenario: &Scenario,
    statement: &'s Statement,
    trials: &[Trial],
) -> Option<&'s str> {
    let percentile = match statement.metric {
        // A distribution's median.
        Metric::Completion => "p50",
        metric => metric.name(),
    };
    let level = statement.at.map(|level| level.to_string());
    let named = [Some(statement.of.as_str()), statement.versus.as_deref()];
    named.into_iter().flatten().find(|name| {
        let own = trials.iter().filter(|trial| {
            trial.scenario == scenario.name
                && trial.contender == *name
                && !trial.voided
                && level.as_ref().is_none_or(|level| trial.level == *level)
        });
        let marked = |trial: &&Trial| {
            let of = |marks: &Vec<String>| marks.iter().any(|mark| mark == percentile);
            match &statement.request {
                Some(kind) => trial.validity.at_floor.get(kind).is_some_and(of),
                None => trial.validity.at_floor.values().any(of),
            }
        };
        let (all, marked) = (own.clone().count(), own.filter(marked).count());
        2 * marked > all
    })
}
