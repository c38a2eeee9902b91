//! What `bakeoff run` prints at its end, at most 80 columns wide.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Width};
use owo_colors::{OwoColorize, Style};

use super::findings::{Findings, Judged};
use super::format::Grid;
use super::table::{COLUMNS, TABLE_NOTE, Table};
use crate::record::{RunResult, TrialVerdict, Verdict};
use crate::text::{counted, is_shown, listed, one_line};

/// The report as text with ANSI styles: print it through `anstream`, which drops them where they are not wanted.
/// `files` is the report folder, where one was written.
pub fn terminal(result: &RunResult, files: Option<&Path>) -> String {
    let findings = Findings::of(result);
    let mut out = String::new();
    let _ = writeln!(out, "{}", wrapped(&findings.title, "").style(HEADING));
    for line in &findings.about {
        let _ = writeln!(out, "{}", wrapped(line, "").style(MUTED));
    }
    findings.headline.iter().for_each(|grid| experiment(&mut out, grid));
    for table in &findings.tables {
        races(&mut out, table);
    }
    if !findings.tables.is_empty() {
        let _ = writeln!(out, "\n{}", wrapped(TABLE_NOTE, "").style(MUTED));
    }
    findings.grids.iter().for_each(|grid| experiment(&mut out, grid));
    statements(&mut out, "Expectations", &findings.expectations);
    statements(&mut out, "Claims (they do not change the exit code)", &findings.claims);
    list(&mut out, "Summary", &findings.closing);
    list(&mut out, "Limitations", &findings.limits);
    let reasons: Vec<String> = findings
        .reasons
        .iter()
        .map(|r| {
            [r.verdict, &r.text, &r.whose].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>()
        })
        .map(|parts| parts.join(": "))
        .collect();
    list(&mut out, "Why trials are marked", &reasons);
    out.push('\n');
    for remark in &findings.remarks {
        let _ = writeln!(out, "{}", wrapped(remark, "  "));
    }
    if let Some(files) = files {
        let _ = writeln!(out, "Files: {}", files.display());
    }
    let _ = writeln!(
        out,
        "{}: {}",
        findings.verdict.style(style_of(findings.verdict)),
        findings.verdict_gloss
    );
    out
}

/// Limits that the first screen has room for.
const LIMITS: usize = 5;

/// The end of a run of named scenarios: the answer, the figures, the statements, what it does not say, where the rest is.
/// What it leaves out is in the report and in [`terminal`].
pub fn brief(result: &RunResult, files: Option<&Path>) -> String {
    let findings = Findings::of(result);
    let mut out = String::new();
    for (number, line) in answer(result, &findings).iter().enumerate() {
        let style = if number == 0 { HEADING } else { Style::new() };
        let _ = writeln!(out, "{}", wrapped(line, "  ").style(style));
    }
    findings.headline.iter().for_each(|grid| experiment(&mut out, grid));
    for table in &findings.tables {
        let _ = writeln!(out, "\n{}", table.heading.style(HEADING));
        let _ = writeln!(out, "{}", figures(table));
    }
    findings.grids.iter().for_each(|grid| experiment(&mut out, grid));
    statements(&mut out, "Expectations", &findings.expectations);
    statements(&mut out, "Claims (they do not change the exit code)", &findings.claims);
    let few = &findings.limits[..findings.limits.len().min(LIMITS)];
    list(&mut out, "Limitations", few);
    let _ = writeln!(out, "\n{}", coloured(&wrapped(&validity(result), "")));
    let reasons = findings.reasons.len();
    if reasons > 0 {
        let why = format!(
            "{} for marks: --verbose and the report list them.",
            counted(reasons, "reason")
        );
        let _ = writeln!(out, "{}", wrapped(&why, ""));
    }
    if let Some(files) = files {
        let _ = writeln!(out, "Report: {}", files.join("index.html").display());
    }
    let verdict = findings.verdict.style(style_of(findings.verdict));
    let _ = writeln!(out, "{verdict}: {}", findings.verdict_gloss);
    out
}

