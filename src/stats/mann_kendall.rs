//! Whether a series rises or falls: the test of Mann (1945) and Kendall (1975), made safe for correlated series.
//!
//! S counts the pairs that rise, less those that fall. Neighbours that are alike make S swing more widely than the
//! test believes: a machine that is slow for some seconds at a time looks like a trend. Hamed and Rao (1998, equation
//! 16) widen its variance by the autocorrelation that the ranks keep when the trend is taken out, at every lag where it
//! is significant.

use statrs::distribution::{ContinuousCDF, Normal};

use super::median::middle;

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
}
