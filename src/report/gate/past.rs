//! The gates of a history for people: a line of each, and what each metric came to.

use serde_json::Value;

use super::history::History;
use crate::report::document::{Document, Element, Table};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::text::{clean, counted, shortened, times, truncated};

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
        answer: vec![format!("{}: {}", title(history), count(history))],
        blocks: vec![Element::Table(Table::new("", COLUMNS, 0..0, rows(history)))],
        ..Document::default()
    }
}

/// For programs: the lines as they are stored, as one array.
pub(crate) fn json(history: &History) -> String {
    format!("{:#}\n", Value::Array(history.gates.clone()))
}

fn title(history: &History) -> String {
    let mut scenarios: Vec<String> = Vec::new();
    for name in history.gates.iter().map(|gate| text_of(&gate["scenario"])) {
        if !scenarios.contains(&name) {
            scenarios.push(name);
        }
    }
    truncated(&format!("Gates of {}", scenarios.join(", ")), 76)
}

/// `4 gates: 3 pass, 1 regressed; 1 calibration`
fn count(history: &History) -> String {
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

fn rows(history: &History) -> Vec<[String; 4]> {
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
            shortened(&clean(&super::series::commit(gate)), 20),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::gate::Purpose;
    use crate::report::gate::history::{addition, read};
    use crate::report::gate::sample_tests::{passed, sample};

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
}
