//! When a contender is warm, from what its answers cost in the course of a pilot.
//! After the trials: whether their first halves cost more than their second ones, so that they were still warming up.

use crate::load::plan::Arrivals;
use crate::record::{Trial, TrialVerdict};
use crate::scenario::{LoadKind, Scenario};
use crate::stats::median;
use crate::units::Nanos;

/// What was seen between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) answered: u64,
    pub(crate) elapsed: Nanos,
    /// What they cost, all together.
    pub(crate) cost: Nanos,
}

/// Samples together that are enough for a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) answered: u64,
    /// Of each, ns.
    pub(crate) cost: f64,
}

/// A span has so many answers and lasts so long at least.
pub(crate) const ANSWERS_MIN: u64 = 500;
pub(crate) const SPAN_MIN: Nanos = Nanos(100 * Nanos::MILLI.0);
/// Spans that are looked at together.
const TOGETHER: usize = 4;
/// What costs no more than this much of the end's cost is as warm as the end.
pub(crate) const MORE_EXPENSIVE: f64 = 1.10;
/// A warm-up has so many times the requests after which the pilot was warm.
const MARGIN: f64 = 1.5;

/// Puts samples together; what is left at the end is too little for a span.
pub(crate) fn spans(samples: impl IntoIterator<Item = Sample>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut sum = Sample { answered: 0, elapsed: Nanos(0), cost: Nanos(0) };
    for sample in samples {
        sum.answered += sample.answered;
        sum.elapsed += sample.elapsed;
        sum.cost += sample.cost;
        if sum.answered >= ANSWERS_MIN && sum.elapsed >= SPAN_MIN {
            spans.push(Span {
                answered: sum.answered,
                cost: sum.cost.0 as f64 / sum.answered as f64,
            });
            sum = Sample { answered: 0, elapsed: Nanos(0), cost: Nanos(0) };
        }
    }
    spans
}

/// Right answers after which no four spans in a row cost over 10 % more than the last third of all. Nothing where four
/// that reach into the last third do: that was not steady. Nothing either of fewer than four.
pub(crate) fn warm_after(spans: &[Span]) -> Option<u64> {
    if spans.len() < TOGETHER {
        return None;
    }
    let last = spans.len() - spans.len().div_ceil(3);
    let limit = MORE_EXPENSIVE * mean(&spans[last..]);
    let expensive = spans.windows(TOGETHER).rposition(|four| mean(four) > limit);
    let warm = expensive.map_or(0, |first| first + 1);
    let steady = expensive.is_none_or(|first| first + TOGETHER <= last);
    steady.then(|| spans[..warm].iter().map(|span| span.answered).sum())
}

/// Whether a contender was warm from its first request: no four spans in a row cost over 10 % more than the rest, in
/// twice as many at least.
pub(crate) fn was_warm(spans: &[Span]) -> bool {
    spans.len() >= 2 * TOGETHER && warm_after(spans) == Some(0)
}

/// Requests of a warm-up where a pilot was warm after so many.
pub(crate) fn with_margin(warm_after: u64, least: u64) -> u64 {
    ((MARGIN * warm_after as f64).ceil() as u64).max(least)
}

/// What an answer of these costs.
fn mean(spans: &[Span]) -> f64 {
    let answers: f64 = spans.iter().map(|span| span.answered as f64).sum();
    spans.iter().map(|span| span.cost * span.answered as f64).sum::<f64>() / answers.max(1.0)
}

/// Marks the trials of contenders and levels whose first halves were over 10 % more expensive than their second ones, in the
/// median over the rounds that count. Only of a constant load of one kind: nothing else is alike in both halves.
pub(crate) fn mark(scenario: &Scenario, trials: &mut [Trial]) {
    let constant =
        matches!(scenario.load.kind, LoadKind::Open(Arrivals::Poisson | Arrivals::Constant))
            && scenario.mix.len() == 1
            && scenario.disturbance().is_none();
    if !constant {
        return;
    }
    let levels = (0..scenario.rates.len()).map(|place| scenario.level_name(place));
    for level in levels {
        for contender in &scenario.contenders {
            let of = |trial: &Trial| {
                trial.scenario == scenario.name
                    && trial.contender == contender.name
                    && trial.level == level
            };
            let Some(excess) = excess(trials.iter().filter(|trial| of(trial))) else { continue };
            let reason = format!(
                "still warming up: over the rounds the first half of the window cost {:.0} % more CPU per right answer than the second one; a longer warm_up in the load, or --warm-up, ends it before the window",
                100.0 * (excess - 1.0)
            );
            for trial in trials.iter_mut().filter(|trial| of(trial)) {
                trial.validity.verdict = trial.validity.verdict.max(TrialVerdict::Suspect);
                trial.validity.reasons.push(reason.clone());
            }
        }
    }
}

/// First half over second, in the median over the rounds, where that is too much.
fn excess<'a>(trials: impl Iterator<Item = &'a Trial>) -> Option<f64> {
    let ratios: Vec<f64> = trials.filter(|trial| !trial.voided).filter_map(ratio).collect();
    median(&ratios).filter(|ratio| *ratio > MORE_EXPENSIVE)
}

