//! Makes a self-contained document of what plotters-svg writes: size, description, fonts, dashes.

use std::fmt::Write;

use super::text::{FAMILY, STACK, faces};
use super::theme::Theme;
use crate::files::MARK;
use crate::report::charts::size::{Size, Tip, UNITS_PER_PX};
use crate::text::xml;

/// What a document says about itself.
pub(super) struct Head<'a> {
    /// Unique among the charts of a page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// The chart in words, for those who do not see it.
    pub(super) description: &'a str,
}

/// Who brings the fonts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fonts {
    /// The document: it may stand alone.
    Embedded,
    /// The page that it stands in, which also has its [`STYLE`].
    OfThePage,
}

/// How elements of a document look.
pub(super) const STYLE: &str = "polyline{stroke-linejoin:round;stroke-linecap:round}\
     polyline.d{stroke-linecap:butt}rect{shape-rendering:crispEdges}";

/// A dashed stroke, in px.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dash {
    pub(super) width: f64,
    pub(super) on: u32,
    pub(super) off: u32,
}

impl Dash {
    /// plotters has no dashes: they travel as a stroke wider than any chart, which [`document`] reads back.
    pub(super) fn encoded(self) -> u32 {
        DASHED + (self.width * 4.0).round() as u32 * 10_000 + self.on * 100 + self.off
    }

    fn attributes(code: u32) -> String {
        let (units, code) = (UNITS_PER_PX as u32, code - DASHED);
        format!(
            "stroke-width=\"{}\" stroke-dasharray=\"{} {}\" class=\"d\"",
            code / 10_000 * units / 4,
            code / 100 % 100 * units,
            code % 100 * units
        )
    }
}

const DASHED: u32 = 1_000_000;

/// The document around `body`, which is all that plotters-svg wrote.
pub(super) fn document(
    body: &str,
    theme: Theme,
    size: Size,
    fonts: Fonts,
    head: &Head<'_>,
    tips: &[Tip],
) -> String {
    let start = body.find('>').map_or(0, |end| end + 1);
    let body = body[start..]
        .replace(" opacity=\"1\"", "")
        .replace(&format!(" font-family=\"{FAMILY}\""), "")
        .replace("font-weight=\"bold\"", "font-weight=\"600\"")
        .replace(">\n", ">")
        .replace("\n</text>", "</text>");
    let (units, name) = (f64::from(UNITS_PER_PX), theme.name);
    let (width, height) = (size.width(), size.height());
    let id = format!("{}-{name}", head.id);
    let mut out = String::with_capacity(body.len() + faces().len() + 2_000);
    let mark = if fonts == Fonts::Embedded { format!("{MARK}\n") } else { String::new() };
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         {mark}<title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
        width * units,
        height * units,
        xml(head.title),
        xml(head.description),
    );
    if fonts == Fonts::Embedded {
        let _ = writeln!(out, "<style>{}text{{font-family:{STACK}}}{STYLE}</style>", faces());
    }
    out.push_str(&one_element_a_line(&dashes(&body)));
    // In a picture of its own nothing is under a pointer.
    if fonts == Fonts::OfThePage && !tips.is_empty() {
        let end = out.rfind("</svg>").expect("the body ends the document");
        out.insert_str(end, &pointed(tips));
    }
    out
}

/// Places without a colour, whose titles browsers show under the pointer: no script has a part in it.
fn pointed(tips: &[Tip]) -> String {
    let mut out = String::from("<g fill=\"none\" pointer-events=\"all\">\n");
    for Tip { at, text } in tips {
        let [x, y, r] = [at.0, at.1, TIP_PX].map(|px| (px * f64::from(UNITS_PER_PX)).round());
        let _ = writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"><title>{}</title></circle>",
            xml(text)
        );
    }
    out + "</g>\n"
}

/// How far from a place the pointer still means it.
const TIP_PX: f64 = 8.0;

/// Turns the strokes that stand for dashes into dashes.
fn dashes(body: &str) -> String {
    const KEY: &str = "stroke-width=\"";
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find(KEY) {
        let digits = at + KEY.len();
        let end = digits + rest[digits..].find('"').expect("plotters-svg closes its attributes");
        match rest[digits..end].parse::<u32>() {
            Ok(code) if code >= DASHED => {
                out.push_str(&rest[..at]);
                out.push_str(&Dash::attributes(code));
            }
            _ => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

/// So that a difference between two charts can be read.
fn one_element_a_line(body: &str) -> String {
    let mut out = body.replace("/>", "/>\n").replace("</text>", "</text>\n");
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_survive_the_detour_and_other_strokes_stay() {
        let code = Dash { width: 1.5, on: 7, off: 4 }.encoded();
        let body = format!("<a stroke-width=\"6\"/><b stroke-width=\"{code}\" x=\"1\"/>");
        assert_eq!(
            dashes(&body),
            "<a stroke-width=\"6\"/><b stroke-width=\"6\" stroke-dasharray=\"28 16\" class=\"d\" x=\"1\"/>"
        );
    }
}
