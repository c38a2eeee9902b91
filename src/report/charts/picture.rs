//! A chart that can be drawn: what it says, and how, in any theme and size.

use super::canvas::{Canvas, Drawing, drawn};
use super::canvas::{Fonts, Head};
use super::theme::{DARK, LIGHT, Theme};
use crate::report::charts::canvas::Size;
use crate::report::charts::canvas::{Anchor, Ink};
use crate::report::charts::text::{Weight, broken, fitted, typeset, width};
use plotters::style::{Color, RGBColor};

/// What a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChartKind {
    /// Latency against load: the lead where a scenario has several rates.
    Load,
    /// Percentiles of the response time.
    Hdr,
    /// Who wins at which wait and CPU.
    Map,
    /// Every metric of one contender against another's.
    Forest,
    /// Response times by when they were due.
    Stall,
    /// CPU per request against load.
    Cpu,
    /// Memory against connections.
    Memory,
    /// The generator's own lateness.
    Lag,
    Time,
    /// Gates of the past.
    Gate,
    /// CPU time by layer.
    Layers,
    /// CPU time by stack.
    Flame,
    /// The same against another contender's.
    FlameDiff,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shade {
    /// On white.
    #[default]
    Light,
    /// On near black.
    Dark,
}

/// A chart that can be drawn.
pub struct Picture<'a> {
    pub kind: ChartKind,
    /// Names its files, unique in a run: `hdr-payment-4000`.
    pub stem: String,
    pub title: String,
    /// The chart in words, for those who do not see it.
    pub alt: String,
    /// How it is to be read.
    pub method: String,
    pub(super) chrome: Chrome,
    pub(super) body: Draw<'a>,
}

/// Draws inside the chrome.
pub(super) type Draw<'a> = Box<dyn Fn(&mut Canvas) + 'a>;

impl ChartKind {
    /// Every kind, in the order in which a report shows them.
    pub const ALL: [Self; 13] = [
        Self::Load,
        Self::Map,
        Self::Hdr,
        Self::Forest,
        Self::Stall,
        Self::Time,
        Self::Cpu,
        Self::Memory,
        Self::Layers,
        Self::Flame,
        Self::FlameDiff,
        Self::Gate,
        Self::Lag,
    ];

    /// As flags and files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Hdr => "hdr",
            Self::Map => "map",
            Self::Forest => "forest",
            Self::Stall => "stall",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Lag => "lag",
            Self::Time => "time",
            Self::Gate => "gate",
            Self::Layers => "layers",
            Self::Flame => "flame",
            Self::FlameDiff => "flame-diff",
        }
    }

    /// What a result needs for it.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Load => {
                "response times of one workload at two rates or more, of rounds or of a search for the capacity"
            }
            Self::Hdr => "response times",
            Self::Map => "a map, which the experiment `map` makes",
            Self::Forest => "comparisons of two contenders",
            Self::Stall => "a timeline, which a scenario with a fault keeps",
            Self::Cpu => "CPU times of one workload at two rates or more",
            Self::Memory => {
                "memory of one scenario at two numbers of connections, or of requests in flight"
            }
            Self::Lag => "the generator's lateness",
            Self::Time => "service times",
            Self::Gate => "two gates of the same scenario on one machine",
            Self::Layers => "profiled trials with layers, which `run --why` makes",
            Self::Flame => "profiled trials, which `run --why` makes",
            Self::FlameDiff => "profiled trials of two contenders, which `run --why` makes",
        }
    }
}

impl Shade {
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// `light` or `dark`
    pub fn name(self) -> &'static str {
        self.theme().name
    }

    fn theme(self) -> Theme {
        match self {
            Self::Light => LIGHT,
            Self::Dark => DARK,
        }
    }
}

impl<'a> Picture<'a> {
    pub(super) fn new(
        kind: ChartKind,
        stem: String,
        chrome: Chrome,
        alt: String,
        body: impl Fn(&mut Canvas) + 'a,
    ) -> Self {
        let (title, method) = (chrome.title.clone(), chrome.method.clone());
        Self { kind, stem, title, alt, method, chrome, body: Box::new(body) }
    }

    /// A document that may stand alone.
    pub fn svg(&self, shade: Shade, size: Size) -> String {
        self.drawing(shade.theme(), size, Fonts::Embedded).svg
    }

    /// A document that stands in a page which has the fonts.
    pub(crate) fn inline_svg(&self, shade: Shade) -> String {
        self.drawing(shade.theme(), Size::Blog, Fonts::OfThePage).svg
    }

    pub(super) fn drawing(&self, theme: Theme, size: Size, fonts: Fonts) -> Drawing {
        let head = Head { id: &self.stem, title: &self.title, description: &self.alt };
        drawn(theme, size, fonts, &head, |canvas| {
            self.chrome.draw(canvas);
            (self.body)(canvas);
        })
    }
}

impl std::fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("stem", &self.stem).field("title", &self.title).finish()
    }
}

