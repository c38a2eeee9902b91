//! One metric, look by look.
//!
//! - REGRESSED: the lower limit lies above zero, so that the candidate *is* worse, and the estimate reaches the margin,
//!   so that it matters. To *prove* the margin, the lower limit must lie above it.
//! - PASS: the upper limit lies below the margin. What is decided at a look stays decided.
//! - Else more rounds are needed, until there are none.

use super::levels::{ALPHA_PASS, Spending, looks};
use super::metric::ratio;
use crate::record::gate::{Look, Outcome};
use crate::stats::{Difference, Limits, one_sided};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
