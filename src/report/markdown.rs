//! A [`Document`] as GitHub Markdown, for a pull request or beside a page.

use std::fmt::Write;

use super::charts::CHART_FOLDER;
use super::document::{Document, Element, Table};
use super::terminal::said;
use crate::text::{is_shown, xml};

/// Links to charts and reports are relative to the report folder.
pub(crate) fn write_markdown(document: &Document<'_>) -> String {
    let mut out = format!("# {}\n\n", escaped(&document.title));
    let first = document.answer.first().map(String::as_str);
    for line in document.alarm.into_iter().chain(first) {
        let _ = writeln!(out, "**{}**\n", escaped(line));
    }
    list(&mut out, document.answer.iter().skip(1));
    if let Some((word, gloss)) = &document.verdict {
        let _ = writeln!(out, "{}\n", escaped(&said(word, gloss)));
    }
    blocks(&mut out, &document.blocks);
    for section in &document.sections {
        let mut text = String::new();
        blocks(&mut text, &section.blocks);
        if !text.is_empty() {
            let _ = write!(out, "## {}\n\n{text}", escaped(section.heading));
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn blocks(out: &mut String, blocks: &[Element<'_>]) {
    let mut links = false;
    for block in blocks {
        if std::mem::replace(&mut links, matches!(block, Element::Links(..))) && !links {
            out.push('\n');
        }
        match block {
            Element::Text(text) => {
                let _ = writeln!(out, "{}\n", escaped(text));
            }
            Element::List(heading, lines) => {
                if !heading.is_empty() {
                    let _ = writeln!(out, "### {}\n", escaped(heading));
                }
                list(out, lines.iter());
            }
            Element::Table(table) => {
                if !table.heading.is_empty() {
                    let _ = writeln!(out, "### {}\n", escaped(&table.heading));
                }
                out.push_str(&grid(table));
                out.push('\n');
                for note in &table.notes {
                    let _ = writeln!(out, "{}\n", escaped(note));
                }
            }
            Element::Links(shown, links) => {
                let link = |(shown, to): &(String, String)| {
                    let report = if to.ends_with('/') { "summary.md" } else { "" };
                    format!("[{}]({}{report})", escaped(shown), address(to))
                };
                let links: Vec<String> = links.iter().map(link).collect();
                let _ = writeln!(out, "- {}: {}", escaped(shown), links.join(", "));
            }
            Element::Figure { picture, in_summary: true, .. } => {
                let (stem, alt) = (&picture.stem, xml(&picture.alt));
                let _ = writeln!(
                    out,
                    "<picture>\n  \
                       <source media=\"(prefers-color-scheme: dark)\" srcset=\"{CHART_FOLDER}/{stem}-dark.svg\">\n  \
                       <img alt=\"{alt}\" src=\"{CHART_FOLDER}/{stem}-light.svg\" width=\"1200\">\n\
                     </picture>\n"
                );
            }
            Element::Code(code) => {
                let code: String = code.chars().filter(|c| *c == '\n' || is_shown(*c)).collect();
                let _ = writeln!(out, "    {}\n", code.replace('\n', "\n    "));
            }
            Element::Figure { in_summary: false, .. } | Element::Data(_) => {}
        }
    }
    if links {
        out.push('\n');
    }
}

fn list<'l>(out: &mut String, lines: impl Iterator<Item = &'l String>) {
    let mut any = false;
    for line in lines {
        let _ = writeln!(out, "- {}", escaped(line));
        any = true;
    }
    if any {
        out.push('\n');
    }
}

/// Head, rule and rows.
pub(crate) fn grid(table: &Table) -> String {
    let rule = |place| if table.numbers.contains(&place) { "---:" } else { "---" };
    let rule = (0..table.columns.len()).map(|place| rule(place).to_owned()).collect();
    let cells = |cells: &Vec<String>| cells.iter().map(|cell| escaped(cell)).collect();
    let lines = [cells(&table.columns), rule].into_iter().chain(table.rows.iter().map(cells));
    lines.map(|cells: Vec<String>| format!("| {} |\n", cells.join(" | "))).collect()
}

/// Text that Markdown shows as it is, on one line. Only characters that can begin something are touched.
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

/// A path as the target of a link.
pub(super) fn address(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let byte = |c: char| {
        let mut utf8 = [0; 4];
        c.encode_utf8(&mut utf8).bytes().map(|b| format!("%{b:02X}")).collect::<String>()
    };
    path.chars().map(|c| if plain(c) { c.to_string() } else { byte(c) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_markdown_and_no_text_of_a_file_is() {
        let rows = [["*a* | b".to_owned(), "1 us".to_owned()]];
        let mut document = Document {
            title: "A # title".into(),
            alarm: Some("Careful."),
            answer: vec!["It is so.".into(), "And <so>.".into()],
            verdict: Some(("PASS", "all of it".into())),
            files: Some("not here".into()),
            ..Document::default()
        };
        document
            .fold("Figures", vec![Element::Table(Table::new("One", ["name", "p50"], 1..2, rows))]);
        let links = vec![("a".into(), "a b/".into()), ("chart".into(), "a/x.svg".into())];
        document.fold(
            "From",
            vec![Element::Links("1".into(), links), Element::Code("a\nb\u{1b}".into())],
        );
        document.fold("Data", vec![Element::Data("{}".into())]);
        assert_eq!(
            write_markdown(&document),
            "# A \\# title\n\n**Careful.**\n\n**It is so.**\n\n- And &lt;so&gt;.\n\nPASS: all of it\n\n\
             ## Figures\n\n### One\n\n| name | p50 us |\n| --- | ---: |\n| \\*a\\* \\| b | 1 |\n\n\
             ## From\n\n- 1: [a](a%20b/summary.md), [chart](a/x.svg)\n\n    a\n    b\n"
        );
    }
}
