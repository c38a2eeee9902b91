//! A history as a result with nothing but its gates in it: what the chart of earlier gates is drawn from.

use serde_json::Value;

use super::history::History;
use crate::judge::gate::failures::ERRORS;
use crate::record;
use crate::record::gate::Metric;
use crate::record::{Fingerprint, GatePoint, RunResult};
use crate::text::{counted, listed};

impl History {
    /// The gates that are alike with the latest one, calibrations left out; `None` without a gate.
    ///
    /// Alike is what the history's fingerprint says, machine and scenario; gates under another load are there too, for both
    /// sides had it, and a note says so. So it does of gates that are left out, with what differs.
    pub(crate) fn series(&self) -> Option<RunResult> {
        let gates = || self.gates.iter().filter(|gate| gate["purpose"] != "calibration");
        let last = gates().next_back()?;
        let (alike, others): (Vec<&Value>, Vec<&Value>) =
            gates().partition(|gate| differing(gate, last).is_empty());
        let notes = [loads(&alike), left_out(&others, last)];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&last["scenario"]);
        Some(RunResult {
            schema: record::SCHEMA.into(),
            title: format!("Gates of {name}"),
            scenario: name,
            started_utc: text(&last["started_utc"]),
            fingerprint: fingerprint(last),
            verdict: record::Verdict::Pass,
            rounds: alike.iter().filter_map(|gate| gate["rounds"].as_u64()).sum::<u64>() as u32,
            notes: notes.into_iter().flatten().collect(),
            gate_history: alike.into_iter().flat_map(points).collect(),
            ..RunResult::default()
        })
    }
}

/// What of machine and scenario is another in `gate` than in `last`.
fn differing<'a>(gate: &'a Value, last: &Value) -> Vec<&'a str> {
    let parts = gate["fingerprint"].as_object().into_iter().flatten();
    let parts =
        parts.filter(|(part, value)| *part != "load" && **value != last["fingerprint"][*part]);
    parts.map(|(part, _)| part.as_str()).collect()
}

/// `Loads differ: 300/s and 60% of the baseline's ceiling`; nothing where they do not.
fn loads(alike: &[&Value]) -> Option<String> {
    let mut loads: Vec<String> = Vec::new();
    for load in alike.iter().filter_map(|gate| gate["fingerprint"]["load"].as_str()) {
        if !loads.iter().any(|known| known == load) {
            loads.push(load.into());
        }
    }
    (loads.len() > 1).then(|| format!("Loads differ: {}", listed(&loads)))
}

/// `2 earlier gates are left out: they differ in cores and scenario`
fn left_out(others: &[&Value], last: &Value) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in others.iter().flat_map(|gate| differing(gate, last)) {
        if !parts.iter().any(|known| known == part) {
            parts.push(part.replace('_', " "));
        }
    }
    let n = counted(others.len(), "earlier gate");
    (!others.is_empty()).then(|| format!("{n} left out: other {}", listed(&parts)))
}

fn points(gate: &Value) -> Vec<GatePoint> {
    let metrics = gate["metrics"].as_object().into_iter().flatten();
    let point = |(label, figures): (&String, &Value)| {
        // A history has how many times as bad, a chart candidate over baseline.
        let higher = label == Metric::Throughput.label();
        let of = |key: &str| figures[key].as_f64().map(|bad| if higher { 1.0 / bad } else { bad });
        let (low, high) = if higher { (of("high"), of("low")) } else { (of("low"), of("high")) };
        let verdict = match figures["outcome"].as_str() {
            Some("pass") if figures["improved"] == true => "improved",
            Some(outcome) => outcome,
            None => "inconclusive",
        };
        GatePoint {
            version: 1,
            commit: commit(gate),
            utc: gate["started_utc"].as_str().unwrap_or_default().into(),
            metric: label.replace("cpu/request", "cpu_per_request"),
            ratio: of("ratio"),
            low,
            high,
            verdict: verdict.into(),
        }
    };
    metrics.map(point).chain(errors(gate)).collect()
}

/// The point of the failed requests; where none of the baseline's failed there is no ratio.
fn errors(gate: &Value) -> Option<GatePoint> {
    let of = |key: &str| gate["failures"][key].as_f64();
    let (baseline, candidate) = (of("baseline")?, of("candidate")?);
    Some(GatePoint {
        version: 1,
        commit: commit(gate),
        utc: gate["started_utc"].as_str().unwrap_or_default().into(),
        metric: ERRORS.into(),
        ratio: Some(candidate / baseline).filter(|ratio| ratio.is_finite() && *ratio > 0.0),
        low: None,
        high: None,
        verdict: gate["failures"]["outcome"].as_str().unwrap_or("inconclusive").into(),
    })
}

