//! Statements about capacities, which are known between two rates each and belong to no trial.

use super::{Found, Judged, figure, limits, unit};
use crate::record::Resource;
use crate::record::{Capacity, Ceiling, StatementVerdict};
use crate::scenario::{Scenario, Statement};
use crate::stats::{Estimate, Interval};

/// Judges a statement about a capacity: it holds or fails when all that the searches leave possible lies inside or
/// outside the bound. A ratio is taken at its worst: the least of one over the most of the other, and the reverse.
pub(super) fn judge(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judged {
    if found.capacity.is_empty() {
        return Judged::inconclusive("needs the capacity experiment");
    }
    let known = |name: &str| {
        let own = find(found.capacity, scenario, name).filter(|one| is_known(one));
        own.ok_or_else(|| format!("no capacity of {name} was found"))
    };
    let versus = statement.versus.as_deref().map(known).transpose();
    let (of, versus) = match (known(&statement.of), versus) {
        (Ok(of), Ok(versus)) => (of, versus),
        (Err(why), _) | (_, Err(why)) => return Judged::inconclusive(why),
    };
    let (low, high) = match versus {
        Some(versus) if the_pool_binds_both(of, versus, found.ceilings) => {
            return Judged::inconclusive("the pool binds both");
        }
        Some(versus) => interval(of, versus).unwrap_or((0.0, f64::INFINITY)),
        None => (of.at_least_rps.unwrap_or(0.0), of.below_rps.unwrap_or(f64::INFINITY)),
    };
    let (least, most) = limits(statement.bound);
    let verdict = if low >= least && high <= most {
        StatementVerdict::Holds
    } else if high < least || low > most {
        StatementVerdict::Fails
    } else {
        StatementVerdict::Inconclusive
    };
    let trials = versus.map_or(of.trials, |versus| versus.trials.min(of.trials));
    let bounded = low > 0.0 && high.is_finite();
    let estimate = bounded.then(|| Estimate {
        value: (low * high).sqrt(),
        interval: Some(Interval { low, high }),
        n: trials as usize,
    });
    let trials = match versus {
        Some(versus) => format!("{} and {} trials", of.trials, versus.trials),
        None => format!("{} trials", of.trials),
    };
    let figure = format!("{}, from {trials}", shown(statement, low, high));
    let difference = difference(scenario, statement, found.capacity);
    Judged { difference, ..Judged::of(verdict, estimate, figure) }
}

/// The capacity of one contender less the other's, from the middles of their ranges.
fn difference(scenario: &Scenario, statement: &Statement, all: &[Capacity]) -> Option<f64> {
    let middle = |name: &str| {
        let known = find(all, scenario, name)?;
        Some((known.at_least_rps? * known.below_rps?).sqrt())
    };
    Some(middle(&statement.of)? - middle(statement.versus.as_deref()?)?)
}

fn find<'a>(all: &'a [Capacity], scenario: &Scenario, name: &str) -> Option<&'a Capacity> {
    all.iter().find(|one| one.scenario == scenario.name && one.contender == name)
}

/// Whether one end of it was found at least.
fn is_known(capacity: &Capacity) -> bool {
    capacity.at_least_rps.or(capacity.below_rps).is_some()
}

/// `0.92x, between 0.77x and 1.09x`; `at least 5,512/s, below 7,149/s`; of an open end the other alone.
fn shown(statement: &Statement, low: f64, high: f64) -> String {
    let show = |value: f64| match statement.versus {
        Some(_) => format!("{value:.2}x"),
        None => figure(value, unit(statement.metric)),
    };
    match (low > 0.0, high.is_finite(), statement.versus.is_some()) {
        (true, true, true) => {
            format!("{}, between {} and {}", show((low * high).sqrt()), show(low), show(high))
        }
        (true, true, false) => format!("at least {}, below {}", show(low), show(high)),
        (true, false, _) => format!("at least {}", show(low)),
        (false, true, _) => format!("below {}", show(high)),
        (false, false, _) => "no end of it was found".into(),
    }
}

/// Between which ratios of / versus lies: every capacity within its interval allowed.
pub(crate) fn interval(of: &Capacity, versus: &Capacity) -> Option<(f64, f64)> {
    let low = of.at_least_rps.zip(versus.below_rps).map(|(of, versus)| of / versus);
    let high = of.below_rps.zip(versus.at_least_rps).map(|(of, versus)| of / versus);
    (low.is_some() || high.is_some()).then(|| (low.unwrap_or(0.0), high.unwrap_or(f64::INFINITY)))
}

