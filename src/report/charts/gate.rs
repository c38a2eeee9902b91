//! The gate's history: each candidate against its baseline, by commit. Only changes are marked.

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::types::RangedCoordf64;
use plotters::style::Color;

use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::chrome::MARGIN;
use super::picture::{Kind, Picture};
use super::plot::{Frame, Plot, tick_ink};
use super::text::{Weight, fitted, typeset, width};
use super::view::View;
use crate::report::cell::{ZONE, more_is_better};
use crate::report::schema::GatePoint;
use crate::report::words::{clean, counted, metric, times, truncated};

/// The history, where there is one of two gates or more.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    picture(view).into_iter().collect()
}

fn picture<'a>(view: &View<'a>) -> Option<Picture<'a>> {
    let panels = panels(&view.result.gate_history);
    let most = panels.iter().map(|(_, points)| points.len()).max()?;
    let title = finding(&panels);
    let chrome = view.chrome(
        title.clone(),
        "Candidate against its baseline, measured side by side at each commit, oldest first; log scale",
        &[],
        "Whisker: the gate's interval at its last look; grey zone: within +-5 %. Coloured: regressed or improved; grey: neither. At the edge: no ratio.",
    );
    let told = panels.iter().flat_map(|(name, points)| {
        points
            .iter()
            .filter(|p| changed(p))
            .map(move |p| format!("{} of {} {}", metric(name), clean(&p.commit), clean(&p.verdict)))
    });
    let told: Vec<String> = told.collect();
    let told = if told.is_empty() { "no change".into() } else { told.join("; ") };
    let alt = format!("{title}. Over {}: {told}.", counted(most, "gate"));
    Some(Picture::new(Kind::Gate, "gate".into(), chrome, alt, move |canvas| {
        draw(canvas, &panels);
    }))
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
    matches!(point.verdict.as_str(), "regressed" | "improved")
}

fn finding(panels: &[Panel<'_>]) -> String {
    let gates = panels.iter().map(|(_, points)| points.len()).max().unwrap_or(0);
    let regressed = || {
        let named = |(name, points): &Panel<'_>| {
            let name = (*name).to_owned();
            points
                .iter()
                .filter(|p| p.verdict == "regressed")
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
                metric(&name),
                truncated(&clean(&last.commit), 12)
            )
        }
    }
}

fn draw(canvas: &mut Canvas<'_>, panels: &[Panel<'_>]) {
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

fn panel(canvas: &mut Canvas<'_>, frame: Frame, name: &str, points: &[&GatePoint]) {
    let theme = canvas.theme;
    let ends = points.iter().flat_map(|p| [p.low, p.high, p.ratio]).flatten();
    let far = ends.map(|r| r.max(1.0 / r)).filter(|r| r.is_finite()).fold(1.12, f64::max).min(50.0);
    let far = far * 1.06;
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
    let heading = format!("{} ({worse})", metric(name));
    canvas.text(&heading, (MARGIN, frame.top - 14.0), ink, Anchor::Start);
    let ink = Ink { px: 11.5, weight: Weight::Regular, colour: theme.muted };
    let worst = if more_is_better(name) { 1.0 / far } else { far };
    let mut free = frame.left;
    for (index, point) in points.iter().enumerate() {
        let x = plot.x(index as f64);
        mark(canvas, &plot, point, (index, worst));
        let commit = fitted(&truncated(&clean(&point.commit), 10), 11.5, Weight::Regular, 90.0);
        let half = width(&commit, 11.5, Weight::Regular) / 2.0;
        // As many as there is room for, and every one that changed something if it can be had.
        if x - half > free && x + half < canvas.width - 8.0 {
            canvas.text(&commit, (x, frame.bottom + 14.0), ink, Anchor::Middle);
            free = x + half + 8.0;
        }
    }
}

fn mark(
    canvas: &mut Canvas<'_>,
    plot: &Plot<RangedCoordf64, LogCoord<f64>>,
    point: &GatePoint,
    (index, worst): (usize, f64),
) {
    // Worse than any figure, as failures where the baseline has none: at the edge, for it must not vanish.
    let without = (point.verdict == "regressed").then_some(worst);
    let Some(ratio) = point.ratio.or(without) else {
        return;
    };
    let theme = canvas.theme;
    let colour = match point.verdict.as_str() {
        "regressed" => theme.alarm,
        "improved" => theme.awaiting[0],
        _ => theme.muted,
    };
    let at = plot.at((index as f64, ratio));
    // A gate may know one side alone.
    if point.low.is_some() || point.high.is_some() {
        let ends = [point.low, point.high].map(|end| plot.at((index as f64, end.unwrap_or(ratio))));
        canvas.line(&ends, colour.mix(if changed(point) { 1.0 } else { 0.6 }), 1.5);
    }
    if point.verdict == "regressed" {
        canvas.square(at, 4.4, colour, false);
    } else {
        canvas.circle(at, 4.2, colour, !changed(point));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_changed() {
        let point = |metric: &str, verdict: &str| GatePoint {
            version: 1,
            commit: "9f2c01d".into(),
            utc: "2026-11-24T04:09:53Z".into(),
            metric: metric.into(),
            ratio: Some(1.0),
            low: None,
            high: None,
            verdict: verdict.into(),
        };
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
