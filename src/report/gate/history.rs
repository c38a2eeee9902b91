//! `history.jsonl`: one line per gate, appended; as a list, and as the points of a chart.
//!
//! A machine that is switched off leaves a half-written last line. It is kept as it is: the next line starts after it,
//! and the reader says which lines it could not read.

use crate::judge::gate::failures::ERRORS;
use crate::judge::races::middle;
use crate::record;
use crate::record::GatePointVerdict;
use crate::record::gate::{About, GateResult, Metric, Scatter};
use crate::record::{Fingerprint, GatePoint, RunResult};
use crate::report::document::{Document, Element, Table};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::text::{clean, counted, distinct, listed, shortened, times, truncated};
use serde_json::{Value, json};

/// The version of a line.
pub(crate) const SCHEMA: &str = "bakeoff.gate-history/1";

/// What is to be appended to a file that ends with the byte `last`, `None` for one that is new or empty.
///
/// Open the file for appending and write it in one piece: nothing that is there is touched.
pub(crate) fn addition(result: &GateResult, last: Option<u8>) -> String {
    let torn = last.is_some_and(|byte| byte != b'\n');
    format!("{}{}\n", if torn { "\n" } else { "" }, line(result))
}

/// The lines of a history that can be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History {
    /// In the order of the file.
    pub gates: Vec<Value>,
    /// Line numbers, from 1, that are no gate of this version: torn, or another's.
    pub unreadable: Vec<usize>,
}

/// A line has about a kilobyte.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Reads a history; an unreadable line, in whatever bytes, costs that line alone.
pub(crate) fn read(text: impl AsRef<[u8]>) -> History {
    let mut history = History { gates: Vec::new(), unreadable: Vec::new() };
    let text = text.as_ref();
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for (number, line) in (1..).zip(lines).filter(|(_, line)| !line.is_empty()) {
        let short = line.len() <= LINE_BYTES_MAX;
        match serde_json::from_slice::<Value>(if short { line } else { b"" }) {
            Ok(gate) if is_gate(&gate) => history.gates.push(gate),
            _ => history.unreadable.push(number),
        }
    }
    history
}

/// Whether a line has what its readers look for: what is no figure is not read as one that is missing.
fn is_gate(gate: &Value) -> bool {
    let figure = |value: &Value| value.is_null() || value.as_f64().is_some_and(|it| it >= 0.0);
    let metric = |of: &Value| {
        of["outcome"].is_string()
            && ["ratio", "low", "high", "s", "n"].iter().all(|key| figure(&of[*key]))
    };
    gate["schema"] == SCHEMA
        && ["started_utc", "scenario", "purpose", "verdict"]
            .iter()
            .all(|key| gate[*key].is_string())
        && gate["metrics"].as_object().is_some_and(|metrics| metrics.values().all(metric))
}

impl History {
    /// The scatter of a metric, as its label writes it, over past gates and calibrations under the fingerprint of
    /// `about`: the median of theirs, from all their rounds. `None` when there is none.
    ///
    /// Past gates supply scatter, and never a baseline.
    pub(crate) fn scatter(&self, about: &About, label: &str) -> Option<Scatter> {
        let key = fingerprint(about);
        let past = self.gates.iter().filter(|gate| gate["fingerprint"] == key);
        let metrics = past.filter_map(|gate| gate["metrics"][label].as_object());
        let known: Vec<(f64, u64)> = metrics
            .filter_map(|metric| Some((metric.get("s")?.as_f64()?, metric.get("n")?.as_u64()?)))
            .collect();
        let s: Vec<f64> = known.iter().map(|(s, _)| *s).collect();
        let rounds = known.iter().map(|(_, n)| *n).sum::<u64>();
        Some(Scatter { s: middle(s)?, rounds: u32::try_from(rounds).unwrap_or(u32::MAX) })
    }
}

