//! A [`Document`] for a terminal: 80 columns, the answer first, no word and no figure broken.

use std::fmt::Write;
use std::ops::Range;

use owo_colors::{OwoColorize, Style};

use super::document::{Document, Element, Table};
use crate::text::is_shown;

/// Fits a terminal of default width and a code block on a page.
pub(crate) const WIDTH: usize = 80;

const HEADING: Style = Style::new().bold();
const MUTED: Style = Style::new().dimmed();

/// The document as text with ANSI styles: print it through `anstream`, which drops them where they are not wanted.
/// Sections are written only if it is `verbose`.
pub(crate) fn write_text(document: &Document<'_>, verbose: bool) -> String {
    let mut out = String::new();
    let title = [document.title.clone()];
    let answer = if document.answer.is_empty() { &title[..] } else { &document.answer };
    for (number, line) in answer.iter().enumerate() {
        let style = if number == 0 { HEADING } else { Style::new() };
        let _ = writeln!(out, "{}", coloured(&wrapped(line, "  "), style, false));
    }
    blocks(&mut out, &document.blocks);
    for section in document.sections.iter().filter(|_| verbose) {
        let mut text = String::new();
        blocks(&mut text, &section.blocks);
        if !text.is_empty() {
            let _ = writeln!(
                out,
                "\n{}\n{}",
                section.heading.style(HEADING),
                text.trim_start_matches('\n')
            );
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
    }
    let ending = document.files.is_some() || document.verdict.is_some();
    if verbose && ending && !document.sections.is_empty() {
        out.push('\n');
    }
    if let Some(files) = &document.files {
        // A path is copied: it stays on one line.
        let _ = writeln!(out, "{files}");
    }
    if let Some((word, gloss)) = &document.verdict {
        let _ =
            writeln!(out, "{}", coloured(&wrapped(&said(word, gloss), "  "), Style::new(), false));
    }
    out
}

/// `PASS: every expectation holds`
pub(super) fn said(word: &str, gloss: &str) -> String {
    if gloss.is_empty() { word.to_owned() } else { format!("{word}: {gloss}") }
}

fn blocks(out: &mut String, blocks: &[Element<'_>]) {
    let mut after_text = false;
    for block in blocks {
        let is_text = matches!(block, Element::Text(_) | Element::Links(..));
        let start = if is_text && after_text { "" } else { "\n" };
        match block {
            Element::Text(text) => {
                let _ =
                    writeln!(out, "{start}{}", coloured(&wrapped(text, ""), Style::new(), false));
            }
            Element::Links(shown, links) => {
                let links: Vec<&str> = links.iter().map(|(_, to)| to.as_str()).collect();
                let line = format!("{shown}: {}", links.join(", "));
                let _ = writeln!(out, "{start}{}", wrapped(&line, "  "));
            }
            Element::List(heading, lines) => {
                out.push('\n');
                if !heading.is_empty() {
                    let _ = writeln!(out, "{}", heading.style(HEADING));
                }
                for line in lines {
                    let line = wrapped(&format!("  - {line}"), "    ");
                    let _ = writeln!(out, "{}", coloured(&line, Style::new(), false));
                }
            }
            Element::Table(table) => {
                out.push('\n');
                if !table.heading.is_empty() {
                    let _ = writeln!(out, "{}", wrapped(&table.heading, "").style(HEADING));
                }
                out.push_str(&coloured(&grid(table), Style::new(), true));
                for note in &table.notes {
                    let _ = writeln!(out, "{}", wrapped(note, "  ").style(MUTED));
                }
            }
            Element::Code(code) => {
                let code: String = code.chars().filter(|c| *c == '\n' || is_shown(*c)).collect();
                let _ = writeln!(out, "\n  {}", code.replace('\n', "\n  "));
            }
            Element::Figure { .. } | Element::Data(_) => continue,
        }
        after_text = is_text;
    }
}

/// Between two columns of a table.
const BETWEEN: usize = 2;

/// Head, rule and rows. Words wrap at blanks; columns that still do not fit stand below, beside the first one again.
pub(crate) fn grid(table: &Table) -> String {
    let columns: Vec<Column> = (0..table.columns.len()).map(|it| Column::of(table, it)).collect();
    let mut out = String::new();
    for (place, group) in abreast(&columns).into_iter().enumerate() {
        if place > 0 {
            out.push('\n');
        }
        let shown: Vec<&Column> = columns[..1].iter().chain(&columns[group]).collect();
        let widths = fitted(&shown);
        let heads = shown.iter().zip(&widths).map(|(it, width)| lines_of(&it.head, *width));
        let mut heads: Vec<Vec<String>> = heads.collect();
        let height = heads.iter().map(Vec::len).max().unwrap_or(0);
        // A head stands on its column.
        heads.iter_mut().for_each(|head| {
            head.splice(0..0, vec![String::new(); height - head.len()]).for_each(drop)
        });
        out.push_str(&row(&shown, &widths, &heads));
        let rule = widths.iter().sum::<usize>() + BETWEEN * (widths.len() - 1);
        let _ = writeln!(out, "{}", "-".repeat(rule));
        for number in 0..table.rows.len() {
            let cells: Vec<Vec<String>> = shown
                .iter()
                .zip(&widths)
                .map(|(it, width)| lines_of(&it.cells[number], *width))
                .collect();
            out.push_str(&row(&shown, &widths, &cells));
        }
    }
    out
}

/// What one column needs.
struct Column {
    head: String,
    cells: Vec<String>,
    right: bool,
    /// No narrower, or a word would be broken.
    least: usize,
    widest: usize,
}

impl Column {
    fn of(table: &Table, place: usize) -> Self {
        let plain = |text: &String| {
            let shown: String = text.chars().filter(|c| is_shown(*c)).collect();
            shown.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let right = table.numbers.contains(&place);
        let mut cells: Vec<String> = table.rows.iter().map(|row| plain(&row[place])).collect();
        if right {
            align(&mut cells);
        }
        // `CPU us/request` may break before its stroke.
        let head = plain(&table.columns[place]).replace("/request", "\u{200b}/request");
        let width = |text: &str| text.chars().count();
        let word = |text: &String| text.split(' ').map(width).max().unwrap_or(0);
        let whole = |text: &String| match right || place == 0 || width(text) <= UNBROKEN {
            true => width(text),
            false => word(text),
        };
        let of_head = head.split([' ', '\u{200b}']).map(width).max().unwrap_or(0);
        let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
        Self {
            least: cells.iter().map(whole).max().unwrap_or(0).max(of_head),
            widest: widest.max(width(&head.replace('\u{200b}', ""))),
            head,
            cells,
            right,
        }
    }
}

/// A cell of so many columns is a figure with its unit, and stays on one line.
const UNBROKEN: usize = 10;

/// Pads numbers so that their points stand below each other, unless some have a unit of their own.
fn align(cells: &mut [String]) {
    let behind = |cell: &str| {
        let digits = cell.rfind(|c: char| c.is_ascii_digit())? + 1;
        Some(cell.len() - cell[..digits].rfind('.').unwrap_or(digits))
    };
    let foreign = |c: char| c.is_ascii_alphabetic() || "/%(".contains(c);
    if cells.iter().any(|cell| behind(cell).is_some() && cell.contains(foreign)) {
        return;
    }
    let most = cells.iter().filter_map(|cell| behind(cell)).max().unwrap_or(0);
    for cell in cells {
        if let Some(own) = behind(cell) {
            cell.push_str(&" ".repeat(most - own));
        }
    }
}

/// The columns behind the first, in groups that fit beside it.
fn abreast(columns: &[Column]) -> Vec<Range<usize>> {
    let first = columns.first().map_or(0, |column| column.least);
    let (mut groups, mut start, mut taken) = (Vec::new(), 1, first);
    for (place, column) in columns.iter().enumerate().skip(1) {
        if taken + BETWEEN + column.least > WIDTH && place > start {
            groups.push(start..place);
            (start, taken) = (place, first);
        }
        taken += BETWEEN + column.least;
    }
    groups.push(start..columns.len());
    groups
}

/// Widths that fill at most a line: what must give way is the widest column of words.
fn fitted(columns: &[&Column]) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.widest).collect();
    let room = WIDTH.saturating_sub(BETWEEN * (columns.len() - 1));
    while widths.iter().sum::<usize>() > room {
        let may = |(place, width): &(usize, usize)| *width > columns[*place].least;
        let widest = widths.iter().copied().enumerate().filter(may).max_by_key(|(_, width)| *width);
        let Some((place, _)) = widest else { break };
        widths[place] -= 1;
    }
    widths
}

/// The lines of a cell.
fn lines_of(cell: &str, width: usize) -> Vec<String> {
    if cell.trim_end_matches(' ').chars().count() <= width {
        return vec![cell.replace('\u{200b}', "")];
    }
    let mut lines = vec![String::new()];
    for word in cell.split_inclusive([' ', '\u{200b}']) {
        let last = lines.last_mut().expect("there is one");
        let taken = last.chars().count() + word.trim_end_matches([' ', '\u{200b}']).chars().count();
        match taken > width && !last.is_empty() {
            true => lines.push(word.replace('\u{200b}', "")),
            false => last.push_str(&word.replace('\u{200b}', "")),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Cells side by side.
fn row(columns: &[&Column], widths: &[usize], cells: &[Vec<String>]) -> String {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = String::new();
    for number in 0..height {
        let mut line = String::new();
        for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
            let text = cell.get(number).map_or("", String::as_str);
            let gap =
                if line.is_empty() && std::ptr::eq(*column, columns[0]) { 0 } else { BETWEEN };
            let _ = match column.right {
                true => write!(line, "{:gap$}{text:>width$}", ""),
                false => write!(line, "{:gap$}{text:<width$}", ""),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Words that stand for a verdict in its colour, the rest in `style`; in prose those in capital letters alone.
fn coloured(text: &str, style: Style, in_table: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut plain = String::new();
    let flush = |out: &mut String, plain: &mut String| {
        if !plain.is_empty() {
            let _ = write!(out, "{}", plain.style(style));
            plain.clear();
        }
    };
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let end = part.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).len();
        let word = &part[..end];
        let of_word = style_of(word).filter(|_| in_table || !word.starts_with(char::is_lowercase));
        match of_word {
            Some(of_word) => {
                flush(&mut out, &mut plain);
                let _ = write!(out, "{}", word.style(of_word));
                plain.push_str(&part[end..]);
            }
            None => plain.push_str(part),
        }
    }
    flush(&mut out, &mut plain);
    out
}

fn style_of(word: &str) -> Option<Style> {
    match word {
        "PASS" | "VALID" | "holds" => Some(Style::new().green()),
        "FAIL" | "FAILED" | "INVALID" | "REGRESSED" | "fails" => Some(Style::new().red().bold()),
        "SUSPECT" | "INCONCLUSIVE" | "INTERRUPTED" | "INTERMITTENT" | "OPEN" | "inconclusive"
        | "saturated" | "unbounded" => Some(Style::new().yellow()),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(document: &Document<'_>, verbose: bool) -> String {
        anstream::adapter::strip_str(&write_text(document, verbose)).to_string()
    }

    fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
        let rows = rows.iter().map(|row| row.iter().map(|&cell| cell.into()).collect::<Vec<_>>());
        Table::new("", columns.iter().copied(), 1..columns.len(), rows)
    }

    #[test]
    fn the_answer_is_first_and_sections_only_where_they_are_asked_for() {
        let mut document = Document {
            title: "A title".into(),
            answer: vec!["It is so.".into()],
            verdict: Some(("PASS", "all of it".into())),
            files: Some("Report: a/index.html".into()),
            blocks: vec![Element::Text("One.".into()), Element::Text("Two.".into())],
            ..Document::default()
        };
        document.fold("More", vec![Element::List("", vec!["a line".into()])]);
        document.fold("Nothing", vec![Element::List("", Vec::new())]);
        let end = "Report: a/index.html\nPASS: all of it\n";
        assert_eq!(plain(&document, false), format!("It is so.\n\nOne.\nTwo.\n{end}"));
        let long = format!("It is so.\n\nOne.\nTwo.\n\nMore\n  - a line\n\n{end}");
        assert_eq!(plain(&document, true), long);
        document.answer.clear();
        assert!(plain(&document, false).starts_with("A title\n"));
    }

    #[test]
    fn numbers_stand_below_each_other_and_heads_give_way() {
        let of = |name: &str| {
            grid(&table(
                &["contender", "p50", "CPU us/request"],
                &[&[name, "81.1 us", "38.75"], &["thread-pool", "1.2 ms*", "7"]],
            ))
        };
        assert_eq!(
            of("event-loop"),
            "contender     p50 us  CPU us/request\n------------------------------------\n\
             event-loop      81.1           38.75\nthread-pool  1,200*             7\n"
        );
        let shown = of(&"x".repeat(60));
        assert!(shown.lines().next().unwrap().ends_with("  CPU us"), "{shown}");
        assert!(shown.lines().nth(1).unwrap().ends_with(" /request"), "{shown}");
    }

    #[test]
    fn no_word_is_broken_and_what_does_not_fit_stands_below() {
        let wide = ["a-contender-of-some-length", "unbreakable-figure-of-thirty-xx"];
        let shown = grid(&table(&["name", "a", "b", "c"], &[&[wide[0], wide[1], wide[1], "1"]]));
        assert_eq!(shown.matches(wide[0]).count(), 2, "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
        let said = "a sentence that is longer than the room which a line of a terminal leaves it";
        let rows = [["x".to_owned(), said.to_owned(), said.to_owned()]];
        let shown = grid(&Table::new("", ["name", "first", "second"], 0..0, rows));
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
        for word in shown.split_whitespace().filter(|word| !word.starts_with("--")) {
            assert!(
                format!("name first second x {said}").split(' ').any(|it| it == word),
                "{word}"
            );
        }
    }

    #[test]
    fn a_verdict_has_its_colour_wherever_it_stands() {
        let words = "NOT INVALID: 3 VALID, it holds";
        for in_table in [true, false] {
            let text = coloured(words, Style::new(), in_table);
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), words);
            assert!(text.contains("\u{1b}[32mVALID"), "{text:?}");
            assert_eq!(text.contains("\u{1b}[32mholds"), in_table, "{text:?}");
        }
    }
}
