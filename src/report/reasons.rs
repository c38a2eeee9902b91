//! Why trials are not valid: each reason once, with whom it concerns.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::races::Race;
use crate::record::metric::label;
use crate::record::{DriftVerdict, RunResult, Trial};
use crate::report::format::place;
use crate::text::{alike, clean, counted, listed};

/// A reason that made trials suspect or invalid, or a round void.
pub(crate) struct Reason {
    /// `SUSPECT`, `INVALID` or `VOID`; empty where others are counted.
    pub(crate) verdict: &'static str,
    pub(crate) text: String,
    /// `thread-pool (payment at 4,000/s) in 2 rounds`
    pub(crate) whose: String,
}

/// Reasons that differ in their figures alone, as one.
struct Alike {
    verdict: &'static str,
    /// The first of them.
    text: String,
    trials: usize,
    whose: BTreeMap<String, usize>,
}

/// Each distinct reason once, the worst first.
pub(super) fn reasons(result: &RunResult, races: &[Race<'_>]) -> Vec<Reason> {
    let mut found: Vec<Alike> = Vec::new();
    // Why a round was lost stands with the contender that lost it.
    for trial in result.trials.iter().filter(|trial| trial.voided || !trial.validity.lost) {
        let verdict = if trial.voided { "VOID" } else { trial.validity.verdict.word() };
        for text in trial.validity.reasons.iter().map(|reason| clean(reason)) {
            let same = |one: &Alike| one.verdict == verdict && alike(&one.text) == alike(&text);
            let place = found.iter().position(same).unwrap_or_else(|| {
                found.push(Alike { verdict, text, trials: 0, whose: BTreeMap::new() });
                found.len() - 1
            });
            found[place].trials += 1;
            *found[place].whose.entry(whose(trial, races)).or_default() += 1;
        }
    }
    let badness =
        |verdict: &str| ["INVALID", "SUSPECT", "VOID", "VALID"].iter().position(|v| *v == verdict);
    found.sort_by_key(|one| badness(one.verdict));
    let hidden = found.len().saturating_sub(MAX_REASONS);
    found.truncate(MAX_REASONS);
    let mut reasons: Vec<Reason> = found.into_iter().map(Reason::from).collect();
    if hidden > 0 {
        let text = format!("{} more in result.json", counted(hidden, "reason"));
        reasons.push(Reason { verdict: "", text, whose: String::new() });
    }
    reasons
}

impl From<Alike> for Reason {
    fn from(alike: Alike) -> Self {
        let whose = alike.whose.iter();
        let mut whose: Vec<String> =
            whose.map(|(name, n)| format!("{name} in {}", counted(*n, "round"))).collect();
        if whose.len() > MAX_WHOSE {
            let others = whose.split_off(MAX_WHOSE).len();
            whose.push(format!("and {}", counted(others, "other")));
        }
        let text = match alike.trials {
            1 => alike.text,
            n => format!("{} (the first of {n} alike)", alike.text),
        };
        Self { verdict: alike.verdict, text, whose: whose.join(", ") }
    }
}

/// More of those whom a reason concerns are counted.
const MAX_WHOSE: usize = 4;
/// More kinds of reasons than this are read in result.json.
const MAX_REASONS: usize = 12;

/// The contender, with its race where there are several.
fn whose(trial: &Trial, races: &[Race<'_>]) -> String {
    let name = clean(&trial.contender);
    match races.iter().find(|race| race.is_of(trial)) {
        Some(race) if races.len() > 1 => format!("{name} ({})", place(race)),
        _ => name,
    }
}

/// Sentences on drift and on percentiles that are the machine's.
pub(crate) fn marks(result: &RunResult) -> Vec<String> {
    let usable: Vec<&Trial> = result.trials.iter().filter(|trial| !trial.voided).collect();
    drift(&usable).into_iter().chain(at_floor(&usable)).collect()
}

/// Nothing for trials of an earlier version, which do not say.
fn drift(trials: &[&Trial]) -> Option<String> {
    let untested =
        trials.iter().filter(|trial| trial.validity.drift == DriftVerdict::NotTested).count();
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
        result.trials[0].validity.drift = DriftVerdict::None;
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
