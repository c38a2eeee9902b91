//! Whether a series of values has a trend: Mann (1945) and Kendall (1975), with the variance corrected for
//! autocorrelation as by Hamed and Rao (1998), for neighbouring values of a measurement are alike.

use super::median;

/// A monotone trend and how likely chance makes one as clear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Pairs that rise less pairs that fall.
    pub s: f64,
    /// `s` in standard deviations, with the correction for continuity.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
    /// 1 rising, -1 falling, 0 neither.
    pub slope_sign: i8,
}

/// Fewer values than this have no normal approximation.
const VALUES_MIN: usize = 8;
/// An autocorrelation within this many standard deviations of 0 is left out, as the authors do.
const SIGNIFICANT: f64 = 1.96;

/// The trend of `values` in their order. `None` for fewer than 8 values or one that is not finite.
pub fn mann_kendall(values: &[f64]) -> Option<Trend> {
    let n = values.len();
    if n < VALUES_MIN || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let s: f64 = pairs(values).map(|(_, rise)| sign(rise)).sum();
    let variance = variance(values) * correction(values);
    let z = if s == 0.0 || variance <= 0.0 { 0.0 } else { (s - s.signum()) / variance.sqrt() };
    Some(Trend { s, z, p: two_sided(z), slope_sign: sign(s) as i8 })
}

/// Every pair: its distance and its rise.
fn pairs(values: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    values.iter().enumerate().flat_map(move |(i, a)| {
        values[i + 1..].iter().enumerate().map(move |(after, b)| ((after + 1) as f64, b - a))
    })
}

/// Of S for independent values, ties included.
fn variance(values: &[f64]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tied| term(tied.len() as f64)).sum();
    (term(values.len() as f64) - ties) / 18.0
}

/// n over the number of independent values that are worth as much, from the autocorrelation of the ranks of what is left
/// when the slope (Sen's) is taken out.
fn correction(values: &[f64]) -> f64 {
    let slopes: Vec<f64> = pairs(values).map(|(distance, rise)| rise / distance).collect();
    let slope = median(&slopes).unwrap_or(0.0);
    let rest: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let ranks = ranks(&rest);
    let n = values.len();
    let sum: f64 = (1..n - 2)
        .map(|lag| (lag as f64, autocorrelation(&ranks, lag)))
        .filter(|(_, r)| r.abs() > SIGNIFICANT / (n as f64).sqrt())
        .map(|(lag, r)| {
            let left = n as f64 - lag;
            left * (left - 1.0) * (left - 2.0) * r
        })
        .sum();
    let n = n as f64;
    // Alternating values would make the variance vanish; no series is worth more than ten times its values.
    (1.0 + 2.0 * sum / (n * (n - 1.0) * (n - 2.0))).max(0.1)
}

/// Ranks from 1, tied values sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: f64| values.iter().filter(|&&other| other < value).count() as f64;
    let equal = |value: f64| values.iter().filter(|&&other| other == value).count() as f64;
    values.iter().map(|&value| below(value) + (equal(value) + 1.0) / 2.0).collect()
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let shared: f64 = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum();
    if spread == 0.0 { 0.0 } else { shared / spread }
}

/// P(|Z| > |z|), by the fraction of Abramowitz and Stegun 26.2.17: within 1.5e-7.
fn two_sided(z: f64) -> f64 {
    let x = z.abs();
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let terms = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let polynomial = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (2.0 * density * polynomial).clamp(0.0, 1.0)
}

/// -1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a trend and without autocorrelation: a fixed permutation's residues.
    fn noise(n: usize) -> Vec<f64> {
        (0..n as u64).map(|i| (i * 7_919 % 1_009) as f64).collect()
    }

    #[test]
    fn what_rises_rises_and_what_falls_falls() {
        let rising: Vec<f64> =
            noise(30).iter().zip(0..).map(|(v, i)| v + 60.0 * f64::from(i)).collect();
        let trend = mann_kendall(&rising).unwrap();
        assert!(trend.p < 1e-4 && trend.slope_sign == 1 && trend.s > 0.0, "{trend:?}");
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        let trend = mann_kendall(&falling).unwrap();
        assert!(trend.p < 1e-4 && trend.slope_sign == -1, "{trend:?}");
    }

    #[test]
    fn noise_and_constants_have_no_trend() {
        let trend = mann_kendall(&noise(30)).unwrap();
        assert!(trend.p > 0.05, "{trend:?}");
        let flat = mann_kendall(&[5.0; 20]).unwrap();
        assert_eq!((flat.s, flat.z, flat.slope_sign), (0.0, 0.0, 0));
        assert!((flat.p - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_normal_law_is_the_textbooks() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_310_5), (1.959_964, 0.05), (2.575_829, 0.01)] {
            assert!((two_sided(z) - p).abs() < 1e-6, "{z}");
        }
    }

    #[test]
    fn too_few_values_and_no_numbers_are_refused() {
        assert_eq!(mann_kendall(&[1.0; 7]), None);
        assert_eq!(mann_kendall(&[f64::NAN; 20]), None);
    }
}
