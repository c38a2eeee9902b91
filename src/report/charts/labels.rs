//! Names beside the ends of lines, spread apart: there is no legend.

use plotters::style::Color;

use super::axis::spread;
use super::canvas::{Anchor, Canvas, Ink};
use super::plot::Frame;
use super::style::Style;
use super::text::{Weight, fitted, typeset, width};

/// A line's name and what must be known of it.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) style: Style,
    /// Under the name, in this order.
    pub(super) details: Vec<String>,
    /// A detail that marks the line: saturated, suspect.
    pub(super) remark: Option<String>,
    /// Where the line ends, px; `None` where there is no line: the label stands at the top.
    pub(super) end: Option<(f64, f64)>,
}

/// Draws `labels` on the right of a plot.
pub(super) fn draw(canvas: &mut Canvas<'_>, frame: Frame, labels: &[Label]) {
    let wanted: Vec<f64> =
        labels.iter().map(|label| label.end.map_or(frame.top, |(_, y)| y)).collect();
    let tall = labels.iter().map(|label| label.lines()).max().unwrap_or(1);
    let gap = LINE * tall as f64 + 6.0;
    let reach = LINE * (tall - 1) as f64 / 2.0;
    let places = spread(&wanted, gap, frame.top + reach, frame.bottom - reach);
    let x = frame.right + GAP;
    for (label, y) in labels.iter().zip(places) {
        let colour = label.style.colour(&canvas.theme);
        let top = y - LINE * (label.lines() - 1) as f64 / 2.0;
        if let Some(end) = label.end
            && ((end.1 - y).abs() > 3.0 || frame.right - end.0 > 3.0)
        {
            canvas.line(&[(end.0 + 7.2, end.1), (x - 5.0, y)], colour.mix(0.55), 1.0);
        }
        let ink = Ink { px: NAME_PX, weight: Weight::SemiBold, colour };
        let name = fitted(&label.name, NAME_PX, Weight::SemiBold, MAX);
        canvas.text(&name, (x, top), ink, Anchor::Start);
        let (muted, alarm) = (canvas.theme.muted, canvas.theme.alarm);
        let details = label.details.iter().map(|detail| (detail, muted));
        let remarks = label.remark.iter().map(|remark| (remark, alarm));
        for (place, (detail, colour)) in details.chain(remarks).enumerate() {
            let ink = Ink { px: DETAIL_PX, weight: Weight::Regular, colour };
            let text = fitted(&typeset(detail), DETAIL_PX, Weight::Regular, MAX);
            canvas.text(&text, (x, top + LINE * (place + 1) as f64), ink, Anchor::Start);
        }
    }
}

/// The room that `labels` need beside a plot, px.
pub(super) fn room(labels: &[Label]) -> f64 {
    let widths = labels.iter().flat_map(|label| {
        let details = label.details.iter().chain(&label.remark);
        let details = details.map(|d| width(&typeset(d), DETAIL_PX, Weight::Regular));
        let widest = details.fold(0.0, f64::max);
        [width(&label.name, NAME_PX, Weight::SemiBold), widest]
    });
    widths.fold(60.0, f64::max).min(MAX) + GAP
}

impl Label {
    fn lines(&self) -> usize {
        1 + self.details.len() + usize::from(self.remark.is_some())
    }
}

/// Between a plot and its labels, px.
const GAP: f64 = 22.0;
/// Wider labels are cut, px.
const MAX: f64 = 220.0;
/// From one line of a label to the next, px.
const LINE: f64 = 17.5;
pub(super) const NAME_PX: f64 = 14.5;
pub(super) const DETAIL_PX: f64 = 12.0;
