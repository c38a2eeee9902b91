//! A chart that can be drawn: what it says, and how, in any theme and size.

use super::canvas::{Canvas, Drawing, drawn};
use super::chrome::Chrome;
use super::svg::{Fonts, Head};
use super::theme::{DARK, LIGHT, Theme};
use crate::report::charts::size::Size;

/// What a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
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
    pub kind: Kind,
    /// Names its files, unique in a run: `hdr-payment-4000`.
    pub stem: String,
    pub title: String,
    /// The chart in words, for those who do not see it.
    pub alt: String,
    /// How it is to be read.
    pub method: String,
    pub(super) chrome: Chrome,
    pub(super) body: Body<'a>,
}

/// Draws inside the chrome.
pub(super) type Body<'a> = Box<dyn Fn(&mut Canvas<'_>) + 'a>;

impl Kind {
    /// Every kind, in the order in which a report shows them.
    pub const ALL: [Self; 10] = [
        Self::Load,
        Self::Map,
        Self::Hdr,
        Self::Forest,
        Self::Stall,
        Self::Time,
        Self::Cpu,
        Self::Memory,
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
        }
    }
}

impl Shade {
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
        kind: Kind,
        stem: String,
        chrome: Chrome,
        alt: String,
        body: impl Fn(&mut Canvas<'_>) + 'a,
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
