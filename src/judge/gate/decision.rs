//! One metric, look by look.
//!
//! - REGRESSED: the lower limit lies above zero, so that the candidate *is* worse, and the estimate reaches the margin,
//!   so that it matters. To *prove* the margin, the lower limit must lie above it.
//! - PASS: the upper limit lies below the margin. What is decided at a look stays decided.
//! - Else more rounds are needed, until there are none.

use super::metric::{ALPHA_PASS, ratio};
use crate::record::gate::{Intermittent, Look, Outcome};
use crate::stats::hodges_lehmann::deviation_from_zero;
use crate::stats::{Difference, Limits, SignTest, one_sided};

/// What a metric is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How often it may fail an equal candidate.
    pub alpha: f64,
    /// The change for the worse that is tolerated, 0.1 for 10 %.
    pub margin: f64,
    /// A regression must be shown to exceed the margin.
    pub prove_margin: bool,
    /// Rounds after which it stays undecided.
    pub rounds_max: u32,
}

/// What the rounds of a metric say.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Open as long as looks are to come.
    pub outcome: Outcome,
    /// The rounds of the look that decided it.
    pub decided_at: Option<u32>,
    /// At the last look the upper limit lies below zero.
    pub improved: bool,
    /// The looks that were taken, up to the one that decided.
    pub looks: Vec<Look>,
}

/// Judges the differences of the rounds so far, each with an entry: how much worse the candidate was as a logarithm, without
/// end in lost rounds, or `None` where a figure is missing.
///
/// Looks that are still to come are not taken, and rounds beyond the last look taken are not looked at.
pub fn decide<D>(d: &[Option<D>], rule: &Rule) -> Decision
where
    D: Copy + Into<Difference>,
{
    let mut fail = Spending::of(rule.alpha, rule.rounds_max);
    let mut pass = Spending::of(ALPHA_PASS, rule.rounds_max);
    let mut decision =
        Decision { outcome: Outcome::Open, decided_at: None, improved: false, looks: Vec::new() };
    for rounds in looks(rule.rounds_max) {
        let Some(seen) = d.get(..rounds as usize) else { break };
        let pairs: Vec<Difference> = seen.iter().flatten().map(|&d| d.into()).collect();
        let levels = [&mut fail, &mut pass].map(|side| side.level(rounds, pairs.len()));
        let limits = one_sided(&pairs, levels[0].unwrap_or(0.0), levels[1].unwrap_or(0.0));
        decision.looks.push(look(rounds, pairs.len(), levels, limits));
        decision.improved = limits.is_some_and(|limits| limits.high.is_some_and(|high| high < 0.0));
        if let Some(outcome) = limits.and_then(|limits| ruling(limits, rule)) {
            decision.outcome = outcome;
            decision.decided_at = Some(rounds);
            break;
        }
        if rounds == rule.rounds_max {
            decision.outcome = Outcome::Inconclusive;
        }
    }
    decision
}

/// What limits decide, if they decide anything.
fn ruling(limits: Limits, rule: &Rule) -> Option<Outcome> {
    let margin = rule.margin.ln_1p();
    let shown = if rule.prove_margin { margin } else { 0.0 };
    if limits.low.is_some_and(|low| low > shown) && limits.value >= margin {
        return Some(Outcome::Regressed);
    }
    limits.high.is_some_and(|high| high < margin).then_some(Outcome::Pass)
}

fn look(rounds: u32, pairs: usize, levels: [Option<f64>; 2], limits: Option<Limits>) -> Look {
    let [fail_level, pass_level] = levels;
    let of = |end: fn(Limits) -> Option<f64>| limits.and_then(end).and_then(ratio);
    Look {
        rounds,
        pairs: pairs as u32,
        fail_level,
        pass_level,
        ratio: of(|limits| Some(limits.value)),
        low: of(|limits| limits.low),
        high: of(|limits| limits.high),
    }
}

// Bad rounds that a centre does not show: a candidate that is as good as ever in four rounds of five, and three times
// as slow in the fifth.
//
// Rounds further than three scales from zero, the scale being 1.4826 median |d|, are counted by their sign. Between
// equal contenders each is worse or better with equal probability, because the order is randomized, so the sign test is exact.

