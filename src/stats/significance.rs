//! Exact tests of paired differences, and which of many tests to believe.

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

// Which of many tests to believe (Benjamini and Hochberg, 1995): of those that are believed at most a share `rate` is wrong,
// on average, when the tests are independent.

/// For each p-value whether its test is believed. One that is not a number is not.
pub fn discoveries(p: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let all = order.len() as f64;
    let small = |(place, &i): (usize, &usize)| p[i] <= rate * (place + 1) as f64 / all;
    let last = order.iter().enumerate().rposition(small);
    let mut believed = vec![false; p.len()];
    order[..last.map_or(0, |last| last + 1)].iter().for_each(|&i| believed[i] = true);
    believed
}

// The exact law of Wilcoxon's signed-rank statistic when A and B are alike.
//
// T is the sum of the ranks of the positive differences. Under the null each rank 1..n is positive with even odds,
// whatever the law of the differences, so P(T = t) is the share of the subsets of 1..n that sum to t. Ties and zeros
// only make an interval from this law wider than it need be.
//
// No normal approximation: it would be worst for the few rounds of a usual run.

/// The law for one number of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedRank {
    /// P(T <= t) by t, 0 to n(n+1)/2.
    at_most: Vec<f64>,
}

impl SignedRank {
    /// The law of `pairs` tie-free differences. Takes pairs^3 / 6 additions: about 10 us for 40 pairs.
    pub fn of(pairs: usize) -> Self {
        // Probabilities and not counts, so that nothing overflows; halving is exact.
        let mut share = vec![1.0];
        for rank in 1..=pairs {
            share.resize(share.len() + rank, 0.0);
            // Downwards, so that a rank is taken once: below `rank` there is nothing to take it to.
            for t in (0..share.len()).rev() {
                let with = if t >= rank { share[t - rank] } else { 0.0 };
                share[t] = f64::midpoint(share[t], with);
            }
        }
        let at_most = share
            .into_iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        Self { at_most }
    }

    /// P(T <= t); 1 from n(n+1)/2 on.
    pub fn at_most(&self, t: usize) -> f64 {
        self.at_most.get(t).copied().unwrap_or(1.0)
    }

    /// The largest k with P(T < k) <= `tail`: the k-th smallest Walsh average is then above the true centre with a
    /// probability of at most `tail`, and by symmetry the k-th largest below it.
    ///
    /// `None` when even the smallest and the largest are too likely to miss: two tails of 2.5 % need 6 pairs, of 0.5 %
    /// need 8.
    pub fn limit(&self, tail: f64) -> Option<usize> {
        let k = self.at_most.iter().take_while(|p| **p <= tail).count();
        (k > 0).then_some(k)
    }
}

/// The fewest pairs of which an interval has this confidence: all of one sign is as likely as 2 in 2^n.
pub fn fewest_pairs(confidence: f64) -> usize {
    (1.0 - (1.0 - confidence).log2()).ceil() as usize
}