/// What a person could repeat, the most important first.
fn answer(result: &RunResult, findings: &Findings) -> Vec<String> {
    if !result.words.iter().any(|word| word == "--smoke") {
        return match findings.closing.is_empty() {
            true => vec![findings.title.clone()],
            false => findings.closing.clone(),
        };
    }
    let first = match (result.broken.is_empty(), result.verdict) {
        (false, _) => "SMOKE: it does not work.",
        (true, Verdict::Invalid) => "SMOKE: a contender has no valid round.",
        (true, Verdict::Interrupted) => "SMOKE: interrupted.",
        (true, _) => "SMOKE: everything works. This is no measurement: run it without --smoke.",
    };
    let broken = result.broken.iter().map(|broken| format!("{}.", one_line(broken)));
    std::iter::once(first.to_owned()).chain(broken).collect()
}

/// `92 of 96 trials are VALID, 4 SUSPECT; 1 round was void and repeated.`
pub(super) fn validity(result: &RunResult) -> String {
    let count = |verdict| {
        let counted = result.trials.iter().filter(|trial| !trial.voided);
        counted.filter(|trial| trial.validity.verdict == verdict).count()
    };
    let all = result.trials.iter().filter(|trial| !trial.voided).count();
    let mut parts = vec![format!("{} of {all} trials are VALID", count(TrialVerdict::Valid))];
    for verdict in [TrialVerdict::Suspect, TrialVerdict::Invalid] {
        let n = count(verdict);
        parts.extend((n > 0).then(|| format!("{n} {}", verdict.word())));
    }
    let void = match result.voided_rounds {
        0 => String::new(),
        1 => "; 1 round was void and repeated".into(),
        n => format!("; {n} rounds were void and repeated"),
    };
    format!("{}{void}.", listed(&parts))
}

/// Fits a terminal of default width and a code block on a page.
const WIDTH: usize = 80;

const HEADING: Style = Style::new().bold();
const MUTED: Style = Style::new().dimmed();

fn races(out: &mut String, table: &Table) {
    let _ = writeln!(out, "\n{}", table.heading.style(HEADING));
    let _ = writeln!(out, "{}", figures(table));
    for mark in standings(table).iter().chain(&table.marks) {
        let _ = writeln!(out, "{}", coloured(&wrapped(&format!(" {mark}"), "   ")));
    }
    if !table.comparisons.is_empty() {
        let _ = writeln!(out, "\n{} {}", "against".style(MUTED), table.versus.style(HEADING));
        out.push_str(&comparisons(table));
    }
}

/// Sizes, capacities, or the map.
fn experiment(out: &mut String, table: &Grid) {
    let _ = writeln!(out, "\n{}", wrapped(&table.heading, "").style(HEADING));
    for (group, columns) in abreast(table).into_iter().enumerate() {
        if group > 0 {
            out.push('\n');
        }
        let mut grid = grid();
        let of = |row: &[String]| -> Vec<String> {
            std::iter::once(0).chain(columns.clone()).map(|column| row[column].clone()).collect()
        };
        grid.set_header(of(&table.columns));
        for row in &table.rows {
            grid.add_row(of(row));
        }
        for (place, column) in std::iter::once(0).chain(columns).enumerate() {
            let least = Width::Fixed(least_width(table, column) as u16);
            let shown = grid.column_mut(place).expect("the row has this column");
            shown.set_constraint(ColumnConstraint::LowerBoundary(least));
        }
        let _ = writeln!(out, "{}", trimmed(&grid.to_string()));
    }
    for note in &table.notes {
        let _ = writeln!(out, "{}", wrapped(note, "").style(MUTED));
    }
}

/// The columns behind the first, in groups that fit beside it without a figure being broken.
fn abreast(table: &Grid) -> Vec<Range<usize>> {
    let (mut groups, mut start, mut taken) = (Vec::new(), 1, least_width(table, 0));
    for column in 1..table.columns.len() {
        let wide = least_width(table, column);
        if taken + wide > WIDTH && column > start {
            groups.push(start..column);
            (start, taken) = (column, least_width(table, 0));
        }
        taken += wide;
    }
    groups.push(start..table.columns.len());
    groups
}