fn line(result: &GateResult) -> Value {
    let (about, judgement) = (&result.about, &result.judgement);
    let metrics = judgement.metrics.iter().map(|metric| {
        let look = metric.looks.last();
        let scatter = metric.sight_after.map(|sight| sight.scatter);
        let figures = json!({
            "outcome": metric.outcome,
            "improved": metric.improved,
            "not_gated": metric.not_gated,
            "ratio": look.and_then(|look| look.ratio),
            "low": look.and_then(|look| look.low),
            "high": look.and_then(|look| look.high),
            "baseline": metric.medians[0],
            "candidate": metric.medians[1],
            "s": scatter.map(|scatter| scatter.s),
            "n": scatter.map(|scatter| scatter.rounds),
        });
        (crate::judge::gate::sentences::clean_name(metric), figures)
    });
    json!({
        "schema": SCHEMA,
        "bakeoff": about.fingerprint.bakeoff,
        "started_utc": about.started_utc,
        "purpose": about.purpose,
        "scenario": about.scenario,
        "baseline": about.baseline,
        "candidate": about.candidate,
        "commit": about.commit,
        "binaries": about.binaries,
        "fingerprint": fingerprint(about),
        "verdict": judgement.verdict,
        "exit_code": judgement.exit_code,
        "rounds": judgement.rounds,
        "void_rounds": judgement.void_rounds,
        "metrics": metrics.collect::<serde_json::Map<_, _>>(),
        "failures": judgement.failures.as_ref().map(|failures| json!({
            "outcome": failures.outcome,
            "baseline": failures.share(0),
            "candidate": failures.share(1),
        })),
    })
}

/// What must be alike for one gate's scatter to say something about another's: the machine, the scenario and the load
/// as it was asked for, and not the binaries. A share of a ceiling is one load whatever the ceiling is today.
fn fingerprint(about: &About) -> Value {
    let machine = &about.fingerprint;
    json!({
        "cpu_model": machine.cpu_model,
        "cores": machine.cores,
        "kernel": machine.kernel,
        "governor": machine.governor,
        "cpu_quota": machine.cpu_quota,
        "scenario": machine.scenario,
        "load": about.level,
    })
}

// The gates of a history for people: a line of each, and what each metric came to.

const COLUMNS: [&str; 4] = ["started", "commit", "verdict", "how many times as bad"];

pub(crate) fn text(history: &History) -> String {
    write_text(&document(history), false)
}

/// For a pull request.
pub(crate) fn markdown(history: &History) -> String {
    write_markdown(&document(history))
}

fn document(history: &History) -> Document<'static> {
    Document {
        title: title(history),
        answer: vec![format!("{}: {}", title(history), counted_gates(history))],
        blocks: vec![Element::Table(Table::new("", COLUMNS, 0..0, past_rows(history)))],
        ..Document::default()
    }
}

/// For programs: the lines as they are stored, as one array.
pub(crate) fn json(history: &History) -> String {
    format!("{:#}\n", Value::Array(history.gates.clone()))
}

fn title(history: &History) -> String {
    let scenarios = distinct(history.gates.iter().map(|gate| text_of(&gate["scenario"])));
    truncated(&format!("Gates of {}", scenarios.join(", ")), 76)
}

/// `4 gates: 3 pass, 1 regressed; 1 calibration`
fn counted_gates(history: &History) -> String {
    let mut verdicts: Vec<(String, usize)> = Vec::new();
    for gate in history.gates.iter().filter(|gate| !is_calibration(gate)) {
        let verdict = text_of(&gate["verdict"]);
        match verdicts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, n)) => *n += 1,
            None => verdicts.push((verdict, 1)),
        }
    }
    let gates = verdicts.iter().map(|(_, n)| n).sum();
    let each: Vec<String> = verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
    let calibrations = history.gates.len() - gates;
    let mut count = counted(gates, "gate");
    if gates > 0 {
        count += &format!(": {}", each.join(", "));
    }
    if calibrations > 0 {
        count += &format!("; {}", counted(calibrations, "calibration"));
    }
    count
}

