//! Statements about capacities, which are known between two rates each and belong to no trial.

use super::{Found, Judged, figure, limits, ratio_text, unit};
use crate::report::schema::{Capacity, StatementVerdict};
use crate::scenario::{Scenario, Statement};
use crate::stats::{Estimate, Interval};

/// Judges a statement about a capacity: holds or fails when its whole range lies inside or outside the bound.
pub(super) fn judge(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judged {
    let undecided = |why: String| (StatementVerdict::Inconclusive, None, why);
    if found.capacity.is_empty() {
        return undecided("needs the capacity experiment".into());
    }
    let range = |contender: &str| range(found.capacity, scenario.workload.name(), contender);
    let of = range(&statement.of);
    let versus = statement.versus.as_deref().map(range);
    let (low, high) = match (of, versus) {
        (Some(of), None) => of,
        (Some(_), Some(Some(_))) if the_pool_binds_both(scenario, statement, found) => {
            return undecided("the pool binds both".into());
        }
        (Some(of), Some(Some(versus))) => (of.0 / versus.1, of.1 / versus.0),
        (None, _) => return undecided(format!("no capacity of {} was found", statement.of)),
        (_, Some(None)) => {
            let versus = statement.versus.as_deref().unwrap_or_default();
            return undecided(format!("no capacity of {versus} was found"));
        }
    };
    let (least, most) = limits(statement.bound);
    let verdict = if low >= least && high <= most {
        StatementVerdict::Holds
    } else if high < least || low > most {
        StatementVerdict::Fails
    } else {
        StatementVerdict::Inconclusive
    };
    let show = |value: f64| match (statement.versus.is_some(), value.is_finite()) {
        (_, false) => "no bound".to_owned(),
        (true, true) => format!("{value:.2}x"),
        (false, true) => figure(value, unit(statement.metric)),
    };
    if low > 0.0 && high.is_finite() {
        let interval = Some(Interval { low, high });
        let estimate = Estimate { value: (low * high).sqrt(), interval, n: 1 };
        let shown = match statement.versus {
            Some(_) => ratio_text(estimate),
            None => format!("at least {}, below {}", show(low), show(high)),
        };
        return (verdict, Some(estimate), shown);
    }
    (verdict, None, format!("from {} to {}", show(low), show(high)))
}

/// The capacity of one contender less the other's, from the middles of their ranges.
pub(super) fn difference(statement: &Statement, all: &[Capacity]) -> Option<f64> {
    let middle = |name: &str| {
        let known = all.iter().find(|capacity| capacity.contender == name)?;
        Some((known.at_least_rps? * known.below_rps?).sqrt())
    };
    Some(middle(&statement.of)? - middle(statement.versus.as_deref()?)?)
}

/// From what it kept to what it did not.
fn range(all: &[Capacity], workload: &str, contender: &str) -> Option<(f64, f64)> {
    let known = all.iter().find(|one| one.workload == workload && one.contender == contender)?;
    if known.at_least_rps.is_none() && known.below_rps.is_none() {
        return None;
    }
    Some((known.at_least_rps.unwrap_or(0.0), known.below_rps.unwrap_or(f64::INFINITY)))
}

/// Whether equal pools are the lowest ceiling of both: then what is compared is the pool with itself.
fn the_pool_binds_both(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> bool {
    let depends = scenario.store.dependency().map(|one| one.describe());
    let ceiling = |name: &str| {
        let workload = scenario.workload.name();
        found.ceilings.iter().find(|one| one.is_of(workload, name, depends.as_deref()))
    };
    let versus = statement.versus.as_deref().and_then(ceiling);
    ceiling(&statement.of)
        .zip(versus)
        .is_some_and(|(a, b)| a.binds == "pool" && b.binds == "pool" && a.pool_rps == b.pool_rps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::schema::Ceiling;
    use crate::scenario::{Bound, Metric, builtin};

    fn judged(bound: Bound, versus: bool, capacity: &[Capacity], binds: &str) -> Judged {
        let scenario = builtin("payment-50ms-query-small-pool").unwrap();
        let [a, b] = [&scenario.contenders[0].name, &scenario.contenders[1].name];
        let statement = Statement {
            text: "x".into(),
            metric: Metric::Capacity,
            of: a.clone(),
            versus: versus.then(|| b.clone()),
            at: None,
            request: None,
            bound,
        };
        let ceilings = [a, b].map(|name| Ceiling {
            workload: "payment".into(),
            contender: name.clone(),
            closed_rps: None,
            cpu_rps: Some(9_000.0),
            pool_rps: Some(424.0),
            threads_rps: None,
            binds: binds.into(),
            dependency: scenario.store.dependency().map(|one| one.describe()),
        });
        judge(
            &scenario,
            &statement,
            Found { trials: &[], ceilings: &ceilings, capacity, footprints: &[] },
        )
    }

    fn capacities(of: (f64, f64), versus: (f64, f64)) -> Vec<Capacity> {
        let scenario = builtin("payment-50ms-query-small-pool").unwrap();
        let capacity = |place: usize, (at_least, below): (f64, f64)| Capacity {
            contender: scenario.contenders[place].name.clone(),
            at_least_rps: Some(at_least),
            below_rps: below.is_finite().then_some(below),
            workload: "payment".into(),
            bound_by: String::new(),
            trials: 0,
            reason: String::new(),
        };
        vec![capacity(0, of), capacity(1, versus)]
    }

    #[test]
    fn without_an_experiment_nothing_is_known() {
        let (verdict, estimate, why) = judged(Bound::Within(1.25), true, &[], "cpu");
        assert_eq!(verdict, StatementVerdict::Inconclusive);
        assert!(estimate.is_none() && why == "needs the capacity experiment", "{why}");
    }

    #[test]
    fn a_ratio_lies_between_the_extremes_of_both_ranges() {
        let found = capacities((1_000.0, 1_100.0), (1_000.0, 1_100.0));
        let (verdict, estimate, _) = judged(Bound::Within(1.25), true, &found, "cpu");
        let interval = estimate.unwrap().interval.unwrap();
        assert_eq!(verdict, StatementVerdict::Holds);
        assert!((interval.low - 1.0 / 1.1).abs() < 1e-9 && (interval.high - 1.1).abs() < 1e-9);
        let verdict = |bound, of| judged(bound, true, &capacities(of, (1_000.0, 1_100.0)), "cpu").0;
        assert_eq!(
            verdict(Bound::Within(1.05), (1_000.0, 1_100.0)),
            StatementVerdict::Inconclusive
        );
        assert_eq!(verdict(Bound::Within(1.25), (2_000.0, 2_200.0)), StatementVerdict::Fails);
        let open = (2_000.0, f64::INFINITY);
        assert_eq!(verdict(Bound::AtLeast(1.5), open), StatementVerdict::Holds);
        assert_eq!(verdict(Bound::Within(1.25), open), StatementVerdict::Fails);
    }

    #[test]
    fn an_absolute_bound_is_met_by_the_whole_range() {
        let found = capacities((1_000.0, 1_100.0), (1.0, 2.0));
        let verdict = |least| judged(Bound::AtLeast(least), false, &found, "pool").0;
        assert_eq!(verdict(900.0), StatementVerdict::Holds);
        assert_eq!(verdict(1_050.0), StatementVerdict::Inconclusive);
        assert_eq!(verdict(1_200.0), StatementVerdict::Fails);
    }

    #[test]
    fn a_pool_that_binds_both_settles_nothing() {
        let found = capacities((400.0, 420.0), (400.0, 420.0));
        let (verdict, _, why) = judged(Bound::Within(1.25), true, &found, "pool");
        assert_eq!(verdict, StatementVerdict::Inconclusive);
        assert_eq!(why, "the pool binds both");
    }
}
