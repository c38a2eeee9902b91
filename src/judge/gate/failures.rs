//! Failed requests, which every gate decides upon whatever its metrics are: the share of the candidate's requests that
//! failed, less the baseline's, round by round.
//!
//! Failures come in bursts, so the counts of all rounds together are no binomial ones: such a test fails 18 to 43 % of
//! equal builds. The differences of rounds in random order are symmetric about zero whatever the bursts are, and
//! the limit of [`one_sided`] holds. REGRESSED takes both: that limit lies above zero, and the excess over all rounds
//! matters. What fails in a few rounds only is named, and left to [`super::decision`] and to the error bound.

use super::decision::{Spending, intermittent, looks};
use crate::judge::gate::metric::{ALPHA_FAILURES, is_lost};
use crate::record::gate::{Block, FailureJudgement, FailureLook, FaultKind, Outcome, Plan, Round};
use crate::stats::one_sided;
use crate::text;
use crate::text::or_withheld;
use crate::units::grouped;

/// What people call it, beside the metrics.
pub const ERRORS: &str = "errors";
/// The least excess over all rounds that matters: a tenth of a percentage point.
pub const EXCESS_MIN: f64 = 0.001;

/// What the failures of the rounds so far say.
///
/// The gate goes on while they are [`Outcome::Open`]: the excess matters and most rounds show it, but they are too few to
/// prove it. They never keep a gate from its PASS beyond that.
pub(crate) fn failures(plan: &Plan, counted: &[&Round]) -> FailureJudgement {
    let mut spending = Spending::of(ALPHA_FAILURES, plan.rounds_max);
    let mut looked = Vec::new();
    let (mut outcome, mut decided_at) = (Outcome::Open, None);
    for rounds in looks(plan.rounds_max) {
        let Some(seen) = counted.get(..rounds as usize) else { break };
        let d = differences(seen);
        let level = spending.level(rounds, d.len());
        let limits = one_sided(&d, level.unwrap_or(0.0), 0.0);
        let (low, centre) = (limits.and_then(|it| it.low), limits.map_or(0.0, |it| it.value));
        let excess = excess(seen);
        looked.push(FailureLook { rounds, pairs: d.len() as u32, level, excess, low });
        let matters = excess.map(|excess| excess >= EXCESS_MIN);
        let last = rounds == plan.rounds_max;
        outcome = match (matters, low.is_some_and(|low| low > 0.0)) {
            (None, _) => Outcome::Inconclusive,
            (Some(false), _) => Outcome::Pass,
            (Some(true), true) => Outcome::Regressed,
            // A burst in a few rounds leaves the centre where it was: more rounds would not prove it.
            (Some(true), false) if centre > 0.0 && !last => Outcome::Open,
            (Some(true), false) => Outcome::Inconclusive,
        };
        if outcome == Outcome::Regressed {
            decided_at = Some(rounds);
            break;
        }
    }
    let sum = |of: fn(&Block) -> u64| sums(counted, of);
    let failing = |side: fn(&Round) -> &Block| {
        counted.iter().filter(|round| side(round).failures > 0).count() as u32
    };
    let last_look = counted.len() >= plan.rounds_max as usize;
    FailureJudgement {
        alpha: ALPHA_FAILURES,
        outcome,
        decided_at,
        looks: looked,
        failures: sum(|block| block.failures),
        requests: sum(|block| block.requests),
        failing_rounds: [failing(|round| &round.baseline), failing(|round| &round.candidate)],
        intermittent: last_look
            .then(|| intermittent(&differences(counted), EXCESS_MIN))
            .flatten()
            .filter(|found| found.worse + found.better > 0),
    }
}

/// The candidate's share less the baseline's, of each round in which both were asked.
fn differences(rounds: &[&Round]) -> Vec<f64> {
    let share = |block: &Block| share(block.failures, block.requests);
    let shares = |round: &&Round| Some(share(&round.candidate)? - share(&round.baseline)?);
    rounds.iter().filter_map(shares).collect()
}

/// The same over all rounds.
fn excess(rounds: &[&Round]) -> Option<f64> {
    let [failures, requests] =
        [|b: &Block| b.failures, |b: &Block| b.requests].map(|of| sums(rounds, of));
    Some(share(failures[1], requests[1])? - share(failures[0], requests[0])?)
}

/// Over all rounds, baseline first.
fn sums(rounds: &[&Round], of: fn(&Block) -> u64) -> [u64; 2] {
    let sum = |side: fn(&Round) -> &Block| rounds.iter().map(|round| of(side(round))).sum();
    [sum(|round| &round.baseline), sum(|round| &round.candidate)]
}

