//! One metric against another, round by round: how many times as much, and how much more.

use super::hodges_lehmann::{Better, Difference, Estimate, LOST, hodges_lehmann};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// a / b, through the logarithm; `None` when a value is zero or negative, which no ratio describes. Infinite or 0
    /// where lost rounds decide it.
    pub ratio: Option<Estimate>,
    /// a - b in the metric's unit.
    pub difference: Estimate,
    /// Rounds that a has lost, and b.
    pub lost: [usize; 2],
}

/// Compares two series whose elements of the same index belong to the same round; a round that a contender has lost is
/// [`LOST`] in its series.
///
/// Both figures are [`hodges_lehmann()`] estimates at `confidence`, of ln(a/b) and of a - b, so their intervals need not
/// agree in the last resort: a verdict is one on the ratio. `None` without rounds, and where a value is not a number.
///
/// # Panics
/// When the series differ in length, or `confidence` does not lie between 0 and 1.
pub fn ratio_of(a: &[f64], b: &[f64], better: Better, confidence: f64) -> Option<Paired> {
    assert_eq!(a.len(), b.len(), "rounds are paired");
    let paired = |difference: fn(f64, f64) -> f64| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| Difference::between(*a, *b, better, difference)).collect::<Vec<_>>()
    };
    let figures = || a.iter().chain(b).filter(|figure| **figure != LOST);
    // A difference of logarithms, for a quotient could overflow.
    let logarithms = paired(|a, b| a.ln() - b.ln());
    let lost = [a, b].map(|series| series.iter().filter(|figure| **figure == LOST).count());
    let ratio = hodges_lehmann(&logarithms, confidence).map(|estimate| estimate.map(f64::exp));
    let describes = |ratio: &Estimate| lost != [0, 0] || is_finite(ratio);
    Some(Paired {
        ratio: ratio.filter(|ratio| figures().all(|figure| *figure > 0.0) && describes(ratio)),
        difference: hodges_lehmann(&paired(|a, b| a - b), confidence)?,
        lost,
    })
}