fn past_rows(history: &History) -> Vec<[String; 4]> {
    let row = |gate: &Value| {
        let verdict = match is_calibration(gate) {
            true => "calibration".into(),
            false => text_of(&gate["verdict"]).to_uppercase(),
        };
        let metrics = gate["metrics"].as_object().into_iter().flatten();
        let errors = Some(&gate["failures"]).filter(|failures| failures.is_object());
        let errors = errors.map(|of| format!("errors, {}", text_of(&of["outcome"])));
        let metrics: Vec<String> =
            metrics.map(|(name, of)| metric(name, of)).chain(errors).collect();
        [
            text_of(&gate["started_utc"]),
            shortened(&clean(&crate::report::gate::history::commit(gate)), 20),
            verdict,
            metrics.join("; "),
        ]
    };
    history.gates.iter().map(row).collect()
}

/// `p99 1.50x (1.30x to 1.70x), regressed`; a figure that is not there is not made up.
fn metric(name: &str, of: &Value) -> String {
    let figure = |key: &str| of[key].as_f64().map(times);
    let mut text = match figure("ratio") {
        Some(ratio) => format!("{} {ratio}", clean(name)),
        None => format!("{} without a ratio", clean(name)),
    };
    if let (Some(low), Some(high)) = (figure("low"), figure("high")) {
        text += &format!(" ({low} to {high})");
    }
    match of["not_gated"].as_str() {
        Some(_) => text + ", not gated",
        None => format!("{text}, {}", text_of(&of["outcome"])),
    }
}

fn is_calibration(gate: &Value) -> bool {
    gate["purpose"] == "calibration"
}

/// A text, or that there is none.
fn text_of(value: &Value) -> String {
    value.as_str().map(clean).filter(|text| !text.is_empty()).unwrap_or_else(|| "-".into())
}

// A history as a result with nothing but its gates in it: what the chart of earlier gates is drawn from.

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
            fingerprint: fingerprint_of(last),
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
    let loads = alike.iter().filter_map(|gate| gate["fingerprint"]["load"].as_str());
    let loads = distinct(loads.map(str::to_owned));
    (loads.len() > 1).then(|| format!("Loads differ: {}", listed(&loads)))
}

/// `2 earlier gates are left out: they differ in cores and scenario`
fn left_out(others: &[&Value], last: &Value) -> Option<String> {
    let parts = others.iter().flat_map(|gate| differing(gate, last));
    let parts = distinct(parts.map(|part| part.replace('_', " ")));
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
            Some("pass") if figures["improved"] == true => GatePointVerdict::Improved,
            outcome => point_verdict(outcome),
        };
        GatePoint {
            version: 1,
            commit: commit(gate),
            utc: gate["started_utc"].as_str().unwrap_or_default().into(),
            metric: label.replace("cpu/request", "cpu_per_request"),
            ratio: of("ratio"),
            low,
            high,
            verdict,
        }
    };
    metrics.map(point).chain(errors(gate)).collect()
}

