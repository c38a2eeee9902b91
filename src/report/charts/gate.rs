//! The gate's history: each candidate against its baseline, by commit. Only changes are marked.

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::types::RangedCoordf64;
use plotters::style::{Color, RGBColor};

use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::picture::{ChartKind, MARGIN, Picture};
use super::plot::{Frame, Plot, tick_ink};
use super::text::{Weight, fitted_name, typeset, width};
use super::view::View;
use crate::judge::cell::{ZONE, more_is_better};
use crate::record::GatePoint;
use crate::record::GatePointVerdict;
use crate::record::metric::label;
use crate::text::{clean, counted, shortened, times};

/// The history, where there is one of two gates or more.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    picture(view).into_iter().collect()
}

fn picture<'a>(view: &View<'a>) -> Option<Picture<'a>> {
    let panels = panels(&view.result.gate_history);
    let most = panels.iter().map(|(_, points)| points.len()).max()?;
    let title = finding(&panels);
    let mut method = vec![method(&panels)];
    method.extend(view.result.notes.iter().map(|note| format!("{}.", clean(note))));
    let chrome = view.chrome(
        title.clone(),
        "Candidate against its baseline, measured side by side at each commit, oldest first; log scale",
        &[],
        &method.join(" "),
    );
    let told = panels.iter().flat_map(|(name, points)| {
        points
            .iter()
            .filter(|p| changed(p))
            .map(move |p| format!("{} of {} {}", label(name), clean(&p.commit), p.verdict))
    });
    let told: Vec<String> = told.collect();
    let told = if told.is_empty() { "no change".into() } else { told.join("; ") };
    let alt = format!("{title}. Over {}: {told}.", counted(most, "gate"));
    Some(Picture::new(ChartKind::Gate, "gate".into(), chrome, alt, move |canvas| {
        draw(canvas, &panels);
    }))
}

/// How it is to be read.
fn method(panels: &[Panel<'_>]) -> String {
    let mut method = "Whisker: the gate's interval at its last analysis; grey zone: within +-5 %. Red: regressed; \
                      blue: improved; grey: neither."
        .to_owned();
    let any = |what: &dyn Fn(&GatePoint, f64) -> bool| {
        panels.iter().any(|(_, points)| points.iter().any(|point| what(point, reach(points))))
    };
    if any(&|point, far| point.ratio.is_some_and(|ratio| is_beyond(ratio, far))) {
        method += " Arrow: beyond the scale.";
    }
    if any(&|point, _| point.ratio.is_none()) {
        method += " Cross: no ratio, on the worse edge where it regressed.";
    }
    method
}

/// A metric and its gates, oldest first.
type Panel<'a> = (&'a str, Vec<&'a GatePoint>);

/// The metrics for which there is room: those that changed before those that did not, and then as they matter.
fn panels(history: &[GatePoint]) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    for point in history {
        match panels.iter_mut().find(|(name, _)| *name == point.metric) {
            Some((_, points)) => points.push(point),
            None => panels.push((&point.metric, vec![point])),
        }
    }
    for (_, points) in &mut panels {
        points.drain(..points.len().saturating_sub(MAX_COMMITS));
    }
    panels.retain(|(_, points)| points.len() > 1);
    let rank = |(name, _): &Panel<'_>| METRICS.iter().position(|it| name.starts_with(it));
    let rank = |panel: &Panel<'_>| rank(panel).unwrap_or(METRICS.len());
    panels.sort_by_key(|panel| (!panel.1.iter().any(|point| changed(point)), rank(panel)));
    panels.truncate(MAX_PANELS);
    panels.sort_by_key(rank);
    panels
}

/// As a gate's reader asks for them; a metric of one request begins with its name.
const METRICS: [&str; 6] = ["p99", "throughput", "cpu", "p50", "memory", "rss"];
/// Panels for which there is room.
const MAX_PANELS: usize = 3;
/// Commits for which there is room; the latest are shown.
const MAX_COMMITS: usize = 40;

fn changed(point: &GatePoint) -> bool {
    matches!(point.verdict, GatePointVerdict::Regressed | GatePointVerdict::Improved)
}

fn finding(panels: &[Panel<'_>]) -> String {
    let gates = panels.iter().map(|(_, points)| points.len()).max().unwrap_or(0);
    let regressed = || {
        let named = |(name, points): &Panel<'_>| {
            let name = (*name).to_owned();
            points
                .iter()
                .filter(|p| p.verdict == GatePointVerdict::Regressed)
                .map(|p| (name.clone(), (*p).clone()))
                .collect::<Vec<_>>()
        };
        panels.iter().flat_map(named).collect::<Vec<_>>()
    };
    match regressed().into_iter().max_by(|a, b| a.1.utc.cmp(&b.1.utc)) {
        None => format!("{}: no regression", counted(gates, "gate")),
        Some((name, last)) => {
            let by = last.ratio.map(|r| format!(" ({})", times(r))).unwrap_or_default();
            format!(
                "{}, {}: the last in {} at {}{by}",
                counted(gates, "gate"),
                counted(regressed().len(), "regression"),
                label(&name),
                shortened(&clean(&last.commit), 24)
            )
        }
    }
}

