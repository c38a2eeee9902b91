//! One series: whether it rises or falls, its median, and its mean.

use crate::stats::{Estimate, Interval};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Pairs that rise, less pairs that fall.
    pub s: f64,
    /// S, corrected for its discreteness, in units of its standard deviation.
    pub z: f64,
    /// How likely an |S| as large is in a series without a trend.
    pub p: f64,
    /// Sign of the median slope of all pairs (Theil and Sen): 1 rising, -1 falling, 0 neither.
    pub slope_sign: i8,
}

/// The trend of `values`, which were taken at equal steps of time.
///
/// A correction that would leave no variance, which a series that swings to and fro can bring about, is not made.
/// `None` for fewer than 3 values, and where one is infinite or not a number. The law of z is normal from about 10
/// values on; below, p is a rough guide. Takes the time and the space of n(n-1)/2 slopes.
pub fn mann_kendall(values: &[f64]) -> Option<Trend> {
    if values.len() < 3 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let slope = median_slope(values);
    let s = pairs(values).map(|(_, first, second)| sign(second - first)).sum::<f64>();
    let z = if s == 0.0 { 0.0 } else { (s - s.signum()) / variance(values, slope).sqrt() };
    let p = 2.0 * Normal::standard().sf(z.abs());
    Some(Trend { s, z, p: p.min(1.0), slope_sign: sign(slope) as i8 })
}

/// Every two values in the order of time, with the steps between them.
fn pairs(values: &[f64]) -> impl Iterator<Item = (usize, f64, f64)> {
    (1..values.len())
        .flat_map(|lag| values.iter().zip(&values[lag..]).map(move |(a, b)| (lag, *a, *b)))
}

/// Unlike `f64::signum`, 0 for 0.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

fn median_slope(values: &[f64]) -> f64 {
    let mut slopes: Vec<f64> =
        pairs(values).map(|(lag, first, second)| (second - first) / lag as f64).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    middle(&slopes)
}

/// Of S: that of an independent series with the same ties, times the correction.
fn variance(values: &[f64], slope: f64) -> f64 {
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tied| term(tied.len())).sum();
    let correction = correction(values, slope);
    let correction = if correction > 0.0 { correction } else { 1.0 };
    (term(values.len()) - ties) / 18.0 * correction
}

/// How much wider the law of S is than for an independent series.
fn correction(values: &[f64], slope: f64) -> f64 {
    let detrended: Vec<f64> =
        (1..).zip(values).map(|(time, value)| value - f64::from(time) * slope).collect();
    let n = values.len() as f64;
    let ranks = ranks(&detrended);
    let centred: Vec<f64> = ranks.iter().map(|rank| rank - (n + 1.0) / 2.0).collect();
    let at = |lag: usize| centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let power = at(0);
    if power == 0.0 {
        return 1.0;
    }
    let significant = SIGNIFICANT / n.sqrt();
    let sum: f64 = (1..values.len())
        .map(|lag| (lag as f64, at(lag) / power))
        .filter(|(_, correlation)| correlation.abs() > significant)
        .map(|(lag, correlation)| (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * correlation)
        .sum();
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

/// Two-sided 5 % of the standard normal law.
const SIGNIFICANT: f64 = 1.959_963_984_540_054;

/// From 1; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&index| ranks[index] = shared);
        before += tied.len();
    }
    ranks
}

// The median of a sample, and how far its largest value lies above it.

/// The median of `values` in any order; of an even number, the mean of the two in the middle.
///
/// Infinite values are left out, as lost rounds have them: the caller reports how many were lost. `None` where
/// nothing is left, and where a value is not a number.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> =
        values.iter().copied().filter(|value| !value.is_infinite()).collect();
    if sorted.is_empty() || sorted.iter().any(|value| value.is_nan()) {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    Some(middle(&sorted))
}

