//! How many rounds would settle what the rounds so far did not.

use super::wilcoxon::SignedRank;
use super::{Estimate, Interval};

/// More than any run has.
const ROUNDS_MAX: f64 = 100_000.0;

/// About how many rounds decide whether the truth lies inside `bounds`, as far as `estimate` is right: an interval
/// shrinks with the root of its rounds.
///
/// The estimate's own `n` when it is decided already: its interval lies wholly inside or outside. The fewest rounds
/// that have an interval at all when there is none yet. For a ratio, give logarithms, and for a one-sided bound an
/// infinite other end. `None` where no number of rounds would do: the estimate is on a bound, or within a hair of it; and
/// where rounds were lost, so that its interval has no finite ends.
///
/// It is a forecast and not a promise: the estimate will move as rounds come in.
///
/// # Panics
/// When `confidence` does not lie between 0 and 1.
pub fn rounds_to_decide(estimate: &Estimate, bounds: Interval, confidence: f64) -> Option<usize> {
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let Some(interval) = estimate.interval else {
        return Some(fewest(confidence).max(estimate.n + 1));
    };
    let value = estimate.value;
    if ![value, interval.low, interval.high].iter().all(|end| end.is_finite()) {
        return None;
    }
    let (below, above) = (value - interval.low, interval.high - value);
    let shrink = if value > bounds.high {
        below / (value - bounds.high)
    } else if value < bounds.low {
        above / (bounds.low - value)
    } else {
        // 0 / 0 where an interval of no width lies on the bound: it belongs to the bounds.
        let side = |reach: f64, room: f64| if reach == 0.0 { 0.0 } else { reach / room };
        side(below, value - bounds.low).max(side(above, bounds.high - value))
    };
    let rounds = estimate.n as f64 * shrink.max(1.0).powi(2);
    // What is a whole number but for f64's last digits is that number.
    (rounds <= ROUNDS_MAX).then_some((rounds - 1e-6).ceil() as usize)
}

/// The fewest pairs that have an interval: two tails of 2^-n each.
fn fewest(confidence: f64) -> usize {
    let tail = (1.0 - confidence) / 2.0;
    (1..).find(|&n| SignedRank::of(n).limit(tail).is_some()).expect("2^-n falls below any tail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::hodges_lehmann;

    const WITHIN: Interval = Interval { low: -0.1, high: 0.1 };

    fn estimate(value: f64, half: f64, n: usize) -> Estimate {
        let interval = Some(Interval { low: value - half, high: value + half });
        Estimate { value, interval, n }
    }

    #[test]
    fn four_times_the_rounds_halve_an_interval() {
        // Inside by 0.05, with twice as much to either side.
        assert_eq!(rounds_to_decide(&estimate(0.05, 0.1, 10), WITHIN, 0.95), Some(40));
        // Outside by 0.1 and the interval reaches 0.15 back.
        assert_eq!(rounds_to_decide(&estimate(0.2, 0.15, 8), WITHIN, 0.95), Some(18));
        assert_eq!(rounds_to_decide(&estimate(-0.2, 0.15, 8), WITHIN, 0.95), Some(18));
    }

    #[test]
    fn a_bound_may_have_one_side() {
        let at_least = Interval { low: 0.0, high: f64::INFINITY };
        assert_eq!(rounds_to_decide(&estimate(0.1, 0.2, 10), at_least, 0.95), Some(40));
        assert_eq!(rounds_to_decide(&estimate(-0.1, 0.2, 10), at_least, 0.95), Some(40));
    }

    #[test]
    fn what_is_decided_needs_no_more_and_what_lies_on_a_bound_no_number() {
        assert_eq!(rounds_to_decide(&estimate(0.0, 0.05, 7), WITHIN, 0.95), Some(7));
        assert_eq!(rounds_to_decide(&estimate(0.5, 0.05, 7), WITHIN, 0.95), Some(7));
        assert_eq!(rounds_to_decide(&estimate(0.1, 0.05, 7), WITHIN, 0.95), None);
        assert_eq!(rounds_to_decide(&estimate(0.1, 0.0, 7), WITHIN, 0.95), Some(7));
        assert_eq!(rounds_to_decide(&estimate(0.1 - 1e-9, 0.05, 7), WITHIN, 0.95), None);
        assert_eq!(rounds_to_decide(&estimate(0.0, f64::INFINITY, 7), WITHIN, 0.95), None);
    }

    #[test]
    fn few_rounds_need_as_many_as_an_interval_does() {
        let short = hodges_lehmann(&[0.0, 0.1, 0.2], 0.95).unwrap();
        assert_eq!(rounds_to_decide(&short, WITHIN, 0.95), Some(6));
        assert_eq!(rounds_to_decide(&short, WITHIN, 0.99), Some(8));
    }
}
