//! How many rounds settle what some rounds did not, and the smallest true effect that a number of rounds finds.

use crate::stats::significance::SignedRank;
use crate::stats::{Estimate, Interval};
use statrs::distribution::{ContinuousCDF, Normal};

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

// The smallest true effect that a gate of paired rounds finds, stated before the first round is run.
//
// A metric's d = ln(candidate / baseline) scatters with s from round to round ([`crate::stats::residual_sd`]). Over N rounds
// an effect is seen when the lower limit of its interval exceeds zero *and* the estimate exceeds the margin m:
//
// ```text
// MDE = max(exp(k s / sqrt N), (1 + m) exp(0.9 s / sqrt N)) - 1
// ```
//
// k was found by simulation, over all four looks, for a power of 80 %: 2.9 at a one-sided level of .05, 3.8 at .01 and
// 4.3 at .004. It exceeds what normal theory says (z of the level and z of the power: 2.5, 3.2, 3.5) because a machine
// has heavy tails and looking early has a price.

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detectable {
    /// A true effect that is found 8 times of 10, 0.12 for 12 %.
    pub usually: f64,
    /// A true effect that is found 99 times of 100.
    pub surely: f64,
    /// What scatter alone hides, whatever the margin: exp(k s / sqrt N) - 1.
    pub hidden: f64,
}

/// What `rounds` rounds of scatter `s` show at the one-sided level `alpha`, of effects above `margin` (0.1 for 10 %).
///
/// `None` without rounds, and where a figure is not finite or an effect is beyond all figures.
///
/// # Panics
/// When `alpha` does not lie between 0 and 1/2.
pub fn detectable(s: f64, rounds: usize, alpha: f64, margin: f64) -> Option<Detectable> {
    let error = s / (rounds as f64).sqrt();
    if !error.is_finite() || !margin.is_finite() {
        return None;
    }
    let k = k(alpha);
    let found = |power: f64| {
        let hidden =
            (k * (quantile(1.0 - alpha) + power) / (quantile(1.0 - alpha) + USUALLY)) * error;
        let above_margin = margin.ln_1p() + CENTRE * power * error;
        hidden.max(above_margin).exp_m1()
    };
    let (usually, surely, hidden) = (found(USUALLY), found(SURELY), (k * error).exp_m1());
    let finite = usually.is_finite() && surely.is_finite() && hidden.is_finite();
    finite.then_some(Detectable { usually, surely, hidden })
}

/// The factor of the module's formula for the one-sided level `alpha`: through the simulated ones, straight in the
/// normal quantile of the level.
///
/// # Panics
/// When `alpha` does not lie between 0 and 1/2.
pub fn k(alpha: f64) -> f64 {
    assert!(alpha > 0.0 && alpha < 0.5, "a level of {alpha}");
    let [first, middle, last] = SIMULATED.map(|(level, k)| (quantile(1.0 - level), k));
    let z = quantile(1.0 - alpha);
    let (from, to) = if z < middle.0 { (first, middle) } else { (middle, last) };
    from.1 + (z - from.0) * (to.1 - from.1) / (to.0 - from.0)
}

/// Levels and their k.
const SIMULATED: [(f64, f64); 3] = [(0.05, 2.9), (0.01, 3.8), (0.004, 4.3)];
/// Standard normal quantiles of a power of 80 % and of 99 %.
const USUALLY: f64 = 0.841_621_233_572_914_3;
const SURELY: f64 = 2.326_347_874_040_841;
/// The estimate exceeds the margin 8 times of 10 when the truth exceeds it by 0.9 s / sqrt N.
const CENTRE: f64 = 0.9 / USUALLY;

fn quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
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

    #[test]
    fn k_is_the_simulated_one_and_grows_with_the_demand() {
        for (alpha, expected) in SIMULATED {
            assert!((k(alpha) - expected).abs() < 1e-12, "{alpha}");
        }
        let levels = [0.3, 0.05, 0.02, 0.01, 0.006, 0.004, 0.001, 0.0001];
        assert!(levels.windows(2).all(|pair| k(pair[0]) < k(pair[1])));
    }

    #[test]
    fn the_formula_is_the_documented_one() {
        let found = detectable(0.2, 40, 0.01, 0.1).unwrap();
        let error = 0.2 / 40.0_f64.sqrt();
        assert!((found.hidden - ((3.8 * error).exp() - 1.0)).abs() < 1e-12);
        let above_margin = 1.1 * (0.9 * error).exp() - 1.0;
        assert!((found.usually - above_margin.max(found.hidden)).abs() < 1e-12, "{found:?}");
        assert!(found.surely > found.usually);
        // Where scatter is large, it is the scatter that hides.
        let found = detectable(1.0, 12, 0.004, 0.03).unwrap();
        assert_eq!(found.usually, found.hidden);
    }

    #[test]
    fn the_limits_of_sight() {
        let still = detectable(0.0, 12, 0.01, 0.05).unwrap();
        assert_eq!(still.hidden, 0.0);
        assert!((still.usually - 0.05).abs() < 1e-12 && (still.surely - 0.05).abs() < 1e-12);
        assert_eq!(detectable(0.1, 0, 0.01, 0.05), None);
        assert_eq!(detectable(f64::INFINITY, 12, 0.01, 0.05), None);
        assert_eq!(detectable(1e6, 12, 0.01, 0.05), None);
        assert_eq!(detectable(f64::NAN, 12, 0.01, 0.05), None);
    }
}