fn share(failures: u64, requests: u64) -> Option<f64> {
    (requests > 0).then(|| failures as f64 / requests as f64)
}

impl FailureJudgement {
    /// The share of the baseline (0) or of the candidate (1) over all rounds that count; nothing where it was sent nothing.
    pub fn share(&self, side: usize) -> Option<f64> {
        share(self.failures[side], self.requests[side])
    }

    /// Whether any request failed.
    pub fn are_any(&self) -> bool {
        self.failures != [0, 0]
    }

    /// `errors 0 % -> 0.7 %`
    pub(crate) fn change(&self) -> String {
        let share = |side: usize| or_withheld(self.share(side), percent);
        format!("{ERRORS} {} -> {}", share(0), share(1))
    }

    /// `Failed requests: baseline 0 of 60,000 in 0 of 12 rounds, candidate 420 of 60,000 in 12; ..`
    pub(crate) fn sentence(&self, rounds: usize) -> String {
        let [a, b] = self.failures.map(|n| grouped(n as f64));
        let [of_a, of_b] = self.requests.map(|n| grouped(n as f64));
        let [in_a, in_b] = self.failing_rounds;
        let least = percent(EXCESS_MIN);
        let shown = match (self.outcome, self.looks.last()) {
            (_, None) => "no look yet".to_owned(),
            (Outcome::Pass, _) => format!("an excess of less than {least}"),
            (Outcome::Regressed, _) => format!("an excess of {least} or more that the rounds show"),
            _ => format!("an excess of {least} or more that the rounds do not show"),
        };
        format!(
            "Failed requests: baseline {a} of {of_a} in {in_a} of {rounds} rounds, candidate {b} of {of_b} in {in_b}; \
             {shown}: {ERRORS} {}.",
            self.outcome.word()
        )
    }
}

/// `0 %`, `0.7 %`, `0.00031 %`: two digits, and never 0 of what is not.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let digits = if percent == 0.0 { 1.0 } else { percent.abs().log10().floor() };
    let decimals = (1.0 - digits).max(0.0) as usize;
    text::percent(share, decimals)
}

// Failures that decide a gate apart from all figures: crashes, wrong answers, overload, and rounds invalidated by the
// machine.
//
// A crash or a wrong answer is never chance: one is enough. Any machine can overload a contender or make it time out
// for one block: that must hold in more than half of the rounds of a look. A single overloaded round still counts, as
// worse than any figure, in the metrics of the load ([`crate::judge::gate::metric::difference`]).

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
            "{}{void} rounds were void, more than a quarter of {}; the last: {why}",
            besides(rounds),
            plan.rounds_max
        )));
    }
    let candidate = counted.iter().find_map(|round| at_once(round, &round.candidate));
    let alone = |round: &'_ Round| !is_lost(&round.baseline);
    candidate
        .or_else(|| mostly(plan, &counted, |round| alone(round).then_some(&round.candidate)))
        .map(FailureAttribution::Candidate)
}

