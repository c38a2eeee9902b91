//! A drawing surface over plotters' SVG backend, in CSS px, that remembers where its text stands.

use crate::report::charts::size::{Size, Tip, UNITS_PER_PX};
use std::cell::RefCell;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle,
};

use super::style::Style;
use super::svg::{self, Dash, Fonts, Head};
use super::text::{FAMILY, Weight, width};
use super::theme::Theme;
use crate::text::is_shown;

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

/// The surface. Its drawing cannot fail: it goes into a string.
pub(super) struct Canvas<'a> {
    pub(super) theme: Theme,
    /// px
    pub(super) width: f64,
    /// px
    pub(super) height: f64,
    /// Where the last line of text above the plot stands, px.
    pub(super) head: f64,
    /// Where the first line of text below it stands, px.
    pub(super) foot: f64,
    area: DrawingArea<SVGBackend<'a>, Shift>,
    placed: Vec<Placed>,
    tips: RefCell<Vec<Tip>>,
}

/// Draws with `draw` and makes an SVG document of it.
pub(super) fn drawn(
    theme: Theme,
    size: Size,
    fonts: Fonts,
    head: &Head<'_>,
    draw: impl FnOnce(&mut Canvas<'_>),
) -> Drawing {
    let mut body = String::new();
    let (width, height) = (size.width(), size.height());
    let units = ((width as i32 * UNITS_PER_PX) as u32, (height as i32 * UNITS_PER_PX) as u32);
    let area = SVGBackend::with_string(&mut body, units).into_drawing_area();
    area.fill(&theme.background).expect(INTO_STRING);
    let (placed, tips) = (Vec::new(), RefCell::default());
    let mut canvas = Canvas { theme, width, height, head: 0.0, foot: height, area, placed, tips };
    draw(&mut canvas);
    canvas.area.present().expect(INTO_STRING);
    let (placed, tips) = (std::mem::take(&mut canvas.placed), canvas.tips.take());
    drop(canvas);
    Drawing { svg: svg::document(&body, theme, size, fonts, head, &tips), placed }
}

const INTO_STRING: &str = "drawing into a string does not fail";

impl Canvas<'_> {
    /// `text` on a line whose middle is at `y`.
    pub(super) fn text(&mut self, text: &str, (x, y): (f64, f64), ink: Ink, anchor: Anchor) {
        let text = &text.replace(|c| !is_shown(c), "");
        if text.is_empty() {
            return;
        }
        let wide = width(text, ink.px, ink.weight);
        let (left, h_pos) = match anchor {
            Anchor::Start => (x, HPos::Left),
            Anchor::Middle => (x - wide / 2.0, HPos::Center),
            Anchor::End => (x - wide, HPos::Right),
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
        let style = match ink.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::SemiBold => FontStyle::Bold,
        };
        let size = ink.px * SIZE_FACTOR * f64::from(UNITS_PER_PX);
        let style = TextStyle::from(FontDesc::new(FontFamily::Name(FAMILY), size, style))
            .color(&ink.colour)
            .pos(Pos::new(h_pos, VPos::Center));
        self.draw(Text::new(text.to_owned(), (units(x), units(y)), style));
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
        self.stroke(points, colour, (px * f64::from(UNITS_PER_PX)).round() as u32);
    }

    /// The same in dashes.
    pub(super) fn dashed(&self, points: &[(f64, f64)], colour: RGBAColor, dash: Dash) {
        self.stroke(points, colour, dash.encoded());
    }

    /// A filled shape.
    pub(super) fn polygon(&self, points: &[(f64, f64)], colour: RGBAColor) {
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.draw(Polygon::new(points, colour));
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

    pub(super) fn outline(&self, from: (f64, f64), to: (f64, f64), colour: RGBAColor, px: f64) {
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&corners, colour, px);
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
    pub(super) fn speck(&self, (x, y): (f64, f64), radius: f64, colour: RGBAColor, square: bool) {
        if square {
            self.rectangle((x - radius, y - radius), (x + radius, y + radius), colour);
        } else {
            self.draw(Circle::new((units(x), units(y)), units(radius), colour.filled()));
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
        let corners = [(units(from.0), units(from.1)), (units(to.0), units(to.1))];
        self.draw(Rectangle::new(corners, colour.filled()));
    }

    /// A circle with a rim of the background, so that it stands off its line; hollow ones are filled with it.
    pub(super) fn circle(&self, (x, y): (f64, f64), radius: f64, colour: RGBColor, hollow: bool) {
        let at = (units(x), units(y));
        let disc = |radius: f64, colour: RGBColor| {
            self.draw(Circle::new(at, units(radius), colour.filled()));
        };
        disc(radius + RIM_PX, self.theme.background);
        disc(radius, colour);
        if hollow {
            disc(radius - HOLLOW_PX, self.theme.background);
        }
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

    fn stroke(&self, points: &[(f64, f64)], color: RGBAColor, stroke_width: u32) {
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.draw(PathElement::new(points, ShapeStyle { color, filled: false, stroke_width }));
    }

    fn draw<E>(&self, element: E)
    where
        for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        for<'b> E: plotters::element::Drawable<SVGBackend<'b>>,
    {
        self.area.draw(&element).expect(INTO_STRING);
    }
}

/// Half the height of a line of text: what ascenders and descenders need and a little air.
const LINE_HALF_EM: f64 = 0.62;
/// plotters-svg writes a font size divided by this.
const SIZE_FACTOR: f64 = 1.24;
const LABEL_OPACITY: f64 = 0.86;
const HATCH_PX: f64 = 9.0;
/// The half side of a square over the radius of a circle: sqrt(pi) / 2.
const SQUARE_OF_EQUAL_AREA: f64 = 0.886;
const RIM_PX: f64 = 1.5;
const HOLLOW_PX: f64 = 1.9;

fn units(px: f64) -> i32 {
    (px * f64::from(UNITS_PER_PX)).round() as i32
}

/// The middle of the pixel that `px` lies in, where a line of 1 px is crisp.
pub(super) fn snapped(px: f64) -> f64 {
    px.floor() + 0.5
}
