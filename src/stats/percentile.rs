//! What a histogram can say about its tail, and when it must say nothing.
//!
//! A percentile is an order statistic: with few samples beyond it, it is mostly luck. So it is printed when at least
//! [`PRINTED`] samples lie beyond it (p99 needs 1,000, p99.9 needs 10,000). A rank is written as a share, 0.99 for p99.

use hdrhistogram::Histogram;

/// Samples that must lie beyond a percentile for it to be printed.
pub const PRINTED: u64 = 10;

/// The value at `rank`, or `None` (withheld) when fewer than [`PRINTED`] samples lie beyond it.
///
/// In the histogram's own unit, and the highest value that its resolution cannot tell from the sample's.
pub fn percentile(histogram: &Histogram<u64>, rank: f64) -> Option<u64> {
    supported(histogram.len(), rank).then(|| histogram.value_at_quantile(rank))
}

/// Whether `n` samples are enough to print the percentile `rank`.
pub fn supported(n: u64, rank: f64) -> bool {
    beyond(n, rank) >= PRINTED
}

/// How many of `n` samples lie beyond the percentile `rank`: n (1 - rank), rounded down.
///
/// 0 for a rank of 1 or more, and for one that is not a number.
pub fn beyond(n: u64, rank: f64) -> u64 {
    (n as f64 * (1.0 - rank) * (1.0 + SLACK)) as u64
}

/// Whether the percentile `rank` has no bound: more than 1 - rank of the requests failed or timed out, so that the
/// request at that rank was never answered.
///
/// `failed` counts failures of every kind *and* timeouts, of `requests` in all.
pub fn unbounded(failed: u64, requests: u64, rank: f64) -> bool {
    failed as f64 > requests as f64 * (1.0 - rank) * (1.0 + SLACK)
}

/// Ranks are decimal fractions and f64 is not: 100 (1 - 0.9) falls short of 10 by a hair. The slack is far above that
/// error and far below one sample in a million.
const SLACK: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rank_is_printed_from_its_round_number_of_samples_on() {
        for (rank, least) in
            [(0.5, 20), (0.75, 40), (0.9, 100), (0.95, 200), (0.99, 1_000), (0.999, 10_000)]
        {
            assert!(supported(least, rank), "{rank} of {least}");
            assert!(!supported(least - 1, rank), "{rank} of {}", least - 1);
        }
        assert!(supported(100_000, 0.9999) && !supported(99_999, 0.9999));
        assert!(supported(1_000_000, 0.99999) && !supported(999_999, 0.99999));
    }

    #[test]
    fn the_samples_beyond_are_counted_exactly() {
        for n in 0..20_000 {
            assert_eq!(beyond(n, 0.99), n / 100);
            assert_eq!(beyond(n, 0.9), n / 10);
            assert_eq!(beyond(n, 0.999), n / 1_000);
            assert_eq!(beyond(n, 0.5), n / 2);
        }
        assert_eq!(beyond(1_000, 1.0), 0);
        assert_eq!(beyond(1_000, 1.5), 0);
        assert_eq!(beyond(1_000, f64::NAN), 0);
    }

    #[test]
    fn a_histogram_gives_the_value_at_the_rank() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        assert_eq!(percentile(&histogram, 0.5), None, "nothing recorded");
        for value in 1..=999 {
            histogram.record(value).unwrap();
        }
        assert_eq!(percentile(&histogram, 0.5), Some(500));
        assert_eq!(percentile(&histogram, 0.9), Some(900));
        assert_eq!(percentile(&histogram, 0.99), None, "9 beyond");
        histogram.record(1_000).unwrap();
        assert_eq!(percentile(&histogram, 0.99), Some(990), "10 beyond");
        let above = (1..=1_000).filter(|&value| value > 990).count() as u64;
        assert_eq!(above, beyond(1_000, 0.99), "what is printed and what is counted agree");
    }

    #[test]
    fn failures_take_the_bound_away_only_beyond_their_share() {
        assert!(!unbounded(10, 1_000, 0.99), "exactly one in a hundred");
        assert!(unbounded(11, 1_000, 0.99));
        assert!(!unbounded(10, 100, 0.9) && unbounded(11, 100, 0.9));
        assert!(!unbounded(11, 1_000, 0.9));
        assert!(unbounded(1, 1, 0.5));
        assert!(!unbounded(0, 0, 0.99));
        assert!(unbounded(1, 1_000_000, 1.0));
    }
}
