//! A plot of one quantity over another: its coordinates, its grid, its ticks, and the names at the ends of its lines.

use super::canvas::{Anchor, Canvas, Dash, Ink, snapped};
use super::canvas::{UNITS_PER_PX, units};
use super::picture::MARGIN;
use super::text::{Weight, typeset, width};
use crate::report::charts::text::{fitted, fitted_name};
use crate::report::charts::theme::Style;
use crate::units::{Nanos, grouped};
use plotters::coord::CoordTranslate;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{Cartesian2d, Color};
use std::ops::Range;

/// Where a plot stands, px.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// All that the chrome leaves, less `labels` px on the right.
    pub(super) fn beside(canvas: &Canvas, labels: f64) -> Self {
        Self {
            left: MARGIN + 64.0,
            right: canvas.width - MARGIN - labels,
            top: canvas.head + 56.0,
            bottom: canvas.foot - 69.0,
        }
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// A tick: where it stands and what it says.
pub(super) type Tick = (f64, String);

pub(super) struct Plot<X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>> {
    coordinates: Cartesian2d<X, Y>,
    pub(super) frame: Frame,
}

impl<X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>> Plot<X, Y> {
    pub(super) fn new(x: X, y: Y, frame: Frame) -> Self {
        let across = units(frame.left)..units(frame.right);
        let room = (across, units(frame.bottom)..units(frame.top));
        Self { coordinates: Cartesian2d::new(x, y, room), frame }
    }

    /// A point in px; one that lies beyond the axes is on the edge.
    pub(super) fn at(&self, point: (f64, f64)) -> (f64, f64) {
        let (x, y) = self.coordinates.translate(&point);
        let [x, y] = [x, y].map(|units| f64::from(units) / f64::from(UNITS_PER_PX));
        let Frame { left, right, top, bottom } = self.frame;
        (x.clamp(left, right), y.clamp(top, bottom))
    }

    /// Where `y` stands, px.
    pub(super) fn y(&self, y: f64) -> f64 {
        let x = self.coordinates.x_spec().range().start;
        self.at((x, y)).1
    }

    /// Where `x` stands, px.
    pub(super) fn x(&self, x: f64) -> f64 {
        let y = self.coordinates.y_spec().range().start;
        self.at((x, y)).0
    }

    /// Lines across and what they stand for; `name` above them.
    pub(super) fn rows(&self, canvas: &mut Canvas, ticks: &[Tick], name: &str) {
        let frame = self.frame;
        for (value, text) in ticks {
            let y = snapped(self.y(*value));
            let grid = canvas.theme.grid.to_rgba();
            canvas.line(&[(frame.left, y), (frame.right, y)], grid, 1.0);
            let ink = tick_ink(canvas);
            canvas.text(text, (frame.left - 10.0, y), ink, Anchor::End);
        }
        let ink = name_ink(canvas);
        canvas.text(name, (MARGIN, frame.top - 24.0), ink, Anchor::Start);
    }

    /// Ticks below the plot and what they stand for; `name` below them.
    pub(super) fn columns(&self, canvas: &mut Canvas, ticks: &[Tick], name: &str) {
        let frame = self.frame;
        let muted = canvas.theme.muted.to_rgba();
        let bottom = snapped(frame.bottom);
        canvas.line(&[(frame.left, bottom), (frame.right, bottom)], muted, 1.0);
        let ink = tick_ink(canvas);
        let mut free = f64::MIN;
        for (value, text) in ticks {
            let x = snapped(self.x(*value));
            canvas.line(&[(x, bottom), (x, bottom + 6.0)], muted, 1.0);
            let half = width(text, ink.px, ink.weight) / 2.0;
            // Where two would touch, the second goes without.
            if x - half > free {
                canvas.text(text, (x, bottom + 19.0), ink, Anchor::Middle);
                free = x + half + 4.0;
            }
        }
        let ink = name_ink(canvas);
        canvas.text(name, (frame.right, bottom + 41.0), ink, Anchor::End);
    }

    /// A dashed line across at `y` with what it stands for on it, at its left.
    pub(super) fn limit(&self, canvas: &mut Canvas, y: f64, text: &str) {
        let frame = self.frame;
        let y = snapped(self.y(y));
        let colour = canvas.theme.alarm;
        let dash = Dash { width: 1.5, on: 7, off: 4 };
        canvas.dashed(&[(frame.left, y), (frame.right, y)], colour.to_rgba(), dash);
        let ink = Ink { px: TICK_PX, weight: Weight::SemiBold, colour };
        let above = if y - 13.0 > frame.top + 8.0 { y - 13.0 } else { y + 14.0 };
        canvas.label(&typeset(text), (frame.left + 10.0, above), ink, Anchor::Start);
    }
}

pub(super) const TICK_PX: f64 = 13.0;

pub(super) fn tick_ink(canvas: &Canvas) -> Ink {
    Ink { px: TICK_PX, weight: Weight::Regular, colour: canvas.theme.muted }
}

pub(super) fn name_ink(canvas: &Canvas) -> Ink {
    Ink { px: TICK_PX, weight: Weight::SemiBold, colour: canvas.theme.text }
}

/// A logarithmic axis that holds `low` to `high`, with its ticks as durations in ns.
pub(super) fn durations(low: f64, high: f64) -> (LogCoord<f64>, Vec<Tick>) {
    logarithmic(low, high, duration)
}

/// A logarithmic axis that holds `low` to `high`, with its ticks by `show`.
pub(super) fn logarithmic(
    low: f64,
    high: f64,
    show: impl Fn(f64) -> String,
) -> (LogCoord<f64>, Vec<Tick>) {
    let ticks = log_ticks(low, high);
    let ends = (ticks[0]..ticks[ticks.len() - 1]).log_scale().into();
    (ends, ticks.into_iter().map(|value| (value, show(value))).collect())
}

/// An axis from 0 to a round value of at least `high`, with its ticks.
pub(super) fn linear(high: f64) -> (RangedCoordf64, Vec<Tick>) {
    let high = if high > 0.0 { high } else { 1.0 };
    let power = 10_f64.powf((high / LINEAR_STEPS).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| high / step <= LINEAR_STEPS)
        .expect("ten times the power of ten below is at least it");
    let steps = (high / step - 1e-9).ceil().max(1.0);
    let ticks = (0..=steps as u32).map(|i| f64::from(i) * step);
    ((0.0..steps * step).into(), ticks.map(|value| (value, grouped(value))).collect())
}

const LINEAR_STEPS: f64 = 8.0;

/// A tick of a time: round values only.
pub(super) fn duration(ns: f64) -> String {
    typeset(&Nanos(ns.round() as u64).to_string())
}

/// An axis on which each nine of a percentile takes the same room: -log10(1 - q), for q from 0 to 1 - 10^-`nines`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percentiles {
    /// Where it ends: 2 for p99.
    pub(super) nines: f64,
}

