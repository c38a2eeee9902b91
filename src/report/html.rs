//! A [`Document`] as a page: one file that makes no network requests and can be read without scripts. The answer and its
//! table are on top, everything else folds.

use std::fmt::Write;

use super::charts::{Palette, both, page_style};
use super::document::{Document, Element, Table};
use crate::text::{slug, xml};

pub(crate) fn write_html(document: &Document<'_>) -> String {
    let mut palette = Palette::default();
    let mut main = top(document);
    main.push_str("<section id=\"finding\">\n");
    for line in &document.answer {
        let _ = writeln!(main, "<p class=\"answer\">{}</p>", xml(line));
    }
    blocks(&mut main, &document.blocks, &mut palette);
    main.push_str("</section>\n");
    for section in &document.sections {
        let (id, heading) = (slug(section.heading), xml(section.heading));
        let _ = writeln!(main, "<details id=\"{id}\"><summary><h2>{heading}</h2></summary>");
        blocks(&mut main, &section.blocks, &mut palette);
        main.push_str("</details>\n");
    }
    let alarm = document.alarm.map_or_else(String::new, |alarm| {
        format!("<p class=\"alarm\" role=\"alert\">{}</p>\n", xml(alarm))
    });
    let title = xml(&document.title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; font-src data:; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"bakeoff {}\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n\
         {alarm}<main>\n{main}</main>\n<script>\n{}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        style(&palette),
        include_str!("../../templates/page.js"),
    )
}

fn top(document: &Document<'_>) -> String {
    let verdict = document.verdict.as_ref().map_or_else(String::new, |(word, gloss)| {
        let class = class_of(word);
        format!(
            "<p class=\"verdict\"><strong class=\"{class}\">{word}</strong> {}</p>\n",
            xml(gloss)
        )
    });
    format!(
        "<header>\n<h1>{}</h1>\n{verdict}<button id=\"theme\" type=\"button\" hidden>Dark or light</button>\n</header>\n",
        xml(&document.title)
    )
}

fn class_of(verdict: &str) -> &'static str {
    match verdict {
        "PASS" | "VALID" | "holds" => "good",
        "FAIL" | "INVALID" | "REGRESSED" | "fails" => "bad",
        "INCONCLUSIVE" | "INTERRUPTED" | "SUSPECT" | "inconclusive" => "open",
        _ => "",
    }
}

fn blocks(out: &mut String, blocks: &[Element<'_>], palette: &mut Palette) {
    for block in blocks {
        let _ = match block {
            Element::Text(text) => writeln!(out, "<p>{}</p>", xml(text)),
            Element::List(heading, lines) => {
                let lines: String =
                    lines.iter().map(|line| format!("<li>{}</li>\n", xml(line))).collect();
                writeln!(out, "{}<ul>\n{lines}</ul>", subheading(heading))
            }
            Element::Table(table) => writeln!(out, "{}", grid(table)),
            Element::Links(shown, links) => {
                let link = |(shown, to): &(String, String)| {
                    let report = if to.ends_with('/') { "index.html" } else { "" };
                    format!(
                        "<a href=\"{}{report}\">{}</a>",
                        super::markdown::address(to),
                        xml(shown)
                    )
                };
                let links: Vec<String> = links.iter().map(link).collect();
                writeln!(out, "<p>{}: {}</p>", xml(shown), links.join(", "))
            }
            Element::Figure { heading, picture, .. } => writeln!(
                out,
                "<figure>{}<div class=\"chart\" tabindex=\"0\">{}</div>\
                 <figcaption><details><summary>Description</summary>{}</details></figcaption></figure>",
                subheading(heading),
                both(picture, palette),
                xml(&picture.alt)
            ),
            Element::Code(code) => {
                let lines: Vec<String> = code.lines().map(xml).collect();
                writeln!(out, "<pre><code>{}</code></pre>", lines.join("\n"))
            }
            // No element can be closed or opened from inside a string.
            Element::Data(json) => writeln!(
                out,
                "<p><button id=\"save\" type=\"button\" hidden>Save as JSON</button></p>\n\
                 <script type=\"application/json\" id=\"result\">{}</script>",
                json.replace('<', "\\u003c")
            ),
        };
    }
}

fn subheading(heading: &str) -> String {
    if heading.is_empty() { String::new() } else { format!("<h3>{}</h3>\n", xml(heading)) }
}

fn grid(table: &Table) -> String {
    let class = |place: usize, cell: &str| match class_of(cell) {
        "" if table.numbers.contains(&place) => " class=\"n\"".to_owned(),
        "" => String::new(),
        verdict => format!(" class=\"{verdict}\""),
    };
    let row = |element: &str, cells: &[String]| {
        let cell = |(place, cell): (usize, &String)| {
            format!("<{element}{}>{}</{element}>", class(place, cell), xml(cell))
        };
        format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let notes: String =
        table.notes.iter().map(|note| format!("<p class=\"muted\">{}</p>\n", xml(note))).collect();
    format!(
        "{}<div class=\"wide\" tabindex=\"0\"><table>\n<thead>{}</thead>\n<tbody>{}</tbody>\n</table></div>\n{notes}",
        subheading(&table.heading),
        row("th", &table.columns),
        table.rows.iter().map(|cells| row("td", cells)).collect::<String>()
    )
}

fn style(palette: &Palette) -> String {
    let (light, dark) = (LIGHT.to_owned() + &palette.light(), DARK.to_owned() + &palette.dark());
    let charts = if palette.light().is_empty() { String::new() } else { page_style() };
    // Only a screen is ever dark: paper has the light theme whatever the reader chose.
    format!(
        ":root{{color-scheme:light;{light}}}\
         @media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\
         @media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n{}{charts}",
        include_str!("../../templates/page.css"),
    )
}

const LIGHT: &str = "--page:#FFFFFF;--ink:#14181F;--muted:#5B6470;--line:#E3E7EC;--good:#0B6B3A;--bad:#B00020;--open:#8A5300;";
const DARK: &str = "--page:#10141A;--ink:#E8ECF1;--muted:#9AA4B2;--line:#262D37;--good:#5FD38D;--bad:#FF6B6B;--open:#F0B94D;";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_file_cannot_leave_its_place() {
        let enemy = "</script><script>alert(1)</script>\"><img src=x onerror=alert(1)><!--";
        let rows = [[enemy.to_owned(), enemy.to_owned()]];
        let mut document = Document {
            title: enemy.into(),
            answer: vec![enemy.into()],
            verdict: Some(("PASS", enemy.into())),
            blocks: vec![Element::Text(enemy.into()), Element::Code(enemy.into())],
            ..Document::default()
        };
        let links = vec![(enemy.to_owned(), format!("javascript:{enemy}"))];
        let table = Table::new(enemy, [enemy, "b"], 1..2, rows).noted([enemy.to_owned()]);
        document
            .fold("A section", vec![Element::Table(table), Element::Links(enemy.into(), links)]);
        document
            .fold("Data", vec![Element::List("", vec![enemy.into()]), Element::Data(enemy.into())]);
        let page = write_html(&document);
        assert_eq!(page.matches("<script").count(), 2, "the data and our own");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("javascript:"));
        assert!(page.contains("default-src 'none'"));
        assert!(page.contains("<details id=\"a-section\"><summary><h2>A section</h2>"));
    }
}
