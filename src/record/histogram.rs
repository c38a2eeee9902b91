//! Between requests in memory and the [`Distribution`] of a result file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};

use super::Distribution;
use super::late::{self, Late};
use crate::stats::percentile::{self, FAILED_NS, Failures, Quantile, quantile};
use crate::units::Nanos;

/// What a result file says about times that no failure belongs to (ns): the percentiles that they support, and the whole
/// of them.
pub fn distribution(times: &Histogram<u64>) -> Distribution {
    ranked(times, Failures::default())
}

/// The same of the times of right answers beside requests that failed, which rank above all of them.
pub fn ranked(times: &Histogram<u64>, failures: Failures) -> Distribution {
    let at = |rank: f64| quantile(times, failures, rank).written();
    let answered = !times.is_empty();
    Distribution {
        n: times.len() + failures.all,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        max: answered.then(|| times.max()),
        mean: answered.then(|| times.mean()),
        failures: failures.all,
        timeouts: failures.timeouts,
        timeout_ns: (failures.timeouts > 0).then_some(failures.timeout_ns),
        ours: BTreeMap::new(),
        hdr_v2: encode(&whole(times, failures)),
    }
}

impl Distribution {
    /// The percentile in tenths of a percent: one of the four that are written, else withheld.
    pub fn at(&self, per_mille: u64) -> Quantile {
        let written = match per_mille {
            500 => self.p50,
            900 => self.p90,
            990 => self.p99,
            999 => self.p99_9,
            _ => None,
        };
        match written {
            None => Quantile::Withheld,
            Some(FAILED_NS) => {
                let place = percentile::place(self.n, per_mille as f64 / 1_000.0);
                let answered = self.n.saturating_sub(self.failures);
                self.failed().at(place, answered).unwrap_or(Quantile::Unbounded)
            }
            Some(ns) if self.late(per_mille) == Late::Bound => Quantile::AtMost(ns),
            Some(ns) => Quantile::Time(ns),
        }
    }

    /// The same as text, marked where the generator was late.
    pub(crate) fn shown(&self, per_mille: u64) -> String {
        match self.at(per_mille) {
            Quantile::Time(ns) => self.late(per_mille).shown(&Nanos(ns).to_string()),
            other => other.to_string(),
        }
    }

    /// What the generator's part makes of a percentile.
    pub(crate) fn late(&self, per_mille: u64) -> Late {
        Late::of(self.ours_at(per_mille))
    }

    /// Both ends of the interval in which a percentile lies, ns: the same figure twice but where it is a bound.
    pub(crate) fn ends(&self, per_mille: u64) -> Option<(f64, f64)> {
        let high = self.at(per_mille).worth()?;
        match self.late(per_mille) {
            Late::Bound if high.is_finite() => {
                Some((late::without(high, self.ours_at(per_mille)), high))
            }
            _ => Some((high, high)),
        }
    }

    /// The generator's share of a percentile; none of a failure.
    pub(crate) fn ours_at(&self, per_mille: u64) -> f64 {
        let name = match per_mille {
            500 => "p50",
            900 => "p90",
            990 => "p99",
            999 => "p99_9",
            _ => return 0.0,
        };
        self.ours.get(name).copied().unwrap_or(0.0)
    }

    /// The requests among its samples that left no time.
    fn failed(&self) -> Failures {
        let Self { failures: all, timeouts, timeout_ns, .. } = *self;
        Failures { all, timeouts, timeout_ns: timeout_ns.unwrap_or_default() }
    }
}

/// The times of right answers, and the requests beside them that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// In ns.
    pub times: Histogram<u64>,
    /// Above all of them.
    pub failures: Failures,
}

impl Ranked {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.times.len() + self.failures.all
    }

    /// A percentile, where enough requests lie beyond it.
    pub fn at(&self, rank: f64) -> Quantile {
        quantile(&self.times, self.failures, rank)
    }

    /// Adds others of the same resolution.
    ///
    /// # Errors
    /// Where the times do not fit.
    pub fn add(&mut self, other: &Self) -> Result<(), String> {
        self.failures += other.failures;
        self.times.add(&other.times).map_err(|error| error.to_string())
    }

    /// One histogram of all requests, in which failures stand at [`FAILED_NS`].
    pub fn whole(&self) -> Cow<'_, Histogram<u64>> {
        whole(&self.times, self.failures)
    }
}

