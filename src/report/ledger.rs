//! `ledger.md`, `ledger.json` and `index.html` of a ledger, and what the terminal shows of it.

use std::path::Path;

use super::document::{Document, Element, Table};
use super::html::write_html;
use super::markdown::write_markdown;
use super::setting::typed;
use super::terminal::write_text;
use super::write::{expect_page_writable, put};
use crate::error::{Context, Result};
use crate::record;
use crate::record::{Ledger, LedgerClaim, LedgerRow, StatementVerdict};
use crate::text::distinct;

/// Writes the files of a ledger into `dir`, which is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written; the message names it. Usage, when a file would be overwritten that
/// bakeoff did not write, and that is not forced; then nothing is written.
pub fn write(dir: &Path, ledger: &Ledger, force: bool) -> Result<()> {
    let (json, text) = (record::ledger_json(ledger), markdown(ledger));
    expect_page_writable(dir, &[("ledger.json", &json), ("ledger.md", &text)], force)?;
    std::fs::create_dir_all(dir)
        .usage(|| format!("cannot make the report folder {}", dir.display()))?;
    put(dir, "ledger.json", &json)?;
    put(dir, "ledger.md", &text)?;
    put(dir, "index.html", &write_html(&document(ledger)))
}

const TITLE: &str = "Ledger: common statements, tested on this machine";

/// For a terminal; `files` is the ledger's folder, where one was written.
pub fn text(ledger: &Ledger, files: Option<&Path>, verbose: bool) -> String {
    let files =
        files.map(|files| format!("Report (or --verbose): {}", files.join("index.html").display()));
    write_text(&Document { files, ..document(ledger) }, verbose)
}

/// For a repository or a pull request; links are relative to the ledger's folder.
pub fn markdown(ledger: &Ledger) -> String {
    write_markdown(&document(ledger))
}

fn document(ledger: &Ledger) -> Document<'static> {
    let columns = ["#", "statement", "verdict", "figure", "tested with"];
    let row = |row: &LedgerRow| {
        let verdict = if row.measured { row.verdict.name() } else { "not measured" };
        let [number, verdict] = [row.number.to_string(), verdict.to_owned()];
        [number, row.statement.clone(), verdict, row.figure.clone(), row.tested_with.clone()]
    };
    let mut document =
        Document { title: TITLE.into(), answer: vec![summary(ledger)], ..Document::default() };
    for rows in ledger.rows.chunk_by(|a, b| a.community == b.community) {
        let community = &rows[0].community;
        let table = Table::new(community, columns, 0..1, rows.iter().map(row));
        document.blocks.push(Element::Table(table));
    }
    document.blocks.push(Element::Text(about(ledger)));
    let led = ledger.rows.iter().map(|row| (row.number.to_string(), links(row)));
    let led = led.filter(|(_, links)| !links.is_empty());
    let led = led.map(|(number, links)| Element::Links(number, links));
    document.fold("Where it comes from", led.collect());
    for (heading, lines) in groups(ledger) {
        document.fold(heading, vec![Element::List("", lines)]);
    }
    document
}

/// What is shown and where it leads: the reports of the scenarios that decide a row, and their charts.
fn links(row: &LedgerRow) -> Vec<(String, String)> {
    let deciding = row.claims.iter().filter(|claim| claim.decides);
    let reports = deciding.map(|one| (one.scenario.clone(), format!("{}/", one.scenario)));
    reports.chain(row.charts.iter().map(|chart| ("chart".to_owned(), chart.clone()))).collect()
}

fn about(ledger: &Ledger) -> String {
    let print = &ledger.fingerprint;
    format!(
        "{} cores, {}, Linux {}; bakeoff {}{}, {}. Every interval is one of {:.0} %. A row fails by one deciding claim \
         that fails, at a level that their number makes stricter; it holds when all of them hold.{}{}",
        print.cores,
        print.cpu_model,
        print.kernel,
        print.bakeoff,
        print.unusual_build(),
        ledger.started_utc,
        100.0 * ledger.confidence,
        ledger.note.as_ref().map(|note| format!(" {note}")).unwrap_or_default(),
        match ledger.words.is_empty() {
            true => String::new(),
            false => format!(" Made by: {}", typed(&ledger.words)),
        }
    )
}

