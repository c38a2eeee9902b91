//! A drawing surface in CSS px that writes an SVG document and remembers where its text is.

use super::text::{Weight, width};
use super::theme::{Style, Theme};
use crate::files::MARK;
use crate::report::charts::text::{STACK, faces};
use crate::text::{is_shown, xml};
use plotters::style::{Color, RGBAColor, RGBColor};
use std::cell::RefCell;
use std::fmt;
use std::fmt::Write;

/// A dashed stroke, in px.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dash {
    pub(super) width: f64,
    pub(super) on: u32,
    pub(super) off: u32,
}

/// Which part of a text stands at the point that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    pub(super) px: f64,
    pub(super) weight: Weight,
    pub(super) colour: RGBColor,
}

/// A text and the room that it takes, in px.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "only tests look, for clipped and overlapping text")]
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) px: f64,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// What was drawn.
pub(super) struct Drawing {
    pub(super) svg: String,
    /// Every text, in the order of drawing.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests look for clipped and overlapping text")
    )]
    pub(super) placed: Vec<Placed>,
}

pub(super) struct Canvas {
    pub(super) theme: Theme,
    /// px
    pub(super) width: f64,
    /// px
    pub(super) height: f64,
    /// Where the last line of text above the plot stands, px.
    pub(super) head: f64,
    /// Where the first line of text below it stands, px.
    pub(super) foot: f64,
    /// The elements so far, on a line each.
    body: RefCell<String>,
    placed: Vec<Placed>,
    tips: RefCell<Vec<Tip>>,
}

/// Draws with `draw` and makes an SVG document of it.
pub(super) fn drawn(
    theme: Theme,
    size: Size,
    fonts: Fonts,
    head: &Head<'_>,
    draw: impl FnOnce(&mut Canvas),
) -> Drawing {
    let (width, height) = (size.width(), size.height());
    let (body, placed, tips) = (RefCell::default(), Vec::new(), RefCell::default());
    let mut canvas = Canvas { theme, width, height, head: 0.0, foot: height, body, placed, tips };
    canvas.rectangle((0.0, 0.0), (width, height), theme.background.to_rgba());
    draw(&mut canvas);
    let svg = document(&canvas.body.take(), theme, size, fonts, head, &canvas.tips.take());
    Drawing { svg, placed: canvas.placed }
}

impl Canvas {
    /// `text` on a line whose middle is at `y`.
    pub(super) fn text(&mut self, text: &str, (x, y): (f64, f64), ink: Ink, anchor: Anchor) {
        let text = &text.replace(|c| !is_shown(c), "");
        if text.is_empty() {
            return;
        }
        let wide = width(text, ink.px, ink.weight);
        let (left, anchor) = match anchor {
            Anchor::Start => (x, "start"),
            Anchor::Middle => (x - wide / 2.0, "middle"),
            Anchor::End => (x - wide, "end"),
        };
        let half = ink.px * LINE_HALF_EM;
        self.placed.push(Placed {
            text: text.to_owned(),
            px: ink.px,
            left,
            top: y - half,
            right: left + wide,
            bottom: y + half,
        });
        let weight = match ink.weight {
            Weight::Regular => "",
            Weight::SemiBold => " font-weight=\"600\"",
        };
        self.put(format_args!(
            "<text x=\"{}\" y=\"{}\" dy=\"0.5ex\" text-anchor=\"{anchor}\" font-size=\"{}\"{}{weight}>{}</text>",
            units(x),
            units(y),
            units(ink.px),
            paint("fill", ink.colour.to_rgba()),
            xml(text),
        ));
    }