fn whole(times: &Histogram<u64>, failures: Failures) -> Cow<'_, Histogram<u64>> {
    if failures.all == 0 {
        return Cow::Borrowed(times);
    }
    let mut whole = failed(failures.all, times.sigfig());
    whole.add(times).expect("no time is as long as a failure");
    Cow::Owned(whole)
}

/// So many failures and nothing else.
fn failed(count: u64, digits: u8) -> Histogram<u64> {
    let mut failed = Histogram::new_with_bounds(1, FAILED_NS, digits).expect("1 is below an hour");
    failed.record_n(FAILED_NS, count).expect("it is the upper bound");
    failed
}

/// The requests of a [`Distribution`].
///
/// # Errors
/// Where `hdr_v2` is no base64, no histogram, or has another count than `n` or fewer failures than it should.
pub fn requests(distribution: &Distribution) -> Result<Ranked, String> {
    let mut times = decode(&distribution.hdr_v2)?;
    if times.len() != distribution.n {
        return Err(format!("hdr_v2 has {} samples and n is {}", times.len(), distribution.n));
    }
    if distribution.failures > 0 {
        times
            .subtract(failed(distribution.failures, times.sigfig()))
            .map_err(|error| format!("hdr_v2 has fewer failures than it says: {error}"))?;
    }
    Ok(Ranked { times, failures: distribution.failed() })
}

/// A histogram as [`Distribution`] and the contract's `/stats` write it.
///
/// # Errors
/// Where the text is no base64 or no histogram.
pub fn decode(hdr_v2: &str) -> Result<Histogram<u64>, String> {
    let bytes = BASE64.decode(hdr_v2).map_err(|error| format!("hdr_v2 is not base64: {error}"))?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("hdr_v2 is not a histogram: {error}"))
}

