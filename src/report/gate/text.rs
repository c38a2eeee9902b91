//! What a person reads at a terminal.

use comfy_table::{CellAlignment, Table, presets};

use crate::judge::gate::sentences::rows;
use crate::record::gate::{GateResult, Purpose};
use crate::text::{clean, one_line};

const HEADER: [&str; 9] = [
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

/// The verdict in one line, a table of the metrics, and the reasons.
pub(crate) fn text(result: &GateResult) -> String {
    let judgement = &result.judgement;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADER);
    for row in rows(judgement) {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let table: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let first = match result.about.purpose {
        Purpose::Gate => one_line(&judgement.line),
        // Equal contenders have no verdict; what their rounds show is what a gate can see.
        Purpose::Calibration => {
            format!("{} against itself, {} rounds", clean(&result.about.baseline), judgement.rounds)
        }
    };
    let mut out = format!("{first}\n\n{}\n", table.join("\n"));
    for sentence in result.about.notes.iter().chain(&judgement.reasons) {
        out += &format!("\n{}", one_line(sentence));
    }
    let rounds = judgement.rounds;
    out + &format!(
        "\nBaseline {}, candidate {}: {rounds} rounds and {} void at {}/s, order seed {}\n",
        clean(&result.about.baseline),
        clean(&result.about.candidate),
        judgement.void_rounds,
        crate::units::grouped(result.about.rate_rps.round()),
        result.about.order_seed
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::sample_tests::{passed, sample};

    #[test]
    fn the_verdict_is_the_first_line_and_every_metric_has_a_row() {
        let text = text(&sample());
        assert_eq!(text.lines().next(), Some(one_line(&sample().judgement.line).as_str()));
        for word in ["NOT GATED", "REGRESSED", "PASS", "margin", "order seed"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(super::text(&passed()).starts_with("PASS (p50, throughput)\n\n"), "{text}");
    }
}
