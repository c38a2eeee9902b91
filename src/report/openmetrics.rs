//! The trials of a run as an OpenMetrics text (RFC draft, version 1.0), for Prometheus and what reads its format.

use std::fmt::Write;

use crate::record::{Distribution, Trial};
use crate::stats::percentile::FAILED_NS;

/// Labels beside those of the trial, what stands behind the family's name, and the value.
type Labelled = (Vec<(&'static str, String)>, &'static str, f64);

/// A family: its name, its type, what it is, and its samples in a trial.
type Family = (&'static str, &'static str, &'static str, fn(&Trial) -> Vec<Labelled>);

const FAMILIES: [Family; 13] = [
    ("bakeoff_trial", "info", "A trial and whether its figures hold.", |trial| {
        let verdict = ("verdict", trial.validity.verdict.word().to_lowercase());
        // `insecure`: the certificate was not verified.
        let tls = trial.load.tls.map(|check| ("tls", check.name().to_owned()));
        vec![(std::iter::once(verdict).chain(tls).collect(), "_info", 1.0)]
    }),
    ("bakeoff_requests", "counter", "Requests of the window, sent or not.", |trial| {
        let of = |(name, kind): (&String, &crate::record::ByRequest)| {
            (vec![("request", name.clone())], "_total", kind.requests as f64)
        };
        trial.by_request.iter().map(of).collect()
    }),
    ("bakeoff_failures", "counter", "Requests of the window that failed.", |trial| {
        let kinds = trial.by_request.iter().flat_map(|(name, kind)| {
            let labels = |error: &String| vec![("request", name.clone()), ("kind", error.clone())];
            kind.errors.iter().map(move |(error, n)| (labels(error), "_total", *n as f64))
        });
        kinds.collect()
    }),
    ("bakeoff_answers", "counter", "Responses of the window by status.", |trial| {
        let answers = trial.transfer.iter().flat_map(|transfer| &transfer.answers);
        answers.map(|(status, n)| (vec![("status", status.clone())], "_total", *n as f64)).collect()
    }),
    (
        "bakeoff_response_seconds",
        "summary",
        "From the intended start to the end of the response.",
        |trial| times(trial, |kind| &kind.response_ns),
    ),
    ("bakeoff_service_seconds", "summary", "From the write to the end of the response.", |trial| {
        times(trial, |kind| &kind.service_ns)
    }),
    ("bakeoff_generator_lag_seconds", "summary", "The generator's own lateness.", |trial| {
        times(trial, |kind| &kind.generator_lag_ns)
    }),
    ("bakeoff_offered_per_second", "gauge", "Requests due per second.", |trial| {
        one(Some(trial.offered_rps))
    }),
    ("bakeoff_achieved_per_second", "gauge", "Correct responses per second.", |trial| {
        one(Some(trial.achieved_rps))
    }),
    (
        "bakeoff_goodput_per_second",
        "gauge",
        "Correct responses within the objective, per second.",
        |trial| one(trial.goodput_rps),
    ),
    (
        "bakeoff_server_cpu_seconds_per_request",
        "gauge",
        "CPU time of the contender per correct response.",
        |trial| one(trial.server.cpu_us_per_request.map(|us| us / 1e6)),
    ),
    ("bakeoff_server_memory_bytes", "gauge", "Memory of the contender at most.", |trial| {
        one(trial.server.memory_peak_bytes.map(|bytes| bytes as f64))
    }),
    ("bakeoff_transfer_bytes_per_second", "gauge", "Bytes of HTTP.", |trial| {
        let both = trial
            .transfer
            .iter()
            .flat_map(|of| [("received", of.received_bytes_per_s), ("sent", of.sent_bytes_per_s)]);
        both.map(|(way, bytes)| (vec![("way", way.to_owned())], "", bytes)).collect()
    }),
];

/// The text, which ends as the format wants it.
pub fn openmetrics<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> String {
    let trials: Vec<&Trial> = trials.into_iter().collect();
    let mut out = String::new();
    for (name, kind, help, samples) in FAMILIES {
        let _ = writeln!(out, "# TYPE {name} {kind}");
        if name.ends_with("_seconds") {
            let _ = writeln!(out, "# UNIT {name} seconds");
        }
        let _ = writeln!(out, "# HELP {name} {help}");
        for (place, trial) in trials.iter().enumerate() {
            for (labels, suffix, value) in samples(trial) {
                let own = [
                    ("scenario", trial.scenario.clone()),
                    ("contender", trial.contender.clone()),
                    ("level", trial.level.clone()),
                    ("round", trial.round.to_string()),
                    // Repeated trials and searches have all else alike.
                    ("trial", place.to_string()),
                ];
                let labels = own.into_iter().chain(labels);
                let labels: Vec<String> =
                    labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(&value))).collect();
                let value = if value.is_infinite() { "+Inf".into() } else { value.to_string() };
                let _ = writeln!(out, "{name}{suffix}{{{}}} {value}", labels.join(","));
            }
        }
    }
    out + "# EOF\n"
}

fn one(value: Option<f64>) -> Vec<Labelled> {
    value.map(|value| (Vec::new(), "", value)).into_iter().collect()
}

/// The percentiles of each request kind that are supported; one on a failure is infinite.
fn times(
    trial: &Trial,
    of: fn(&crate::record::ByRequest) -> &Option<Distribution>,
) -> Vec<Labelled> {
    let mut samples = Vec::new();
    for (name, kind) in &trial.by_request {
        let Some(times) = of(kind) else { continue };
        let quantiles =
            [("0.5", times.p50), ("0.9", times.p90), ("0.99", times.p99), ("0.999", times.p99_9)];
        for (quantile, ns) in quantiles {
            let Some(ns) = ns else { continue };
            let value = if ns >= FAILED_NS { f64::INFINITY } else { ns as f64 / 1e9 };
            let labels = vec![("request", name.clone()), ("quantile", quantile.to_owned())];
            samples.push((labels, "", value));
        }
        samples.push((vec![("request", name.clone())], "_count", times.n as f64));
    }
    samples
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn families_are_whole_and_labels_are_escaped() {
        let mut result = mock::everything();
        result.trials[0].contender = "a\"b\\c\nd".into();
        let text = openmetrics(&result.trials);
        assert!(text.ends_with("\n# EOF\n") && text.contains("contender=\"a\\\"b\\\\c\\nd\""));
        let mut seen: Vec<&str> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = &line[..line.find('{').unwrap()];
            let family =
                FAMILIES.iter().map(|family| family.0).find(|family| name.starts_with(family));
            let family = family.unwrap();
            assert!(seen.last() == Some(&family) || !seen.contains(&family), "{line}");
            seen.push(family);
            let value = line.rsplit(' ').next().unwrap();
            assert!(value == "+Inf" || value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        }
        for line in text.lines() {
            assert_eq!(text.lines().filter(|other| *other == line).count(), 1, "{line}");
        }
    }
}