/// What a contender did in rounds whose machine allows no verdict: it may be the machine's fault, and is not kept back.
fn besides(rounds: &[Round]) -> String {
    let baseline = rounds.iter().find_map(|round| at_once(round, &round.baseline));
    let candidate = rounds.iter().find_map(|round| at_once(round, &round.candidate));
    let told = |side: &str, what: Option<String>| {
        what.map_or_else(String::new, |what| format!("the {side} {what}; "))
    };
    told("baseline", baseline) + &told("candidate", candidate)
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
    use crate::judge::gate::judge;
    use crate::judge::gate::tests::{fault, plan, round, rounds as sound};
    use crate::record::gate::{Judgement, Metric, Verdict};

    const REQUESTS: u64 = 7_000;

    /// Rounds of builds that are alike in CPU, of whose requests so many fail, by round, baseline first.
    fn rounds(n: u32, failures: impl Fn(u32) -> [u64; 2]) -> Vec<Round> {
        let mut rounds = sound(n, &[0.0], 0.01);
        for (index, round) in (0..).zip(&mut rounds) {
            for (block, failures) in
                [&mut round.baseline, &mut round.candidate].into_iter().zip(failures(index))
            {
                (block.requests, block.failures) = (REQUESTS, failures);
            }
        }
        rounds
    }

    fn judged(n: u32, failures: impl Fn(u32) -> [u64; 2]) -> Judgement {
        judge(&plan(40, &[Metric::CpuPerRequest]), &rounds(n, failures))
    }

    fn of(judgement: &Judgement) -> &FailureJudgement {
        judgement.failures.as_ref().expect("every gate judges them")
    }

    #[test]
    fn failures_of_most_rounds_regress_whatever_is_gated() {
        let found = |n| judged(n, |_| [0, 49]);
        let early = found(12);
        assert!(!early.finished, "twelve rounds cannot show it: {}", early.line);
        assert_eq!(early.line, "so far. PASS (cpu/request). errors 0 % -> 0.7 %");
        let late = found(20);
        assert!(late.finished);
        assert_eq!((late.verdict, late.exit_code), (Verdict::Regressed, 3));
        assert_eq!(late.line, "REGRESSED (errors 0 % -> 0.7 %). PASS (cpu/request)");
        assert_eq!((of(&late).decided_at, of(&late).outcome), (Some(20), Outcome::Regressed));
        let said = "Failed requests: baseline 0 of 140,000 in 0 of 20 rounds, candidate 980 of 140,000 in 20; an \
                    excess of 0.1 % or more that the rounds show: errors REGRESSED.";
        assert!(late.reasons.contains(&said.to_owned()), "{:?}", late.reasons);
    }

    #[test]
    fn what_does_not_matter_or_is_the_baselines_is_named_and_passes() {
        for (failures, line) in [
            ([0, 6], "PASS (cpu/request). errors 0 % -> 0.086 %"),
            ([49, 0], "PASS (cpu/request). errors 0.7 % -> 0 %"),
            ([60, 60], "PASS (cpu/request). errors 0.86 % -> 0.86 %"),
            ([0, 0], "PASS (cpu/request)"),
        ] {
            let found = judged(12, |_| failures);
            assert!(found.finished);
            assert_eq!((found.line.as_str(), found.exit_code), (line, 0));
        }
    }

    #[test]
    fn a_burst_is_named_and_keeps_no_gate_waiting() {
        let found = judged(12, |round| [0, if round < 2 { 350 } else { 0 }]);
        assert!(found.finished, "{}", found.line);
        assert_eq!(found.line, "PASS (cpu/request). errors 0 % -> 0.83 %");
        assert_eq!(of(&found).outcome, Outcome::Inconclusive);
        assert_eq!(of(&found).failing_rounds, [0, 2]);
    }

    #[test]
    fn bursts_in_a_few_rounds_are_intermittent() {
        let rounds = rounds(40, |round| [0, if round % 5 == 0 { 35 } else { 0 }]);
        let mut plan = plan(40, &[Metric::CpuPerRequest]);
        let found = judge(&plan, &rounds);
        assert!(
            found.line.ends_with("errors INTERMITTENT: far worse in 8 rounds, far better in 0"),
            "{}",
            found.line
        );
        assert_eq!((found.verdict, found.exit_code), (Verdict::Pass, 0));
        plan.fail_intermittent = true;
        assert_eq!(judge(&plan, &rounds).exit_code, 3);
        let single = self::rounds(40, |round| [0, u64::from(round % 5 == 0)]);
        assert_eq!(judge(&plan, &single).exit_code, 0, "one request in a round is no burst");
    }

    #[test]
    fn failures_are_gated_where_nothing_else_is() {
        let mut rounds = rounds(20, |_| [0, 49]);
        rounds.iter_mut().for_each(|round| round.candidate.values = vec![None]);
        let found = judge(&plan(40, &[Metric::CpuPerRequest]), &rounds);
        assert_eq!((found.verdict, found.exit_code), (Verdict::Regressed, 3), "{}", found.line);
    }

    #[test]
    fn another_failure_of_the_candidate_never_makes_the_verdict_better() {
        let badness = |found: &Judgement| match of(found).outcome {
            Outcome::Pass => 0,
            Outcome::Open | Outcome::Inconclusive => 1,
            Outcome::Regressed => 2,
        };
        let mut worst = 0;
        for failures in 0..70 {
            let now = badness(&judged(40, |round| [u64::from(round % 4) * 3, failures]));
            assert!(now >= worst, "{failures}");
            worst = now;
        }
        assert_eq!(worst, 2);
    }

    #[test]
    fn a_share_has_two_digits_and_is_never_zero_unless_it_is() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.007, "0.7 %"),
            (0.000_003_14, "0.00031 %"),
            (0.05, "5 %"),
            (0.123, "12 %"),
            (0.1, "10 %"),
            (1.0, "100 %"),
            (-0.007, "-0.7 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

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
        assert!(why.starts_with("the candidate crashed in round 1 (exit status 139); "), "{why}");
        assert!(why.contains("11 rounds") && why.contains("steal was 9 %"), "{why}");
    }
}