/// Scales from zero beyond which a round is far away.
const FAR: f64 = 3.0;
/// The p at which it is no chance.
const ALPHA: f64 = 0.01;

/// Tests the differences of all rounds; only at the last look, for it has but one level to spend.
///
/// A round that one of them lost is far away; none is that is not `far_min` from zero. `None` without differences that are finite, and where one is not a number.
pub fn intermittent(d: &[f64], far_min: f64) -> Option<Intermittent> {
    let far = far_min.max(FAR * deviation_from_zero(d)?);
    let worse = d.iter().filter(|&&d| d > far).count();
    let better = d.iter().filter(|&&d| d < -far).count();
    let p = SignTest::of(worse, better).p;
    Some(Intermittent { worse: worse as u32, better: better as u32, p, found: p <= ALPHA })
}

// When a gate looks at its rounds, and how much of its error each look may spend.
//
// Looking often and stopping when it suits is how a gate of 1 % becomes one of 15 %. This one looks four times, and the
// levels of its looks add up to what it promises: by the union bound the promise holds whatever the looks have to do
// with one another. A look at a share t of the rounds has spent alpha t^2 (the power family of Kim and DeMets, 1987):
// little early, when an estimate is wild, and most at the end.

/// The shares of the most rounds at which a gate looks.
const SHARES: [f64; 4] = [0.3, 0.5, 0.75, 1.0];
/// The fewest rounds that a gate may be planned with: its first look then has 4.
pub const ROUNDS_MIN: u32 = 12;
/// The most rounds of a gate.
pub const ROUNDS_MAX: u32 = 40;

/// The rounds after which a gate of at most `rounds_max` looks: 12, 20, 30 and 40 of 40.
pub fn looks(rounds_max: u32) -> [u32; 4] {
    SHARES.map(|share| (share * f64::from(rounds_max)).round() as u32)
}

/// What is left to spend of a level, look by look.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    alpha: f64,
    rounds_max: f64,
    /// The share of the rounds at the last look, squared.
    spent: f64,
    carried: f64,
}

impl Spending {
    /// The whole of `alpha`, for a gate of at most `rounds_max` rounds.
    pub fn of(alpha: f64, rounds_max: u32) -> Self {
        Self { alpha, rounds_max: f64::from(rounds_max), spent: 0.0, carried: 0.0 }
    }