    /// The same on a box that hides most of what lies behind it.
    pub(super) fn label(&mut self, text: &str, (x, y): (f64, f64), ink: Ink, anchor: Anchor) {
        let wide = width(text, ink.px, ink.weight);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - wide / 2.0,
            Anchor::End => x - wide,
        };
        let half = ink.px * LINE_HALF_EM;
        let background = self.theme.background.mix(LABEL_OPACITY);
        self.rectangle((left - 4.0, y - half), (left + wide + 4.0, y + half), background);
        self.text(text, (x, y), ink, anchor);
    }

    /// A line through `points`.
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBAColor, px: f64) {
        self.stroke(points, colour, px, format_args!(""));
    }

    /// The same in dashes.
    pub(super) fn dashed(&self, points: &[(f64, f64)], colour: RGBAColor, dash: Dash) {
        let [on, off] = [dash.on, dash.off].map(|px| units(px.into()));
        let dashes = format_args!(" stroke-dasharray=\"{on} {off}\" class=\"d\"");
        self.stroke(points, colour, dash.width, dashes);
    }

    /// A filled shape.
    pub(super) fn polygon(&self, points: &[(f64, f64)], colour: RGBAColor) {
        let (fill, points) = (paint("fill", colour), joined(points));
        self.put(format_args!("<polygon{fill} points=\"{points}\"/>"));
    }

    /// A band around a line, between its upper and its lower edge.
    pub(super) fn band(&self, edges: &[[(f64, f64); 2]], colour: RGBAColor) {
        let upper = edges.iter().map(|[upper, _]| *upper);
        let outline: Vec<(f64, f64)> =
            upper.chain(edges.iter().rev().map(|[_, lower]| *lower)).collect();
        if edges.len() > 1 {
            self.polygon(&outline, colour);
        }
    }

    pub(super) fn outline(&self, from: (f64, f64), to: (f64, f64), colour: RGBAColor) {
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&corners, colour, 3.0);
    }

    /// Slanting lines over a rectangle: what is not settled.
    pub(super) fn hatch(&self, from: (f64, f64), to: (f64, f64), colour: RGBAColor) {
        let (wide, tall) = (to.0 - from.0, to.1 - from.1);
        let mut along = HATCH_PX;
        while along < wide + tall {
            let start = (from.0 + (along - tall).max(0.0), from.1 + along.min(tall));
            let end = (from.0 + along.min(wide), from.1 + (along - wide).max(0.0));
            self.line(&[start, end], colour, 1.0);
            along += HATCH_PX;
        }
    }

    /// A small mark without a rim, one of many.
    pub(super) fn speck(&self, (x, y): (f64, f64), colour: RGBAColor, square: bool) {
        let radius = 2.6;
        if square {
            self.rectangle((x - radius, y - radius), (x + radius, y + radius), colour);
        } else {
            self.disc((x, y), radius, colour);
        }
    }

    /// The exact figure of what stands at a place, for the pointer.
    pub(super) fn tip(&self, at: (f64, f64), text: String) {
        self.tips.borrow_mut().push(Tip { at, text });
    }

    /// A contender's mark: a circle, or a square of the same area.
    pub(super) fn mark(&self, at: (f64, f64), radius: f64, style: Style, hollow: bool) {
        let colour = style.colour(&self.theme);
        if style.is_square() {
            self.square(at, radius * SQUARE_OF_EQUAL_AREA, colour, hollow);
        } else {
            self.circle(at, radius, colour, hollow);
        }
    }

    /// A filled rectangle from its upper left to its lower right corner.
    pub(super) fn rectangle(&self, from: (f64, f64), to: (f64, f64), colour: RGBAColor) {
        let [left, right] = [from.0.min(to.0), from.0.max(to.0)].map(units);
        let [top, bottom] = [from.1.min(to.1), from.1.max(to.1)].map(units);
        let (wide, tall, fill) = (right - left, bottom - top, paint("fill", colour));
        self.put(format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{tall}\"{fill}/>"
        ));
    }

    /// A circle with a rim of the background, so that it stands off its line; hollow ones are filled with it.
    pub(super) fn circle(&self, at: (f64, f64), radius: f64, colour: RGBColor, hollow: bool) {
        self.disc(at, radius + RIM_PX, self.theme.background.to_rgba());
        self.disc(at, radius, colour.to_rgba());
        if hollow {
            self.disc(at, radius - HOLLOW_PX, self.theme.background.to_rgba());
        }
    }

    fn disc(&self, (x, y): (f64, f64), radius: f64, colour: RGBAColor) {
        let [x, y, r] = [x, y, radius.max(0.0)].map(units);
        let fill = paint("fill", colour);
        self.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{fill}/>"));
    }

    /// The same as a square of side `2 x radius`.
    pub(super) fn square(&self, (x, y): (f64, f64), radius: f64, colour: RGBColor, hollow: bool) {
        let block = |radius: f64, colour: RGBColor| {
            self.rectangle((x - radius, y - radius), (x + radius, y + radius), colour.to_rgba());
        };
        block(radius + RIM_PX, self.theme.background);
        block(radius, colour);
        if hollow {
            block(radius - HOLLOW_PX, self.theme.background);
        }
    }

    fn stroke(
        &self,
        points: &[(f64, f64)],
        colour: RGBAColor,
        px: f64,
        dashes: fmt::Arguments<'_>,
    ) {
        let (stroke, width, points) = (paint("stroke", colour), units(px), joined(points));
        self.put(format_args!(
            "<polyline fill=\"none\"{stroke} stroke-width=\"{width}\"{dashes} points=\"{points}\"/>"
        ));
    }

    /// On a line of its own, so that a difference between two charts can be read.
    fn put(&self, element: fmt::Arguments<'_>) {
        writeln!(self.body.borrow_mut(), "{element}").expect("a string takes all");
    }
}

/// The attribute `name` of a colour, with its opacity where it is not 1.
fn paint(name: &str, RGBAColor(r, g, b, alpha): RGBAColor) -> String {
    let opacity = if alpha < 1.0 { format!(" opacity=\"{alpha}\"") } else { String::new() };
    format!("{opacity} {name}=\"#{r:02X}{g:02X}{b:02X}\"")
}

fn joined(points: &[(f64, f64)]) -> String {
    let points: Vec<String> =
        points.iter().map(|(x, y)| format!("{},{}", units(*x), units(*y))).collect();
    points.join(" ")
}

/// Half the height of a line of text: what ascenders and descenders need and a little air.
const LINE_HALF_EM: f64 = 0.62;
const LABEL_OPACITY: f64 = 0.86;
const HATCH_PX: f64 = 9.0;
/// The half side of a square over the radius of a circle: sqrt(pi) / 2.
const SQUARE_OF_EQUAL_AREA: f64 = 0.886;
const RIM_PX: f64 = 1.5;
const HOLLOW_PX: f64 = 1.9;

/// The middle of the pixel that `px` lies in, where a line of 1 px is crisp.
pub(super) fn snapped(px: f64) -> f64 {
    px.floor() + 0.5
}

// An SVG document: its size, its title and description, its fonts, and what a browser shows under the pointer.

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
