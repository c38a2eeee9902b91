//! Bad rounds that a centre does not show: a candidate that is as good as ever in four rounds of five, and three times
//! as slow in the fifth.
//!
//! Rounds further than three scales from zero, the scale being 1.4826 median |d|, are counted by their sign. Between
//! equal contenders each is worse or better with equal probability, because the order is randomized, so the sign test is exact.

use crate::record::gate::Intermittent;
use crate::stats::SignTest;
use crate::stats::residual::deviation_from_zero;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Alternating small differences, with `worse` and `better` rounds far away.
    fn rounds(worse: usize, better: usize) -> Vec<f64> {
        let calm = (0..40 - worse - better).map(|i| if i % 2 == 0 { 0.02 } else { -0.02 });
        let far = std::iter::repeat_n(1.0, worse).chain(std::iter::repeat_n(-1.0, better));
        calm.chain(far).collect()
    }

    #[test]
    fn seven_bad_rounds_of_forty_are_found_and_six_are_not() {
        let found = intermittent(&rounds(7, 0), 0.0).unwrap();
        assert!(found.found && (found.worse, found.better) == (7, 0), "{found:?}");
        assert!(!intermittent(&rounds(6, 0), 0.0).unwrap().found);
        assert!(!intermittent(&rounds(8, 2), 0.0).unwrap().found, "the baseline has them too");
        assert!(!intermittent(&rounds(0, 12), 0.0).unwrap().found, "and better is no regression");
    }

    #[test]
    fn overloaded_rounds_are_far_away() {
        let mut d = rounds(0, 0);
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
}