fn is_finite(estimate: &Estimate) -> bool {
    let ends = estimate.interval.map_or([0.0; 2], |interval| [interval.low, interval.high]);
    estimate.value.is_finite() && ends.iter().all(|end| end.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a metric of which less is better.
    fn compared(a: &[f64], b: &[f64], confidence: f64) -> Option<Paired> {
        ratio_of(a, b, Better::Less, confidence)
    }

    #[test]
    fn a_factor_and_an_offset_are_found() {
        let b = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let twice = compared(&b.map(|x| 2.0 * x), &b, 0.95).unwrap();
        let ratio = twice.ratio.unwrap();
        assert!((ratio.value - 2.0).abs() < 1e-12 && ratio.n == 6, "{ratio:?}");
        let interval = ratio.interval.unwrap();
        assert!((interval.low - 2.0).abs() < 1e-12 && (interval.high - 2.0).abs() < 1e-12);
        assert_eq!(twice.difference.value, 3.5, "in the metric's unit");
        let more = compared(&b.map(|x| x + 0.25), &b, 0.95).unwrap();
        assert_eq!(more.difference.value, 0.25);
        assert_eq!(more.difference.interval.unwrap().low, 0.25);
    }

    #[test]
    fn the_ratio_is_of_over_versus_and_turns_round() {
        let (a, b) =
            ([30.0, 31.0, 33.0, 29.0, 30.5, 35.0, 36.0], [9.0, 11.0, 10.0, 10.5, 8.0, 12.0, 9.5]);
        let (there, back) = (compared(&a, &b, 0.95).unwrap(), compared(&b, &a, 0.95).unwrap());
        let (there, back) = (there.ratio.unwrap(), back.ratio.unwrap());
        assert!(there.value > 2.9 && there.value < 3.4, "{there:?}");
        assert!((there.value * back.value - 1.0).abs() < 1e-12);
        let (x, y) = (there.interval.unwrap(), back.interval.unwrap());
        assert!((x.low * y.high - 1.0).abs() < 1e-12 && (x.high * y.low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equals_give_exactly_one() {
        let paired = compared(&[0.1, 0.7, 1e9], &[0.1, 0.7, 1e9], 0.95).unwrap();
        assert_eq!(
            paired.ratio.map(|ratio| (ratio.value, ratio.interval, ratio.n)),
            Some((1.0, None, 3))
        );
        assert_eq!(paired.difference.value, 0.0);
    }

    #[test]
    fn zeros_and_negatives_have_a_difference_but_no_ratio() {
        for a in [[0.0, 2.0], [-1.0, 2.0], [0.0, 0.0]] {
            for (of, versus) in [(a, [1.0, 1.0]), ([1.0, 1.0], a)] {
                let paired = compared(&of, &versus, 0.95).unwrap();
                assert_eq!(paired.ratio, None, "{of:?} {versus:?}");
                assert_eq!(paired.difference.n, 2);
            }
        }
        // Zero over zero in every round: still no ratio.
        assert_eq!(compared(&[0.0], &[0.0], 0.95).unwrap().ratio, None);
        // Finite logarithms whose ratio is beyond an f64.
        assert_eq!(compared(&[1e300], &[1e-300], 0.95).unwrap().ratio, None);
    }

    #[test]
    fn no_rounds_and_no_numbers_give_nothing() {
        assert_eq!(compared(&[], &[], 0.95), None);
        assert_eq!(compared(&[f64::NAN], &[1.0], 0.95), None);
    }

    #[test]
    fn lost_rounds_stay_and_are_counted() {
        let figures: Vec<f64> = (1..=10).map(|n| 1.0 + f64::from(n) / 100.0).collect();
        let with = |lost: usize| [&vec![LOST; lost][..], &figures[lost..]].concat();
        let one = compared(&with(1), &figures, 0.95).unwrap();
        let ratio = one.ratio.unwrap();
        assert_eq!((one.lost, ratio.n, ratio.value), ([1, 0], 10, 1.0));
        assert_eq!(ratio.interval.unwrap().high, f64::INFINITY);
        assert_eq!(one.difference.interval.unwrap().high, f64::INFINITY);
        // The other way round, and where more is better, it is no ratio at all.
        let other = compared(&figures, &with(1), 0.95).unwrap();
        assert_eq!((other.lost, other.ratio.unwrap().interval.unwrap().low), ([0, 1], 0.0));
        let rate = ratio_of(&with(1), &figures, Better::More, 0.95).unwrap().ratio.unwrap();
        assert_eq!(rate.interval.unwrap().low, 0.0);
        let both = compared(&with(1), &with(1), 0.95).unwrap().ratio.unwrap().interval.unwrap();
        assert_eq!((both.low, both.high), (0.0, f64::INFINITY));
        assert_eq!(compared(&with(4), &figures, 0.95).unwrap().ratio.unwrap().value, f64::INFINITY);
        assert_eq!(
            compared(&[LOST, 0.0], &[1.0, 1.0], 0.95).unwrap().ratio,
            None,
            "zero has no ratio"
        );
    }

    #[test]
    #[should_panic(expected = "rounds are paired")]
    fn series_of_different_length_are_a_bug() {
        compared(&[1.0], &[], 0.95);
    }

    #[test]
    fn who_has_lost_alone_is_worse_without_end_and_of_two_nothing_is_known() {
        let of = |a, b, better| Difference::between(a, b, better, |a, b| a - b);
        assert_eq!(of(3.0, 1.0, Better::Less).known(), Some(2.0));
        for (better, worse) in [(Better::Less, f64::INFINITY), (Better::More, f64::NEG_INFINITY)] {
            assert_eq!(of(LOST, 1.0, better).known(), Some(worse));
            assert_eq!(of(1.0, LOST, better).known(), Some(-worse));
            assert_eq!(of(LOST, LOST, better), Difference::UNKNOWN);
            assert_eq!(of(LOST, LOST, better).known(), None);
        }
    }
}
