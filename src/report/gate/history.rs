//! `history.jsonl`: one line per gate, appended.
//!
//! A machine that is switched off leaves a half-written last line. It is kept as it is: the next line starts after it,
//! and the reader says which lines it could not read.

use serde_json::{Value, json};

use crate::judge::races::middle;
use crate::record::gate::{About, GateResult, Scatter};

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
    let lines = text.as_ref().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::sample_tests::{passed, sample};

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
}
