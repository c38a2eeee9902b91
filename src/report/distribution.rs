//! Between a histogram in memory and the [`Distribution`] of a result file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};

use super::schema::Distribution;

/// A percentile needs this many samples beyond it, or it says more about luck than about the service.
pub const SAMPLES_BEYOND: u64 = 10;

/// What a result file says about `histogram` (ns): the percentiles that it supports, and the whole of it.
pub fn distribution(histogram: &Histogram<u64>) -> Distribution {
    let n = histogram.len();
    let at = |per_mille: u64| {
        supports(n, per_mille).then(|| histogram.value_at_quantile(per_mille as f64 / 1_000.0))
    };
    Distribution {
        n,
        p50: at(500),
        p90: at(900),
        p99: at(990),
        p99_9: at(999),
        max: (n > 0).then(|| histogram.max()),
        mean: (n > 0).then(|| histogram.mean()),
        hdr_v2: encode(histogram),
    }
}

/// The histogram of a [`Distribution`].
///
/// # Errors
/// Where `hdr_v2` is no base64, no histogram, or has another count than `n`.
pub fn histogram(distribution: &Distribution) -> Result<Histogram<u64>, String> {
    let histogram = decode(&distribution.hdr_v2)?;
    if histogram.len() == distribution.n {
        Ok(histogram)
    } else {
        Err(format!("hdr_v2 has {} samples and n is {}", histogram.len(), distribution.n))
    }
}

/// A histogram as [`Distribution`] and the contract's `/stats` write it.
///
/// # Errors
/// Where the text is no base64 or no histogram.
pub fn decode(hdr_v2: &str) -> Result<Histogram<u64>, String> {
    let bytes = BASE64.decode(hdr_v2).map_err(|error| format!("hdr_v2 is no base64: {error}"))?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("hdr_v2 is no histogram: {error}"))
}

/// Whether `n` samples support the percentile of `per_mille`: at least [`SAMPLES_BEYOND`] lie beyond it.
pub fn supports(n: u64, per_mille: u64) -> bool {
    // In whole numbers: 1,000 x (1 - 0.99) is 10.000000000000009 or 9.99 in binary fractions, as it falls.
    n.saturating_mul(1_000 - per_mille) >= SAMPLES_BEYOND * 1_000
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
        assert!(supports(u64::MAX, 999), "no overflow");
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
            assert_eq!(super::histogram(&distribution(&histogram)).unwrap(), histogram);
        }
    }

    #[test]
    fn a_spoilt_histogram_is_an_error_and_no_panic() {
        let good = distribution(&of(1..=1_000));
        let spoilt = |hdr_v2: &str| Distribution { hdr_v2: hdr_v2.into(), ..good.clone() };
        for text in ["", "not base64!", "AAAA", &good.hdr_v2[..40]] {
            assert!(histogram(&spoilt(text)).is_err(), "{text}");
        }
        let error = histogram(&Distribution { n: 7, ..good.clone() }).unwrap_err();
        assert!(error.contains("1000 samples and n is 7"), "{error}");
    }
}
