//! Comparisons that every run makes: each contender with the first one.

use super::series::{End, Place, alike_read, behind_the_floor, paired, series};
use super::{CONFIDENCE, better, everything_lost, finite};
use crate::error::{Error, Result};
use crate::record::{Comparison, Direction, Trial};
use crate::scenario::{LoadKind, Metric, Scenario};
use crate::stats;
use crate::stats::Better;

/// Every contender against the first one, at every level, for every request kind; those of the headline at the level of
/// the run's family.
pub(crate) fn comparisons(
    family: Family,
    scenario: &Scenario,
    trials: &[Trial],
) -> Vec<Comparison> {
    let Some((first, others)) = scenario.contenders.split_first() else { return Vec::new() };
    let mut comparisons = Vec::new();
    for (number, level) in levels(scenario).iter().enumerate() {
        for (request, metric) in compared(scenario) {
            let place = Place { scenario, level, request };
            let own = request.is_none() || request == first_kind(scenario);
            let own = own || metric == Metric::Completion;
            let headline = (number == 0 && own && scenario.headline == Some(metric))
                .then(|| family.confidence());
            for other in others {
                let found = compare(
                    trials,
                    place,
                    metric,
                    headline.unwrap_or(CONFIDENCE),
                    [&other.name, &first.name],
                );
                comparisons.push(Comparison { headline_confidence: headline, ..found });
            }
        }
    }
    comparisons
}

fn first_kind(scenario: &Scenario) -> Option<&str> {
    scenario.mix.first().map(|(operation, _)| operation.name())
}

/// The levels as trials name them.
pub(crate) fn levels(scenario: &Scenario) -> Vec<String> {
    let places = match scenario.load.kind {
        LoadKind::Open(_) => scenario.rates.len(),
        LoadKind::Closed => 1,
    };
    (0..places).map(|place| scenario.level_name(place)).collect()
}

/// What every run compares: latency for each request kind, what it cost, and the headline.
fn compared(scenario: &Scenario) -> Vec<(Option<&str>, Metric)> {
    let latency: &[Metric] = match scenario.load.kind {
        LoadKind::Open(_) => &[Metric::P50, Metric::P99],
        LoadKind::Closed => &[],
    };
    let kinds = scenario.mix.iter().map(|(operation, _)| operation.name());
    let mut compared: Vec<_> =
        kinds.flat_map(|kind| latency.iter().map(move |&metric| (Some(kind), metric))).collect();
    if matches!(scenario.load.kind, LoadKind::Closed) {
        compared.push((None, Metric::Achieved));
    }
    compared.extend([(None, Metric::CpuPerRequest), (None, Metric::Memory)]);
    if scenario.slo.is_some() && scenario.disturbance().is_some() {
        compared.extend([(None, Metric::Goodput), (None, Metric::Recovery)]);
    }
    let headline = scenario.headline.filter(|one| !compared.iter().any(|(_, known)| known == one));
    compared.extend(headline.map(|metric| match metric {
        Metric::Completion => (Some("distribution"), metric),
        metric => (first_kind(scenario).filter(|_| metric.is_of_a_request()), metric),
    }));
    compared
}

/// Where percentiles are bounds a ratio has two ends. The one that is nearer to 1 is given, with the limits of both; a
/// difference is one where it is one at both.
pub(super) fn compare(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    confidence: f64,
    [of, versus]: [&str; 2],
) -> Comparison {
    let at = |end, other| compare_at(trials, place, metric, confidence, (of, end), (versus, other));
    let (low, high) = (at(End::Low, End::High), at(End::High, End::Low));
    let far = |one: &Comparison| one.ratio.map_or(f64::INFINITY, |ratio| ratio.ln().abs());
    let verdict = if low.verdict == high.verdict { high.verdict } else { Direction::Inconclusive };
    let limits = (low.low, high.high);
    let nearer = if far(&low) < far(&high) { low } else { high };
    Comparison { verdict, low: limits.0, high: limits.1, ..nearer }
}