fn draw(canvas: &mut Canvas, panels: &[Panel<'_>]) {
    let (top, bottom) = (canvas.head + 26.0, canvas.foot - 53.0);
    let tall = (bottom - top) / panels.len() as f64;
    for (index, (name, points)) in panels.iter().enumerate() {
        let frame = Frame {
            left: MARGIN + 64.0,
            right: canvas.width - MARGIN - 20.0,
            top: top + tall * index as f64 + 30.0,
            bottom: top + tall * (index + 1) as f64 - 24.0,
        };
        panel(canvas, frame, name, points);
    }
}

fn panel(canvas: &mut Canvas, frame: Frame, name: &str, points: &[&GatePoint]) {
    let theme = canvas.theme;
    let far = reach(points);
    let y: LogCoord<f64> = (1.0 / far..far).log_scale().into();
    let plot: Plot<RangedCoordf64, LogCoord<f64>> =
        Plot::new((-0.5..points.len() as f64 - 0.5).into(), y, frame);
    let zone = (plot.y(ZONE), plot.y(1.0 / ZONE));
    canvas.rectangle((frame.left, zone.0), (frame.right, zone.1), theme.neutral.to_rgba());
    let small = tick_ink(canvas);
    let edge = [1.1, 1.2, 1.5, 2.0, 5.0, 10.0].into_iter().rev().find(|r| *r < far).unwrap_or(1.1);
    for ratio in [1.0 / edge, 1.0, edge] {
        let y = snapped(plot.y(ratio));
        let colour = if ratio == 1.0 { theme.muted } else { theme.grid };
        canvas.line(&[(frame.left, y), (frame.right, y)], colour.to_rgba(), 1.0);
        canvas.text(&typeset(&times(ratio)), (frame.left - 10.0, y), small, Anchor::End);
    }
    let ink = Ink { px: 14.5, weight: Weight::SemiBold, colour: theme.text };
    let worse = if more_is_better(name) { "lower is worse" } else { "higher is worse" };
    let heading = format!("{} ({worse})", label(name));
    canvas.text(&heading, (MARGIN, frame.top - 14.0), ink, Anchor::Start);
    let ink = Ink { px: 11.5, weight: Weight::Regular, colour: theme.muted };
    let mut free = frame.left;
    let mut marks =
        Marks { plot: &plot, far, worse_is_low: more_is_better(name), free: [f64::MIN; 2] };
    for (index, point) in points.iter().enumerate() {
        let x = plot.x(index as f64);
        marks.draw(canvas, point, index);
        let commit = fitted_name(&clean(&point.commit), 11.5, Weight::Regular, 90.0);
        let half = width(&commit, 11.5, Weight::Regular) / 2.0;
        // As many as there is room for, and every one that changed something if it can be had.
        if x - half > free && x + half < canvas.width - 8.0 {
            canvas.text(&commit, (x, frame.bottom + 14.0), ink, Anchor::Middle);
            free = x + half + 8.0;
        }
    }
}

/// How far from 1 a panel's axis goes, as a factor.
fn reach(points: &[&GatePoint]) -> f64 {
    let ends = points.iter().flat_map(|p| [p.low, p.high, p.ratio]).flatten();
    let far = ends.map(|r| r.max(1.0 / r)).filter(|r| r.is_finite()).fold(1.12, f64::max);
    far.min(FAR) * 1.06
}

/// Marks further from 1 are arrows on the edge.
const FAR: f64 = 50.0;

fn is_beyond(ratio: f64, far: f64) -> bool {
    !(1.0 / far..=far).contains(&ratio)
}

/// The marks of a panel, from the left to the right.
struct Marks<'p> {
    plot: &'p Plot<RangedCoordf64, LogCoord<f64>>,
    far: f64,
    /// A lower ratio is a worse candidate.
    worse_is_low: bool,
    /// From where on there is room for a figure at the upper and at the lower edge, px.
    free: [f64; 2],
}

