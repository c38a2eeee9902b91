//! The median of a sample, and how far its largest value lies above it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