/// `5 hold, 2 fail, 3 inconclusive, 5 not measured; 7 cannot be settled by a machine.`
fn summary(ledger: &Ledger) -> String {
    let count =
        |verdict| ledger.rows.iter().filter(|row| row.measured && row.verdict == verdict).count();
    let unmeasured = ledger.rows.iter().filter(|row| !row.measured).count();
    let stopped = if ledger.interrupted { "INTERRUPTED: " } else { "" };
    format!(
        "{stopped}{} hold, {} fail, {} inconclusive, {unmeasured} not measured; {} cannot be settled by a machine.",
        count(StatementVerdict::Holds),
        count(StatementVerdict::Fails),
        count(StatementVerdict::Inconclusive),
        ledger.unsettled.len()
    )
}

fn groups(ledger: &Ledger) -> Vec<(&'static str, Vec<String>)> {
    let claim = |claim: &LedgerClaim| {
        let judged = &claim.judgement;
        format!(
            "{}: {} ({}): {}",
            judged.verdict.name(),
            judged.text,
            claim.scenario,
            judged.reason
        )
    };
    let beside = distinct(ledger.rows.iter().flat_map(|row| &row.claims).map(claim));
    let not_run = |one: &record::NotRun| format!("{}: {}", one.scenario, one.why);
    vec![
        ("Every claim behind them", beside),
        ("Other claims", ledger.others.iter().map(claim).collect()),
        ("Not run", ledger.not_run.iter().map(not_run).collect()),
        ("Measured before, or by another build", ledger.sources.clone()),
        ("Not for a machine to settle", ledger.unsettled.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Fingerprint, Judgement, NotRun};

    fn ledger() -> Ledger {
        let judgement = Judgement {
            text: "A <b>bold</b> claim".into(),
            verdict: StatementVerdict::Holds,
            reason: "1.02x (0.99 to 1.05, n = 8); asked: within 1.1x".into(),
            ratio: Some(1.02),
            low: Some(0.99),
            high: Some(1.05),
            n: 8,
            tested_with: "Rust models".into(),
            ..Judgement::default()
        };
        Ledger {
            schema: record::LEDGER_SCHEMA.into(),
            started_utc: "2026-11-24T04:09:53Z".into(),
            fingerprint: Fingerprint::default(),
            confidence: 0.99,
            note: Some("In 30 min instead of about 240.".into()),
            words: vec!["scenarios/".into(), "--budget".into(), "30m".into()],
            rows: vec![
                LedgerRow {
                    number: 1,
                    community: "Go and Node.js".into(),
                    statement: "One".into(),
                    verdict: StatementVerdict::Holds,
                    figure: judgement.reason.clone(),
                    tested_with: "Go 1.27.3".into(),
                    measured: true,
                    claims: vec![LedgerClaim { scenario: "a".into(), decides: true, judgement }],
                    charts: vec!["a/charts/forest-light.svg".into()],
                },
                LedgerRow {
                    number: 2,
                    community: "Java".into(),
                    statement: "Two".into(),
                    verdict: StatementVerdict::Inconclusive,
                    figure: "not measured (no such scenario)".into(),
                    tested_with: "not measured".into(),
                    measured: false,
                    claims: Vec::new(),
                    charts: Vec::new(),
                },
            ],
            others: Vec::new(),
            not_run: vec![NotRun { scenario: "map".into(), why: "it claims nothing".into() }],
            sources: vec!["a: measured from 2026-11-01T00:00:00Z on".into()],
            unsettled: vec!["hiring".into()],
            interrupted: false,
            exit_code: 0,
        }
    }

    #[test]
    fn every_output_has_every_row_and_what_was_left_out() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &ledger(), false).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let shown = anstream::adapter::strip_str(&text(&ledger(), None, true)).to_string();
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [&shown, &read("ledger.md"), &read("index.html"), &read("ledger.json")] {
            for part in [
                "Go and Node.js",
                "Java",
                "no such scenario",
                "it claims nothing",
                "hiring",
                "1.02x",
                "Two",
                "2026-11-01",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        assert!(shown.contains("1 hold, 0 fail, 0 inconclusive, 1 not measured"), "{shown}");
        let made = "Made by: bakeoff run scenarios/ --budget 30m";
        assert!(read("ledger.md").contains(made) && read("index.html").contains(made));
        assert!(!read("index.html").contains("<b>bold"), "a claim is text");
        assert!(read("index.html").contains("href=\"a/charts/forest-light.svg\""));
        let led = "- 1: [a](a/summary.md), [chart](a/charts/forest-light.svg)\n";
        assert!(read("ledger.md").contains(led), "{}", read("ledger.md"));
    }
}