/// Inconclusive where the history does not say.
fn point_verdict(outcome: Option<&str>) -> GatePointVerdict {
    outcome.and_then(|outcome| outcome.parse().ok()).unwrap_or(GatePointVerdict::Inconclusive)
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
        verdict: point_verdict(gate["failures"]["outcome"].as_str()),
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

fn fingerprint_of(gate: &Value) -> Fingerprint {
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
    use crate::report::gate::tests::{passed, sample};

    /// Appends as a caller does.
    fn append(file: &mut String, result: &GateResult) {
        let last = file.as_bytes().last().copied();
        file.push_str(&addition(result, last));
    }

    #[test]
    fn lines_are_appended_and_read_again() {
        let mut file = String::new();
        append(&mut file, &sample());
        append(&mut file, &passed());
        assert_eq!(file.lines().count(), 2);
        let history = read(&file);
        assert_eq!((history.gates.len(), history.unreadable.len()), (2, 0));
        assert_eq!(history.gates[0]["verdict"], "regressed");
        assert_eq!(history.gates[1]["metrics"]["p50"]["outcome"], "pass");
    }

    #[test]
    fn a_half_written_last_line_is_neither_lost_nor_overwritten() {
        let mut whole = String::new();
        append(&mut whole, &passed());
        for cut in 1..whole.len() {
            if !whole.is_char_boundary(cut) {
                continue;
            }
            let mut file = whole[..cut].to_owned();
            append(&mut file, &sample());
            assert!(file.starts_with(&whole[..cut]), "nothing is overwritten");
            let history = read(&file);
            assert_eq!(history.gates.last().unwrap()["verdict"], "regressed", "cut at {cut}");
            // Only the newline was missing: the line is whole.
            let complete = cut == whole.len() - 1;
            assert_eq!(history.gates.len(), 1 + usize::from(complete));
            assert_eq!(history.unreadable, if complete { vec![] } else { vec![1] });
        }
    }

    #[test]
    fn a_line_whose_figures_are_none_is_no_line() {
        let whole = addition(&passed(), None);
        let broken = |from: &str, to: &str| {
            assert!(whole.contains(from), "{from}: {whole}");
            read(whole.replacen(from, to, 1)).unreadable
        };
        assert!(read(&whole).unreadable.is_empty());
        assert!(read(format!("\u{feff}{whole}")).unreadable.is_empty(), "a byte order mark");
        assert_eq!(broken("\"ratio\":", "\"ratio\":-1.0,\"x\":"), [1]);
        assert_eq!(broken("\"ratio\":", "\"ratio\":\"1.2\",\"x\":"), [1]);
        assert_eq!(broken("\"metrics\":{", "\"metrics\":[],\"x\":{"), [1]);
        assert_eq!(broken("\"verdict\":", "\"x\":"), [1]);
        let latin = [b"\xff\xfe\n".as_slice(), whole.as_bytes()].concat();
        assert_eq!((read(&latin).unreadable, read(&latin).gates.len()), (vec![1], 1));
    }

    #[test]
    fn past_gates_of_the_same_machine_supply_scatter() {
        let mut file = "half a li".to_owned();
        append(&mut file, &passed());
        append(&mut file, &passed());
        let mut other = passed();
        other.about.fingerprint.cores = 4;
        append(&mut file, &other);
        let history = read(&file);
        let found = history.scatter(&passed().about, "p50").unwrap();
        let expected = passed().judgement.metrics[0].sight_after.unwrap().scatter;
        assert_eq!((found.s, found.rounds), (expected.s, 2 * expected.rounds));
        assert_eq!(history.scatter(&passed().about, "p99"), None);
        assert_eq!(read("").scatter(&passed().about, "p50"), None);
    }

    #[test]
    fn a_history_is_told_as_it_is_and_nothing_is_made_up() {
        let mut calibration = passed();
        calibration.about.purpose = Purpose::Calibration;
        let mut lines: String =
            [sample(), passed(), calibration].iter().map(|gate| addition(gate, None)).collect();
        lines += "{\"schema\":\"bakeoff.gate-history/1\",\"started_utc\":\"\",\"scenario\":\"\",\"purpose\":\"gate\",\
                  \"verdict\":\"\",\"metrics\":{\"p99\":{\"outcome\":\"open\",\"ratio\":null}}}\n";
        let history = read(&lines);
        for shown in [text(&history), markdown(&history)] {
            for part in ["REGRESSED", "PASS", "calibration", "p99 without a ratio", "0123456789"] {
                assert!(shown.contains(part), "{part}: {shown}");
            }
            let count = "3 gates: 1 regressed, 1 pass, 1 -; 1 calibration";
            assert!(shown.contains(count), "{shown}");
            assert!(!shown.contains("Seed") && !shown.contains("KiB"), "{shown}");
        }
        let again: Vec<Value> = serde_json::from_str(&json(&history)).unwrap();
        assert_eq!(again, history.gates);
    }

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
    fn what_several_gates_differ_in_is_said_once() {
        let mut elsewhere = passed();
        elsewhere.about.fingerprint.cpu_model = "Another".into();
        let series = of(&[elsewhere.clone(), elsewhere, passed()]).unwrap();
        assert_eq!(series.notes, ["2 earlier gates left out: other cpu model"]);
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
        assert!(cpu.verdict == GatePointVerdict::Regressed && cpu.ratio.unwrap() > 1.1, "{cpu:?}");
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
