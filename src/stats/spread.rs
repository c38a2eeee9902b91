//! How far the worst part of a trial lies from its usual one.

use super::median;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
