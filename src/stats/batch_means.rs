//! The mean of a correlated series, with an interval.
//!
//! Neighbours in a series of response times are alike, so the standard error of their plain mean is far too small. The
//! means of long consecutive batches are nearly independent and nearly normal, and those get a t interval (Law and
//! Carson, 1979). Between 10 and 30 batches are enough: fewer widen the interval, more shorten the batches (Schmeiser,
//! 1982).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Estimate, Interval};

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
    let interval = standard_error(&means, value).map(|error| {
        let freedom = (batches - 1) as f64;
        let law = StudentsT::new(0.0, 1.0, freedom).expect("two batches leave a degree of freedom");
        let half = law.inverse_cdf(f64::midpoint(1.0, confidence)) * error;
        Interval { low: value - half, high: value + half }
    });
    Some(Estimate { value, interval, n: batches })
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
}