/// How many nines a quantile has: 2 for 0.99.
pub(super) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

impl Percentiles {
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999]
            .into_iter()
            .filter(move |quantile| nines(*quantile) <= self.nines + 1e-9)
    }
}

impl Ranged for Percentiles {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, quantile: &f64, (from, to): (i32, i32)) -> i32 {
        from + (nines(*quantile) / self.nines * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks().collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0 - 10_f64.powf(-self.nines)
    }
}

/// Round values (1, 2, 5 and their tens) around `low` to `high`, both above 0, at least two and no more than
/// [`MAX_TICKS`]: the first and the last are the axis' ends.
pub(super) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    for steps in [&[1.0, 2.0, 5.0][..], &[1.0]] {
        let ladder: Vec<f64> = (-1..=13)
            .flat_map(|exponent| steps.iter().map(move |step| step * 10_f64.powi(exponent)))
            .collect();
        let first = ladder.iter().rposition(|value| *value <= low * SLACK).unwrap_or(0);
        let last = ladder.iter().position(|value| *value >= high / SLACK);
        let last = last.unwrap_or(ladder.len() - 1).max(first + 1);
        if last - first < MAX_TICKS || steps.len() == 1 {
            return ladder[first..=last].to_vec();
        }
    }
    unreachable!("the last ladder is always taken")
}

