//! One metric against another, round by round: how many times as much, and how much more.

use super::hodges_lehmann::{Estimate, hodges_lehmann};

/// A metric of one contender against another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// a / b, through the logarithm; `None` when a value is zero or negative, which no ratio describes.
    pub ratio: Option<Estimate>,
    /// a - b in the metric's unit.
    pub difference: Estimate,
}

/// Compares two series whose elements of the same index belong to the same round.
///
/// Both figures are [`hodges_lehmann()`] estimates at `confidence`, of ln(a/b) and of a - b, so their intervals need not
/// agree in the last resort: a verdict is one on the ratio. `None` without rounds, and where a value is infinite or not
/// a number.
///
/// # Panics
/// When the series differ in length, or `confidence` does not lie between 0 and 1.
pub fn ratio_of(a: &[f64], b: &[f64], confidence: f64) -> Option<Paired> {
    assert_eq!(a.len(), b.len(), "rounds are paired");
    let pairs = || a.iter().zip(b);
    let difference = pairs().map(|(a, b)| a - b).collect::<Vec<_>>();
    // A difference of logarithms, for a quotient could overflow. NaN and infinity where there is no logarithm.
    let logarithm = pairs().map(|(a, b)| a.ln() - b.ln()).collect::<Vec<_>>();
    let ratio = hodges_lehmann(&logarithm, confidence).map(|estimate| estimate.map(f64::exp));
    Some(Paired {
        ratio: ratio.filter(is_finite),
        difference: hodges_lehmann(&difference, confidence)?,
    })
}

fn is_finite(estimate: &Estimate) -> bool {
    let ends = estimate.interval.map_or([0.0; 2], |interval| [interval.low, interval.high]);
    estimate.value.is_finite() && ends.iter().all(|end| end.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_and_an_offset_are_found() {
        let b = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let twice = ratio_of(&b.map(|x| 2.0 * x), &b, 0.95).unwrap();
        let ratio = twice.ratio.unwrap();
        assert!((ratio.value - 2.0).abs() < 1e-12 && ratio.n == 6, "{ratio:?}");
        let interval = ratio.interval.unwrap();
        assert!((interval.low - 2.0).abs() < 1e-12 && (interval.high - 2.0).abs() < 1e-12);
        assert_eq!(twice.difference.value, 3.5, "in the metric's unit");
        let more = ratio_of(&b.map(|x| x + 0.25), &b, 0.95).unwrap();
        assert_eq!(more.difference.value, 0.25);
        assert_eq!(more.difference.interval.unwrap().low, 0.25);
    }

    #[test]
    fn the_ratio_is_of_over_versus_and_turns_round() {
        let (a, b) =
            ([30.0, 31.0, 33.0, 29.0, 30.5, 35.0, 36.0], [9.0, 11.0, 10.0, 10.5, 8.0, 12.0, 9.5]);
        let (there, back) = (ratio_of(&a, &b, 0.95).unwrap(), ratio_of(&b, &a, 0.95).unwrap());
        let (there, back) = (there.ratio.unwrap(), back.ratio.unwrap());
        assert!(there.value > 2.9 && there.value < 3.4, "{there:?}");
        assert!((there.value * back.value - 1.0).abs() < 1e-12);
        let (x, y) = (there.interval.unwrap(), back.interval.unwrap());
        assert!((x.low * y.high - 1.0).abs() < 1e-12 && (x.high * y.low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equals_give_exactly_one() {
        let paired = ratio_of(&[0.1, 0.7, 1e9], &[0.1, 0.7, 1e9], 0.95).unwrap();
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
                let paired = ratio_of(&of, &versus, 0.95).unwrap();
                assert_eq!(paired.ratio, None, "{of:?} {versus:?}");
                assert_eq!(paired.difference.n, 2);
            }
        }
        // Zero over zero in every round: still no ratio.
        assert_eq!(ratio_of(&[0.0], &[0.0], 0.95).unwrap().ratio, None);
        // Finite logarithms whose ratio is beyond an f64.
        assert_eq!(ratio_of(&[1e300], &[1e-300], 0.95).unwrap().ratio, None);
    }

    #[test]
    fn no_rounds_and_no_numbers_give_nothing() {
        assert_eq!(ratio_of(&[], &[], 0.95), None);
        assert_eq!(ratio_of(&[f64::NAN], &[1.0], 0.95), None);
        assert_eq!(ratio_of(&[1.0], &[f64::INFINITY], 0.95), None);
    }

    #[test]
    #[should_panic(expected = "rounds are paired")]
    fn series_of_different_length_are_a_bug() {
        ratio_of(&[1.0], &[], 0.95);
    }
}
