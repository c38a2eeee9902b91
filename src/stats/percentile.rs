//! The one function of rank: what a set of requests says about its tail, and when it must say nothing.
//!
//! A failure is the worst response time there is. So requests stand in this order: right answers by their time, then
//! timeouts, of which a bound is known, then all other failures. Percentile q is that of rank ceil(q x requests), and a
//! rank is written as a share, 0.99 for p99.
//!
//! A percentile is an order statistic: with few requests beyond it, it is mostly luck. So it is printed when at least
//! [`PRINTED`] requests lie beyond it, failures among them (p99 needs 1,000 requests, p99.9 needs 10,000).

use crate::stats::Interval;
use crate::units::Nanos;
use hdrhistogram::{Counter, Histogram};
use statrs::distribution::{Binomial, DiscreteCDF};
use std::fmt;

/// Requests that must lie beyond a percentile for it to be printed.
pub const PRINTED: u64 = 10;

/// Where failures stand in what can hold numbers only, ns: an hour, which no time that is recorded reaches.
pub const FAILED_NS: u64 = 3_600_000_000_000;

/// Requests that left no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    pub all: u64,
    /// Those among them that were given up as timeouts.
    pub timeouts: u64,
    /// How long those took at least, ns.
    pub timeout_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// Too few requests lie beyond it.
    Withheld,
    /// The time of a right answer, ns.
    Time(u64),
    /// The time of a right answer, of which so much may be the generator's own lateness that it is an upper bound, ns.
    AtMost(u64),
    /// The request at that rank was given up after so long, ns.
    AtLeast(u64),
    /// The request at that rank failed otherwise.
    Unbounded,
}

/// The percentile `rank` of requests of which some left `times` and the others failed; withheld when fewer than
/// [`PRINTED`] lie beyond it.
///
/// A time is the highest value that the histogram's resolution cannot tell from the request's.
pub fn quantile<C: Counter>(times: &Histogram<C>, failures: Failures, rank: f64) -> Quantile {
    match supported(times.len() + failures.all, rank) {
        true => at_rank(times, failures, rank),
        false => Quantile::Withheld,
    }
}

/// The same however few lie beyond it; withheld of no request at all.
pub fn at_rank<C: Counter>(times: &Histogram<C>, failures: Failures, rank: f64) -> Quantile {
    let place = place(times.len() + failures.all, rank);
    failures.at(place, times.len()).unwrap_or_else(|| match times.len() {
        0 => Quantile::Withheld,
        // In the middle of the place's own share, so that no rounding makes it its neighbour's.
        n => Quantile::Time(times.value_at_quantile((place as f64 - 0.5) / n as f64)),
    })
}

/// The percentile `rank` of times that no failure belongs to, or `None` (withheld).
pub fn percentile(times: &Histogram<u64>, rank: f64) -> Option<u64> {
    quantile(times, Failures::default(), rank).time()
}

/// Whether `n` requests are enough to print the percentile `rank`.
pub fn supported(n: u64, rank: f64) -> bool {
    beyond(n, rank) >= PRINTED
}

/// How many of `n` requests lie beyond the percentile `rank`: n (1 - rank), rounded down.
///
/// 0 for a rank of 1 or more, and for one that is not a number.
pub fn beyond(n: u64, rank: f64) -> u64 {
    ((n as f64 * (1.0 - rank) * (1.0 + SLACK)) as u64).min(n)
}

/// Ranks are decimal fractions and f64 is not: 100 (1 - 0.9) falls short of 10 by a hair. The slack is far above that
/// error and far below one request in a million.
const SLACK: f64 = 1e-9;

/// Which of `n` requests in their order, counted from 1, is the percentile `rank`: ceil(rank x n).
pub fn place(n: u64, rank: f64) -> u64 {
    n - beyond(n, rank)
}

impl Failures {
    /// What the request at `place` comes to behind so many right answers; nothing where it is one of those.
    pub fn at(self, place: u64, answers: u64) -> Option<Quantile> {
        match place.saturating_sub(answers) {
            0 => None,
            behind if behind <= self.timeouts => Some(Quantile::AtLeast(self.timeout_ns)),
            _ => Some(Quantile::Unbounded),
        }
    }
}