/// Whether equal pools are the lowest ceiling of both: then what is compared is the pool with itself. Not what bound
/// the trials at the border: where a contender's cores have no more to give, its pool fills up as well.
pub(crate) fn the_pool_binds_both(of: &Capacity, versus: &Capacity, all: &[Ceiling]) -> bool {
    let ceiling =
        |one: &Capacity| all.iter().find(|ceiling| ceiling.is_of(&one.scenario, &one.contender));
    ceiling(of).zip(ceiling(versus)).is_some_and(|(a, b)| {
        a.binds == Resource::Pool && b.binds == Resource::Pool && a.pool_rps == b.pool_rps
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Ceiling;
    use crate::scenario::{Bound, Metric, builtin};

    fn judged(
        bound: Bound,
        versus: bool,
        capacity: &[Capacity],
        binds: &str,
    ) -> (StatementVerdict, Option<Estimate>, String) {
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
            decides: false,
        };
        let ceilings = [a, b].map(|name| Ceiling {
            workload: "payment".into(),
            scenario: scenario.name.clone(),
            contender: name.clone(),
            closed_rps: None,
            cpu_rps: Some(9_000.0),
            pool_rps: Some(424.0),
            threads_rps: None,
            binds: binds.parse().unwrap(),
            dependency: scenario.store.dependency().map(|one| one.describe()),
        });
        let found = Found { trials: &[], ceilings: &ceilings, capacity, footprints: &[] };
        let Judged { verdict, estimate, figure, .. } = judge(&scenario, &statement, found);
        (verdict, estimate, figure)
    }

    fn capacities(of: (f64, f64), versus: (f64, f64)) -> Vec<Capacity> {
        let scenario = builtin("payment-50ms-query-small-pool").unwrap();
        let capacity = |place: usize, (at_least, below): (f64, f64)| Capacity {
            contender: scenario.contenders[place].name.clone(),
            at_least_rps: Some(at_least),
            below_rps: below.is_finite().then_some(below),
            workload: "payment".into(),
            scenario: scenario.name.clone(),
            trials: 14,
            ..Capacity::default()
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
        let shown =
            |of| judged(Bound::Within(1.25), true, &capacities(of, (1_000.0, 1_100.0)), "cpu").2;
        assert_eq!(shown(open), "at least 1.82x, from 14 and 14 trials");
        let both = shown((1_000.0, 1_100.0));
        assert_eq!(both, "1.00x, between 0.91x and 1.10x, from 14 and 14 trials");
    }

    #[test]
    fn ranges_that_overlap_the_bound_settle_nothing_and_a_missing_one_is_named() {
        let found = capacities((5_512.0, 7_149.0), (5_517.0, 6_017.0));
        for bound in [Bound::AtLeast(1.0), Bound::AtMost(1.0), Bound::Within(1.25)] {
            let (verdict, estimate, shown) = judged(bound, true, &found, "cpu");
            assert_eq!(verdict, StatementVerdict::Inconclusive, "{bound:?}");
            let interval = estimate.unwrap().interval.unwrap();
            assert!(interval.low < 1.0 && interval.high > 1.25, "{shown}");
        }
        let (verdict, _, why) = judged(Bound::AtLeast(1.0), true, &found[..1], "cpu");
        assert_eq!(verdict, StatementVerdict::Inconclusive);
        assert!(why.starts_with("no capacity of") && why.contains(&two_names()[1]), "{why}");
    }

    fn two_names() -> [String; 2] {
        let scenario = builtin("payment-50ms-query-small-pool").unwrap();
        [0, 1].map(|place| scenario.contenders[place].name.clone())
    }

    #[test]
    fn an_absolute_bound_is_met_by_the_whole_range() {
        let found = capacities((1_000.0, 1_100.0), (1.0, 2.0));
        let verdict = |least| judged(Bound::AtLeast(least), false, &found, "pool").0;
        assert_eq!(verdict(900.0), StatementVerdict::Holds);
        assert_eq!(verdict(1_050.0), StatementVerdict::Inconclusive);
        assert_eq!(verdict(1_200.0), StatementVerdict::Fails);
        let (_, estimate, shown) = judged(Bound::AtLeast(900.0), false, &found, "pool");
        assert_eq!(shown, "at least 1,000/s, below 1,100/s, from 14 trials");
        assert_eq!(estimate.unwrap().n, 14);
    }

    #[test]
    fn a_pool_that_binds_both_settles_nothing() {
        let found = capacities((400.0, 420.0), (400.0, 420.0));
        let (verdict, _, why) = judged(Bound::Within(1.25), true, &found, "pool");
        assert_eq!(verdict, StatementVerdict::Inconclusive);
        assert_eq!(why, "the pool binds both");
    }
}
