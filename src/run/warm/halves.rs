//! Whether windows were of a contender that was still warming up: their first halves cost more than their second ones.

use crate::load::plan::Arrivals;
use crate::record::{Trial, TrialVerdict};
use crate::scenario::{LoadKind, Scenario};
use crate::stats::median;

use super::rule::{ANSWERS_MIN, DEARER};

/// Marks the trials of contenders and levels whose first halves were over 10 % dearer than their second ones, in the
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
            let Some(dearer) = dearer(trials.iter().filter(|trial| of(trial))) else { continue };
            let reason = format!(
                "still warming up: over the rounds the first half of the window cost {:.0} % more CPU per right answer than the second one; a longer warm_up in the load, or --warm-up, ends it before the window",
                100.0 * (dearer - 1.0)
            );
            for trial in trials.iter_mut().filter(|trial| of(trial)) {
                trial.validity.verdict = trial.validity.verdict.max(TrialVerdict::Suspect);
                trial.validity.reasons.push(reason.clone());
            }
        }
    }
}

/// First half over second, in the median over the rounds, where that is too much.
fn dearer<'a>(trials: impl Iterator<Item = &'a Trial>) -> Option<f64> {
    let ratios: Vec<f64> = trials.filter(|trial| !trial.voided).filter_map(ratio).collect();
    median(&ratios).filter(|ratio| *ratio > DEARER)
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
        assert_eq!(marked(|_| (), &[[100.0, 200.0]; 3]), 0, "dearer at the end is another thing");
    }

    #[test]
    fn only_a_constant_load_of_one_kind_is_looked_at() {
        let cold = [[150.0, 100.0]; 3];
        assert_eq!(marked(|_| (), &cold), 3);
        assert_eq!(marked(|one| one.load.kind = LoadKind::Closed, &cold), 0);
        assert_eq!(marked(|one| one.mix.push((one.mix[0].0.clone(), 1)), &cold), 0);
    }
}