impl std::ops::AddAssign for Failures {
    /// Of two bounds on timeouts the lower one holds for both.
    fn add_assign(&mut self, other: Self) {
        self.timeout_ns = match (self.timeouts, other.timeouts) {
            (_, 0) => self.timeout_ns,
            (0, _) => other.timeout_ns,
            _ => self.timeout_ns.min(other.timeout_ns),
        };
        self.all += other.all;
        self.timeouts += other.timeouts;
    }
}

impl Quantile {
    /// What it is in every comparison, ns: a failure is worse than any time. `None` where it is withheld.
    pub fn worth(self) -> Option<f64> {
        match self {
            Self::Withheld => None,
            Self::Time(ns) | Self::AtMost(ns) => Some(ns as f64),
            Self::AtLeast(_) | Self::Unbounded => Some(f64::INFINITY),
        }
    }

    pub fn time(self) -> Option<u64> {
        match self {
            Self::Time(ns) => Some(ns),
            _ => None,
        }
    }

    /// As a file has it: failures stand at [`FAILED_NS`].
    pub fn written(self) -> Option<u64> {
        match self {
            Self::Withheld => None,
            Self::Time(ns) | Self::AtMost(ns) => Some(ns),
            Self::AtLeast(_) | Self::Unbounded => Some(FAILED_NS),
        }
    }
}

/// `1.25 ms`, `<= 91 us`, `>= 5 s`, `unbounded`, `-`.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Withheld => f.pad("-"),
            Self::Time(ns) => Nanos(ns).fmt(f),
            Self::AtMost(ns) => f.pad(&format!("<= {}", Nanos(ns))),
            Self::AtLeast(ns) => f.pad(&format!(">= {}", Nanos(ns))),
            Self::Unbounded => f.pad("unbounded"),
        }
    }
}

pub(crate) const RANKS: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)];

// What a sample says about a quantile of its law: two of its own values.
//
// The number of samples at or below the quantile q is binomial(n, q) whatever the continuous law, so that the k-th
// smallest lies above it exactly when fewer than k fall below (David and Nagaraja, Order Statistics, 2003, section
// 7.1). The interval assumes that the samples are independent. Requests of one trial are not: they queue together. So
// it is for the medians and percentiles of *trials*, and a lower bound on the width within one.

/// The two order statistics that bound a quantile, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Its order statistic lies above the quantile with at most half the probability that is left.
    pub low: u64,
    /// Its order statistic lies below the quantile with at most the other half.
    pub high: u64,
}

/// The ranks between which the quantile `q` of `n` independent samples lies at least as often as `confidence` says.
///
/// `None` where `n` is too small for one of the sides: a median needs 6 samples at 95 %, a p99 needs 368.
///
/// # Panics
/// When `q` or `confidence` does not lie between 0 and 1.
pub fn quantile_ranks(n: u64, q: f64, confidence: f64) -> Option<Ranks> {
    assert!(q > 0.0 && q < 1.0, "a quantile of {q}");
    assert!(confidence > 0.0 && confidence < 1.0, "a confidence of {confidence}");
    let tail = (1.0 - confidence) / 2.0;
    let law = Binomial::new(q, n).expect("a share between 0 and 1 is a probability");
    // The k-th smallest is too high when at most k - 1 samples fall below, too low when at least k do.
    let too_high = |k: u64| law.cdf(k - 1);
    let too_low = |k: u64| law.sf(k - 1);
    let low = partition(1, n + 1, |k| too_high(k) <= tail) - 1;
    let high = partition(1, n + 1, |k| too_low(k) > tail);
    (low >= 1 && high <= n).then_some(Ranks { low, high })
}

/// The interval of the quantile `q` of the law that `values` come from, in any order.
///
/// `None` as [`quantile_ranks`], and where a value is not a number. An infinite value keeps its place in the order.
///
/// # Panics
/// As [`quantile_ranks`].
pub fn quantile_interval(values: &[f64], q: f64, confidence: f64) -> Option<Interval> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let ranks = quantile_ranks(values.len() as u64, q, confidence)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |rank: u64| sorted[rank as usize - 1];
    Some(Interval { low: at(ranks.low), high: at(ranks.high) })
}

