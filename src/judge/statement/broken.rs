//! Contenders that do not work: a run of them is not passed, whatever was expected of it.
//!
//! A crash, a failed start or a wrong answer is never chance. Without a right answer, or with failures over the
//! error bound, in every one of its rounds a server does not do what it is asked. Where a statement names a contender the
//! statement decides, unless the contender never did its work.

use crate::judge::failures::over_the_error_bound;
use crate::judge::failures::{error_bound, error_counts, firsts};
use crate::record::{LostBy, Trial};
use crate::scenario::{Contender, Scenario};
use crate::text::{one_line, truncated};
use crate::units::grouped;

/// Characters shown of what a server wrote last.
const WROTE_MAX: usize = 200;

/// A sentence for each contender of a scenario that does not work.
pub(crate) fn broken(scenario: &Scenario, trials: &[Trial]) -> Vec<String> {
    let of = |contender: &Contender| {
        let own = |trial: &&Trial| {
            (&trial.scenario, &trial.contender) == (&scenario.name, &contender.name)
        };
        let (void, own): (Vec<&Trial>, Vec<&Trial>) =
            trials.iter().filter(own).partition(|trial| trial.voided);
        let bad: Vec<&&Trial> = own.iter().filter(|trial| is_bad(scenario, trial)).collect();
        let worst = bad.iter().find(|trial| at_once(trial)).or_else(|| bad.first())?;
        let is_right = |trial: &&Trial| trial.achieved_rps > 0.0;
        // A void trial says nothing of a contender, but that it answered at all.
        let never = bad.len() == own.len() && !void.iter().any(is_right);
        let never_right = !own.iter().any(is_right);
        let does_not_work = match is_judged(scenario, contender) && !scenario.smoke {
            true => never && never_right,
            false => never || at_once(worst),
        };
        does_not_work.then(|| {
            let (name, n, all) = (&contender.name, bad.len(), own.len());
            format!("`{name}` does not work, in {n} of {all} trials: {}", why(worst))
        })
    };
    scenario.contenders.iter().filter_map(of).collect()
}

/// Whether a contender failed in a trial, be the trial void or not.
fn is_bad(scenario: &Scenario, trial: &Trial) -> bool {
    let failed = trial.errors.values().sum();
    trial.validity.lost || over_the_error_bound(failed, trial.requests, error_bound(scenario).0)
}

/// Whether what it did counts by happening once.
fn at_once(trial: &Trial) -> bool {
    matches!(trial.validity.lost_by, Some(LostBy::Start | LostBy::Crash | LostBy::Wrong))
}

/// Whether a statement is about it.
fn is_judged(scenario: &Scenario, contender: &Contender) -> bool {
    let is = |name: &String| *name == contender.name || Some(name) == contender.sweep.as_ref();
    let mut statements = scenario.expectations.iter();
    statements.any(|one| is(&one.of) || one.versus.as_ref().is_some_and(is))
}

/// What it did, which answers it gave, and what it wrote.
fn why(trial: &Trial) -> String {
    let reason = trial.validity.reasons.first().filter(|_| trial.validity.lost);
    let mut parts: Vec<String> = reason.into_iter().cloned().collect();
    let counts = error_counts(trial);
    // A reason that is these failures has said it.
    if !counts.is_empty() && !parts.iter().any(|part| part.contains(&counts)) {
        parts.push(format!("of {} requests {counts}", grouped(trial.requests as f64)));
    }
    parts.extend(firsts(trial));
    let wrote = one_line(&trial.validity.wrote);
    if !wrote.is_empty() {
        let skipped = wrote.chars().count().saturating_sub(WROTE_MAX);
        let tail: String = wrote.chars().skip(skipped).collect();
        parts.push(format!("it wrote last: {}", truncated(&tail, WROTE_MAX)));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::scenario::{self, Bound, Metric, Statement};

    /// Two rounds of one contender, changed by `change`; smoke or not, judged or not.
    fn told(smoke: bool, judged: bool, change: impl Fn(u32, &mut Trial)) -> Option<String> {
        let mut scenario = scenario::builtin("payment-memory").unwrap();
        scenario.contenders.truncate(1);
        (scenario.smoke, scenario.expectations) = (smoke, Vec::new());
        let name = scenario.contenders[0].name.clone();
        if judged {
            scenario.expectations.push(Statement {
                text: "it is quick".into(),
                metric: Metric::P99,
                of: name.clone(),
                versus: None,
                at: None,
                request: None,
                bound: Bound::AtMost(1e9),
                decides: false,
            });
        }
        let mut trials = mock::payments(2, &mock::MODELS[..1]).trials;
        for trial in &mut trials {
            (trial.scenario, trial.contender) = (scenario.name.clone(), name.clone());
            change(trial.round, trial);
        }
        broken(&scenario, &trials).pop()
    }

    fn lose(trial: &mut Trial, by: LostBy, reason: &str) {
        trial.validity.lost = true;
        trial.validity.lost_by = Some(by);
        trial.validity.reasons = vec![reason.into()];
    }

    #[test]
    fn one_crash_is_enough_unless_a_statement_decides() {
        let crash = |round: u32, trial: &mut Trial| {
            if round == 2 {
                lose(trial, LostBy::Crash, "the contender crashed: exit status 1");
                trial.validity.wrote = "listening\nno memory\n".into();
            }
        };
        let said = "`event-loop` does not work, in 1 of 2 trials: the contender crashed: exit status 1; it wrote last: \
                    listening no memory";
        assert_eq!(told(false, false, crash).as_deref(), Some(said));
        assert_eq!(told(true, true, crash).as_deref(), Some(said), "a smoke asks whether it works");
        assert_eq!(told(false, true, crash), None);
        assert_eq!(told(true, false, |_, _| ()), None);
    }

    #[test]
    fn failures_count_in_every_round_and_have_their_statuses_and_their_first_body() {
        let all_fail = |trial: &mut Trial| {
            let n = trial.requests;
            trial.achieved_rps = 0.0;
            trial.errors = [("bad_status".into(), n)].into();
            trial.statuses = [("404".into(), n - 1), ("500".into(), 1)].into();
            trial.first_errors = [("bad_status".into(), "404: no such page".into())].into();
        };
        let said = told(true, false, |_, trial| all_fail(trial)).unwrap();
        assert!(
            said.contains("404: ") && said.ends_with("first bad_status: 404: no such page"),
            "{said}"
        );
        assert!(told(false, true, |_, trial| all_fail(trial)).is_some(), "whatever was promised");
        // A reason that has counted the failures is not repeated.
        let counted = |_: u32, trial: &mut Trial| {
            all_fail(trial);
            let counts = error_counts(trial);
            lose(trial, LostBy::Errors, &format!("too many requests failed: {counts}"));
        };
        let said = told(true, false, counted).unwrap();
        assert_eq!(said.matches(" bad_status (").count(), 1, "{said}");
        assert_eq!(
            told(true, false, |round, trial| if round == 1 {
                all_fail(trial)
            }),
            None
        );
        // One that answered in a void round works, whatever it did in the only one that counts.
        let answered = |fails: bool| {
            told(false, false, |round, trial| {
                trial.voided = round == 1;
                if round == 2 || fails {
                    all_fail(trial);
                }
            })
        };
        assert_eq!(answered(false), None);
        let said = answered(true).unwrap();
        assert!(said.contains("does not work, in 1 of 1 trials"), "{said}");
        // A round that is void for a run says enough for a smoke; and nothing else.
        assert_eq!(told(true, false, |_, trial| trial.validity.voids_round = true), None);
    }
}
