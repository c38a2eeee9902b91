//! The HDR percentile plot: response time by percentile, one line for each contender.

use plotters::coord::CoordTranslate;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::prelude::{Cartesian2d, Color};

use super::axis::{Percentiles, log_ticks, nines, spread};
use super::canvas::{Anchor, Canvas, HEIGHT, Ink, UNITS_PER_PX, WIDTH, snapped};
use super::chrome::{Chrome, MARGIN};
use super::series::Series;
use super::svg::Dash;
use super::text::{Weight, fitted, typeset, width};
use crate::units::Nanos;

/// Draws the plot inside its chrome.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    chrome: &Chrome,
    series: &[Series],
    floor_ns: Option<u64>,
) {
    chrome.draw(canvas);
    let drawn: Vec<&Series> = series.iter().filter(|s| !s.response.is_empty()).collect();
    if drawn.is_empty() {
        return nothing(canvas, series);
    }
    let plot = Plot::over(&drawn, label_room(series));
    plot.axes(canvas);
    if let Some(floor) = floor_ns {
        plot.floor(canvas, floor as f64);
    }
    for one in &drawn {
        plot.lines(canvas, one, drawn.len() <= SERVICE_LINES_UP_TO);
    }
    for one in &drawn {
        plot.marks(canvas, one);
    }
    plot.labels(canvas, series);
}

/// With more contenders than this, a second line for each hides more than it shows.
pub(super) const SERVICE_LINES_UP_TO: usize = 2;

/// Where the plot begins and ends, px.
const TOP: f64 = 152.0;
const BOTTOM: f64 = HEIGHT - 108.0;
const LEFT: f64 = MARGIN + 64.0;
/// Between a line's end and its label.
const LABEL_GAP: f64 = 22.0;
/// Labels wider than this are cut.
const LABEL_MAX: f64 = 220.0;
const NAME_PX: f64 = 14.5;
const DETAIL_PX: f64 = 12.0;
const TICK_PX: f64 = 13.0;
const LINE_PX: f64 = 2.5;
const MARK_PX: f64 = 4.2;

/// The coordinates of a plot.
struct Plot {
    coordinates: Cartesian2d<Percentiles, LogCoord<f64>>,
    percentiles: Percentiles,
    ticks: Vec<f64>,
}

impl Plot {
    fn over(drawn: &[&Series], labels: f64) -> Self {
        let values =
            || drawn.iter().flat_map(|s| s.response.iter().chain(s.visible_service(drawn.len())));
        let low = values().map(|(_, ns)| *ns).fold(f64::MAX, f64::min);
        let high = values().map(|(_, ns)| *ns).fold(0.0, f64::max);
        let ticks = log_ticks(low, high);
        let last = drawn.iter().filter_map(|s| s.response.last()).map(|(q, _)| nines(*q));
        let percentiles = Percentiles { nines: last.fold(1.0, f64::max) };
        let px = |px: f64| (px * f64::from(UNITS_PER_PX)).round() as i32;
        let ends = ticks[0]..ticks[ticks.len() - 1];
        let room = (px(LEFT)..px(WIDTH - MARGIN - labels - LABEL_GAP), px(BOTTOM)..px(TOP));
        let coordinates = Cartesian2d::new(percentiles, ends.log_scale(), room);
        Self { coordinates, percentiles, ticks }
    }

    /// A quantile and a response time in ns, in px.
    fn at(&self, point: (f64, f64)) -> (f64, f64) {
        let (x, y) = self.coordinates.translate(&point);
        (f64::from(x) / f64::from(UNITS_PER_PX), f64::from(y) / f64::from(UNITS_PER_PX))
    }

    /// The lower left and the upper right corner, px.
    fn corners(&self) -> ((f64, f64), (f64, f64)) {
        let last = 1.0 - 10_f64.powf(-self.percentiles.nines);
        (self.at((0.0, self.ticks[0])), self.at((last, self.ticks[self.ticks.len() - 1])))
    }

