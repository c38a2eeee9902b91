//! The stall timeline: response times by when their requests were due, a panel for each contender, before, in and after
//! a fault.

use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::style::Color;

use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::picture::{ChartKind, MARGIN, Picture};
use super::plot::{Frame, Plot, durations, linear, tick_ink};
use super::text::{Weight, fitted, fitted_name, typeset, width};
use super::theme::Style;
use super::view::View;
use crate::judge::cell::belongs;
use crate::judge::races::{Race, middle};
use crate::record::{Comparison, Direction, Fault, Timeline};
use crate::report::format::place;
use crate::report::sentences::finding_in;
use crate::stats::percentile::FAILED_NS;
use crate::text::{capital, clean, slug};
use crate::units::Nanos;

/// One for each race whose trials kept a timeline.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    view.races.iter().filter_map(|race| picture(view, race)).collect()
}

/// A contender: the timeline of its first round that holds, and how soon it recovered in all of them.
struct Panel<'a> {
    name: String,
    style: Style,
    timeline: &'a Timeline,
    round: u32,
    recovery_ns: Option<f64>,
}

fn picture<'a>(view: &View<'a>, race: &Race<'a>) -> Option<Picture<'a>> {
    let mut panels: Vec<Panel<'a>> = Vec::new();
    for member in view.members(race.workload) {
        let Some(entry) = race.entry(member.name) else { continue };
        let kept = |timeline: &&Timeline| timeline.windows.iter().any(|w| w.n > 0);
        let with = entry.usable().find(|t| t.timeline.as_ref().is_some_and(|t| kept(&t)));
        let Some((trial, timeline)) = with.and_then(|t| Some((t, t.timeline.as_ref()?))) else {
            continue;
        };
        // Who never came back took longer than any that did; made-up results have the timeline's alone.
        let recoveries = entry.usable().filter_map(|t| match t.recovery {
            Some(recovery) => Some(recovery.after_ns.map_or(f64::INFINITY, |ns| ns as f64)),
            None => t.timeline.as_ref()?.recovery_ns.map(|ns| ns as f64),
        });
        let recovery_ns = middle(recoveries.collect()).filter(|ns| ns.is_finite());
        panels.push(Panel {
            name: member.label,
            style: member.style,
            timeline,
            round: trial.round,
            recovery_ns,
        });
    }
    panels.truncate(MAX_PANELS);
    let first = panels.first()?;
    let title = view.title(&place(race), finding(view, race, &panels));
    let window = Nanos(first.timeline.window_ns);
    let what = format!(
        "{}: response time (log) by intended start; a cell: the share of a {window} window's requests",
        capital(&place(race))
    );
    let mut windows = panels.iter().flat_map(|panel| &panel.timeline.windows);
    let fails = windows.any(|window| window.p99_ns == Some(FAILED_NS));
    let method = format!(
        "Panels: round {} of each; line: p99 of a window{}. Recovery: median of the rounds, from the end of the fault or burst until at most 1 % of a second's requests exceed the SLO.",
        first.round,
        if fails { ", on the top edge where it is a failure" } else { "" }
    );
    let chrome = view.chrome(title.clone(), &what, &[race], &method);
    let told: Vec<String> = panels
        .iter()
        .map(|panel| match panel.recovery_ns {
            Some(ns) => format!("{} recovers in {}", panel.name, Nanos(ns as u64)),
            None => format!("{} has no recovery time", panel.name),
        })
        .collect();
    let alt = format!("{title}. {}.", told.join("; "));
    let stem = format!("stall-{}-{}", slug(race.workload), slug(race.level));
    let slo = view.slo_ns(race);
    Some(Picture::new(ChartKind::Stall, stem, chrome, alt, move |canvas| {
        draw(canvas, &panels, slo)
    }))
}

/// Right above a panel, px: how soon the contender recovered.
const RECOVERY_ROOM: f64 = 250.0;
/// Panels for which there is room.
const MAX_PANELS: usize = 4;

fn finding(view: &View<'_>, race: &Race<'_>, panels: &[Panel<'_>]) -> String {
    let Some(fault) = panels[0].timeline.fault.as_ref() else {
        return format!("{}: response time over the run", capital(&place(race)));
    };
    let lasting = match fault.for_ns {
        0 => String::new(),
        ns => format!(" for {}", Nanos(ns)),
    };
    let fault = capital(&clean(&fault.what)) + &lasting;
    if let Some(finding) = finding_in(view.result, race, "goodput") {
        return format!("{fault}: {finding}");
    }
    let time = |panel: &Panel<'_>| match panel.recovery_ns {
        Some(ns) => format!("{} recovers in {}", panel.name, Nanos(ns as u64)),
        None => format!("{} does not recover within the run", panel.name),
    };
    if let [only] = panels {
        return format!("{fault}: {}", time(only));
    }
    let all = view.result.comparisons.iter();
    let all: Vec<&Comparison> =
        all.filter(|c| c.metric == "recovery" && belongs(race, c) && c.n > 0).collect();
    let Some(c) = all.iter().filter(|c| c.verdict != Direction::Inconclusive).max_by(|a, b| {
        let far = |c: &Comparison| c.ratio.map_or(f64::INFINITY, |ratio| ratio.ln().abs());
        far(a).total_cmp(&far(b))
    }) else {
        let what = if all.is_empty() {
            "recovery is not compared"
        } else {
            "no clear difference in recovery"
        };
        return format!("{fault}: {what}");
    };
    // Of the contenders that were compared the two that differ most.
    let panel =
        |name: &str| panels.iter().find(|panel| panel.name == view.label(race.workload, name));
    let both: Vec<String> =
        [&c.of, &c.versus].into_iter().filter_map(|name| panel(name).map(time)).collect();
    let mark = if c.headline_confidence.is_some() { "" } else { " (exploratory)" };
    format!("{fault}: {}{mark}", both.join(", "))
}

