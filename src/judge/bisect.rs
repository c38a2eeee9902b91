//! Which of many versions made a metric worse: a binary search whose every step is a paired comparison with a known error.
//!
//! The last version is compared with the first. If it is not clearly worse, there is nothing to search for. Otherwise D is
//! by how much it is worse, as a logarithm. Each version in between is compared with the first as well: it is like the first
//! if it is worse by less than D/4, and like the last if it is worse by more than 3D/4. If neither is so, or it is shown to
//! lie between the two, the search ends with a range: the change came in several parts, or the machine is too noisy to tell.
//!
//! That it is on the side of the first or of the last is a one-sided test against D/2 at [`ALPHA`] divided by the number of
//! steps, with the limits and interim analyses of the gate. Its estimate must also be a standard error ([`CLEAR`]) beyond D/4
//! or 3D/4, because a part of the change can pass the test, and then a version with a part of it would be named alone.

use crate::judge::gate::decision::{ROUNDS_MAX, Rule, Spending, decide, looks};
use crate::judge::gate::metric::ALPHA_FAIL;
use crate::record::bisect::{Compared, Likeness};
use crate::record::gate::Outcome;
use crate::stats::power::k;
use crate::stats::{Difference, Limits, hodges_lehmann, one_sided, residual_sd};

/// How often a search may be misled at all its steps together.
pub(crate) const ALPHA: f64 = 0.05;
/// Fewer rounds have limits so far out that a few disturbed rounds decide where they lie.
pub(crate) const STEP_ROUNDS_MIN: u32 = 30;
/// A step has at most so many rounds, even if its error would need more.
pub(crate) const STEP_ROUNDS_MAX: u32 = 160;
/// By how much more than the 80 % of [`k`] a step is to decide, in standard errors: 99 times of 100 and more in the
/// simulations below.
const SURER: f64 = 6.0;
/// The one-sided level of a limit that lies a standard error from the estimate.
const CLEAR: f64 = 0.16;
/// The size of a change whose rounds are mostly lost: e-fold.
const LOST_SIZE: f64 = 1.0;

/// How a version in between is compared with the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepRule {
    /// By how much the last version is worse than the first, as a logarithm.
    pub(crate) size: f64,
    /// The one-sided level of a step.
    pub(crate) alpha: f64,
    /// The most rounds of a step.
    pub(crate) rounds_max: u32,
}

impl StepRule {
    /// How many times as much the last version needs; `None` if its rounds were mostly lost.
    pub(crate) fn ratio(&self) -> Option<f64> {
        // No estimate from rounds is this number to its last digit.
        (self.size != LOST_SIZE).then(|| self.size.exp())
    }
}

/// What the rounds of the last version against the first say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ends {
    /// Nothing yet: look again after this many rounds.
    Open(u32),
    /// It is not clearly worse.
    Alike,
    /// It is worse.
    Changed(StepRule),
}

/// Comparisons that a search among so many versions needs at most.
pub(crate) fn steps(versions: usize) -> u32 {
    versions.saturating_sub(1).max(1).next_power_of_two().trailing_zeros()
}

/// Judges the ends by the differences of their rounds so far, each with an entry. `margin` is the smallest change that counts.
///
/// They have as many rounds as a step will have, so that the size is known as well as what is compared with it.
pub(crate) fn ends(d: &[Option<Difference>], margin: f64, versions: usize) -> Ends {
    let rule = Rule { alpha: ALPHA_FAIL, margin, prove_margin: false, rounds_max: ROUNDS_MAX };
    let next = || looks(ROUNDS_MAX).into_iter().find(|&look| look as usize > d.len());
    match (decide(d, &rule).outcome, next()) {
        (Outcome::Regressed, _) => {
            let rule = step_rule(d, versions);
            match d.len() >= rule.rounds_max as usize {
                false => Ends::Open(rule.rounds_max),
                // Later rounds may take back what the look that decided saw.
                true if rule.size < margin.ln_1p() => Ends::Alike,
                true => Ends::Changed(rule),
            }
        }
        (Outcome::Open, Some(next)) => Ends::Open(next),
        _ => Ends::Alike,
    }
}

fn step_rule(d: &[Option<Difference>], versions: usize) -> StepRule {
    let pairs: Vec<Difference> = d.iter().flatten().copied().collect();
    // Any confidence: only the centre is used.
    let size = hodges_lehmann(&pairs, 0.95).map_or(LOST_SIZE, |found| found.value);
    let size = if size.is_finite() { size } else { LOST_SIZE };
    let known: Vec<f64> = pairs.iter().filter_map(|d| d.known()).collect();
    let scatter = residual_sd(&known).unwrap_or(0.0);
    let alpha = ALPHA / f64::from(steps(versions).max(1));
    // The rounds after which the limits of a version at either end are closer to it than half the size.
    let rounds = ((k(alpha) + SURER) * scatter / (size / 2.0)).powi(2).ceil();
    let rounds_max = (rounds as u32).clamp(STEP_ROUNDS_MIN, STEP_ROUNDS_MAX);
    StepRule { size, alpha, rounds_max }
}

