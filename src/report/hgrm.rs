//! `.hgrm`, the percentile listing that HdrHistogram, wrk2 and their plotters share. Values are in milliseconds.
//!
//! Source: `outputPercentileDistribution` of HdrHistogram (Java, C) and wrk2's `--latency` output, five steps per
//! half distance to 100 %.

use std::fmt::Write;

use crate::files::LISTING_UNIT;
use crate::record::histogram::Ranked;
use crate::stats::percentile::FAILED_NS;

/// `requests` (ns) as a percentile listing (ms). Failures stand at an hour, and their number below it. `insecure`: of a server
/// whose certificate was not verified.
pub fn hgrm(requests: &Ranked, insecure: bool) -> String {
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let (mut total, whole) = (0, requests.whole());
    for step in whole.iter_quantiles(STEPS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = ms(step.value_iterated_to().min(FAILED_NS));
        let quantile = step.quantile_iterated_to();
        let _ = if quantile < 1.0 {
            let odds = 1.0 / (1.0 - quantile);
            writeln!(out, "{value:12.6} {quantile:14.12} {total:10} {odds:14.2}")
        } else {
            writeln!(out, "{value:12.6} {quantile:14.12} {total:10}            inf")
        };
    }
    let times = &requests.times;
    let (mean, stdev) = (times.mean() / 1e6, times.stdev() / 1e6);
    let (max, count) = (ms(times.max()), requests.requests());
    let _ = writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {stdev:12.6}]");
    let _ = writeln!(out, "#[Max     = {max:12.6}, Total count    = {count:12}]");
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {SUB_BUCKETS:12}]", whole.buckets());
    let _ = writeln!(out, "{LISTING_UNIT}         = {:12}]", whole.sigfig());
    if requests.failures.all > 0 {
        let (failed, at) = (requests.failures.all, ms(FAILED_NS));
        let _ = writeln!(out, "#[Failed  = {failed:12}, Listed at      = {at:12.0}]");
        out += "#[Mean, StdDeviation and Max are of the requests that did not fail]\n";
    }
    if insecure {
        out += "#[TLS     = certificate NOT verified (insecure)]\n";
    }
    out
}

/// As HdrHistogram and wrk2 print it.
const STEPS_PER_HALF_DISTANCE: u32 = 5;

/// Of a histogram with three significant digits.
const SUB_BUCKETS: u32 = 2048;

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::percentile::Failures;
    use hdrhistogram::Histogram;

    fn all_answered(times: Histogram<u64>) -> Ranked {
        Ranked { times, failures: Failures::default() }
    }

    #[test]
    fn the_listing_ends_at_the_maximum_with_every_sample() {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        (1..=10_000_u64).for_each(|i| histogram.record(i * 1_000).unwrap());
        let text = hgrm(&all_answered(histogram), false);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect())
            .collect();

        assert!(text.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
        let numbers =
            |column: usize| rows.iter().map(move |row| row[column].parse::<f64>().unwrap());
        assert!(numbers(0).is_sorted() && numbers(1).is_sorted() && numbers(2).is_sorted());
        let median = rows.iter().find(|row| row[1].starts_with("0.5000")).unwrap();
        assert!((median[0].parse::<f64>().unwrap() - 5.0).abs() < 0.01, "{median:?}");
        assert_eq!(&rows.last().unwrap()[1..], ["1.000000000000", "10000", "inf"]);
        assert!(text.contains("Max     =    10.002431, Total count    =        10000]"), "{text}");
        assert!(text.contains("#[Unit    =           ms"));
        assert!(!text.contains("Failed") && !text.contains("TLS"), "{text}");
    }

    #[test]
    fn failures_are_listed_at_an_hour_and_counted_below() {
        let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        times.record_n(1_000_000, 990).unwrap();
        let failures = Failures { all: 10, timeouts: 10, timeout_ns: 1 };
        let text = hgrm(&Ranked { times, failures }, true);
        assert!(text.ends_with("#[TLS     = certificate NOT verified (insecure)]\n"), "{text}");
        let rows: Vec<&str> =
            text.lines().filter(|line| line.contains(" 1.000000000000 ")).collect();
        assert!(rows.last().unwrap().starts_with("3600000.000000 "), "{text}");
        assert!(text.contains("Max     =     1.000447, Total count    =         1000]"), "{text}");
        assert!(
            text.contains("#[Failed  =           10, Listed at      =      3600000]"),
            "{text}"
        );
        let fast = text.lines().filter(|line| line.trim_start().starts_with("1.000447")).count();
        assert!(fast > 1 && text.lines().any(|line| line.contains("0.99")), "{text}");
    }

    #[test]
    fn an_empty_histogram_has_a_heading_and_a_foot() {
        let text = hgrm(&all_answered(Histogram::new(3).unwrap()), false);
        assert!(text.contains("Total count    =            0]"), "{text}");
    }
}