/// The least width of a column, its air included, at which no figure, name or word in it is broken.
fn least_width(table: &Grid, column: usize) -> usize {
    let least = |cell: &String| match cell.chars().count() {
        short if short <= UNBROKEN || column == 0 => short,
        _ => cell.split(' ').map(|word| word.chars().count()).max().unwrap_or(0),
    };
    let cells = table.rows.iter().map(|row| &row[column]).chain([&table.columns[column]]);
    cells.map(least).max().unwrap_or(0) + BETWEEN
}

/// A cell of so many columns is a figure with its unit, and stays on one line.
const UNBROKEN: usize = 10;
/// Between two columns of a table.
const BETWEEN: usize = 2;

/// The columns of figures: those behind them, validity and what bound the trials, are words and stand below the table.
const FIGURES: Range<usize> = 1..7;

/// The table of figures: numbers to the right, never broken; what must give way is a contender's name.
fn figures(table: &Table) -> String {
    let mut grid = grid();
    grid.set_header(COLUMNS[..FIGURES.end].iter().map(|column| two_lines(column)));
    for row in &table.rows {
        grid.add_row(&row[..FIGURES.end]);
    }
    for (index, column) in grid.column_iter_mut().enumerate() {
        column.set_padding((u16::from(index == 0), if index + 1 == FIGURES.end { 0 } else { 2 }));
        if FIGURES.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    coloured(&trimmed(&grid.to_string()))
}

/// `VALID 6/6, bound by nothing: event-loop, thread-pool`, a line for all of whom it is true.
fn standings(table: &Table) -> Vec<String> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for row in table.rows.iter().filter(|row| !row[FIGURES.end].is_empty()) {
        let validity = format!("{}, bound by {}", row[FIGURES.end], row[FIGURES.end + 1]);
        match found.iter_mut().find(|(known, _)| *known == validity) {
            Some((_, names)) => names.push(&row[0]),
            None => found.push((validity, vec![&row[0]])),
        }
    }
    let one = found.len() == 1;
    let line = |(validity, names): (String, Vec<&str>)| match one {
        true => format!("{validity}: every contender"),
        false => format!("{validity}: {}", names.join(", ")),
    };
    found.into_iter().map(line).collect()
}

/// A column's name above itself where that is narrower: `peak RSS`, `CPU us/request`.
fn two_lines(column: &str) -> String {
    if column.contains('/') { column.replace('/', "\n/") } else { column.replace(' ', "\n") }
}

/// A contender's name, and below it a line for each metric.
fn comparisons(table: &Table) -> String {
    let (mut out, mut last) = (String::new(), "");
    let widest = table.comparisons.iter().map(|[_, metric, _]| metric.chars().count()).max();
    let indent = " ".repeat(widest.unwrap_or(0) + 5);
    for [of, metric, finding] in &table.comparisons {
        if of != last {
            let _ = writeln!(out, " {of}");
        }
        last = of;
        let finding = wrapped(&format!("{indent}{finding}"), &indent);
        let _ = writeln!(out, "   {metric:<0$}  {1}", indent.len() - 5, finding.trim_start());
    }
    out
}

/// A table without styles.
pub(crate) fn plain_table<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let mut grid = grid();
    grid.set_header(header);
    for row in rows {
        grid.add_row(row);
    }
    // A name is one word, and stays one.
    if let Some(names) = grid.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    trimmed(&grid.to_string())
}

/// Figures to the right and never broken; what must give way is the first column.
pub(super) fn right_aligned(table: &mut comfy_table::Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((u16::from(index == 0), if index == 0 { 1 } else { 2 }));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

pub(super) fn grid() -> comfy_table::Table {
    let mut grid = comfy_table::Table::new();
    grid.load_style(NOTHING.header_separator(LineStyle::none().fill('-')));
    grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH as u16);
    grid
}

