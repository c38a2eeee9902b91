//! How far the worst part of a trial lies from its usual one.

use super::median;

/// The largest of `values` over their median: 1 where all are alike.
///
/// `None` for an empty sample, where the median is not above 0, and where a value is infinite or not a number.
pub fn spread(values: &[f64]) -> Option<f64> {
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
    }
}
