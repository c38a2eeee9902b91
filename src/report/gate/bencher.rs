//! Bencher Metric Format (bencher.dev): a benchmark, its measures, each with a value and limits.

use serde_json::{Map, Value, json};

use crate::judge::gate::figures::{candidate, name};
use crate::record::gate::{GateResult, Metric};
use crate::text::clean;

/// The candidate's medians and the share of its requests that failed, one benchmark per scenario and request kind. Limits are those of the median, 95 %.
pub(crate) fn bencher(result: &GateResult) -> String {
    let mut benchmarks: Map<String, Value> = Map::new();
    for (index, metric) in result.judgement.metrics.iter().enumerate() {
        let Some(figures) = candidate(result, index) else { continue };
        let mut measure = json!({ "value": figures.median });
        if let Some(interval) = figures.interval {
            measure["lower_value"] = json!(interval.low);
            measure["upper_value"] = json!(interval.high);
        }
        let scenario = clean(&result.about.scenario);
        let benchmark = match &metric.request {
            Some(_) => format!("{scenario}/{}", name(metric)),
            None => scenario,
        };
        let measures = benchmarks.entry(benchmark).or_insert_with(|| json!({}));
        measures[slug(metric.metric)] = measure;
    }
    let failures = result.judgement.failures.as_ref();
    if let Some(share) = failures.and_then(|failures| failures.share(1)) {
        let of = benchmarks.entry(clean(&result.about.scenario)).or_insert_with(|| json!({}));
        of["error-rate"] = json!({ "value": share });
    }
    format!("{:#}\n", Value::Object(benchmarks))
}

/// Bencher's own names where it has one.
fn slug(metric: Metric) -> &'static str {
    match metric {
        Metric::P99 => "latency-p99",
        Metric::P50 => "latency",
        Metric::CpuPerRequest => "cpu-per-request",
        Metric::Throughput => "throughput",
        Metric::Memory => "memory",
        Metric::Rss => "peak-rss",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::report::gate::sample::{passed, sample};

    /// As bencher.dev/docs/reference/bencher-metric-format has it.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Measure {
        value: f64,
        lower_value: Option<f64>,
        upper_value: Option<f64>,
    }

    #[test]
    fn it_reads_as_benchmarks_of_measures() {
        let text = bencher(&sample());
        let read: BTreeMap<String, BTreeMap<String, Measure>> =
            serde_json::from_str(&text).unwrap();
        let of = &read["payment, \"fast\""];
        assert_eq!(of.len(), 5, "p50 is of one request kind: {text}");
        assert_eq!(read.len(), 2);
        assert_eq!((of["error-rate"].value, of["error-rate"].lower_value), (0.0, None));
        let figures = read.values().flatten().filter(|(name, _)| *name != "error-rate");
        for (_, measure) in figures {
            let (low, high) = (measure.lower_value.unwrap(), measure.upper_value.unwrap());
            assert!(low <= measure.value && measure.value <= high, "{low} {high}");
        }
        assert!((of["cpu-per-request"].value / 1_250.0 - 1.0).abs() < 0.05);
    }

    #[test]
    fn few_rounds_have_no_limits_and_none_no_measure() {
        let mut result = passed();
        result.rounds.truncate(3);
        assert!(!bencher(&result).contains("lower_value"));
        result.rounds.clear();
        result.judgement.failures = None;
        assert_eq!(bencher(&result), "{}\n");
    }
}