/// The same with each one's percentiles at an end of their intervals.
fn compare_at(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    confidence: f64,
    (of, end): (&str, End),
    (versus, other): (&str, End),
) -> Comparison {
    let a = series(trials, place, metric, of, end);
    let b = series(trials, place, metric, versus, other);
    let comparable = metric != Metric::Memory || alike_read(trials, place, [of, versus]);
    let (a, b) = if comparable { paired(&a, &b) } else { Default::default() };
    let comparison = stats::ratio_of(&a, &b, better(metric), confidence);
    let ratio = comparison.and_then(|comparison| comparison.ratio);
    let interval = ratio.and_then(|ratio| ratio.interval);
    let lost = comparison.map_or([0; 2], |comparison| comparison.lost);
    let first_is_worse = everything_lost(lost, a.len()).map(|side| side == 0);
    // What is printed as equal is not ranked.
    let equal = ratio.is_some_and(|ratio| reads_as_equal(ratio.value));
    let verdict = match (first_is_worse, interval) {
        (Some(worse), _) if worse == (better(metric) == Better::Less) => Direction::Higher,
        (Some(_), _) => Direction::Lower,
        (None, _) if equal => Direction::Inconclusive,
        (None, Some(interval)) if interval.low > 1.0 && !reads_as_equal(interval.low) => {
            Direction::Higher
        }
        (None, Some(interval)) if interval.high < 1.0 && !reads_as_equal(interval.high) => {
            Direction::Lower
        }
        _ => Direction::Inconclusive,
    };
    let [lost_of, lost_versus] = lost;
    Comparison {
        workload: place.scenario.workload.name().into(),
        scenario: place.scenario.name.clone(),
        metric: metric.name().into(),
        request: place.request.map(Into::into),
        at: place.level.into(),
        of: of.into(),
        versus: versus.into(),
        ratio: ratio.map(|ratio| ratio.value).filter(positive),
        low: interval.map(|interval| interval.low).filter(positive),
        high: interval.map(|interval| interval.high).and_then(finite),
        difference: comparison.and_then(|comparison| finite(comparison.difference.value)),
        n: a.len() as u32,
        lost_of: lost_of as u32,
        lost_versus: lost_versus as u32,
        verdict,
        headline_confidence: None,
        at_floor: behind_the_floor(trials, place, metric, [of, versus]).map(Into::into),
    }
}

/// As it is printed.
pub(super) fn reads_as_equal(ratio: f64) -> bool {
    format!("{ratio:.2}") == "1.00"
}

/// Neither end of what lost rounds leave open.
fn positive(ratio: &f64) -> bool {
    *ratio > 0.0 && ratio.is_finite()
}

/// The headline comparisons of all scenarios of a run, judged at a level at which all of them hold together. A run's
/// other comparisons are exploratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    size: usize,
}

impl Family {
    /// The first contender of each scenario against each other one.
    pub(crate) fn of(scenarios: &[Scenario]) -> Self {
        Self { size: scenarios.iter().map(pairs).sum() }
    }

    /// Of each interval, so that all of them hold at 95 % (Bonferroni).
    pub(crate) fn confidence(self) -> f64 {
        1.0 - (1.0 - CONFIDENCE) / self.size.max(1) as f64
    }

    /// The fewest rounds of which such an interval can be had.
    pub(crate) fn rounds_needed(self) -> u32 {
        if self.size == 0 { 1 } else { stats::fewest_pairs(self.confidence()) as u32 }
    }
}

/// Headline comparisons of a scenario.
fn pairs(scenario: &Scenario) -> usize {
    let compares = scenario.load.kind == LoadKind::Closed || !scenario.rates.is_empty();
    match scenario.headline.is_some() && compares {
        true => scenario.contenders.len().saturating_sub(1),
        false => 0,
    }
}

