//! Whose trials make rounds void. Chance invalidates those of all contenders alike; one in whose trials most of it arises
//! brings it about, and would else have its bad rounds run again until they are good.

use crate::record::{Trial, TrialVerdict};

/// Fewer void rounds are attributed to none.
const LEAST: usize = 3;

/// The contender in whose trials more than half of the voids arose, and at least three of them.
pub(crate) fn culprit<'a>(voiding: &[&'a str]) -> Option<&'a str> {
    let of = |name: &str| voiding.iter().filter(|other| **other == name).count();
    voiding.iter().copied().find(|name| of(name) >= LEAST && 2 * of(name) > voiding.len())
}

/// Where a contender of a scenario voids most rounds, its trials are invalid and those of the others stand, but in rounds
/// that others voided too. Gives how many rounds count again.
pub(crate) fn settle(trials: &mut [Trial], scenario: &str) -> u32 {
    let own = |trial: &&Trial| trial.scenario == scenario;
    let voids = |trial: &&Trial| trial.validity.voids_round;
    let voiding: Vec<&str> =
        trials.iter().filter(own).filter(voids).map(|trial| trial.contender.as_str()).collect();
    let Some(culprit) = culprit(&voiding).map(str::to_owned) else { return 0 };
    let n = voiding.iter().filter(|name| **name == culprit).count();
    let reason = format!(
        "{n} of {} void trials were its own: rounds with it are not run again, and none of its trials counts",
        voiding.len()
    );
    let heat = |trial: &Trial| (trial.level.clone(), trial.round);
    let others = trials.iter().filter(own).filter(voids).filter(|one| one.contender != culprit);
    let still: Vec<_> = others.map(heat).collect();
    let mut again: Vec<_> = Vec::new();
    for trial in trials.iter_mut().filter(|trial| trial.scenario == scenario) {
        let here = heat(trial);
        if trial.voided && trial.validity.voids_round && !still.contains(&here) {
            again.push(here.clone());
        }
        if trial.contender == culprit && !trial.validity.reasons.contains(&reason) {
            trial.validity.verdict = TrialVerdict::Invalid;
            trial.validity.reasons.push(reason.clone());
        }
    }
    for trial in trials.iter_mut().filter(|trial| trial.scenario == scenario) {
        trial.voided &= !again.contains(&heat(trial));
    }
    again.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn three_voids_and_more_than_half_of_all_are_one_contenders() {
        assert_eq!(culprit(&["a", "a"]), None);
        assert_eq!(culprit(&["a", "a", "a"]), Some("a"));
        assert_eq!(culprit(&["a", "b", "a", "b", "a"]), Some("a"));
        assert_eq!(culprit(&["a", "b", "a", "b", "a", "b"]), None, "half");
        assert_eq!(culprit(&["a", "a", "b", "c"]), None, "two");
    }

    #[test]
    fn the_others_rounds_stand_but_where_they_voided_one_themselves() {
        let mut trials = mock::payments(6, &mock::MODELS[..2]).trials;
        let [first, second] = [0, 1].map(|at| mock::MODELS[at].0);
        let mut void = |round: u32, name: &str| {
            for trial in trials.iter_mut().filter(|trial| trial.round == round) {
                trial.voided = true;
                trial.validity.voids_round |= trial.contender == name;
            }
        };
        (1..=3).for_each(|round| void(round, first));
        (3..=4).for_each(|round| void(round, second));
        let scenario = trials[0].scenario.clone();
        assert_eq!(settle(&mut trials, "another"), 0);
        assert_eq!(settle(&mut trials, &scenario), 2);
        let rounds = |name: &str, voided| -> Vec<u32> {
            let own = trials.iter().filter(|t| t.contender == name && t.voided == voided);
            own.map(|trial| trial.round).collect()
        };
        assert_eq!(rounds(second, true), [3, 4], "3 both voided, 4 the other one alone");
        let invalid = |name: &str| {
            let of = trials.iter().filter(|trial| trial.contender == name);
            of.filter(|trial| trial.validity.verdict == TrialVerdict::Invalid).count()
        };
        assert_eq!((invalid(first), invalid(second)), (6, 0));
        assert!(trials[0].validity.reasons[0].starts_with("3 of 5 void trials"), "{trials:?}");
        assert_eq!(settle(&mut trials, &scenario), 0, "settled once");
    }
}
