//! A plot of one quantity over another: its coordinates, its grid and its ticks.

use plotters::coord::CoordTranslate;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{Cartesian2d, Color};

use super::axis::log_ticks;
use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::chrome::MARGIN;
use super::svg::Dash;
use super::text::{Weight, typeset, width};
use crate::report::charts::size::UNITS_PER_PX;
use crate::units::{Nanos, grouped};

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
    pub(super) fn beside(canvas: &Canvas<'_>, labels: f64) -> Self {
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
        let px = |px: f64| (px * f64::from(UNITS_PER_PX)).round() as i32;
        let room = (px(frame.left)..px(frame.right), px(frame.bottom)..px(frame.top));
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
    pub(super) fn rows(&self, canvas: &mut Canvas<'_>, ticks: &[Tick], name: &str) {
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
    pub(super) fn columns(&self, canvas: &mut Canvas<'_>, ticks: &[Tick], name: &str) {
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
    pub(super) fn limit(&self, canvas: &mut Canvas<'_>, y: f64, text: &str) {
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

pub(super) fn tick_ink(canvas: &Canvas<'_>) -> Ink {
    Ink { px: TICK_PX, weight: Weight::Regular, colour: canvas.theme.muted }
}

pub(super) fn name_ink(canvas: &Canvas<'_>) -> Ink {
    Ink { px: TICK_PX, weight: Weight::SemiBold, colour: canvas.theme.text }
}

/// A logarithmic axis that holds `low` to `high`, with its ticks as durations in ns.
pub(super) fn durations(low: f64, high: f64) -> (LogCoord<f64>, Vec<Tick>) {
    let ticks = log_ticks(low, high);
    let ends = (ticks[0]..ticks[ticks.len() - 1]).log_scale().into();
    (ends, ticks.into_iter().map(|ns| (ns, duration(ns))).collect())
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
}
