//! What a sample says about a quantile of its law: two of its own values.
//!
//! The number of samples at or below the quantile q is binomial(n, q) whatever the continuous law, so that the k-th
//! smallest lies above it exactly when fewer than k fall below (David and Nagaraja, Order Statistics, 2003, section
//! 7.1). The interval assumes that the samples are independent. Requests of one trial are not: they queue together. So
//! it is for the medians and percentiles of *trials*, and a lower bound on the width within one.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::Interval;

/// The two order statistics that bound a quantile, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Its order statistic lies above the quantile with at most half the probability that is left.
    pub low: u64,
    /// Its order statistic lies below the quantile with at most the other half.
    pub high: u64,
}

/// The ranks between which the quantile `q` of `n` independent samples lies at least as often as `confidence` says.
///
/// `None` where `n` is too small for one of the sides: a median needs 6 samples at 95 %, a p99 needs 368.
///
/// # Panics
/// When `q` or `confidence` does not lie between 0 and 1.
pub fn quantile_ranks(n: u64, q: f64, confidence: f64) -> Option<Ranks> {
    assert!(q > 0.0 && q < 1.0, "a quantile of {q}");
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let tail = (1.0 - confidence) / 2.0;
    let law = Binomial::new(q, n).expect("a share between 0 and 1 is a probability");
    // The k-th smallest is too high when at most k - 1 samples fall below, too low when at least k do.
    let too_high = |k: u64| law.cdf(k - 1);
    let too_low = |k: u64| law.sf(k - 1);
    let low = partition(1, n + 1, |k| too_high(k) <= tail) - 1;
    let high = partition(1, n + 1, |k| too_low(k) > tail);
    (low >= 1 && high <= n).then_some(Ranks { low, high })
}

/// The interval of the quantile `q` of the law that `values` come from, in any order.
///
/// `None` as [`quantile_ranks`], and where a value is not a number. An infinite value keeps its place in the order.
///
/// # Panics
/// As [`quantile_ranks`].
pub fn quantile_interval(values: &[f64], q: f64, confidence: f64) -> Option<Interval> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let ranks = quantile_ranks(values.len() as u64, q, confidence)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |rank: u64| sorted[rank as usize - 1];
    Some(Interval { low: at(ranks.low), high: at(ranks.high) })
}

/// The first of `from..to` for which `holds` is false, `to` if there is none; `holds` is true up to somewhere.
fn partition(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (from, to);
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_support::{float, rows};

    #[test]
    fn ranks_are_those_that_scipy_finds_by_trying_all() {
        let rows = rows(include_str!("../../tests/data/scipy_quantile_ranks.json"));
        assert_eq!(rows.len(), 11 * 4 * 3);
        for row in rows {
            let n = row["n"].as_u64().unwrap();
            let found = quantile_ranks(n, float(&row["q"]), float(&row["confidence"]));
            let expected = row["low"].as_u64().zip(row["high"].as_u64());
            assert_eq!(found.map(|ranks| (ranks.low, ranks.high)), expected, "{row}");
        }
    }

    #[test]
    fn sides_need_their_samples() {
        assert_eq!(quantile_ranks(0, 0.5, 0.95), None);
        assert_eq!(quantile_ranks(5, 0.5, 0.95), None);
        assert_eq!(quantile_ranks(6, 0.5, 0.95), Some(Ranks { low: 1, high: 6 }));
        assert_eq!(quantile_ranks(367, 0.99, 0.95), None);
        assert!(quantile_ranks(368, 0.99, 0.95).is_some());
        assert!(quantile_ranks(10_000_000, 0.999, 0.95).is_some(), "and many are no trouble");
    }

    #[test]
    fn an_interval_is_two_of_the_values() {
        let values = [6.0, 1.0, 5.0, f64::INFINITY, 4.0, 3.0];
        let interval = quantile_interval(&values, 0.5, 0.95).unwrap();
        assert_eq!(interval, Interval { low: 1.0, high: f64::INFINITY });
        assert_eq!(quantile_interval(&[], 0.5, 0.95), None);
        assert_eq!(quantile_interval(&[1.0], 0.5, 0.95), None);
        assert_eq!(quantile_interval(&[f64::NAN; 9], 0.5, 0.95), None);
        let equal = quantile_interval(&[2.0; 9], 0.5, 0.95);
        assert_eq!(equal, Some(Interval { low: 2.0, high: 2.0 }));
    }
}