/// More labels than this crowd an axis.
const MAX_TICKS: usize = 10;
/// A value may reach over the end of an axis by a hair.
const SLACK: f64 = 1.02;

/// Places for labels `gap` apart between `low` and `high` and as near to `wanted` as that lets them be. The answer has
/// the order of `wanted`; where the room does not suffice it is shared out evenly.
pub(super) fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let count = wanted.len();
    let gap = if count > 1 { gap.min((high - low) / (count - 1) as f64) } else { gap };
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Less its place in the row, a label must only not stand before the one above it: a monotone fit, by pooling
    // neighbours (Barlow et al., 1972).
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (place, index) in order.iter().enumerate() {
        let mut pool = (wanted[*index] - gap * place as f64, 1);
        while let Some((mean, size)) = pools.pop_if(|(mean, _)| *mean > pool.0) {
            let all = size + pool.1;
            pool = ((mean * size as f64 + pool.0 * pool.1 as f64) / all as f64, all);
        }
        pools.push(pool);
    }
    let last_start = high - gap * count.saturating_sub(1) as f64;
    let starts = pools.iter().flat_map(|(mean, size)| std::iter::repeat_n(*mean, *size));
    let mut places = vec![0.0; count];
    for (place, (index, start)) in order.iter().zip(starts).enumerate() {
        places[*index] = start.clamp(low, last_start.max(low)) + gap * place as f64;
    }
    places
}

// Names beside the ends of lines, spread apart: there is no legend.

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
pub(super) fn draw_labels(canvas: &mut Canvas, frame: Frame, labels: &[Label]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_on_a_round_value() {
        let texts = |high| linear(high).1.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(4_000.0).last().unwrap(), "4,000");
        assert_eq!(texts(7_450.0).last().unwrap(), "8,000");
        assert_eq!(texts(0.9), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert!(texts(0.0).len() > 1 && texts(1e7).len() <= 9);
    }

    #[test]
    fn every_nine_takes_the_same_room() {
        let axis = Percentiles { nines: 4.0 };
        let at = |quantile| axis.map(&quantile, (0, 4_000));
        assert_eq!([0.0, 0.9, 0.99, 0.999, 0.9999].map(at), [0, 1_000, 2_000, 3_000, 4_000]);
        assert_eq!(axis.ticks().count(), 6);
    }

    #[test]
    fn ticks_enclose_the_values() {
        assert_eq!(log_ticks(62.0, 900.0), [50.0, 100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(log_ticks(100.0, 100.0), [100.0, 200.0]);
        let wide = log_ticks(1.0, 9e9);
        assert!(wide.len() <= MAX_TICKS + 2 && wide[0] <= 1.0 && *wide.last().unwrap() >= 9e9);
    }

    #[test]
    fn labels_keep_their_distance_and_stay_near() {
        for (wanted, want) in [
            (vec![100.0, 200.0], vec![100.0, 200.0]),
            (vec![100.0, 110.0], vec![85.0, 125.0]),
            (vec![110.0, 100.0], vec![125.0, 85.0]),
            (vec![5.0, 5.0, 5.0], vec![0.0, 40.0, 80.0]),
            (vec![300.0, 299.0], vec![300.0, 260.0]),
            (vec![], vec![]),
        ] {
            assert_eq!(spread(&wanted, 40.0, 0.0, 300.0), want, "{wanted:?}");
        }
        let crowded = spread(&[10.0; 31], 40.0, 0.0, 300.0);
        assert!(crowded.iter().all(|y| (0.0..=300.0001).contains(y)) && crowded.is_sorted());
    }
}
