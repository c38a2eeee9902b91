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
use crate::record::{Fingerprint, Ledger, LedgerClaim, LedgerRow, StatementVerdict};
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
        let [number, verdict] = [row.number.to_string(), verdict(ledger, row)];
        let again = if row.measured { None } else { ledger.measured_again(row) };
        let figure = again.unwrap_or(row);
        [number, row.statement.clone(), verdict, figure.figure.clone(), figure.tested_with.clone()]
    };
    let mut document =
        Document { title: TITLE.into(), answer: vec![summary(ledger)], ..Document::default() };
    for rows in ledger.rows.chunk_by(|a, b| a.community == b.community) {
        let community = &rows[0].community;
        let table = Table::new(community, columns, 0..1, rows.iter().map(row));
        document.blocks.push(Element::Table(table));
    }
    document.blocks.push(Element::Text(about(ledger)));
    if let Some(second) = &ledger.second {
        document.blocks.push(Element::Text(format!("Second run: {}", about(second))));
    }
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

/// What the runs of a ledger found of one statement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    NotMeasured,
    /// By the only run that measured it.
    Once(StatementVerdict),
    Alike(StatementVerdict),
    Differs([StatementVerdict; 2]),
}

fn standing(ledger: &Ledger, row: &LedgerRow) -> Standing {
    match (row.measured, ledger.measured_again(row).map(|again| again.verdict)) {
        (false, None) => Standing::NotMeasured,
        (true, None) => Standing::Once(row.verdict),
        (false, Some(again)) => Standing::Once(again),
        (true, Some(again)) if again == row.verdict => Standing::Alike(again),
        (true, Some(again)) => Standing::Differs([row.verdict, again]),
    }
}

fn verdict(ledger: &Ledger, row: &LedgerRow) -> String {
    match (standing(ledger, row), &ledger.second) {
        (Standing::NotMeasured, _) => "not measured".into(),
        (Standing::Once(verdict), None) => verdict.name().into(),
        (Standing::Once(verdict), Some(_)) => match row.measured {
            true => format!("{} (first run only)", verdict.name()),
            false => format!("{} (second run only)", verdict.name()),
        },
        (Standing::Alike(verdict), _) => format!("{} (both runs)", verdict.name()),
        (Standing::Differs(verdicts), _) => {
            format!("{}: {}", differs(ledger), verdicts.map(StatementVerdict::name).join(", then "))
        }
    }
}

fn differs(ledger: &Ledger) -> &'static str {
    let machine = |ledger: &Ledger| {
        let Fingerprint { cpu_model, cores, kernel, .. } = &ledger.fingerprint;
        (cpu_model.clone(), *cores, kernel.clone())
    };
    match ledger.second.as_ref().is_some_and(|second| machine(second) != machine(ledger)) {
        true => "differs between machines",
        false => "differs between runs",
    }
}

/// `5 hold, 2 fail, 3 inconclusive, 1 differ between machines, 5 not measured; 7 cannot be settled by a machine.`
fn summary(ledger: &Ledger) -> String {
    let count = |is: &dyn Fn(Standing) -> bool| {
        ledger.rows.iter().filter(|row| is(standing(ledger, row))).count()
    };
    let found =
        |verdict| count(&|it| it == Standing::Once(verdict) || it == Standing::Alike(verdict));
    let differing = match &ledger.second {
        Some(_) => {
            let unlike = count(&|it| matches!(it, Standing::Differs(_)));
            format!(", {unlike} {}", differs(ledger).replacen("differs", "differ", 1))
        }
        None => String::new(),
    };
    let stopped = if ledger.interrupted { "INTERRUPTED: " } else { "" };
    format!(
        "{stopped}{} hold, {} fail, {} inconclusive{differing}, {} not measured; {} cannot be settled by a machine.",
        found(StatementVerdict::Holds),
        found(StatementVerdict::Fails),
        found(StatementVerdict::Inconclusive),
        count(&|it| it == Standing::NotMeasured),
        ledger.unsettled.len()
    )
}

/// What the second run measured of each statement.
fn again(ledger: &Ledger) -> Vec<String> {
    let line = |row: &LedgerRow| {
        let again = ledger.measured_again(row)?;
        Some(format!("{}: {}: {}", row.number, again.verdict.name(), again.figure))
    };
    ledger.rows.iter().filter_map(line).collect()
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
        ("What the second run measured", again(ledger)),
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
    use crate::record::{Judgement, NotRun};

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
            second: None,
        }
    }

    #[test]
    fn a_second_run_says_where_it_agrees_and_where_it_differs() {
        use StatementVerdict::{Fails, Holds};
        let second = |verdict, kernel: &str| {
            let mut other = ledger();
            other.rows[0].verdict = verdict;
            other.rows[0].figure = "1.31x".into();
            other.fingerprint.kernel = kernel.into();
            ledger().beside(other)
        };
        let table = |ledger: &Ledger| {
            let text = markdown(ledger);
            text.lines().find(|line| line.starts_with("| 1 |")).unwrap().to_owned()
        };
        assert!(table(&ledger()).contains("| holds |"));
        let own = ledger().fingerprint.kernel;
        let alike = second(Holds, "another");
        assert!(table(&alike).contains("| holds (both runs) |"), "{}", table(&alike));
        assert!(
            markdown(&alike).contains("1 hold, 0 fail, 0 inconclusive, 0 differ between machines")
        );
        let unlike = second(Fails, "another");
        let cell = "| differs between machines: holds, then fails |";
        assert!(table(&unlike).contains(cell), "{}", table(&unlike));
        assert!(
            markdown(&unlike).contains("0 hold, 0 fail, 0 inconclusive, 1 differ between machines")
        );
        assert!(markdown(&unlike).contains("1: fails: 1.31x"), "{}", markdown(&unlike));
        assert!(
            table(&second(Fails, &own)).contains("| differs between runs: holds, then fails |")
        );

        // What one run alone has is no agreement.
        let mut alone = second(Holds, "another");
        alone.second.as_mut().unwrap().rows[0].measured = false;
        assert!(table(&alone).contains("| holds (first run only) |"));
        let mut late = second(Fails, "another");
        late.rows[0].measured = false;
        assert!(table(&late).contains("| fails (second run only) | 1.31x |"), "{}", table(&late));
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
