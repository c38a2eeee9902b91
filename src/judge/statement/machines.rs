//! What each machine of a run shows alone that was joined from shards: estimates without intervals, which no verdict uses.

use super::comparison::{compare, reads_as_equal};
use super::series::Place;
use super::{CONFIDENCE, level_of, request_of};
use crate::record::{AcrossMachines, Comparison, Direction, OnMachine, Trial};
use crate::scenario::{Metric, Scenario};

/// A comparison that the run was made for.
#[derive(Debug, PartialEq)]
struct Declared<'a> {
    metric: Metric,
    request: Option<&'a str>,
    level: String,
    of: &'a str,
    versus: &'a str,
}

/// The comparisons of the headline and of the statements, on each machine; `trials` has those of each.
pub(crate) fn across_machines(
    scenario: &Scenario,
    comparisons: &[Comparison],
    trials: &[Vec<Trial>],
) -> Vec<AcrossMachines> {
    let on_each = |(one, statement): (Declared<'_>, Option<&str>)| {
        let Declared { metric, request, level, of, versus } = one;
        let place = Place { scenario, level: &level, request };
        let on = |own: &Vec<Trial>| on_machine(own, place, metric, [of, versus]);
        let each: Vec<OnMachine> = trials.iter().map(on).collect();
        let first = each.first().map_or(Direction::Inconclusive, |one| one.side);
        AcrossMachines {
            statement: statement.map(Into::into),
            metric: metric.name().into(),
            request: request.map(Into::into),
            at: level.clone(),
            of: of.into(),
            versus: versus.into(),
            agree: first != Direction::Inconclusive && each.iter().all(|one| one.side == first),
            each,
        }
    };
    declared(scenario, comparisons).into_iter().map(on_each).collect()
}

/// Each once, with the first statement that makes it.
fn declared<'a>(
    scenario: &'a Scenario,
    comparisons: &'a [Comparison],
) -> Vec<(Declared<'a>, Option<&'a str>)> {
    let headline = comparisons.iter().filter(|c| c.headline_confidence.is_some()).filter_map(|c| {
        let metric = Metric::ALL.into_iter().find(|metric| metric.name() == c.metric)?;
        let (request, level) = (c.request.as_deref(), c.at.clone());
        Some((Declared { metric, request, level, of: &c.of, versus: &c.versus }, None))
    });
    let statements = scenario.statements().filter_map(|statement| {
        let metric = statement.metric;
        let of_trials = metric != Metric::Capacity && !metric.is_of_a_footprint();
        let versus = statement.versus.as_deref().filter(|_| of_trials)?;
        let (request, level) = (request_of(scenario, statement), level_of(statement));
        let declared = Declared { metric, request, level, of: &statement.of, versus };
        Some((declared, Some(statement.text.as_str())))
    });
    let mut all: Vec<(Declared<'a>, Option<&'a str>)> = Vec::new();
    for (one, text) in headline.chain(statements) {
        match all.iter_mut().find(|(other, _)| *other == one) {
            Some((_, of)) => *of = of.or(text),
            None => all.push((one, text)),
        }
    }
    all
}