    fn axes(&self, canvas: &mut Canvas<'_>) {
        let ((x0, y0), (x1, y1)) = self.corners();
        let theme = canvas.theme;
        let tick = Ink { px: TICK_PX, weight: Weight::Regular, colour: theme.muted };
        let name = Ink { px: TICK_PX, weight: Weight::SemiBold, colour: theme.text };
        for ns in &self.ticks {
            let y = snapped(self.at((0.0, *ns)).1);
            canvas.line(&[(x0, y), (x1, y)], theme.grid.to_rgba(), 1.0);
            canvas.text(&duration(*ns), (x0 - 10.0, y), tick, Anchor::End);
        }
        canvas.text("Response time (log)", (MARGIN, y1 - 24.0), name, Anchor::Start);
        for quantile in self.percentiles.ticks() {
            let x = snapped(self.at((quantile, self.ticks[0])).0);
            canvas.line(&[(x, y0), (x, y0 + 6.0)], theme.muted.to_rgba(), 1.0);
            if quantile > 0.0 {
                let dots = Dash { width: 1.0, on: 2, off: 4 };
                canvas.dashed(&[(x, y1), (x, y0)], theme.grid.to_rgba(), dots);
            }
            canvas.text(&percent(quantile), (x, y0 + 19.0), tick, Anchor::Middle);
        }
        canvas.text("Percentile (log)", (x1, y0 + 41.0), name, Anchor::End);
    }

    /// The response time that no model can beat.
    fn floor(&self, canvas: &mut Canvas<'_>, ns: f64) {
        if ns < self.ticks[0] || ns > self.ticks[self.ticks.len() - 1] {
            return;
        }
        let ((x0, _), (x1, _)) = self.corners();
        let y = snapped(self.at((0.0, ns)).1);
        let colour = canvas.theme.muted;
        canvas.dashed(&[(x0, y), (x1, y)], colour.to_rgba(), Dash { width: 1.5, on: 7, off: 4 });
        let ink = Ink { px: DETAIL_PX, weight: Weight::Regular, colour };
        let text = typeset(&format!("floor {}", Nanos(ns as u64)));
        canvas.label(&text, (x1 - 8.0, y + 12.0), ink, Anchor::End);
    }

    fn lines(&self, canvas: &Canvas<'_>, series: &Series, with_service: bool) {
        let colour = series.style.colour(&canvas.theme);
        let path = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            bends(points.iter().map(|point| self.at(*point)))
        };
        if with_service && !series.service.is_empty() {
            let dash = Dash { width: 1.5, on: 4, off: 4 };
            canvas.dashed(&path(&series.service), colour.mix(0.9), dash);
        }
        canvas.line(&path(&series.response), colour.to_rgba(), LINE_PX);
    }

    /// A hollow mark at p99 and a full one where the line ends.
    fn marks(&self, canvas: &Canvas<'_>, series: &Series) {
        let colour = series.style.colour(&canvas.theme);
        let mark = |at, radius: f64, hollow| {
            if series.style.is_square() {
                // A square of the same area.
                canvas.square(at, radius * 0.886, colour, hollow);
            } else {
                canvas.circle(at, radius, colour, hollow);
            }
        };
        if let Some(ns) = series.p99_ns {
            mark(self.at((0.99, ns)), MARK_PX + 0.3, true);
        }
        if let Some(end) = series.response.last() {
            mark(self.at(*end), MARK_PX, false);
        }
    }

    /// Names beside the line ends; a contender without a line has its reason there, at the top.
    fn labels(&self, canvas: &mut Canvas<'_>, series: &[Series]) {
        let ((_, y0), (x1, y1)) = self.corners();
        let ends: Vec<Option<(f64, f64)>> =
            series.iter().map(|s| s.response.last().map(|end| self.at(*end))).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.map_or(y1, |(_, y)| y)).collect();
        let tall = series.iter().map(|s| details(s).len()).max().unwrap_or(1);
        let gap = LABEL_LINE * (tall + 1) as f64 + 6.0;
        let places = spread(&wanted, gap, y1 + 4.0, y0 - gap / 2.0);
        let x = x1 + LABEL_GAP;
        for ((one, end), y) in series.iter().zip(ends).zip(places) {
            let colour = one.style.colour(&canvas.theme);
            let top = y - LABEL_LINE * details(one).len() as f64 / 2.0;
            if let Some(end) = end.filter(|end| (end.1 - y).abs() > 3.0 || x1 - end.0 > 3.0) {
                let start = (end.0 + MARK_PX + 3.0, end.1);
                canvas.line(&[start, (x - 5.0, y)], colour.mix(0.55), 1.0);
            }
            let name = Ink { px: NAME_PX, weight: Weight::SemiBold, colour };
            let text = fitted(&one.name, NAME_PX, Weight::SemiBold, LABEL_MAX);
            canvas.text(&text, (x, top), name, Anchor::Start);
            for (place, detail) in details(one).iter().enumerate() {
                let marked = one.remark.as_ref().is_some_and(|r| r == detail);
                let colour = if marked { canvas.theme.alarm } else { canvas.theme.muted };
                let ink = Ink { px: DETAIL_PX, weight: Weight::Regular, colour };
                let text = fitted(&typeset(detail), DETAIL_PX, Weight::Regular, LABEL_MAX);
                canvas.text(&text, (x, top + LABEL_LINE * (place + 1) as f64), ink, Anchor::Start);
            }
        }
    }
}

