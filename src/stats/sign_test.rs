//! The exact one-sided sign test (Arbuthnot, 1710): whether more differences are positive than a fair coin allows.

use statrs::distribution::{Binomial, DiscreteCDF};

/// A count of signs and how likely so many positive ones are by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignTest {
    /// Positive differences.
    pub above: usize,
    /// Negative differences.
    pub below: usize,
    /// P(at least `above` heads in `above + below` throws of a fair coin); 1 without any.
    pub p: f64,
}

impl SignTest {
    /// The test of so many positive and negative differences. A zero says nothing about either side: leave it out.
    pub fn of(above: usize, below: usize) -> Self {
        let law = Binomial::new(0.5, (above + below) as u64).expect("a half is a probability");
        let p = above.checked_sub(1).map_or(1.0, |fewer| law.sf(fewer as u64));
        Self { above, below, p }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_support::{float, rows};

    #[test]
    fn it_is_the_one_of_scipy() {
        let rows = rows(include_str!("../../tests/data/scipy_sign_test.json"));
        assert!(rows.len() > 100);
        for row in rows {
            let count = |side: &str| row[side].as_u64().unwrap() as usize;
            let (found, expected) =
                (SignTest::of(count("above"), count("below")), float(&row["p"]));
            let error = (found.p - expected).abs();
            assert!(error <= 1e-9 * expected, "{row}: {found:?}");
        }
    }

    #[test]
    fn seven_of_seven_are_the_fewest_below_one_percent() {
        assert_eq!(SignTest::of(0, 0).p, 1.0);
        assert_eq!(SignTest::of(0, 9).p, 1.0);
        assert!((SignTest::of(1, 0).p - 0.5).abs() < 1e-15);
        assert!(SignTest::of(6, 0).p > 0.01 && SignTest::of(7, 0).p <= 0.01);
    }
}
