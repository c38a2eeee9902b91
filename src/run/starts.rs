//! Who is not started again: a contender that did not start in its first two rounds. Each start of it would take as long as
//! the longest that it is waited for.

use std::collections::{BTreeSet, HashMap};

use crate::record::{LostBy, Trial};

/// Rounds in which a contender must have failed to start.
const ROUNDS: usize = 2;

/// Contenders of scenarios, by what is known of their starts.
#[derive(Debug, Default)]
pub(crate) struct Starts(HashMap<(String, String), Known>);

#[derive(Debug, Default)]
struct Known {
    started: bool,
    /// In which it did not, as long as it never has.
    failed: BTreeSet<u32>,
}

impl Starts {
    /// Takes a finished trial into account.
    pub(crate) fn note(&mut self, trial: &Trial) {
        let known = self.0.entry((trial.scenario.clone(), trial.contender.clone())).or_default();
        match trial.validity.lost_by {
            Some(LostBy::Start) => {
                known.failed.insert(trial.round);
            }
            // The machine's fault says nothing.
            None if trial.validity.voids_round && trial.requests == 0 => {}
            _ => known.started = true,
        }
    }

    /// Why a contender is not started again, if it is not.
    pub(crate) fn given_up(&self, scenario: &str, contender: &str) -> Option<&'static str> {
        let known = self.0.get(&(scenario.to_owned(), contender.to_owned()))?;
        (!known.started && known.failed.len() >= ROUNDS)
            .then_some("it did not start in its first two rounds and was not started again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn who_does_not_start_in_its_first_two_rounds_is_given_up() {
        let trial = |round, lost_by| {
            let mut trial = mock::payments(1, &mock::MODELS[..1]).trials.remove(0);
            (trial.round, trial.validity.lost_by) = (round, lost_by);
            trial
        };
        let given_up = |trials: &[(u32, Option<LostBy>)]| {
            let mut starts = Starts::default();
            trials.iter().for_each(|(round, by)| starts.note(&trial(*round, *by)));
            starts.given_up("", mock::MODELS[0].0).is_some()
        };
        let failed = Some(LostBy::Start);
        assert!(!given_up(&[]));
        assert!(!given_up(&[(1, failed)]));
        assert!(!given_up(&[(1, failed), (1, failed)]), "two levels of one round");
        assert!(given_up(&[(1, failed), (2, failed)]));
        assert!(!given_up(&[(1, failed), (2, None), (3, failed)]), "it can start");
        assert!(!given_up(&[(1, Some(LostBy::Crash)), (2, failed), (3, failed)]));
    }
}