/// What the differences of a version's rounds so far say of it, with the limits of the last look. An error is the number of
/// rounds at the next look.
pub(crate) fn likeness(
    d: &[Option<Difference>],
    rule: &StepRule,
) -> (Result<Likeness, u32>, Option<Limits>) {
    let mut spending = Spending::of(rule.alpha, rule.rounds_max);
    let mut limits = None;
    for rounds in looks(rule.rounds_max) {
        let Some(seen) = d.get(..rounds as usize) else { return (Err(rounds), limits) };
        let pairs: Vec<Difference> = seen.iter().flatten().copied().collect();
        let level = spending.level(rounds, pairs.len()).unwrap_or(0.0);
        limits = one_sided(&pairs, level, level);
        let above =
            |part: f64| limits.and_then(|it| it.low).is_some_and(|low| low > part * rule.size);
        let below =
            |part: f64| limits.and_then(|it| it.high).is_some_and(|high| high < part * rule.size);
        let near = one_sided(&pairs, CLEAR, CLEAR);
        let low = near.and_then(|it| it.low).unwrap_or(f64::NEG_INFINITY) / rule.size;
        let high = near.and_then(|it| it.high).unwrap_or(f64::INFINITY) / rule.size;
        let found = match () {
            () if above(0.25) && below(0.75) => Likeness::Between,
            () if below(0.5) && high < 0.25 => Likeness::First,
            () if above(0.5) && low > 0.75 => Likeness::Last,
            () => continue,
        };
        return (Ok(found), limits);
    }
    (Ok(Likeness::Undecided), limits)
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// This version is to be compared next.
    Compare(usize),
    /// This version brought the change.
    Found(usize),
    /// One of these brought it, or several.
    Range(usize, usize),
}

