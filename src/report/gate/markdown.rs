//! `$GITHUB_STEP_SUMMARY`: the gate as GitHub Markdown.

use std::fmt::Write;

use crate::judge::gate::sentences::rows;
use crate::record::gate::GateResult;
use crate::report::markdown;
use crate::text::one_line;

const HEADER: [&str; 9] = [
    "metric",
    "verdict",
    "baseline",
    "candidate",
    "worse by",
    "at least",
    "at most",
    "n",
    "margin",
];

/// The verdict, a table of the metrics, the reasons, and how it was measured.
pub(crate) fn step_summary(result: &GateResult) -> String {
    let (about, judgement) = (&result.about, &result.judgement);
    let mut out = format!("## bakeoff gate: {}\n\n", escaped(&judgement.line));
    for note in &about.notes {
        let _ = writeln!(out, "> {}\n", escaped(note));
    }
    let mut rows = rows(judgement).into_iter().map(|row| row.map(|cell| one_line(&cell)).to_vec());
    markdown::grid(&mut out, &HEADER, 2..HEADER.len(), &mut rows);
    for reason in &judgement.reasons {
        let _ = writeln!(out, "- {}", escaped(reason));
    }
    let fingerprint = &about.fingerprint;
    let _ = writeln!(
        out,
        "\n{}: {} against {}, {} rounds and {} void, {}/s offered, {} ({} cores), order seed {}.",
        escaped(&about.scenario),
        escaped(&about.candidate),
        escaped(&about.baseline),
        judgement.rounds,
        judgement.void_rounds,
        crate::units::grouped(about.rate_rps),
        escaped(&fingerprint.cpu_model),
        fingerprint.cores,
        about.order_seed
    );
    out
}

/// Text from a file as Markdown shows it: one harmless line.
fn escaped(text: &str) -> String {
    markdown::escaped(&one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::sample_tests::{passed, sample};

    #[test]
    fn a_summary_says_what_matters_first() {
        let text = step_summary(&passed());
        assert!(text.starts_with("## bakeoff gate: PASS (p50, throughput)\n"), "{text}");
        assert!(
            text.contains(
                "payment, \"fast\": pull/12 &lt;b&gt; against main, 12 rounds and 0 void"
            )
        );
    }

    #[test]
    fn every_row_has_the_columns_of_the_header_whatever_is_in_a_name() {
        let text = step_summary(&sample());
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