/// The first of `from..to` for which `holds` is false, `to` if there is none; `holds` is true up to somewhere.
fn partition(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (from, to);
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{float, rows};
    use proptest::prelude::*;

    const NONE: Failures = Failures { all: 0, timeouts: 0, timeout_ns: 0 };

    fn up_to(n: u64) -> Histogram<u64> {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        (1..=n).for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    fn failures(timeouts: u64, others: u64) -> Failures {
        Failures { all: timeouts + others, timeouts, timeout_ns: 5_000_000_000 }
    }

    #[test]
    fn each_rank_is_printed_from_its_round_number_of_requests_on() {
        for (rank, least) in
            [(0.5, 20), (0.75, 40), (0.9, 100), (0.95, 200), (0.99, 1_000), (0.999, 10_000)]
        {
            assert!(supported(least, rank), "{rank} of {least}");
            assert!(!supported(least - 1, rank), "{rank} of {}", least - 1);
        }
        assert!(supported(100_000, 0.9999) && !supported(99_999, 0.9999));
        assert!(supported(1_000_000, 0.99999) && !supported(999_999, 0.99999));
        assert!(supported(u64::MAX, 0.999), "no overflow");
    }

    #[test]
    fn the_place_and_what_lies_beyond_are_counted_exactly() {
        for n in 0..20_000 {
            for (rank, one_in) in [(0.99, 100), (0.9, 10), (0.999, 1_000), (0.5, 2)] {
                assert_eq!(beyond(n, rank), n / one_in, "{rank} of {n}");
                let ceil = (n * (one_in - 1)).div_ceil(one_in);
                assert_eq!(place(n, rank), ceil, "{rank} of {n}");
            }
        }
        assert_eq!(beyond(1_000, 1.0), 0);
        assert_eq!(beyond(1_000, 1.5), 0);
        assert_eq!(beyond(1_000, f64::NAN), 0);
        assert_eq!(beyond(10, -1.0), 10);
    }

    #[test]
    fn a_histogram_gives_the_time_at_the_rank() {
        assert_eq!(percentile(&up_to(0), 0.5), None, "nothing recorded");
        assert_eq!(at_rank(&up_to(0), NONE, 0.5), Quantile::Withheld);
        let histogram = up_to(999);
        assert_eq!(percentile(&histogram, 0.5), Some(500));
        assert_eq!(percentile(&histogram, 0.9), Some(900));
        assert_eq!(percentile(&histogram, 0.99), None, "9 beyond");
        assert_eq!(at_rank(&histogram, NONE, 0.99), Quantile::Time(990));
        assert_eq!(percentile(&up_to(1_000), 0.99), Some(990), "10 beyond");
    }

    #[test]
    fn failures_rank_above_every_time_and_timeouts_below_the_others() {
        // 1 % of failures: p99 is the slowest right answer.
        let times = up_to(990);
        assert_eq!(quantile(&times, failures(4, 6), 0.99), Quantile::Time(990));
        assert_eq!(quantile(&times, failures(4, 7), 0.99), Quantile::AtLeast(5_000_000_000));
        assert_eq!(quantile(&times, failures(0, 11), 0.99), Quantile::Unbounded);
        // Half of 100 ms and of resets among 1.5 % of the requests: no p99 of the fast ones.
        let mut slow = Histogram::<u64>::new(3).unwrap();
        slow.record_n(1_000_000, 9_850).unwrap();
        slow.record_n(100_000_000, 60).unwrap();
        assert!(quantile(&slow, failures(0, 90), 0.99).time() > Some(99_000_000));
        assert!(percentile(&slow, 0.99) < Some(1_100_000), "without the failures");
        assert_eq!(quantile(&slow, failures(0, 90), 0.999), Quantile::Unbounded);
    }

    #[test]
    fn failures_count_among_what_lies_beyond() {
        assert_eq!(quantile(&up_to(989), NONE, 0.99), Quantile::Withheld);
        assert_eq!(quantile(&up_to(989), failures(0, 11), 0.99), Quantile::Unbounded);
        assert_eq!(quantile(&up_to(0), failures(0, 20), 0.5), Quantile::Unbounded);
        assert_eq!(quantile(&up_to(0), failures(20, 0), 0.5).to_string(), ">= 5 s");
    }

    #[test]
    fn a_failure_is_worse_than_any_time_and_written_as_an_hour() {
        let all = [
            (Quantile::Withheld, "-", None, None),
            (Quantile::Time(1_250_000), "1.25 ms", Some(1.25e6), Some(1_250_000)),
            (Quantile::AtMost(91_000), "<= 91 us", Some(91e3), Some(91_000)),
            (Quantile::AtLeast(2_000_000_000), ">= 2 s", Some(f64::INFINITY), Some(FAILED_NS)),
            (Quantile::Unbounded, "unbounded", Some(f64::INFINITY), Some(FAILED_NS)),
        ];
        for (quantile, text, worth, written) in all {
            assert_eq!(
                (quantile.to_string().as_str(), quantile.worth(), quantile.written()),
                (text, worth, written)
            );
        }
    }

    #[test]
    fn of_two_bounds_the_lower_one_holds() {
        let mut sum = NONE;
        sum += Failures { all: 3, timeouts: 1, timeout_ns: 7 };
        sum += Failures { all: 2, timeouts: 0, timeout_ns: 1 };
        sum += Failures { all: 2, timeouts: 2, timeout_ns: 5 };
        assert_eq!(sum, Failures { all: 7, timeouts: 3, timeout_ns: 5 });
    }

    proptest! {
        /// What no failure could ever do.
        #[test]
        fn another_failure_never_makes_a_percentile_better(
            answers in 0..3_000_u64,
            timeouts in 0..40_u64,
            others in 0..40_u64,
            rank in prop::sample::select(vec![0.5, 0.9, 0.99, 0.999]),
        ) {
            let times = up_to(answers);
            let worth = |timeouts, others| at_rank(&times, failures(timeouts, others), rank).worth();
            let before = worth(timeouts, others);
            prop_assert!(worth(timeouts + 1, others) >= before);
            prop_assert!(worth(timeouts, others + 1) >= before);
        }

        #[test]
        fn it_is_the_order_statistic_of_the_sorted_requests(
            values in prop::collection::vec(1..2_000_u64, 0..400),
            failed in 0..50_u64,
            rank in prop::sample::select(vec![0.5, 0.9, 0.99]),
        ) {
            let mut times = Histogram::<u64>::new(3).unwrap();
            values.iter().for_each(|value| times.record(*value).unwrap());
            let mut sorted: Vec<f64> = values.iter().map(|value| *value as f64).collect();
            sorted.extend((0..failed).map(|_| f64::INFINITY));
            sorted.sort_by(f64::total_cmp);
            let place = (rank * sorted.len() as f64 - 1e-9).ceil() as usize;
            let want = (!sorted.is_empty()).then(|| sorted[place.max(1) - 1]);
            prop_assert_eq!(at_rank(&times, failures(0, failed), rank).worth(), want);
        }
    }

    #[test]
    fn ranks_are_those_that_scipy_finds_by_trying_all() {
        let rows = rows(include_str!("../../tests/data/scipy_quantile_ranks.json"));
        assert_eq!(rows.len(), 11 * 4 * 3);
        for row in rows {
            let n = row["n"].as_u64().unwrap();
            let found = quantile_ranks(n, float(&row["q"]), float(&row["confidence"]));
            let expected = row["low"].as_u64().zip(row["high"].as_u64());
            assert_eq!(found.map(|ranks| (ranks.low, ranks.high)), expected, "{row}");
        }
    }

    #[test]
    fn sides_need_their_samples() {
        assert_eq!(quantile_ranks(0, 0.5, 0.95), None);
        assert_eq!(quantile_ranks(5, 0.5, 0.95), None);
        assert_eq!(quantile_ranks(6, 0.5, 0.95), Some(Ranks { low: 1, high: 6 }));
        assert_eq!(quantile_ranks(367, 0.99, 0.95), None);
        assert!(quantile_ranks(368, 0.99, 0.95).is_some());
        assert!(quantile_ranks(10_000_000, 0.999, 0.95).is_some(), "and many are no trouble");
    }

    #[test]
    fn an_interval_is_two_of_the_values() {
        let values = [6.0, 1.0, 5.0, f64::INFINITY, 4.0, 3.0];
        let interval = quantile_interval(&values, 0.5, 0.95).unwrap();
        assert_eq!(interval, Interval { low: 1.0, high: f64::INFINITY });
        assert_eq!(quantile_interval(&[], 0.5, 0.95), None);
        assert_eq!(quantile_interval(&[1.0], 0.5, 0.95), None);
        assert_eq!(quantile_interval(&[f64::NAN; 9], 0.5, 0.95), None);
        let equal = quantile_interval(&[2.0; 9], 0.5, 0.95);
        assert_eq!(equal, Some(Interval { low: 2.0, high: 2.0 }));
    }
}
