//! What was found about the machine and the course of trials, in a sentence for each finding: for the end of a report.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::metric::label;
use crate::record::{RunResult, Trial};
use crate::text::{clean, counted, listed};

/// Sentences on drift and on percentiles that are the machine's.
pub(crate) fn marks(result: &RunResult) -> Vec<String> {
    let usable: Vec<&Trial> = result.trials.iter().filter(|trial| !trial.voided).collect();
    drift(&usable).into_iter().chain(at_floor(&usable)).collect()
}

/// Nothing for trials of an earlier version, which do not say.
fn drift(trials: &[&Trial]) -> Option<String> {
    let untested = trials.iter().filter(|trial| trial.validity.drift == "not tested").count();
    match untested {
        0 => None,
        n if n == trials.len() => Some(
            "Drift: not tested; it takes an open load of 20 s with ten answers in most seconds."
                .into(),
        ),
        n => Some(format!("Drift: not tested in {} of {}.", counted(n, "trial"), trials.len())),
    }
}

/// `At the machine's floor: p99.9 of payment of event-loop in 3 trials.`
fn at_floor(trials: &[&Trial]) -> Option<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for trial in trials {
        let here: BTreeSet<String> = trial
            .validity
            .at_floor
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)))
            .map(|(kind, name)| {
                format!("{} of {} of {}", label(name), clean(kind), clean(&trial.contender))
            })
            .collect();
        here.into_iter().for_each(|what| *found.entry(what).or_default() += 1);
    }
    let found: Vec<String> =
        found.into_iter().map(|(what, n)| format!("{what} in {}", counted(n, "trial"))).collect();
    (!found.is_empty()).then(|| format!("At the machine's floor: {}.", listed(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn what_was_not_tested_and_what_is_the_machines_is_said() {
        let mut result = mock::payments(2, &mock::MODELS[..2]);
        assert_eq!(
            marks(&result),
            ["Drift: not tested; it takes an open load of 20 s with ten answers in most seconds."]
        );
        result.trials[0].validity.drift = "none".into();
        let name = result.trials[0].contender.clone();
        let marked = BTreeMap::from([("payment".into(), vec!["p99_9".into()])]);
        result.trials[0].validity.at_floor = marked;
        assert_eq!(
            marks(&result),
            [
                "Drift: not tested in 3 trials of 4.".to_owned(),
                format!("At the machine's floor: p99.9 of payment of {name} in 1 trial.")
            ]
        );
        result.trials.iter_mut().for_each(|trial| trial.voided = true);
        assert!(marks(&result).is_empty());
    }
}
