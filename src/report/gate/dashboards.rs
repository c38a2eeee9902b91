//! Files for dashboards: Bencher Metric Format (bencher.dev), and the custom formats of github-action-benchmark, two files
//! since it takes one direction at a time.

use serde_json::{Map, Value, json};

use crate::judge::gate::failures::ERRORS;
use crate::judge::gate::sentences::{candidate, clean_name, shown};
use crate::record::gate::{GateResult, Metric};
use crate::text::{clean, one_line};

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
            Some(_) => format!("{scenario}/{}", clean_name(metric)),
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

/// `customSmallerIsBetter`: all metrics of which less is better, and the failed requests.
pub(crate) fn smaller_is_better(result: &GateResult) -> String {
    entries(result, false)
}

/// `customBiggerIsBetter`: throughput; an empty list when it is not gated.
pub(crate) fn bigger_is_better(result: &GateResult) -> String {
    entries(result, true)
}

fn entries(result: &GateResult, higher: bool) -> String {
    let metrics = result.judgement.metrics.iter().enumerate();
    let chosen = metrics.filter(|(_, metric)| metric.metric.is_better_higher() == higher);
    let entries = chosen.filter_map(|(index, metric)| {
        let figures = candidate(result, index)?;
        let n = figures.n;
        let mut entry = json!({
            "name": format!("{}: {}", clean(&result.about.scenario), clean_name(metric)),
            "unit": metric.metric.unit(),
            "value": figures.median,
            "extra": format!("median of {n} rounds; {}", one_line(&result.judgement.line)),
        });
        if let Some(interval) = figures.interval {
            let show = |value| shown(metric.metric, value);
            entry["range"] = json!(format!("{} to {}", show(interval.low), show(interval.high)));
        }
        Some(entry)
    });
    let errors = (!higher).then(|| errors(result)).flatten();
    format!("{:#}\n", Value::Array(entries.chain(errors).collect()))
}

/// The share of the candidate's requests that failed, in percent.
fn errors(result: &GateResult) -> Option<Value> {
    let failures = result.judgement.failures.as_ref()?;
    Some(json!({
        "name": format!("{}: {ERRORS}", clean(&result.about.scenario)),
        "unit": "%",
        "value": 100.0 * failures.share(1)?,
        "extra": format!("{}; {}", failures.change(), one_line(&result.judgement.line)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use crate::report::gate::tests::{passed, sample};

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

    /// As the action's README has it.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        name: String,
        unit: String,
        value: f64,
        range: Option<String>,
        extra: Option<String>,
    }

    #[test]
    fn each_direction_has_its_file() {
        let read = |text: &str| serde_json::from_str::<Vec<Entry>>(text).unwrap();
        let (smaller, bigger) = (smaller_is_better(&sample()), bigger_is_better(&sample()));
        let (smaller, bigger) = (read(&smaller), read(&bigger));
        assert_eq!((smaller.len(), bigger.len()), (5, 1));
        assert_eq!(bigger[0].name, "payment, \"fast\": throughput");
        assert_eq!((smaller[0].unit.as_str(), bigger[0].unit.as_str()), ("ns", "req/s"));
        let errors = smaller.last().unwrap();
        assert_eq!(
            (errors.name.as_str(), errors.unit.as_str()),
            ("payment, \"fast\": errors", "%")
        );
        assert_eq!((errors.value, errors.range.as_ref()), (0.0, None));
        for entry in smaller[..4].iter().chain(&bigger) {
            assert!(entry.value > 0.0 && entry.range.is_some() && entry.extra.is_some());
        }
        assert_eq!(read(&bigger_is_better(&passed())).len(), 1);
        let mut none = passed();
        none.judgement.metrics.truncate(1);
        assert_eq!(bigger_is_better(&none), "[]\n");
    }
}