impl Marks<'_> {
    fn draw(&mut self, canvas: &mut Canvas, point: &GatePoint, index: usize) {
        let (theme, frame) = (canvas.theme, self.plot.frame);
        let colour = match point.verdict {
            GatePointVerdict::Regressed => theme.alarm,
            GatePointVerdict::Improved => theme.awaiting[0],
            _ => theme.muted,
        };
        let edges = [frame.top + MARK_PX, frame.bottom - MARK_PX];
        let Some(ratio) = point.ratio else {
            let (x, middle) = self.plot.at((index as f64, 1.0));
            let worse = edges[usize::from(self.worse_is_low)];
            let y = if point.verdict == GatePointVerdict::Regressed { worse } else { middle };
            for slope in [MARK_PX, -MARK_PX] {
                let ends = [(x - MARK_PX, y - slope), (x + MARK_PX, y + slope)];
                canvas.line(&ends, colour.to_rgba(), 2.0);
            }
            return;
        };
        let (x, y) = self.plot.at((index as f64, ratio));
        // A gate may know one side alone.
        if point.low.is_some() || point.high.is_some() {
            let ends = [point.low, point.high]
                .map(|end| self.plot.at((index as f64, end.unwrap_or(ratio))));
            canvas.line(&ends, colour.mix(if changed(point) { 1.0 } else { 0.6 }), 1.5);
        }
        if is_beyond(ratio, self.far) {
            let low = usize::from(ratio < 1.0);
            let (tip, back) = if low == 1 { (edges[1], -MARK_PX) } else { (edges[0], MARK_PX) };
            let base = tip + 1.6 * back;
            let arrow = [(x, tip - back), (x - MARK_PX, base), (x + MARK_PX, base)];
            canvas.polygon(&arrow, colour.to_rgba());
            self.figure(canvas, ratio, (x + MARK_PX + 4.0, tip), low, colour);
        } else if point.verdict == GatePointVerdict::Regressed {
            canvas.square((x, y), 4.4, colour, false);
        } else {
            canvas.circle((x, y), 4.2, colour, !changed(point));
        }
    }

    /// How far a mark is that stands on the edge, where there is room to say so.
    fn figure(
        &mut self,
        canvas: &mut Canvas,
        ratio: f64,
        (x, y): (f64, f64),
        edge: usize,
        colour: RGBColor,
    ) {
        let text = match ratio {
            r if r < 0.01 => typeset(&format!("1/{}", times(1.0 / r))),
            r => typeset(&times(r)),
        };
        let right = x + width(&text, FIGURE_PX, Weight::SemiBold);
        if x < self.free[edge] || right > self.plot.frame.right {
            return;
        }
        self.free[edge] = right + 8.0;
        let ink = Ink { px: FIGURE_PX, weight: Weight::SemiBold, colour };
        canvas.text(&text, (x, y), ink, Anchor::Start);
    }
}

/// Half of an arrow's or a cross's width, px.
const MARK_PX: f64 = 5.0;
const FIGURE_PX: f64 = 11.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(metric: &str, verdict: &str) -> GatePoint {
        GatePoint {
            version: 1,
            commit: "9f2c01d".into(),
            utc: "2026-11-24T04:09:53Z".into(),
            metric: metric.into(),
            ratio: Some(1.0),
            low: None,
            high: None,
            verdict: verdict.parse().unwrap(),
        }
    }

    #[test]
    fn marks_stay_in_their_panel_and_every_gate_has_one() {
        let gate = |ratio, verdict: &str| GatePoint { ratio, ..point("p99", verdict) };
        let far =
            GatePoint { low: Some(40.0), high: Some(1e290), ..gate(Some(120.0), "regressed") };
        let ends: [(f64, &str); 4] =
            [(1e300, "regressed"), (1.0 / 60.0, "improved"), (0.0, "improved"), (2.0, "pass")];
        let mut history: Vec<GatePoint> =
            ends.iter().map(|(ratio, verdict)| gate(Some(*ratio), verdict)).collect();
        history.extend([far, gate(None, "regressed"), gate(None, "inconclusive")]);
        let mut run = crate::judge::mock::everything();
        run.gate_history = history;
        let picture = &crate::report::charts::pictures_of(&run, ChartKind::Gate, None)[0];
        assert!(picture.method.contains("Arrow:") && picture.method.contains("Cross:"));
        let svg = picture.inline_svg(super::super::picture::Shade::Light);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let numbers = |text: &str| -> Vec<f64> {
            text.split([' ', ',']).filter_map(|it| it.parse().ok()).collect()
        };
        let (wide, tall) = (1200.0 * 4.0, 675.0 * 4.0);
        let mut marks = 0;
        for node in document.descendants() {
            let of = |key| node.attribute(key).map(numbers).unwrap_or_default();
            let points = [of("points"), [of("cx"), of("cy")].concat()].concat();
            for point in points.chunks(2) {
                assert!((0.0..=wide).contains(&point[0]) && (0.0..=tall).contains(&point[1]));
            }
            marks += usize::from(node.has_tag_name("polygon"));
        }
        assert_eq!(marks, 4, "an arrow for each that is beyond the scale: {svg}");
        let history: Vec<GatePoint> = ["pass"; 2].map(|it| point("p99", it)).to_vec();
        assert!(!method(&panels(&history)).contains("Arrow"), "and no word of what is not there");
    }

    #[test]
    fn there_is_room_for_what_changed() {
        let all = ["rss", "p50", "cpu_per_request", "throughput", "p99", "once"];
        let history = |changed: &str| -> Vec<GatePoint> {
            let verdict = |name: &str| if name == changed { "regressed" } else { "pass" };
            let twice = all[..5].iter().chain(&all).map(|name| point(name, verdict(name)));
            twice.collect()
        };
        let shown = |history: &[GatePoint]| -> Vec<String> {
            panels(history).iter().map(|(name, _)| (*name).to_owned()).collect()
        };
        assert_eq!(shown(&history("")), ["p99", "throughput", "cpu_per_request"]);
        assert_eq!(shown(&history("rss")), ["p99", "throughput", "rss"]);
    }
}