    /// The one-sided level of the look at `rounds` rounds, in which `pairs` have a figure.
    ///
    /// `None` when not even `pairs` differences of one sign are so unlikely: nothing could be decided, and the level is
    /// carried to the next look.
    pub fn level(&mut self, rounds: u32, pairs: usize) -> Option<f64> {
        let share = (f64::from(rounds) / self.rounds_max).powi(2);
        let level = self.alpha * (share - self.spent) + self.carried;
        self.spent = share;
        let attained = pairs > 0 && level >= 0.5_f64.powi(pairs as i32);
        self.carried = if attained { 0.0 } else { level };
        attained.then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::metric::ALPHA_FAILURES;

    const RULE: Rule = Rule { alpha: 0.01, margin: 0.1, prove_margin: false, rounds_max: 40 };

    /// Rounds of a candidate that is worse by `effect`, on a machine that scatters with `sd`.
    fn rounds(n: usize, effect: f64, sd: f64) -> Vec<Option<f64>> {
        let scatter = [-1.5, 0.5, -0.5, 1.5];
        (0..n).map(|i| Some(f64::ln_1p(effect) + sd * scatter[i % 4])).collect()
    }

    #[test]
    fn a_clear_regression_is_called_at_the_first_look() {
        let found = decide(&rounds(40, 0.3, 0.05), &RULE);
        assert_eq!((found.outcome, found.decided_at), (Outcome::Regressed, Some(12)));
        assert_eq!(found.looks.len(), 1);
        let look = &found.looks[0];
        assert!(look.low.unwrap() > 1.0 && (look.ratio.unwrap() - 1.3).abs() < 0.05, "{look:?}");
        assert!((look.fail_level.unwrap() - 0.0009).abs() < 1e-12);
    }

    #[test]
    fn what_is_real_but_below_the_margin_is_no_regression() {
        let found = decide(&rounds(40, 0.05, 0.02), &RULE);
        assert_eq!((found.outcome, found.decided_at), (Outcome::Pass, Some(12)));
        assert!(found.looks[0].low.unwrap() > 1.0, "it is worse, and it does not matter");
    }

    #[test]
    fn proof_of_the_margin_asks_for_more() {
        let d = rounds(40, 0.13, 0.1);
        let proof = Rule { prove_margin: true, ..RULE };
        assert_eq!(decide(&d, &RULE).outcome, Outcome::Regressed);
        let found = decide(&d, &proof);
        assert_eq!(found.outcome, Outcome::Inconclusive, "{found:?}");
        assert_eq!(decide(&rounds(40, 0.4, 0.1), &proof).outcome, Outcome::Regressed);
    }

    #[test]
    fn a_pass_is_frozen_at_its_look() {
        let mut d = rounds(20, 0.0, 0.02);
        assert_eq!(decide(&d[..11], &RULE).outcome, Outcome::Open, "eleven rounds are no look");
        let first = decide(&d[..12], &RULE);
        assert_eq!((first.outcome, first.decided_at), (Outcome::Pass, Some(12)));
        d.extend(rounds(20, 3.0, 0.02));
        assert_eq!(decide(&d, &RULE), first, "whatever comes after");
    }

    #[test]
    fn rounds_without_end_are_inconclusive_at_the_last_look() {
        let d = rounds(40, 0.08, 0.5);
        for n in [12, 19, 20, 39] {
            assert_eq!(decide(&d[..n], &RULE).outcome, Outcome::Open, "{n}");
        }
        let found = decide(&d, &RULE);
        assert_eq!((found.outcome, found.decided_at), (Outcome::Inconclusive, None));
        assert_eq!(
            found.looks.iter().map(|look| look.rounds).collect::<Vec<_>>(),
            [12, 20, 30, 40]
        );
    }

    #[test]
    fn better_is_a_pass_and_said() {
        let found = decide(&rounds(40, -0.2, 0.05), &RULE);
        assert_eq!(found.outcome, Outcome::Pass);
        assert!(found.improved);
        assert!(!decide(&rounds(40, 0.0, 0.05), &RULE).improved);
    }

    #[test]
    fn missing_figures_and_lost_rounds() {
        let nothing = decide(&[None::<f64>; 40], &RULE);
        assert_eq!(nothing.outcome, Outcome::Inconclusive);
        assert!(nothing.looks.iter().all(|look| look.pairs == 0 && look.ratio.is_none()));
        assert_eq!(decide(&[None::<f64>; 0], &RULE).outcome, Outcome::Open);
        // Every second round missing: the first look has 6 pairs, too few for its level, which is carried on.
        let half: Vec<_> = rounds(40, 0.3, 0.02)
            .into_iter()
            .enumerate()
            .map(|(i, d)| d.filter(|_| i % 2 == 0))
            .collect();
        let found = decide(&half, &RULE);
        assert_eq!(found.looks[0].fail_level, None);
        assert_eq!((found.outcome, found.decided_at), (Outcome::Regressed, Some(20)));
        // A candidate that is overloaded in every round counts as worse than any figure and has none.
        let overloaded = decide(&[Some(f64::INFINITY); 12], &RULE);
        assert_eq!((overloaded.outcome, overloaded.looks[0].ratio), (Outcome::Regressed, None));
        assert_eq!(overloaded.looks[0].low, None);
        // What both lost could be anything, and never lets a candidate pass.
        let both = decide(&[Some(Difference::UNKNOWN); 40], &RULE);
        assert_eq!(both.outcome, Outcome::Inconclusive);
        let mut d = rounds(40, 0.0, 0.02);
        d[..2].fill(Some(f64::INFINITY));
        assert_eq!(decide(&d[..12], &RULE).outcome, Outcome::Open, "two lost rounds of twelve");
        assert_eq!(decide(&[Some(0.0); 12], &RULE).outcome, Outcome::Pass, "all equal");
    }

    /// Alternating small differences, with `worse` and `better` rounds far away.
    fn with_bad_rounds(worse: usize, better: usize) -> Vec<f64> {
        let calm = (0..40 - worse - better).map(|i| if i % 2 == 0 { 0.02 } else { -0.02 });
        let far = std::iter::repeat_n(1.0, worse).chain(std::iter::repeat_n(-1.0, better));
        calm.chain(far).collect()
    }

    #[test]
    fn seven_bad_rounds_of_forty_are_found_and_six_are_not() {
        let found = intermittent(&with_bad_rounds(7, 0), 0.0).unwrap();
        assert!(found.found && (found.worse, found.better) == (7, 0), "{found:?}");
        assert!(!intermittent(&with_bad_rounds(6, 0), 0.0).unwrap().found);
        assert!(
            !intermittent(&with_bad_rounds(8, 2), 0.0).unwrap().found,
            "the baseline has them too"
        );
        assert!(
            !intermittent(&with_bad_rounds(0, 12), 0.0).unwrap().found,
            "and better is no regression"
        );
    }

    #[test]
    fn overloaded_rounds_are_far_away() {
        let mut d = with_bad_rounds(0, 0);
        d[..8].fill(f64::INFINITY);
        assert!(intermittent(&d, 0.0).unwrap().found);
    }

    #[test]
    fn what_has_no_far_rounds() {
        assert_eq!(intermittent(&[], 0.0), None);
        assert_eq!(intermittent(&[f64::NAN], 0.0), None);
        let equal = intermittent(&[0.5; 40], 0.0).unwrap();
        assert_eq!((equal.worse, equal.p, equal.found), (0, 1.0, false), "that is a shift");
        assert_eq!(intermittent(&[0.0; 40], 0.0).unwrap().p, 1.0);
    }

    fn levels(alpha: f64, rounds_max: u32) -> Vec<Option<f64>> {
        let mut spending = Spending::of(alpha, rounds_max);
        looks(rounds_max).map(|n| spending.level(n, n as usize)).to_vec()
    }

    #[test]
    fn looks_are_shares_of_the_most_rounds() {
        assert_eq!(looks(40), [12, 20, 30, 40]);
        assert_eq!(looks(12), [4, 6, 9, 12]);
        for rounds_max in ROUNDS_MIN..=ROUNDS_MAX {
            let looks = looks(rounds_max);
            assert!(looks.windows(2).all(|pair| pair[0] < pair[1]) && looks[3] == rounds_max);
        }
    }

    #[test]
    fn levels_are_those_of_the_method() {
        let expected = [0.0009, 0.0016, 0.003125, 0.004375];
        for (found, expected) in levels(0.01, 40).into_iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn what_cannot_be_attained_is_carried_on_and_nothing_is_lost() {
        // 12 rounds at .001: 0.09 of it is .00009, below 2^-12.
        let found = levels(0.001, 40);
        assert_eq!(found[0], None);
        assert!((found[1].unwrap() - 0.001 * 0.25).abs() < 1e-12);
        for alpha in [0.05, 0.01, 0.004, 0.001, ALPHA_FAILURES] {
            for rounds_max in ROUNDS_MIN..=ROUNDS_MAX {
                let levels = levels(alpha, rounds_max);
                let total: f64 = levels.iter().flatten().sum();
                assert!((total - alpha).abs() < 1e-12, "{alpha}, {rounds_max}: {levels:?}");
                for (level, n) in levels.iter().zip(looks(rounds_max)) {
                    assert!(level.is_none_or(|level| level >= 0.5_f64.powi(n as i32)));
                }
            }
        }
    }

    #[test]
    fn pairs_and_not_rounds_are_what_a_level_needs() {
        let mut spending = Spending::of(0.01, 40);
        assert_eq!(spending.level(12, 0), None);
        assert_eq!(spending.level(20, 8), None);
        let level = spending.level(30, 18).unwrap();
        assert!((level - 0.01 * 0.5625).abs() < 1e-12, "all that was carried");
    }
}