/// How often the interval of `pairs` that has at least this confidence misses the true centre: less often than asked for,
/// because the law is discrete. 0 where there is no interval.
pub fn misses(pairs: usize, confidence: f64) -> f64 {
    let law = SignedRank::of(pairs);
    law.limit((1.0 - confidence) / 2.0).map_or(0.0, |k| 2.0 * law.at_most(k - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{float, rows};

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

    #[test]
    fn the_example_of_its_authors_is_found_again() {
        // Their section 4.1: fifteen hypotheses at 5 %, of which four are rejected; Bonferroni rejects three.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        assert_eq!(discoveries(&p, 0.05).iter().filter(|b| **b).count(), 4);
        let mut turned = p;
        turned.reverse();
        assert_eq!(discoveries(&turned, 0.05)[11..], [true; 4], "their order does not matter");
    }

    #[test]
    fn a_small_value_carries_larger_ones_before_it() {
        assert_eq!(discoveries(&[0.04, 0.04], 0.05), [true; 2], "0.04 is above 0.025, and 2 of 2");
        assert_eq!(discoveries(&[0.04, 0.9], 0.05), [false; 2]);
        assert_eq!(discoveries(&[f64::NAN, 0.04], 0.05), [false, true]);
        assert!(discoveries(&[], 0.05).is_empty());
    }

    #[test]
    fn the_law_is_the_one_of_scipy() {
        let rows = rows(include_str!("../../tests/data/scipy_wilcoxon.json"));
        assert_eq!(rows.len(), 40);
        for row in rows {
            let n = row["n"].as_u64().unwrap() as usize;
            let law = SignedRank::of(n);
            for pair in row["at_most"].as_array().unwrap() {
                let (t, p) = (pair[0].as_u64().unwrap() as usize, pair[1].as_f64().unwrap());
                let found = law.at_most(t);
                assert!((found - p).abs() <= 1e-12 * p, "n {n}, t {t}: {found} and not {p}");
            }
        }
    }

    #[test]
    fn a_family_of_comparisons_needs_more_pairs() {
        let family = |m: u32| fewest_pairs(1.0 - 0.05 / f64::from(m));
        assert_eq!([1, 3, 4, 6, 12].map(family), [6, 7, 8, 8, 9]);
        for m in 1..=200 {
            let (n, tail) = (family(m), 0.025 / f64::from(m));
            assert!(SignedRank::of(n).limit(tail).is_some(), "{m}");
            assert!(SignedRank::of(n - 1).limit(tail).is_none(), "{m}");
        }
    }

    #[test]
    fn an_interval_misses_less_often_than_it_may() {
        assert_eq!((misses(5, 0.95), misses(6, 0.95)), (0.0, 2.0 / 64.0));
        for n in 6..=40 {
            assert!((0.025..=0.05).contains(&misses(n, 0.95)), "{n}: {}", misses(n, 0.95));
        }
    }

    #[test]
    fn limits_are_where_the_test_of_scipy_stops_rejecting() {
        let rows = rows(include_str!("../../tests/data/scipy_limits.json"));
        assert_eq!(rows.len(), 40);
        for row in rows {
            let n = row["n"].as_u64().unwrap() as usize;
            let law = SignedRank::of(n);
            for pair in row["rank"].as_array().unwrap() {
                let confidence = pair[0].as_f64().unwrap();
                let expected = pair[1].as_u64().map(|k| k as usize);
                assert_eq!(law.limit((1.0 - confidence) / 2.0), expected, "n {n}, {confidence}");
            }
        }
    }

    #[test]
    fn a_textbook_table_agrees() {
        // Two-sided 5 %: T is significant up to 0 (n = 6), 8 (n = 10), 52 (n = 20), 137 (n = 30).
        for (n, critical) in [(6, 0), (10, 8), (20, 52), (30, 137)] {
            assert_eq!(SignedRank::of(n).limit(0.025), Some(critical + 1), "n {n}");
        }
    }

    #[test]
    fn few_pairs_have_no_limits() {
        assert_eq!(SignedRank::of(0).at_most(0), 1.0);
        assert_eq!(SignedRank::of(0).limit(0.025), None);
        assert_eq!(SignedRank::of(5).limit(0.025), None);
        assert_eq!(SignedRank::of(6).limit(0.025), Some(1));
        assert_eq!(SignedRank::of(7).limit(0.005), None);
        assert_eq!(SignedRank::of(8).limit(0.005), Some(1));
        assert_eq!(SignedRank::of(8).limit(f64::NAN), None);
    }

    #[test]
    fn many_pairs_neither_overflow_nor_lose_their_symmetry() {
        for n in [60, 64, 120] {
            let (law, top) = (SignedRank::of(n), n * (n + 1) / 2);
            assert!((law.at_most(top) - 1.0).abs() < 1e-12);
            assert_eq!(law.at_most(0), 0.5_f64.powi(n as i32));
            for t in (0..top).step_by(7) {
                let both = law.at_most(t) + law.at_most(top - 1 - t);
                assert!((both - 1.0).abs() < 1e-12, "n {n}, t {t}");
            }
        }
    }
}
