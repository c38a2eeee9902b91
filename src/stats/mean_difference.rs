//! The mean of paired differences of counts, with a t interval that may be one of many.
//!
//! Rank intervals of hundreds of comparisons need more rounds than anyone profiles. A t interval exists from few rounds,
//! but counts that happen to agree in all of them would make it far too short: its error is at least what counting alone
//! has (Poisson).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::series::{mean, standard_error};
use super::{Estimate, Interval};

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
    let interval = standard_error(d, value).map(|error| {
        let law = StudentsT::new(0.0, 1.0, (n - 1) as f64).expect("two leave a degree of freedom");
        let error = error.max(least.sqrt() / n as f64);
        let half = law.inverse_cdf(f64::midpoint(1.0, confidence)) * error;
        Interval { low: value - half, high: value + half }
    });
    Some(Estimate { value, interval, n })
}

#[cfg(test)]
mod tests {
    use super::*;

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