/// What follows from the steps so far, of a search among `versions`, two at least, the first of which is good and the last
/// bad.
pub(crate) fn stand(versions: usize, steps: &[Compared]) -> Stand {
    let of = |likeness| move |step: &&Compared| step.likeness == likeness;
    let at = |step: &Compared| step.version as usize;
    let good = steps.iter().filter(of(Likeness::First)).map(at).max().unwrap_or(0);
    let bad = steps.iter().filter(of(Likeness::Last)).map(at).min().unwrap_or(versions - 1);
    if bad == good + 1 {
        return Stand::Found(bad);
    }
    let unclear =
        |step: &Compared| matches!(step.likeness, Likeness::Between | Likeness::Undecided);
    let middle = good + (bad - good) / 2;
    let untried = |&version: &usize| steps.iter().all(|step| at(step) != version);
    // What cannot be built is passed over for its nearest neighbour.
    let next = (good + 1..bad).filter(untried).min_by_key(|version| version.abs_diff(middle));
    match next {
        Some(next) if !steps.iter().any(unclear) => Stand::Compare(next),
        _ => Stand::Range(good + 1, bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::metric::difference;
    use crate::record::gate::{Metric, Round};
    use crate::stats::tests::Random;

    fn step(version: u32, likeness: Likeness) -> Compared {
        Compared { version, likeness, rounds: 12, ratio: None, low: None, high: None, why: None }
    }

    #[test]
    fn a_search_halves_what_is_left() {
        use Likeness::{Between, First, Last, NotBuilt, Undecided};
        assert_eq!(stand(2, &[]), Stand::Found(1));
        assert_eq!(stand(32, &[]), Stand::Compare(15));
        assert_eq!(stand(32, &[step(15, First)]), Stand::Compare(23));
        assert_eq!(stand(32, &[step(15, First), step(23, Last)]), Stand::Compare(19));
        assert_eq!(stand(4, &[step(1, First), step(2, Last)]), Stand::Found(2));
        for unclear in [Between, Undecided] {
            assert_eq!(stand(8, &[step(3, unclear)]), Stand::Range(1, 7));
        }
        assert_eq!(stand(8, &[step(3, NotBuilt)]), Stand::Compare(2));
        assert_eq!(stand(4, &[step(1, NotBuilt), step(2, NotBuilt)]), Stand::Range(1, 3));
        assert_eq!(stand(4, &[step(1, NotBuilt), step(2, First)]), Stand::Found(3));
    }

    #[test]
    fn so_many_steps_are_needed() {
        let found = [2, 3, 4, 5, 8, 9, 32, 33, 34].map(steps);
        assert_eq!(found, [0, 1, 2, 2, 3, 3, 5, 5, 6]);
    }

    /// Rounds that scatter with `sd` about `centre`.
    fn rounds(n: usize, centre: f64, sd: f64) -> Vec<Option<Difference>> {
        let scatter = [-1.5, 0.5, -0.5, 1.5];
        (0..n).map(|i| Some((centre + sd * scatter[i % 4]).into())).collect()
    }

    #[test]
    fn ends_that_are_alike_are_not_searched() {
        assert_eq!(ends(&rounds(11, 0.2, 0.02), 0.03, 32), Ends::Open(12));
        assert_eq!(ends(&rounds(12, 0.0, 0.02), 0.03, 32), Ends::Alike);
        assert_eq!(ends(&rounds(12, -0.2, 0.02), 0.03, 32), Ends::Alike, "it is better");
        assert_eq!(ends(&rounds(40, 0.03, 0.3), 0.03, 32), Ends::Alike, "it is not shown");
        assert_eq!(ends(&rounds(12, 0.2, 0.002), 0.03, 32), Ends::Open(30));
        let Ends::Changed(rule) = ends(&rounds(30, 0.2, 0.002), 0.03, 32) else { panic!() };
        assert!((rule.size - 0.2).abs() < 0.01 && rule.rounds_max == 30, "{rule:?}");
        assert!((rule.alpha - 0.01).abs() < 1e-12);
        assert!(rule.ratio().is_some_and(|ratio| (ratio - 1.22).abs() < 0.01));
        let Ends::Open(more) = ends(&rounds(30, 0.2, 0.06), 0.03, 32) else { panic!() };
        assert!((31..=120).contains(&more), "{more}");
        let mut fading = rounds(12, 0.2, 0.02);
        fading.extend(rounds(148, 0.0, 0.02));
        assert_eq!(ends(&fading, 0.03, 32), Ends::Alike, "the later rounds show no change");
        let lost = vec![Some(f64::INFINITY.into()); 30];
        let Ends::Changed(rule) = ends(&lost, 0.03, 32) else { panic!() };
        assert_eq!((rule.size, rule.rounds_max, rule.ratio()), (LOST_SIZE, 30, None));
        assert_eq!(likeness(&lost, &rule).0, Ok(Likeness::Last));
        assert_eq!(likeness(&rounds(15, 0.0, 0.02), &rule).0, Ok(Likeness::First));
    }

    #[test]
    fn a_version_is_like_one_end_or_between() {
        let rule = StepRule { size: 0.2, alpha: 0.01, rounds_max: 40 };
        for (centre, sd, likeness_is) in [
            (0.0, 0.02, Likeness::First),
            (0.2, 0.02, Likeness::Last),
            (0.1, 0.02, Likeness::Between),
            (0.03, 0.02, Likeness::First),
            (0.06, 0.01, Likeness::Between),
            (0.14, 0.01, Likeness::Between),
            (0.17, 0.02, Likeness::Last),
            (0.2, 0.5, Likeness::Undecided),
        ] {
            assert_eq!(
                likeness(&rounds(40, centre, sd), &rule).0,
                Ok(likeness_is),
                "{centre}, {sd}"
            );
        }
        assert_eq!(likeness(&rounds(11, 0.0, 0.02), &rule).0, Err(12));
        assert_eq!(likeness(&rounds(12, 0.08, 0.2), &rule).0, Err(20));
        assert_eq!(likeness(&rounds(12, 0.0, 0.02), &rule).0, Ok(Likeness::First));
    }

    /// Rounds of a build of bakeoff against itself; CPU per request is their second figure.
    const RECORDED: &str = include_str!("../../tests/data/gate/equal-rounds.jsonl");

    fn recorded() -> Vec<f64> {
        let of = |line| {
            let round: Round = serde_json::from_str(line).expect("a round a line");
            difference(Metric::CpuPerRequest, 1, &round)?.known()
        };
        RECORDED.lines().filter_map(of).collect()
    }

    /// Draws rounds of a version that is worse by `effect` than the first: a recorded one, turned round by a fair coin.
    fn draw(
        recorded: &[f64],
        d: &mut Vec<Option<Difference>>,
        to: u32,
        effect: f64,
        random: &mut Random,
    ) {
        while d.len() < to as usize {
            let one = recorded[(random.uniform() * recorded.len() as f64) as usize];
            let turned = if random.coin() { -one } else { one };
            d.push(Some((turned + effect).into()));
        }
    }

    /// A search over versions whose effects are given, and its rounds.
    fn search(effects: &[f64], recorded: &[f64], random: &mut Random) -> (Option<Stand>, u32) {
        let mut d = Vec::new();
        let mut rounds = 0;
        let rule = loop {
            match ends(&d, 0.03, effects.len()) {
                Ends::Open(next) => {
                    draw(recorded, &mut d, next, effects[effects.len() - 1], random)
                }
                Ends::Alike => return (None, d.len() as u32),
                Ends::Changed(rule) => break rule,
            }
        };
        rounds += d.len() as u32;
        let mut steps = Vec::new();
        loop {
            let version = match stand(effects.len(), &steps) {
                Stand::Compare(version) => version,
                end => return (Some(end), rounds),
            };
            let mut d = Vec::new();
            let found = loop {
                match likeness(&d, &rule).0 {
                    Err(next) => draw(recorded, &mut d, next, effects[version], random),
                    Ok(found) => break found,
                }
            };
            rounds += d.len() as u32;
            steps.push(step(version as u32, found));
        }
    }

    /// What became of searches over 32 versions: shares of all, and the mean of their rounds.
    #[derive(Debug, Default)]
    struct Shares {
        /// One of those that brought the change was named alone.
        named: f64,
        /// Another was named, or a range without them.
        wrong: f64,
        rounds: f64,
    }

    /// Searches for a change to `factor` times the CPU that comes in `parts`, each in a version at random or, `adjacent`, in
    /// one after the other.
    fn searches(searches: u32, factor: f64, parts: &[f64], adjacent: bool) -> Shares {
        let recorded = recorded();
        assert_eq!(recorded.len(), 120);
        let mut random = Random(2_026);
        let mut shares = Shares::default();
        let each = 1.0 / f64::from(searches);
        for _ in 0..searches {
            let mut below = |n: usize| (random.uniform() * n as f64) as usize;
            let mut culprits = Vec::new();
            let first = 1 + below(32 - parts.len());
            while culprits.len() < parts.len() {
                let next = if adjacent { first + culprits.len() } else { 1 + below(31) };
                if !culprits.contains(&next) {
                    culprits.push(next);
                }
            }
            let effect = |version| -> f64 {
                let have = culprits.iter().zip(parts).filter(|(culprit, _)| **culprit <= version);
                factor.ln() * have.map(|(_, part)| part).sum::<f64>()
            };
            let effects: Vec<f64> = (0..32).map(effect).collect();
            let (stand, rounds) = search(&effects, &recorded, &mut random);
            shares.rounds += each * f64::from(rounds);
            match stand {
                Some(Stand::Found(version)) if culprits.contains(&version) => shares.named += each,
                Some(Stand::Found(_)) => shares.wrong += each,
                Some(Stand::Range(from, to))
                    if !culprits.iter().any(|culprit| (from..=to).contains(culprit)) =>
                {
                    shares.wrong += each;
                }
                _ => {}
            }
        }
        shares
    }

    #[test]
    fn resampled_searches_name_the_one_version_in_95_of_100_and_a_wrong_one_in_one_at_most() {
        let found = searches(150, 1.2, &[1.0], false);
        assert!(found.named >= 0.95 && found.wrong <= 0.01, "{found:?}");
    }

    #[test]
    fn a_change_in_parts_is_seldom_put_down_to_one_version() {
        for (parts, named) in [(&[0.7, 0.3][..], 0.1), (&[0.25; 4], 0.02)] {
            let found = searches(50, 1.2, parts, false);
            assert!(found.named + found.wrong <= named, "{parts:?}: {found:?}");
        }
    }

    #[test]
    #[ignore = "prints the tables of docs/bisect.md: minutes in a debug build"]
    fn resampled_searches_by_the_size_and_the_parts_of_the_change() {
        for factor in [1.0, 1.05, 1.1, 1.15, 1.2, 1.5] {
            let found = searches(1_000, factor, &[1.0], false);
            println!("CPU x{factor}: {found:.3?}");
            assert!(factor < 1.1 || found.named >= 0.95 && found.wrong <= 0.01);
        }
        let parts: [&[f64]; 4] = [&[0.8, 0.2], &[0.7, 0.3], &[0.5, 0.5], &[0.25; 4]];
        for (parts, adjacent) in parts.into_iter().flat_map(|one| [(one, false), (one, true)]) {
            println!(
                "{parts:?}, adjacent {adjacent}: {:.3?}",
                searches(1_000, 1.2, parts, adjacent)
            );
        }
    }
}
