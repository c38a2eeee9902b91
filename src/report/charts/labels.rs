//! Names beside the ends of lines, spread apart: there is no legend.

use plotters::style::Color;

use super::canvas::{Anchor, Canvas, Ink};
use super::plot::{Frame, spread};
use super::text::{Weight, fitted, fitted_name, typeset, width};
use super::theme::Style;

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
pub(super) fn draw(canvas: &mut Canvas, frame: Frame, labels: &[Label]) {
    let wanted: Vec<f64> =
        labels.iter().map(|label| label.end.map_or(frame.top, |(_, y)| y)).collect();
    // Where the plot is too low for all that is to be said, names stay, and remarks longer than details.
    let count = labels.len().max(1) as f64;
    let fit = (frame.height() + LINE - count) / (LINE * count);
    let tall = labels.iter().map(|label| label.lines().len()).max().unwrap_or(1);
    let tall = tall.min((fit as usize).max(1));
    let gap = LINE * tall as f64 + 6.0;
    let reach = LINE * (tall - 1) as f64 / 2.0;
    let places = spread(&wanted, gap, frame.top + reach, frame.bottom - reach);
    let (x, room) = (frame.right + GAP, widest(canvas));
    for (label, y) in labels.iter().zip(places) {
        let colour = label.style.colour(&canvas.theme);
        let mut lines = label.lines();
        lines.truncate(tall);
        let top = y - LINE * (lines.len() - 1) as f64 / 2.0;
        if let Some(end) = label.end
            && ((end.1 - y).abs() > 3.0 || frame.right - end.0 > 3.0)
        {
            canvas.line(&[(end.0 + 7.2, end.1), (x - 5.0, y)], colour.mix(0.55), 1.0);
        }
        for (place, (line, text)) in lines.into_iter().enumerate() {
            let (px, weight) = line.looks();
            let colour = match line {
                Line::Name => colour,
                Line::Remark => canvas.theme.alarm,
                Line::Detail => canvas.theme.muted,
            };
            let text = match line {
                Line::Name => fitted_name(&text, px, weight, room),
                Line::Remark | Line::Detail => fitted(&text, px, weight, room),
            };
            let at = (x, top + LINE * place as f64);
            canvas.text(&text, at, Ink { px, weight, colour }, Anchor::Start);
        }
    }
}

/// The room that `labels` need beside a plot, px.
pub(super) fn room(canvas: &Canvas, labels: &[Label]) -> f64 {
    let lines = labels.iter().flat_map(Label::lines);
    let widths = lines.map(|(line, text)| {
        let (px, weight) = line.looks();
        width(&text, px, weight)
    });
    widths.fold(60.0, f64::max).min(widest(canvas)) + GAP
}

/// Wider labels are cut, px.
fn widest(canvas: &Canvas) -> f64 {
    (canvas.width * 0.24).min(220.0)
}

/// What a line of a label says.
#[derive(Clone, Copy)]
enum Line {
    Name,
    Remark,
    Detail,
}

impl Line {
    /// Size in px and weight.
    fn looks(self) -> (f64, Weight) {
        match self {
            Self::Name => (NAME_PX, Weight::SemiBold),
            Self::Remark | Self::Detail => (DETAIL_PX, Weight::Regular),
        }
    }
}

impl Label {
    /// Its lines from the most to the least important, typeset.
    fn lines(&self) -> Vec<(Line, String)> {
        let remark = self.remark.iter().map(|text| (Line::Remark, typeset(text)));
        let details = self.details.iter().map(|text| (Line::Detail, typeset(text)));
        std::iter::once((Line::Name, self.name.clone())).chain(remark).chain(details).collect()
    }
}

/// Between a plot and its labels, px.
const GAP: f64 = 22.0;
/// From one line of a label to the next, px.
const LINE: f64 = 17.5;
pub(super) const NAME_PX: f64 = 14.5;
pub(super) const DETAIL_PX: f64 = 12.0;