/// Whether every scenario of a run has the rounds that its headline needs.
///
/// # Errors
/// Usage, with the number.
pub(crate) fn check_rounds(scenarios: &[Scenario]) -> Result<()> {
    let family = Family::of(scenarios);
    let (needed, size) = (family.rounds_needed(), family.size);
    let Some(short) = scenarios.iter().find(|one| pairs(one) > 0 && one.rounds < needed) else {
        return Ok(());
    };
    let (rounds, name) = (short.rounds, &short.name);
    let comparisons = if size == 1 { "comparison needs" } else { "comparisons together need" };
    Err(Error::usage(format!(
        "{rounds} rounds of {name} are too few: {size} headline {comparisons} {needed}"
    ))
    .help(format!(
        "give --rounds {needed} or more, or --smoke to see whether it works; with headline = \"none\" in the \
         scenario every comparison is exploratory"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::scenario::{BUILTIN, Metric, builtin};

    fn all_comparisons(scenario: &Scenario, trials: &[Trial]) -> Vec<Comparison> {
        comparisons(Family::of(std::slice::from_ref(scenario)), scenario, trials)
    }

    #[test]
    fn the_headline_is_judged_at_the_level_of_its_family_and_nothing_else_is() {
        let mut scenario = crate::scenario::mocked();
        scenario.headline = Some(Metric::CpuPerRequest);
        let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", 130.0, 1.0)];
        let mut trials = mock::payments(8, &shapes).trials;
        trials.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
        let found = |scenario: &Scenario| {
            let all = all_comparisons(scenario, &trials);
            let headline: Vec<Comparison> =
                all.into_iter().filter(|c| c.headline_confidence.is_some()).collect();
            assert!(headline.iter().all(|c| c.metric == "cpu_per_request"));
            headline
        };
        let wide = found(&scenario);
        assert_eq!(wide.len(), 3, "one of each other contender");
        assert!(wide.iter().all(|c| c.headline_confidence == Some(1.0 - 0.05 / 3.0)));
        scenario.contenders.truncate(2);
        let alone = found(&scenario);
        assert_eq!(alone[0].headline_confidence, Some(0.95));
        let width = |c: &Comparison| c.high.unwrap() / c.low.unwrap();
        assert!(width(&wide[0]) >= width(&alone[0]));
        let n = wide[0].n as usize;
        let law = |confidence| crate::stats::misses(n, confidence);
        assert!(law(1.0 - 0.05 / 3.0) < law(0.95), "the limits are others");
        scenario.headline = Some(Metric::P90);
        let p90 = all_comparisons(&scenario, &trials);
        let p90: Vec<_> = p90.iter().filter(|c| c.metric == "p90").collect();
        assert_eq!((p90.len(), p90[0].request.as_deref()), (1, Some("payment")));
    }

    #[test]
    fn scenarios_of_one_run_are_compared_each_with_itself() {
        let mut here = crate::scenario::mocked();
        here.contenders.truncate(2);
        let elsewhere = Scenario { name: "elsewhere".into(), ..here.clone() };
        let mut trials = Vec::new();
        for (scenario, second) in [(&elsewhere, 400.0), (&here, 110.0)] {
            let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", second, 1.0)];
            let mut all = mock::payments(6, &shapes).trials;
            all.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
            trials.extend(all);
        }
        let p99 = |scenario: &Scenario| {
            let all = all_comparisons(scenario, &trials);
            let found = all.into_iter().find(|c| c.metric == "p99").unwrap();
            (found.scenario, (10.0 * found.ratio.unwrap()).round(), found.n)
        };
        assert_eq!(p99(&here), ("tour-payment".into(), 11.0, 6));
        assert_eq!(p99(&elsewhere), ("elsewhere".into(), 40.0, 6));
    }

    /// The p99 of the second against the first, where the second has so many times its own.
    fn p99(times: f64, marked: usize) -> Comparison {
        let mut scenario = crate::scenario::mocked();
        scenario.contenders.truncate(2);
        let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", 100.0 * times, 1.0)];
        let mut trials = mock::payments(6, &shapes).trials;
        trials.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
        for trial in trials.iter_mut().filter(|one| one.contender == "event-loop").take(marked) {
            trial.validity.at_floor = [("payment".to_owned(), vec!["p99".to_owned()])].into();
        }
        all_comparisons(&scenario, &trials).into_iter().find(|c| c.metric == "p99").unwrap()
    }

    #[test]
    fn what_reads_as_equal_is_not_ranked() {
        assert_eq!(p99(1.02, 0).verdict, Direction::Higher);
        let equal = p99(1.003, 0);
        assert!(equal.low.unwrap() > 1.0, "{equal:?}");
        assert_eq!(equal.verdict, Direction::Inconclusive);
    }

    #[test]
    fn who_is_at_the_machines_floor_in_most_rounds_is_named() {
        assert_eq!(p99(1.0, 3).at_floor, None);
        let unseen = p99(1.0, 4);
        assert_eq!(unseen.verdict, Direction::Inconclusive);
        assert_eq!(unseen.at_floor.as_deref(), Some("event-loop"));
        assert_eq!(
            p99(1.5, 4).verdict,
            Direction::Higher,
            "the floor hides a difference and makes none"
        );
    }

    fn scenario(contenders: usize, rounds: u32) -> Scenario {
        let mut scenario = builtin("tour-payment").unwrap();
        scenario.contenders.truncate(contenders);
        Scenario { rounds, headline: Some(Metric::P99), ..scenario }
    }

    #[test]
    fn all_races_of_a_run_are_one_family() {
        for (scenarios, size, needed) in [
            (vec![scenario(1, 1)], 0, 1),
            (vec![scenario(2, 6)], 1, 6),
            (vec![scenario(4, 7)], 3, 7),
            (vec![scenario(4, 8), scenario(4, 8)], 6, 8),
            (vec![scenario(4, 8), Scenario { headline: None, ..scenario(4, 8) }], 3, 7),
        ] {
            let family = Family::of(&scenarios);
            assert_eq!((family.size, family.rounds_needed()), (size, needed));
            assert!((family.confidence() - (1.0 - 0.05 / size.max(1) as f64)).abs() < 1e-12);
            check_rounds(&scenarios).unwrap();
        }
    }

    #[test]
    fn a_run_that_cannot_say_what_it_is_for_is_refused_with_the_number() {
        let refused = check_rounds(&[scenario(4, 8), scenario(4, 7)]).unwrap_err().to_string();
        let said = "7 rounds of tour-payment are too few: 6 headline comparisons together need 8";
        assert!(refused.contains(said), "{refused}");
        check_rounds(&[Scenario { headline: None, ..scenario(4, 1) }]).unwrap();
        check_rounds(&[scenario(4, 7), scenario(1, 1)]).unwrap();
        check_rounds(&[scenario(4, 7), Scenario { rates: Vec::new(), ..scenario(4, 1) }]).unwrap();
    }

    #[test]
    fn every_built_in_scenario_has_the_rounds_that_its_headline_needs() {
        let all = BUILTIN.iter().map(|(name, _)| builtin(name).unwrap());
        let short = all.filter_map(|scenario| check_rounds(&[scenario]).err());
        let short: Vec<String> = short.map(|error| error.to_string()).collect();
        assert!(short.is_empty(), "{short:#?}");
        check_rounds(&crate::scenario::tour()).unwrap();
    }
}