fn on_machine(trials: &[Trial], place: Place<'_>, metric: Metric, pair: [&str; 2]) -> OnMachine {
    let c = compare(trials, place, metric, CONFIDENCE, pair);
    let side = match c.ratio {
        Some(ratio) if reads_as_equal(ratio) => Direction::Inconclusive,
        Some(ratio) if ratio > 1.0 => Direction::Higher,
        Some(_) => Direction::Lower,
        // Only where one of the two lost all rounds.
        None => c.verdict,
    };
    OnMachine { ratio: c.ratio, side, n: c.n, lost_of: c.lost_of, lost_versus: c.lost_versus }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::statement::{Family, comparisons};
    use crate::record::LostBy;
    use crate::scenario::{Bound, Statement};

    /// Two contenders on machines where the second has so many times the CPU of the first.
    fn on(times: &[f64]) -> (Scenario, Vec<Vec<Trial>>) {
        let mut scenario = crate::scenario::mocked();
        scenario.contenders.truncate(2);
        scenario.headline = Some(Metric::CpuPerRequest);
        scenario.claims.clear();
        scenario.expectations.clear();
        let machine = |(place, times): (u32, &f64)| {
            let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", 100.0 * times, 1.0)];
            let mut trials = mock::payments(3, &shapes).trials;
            for trial in &mut trials {
                trial.scenario = scenario.name.clone();
                trial.round += 3 * place;
            }
            trials
        };
        let trials = (0..).zip(times).map(machine).collect();
        (scenario, trials)
    }

    fn found(scenario: &Scenario, trials: &[Vec<Trial>]) -> Vec<AcrossMachines> {
        let family = Family::of(std::slice::from_ref(scenario));
        let joined = comparisons(family, scenario, &trials.concat());
        across_machines(scenario, &joined, trials)
    }

    #[test]
    fn machines_agree_where_all_are_on_one_side() {
        use Direction::{Higher, Inconclusive, Lower};
        for (times, sides, agree) in [
            ([1.2, 1.3, 1.1], [Higher; 3], true),
            ([0.8, 0.9, 0.7], [Lower; 3], true),
            ([1.2, 0.9, 1.1], [Higher, Lower, Higher], false),
            ([1.2, 1.0, 1.1], [Higher, Inconclusive, Higher], false),
            ([1.0, 1.0, 1.0], [Inconclusive; 3], false),
        ] {
            let (scenario, trials) = on(&times);
            let found = found(&scenario, &trials);
            assert_eq!(found.len(), 1, "the headline alone");
            let one = &found[0];
            assert_eq!((&*one.metric, one.agree), ("cpu_per_request", agree), "{times:?}");
            assert!(one.each.iter().map(|it| it.side).eq(sides), "{one:?}");
            assert!(one.each.iter().zip(times).all(|(it, times)| {
                it.n == 3 && (it.ratio.unwrap() / times - 1.0).abs() < 0.02
            }));
        }
    }

    #[test]
    fn a_statement_is_a_comparison_of_its_own_unless_it_is_the_headlines() {
        let (mut scenario, trials) = on(&[1.2, 1.3]);
        let statement = |metric, [of, versus]: [&str; 2], text: &str| Statement {
            text: text.into(),
            metric,
            of: of.into(),
            versus: Some(versus.into()),
            at: scenario.rates.first().copied(),
            request: None,
            bound: Bound::AtLeast(1.0),
            decides: false,
        };
        let pair = ["work-stealing", "event-loop"];
        let claims = vec![
            statement(Metric::CpuPerRequest, pair, "more CPU"),
            statement(Metric::P99, [pair[1], pair[0]], "a shorter tail"),
            statement(Metric::Capacity, pair, "no metric of trials"),
            Statement { versus: None, ..statement(Metric::P99, pair, "of one alone") },
        ];
        scenario.claims = claims;
        let found = found(&scenario, &trials);
        let told: Vec<_> = found.iter().map(|one| (one.statement.as_deref(), &*one.of)).collect();
        assert_eq!(told, [(Some("more CPU"), pair[0]), (Some("a shorter tail"), pair[1])]);
        assert_eq!(found[1].request.as_deref(), Some("payment"));
    }

    #[test]
    fn who_lost_all_rounds_of_a_machine_is_on_the_worse_side_there() {
        let (scenario, mut trials) = on(&[1.2, 0.8]);
        for trial in trials[1].iter_mut().filter(|trial| trial.contender == "work-stealing") {
            trial.validity.lost = true;
            trial.validity.lost_by = Some(LostBy::Crash);
        }
        let found = found(&scenario, &trials);
        let [first, second] = &found[0].each[..] else { panic!("{found:?}") };
        assert_eq!((second.ratio, second.side, second.lost_of), (None, Direction::Higher, 3));
        assert!(found[0].agree && first.ratio.is_some(), "{found:?}");
        trials[1].clear();
        let none = super::across_machines(&scenario, &[], &trials);
        assert!(none.is_empty(), "nothing was declared");
    }
}
