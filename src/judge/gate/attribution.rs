//! Failures that decide a gate apart from all figures: crashes, wrong answers, overload, and rounds invalidated by the
//! machine.
//!
//! A crash or a wrong answer is never chance: one is enough. Any machine can overload a contender or make it time out
//! for one block: that must hold in more than half of the rounds of a look. A single overloaded round still counts, as
//! worse than any figure, in the metrics of the load ([`super::metric::difference`]).

use super::levels::looks;
use super::metric::is_lost;
use crate::record::gate::{Block, FaultKind, Plan, Round};

/// Void rounds, as a share of the most rounds, beyond which a gate has no verdict.
const VOID_MAX: f64 = 0.25;

/// What a gate's failure is attributed to, apart from all figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureAttribution {
    Baseline(String),
    /// The candidate failed where the baseline did not.
    Candidate(String),
    /// The machine invalidated too many rounds.
    Machine(String),
}

/// Attributes a failure, if there is one: to the baseline and the machine before the candidate.
pub fn attribution(plan: &Plan, rounds: &[Round]) -> Option<FailureAttribution> {
    let counted: Vec<&Round> = rounds.iter().filter(|round| round.void.is_none()).collect();
    let void = rounds.len() - counted.len();
    let baseline = counted.iter().find_map(|round| at_once(round, &round.baseline));
    if let Some(what) = baseline.or_else(|| mostly(plan, &counted, |round| Some(&round.baseline))) {
        return Some(FailureAttribution::Baseline(what));
    }
    if void as f64 > VOID_MAX * f64::from(plan.rounds_max) {
        let why = rounds.iter().rev().find_map(|round| round.void.clone()).unwrap_or_default();
        return Some(FailureAttribution::Machine(format!(
            "{void} rounds were void, more than a quarter of {}; the last: {why}",
            plan.rounds_max
        )));
    }
    let candidate = counted.iter().find_map(|round| at_once(round, &round.candidate));
    let alone = |round: &'_ Round| !is_lost(&round.baseline);
    candidate
        .or_else(|| mostly(plan, &counted, |round| alone(round).then_some(&round.candidate)))
        .map(FailureAttribution::Candidate)
}

/// A fault that counts by happening once.
fn at_once(round: &Round, block: &Block) -> Option<String> {
    let fault = block
        .faults
        .iter()
        .find(|fault| matches!(fault.kind, FaultKind::Crashed | FaultKind::Wrong))?;
    Some(format!("{} in round {} ({})", fault.kind.verb(), round.round, fault.what))
}

/// A fault that the block which `side` picks has in more than half of the rounds of a look.
fn mostly<'a>(
    plan: &Plan,
    counted: &[&'a Round],
    side: impl Fn(&'a Round) -> Option<&'a Block>,
) -> Option<String> {
    looks(plan.rounds_max).into_iter().find_map(|look| {
        let seen = counted.get(..look as usize)?;
        let lost: Vec<&Block> =
            seen.iter().filter_map(|round| side(round)).filter(|block| is_lost(block)).collect();
        let fault = lost
            .last()?
            .faults
            .iter()
            .find(|fault| matches!(fault.kind, FaultKind::Saturated | FaultKind::Errors))?;
        let (n, verb, what) = (lost.len(), fault.kind.verb(), &fault.what);
        (2 * n > seen.len()).then(|| format!("{verb} in {n} of {look} rounds ({what})"))
    })
}

impl FaultKind {
    /// What it did: `crashed`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Crashed => "crashed",
            Self::Wrong => "answered wrongly",
            Self::Saturated => "was saturated",
            Self::Errors => "failed more requests than the bound",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::verdict::tests::{fault, plan, round};
    use crate::record::gate::Metric;

    /// Forty rounds, changed by `change`.
    fn blamed(n: u32, change: impl Fn(u32, &mut Round)) -> Option<FailureAttribution> {
        let rounds: Vec<Round> = (1..=n)
            .map(|number| {
                let mut round = round(number, &[1.0], &[1.0]);
                change(number, &mut round);
                round
            })
            .collect();
        attribution(&plan(40, &[Metric::P99]), &rounds)
    }

    #[test]
    fn one_crash_or_wrong_answer_is_enough() {
        for kind in [FaultKind::Crashed, FaultKind::Wrong] {
            let candidate = blamed(3, |n, round| {
                round.candidate.faults.extend((n == 3).then(|| fault(kind)));
            });
            let what = format!("{} in round 3 (exit status 139)", kind.verb());
            assert_eq!(candidate, Some(FailureAttribution::Candidate(what.clone())));
            let both = blamed(3, |n, round| {
                round.candidate.faults.extend((n == 1).then(|| fault(kind)));
                round.baseline.faults.extend((n == 3).then(|| fault(kind)));
            });
            assert_eq!(
                both,
                Some(FailureAttribution::Baseline(what)),
                "nothing is compared with a broken one"
            );
        }
    }

    #[test]
    fn overload_must_hold_in_most_rounds_of_a_look() {
        for kind in [FaultKind::Saturated, FaultKind::Errors] {
            let overloaded = |n: u32, times: u32| {
                blamed(n, |n, round| {
                    round.candidate.faults.extend((n <= times).then(|| fault(kind)))
                })
            };
            assert_eq!(overloaded(11, 11), None, "eleven rounds are no look");
            assert_eq!(overloaded(12, 6), None);
            let found = overloaded(12, 7);
            let Some(FailureAttribution::Candidate(what)) = found else { panic!("{found:?}") };
            assert!(what.contains(kind.verb()) && what.contains("in 7 of 12 rounds"), "{what}");
            let both = blamed(12, |_, round| {
                round.candidate.faults.push(fault(kind));
                round.baseline.faults.push(fault(kind));
            });
            assert!(matches!(both, Some(FailureAttribution::Baseline(_))), "{both:?}");
        }
    }

    #[test]
    fn void_rounds_are_no_failure_until_they_are_too_many() {
        let void = |times: u32| {
            blamed(40, |n, round| {
                round.void = (n <= times).then(|| "steal was 9 %".into());
                round.candidate.faults.extend((n <= times).then(|| fault(FaultKind::Crashed)));
            })
        };
        assert_eq!(void(10), None);
        let found = void(11);
        let Some(FailureAttribution::Machine(why)) = found else { panic!("{found:?}") };
        assert!(why.contains("11 rounds") && why.contains("steal was 9 %"), "{why}");
    }
}
