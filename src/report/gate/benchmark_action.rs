//! The custom formats of github-action-benchmark: two files, for it takes one direction at a time.

use serde_json::{Value, json};

use crate::judge::gate::failures::ERRORS;
use crate::judge::gate::figures::{candidate, name, shown};
use crate::record::gate::GateResult;
use crate::text::{clean, one_line};

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
            "name": format!("{}: {}", clean(&result.about.scenario), name(metric)),
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
    use serde::Deserialize;

    use super::*;
    use crate::report::gate::sample::{passed, sample};

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