fn draw(canvas: &mut Canvas, panels: &[Panel<'_>], slo_ns: Option<f64>) {
    let windows = || panels.iter().flat_map(|panel| &panel.timeline.windows);
    let timed = |ns: &u64| *ns < FAILED_NS;
    let low = windows().filter_map(|w| w.p50_ns).filter(timed);
    let low = low.map(|ns| ns as f64).fold(f64::MAX, f64::min);
    let high = windows().filter_map(|w| w.max_ns).map(|ns| ns as f64).fold(1e3, f64::max);
    let low = panels.iter().fold(low.min(high), |low, panel| low.min(panel.lowest()));
    let seconds = panels.iter().map(|panel| panel.seconds()).fold(0.0, f64::max);
    let (top, bottom) = (canvas.head + 26.0, canvas.foot - 57.0);
    let tall = (bottom - top) / panels.len() as f64;
    for (index, panel) in panels.iter().enumerate() {
        let frame = Frame {
            left: MARGIN + 64.0,
            right: canvas.width - MARGIN - 10.0,
            top: top + tall * index as f64 + 26.0,
            bottom: top + tall * (index + 1) as f64 - 10.0,
        };
        let (x, columns) = linear(seconds);
        let (y, rows) = durations(low, high);
        let plot = Plot::new(x, y, frame);
        let small = tick_ink(canvas);
        let every = 1 + rows.len() * 22 / (frame.height() as usize).max(1);
        for (ns, text) in rows.iter().step_by(every) {
            let y = snapped(plot.y(*ns));
            canvas.line(&[(frame.left, y), (frame.right, y)], canvas.theme.grid.to_rgba(), 1.0);
            canvas.text(text, (frame.left - 10.0, y), small, Anchor::End);
        }
        panel.draw(canvas, &plot, slo_ns, index == 0);
        if index + 1 == panels.len() {
            plot.columns(canvas, &columns, "Intended start (s)");
        } else {
            let y = snapped(frame.bottom);
            canvas.line(&[(frame.left, y), (frame.right, y)], canvas.theme.muted.to_rgba(), 1.0);
        }
    }
}

impl Panel<'_> {
    /// The response time at which its lowest cell begins, ns.
    fn lowest(&self) -> f64 {
        let windows = &self.timeline.windows;
        let first = windows.iter().filter_map(|w| w.counts.iter().position(|n| *n > 0)).min();
        first.map_or(f64::MAX, |bucket| self.edge(bucket))
    }

    /// Where a bucket begins, ns.
    fn edge(&self, bucket: usize) -> f64 {
        let steps = f64::from(self.timeline.steps_per_decade.max(1));
        self.timeline.lowest_ns as f64 * 10_f64.powf(bucket as f64 / steps)
    }

    fn seconds(&self) -> f64 {
        self.timeline.windows.len() as f64 * self.window_s()
    }

    fn window_s(&self) -> f64 {
        self.timeline.window_ns as f64 / 1e9
    }

    fn draw(
        &self,
        canvas: &mut Canvas,
        plot: &Plot<RangedCoordf64, LogCoord<f64>>,
        slo_ns: Option<f64>,
        named: bool,
    ) {
        let frame = plot.frame;
        let colour = self.style.colour(&canvas.theme);
        let ink = Ink { px: 14.5, weight: Weight::SemiBold, colour };
        let name = fitted_name(&self.name, ink.px, ink.weight, frame.width() * 0.28);
        canvas.text(&name, (frame.left, frame.top - 14.0), ink, Anchor::Start);
        if let Some(fault) = &self.timeline.fault {
            self.shade(canvas, plot, fault, width(&name, ink.px, ink.weight));
        }
        self.cells(canvas, plot);
        if let Some(slo) =
            slo_ns.filter(|slo| plot.y(*slo) > frame.top && plot.y(*slo) < frame.bottom)
        {
            let dash = super::canvas::Dash { width: 1.5, on: 7, off: 4 };
            let y = snapped(plot.y(slo));
            canvas.dashed(&[(frame.left, y), (frame.right, y)], canvas.theme.alarm.to_rgba(), dash);
            let ink = Ink { px: 12.0, weight: Weight::SemiBold, colour: canvas.theme.alarm };
            let text = typeset(&format!("SLO {}", Nanos(slo as u64)));
            if named {
                canvas.label(&text, (frame.right - 6.0, y - 10.0), ink, Anchor::End);
            }
        }
        self.p99(canvas, plot, named);
        if let (Some(fault), Some(ns)) = (&self.timeline.fault, self.recovery_ns) {
            self.bracket(canvas, plot, fault, ns);
        }
    }

    /// A cell for each window and bucket, as strong as its share of the window's requests.
    fn cells(&self, canvas: &Canvas, plot: &Plot<RangedCoordf64, LogCoord<f64>>) {
        let colour = self.style.colour(&canvas.theme);
        for (index, window) in self.timeline.windows.iter().enumerate() {
            let from = plot.x(index as f64 * self.window_s());
            let to = plot.x((index + 1) as f64 * self.window_s());
            for (bucket, count) in window.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let share = *count as f64 / window.n.max(1) as f64;
                // By the logarithm: one in a thousand is still seen.
                let strength = 0.18 + 0.82 * (1.0 + share.log10() / 3.0).clamp(0.0, 1.0);
                let top = plot.y(self.edge(bucket + 1)).max(plot.frame.top);
                let bottom = plot.y(self.edge(bucket)).min(plot.frame.bottom);
                if bottom > top {
                    canvas.rectangle((from, top), (to, bottom), colour.mix(strength * 0.8));
                }
            }
        }
    }

    fn p99(&self, canvas: &mut Canvas, plot: &Plot<RangedCoordf64, LogCoord<f64>>, named: bool) {
        let windows = self.timeline.windows.iter().enumerate();
        let points: Vec<(f64, f64)> = windows
            .filter_map(|(index, window)| {
                let at = (index as f64 + 0.5) * self.window_s();
                let (x, y) = plot.at((at, window.p99_ns? as f64));
                Some((x, y.max(plot.frame.top)))
            })
            .collect();
        if points.len() < 2 {
            return;
        }
        let colour = canvas.theme.text;
        canvas.line(&points, colour.to_rgba(), 1.5);
        if !named {
            return;
        }
        let near = &points[points.len() * 85 / 100];
        let ink = Ink { px: 12.0, weight: Weight::SemiBold, colour };
        let y = (near.1 - 13.0).max(plot.frame.top + 9.0);
        canvas.label("p99", (near.0, y), ink, Anchor::Middle);
    }

    /// When the fault was, and what.
    fn shade(
        &self,
        canvas: &mut Canvas,
        plot: &Plot<RangedCoordf64, LogCoord<f64>>,
        fault: &Fault,
        name: f64,
    ) {
        let frame = plot.frame;
        let from = plot.x(fault.from_ns as f64 / 1e9);
        let to = plot.x((fault.from_ns + fault.for_ns) as f64 / 1e9).min(frame.right);
        let alarm = canvas.theme.alarm;
        canvas.rectangle((from, frame.top), (to, frame.bottom), alarm.mix(0.1));
        for x in [from, to] {
            let x = snapped(x);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], alarm.to_rgba(), 1.0);
        }
        let ink = Ink { px: 12.0, weight: Weight::SemiBold, colour: alarm };
        let room = frame.width() - name - RECOVERY_ROOM - 16.0;
        let text = fitted(&clean(&fault.what), ink.px, ink.weight, room.clamp(0.0, 200.0));
        let half = width(&text, ink.px, ink.weight) / 2.0;
        let least = frame.left + name + 16.0 + half;
        let most = frame.right - RECOVERY_ROOM - half;
        let x = ((from + to) / 2.0).clamp(least.min(most), most);
        canvas.text(&text, (x, frame.top - 14.0), ink, Anchor::Middle);
    }

    /// From the fault's end to the recovery.
    fn bracket(
        &self,
        canvas: &mut Canvas,
        plot: &Plot<RangedCoordf64, LogCoord<f64>>,
        fault: &Fault,
        recovery_ns: f64,
    ) {
        let frame = plot.frame;
        let end = (fault.from_ns + fault.for_ns) as f64;
        let (from, to) = (plot.x(end / 1e9), plot.x((end + recovery_ns) / 1e9).min(frame.right));
        let y = frame.bottom - 8.0;
        let colour = canvas.theme.text;
        canvas.line(&[(from, y), (to, y)], colour.to_rgba(), 1.5);
        canvas.line(&[(to, y - 5.0), (to, y + 5.0)], colour.to_rgba(), 1.5);
        let ink = Ink { px: 12.5, weight: Weight::SemiBold, colour };
        let text = typeset(&format!("back under the SLO after {}", Nanos(recovery_ns as u64)));
        canvas.text(&text, (frame.right, frame.top - 14.0), ink, Anchor::End);
    }
}
