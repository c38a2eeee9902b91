//! An SVG document: its size, its title and description, its fonts, and what a browser shows under the pointer.

use std::fmt::Write;

use super::text::{STACK, faces};
use super::theme::Theme;
use crate::files::MARK;
use crate::text::xml;

/// The size of a picture. Type has the same size in px in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// 1200 x 675 px: posts and pages.
    #[default]
    Blog,
    /// 1200 x 630 px: the card that social networks show.
    Card,
    /// 760 x 640 px: shown 600 px wide, as READMEs are, its least text is still 9 px tall.
    Readme,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 3] = [Self::Blog, Self::Card, Self::Readme];

    /// Width in px.
    pub fn width(self) -> f64 {
        match self {
            Self::Blog | Self::Card => 1200.0,
            Self::Readme => 760.0,
        }
    }

    /// Height in px.
    pub fn height(self) -> f64 {
        match self {
            Self::Blog => 675.0,
            Self::Card => 630.0,
            Self::Readme => 640.0,
        }
    }

    /// As flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Card => "card",
            Self::Readme => "readme",
        }
    }
}

/// Units of the drawing in a px: coordinates are whole numbers, and the `viewBox` scales them back.
pub(super) const UNITS_PER_PX: u32 = 4;

pub(super) fn units(px: f64) -> i32 {
    (px * f64::from(UNITS_PER_PX)).round() as i32
}

/// What a browser shows of a place under the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    /// px
    pub(crate) at: (f64, f64),
    pub(crate) text: String,
}

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

/// The document around `body`, its elements on a line each.
pub(super) fn document(
    body: &str,
    theme: Theme,
    size: Size,
    fonts: Fonts,
    head: &Head<'_>,
    tips: &[Tip],
) -> String {
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
    out.push_str(body);
    // In a picture of its own nothing is under a pointer.
    if fonts == Fonts::OfThePage && !tips.is_empty() {
        out.push_str(&pointed(tips));
    }
    out + "</svg>\n"
}

/// Places without a colour, whose titles browsers show under the pointer: no script has a part in it.
fn pointed(tips: &[Tip]) -> String {
    let mut out = String::from("<g fill=\"none\" pointer-events=\"all\">\n");
    for Tip { at, text } in tips {
        let [x, y, r] = [at.0, at.1, TIP_PX].map(units);
        let text = xml(text);
        let _ =
            writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"><title>{text}</title></circle>");
    }
    out + "</g>\n"
}

/// How far from a place the pointer still means it.
const TIP_PX: f64 = 8.0;
