//! What surrounds every chart: the finding, what was measured, how, and by what.

use plotters::style::Color;

use super::canvas::{Anchor, Canvas, Ink, WIDTH};
use super::text::{Weight, fitted, typeset, width};

/// Left and right of everything, px.
pub(super) const MARGIN: f64 = 40.0;

/// The text around a chart.
pub(super) struct Chrome {
    /// The finding, built from the verdict.
    pub(super) title: String,
    /// What was measured, and on what: a line each.
    pub(super) subtitle: [String; 2],
    /// How it is to be read.
    pub(super) method: String,
    /// Machine, build, scenario.
    pub(super) provenance: String,
    /// `INVALID`, where the run is.
    pub(super) stamp: Option<&'static str>,
}

impl Chrome {
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let theme = canvas.theme;
        let stamp = self.stamp.map_or(0.0, |stamp| self.stamp(canvas, stamp) + 24.0);
        let room = WIDTH - 2.0 * MARGIN - stamp;
        let height = canvas.height;
        let title = typeset(&self.title);
        let px = shrunk(&title, Weight::SemiBold, room, TITLE_PX, TITLE_LEAST_PX);
        let ink = Ink { px, weight: Weight::SemiBold, colour: theme.text };
        let title = fitted(&title, px, Weight::SemiBold, room);
        canvas.text(&title, (MARGIN, 44.0), ink, Anchor::Start);

        let small = |px| Ink { px, weight: Weight::Regular, colour: theme.muted };
        let room = WIDTH - 2.0 * MARGIN;
        for (line, y) in self.subtitle.iter().zip([75.0, 96.0]) {
            let line = typeset(line);
            let px = shrunk(&line, Weight::Regular, room, SUBTITLE_PX, SUBTITLE_LEAST_PX);
            let line = fitted(&line, px, Weight::Regular, room);
            canvas.text(&line, (MARGIN, y), small(px), Anchor::Start);
        }
        let brand = Ink { px: FOOT_PX, weight: Weight::SemiBold, colour: theme.muted };
        canvas.text("bakeoff", (WIDTH - MARGIN, height - 22.0), brand, Anchor::End);
        let room = room - 70.0;
        for (y, text) in [(height - 39.0, &self.method), (height - 22.0, &self.provenance)] {
            let text = fitted(&typeset(text), FOOT_PX, Weight::Regular, room);
            canvas.text(&text, (MARGIN, y), small(FOOT_PX), Anchor::Start);
        }
    }

    /// A bar across the top and the word in it, which no crop of the title leaves out. Gives the word's width.
    fn stamp(&self, canvas: &mut Canvas<'_>, stamp: &str) -> f64 {
        let theme = canvas.theme;
        let wide = width(stamp, STAMP_PX, Weight::SemiBold) + 24.0;
        canvas.rectangle((0.0, 0.0), (WIDTH, 8.0), theme.alarm.to_rgba());
        let left = WIDTH - MARGIN - wide;
        canvas.rectangle((left, 28.0), (left + wide, 60.0), theme.alarm.to_rgba());
        let ink = Ink { px: STAMP_PX, weight: Weight::SemiBold, colour: theme.background };
        canvas.text(stamp, (left + wide / 2.0, 44.0), ink, Anchor::Middle);
        wide
    }
}

/// The largest size between `least` and `px` at which `text` fits into `room`; `least` if none is.
fn shrunk(text: &str, weight: Weight, room: f64, px: f64, least: f64) -> f64 {
    let mut px = px;
    while width(text, px, weight) > room && px > least {
        px -= 0.5;
    }
    px
}

const TITLE_PX: f64 = 25.0;
/// Below this a title is cut.
const TITLE_LEAST_PX: f64 = 17.0;
const SUBTITLE_PX: f64 = 15.0;
const SUBTITLE_LEAST_PX: f64 = 12.5;
/// The least size of any text.
const FOOT_PX: f64 = 11.5;
const STAMP_PX: f64 = 17.0;