fn statements(out: &mut String, heading: &str, statements: &[Judged]) {
    if statements.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", heading.style(HEADING));
    for judged in statements {
        let verdict = format!("{:<12}", judged.verdict);
        let indent = " ".repeat(15);
        let text = wrapped(&format!("{indent}{}", judged.text), &indent);
        let _ =
            writeln!(out, "  {} {}", verdict.style(style_of(judged.verdict)), text.trim_start());
        let _ = writeln!(out, "{}", wrapped(&format!("{indent}{}", judged.reason), &indent));
    }
}

fn list(out: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", heading.style(HEADING));
    for line in lines {
        let _ = writeln!(out, "{}", coloured(&wrapped(&format!("  - {line}"), "    ")));
    }
}

/// Words that stand for a verdict, in its colour.
fn coloured(text: &str) -> String {
    let words = ["VALID", "SUSPECT", "INVALID", "saturated", "unbounded"];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_alphabetic()).or(Some(rest.len())) {
        let (word, after) = rest.split_at(end);
        if words.contains(&word) {
            let _ = write!(out, "{}", word.style(style_of(word)));
        } else {
            out.push_str(word);
        }
        let Some(next) = after.chars().next() else { break };
        out.push(next);
        rest = &after[next.len_utf8()..];
    }
    out
}

fn style_of(word: &str) -> Style {
    match word {
        "PASS" | "VALID" | "holds" => Style::new().green(),
        "FAIL" | "INVALID" | "fails" => Style::new().red().bold(),
        _ => Style::new().yellow(),
    }
}

/// `text` in lines of at most [`WIDTH`] columns, all but the first starting with `indent`.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    let start = text.len() - text.trim_start().len();
    let (mut out, mut column) = (text[..start].to_owned(), start);
    let mut fresh = true;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if !fresh && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if !fresh {
            out.push(' ');
            column += 1;
        }
        out.extend(word.chars().filter(|c| is_shown(*c)));
        column += width;
        fresh = false;
    }
    out
}

/// Without the spaces that fill a table's lines.
pub(super) fn trimmed(table: &str) -> String {
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    fn shown(result: &RunResult) -> String {
        let text = terminal(result, Some(Path::new("reports/tour/x")));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_run_ends_with_its_answer_and_not_with_its_reasons() {
        let mut result = mock::payments(6, &mock::MODELS);
        let text = |result: &RunResult| {
            anstream::adapter::strip_str(&brief(result, Some(Path::new("reports/x")))).to_string()
        };
        let said = text(&result);
        insta::assert_snapshot!(said);
        assert!(said.lines().all(|line| line.chars().count() <= WIDTH), "{said}");
        result.words = vec!["x".into(), "--smoke".into()];
        assert!(text(&result).starts_with("SMOKE: everything works"));
        result.broken = vec!["`mine` failed all 40 requests (404)".into()];
        let said = text(&result);
        assert!(said.starts_with("SMOKE: it does not work.\n`mine` failed all 40"), "{said}");
    }

    #[test]
    fn a_report_fits_a_terminal_and_breaks_no_figure() {
        let mut result = mock::payments(6, &mock::MODELS);
        result.ceilings.push(crate::record::Ceiling {
            workload: "payment".into(),
            scenario: String::new(),
            contender: "event-loop".into(),
            closed_rps: Some(21_300.0),
            cpu_rps: None,
            pool_rps: None,
            threads_rps: None,
            binds: "cpu".into(),
            dependency: None,
        });
        insta::assert_snapshot!(shown(&result));
        let mut full = mock::everything_of(&mock::MODELS);
        full.footprints = mock::MODELS.map(|(name, ..)| mock::footprint(name)).to_vec();
        let full = shown(&full);
        for whole in ["thread-per-connection  1.1 ms", "libraries", "12.2 MiB"] {
            assert!(full.contains(whole), "{whole}: {full}");
        }
        let long = full.lines().find(|line| line.chars().count() > WIDTH);
        assert_eq!(long, None);
    }
}