/// The candidate's commit, or what stands for it: its binary's digest, or its name.
pub(crate) fn commit(gate: &Value) -> String {
    let known = [&gate["commit"], &gate["binaries"][1], &gate["candidate"]];
    let known = known.into_iter().find_map(Value::as_str).unwrap_or_default();
    // The start of a hash says it all; names differ at their ends.
    match known.chars().all(|c| c.is_ascii_hexdigit()) {
        true => known.chars().take(10).collect(),
        false => known.to_owned(),
    }
}

fn fingerprint(gate: &Value) -> Fingerprint {
    let of = &gate["fingerprint"];
    let text = |key: &str| of[key].as_str().unwrap_or_default().to_owned();
    Fingerprint {
        cpu_model: text("cpu_model"),
        cores: of["cores"].as_u64().unwrap_or(0) as u32,
        kernel: text("kernel"),
        governor: of["governor"].as_str().map(ToOwned::to_owned),
        cpu_quota: of["cpu_quota"].as_f64(),
        scenario: text("scenario"),
        bakeoff: gate["bakeoff"].as_str().unwrap_or_default().into(),
        ..Fingerprint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::gate::{GateResult, Purpose};
    use crate::report::charts::{ChartKind, pictures_of};
    use crate::report::gate::history::{addition, read};
    use crate::report::gate::sample_tests::{passed, sample};

    fn of(gates: &[GateResult]) -> Option<RunResult> {
        let file: String = gates.iter().map(|gate| addition(gate, None)).collect();
        read(&file).series()
    }

    #[test]
    fn gates_under_another_load_are_shown_with_a_mark_and_others_are_named() {
        let (mut given, mut elsewhere) = (passed(), passed());
        given.about.level = "300/s".into();
        elsewhere.about.fingerprint.cores = 4;
        let series = of(&[elsewhere, given, passed()]).unwrap();
        let alike = of(&[passed(), passed()]).unwrap();
        assert_eq!(series.gate_history.len(), alike.gate_history.len());
        assert!(series.notes[0].starts_with("Loads differ: 300/s and "), "{:?}", series.notes);
        assert_eq!(series.notes[1], "1 earlier gate left out: other cores");
        let pictures = pictures_of(&series, ChartKind::Gate, None);
        assert!(pictures[0].method.contains("Loads differ: 300/s"), "{}", pictures[0].method);
        assert!(alike.notes.is_empty());
    }

    #[test]
    fn gates_that_are_alike_make_a_chart_and_calibrations_do_not() {
        let mut calibration = passed();
        calibration.about.purpose = Purpose::Calibration;
        let mut elsewhere = passed();
        elsewhere.about.fingerprint.cores = 4;
        let series = of(&[elsewhere, sample(), passed(), calibration.clone(), sample()]).unwrap();
        assert_eq!(series.gate_history.len(), 6 + 3 + 6);
        let point =
            |metric: &str| series.gate_history.iter().find(|point| point.metric == metric).unwrap();
        let cpu = point("cpu_per_request");
        assert!(cpu.verdict == "regressed" && cpu.ratio.unwrap() > 1.1, "{cpu:?}");
        assert_eq!(cpu.commit, "0123456789");
        let throughput = point("throughput");
        let bad = sample().judgement.metrics[3].looks.last().and_then(|look| look.ratio).unwrap();
        assert!((throughput.ratio.unwrap() * bad - 1.0).abs() < 1e-12, "more of it is better");
        let pictures = pictures_of(&series, ChartKind::Gate, None);
        assert!(pictures[0].title.starts_with("2 gates, 2 regressions"), "{}", pictures[0].title);
        assert!(of(&[calibration]).is_none() && of(&[]).is_none());
    }

    #[test]
    fn failures_that_regressed_are_in_the_chart_although_the_baseline_has_none() {
        let of = |failures: u64| {
            let mut gate = passed();
            let again = gate.rounds.clone();
            gate.rounds.extend(again);
            gate.rounds.iter_mut().for_each(|round| round.candidate.failures = failures);
            gate.judgement = crate::judge::gate::judge(&gate.plan, &gate.rounds);
            of(&[passed(), gate]).unwrap()
        };
        let (regressed, equal) = (of(50), of(0));
        let [regressed, equal] =
            [&regressed, &equal].map(|run| pictures_of(run, ChartKind::Gate, None));
        let title = &regressed[0].title;
        assert!(title.starts_with("2 gates, 1 regression: the last in errors"), "{title}");
        assert!(regressed[0].method.contains("Cross: no ratio"), "{}", regressed[0].method);
        assert!(equal[0].title.contains("no regression"), "{}", equal[0].title);
    }
}
