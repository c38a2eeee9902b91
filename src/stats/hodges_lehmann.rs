//! The centre of paired differences, with an exact interval.
//!
//! The estimate is the median of the Walsh averages (d_i + d_j) / 2, i <= j (Hodges and Lehmann, 1963); the interval
//! is bounded by the k-th smallest and the k-th largest of them, k from the exact law of [`super::wilcoxon`] (Tukey,
//! 1949). It assumes that the differences are symmetric about the centre, which a fair coin for the order of A and B
//! brings about when they are alike, and nothing else: no normal law, no equal variances, no calm machine.

use super::median::middle;
use super::wilcoxon::SignedRank;

/// A figure with what is known of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// `None` when `n` is too small for the confidence asked for.
    pub interval: Option<Interval>,
    /// Pairs that it comes from.
    pub n: usize,
}

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end, which belongs to it.
    pub low: f64,
    /// Its upper end, which belongs to it.
    pub high: f64,
}

/// The centre of the differences `d`, with an interval that covers the true one at least as often as `confidence`
/// (0.95 for 95 %) says.
///
/// Zeros are kept, and ties make the interval no narrower than it should be. 95 % needs 6 pairs and 99 % needs 8; below
/// that there is an estimate without an interval. `None` without pairs, and where a difference is infinite or not a
/// number: leaving such a round out would be choosing the data by its outcome.
///
/// Takes the time to sort n(n+1)/2 numbers.
///
/// # Panics
/// When `confidence` does not lie between 0 and 1.
pub fn hodges_lehmann(d: &[f64], confidence: f64) -> Option<Estimate> {
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let tail = (1.0 - confidence) / 2.0;
    let Limits { value, low, high, n } = one_sided(d, tail, tail)?;
    let interval = low.zip(high).map(|(low, high)| Interval { low, high });
    Some(Estimate { value, interval, n })
}

/// A centre with a limit on either side, each of which holds by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The point estimate.
    pub value: f64,
    /// Exceeds the true centre at most as often as its level says; `None` when `n` is too small for it.
    pub low: Option<f64>,
    /// Falls short of the true centre at most as often as its level says.
    pub high: Option<f64>,
    /// Pairs that it comes from.
    pub n: usize,
}

/// The centre of the differences `d` as [`hodges_lehmann()`] has it, with a lower limit at the one-sided level `below`
/// and an upper one at the level `above`; a level of 0 has no limit.
///
/// `None` without pairs, and where a difference is infinite or not a number.
pub fn one_sided(d: &[f64], below: f64, above: f64) -> Option<Limits> {
    if d.is_empty() || !d.iter().all(|difference| difference.is_finite()) {
        return None;
    }
    let walsh = walsh_averages(d);
    let law = SignedRank::of(d.len());
    let low = law.limit(below).map(|k| walsh[k - 1]);
    let high = law.limit(above).map(|k| walsh[walsh.len() - k]);
    Some(Limits { value: middle(&walsh), low, high, n: d.len() })
}

/// The means of all pairs, each difference paired with itself too, in ascending order.
fn walsh_averages(d: &[f64]) -> Vec<f64> {
    let mut averages = Vec::with_capacity(d.len() * (d.len() + 1) / 2);
    for (i, &first) in d.iter().enumerate() {
        averages.extend(d[i..].iter().map(|&second| f64::midpoint(first, second)));
    }
    averages.sort_unstable_by(f64::total_cmp);
    averages
}

impl Estimate {
    /// The same under an increasing function, such as `f64::exp` for a ratio that was estimated through its logarithm.
    ///
    /// The function must keep order: a limit of the interval goes to a limit.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let interval =
            self.interval.map(|Interval { low, high }| Interval { low: f(low), high: f(high) });
        Self { value: f(self.value), interval, n: self.n }
    }
}