/// HdrHistogram V2, deflated where that is shorter (a histogram of few values is not), base64.
fn encode(histogram: &Histogram<u64>) -> String {
    let (mut plain, mut deflated) = (Vec::new(), Vec::new());
    V2Serializer::new()
        .serialize(histogram, &mut plain)
        .expect("a histogram of u64 counts below 2^63 always encodes into memory");
    V2DeflateSerializer::new()
        .serialize(histogram, &mut deflated)
        .expect("a histogram of u64 counts below 2^63 always encodes into memory");
    BASE64.encode(if deflated.len() < plain.len() { deflated } else { plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        values.into_iter().for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        for (n, p50, p90, p99, p99_9) in [
            (0, false, false, false, false),
            (19, false, false, false, false),
            (20, true, false, false, false),
            (99, true, false, false, false),
            (100, true, true, false, false),
            (999, true, true, false, false),
            (1_000, true, true, true, false),
            (9_999, true, true, true, false),
            (10_000, true, true, true, true),
        ] {
            let d = distribution(&of(1..=n));
            let given = [d.p50, d.p90, d.p99, d.p99_9].map(|value| value.is_some());
            assert_eq!(given, [p50, p90, p99, p99_9], "n = {n}");
            assert_eq!(d.max.is_some(), n > 0);
        }
    }

    #[test]
    fn percentiles_are_read_within_three_digits() {
        let d = distribution(&of((1..=10_000).map(|i| i * 1_000)));
        for (value, want) in [
            (d.p50, 5_000_000.0),
            (d.p90, 9_000_000.0),
            (d.p99, 9_900_000.0),
            (d.p99_9, 9_990_000.0),
            (d.max, 10_000_000.0),
        ] {
            let value = value.unwrap() as f64;
            assert!((value / want - 1.0).abs() < 0.001, "{value} for {want}");
        }
    }

    #[test]
    fn what_is_written_reads_back_equal() {
        let one = of([12_345]);
        let many = of((0..50_000_u64).map(|i| 1 + i * i % 7_919_000));
        for histogram in [of([]), one, many] {
            assert_eq!(requests(&distribution(&histogram)).unwrap().times, histogram);
        }
    }

    #[test]
    fn a_late_percentile_is_an_interval_and_its_upper_end_a_number() {
        let mut d = distribution(&of(std::iter::repeat_n(91_000, 1_000)));
        d.ours = [("p50", 0.05), ("p90", 0.2), ("p99", 0.4)].map(|(k, v)| (k.into(), v)).into();
        let shown = [500, 900, 990, 999].map(|per_mille| d.shown(per_mille));
        assert_eq!(shown, ["91 us", "91 us*", "<= 91 us", "-"]);
        assert_eq!(d.at(990), Quantile::AtMost(d.p99.unwrap()));
        let (low, high) = d.ends(990).unwrap();
        assert!((low / high - 0.6).abs() < 1e-9 && high == d.p99.unwrap() as f64);
        let (low, high) = d.ends(900).unwrap();
        assert_eq!(low, high, "marked and not a bound");
        d.failures = 20;
        d.p99 = Some(FAILED_NS);
        assert_eq!(d.ends(990), Some((f64::INFINITY, f64::INFINITY)), "nothing of it is ours");
    }

    #[test]
    fn failures_stand_at_an_hour_and_are_known_apart() {
        let times = of((1..=980).map(|i| i * 1_000));
        let failures = Failures { all: 20, timeouts: 15, timeout_ns: 2_000_000_000 };
        let d = ranked(&times, failures);
        assert_eq!(
            (d.n, d.failures, d.timeouts, d.timeout_ns),
            (1_000, 20, 15, Some(2_000_000_000))
        );
        assert_eq!((d.p99, d.p99_9), (Some(FAILED_NS), None));
        assert!(d.max < Some(1_000_000) && d.mean < Some(500_000.0), "of those that have a time");
        assert_eq!(d.at(990).to_string(), ">= 2 s");
        assert_eq!(d.at(500), quantile(&times, failures, 0.5));
        let resets = ranked(&times, Failures { timeouts: 5, ..failures });
        assert_eq!(resets.at(990).to_string(), "unbounded");
        assert_eq!(resets.at(999).to_string(), "-");
        let whole = decode(&d.hdr_v2).unwrap();
        assert_eq!(whole.len(), 1_000);
        assert_eq!(whole.count_between(FAILED_NS, FAILED_NS), 20);
        let read = requests(&d).unwrap();
        assert_eq!((read.failures, read.times.len()), (failures, 980));
        assert_eq!(read.at(0.9), quantile(&times, failures, 0.9));
        let none_answered = ranked(&of([]), failures);
        assert_eq!((none_answered.n, none_answered.max, none_answered.mean), (20, None, None));
        assert!(requests(&none_answered).unwrap().times.is_empty());
    }

    #[test]
    fn what_is_added_is_ranked_together() {
        let times = of((1..=500).map(|i| i * 1_000));
        let one = |timeouts| Ranked {
            times: times.clone(),
            failures: Failures { all: 6, timeouts, timeout_ns: 1_000 },
        };
        let mut sum = one(6);
        sum.add(&one(0)).unwrap();
        assert_eq!((sum.requests(), sum.at(0.99).to_string().as_str()), (1_012, ">= 1 us"));
        assert_eq!(sum.whole().len(), 1_012);
    }

    #[test]
    fn a_spoilt_histogram_is_an_error_and_no_panic() {
        let good = distribution(&of(1..=1_000));
        let spoilt = |hdr_v2: &str| Distribution { hdr_v2: hdr_v2.into(), ..good.clone() };
        for text in ["", "not base64!", "AAAA", &good.hdr_v2[..40]] {
            assert!(requests(&spoilt(text)).is_err(), "{text}");
        }
        let error = requests(&Distribution { n: 7, ..good.clone() }).unwrap_err();
        assert!(error.contains("1000 samples and n is 7"), "{error}");
        let error = requests(&Distribution { failures: 3, ..good.clone() }).unwrap_err();
        assert!(error.contains("fewer failures"), "{error}");
    }
}
