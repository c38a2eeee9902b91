//! A gate for people: its verdict in one line, a table of the metrics, and the reasons.

use crate::judge::gate::sentences::rows;
use crate::record::gate::{GateResult, Purpose};
use crate::report::document::{Document, Element, Table};
use crate::report::markdown::write_markdown;
use crate::report::terminal::write_text;
use crate::report::why::{functions_of, grown_sentence, overheads};
use crate::text::{clean, counted, one_line};
use crate::units::grouped;

const COLUMNS: [&str; 9] = [
    "metric",
    "verdict",
    "baseline",
    "candidate",
    "worse by",
    "at least",
    "at most",
    "rounds",
    "margin",
];

/// For a terminal; `files` says where the report is.
pub(crate) fn text(result: &GateResult, files: Option<String>, verbose: bool) -> String {
    write_text(&Document { files, ..document(result) }, verbose)
}

/// For a step summary, or a comment on a pull request.
pub(crate) fn markdown(result: &GateResult) -> String {
    write_markdown(&document(result))
}

fn document(result: &GateResult) -> Document<'static> {
    let (about, judgement) = (&result.about, &result.judgement);
    let first = match about.purpose {
        Purpose::Gate => one_line(&judgement.line),
        // Equal contenders have no verdict; what their rounds show is what a gate can see.
        Purpose::Calibration => {
            format!("{} against itself, {} rounds", clean(&about.baseline), judgement.rounds)
        }
    };
    let cells = rows(judgement).into_iter().map(|row| row.map(|cell| one_line(&cell)));
    let mut document = Document {
        title: format!("bakeoff gate: {}", clean(&about.scenario)),
        answer: std::iter::once(first).chain(result.why.as_ref().map(grown_sentence)).collect(),
        blocks: vec![Element::Table(Table::new("", COLUMNS, 2..COLUMNS.len(), cells))],
        ..Document::default()
    };
    document.blocks.extend(about.notes.iter().map(|note| Element::Text(one_line(note))));
    if let Some(why) = &result.why {
        document.blocks.extend(overheads(why).map(Element::Text));
        let tables = functions_of(why, &about.scenario).into_iter().map(Element::Table);
        document.fold("Functions in profiled rounds", tables.collect());
    }
    let reasons: Vec<String> = judgement.reasons.iter().map(|reason| one_line(reason)).collect();
    match about.purpose {
        Purpose::Gate => document.fold("Reasons", vec![Element::List("", reasons)]),
        Purpose::Calibration => document.blocks.extend(reasons.into_iter().map(Element::Text)),
    }
    document.blocks.push(Element::Text(format!(
        "Baseline {}, candidate {}: {} rounds and {} void at {}/s on {}, {}; order seed {}.",
        clean(&about.baseline),
        clean(&about.candidate),
        judgement.rounds,
        judgement.void_rounds,
        grouped(about.rate_rps.round()),
        clean(&about.fingerprint.cpu_model),
        counted(about.fingerprint.cores as usize, "core"),
        about.order_seed
    )));
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::report::gate::tests::{passed, sample};

    #[test]
    fn the_verdict_is_the_first_line_and_every_metric_has_a_row() {
        let shown = text(&sample(), None, true);
        let shown = anstream::adapter::strip_str(&shown).to_string();
        let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined(&shown).starts_with(&joined(&sample().judgement.line)), "{shown}");
        for word in ["NOT GATED", "REGRESSED", "PASS", "margin", "order seed"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let shown = anstream::adapter::strip_str(&text(&passed(), None, false)).to_string();
        assert!(shown.starts_with("PASS (p50, throughput)\n\n"), "{shown}");
    }

    #[test]
    fn a_summary_says_what_matters_first() {
        let text = markdown(&passed());
        let first = "# bakeoff gate: payment, \"fast\"\n\n**PASS (p50, throughput)**\n\n| metric |";
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains("Baseline main, candidate pull/12 &lt;b&gt;: 12 rounds and 0 void at 1,000/s on A CPU, 2 cores"));
    }

    #[test]
    fn the_function_that_grew_is_the_second_sentence_and_changes_no_verdict() {
        let mut why = mock::why(8);
        why.functions.iter_mut().for_each(|one| one.scenario = sample().about.scenario);
        let result = GateResult { why: Some(why), ..sample() };
        let text = markdown(&result).replace('\\', "");
        let first = format!("**{}**", one_line(&result.judgement.line));
        let verdict = text.find(&first[..20]).unwrap();
        assert!(text[verdict..].contains("futex_[k] takes 4 us"), "{text}");
        assert!(text.contains("| futex_[k] | thread-pool | event-loop | 4 |"), "{text}");
        assert_eq!(result.judgement, sample().judgement);
    }

    #[test]
    fn every_row_has_the_columns_of_the_header_whatever_is_in_a_name() {
        let text = markdown(&sample());
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 2 + 6);
        for line in &table {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 10, "{line}");
        }
        assert!(
            text.contains("| p99 | NOT GATED |") && text.contains("| cpu/request | REGRESSED |")
        );
        assert!(!text.contains("<c>") && !text.contains("\n::error"), "{text}");
    }
}