impl Interval {
    /// Whether `x` lies in it, its ends included.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn centre_and_interval_are_those_of_scipy_and_numpy() {
        let text = include_str!("../../tests/data/scipy_hodges_lehmann.json");
        let file: Value = serde_json::from_str(text).unwrap();
        let rows = file["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 16 * 5, "sixteen sizes from 1 to 35, five kinds of sample");
        for row in rows {
            let d: Vec<f64> =
                row["d"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            for pair in row["intervals"].as_array().unwrap() {
                let estimate = hodges_lehmann(&d, pair[0].as_f64().unwrap()).unwrap();
                let name = format!("{} of {}, {}", row["name"], d.len(), pair[0]);
                assert_eq!(estimate.n, d.len());
                assert_near(estimate.value, row["value"].as_f64().unwrap(), &name);
                let ends = pair[1].as_array();
                assert_eq!(estimate.interval.is_some(), ends.is_some(), "{name}");
                if let (Some(Interval { low, high }), Some(ends)) = (estimate.interval, ends) {
                    assert_near(low, ends[0].as_f64().unwrap(), &name);
                    assert_near(high, ends[1].as_f64().unwrap(), &name);
                }
            }
        }
    }

    fn assert_near(found: f64, expected: f64, what: &str) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{what}: {found}, {expected}");
    }

    #[test]
    fn too_few_pairs_give_a_centre_without_an_interval() {
        assert_eq!(hodges_lehmann(&[], 0.95), None);
        let one = Estimate { value: 3.0, interval: None, n: 1 };
        assert_eq!(hodges_lehmann(&[3.0], 0.95), Some(one));
        for (n, confidence, some) in
            [(5, 0.95, false), (6, 0.95, true), (7, 0.99, false), (8, 0.99, true)]
        {
            let d: Vec<f64> = (0..n).map(f64::from).collect();
            let estimate = hodges_lehmann(&d, confidence).unwrap();
            assert_eq!(estimate.interval.is_some(), some, "{n} at {confidence}");
        }
        // With six pairs the limits are the extremes themselves.
        let six = hodges_lehmann(&[6.0, 1.0, 5.0, 2.0, 4.0, 3.0], 0.95).unwrap();
        assert_eq!(six.interval, Some(Interval { low: 1.0, high: 6.0 }));
        assert_eq!(six.value, 3.5);
    }

    #[test]
    fn equal_differences_have_a_closed_interval_of_no_width() {
        let estimate = hodges_lehmann(&[0.0; 10], 0.95).unwrap();
        assert_eq!(estimate.interval, Some(Interval { low: 0.0, high: 0.0 }));
        assert!(estimate.interval.unwrap().contains(0.0), "A against A is never a difference");
    }

    #[test]
    fn zeros_are_kept() {
        // Without its five zeros this sample would have no interval, and a centre of 1.
        let estimate = hodges_lehmann(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 0.95).unwrap();
        assert_eq!((estimate.n, estimate.value), (8, 0.5));
        assert_eq!(estimate.interval, Some(Interval { low: 0.0, high: 1.0 }));
    }

    #[test]
    fn each_side_has_its_own_level() {
        let d = [0.4, -0.1, 0.2, 0.9, 0.3, 0.1, 0.5, 0.7];
        let both = |confidence| hodges_lehmann(&d, confidence).unwrap().interval.unwrap();
        let limits = one_sided(&d, 0.005, 0.05).unwrap();
        assert_eq!((limits.low, limits.high), (Some(both(0.99).low), Some(both(0.9).high)));
        assert_eq!(limits.value, hodges_lehmann(&d, 0.9).unwrap().value);
        // 2^-8 is attained by the extremes themselves, and less is not attained at all.
        assert_eq!(one_sided(&d, 0.5_f64.powi(8), 0.0).unwrap().low, Some(-0.1));
        assert_eq!(one_sided(&d, 0.5_f64.powi(9), 0.0).unwrap().low, None);
        assert_eq!(one_sided(&d, 0.05, 0.0).unwrap().high, None);
        assert_eq!(one_sided(&[], 0.05, 0.05), None);
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(hodges_lehmann(&[1.0, bad, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95), None);
        }
        let huge = hodges_lehmann(&[f64::MAX; 6], 0.95).unwrap();
        assert_eq!(huge.value, f64::MAX, "averages do not overflow");
    }

    #[test]
    #[should_panic(expected = "a confidence of 95")]
    fn a_confidence_is_a_share_and_not_a_percentage() {
        hodges_lehmann(&[1.0], 95.0);
    }
}