/// Nothing where a half has too few answers for a figure.
fn ratio(trial: &Trial) -> Option<f64> {
    let [first, second] = trial.server.cpu_us_per_request_halves[..] else { return None };
    let answered = trial.achieved_rps * trial.load.duration_s;
    (answered >= 2.0 * ANSWERS_MIN as f64 && second > 0.0).then(|| first / second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock::payments;

    fn spans_of(costs: impl IntoIterator<Item = f64>) -> Vec<Span> {
        costs.into_iter().map(|cost| Span { answered: 500, cost }).collect()
    }

    #[test]
    fn a_span_has_enough_answers_and_enough_time() {
        let sample = |answered, ms: u64| Sample {
            answered,
            elapsed: Nanos(ms * 1_000_000),
            cost: Nanos(answered * 1_000),
        };
        let all = spans([sample(300, 60), sample(300, 60), sample(5_000, 50), sample(1, 50)]);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((all[0].answered, all[1].answered), (600, 5_001));
        assert!(all.iter().all(|span| span.cost == 1_000.0));
        assert!(spans([sample(499, 1_000)]).is_empty());
    }

    #[test]
    fn what_is_level_is_warm_at_once() {
        assert_eq!(warm_after(&spans_of([200.0; 40])), Some(0));
        let noisy = (0..40).map(|i| 200.0 * (1.0 + 0.05 * f64::from(i % 2)));
        assert_eq!(warm_after(&spans_of(noisy)), Some(0));
    }

    #[test]
    fn what_was_level_all_the_time_needs_no_longer_look() {
        assert!(was_warm(&spans_of([200.0; 8])) && !was_warm(&spans_of([200.0; 7])));
        assert!(!was_warm(&spans_of((0..8).map(|i| 200.0 - 10.0 * f64::from(i)))));
    }

    /// Node.js at 1,300/s: 913 us of CPU fell to 235 over the first 3,000 requests.
    #[test]
    fn a_jit_is_warm_when_its_cost_has_fallen() {
        let falling = (0..40).map(|i| if i < 6 { 913.0 - 113.0 * f64::from(i) } else { 235.0 });
        let warm = warm_after(&spans_of(falling)).unwrap();
        assert!((2_500..=3_500).contains(&warm), "{warm}");
        assert_eq!(with_margin(warm, 1_000), warm + warm / 2);
        assert_eq!(with_margin(0, 1_000), 1_000);
    }

    #[test]
    fn a_late_hump_makes_the_warm_up_longer() {
        let hump = (0..40).map(|i| if i == 20 { 400.0 } else { 200.0 });
        assert_eq!(warm_after(&spans_of(hump)), Some(21 * 500));
    }

    #[test]
    fn what_still_falls_or_rests_on_too_little_is_not_steady() {
        assert_eq!(warm_after(&spans_of((1..=40).map(|i| 1e6 / f64::from(i)))), None);
        assert_eq!(warm_after(&spans_of([4.0, 3.0, 2.0, 1.0])), None);
        assert_eq!(warm_after(&spans_of([1.0; 3])), None);
        assert_eq!(warm_after(&[]), None);
        // A hump in the last third.
        assert_eq!(
            warm_after(&spans_of((0..40).map(|i| if i == 35 { 400.0 } else { 200.0 }))),
            None
        );
    }

    fn marked(change: impl Fn(&mut Scenario), halves: &[[f64; 2]]) -> usize {
        let mut scenario = crate::scenario::mocked();
        scenario.mix.truncate(1);
        change(&mut scenario);
        let name = scenario.contenders[0].name.clone();
        let mut trials = payments(halves.len() as u32, &[(name.as_str(), 100.0, 1.0)]).trials;
        for (trial, halves) in trials.iter_mut().zip(halves) {
            trial.scenario = scenario.name.clone();
            trial.level = scenario.level_name(0);
            (trial.achieved_rps, trial.load.duration_s) = (1_000.0, 1.0);
            trial.server.cpu_us_per_request_halves = halves.to_vec();
        }
        mark(&scenario, &mut trials);
        let marks = trials.iter().filter(|trial| {
            let reasons = &trial.validity.reasons;
            let told = reasons.iter().any(|reason| reason.starts_with("still warming up"));
            assert_eq!(told, trial.validity.verdict == TrialVerdict::Suspect, "{reasons:?}");
            told
        });
        marks.count()
    }

    #[test]
    fn the_median_round_decides() {
        let (warm, cold) = ([100.0, 100.0], [112.0, 100.0]);
        assert_eq!(marked(|_| (), &[cold, cold, warm]), 3);
        assert_eq!(marked(|_| (), &[cold, warm, warm]), 0);
        assert_eq!(marked(|_| (), &[[109.0, 100.0]; 3]), 0);
        assert_eq!(
            marked(|_| (), &[[100.0, 200.0]; 3]),
            0,
            "a more expensive end has another cause"
        );
    }

    #[test]
    fn only_a_constant_load_of_one_kind_is_looked_at() {
        let cold = [[150.0, 100.0]; 3];
        assert_eq!(marked(|_| (), &cold), 3);
        assert_eq!(marked(|one| one.load.kind = LoadKind::Closed, &cold), 0);
        assert_eq!(marked(|one| one.mix.push((one.mix[0].0.clone(), 1)), &cold), 0);
    }
}