/// From one line of a label to the next, px.
const LABEL_LINE: f64 = 17.5;

impl Series {
    fn visible_service(&self, drawn: usize) -> &[(f64, f64)] {
        if drawn <= SERVICE_LINES_UP_TO { &self.service } else { &[] }
    }
}

/// The lines under a name: where its line ends, and what must be known of it.
fn details(series: &Series) -> Vec<String> {
    let end = series.response.last().map(|(quantile, ns)| {
        format!("p{} {}", percent(*quantile).trim_end_matches('%'), Nanos(*ns as u64))
    });
    end.into_iter().chain(series.remark.clone()).collect()
}

/// The room that labels need, px.
fn label_room(series: &[Series]) -> f64 {
    let widths = series.iter().flat_map(|one| {
        let details = details(one);
        let details = details.iter().map(|d| width(&typeset(d), DETAIL_PX, Weight::Regular));
        let widest = details.fold(0.0, f64::max);
        [width(&one.name, NAME_PX, Weight::SemiBold), widest]
    });
    widths.fold(60.0, f64::max).min(LABEL_MAX)
}

/// What stands in the place of a plot that has no line.
fn nothing(canvas: &mut Canvas<'_>, series: &[Series]) {
    let middle = (TOP + BOTTOM) / 2.0;
    let ink = Ink { px: 17.0, weight: Weight::SemiBold, colour: canvas.theme.text };
    canvas.text("No percentile can be drawn", (WIDTH / 2.0, middle - 30.0), ink, Anchor::Middle);
    let ink = Ink { px: 14.5, weight: Weight::Regular, colour: canvas.theme.muted };
    for (place, one) in series.iter().take(8).enumerate() {
        let remark = one.remark.as_deref().unwrap_or("no response time");
        let text = fitted(&format!("{}: {remark}", one.name), 14.5, Weight::Regular, WIDTH * 0.8);
        canvas.text(&text, (WIDTH / 2.0, middle + 24.0 * place as f64), ink, Anchor::Middle);
    }
}

/// A path without the points that lie on the straight line between their neighbours: a third of the file.
fn bends(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut path: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if let [.., a, b] = path[..] {
            let (ab, bc) = ((b.0 - a.0, b.1 - a.1), (point.0 - b.0, point.1 - b.1));
            if (ab.0 * bc.1 - ab.1 * bc.0).abs() < 1e-9 {
                path.pop();
            }
        }
        path.push(point);
    }
    path
}

/// A tick of the response time: round values only.
fn duration(ns: f64) -> String {
    typeset(&Nanos(ns.round() as u64).to_string())
}

/// `99.9%`; two digits after the last nine, so that 99.968 % is not called 99.97 or 100.
fn percent(quantile: f64) -> String {
    let decimals = (nines(quantile).floor().max(2.0) - 2.0) as usize + 2;
    let scale = 10_f64.powi(decimals as i32);
    let text = format!("{:.decimals$}", (quantile * 100.0 * scale + 1e-6).floor() / scale);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_never_rounded_up() {
        for (quantile, want) in [
            (0.0, "0%"),
            (0.5, "50%"),
            (0.99, "99%"),
            (0.999, "99.9%"),
            (0.99968, "99.968%"),
            (0.999_996, "99.9996%"),
        ] {
            assert_eq!(percent(quantile), want);
        }
    }

    #[test]
    fn straight_runs_lose_their_inner_points() {
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 2.0)];
        assert_eq!(bends(points.into_iter()), [(0.0, 0.0), (2.0, 2.0), (3.0, 2.0)]);
    }
}