/// Left and right of everything, px.
pub(super) const MARGIN: f64 = 40.0;

/// The text around a chart.
pub(super) struct Chrome {
    /// The finding, built from the verdict.
    pub(super) title: String,
    /// What was measured, and on what: a paragraph each.
    pub(super) subtitle: [String; 2],
    /// How it is to be read.
    pub(super) method: String,
    /// Machine, build, scenario.
    pub(super) provenance: String,
    /// `INVALID`, where the run is.
    pub(super) stamp: Option<&'static str>,
}

/// How large a paragraph may be, px, and in how many lines it may stand before it is cut.
struct Type {
    px: f64,
    least_px: f64,
    weight: Weight,
    lines: usize,
}

const TITLE: Type = Type { px: 25.0, least_px: 20.0, weight: Weight::SemiBold, lines: 3 };
const SUBTITLE: Type = Type { px: 15.0, least_px: 12.5, weight: Weight::Regular, lines: 3 };
/// The least size of any text.
const FOOT: Type = Type { px: 11.5, least_px: 11.5, weight: Weight::Regular, lines: 2 };
const STAMP_PX: f64 = 17.0;
/// From one line of a paragraph to the next, over the size of its type.
const LEADING: f64 = 1.3;
/// Between the lines at a picture's foot, and below them, px.
const FOOT_LINE: f64 = 17.0;
const FOOT_AIR: f64 = 22.0;

impl Chrome {
    /// Draws it, and tells the canvas what room it leaves.
    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let theme = canvas.theme;
        let stamp = self.stamp.map_or(0.0, |stamp| self.stamp(canvas, stamp) + 24.0);
        let room = canvas.width - 2.0 * MARGIN;
        let mut y = paragraph(canvas, &self.title, 44.0, room - stamp, &TITLE, theme.text);
        for (text, gap) in self.subtitle.iter().zip([31.0, 21.0]) {
            y = paragraph(canvas, text, y + gap, room, &SUBTITLE, theme.muted);
        }
        canvas.head = y;
        let bottom = canvas.height - FOOT_AIR;
        let small = |weight| Ink { px: FOOT.px, weight, colour: theme.muted };
        let brand = (canvas.width - MARGIN, bottom);
        canvas.text("bakeoff", brand, small(Weight::SemiBold), Anchor::End);
        let told = |text| set(text, room - BRAND_ROOM, &FOOT).1;
        let lines: Vec<String> =
            told(&self.method).into_iter().chain(told(&self.provenance)).collect();
        canvas.foot = bottom - FOOT_LINE * lines.len().saturating_sub(1) as f64;
        for (place, line) in lines.iter().enumerate() {
            let y = canvas.foot + FOOT_LINE * place as f64;
            canvas.text(line, (MARGIN, y), small(FOOT.weight), Anchor::Start);
        }
    }

    /// A bar across the top and the word in it, which no crop of the title leaves out. Gives the word's width.
    fn stamp(&self, canvas: &mut Canvas, stamp: &str) -> f64 {
        let theme = canvas.theme;
        let wide = width(stamp, STAMP_PX, Weight::SemiBold) + 24.0;
        canvas.rectangle((0.0, 0.0), (canvas.width, 8.0), theme.alarm.to_rgba());
        let left = canvas.width - MARGIN - wide;
        canvas.rectangle((left, 28.0), (left + wide, 60.0), theme.alarm.to_rgba());
        let ink = Ink { px: STAMP_PX, weight: Weight::SemiBold, colour: theme.background };
        canvas.text(stamp, (left + wide / 2.0, 44.0), ink, Anchor::Middle);
        wide
    }
}

/// Left of the tool's name at a picture's foot, px.
const BRAND_ROOM: f64 = 70.0;

/// Writes `text` from `y` down, and gives where its last line stands.
fn paragraph(
    canvas: &mut Canvas,
    text: &str,
    y: f64,
    room: f64,
    of: &Type,
    colour: RGBColor,
) -> f64 {
    let (px, lines) = set(text, room, of);
    let line = px * LEADING;
    for (place, text) in lines.iter().enumerate() {
        let ink = Ink { px, weight: of.weight, colour };
        canvas.text(text, (MARGIN, y + line * place as f64), ink, Anchor::Start);
    }
    y + line * lines.len().saturating_sub(1) as f64
}

/// The fewest lines in which `text` fits into `room`, at the largest size at which it does so; cut if it never does.
fn set(text: &str, room: f64, of: &Type) -> (f64, Vec<String>) {
    let text = typeset(text);
    for lines in 1..=of.lines {
        let mut px = of.px;
        while px >= of.least_px {
            let found = broken(&text, px, of.weight, room);
            if found.len() <= lines {
                return (px, found);
            }
            px -= 0.5;
        }
    }
    let mut lines = broken(&text, of.least_px, of.weight, room);
    let rest = lines.split_off(of.lines - 1).join(" ");
    lines.push(fitted(&rest, of.least_px, of.weight, room));
    (of.least_px, lines)
}
