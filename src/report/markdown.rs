//! `summary.md` and `--format markdown`: the report for a pull request.

use std::fmt::Write;

use super::charts::{CHART_FOLDER, Kind, Picture, pictures};
use super::findings::{Findings, Judged};
use super::table::{COLUMNS, TABLE_NOTE, Table};
use crate::record::RunResult;
use crate::report::format::Grid;
use crate::text::{is_shown, xml};

/// The report as GitHub Markdown; charts are linked relative to the report folder.
pub fn markdown(result: &RunResult) -> String {
    markdown_with(result, &pictures(result))
}

/// The same where its pictures are at hand.
pub(super) fn markdown_with(result: &RunResult, pictures: &[Picture<'_>]) -> String {
    let findings = Findings::of(result);
    let mut out = format!("# {}\n\n", escaped(&findings.title));
    let _ = writeln!(out, "**{}**: {}\n", findings.verdict, escaped(&findings.verdict_gloss));
    list(&mut out, "Summary", &findings.closing);
    list(&mut out, "Limitations", &findings.limits);
    for chart in pictures.iter().filter(|picture| SHOWN.contains(&picture.kind)) {
        picture(&mut out, &chart.stem, &chart.alt);
    }
    findings.headline.iter().for_each(|table| experiment(&mut out, table));
    for table in &findings.tables {
        race(&mut out, table);
    }
    if !findings.tables.is_empty() {
        let _ = writeln!(out, "{}\n", escaped(TABLE_NOTE));
    }
    findings.grids.iter().for_each(|table| experiment(&mut out, table));
    statements(&mut out, "Expectations", &findings.expectations);
    statements(&mut out, "Claims (they do not change the exit code)", &findings.claims);
    if !findings.reasons.is_empty() {
        let mut rows = findings
            .reasons
            .iter()
            .map(|r| vec![r.verdict.into(), r.text.clone(), r.whose.clone()]);
        let _ = writeln!(out, "## Why trials are marked\n");
        grid(&mut out, &["verdict", "reason", "whose"], 0..0, &mut rows);
    }
    let remarks: Vec<String> = findings.about.into_iter().chain(findings.remarks).collect();
    list(&mut out, "How it was measured", &remarks);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Charts that a pull request shows; the others lie beside them.
const SHOWN: [Kind; 5] = [Kind::Load, Kind::Map, Kind::Hdr, Kind::Forest, Kind::Stall];

fn picture(out: &mut String, stem: &str, alt: &str) {
    let alt = xml(alt);
    let _ = writeln!(
        out,
        "<picture>\n  \
           <source media=\"(prefers-color-scheme: dark)\" srcset=\"{CHART_FOLDER}/{stem}-dark.svg\">\n  \
           <img alt=\"{alt}\" src=\"{CHART_FOLDER}/{stem}-light.svg\" width=\"1200\">\n\
         </picture>\n"
    );
}

fn race(out: &mut String, table: &Table) {
    let _ = writeln!(out, "## {}\n", escaped(&table.heading));
    grid(out, &COLUMNS, 1..7, &mut table.rows.iter().map(|row| row.to_vec()));
    for mark in &table.marks {
        let _ = writeln!(out, "- {}", escaped(mark));
    }
    if !table.marks.is_empty() {
        out.push('\n');
    }
    if !table.comparisons.is_empty() {
        let against = format!("against {}", table.versus);
        let header = [against.as_str(), "metric", "finding"];
        grid(out, &header, 0..0, &mut table.comparisons.iter().map(|row| row.to_vec()));
    }
}

/// Sizes, capacities, or the map.
fn experiment(out: &mut String, table: &Grid) {
    let _ = writeln!(out, "## {}\n", escaped(&table.heading));
    let header: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    grid(out, &header, 0..0, &mut table.rows.iter().cloned());
    for note in &table.notes {
        let _ = writeln!(out, "{}\n", escaped(note));
    }
}

fn statements(out: &mut String, heading: &str, statements: &[Judged]) {
    if statements.is_empty() {
        return;
    }
    let _ = writeln!(out, "## {heading}\n");
    let mut rows =
        statements.iter().map(|s| vec![format!("{}", s.verdict), s.text.clone(), s.reason.clone()]);
    grid(out, &["verdict", "statement", "reason"], 0..0, &mut rows);
}

pub(super) fn list(out: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "## {heading}\n");
    for line in lines {
        let _ = writeln!(out, "- {}", escaped(line));
    }
    out.push('\n');
}

/// A table whose columns in `numbers` stand to the right.
pub(crate) fn grid(
    out: &mut String,
    header: &[&str],
    numbers: std::ops::Range<usize>,
    rows: &mut dyn Iterator<Item = Vec<String>>,
) {
    let mut line = |cells: Vec<String>| {
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(header.iter().map(|cell| escaped(cell)).collect());
    let rule = |i| if numbers.contains(&i) { "---:" } else { "---" };
    line((0..header.len()).map(|i| rule(i).to_owned()).collect());
    rows.for_each(|row| line(row.iter().map(|cell| escaped(cell)).collect()));
    out.push('\n');
}

/// Text that Markdown shows as it is. Only characters that can begin something are touched.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if !is_shown(c) => {}
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' | '@' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
