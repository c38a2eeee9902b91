//! `.hgrm`, the percentile listing that HdrHistogram, wrk2 and their plotters share. Values are in milliseconds.
//!
//! Source: `outputPercentileDistribution` of HdrHistogram (Java, C) and wrk2's `--latency` output, five steps per
//! half distance to 100 %.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// `histogram` (ns) as a percentile listing (ms).
pub fn hgrm(histogram: &Histogram<u64>) -> String {
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut total = 0;
    for step in histogram.iter_quantiles(STEPS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (ms(step.value_iterated_to()), step.quantile_iterated_to());
        let _ = if quantile < 1.0 {
            let odds = 1.0 / (1.0 - quantile);
            writeln!(out, "{value:12.6} {quantile:14.12} {total:10} {odds:14.2}")
        } else {
            writeln!(out, "{value:12.6} {quantile:14.12} {total:10}            inf")
        };
    }
    let (mean, stdev) = (histogram.mean() / 1e6, histogram.stdev() / 1e6);
    let (max, count) = (ms(histogram.max()), histogram.len());
    let _ = writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {stdev:12.6}]");
    let _ = writeln!(out, "#[Max     = {max:12.6}, Total count    = {count:12}]");
    let _ =
        writeln!(out, "#[Buckets = {:12}, SubBuckets     = {SUB_BUCKETS:12}]", histogram.buckets());
    let _ = writeln!(out, "#[Unit    =           ms, Digits         = {:12}]", histogram.sigfig());
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

    #[test]
    fn the_listing_ends_at_the_maximum_with_every_sample() {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        (1..=10_000_u64).for_each(|i| histogram.record(i * 1_000).unwrap());
        let text = hgrm(&histogram);
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
    }

    #[test]
    fn an_empty_histogram_has_a_heading_and_a_foot() {
        let text = hgrm(&Histogram::<u64>::new(3).unwrap());
        assert!(text.contains("Total count    =            0]"), "{text}");
    }
}