/// The median of a sample that is sorted and not empty.
pub(super) fn middle(sorted: &[f64]) -> f64 {
    // The two indices are one and the same for an odd length.
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// The largest of `values` over their median: 1 where all are alike.
///
/// Infinite where a value is. `None` for an empty sample, where the median is not above 0, and where a value is not a
/// number.
pub fn spread(values: &[f64]) -> Option<f64> {
    if values.contains(&f64::INFINITY) {
        return (!values.iter().any(|value| value.is_nan())).then_some(f64::INFINITY);
    }
    let median = median(values).filter(|median| *median > 0.0)?;
    values.iter().copied().reduce(f64::max).map(|max| max / median)
}

// The mean of a correlated series, with an interval.
//
// Neighbours in a series of response times are alike, so the standard error of their plain mean is far too small. The
// means of long consecutive batches are nearly independent and nearly normal, and those get a t interval (Law and
// Carson, 1979). Between 10 and 30 batches are enough: fewer widen the interval, more shorten the batches (Schmeiser,
// 1982).

/// The mean of `values` in the order they were taken, from `batches` means of equally many consecutive ones.
///
/// Values that do not fill a batch are left out at the front, where a series has settled least. The estimate's `n` is
/// the number of batches; one batch has a mean without an interval. `None` when there are fewer values than batches,
/// no batches, and where a value is infinite or not a number.
///
/// # Panics
/// When `confidence` does not lie between 0 and 1.
pub fn batch_means(values: &[f64], batches: usize, confidence: f64) -> Option<Estimate> {
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let size = values.len().checked_div(batches)?;
    if size == 0 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let used = &values[values.len() - size * batches..];
    let means: Vec<f64> = used.chunks_exact(size).map(mean).collect();
    let value = mean(&means);
    let interval = standard_error(&means, value);
    let interval = interval.map(|error| t_interval(value, error, batches, confidence));
    Some(Estimate { value, interval, n: batches })
}

// The mean of paired differences of counts, with a t interval that may be one of many.
//
// Rank intervals of hundreds of comparisons need more rounds than anyone profiles. A t interval exists from few rounds,
// but counts that happen to agree in all of them would make it far too short: its error is at least what counting alone
// has (Poisson).

/// The mean of the differences `d`, where counting alone gives each of them a variance; `least` is the sum of those.
///
/// For `m` intervals that hold together ask each for `1 - (1 - confidence) / m`. One difference has no interval. `None`
/// without any, and where one is infinite or not a number.
///
/// # Panics
/// When `confidence` does not lie between 0 and 1.
pub fn mean_difference(d: &[f64], least: f64, confidence: f64) -> Option<Estimate> {
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    if d.is_empty() || !d.iter().all(|d| d.is_finite()) {
        return None;
    }
    let (value, n) = (mean(d), d.len());
    let counting = least.sqrt() / n as f64;
    let interval = standard_error(d, value);
    let interval = interval.map(|error| t_interval(value, error.max(counting), n, confidence));
    Some(Estimate { value, interval, n })
}

/// Of the mean of `n` values, at least two, with its standard error.
fn t_interval(mean: f64, error: f64, n: usize, confidence: f64) -> Interval {
    let law = StudentsT::new(0.0, 1.0, (n - 1) as f64).expect("two leave a degree of freedom");
    let half = law.inverse_cdf(f64::midpoint(1.0, confidence)) * error;
    Interval { low: mean - half, high: mean + half }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of the mean of independent values; `None` for a single one.
fn standard_error(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{assert_near, float, floats, rows};

    #[test]
    fn trends_are_those_of_pymannkendall() {
        let rows = rows(include_str!("../../tests/data/scipy_mann_kendall.json"));
        assert_eq!(rows.len(), 7 * 5);
        assert!(rows.iter().filter(|row| row["corrected"] == true).count() > 10);
        for row in rows {
            let values = floats(&row["x"]);
            let found = mann_kendall(&values).unwrap();
            let what = format!("{} of {}", row["name"], values.len());
            assert_eq!(found.s, float(&row["s"]), "{what}");
            assert_near(found.z, float(&row["z"]), &what);
            assert!((found.p - float(&row["p"])).abs() < 1e-9, "{what}: {}", found.p);
            assert_eq!(i64::from(found.slope_sign), row["slope_sign"].as_i64().unwrap(), "{what}");
        }
    }

    #[test]
    fn what_has_no_trend() {
        assert_eq!(mann_kendall(&[]), None);
        assert_eq!(mann_kendall(&[1.0, 2.0]), None);
        assert_eq!(mann_kendall(&[1.0, 2.0, f64::INFINITY]), None);
        assert_eq!(mann_kendall(&[1.0, f64::NAN, 2.0]), None);
        let none = Trend { s: 0.0, z: 0.0, p: 1.0, slope_sign: 0 };
        assert_eq!(mann_kendall(&[3.0; 30]), Some(none));
    }

    #[test]
    fn a_straight_line_rises_and_a_slow_machine_does_not() {
        let line: Vec<f64> = (0..20).map(f64::from).collect();
        let trend = mann_kendall(&line).unwrap();
        assert_eq!((trend.s, trend.slope_sign), (190.0, 1));
        assert!(trend.p < 1e-6, "{trend:?}");
        // Ten calm seconds after ten slow ones are one event and not twenty.
        let spell: Vec<f64> =
            (0..30).map(|i| f64::from(i % 3) + if i < 10 { 9.0 } else { 0.0 }).collect();
        let trend = mann_kendall(&spell).unwrap();
        assert!(trend.z.abs() < trend.s.abs() / 56.0, "less sure than if independent: {trend:?}");
    }

    #[test]
    fn the_middle_of_odd_and_even_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[-1.0, -1.0, 5.0]), Some(-1.0));
    }

    #[test]
    fn what_has_no_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(median(&[f64::INFINITY]), None);
    }

    #[test]
    fn lost_rounds_are_left_out() {
        assert_eq!(median(&[f64::INFINITY, 1.0, 3.0, f64::NEG_INFINITY]), Some(2.0));
    }

    #[test]
    fn large_values_do_not_overflow() {
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn the_largest_over_the_middle() {
        assert_eq!(spread(&[2.0, 2.0, 2.0]), Some(1.0));
        assert_eq!(spread(&[1.0, 6.0, 2.0, 2.0]), Some(3.0));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.0, 0.0, 5.0]), None);
        assert_eq!(spread(&[1.0, f64::NAN]), None);
        assert_eq!(spread(&[1.0, f64::INFINITY, 2.0]), Some(f64::INFINITY));
        assert_eq!(
            spread(&[f64::INFINITY, f64::INFINITY]),
            Some(f64::INFINITY),
            "nothing is steady"
        );
        assert_eq!(spread(&[f64::INFINITY, f64::NAN]), None);
    }

    #[test]
    fn mean_and_interval_are_those_of_scipy() {
        let rows = rows(include_str!("../../tests/data/scipy_batch_means.json"));
        assert_eq!(rows.len(), 4 * 3);
        for row in rows {
            let batches = row["batches"].as_u64().unwrap() as usize;
            let found =
                batch_means(&floats(&row["x"]), batches, float(&row["confidence"])).unwrap();
            let interval = found.interval.unwrap();
            let what = format!("{batches} batches at {}", row["confidence"]);
            assert_eq!(found.n, batches);
            assert_near(found.value, float(&row["value"]), &what);
            assert_near(interval.low, float(&row["low"]), &what);
            assert_near(interval.high, float(&row["high"]), &what);
        }
    }

    #[test]
    fn what_has_no_mean_or_no_interval() {
        assert_eq!(batch_means(&[], 10, 0.95), None);
        assert_eq!(batch_means(&[1.0; 9], 10, 0.95), None, "a batch would be empty");
        assert_eq!(batch_means(&[1.0; 9], 0, 0.95), None);
        assert_eq!(batch_means(&[1.0, f64::INFINITY], 2, 0.95), None);
        let one = Estimate { value: 2.0, interval: None, n: 1 };
        assert_eq!(batch_means(&[1.0, 3.0], 1, 0.95), Some(one));
        let equal = batch_means(&[7.0; 20], 10, 0.95).unwrap();
        assert_eq!(equal.interval, Some(Interval { low: 7.0, high: 7.0 }));
    }

    /// Half the width, in standard errors.
    fn width(confidence: f64) -> f64 {
        let d = [1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0];
        let found = mean_difference(&d, 0.0, confidence).unwrap();
        let interval = found.interval.unwrap();
        assert_eq!((found.value, found.n), (2.0, 8));
        (interval.high - interval.low) / 2.0 / (8.0_f64 / 7.0 / 8.0).sqrt()
    }

    #[test]
    fn it_is_a_t_interval_also_of_one_among_hundreds() {
        // Tables of Student's law with 7 degrees of freedom: 0.975, 0.9995.
        assert!((width(0.95) - 2.364_6).abs() < 1e-3, "{}", width(0.95));
        assert!((width(0.999) - 5.407_9).abs() < 1e-3, "{}", width(0.999));
        // The density of its tail falls with the eighth power: a tenth of the tail is 10^(1/7) as far out.
        let (far, farther) = (width(1.0 - 1e-6), width(1.0 - 1e-7));
        assert!((farther / far - 10.0_f64.powf(1.0 / 7.0)).abs() < 0.03, "{far} {farther}");
    }

    #[test]
    fn counts_that_happen_to_agree_are_no_more_certain_than_counts_are() {
        // One sample more in each of eight rounds: the sum is 8 with an error of 2.8.
        let interval = mean_difference(&[1.0; 8], 8.0, 0.999).unwrap().interval.unwrap();
        assert!(interval.low < 0.0 && interval.high > 2.0, "{interval:?}");
        assert!(mean_difference(&[1.0; 8], 0.0, 0.999).unwrap().interval.unwrap().low > 0.0);
        assert_eq!(mean_difference(&[1.0], 1.0, 0.95).unwrap().interval, None);
        assert_eq!(mean_difference(&[], 1.0, 0.95), None);
        assert_eq!(mean_difference(&[f64::INFINITY], 1.0, 0.95), None);
    }
}
