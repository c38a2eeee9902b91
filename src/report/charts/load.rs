//! Latency against load, the lead chart: p99 by offered rate, where each contender keeps its promise, and by how much.

use plotters::style::Color;

use super::MAX_SERIES;
use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::levels::{self, Saturated, Track, extent, rounds, top_rps, tracks};
use super::picture::{ChartKind, Picture};
use super::plot;
use super::plot::Label;
use super::plot::{Frame, Plot, durations, linear, tick_ink};
use super::text::{Weight, typeset, width};
use super::theme::Style;
use super::view::{Member, View, band_words, failed, late, ways};
use crate::judge::races::Race;
use crate::record::{Capacity, Comparison, Direction, RunResult, Trial};
use crate::report::sentences::title;
use crate::text::{capital, clean, slug, times};
use crate::units::{Nanos, Rate, grouped};

/// One for each workload and request kind that was driven at two rates or more, if only by a search for capacities.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let mut pictures = Vec::new();
    for workload in view.workloads() {
        let levels = view.levels_or_probes(workload);
        let mut kinds: Vec<&str> = levels.iter().flat_map(|race| race.kinds()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds.iter().filter(|_| levels.len() > 1) {
            pictures.extend(picture(view, workload, &levels, kind, kinds.len() > 1));
        }
    }
    pictures
}

fn picture<'a>(
    view: &View<'a>,
    workload: &'a str,
    levels: &[&Race<'a>],
    kind: &str,
    several: bool,
) -> Option<Picture<'a>> {
    let members = view.members(workload);
    let mut tracks = tracks(levels, &members, Saturated::Hidden, |trial| p99(trial, kind));
    tracks.truncate(MAX_SERIES);
    extent(&tracks)?;
    let of_kind = if several { format!(" of {}", clean(kind)) } else { String::new() };
    let title = finding(view, workload, levels, kind);
    let what = format!(
        "p99 response time{of_kind} from the intended start against offered load, {}",
        ways(levels)
    );
    let method = match view.levels(workload).len() {
        0 | 1 => "Point: a trial of the search; line: median at its rate; shaded: from the highest rate kept to the lowest \
                  not kept. Hollow on the top edge: saturated, no value."
            .to_owned(),
        _ => format!(
            "Point: a trial; line: median of the rounds; {}. Hollow on the top edge: saturated, no value.",
            band_words(rounds(&tracks)),
        ),
    };
    let method = method.replace("saturated", without_value(&tracks));
    let late = late(levels, kind);
    let method = method + &late.replacen("; an", " An", 1) + if late.is_empty() { "" } else { "." };
    let chrome = view.chrome(title.clone(), &what, levels, &method);
    let mut stem = format!("load-{}", slug(workload));
    if several {
        stem = format!("{stem}-{}", slug(kind));
    }
    let alt = format!(
        "{title}. p99 response time by offered load: {}{}.",
        figures(&tracks),
        failed(levels) + &late
    );
    let promise = Promise::of(view, &members, levels[0]);
    Some(Picture::new(ChartKind::Load, stem, chrome, alt, move |canvas| {
        draw(canvas, &tracks, &promise)
    }))
}

/// Why a point has no value.
fn without_value(tracks: &[Track]) -> &'static str {
    let mut levels = tracks.iter().flat_map(|track| &track.levels);
    if levels.any(|level| level.unbounded > 0) { "saturated or a failure" } else { "saturated" }
}

/// The p99 of a trial; without end where it is a failure.
fn p99(trial: &Trial, kind: &str) -> Option<f64> {
    trial.by_request.get(kind)?.response_ns.as_ref()?.at(990).worth()
}

/// What the run says about the load that each contender carries.
fn finding(view: &View<'_>, workload: &str, levels: &[&Race<'_>], kind: &str) -> String {
    let saturated =
        levels.iter().find(|race| race.entries.iter().any(|entry| entry.is_saturated()));
    let telling = saturated.or(levels.last()).expect("there are two levels");
    let plain = title(view.result, telling, kind);
    let Some(slo) = view.slo_ns(telling) else { return plain };
    let place = format!("{} at its SLO", clean(workload));
    let label = |capacity: &Capacity| view.label(workload, &capacity.contender);
    let kept = |capacity: &Capacity| capacity.at_least_rps.map(|rps| Rate(rps).to_string());
    let Some(c) = capacity_ratio(view.result, workload) else {
        let [only] = view.result.capacity.as_slice() else { return plain };
        let Some(most) = kept(only) else { return plain };
        let holds = format!("holds the {} SLO to {most}", Nanos(slo as u64));
        return view.title(&place, format!("{} {holds}", capital(&label(only))));
    };
    let within = |name: &str| capacity(view.result, telling, name);
    let (Some(of), Some(versus)) = (within(&c.of), within(&c.versus)) else { return plain };
    let (more, less) = if c.verdict == Direction::Lower { (versus, of) } else { (of, versus) };
    let found = match (c.verdict, kept(more), kept(less)) {
        (Direction::Higher | Direction::Lower, Some(most), Some(least)) => format!(
            "{} holds the {} SLO to {most}; {} to {least}",
            capital(&label(more)),
            Nanos(slo as u64),
            label(less)
        ),
        _ => format!(
            "{}: no clear difference in capacity between {} and {}",
            capital(workload),
            label(of),
            label(versus)
        ),
    };
    view.title(&place, found)
}

fn capacity<'r>(result: &'r RunResult, race: &Race<'_>, name: &str) -> Option<&'r Capacity> {
    let own = |c: &&Capacity| {
        (race.workload, name) == (&*c.workload, &*c.contender) && c.scenario == race.scenario
    };
    result.capacity.iter().find(own)
}

/// The comparison of two capacities, where there is one.
fn capacity_ratio<'a>(result: &'a RunResult, workload: &str) -> Option<&'a Comparison> {
    result.comparisons.iter().find(|c| c.workload == workload && c.metric == "capacity")
}

/// `event-loop 87 us at 1,000/s to 412 us at 4,000/s; ..`
fn figures(tracks: &[Track]) -> String {
    let figures = tracks.iter().map(|track| {
        let line = track.line();
        let at = |(rps, ns): &(f64, f64)| format!("{} at {}", Nanos(*ns as u64), Rate(*rps));
        let ends = match line.as_slice() {
            [] => "no value".into(),
            [one] => at(one),
            [first, .., last] => format!("{} to {}", at(first), at(last)),
        };
        let saturated = track.saturated.as_ref().map(|s| format!(", {s}")).unwrap_or_default();
        format!("{} {ends}{saturated}", track.name)
    });
    figures.collect::<Vec<_>>().join("; ")
}

/// The SLO, and the load up to which each contender keeps it.
struct Promise {
    slo_ns: Option<f64>,
    capacities: Vec<(Style, Capacity)>,
    /// From the lower to the higher rate, and what the arrow between them says.
    arrow: Option<(f64, f64, String)>,
}

impl Promise {
    fn of(view: &View<'_>, members: &[Member<'_>], race: &Race<'_>) -> Self {
        let capacity = |name: &str| capacity(view.result, race, name);
        let capacities = members
            .iter()
            .filter_map(|member| Some((member.style, capacity(member.name)?.clone())))
            .collect();
        let arrow = capacity_ratio(view.result, race.workload).and_then(|c| {
            let (ratio, low, high) = (c.ratio?, c.low?, c.high?);
            let of = capacity(&c.of)?.at_least_rps?;
            let versus = capacity(&c.versus)?.at_least_rps?;
            let text = format!("{} capacity ({} to {})", times(ratio), times(low), times(high));
            (c.verdict != Direction::Inconclusive).then(|| (of.min(versus), of.max(versus), text))
        });
        Self { slo_ns: view.slo_ns(race), capacities, arrow }
    }
}

fn draw(canvas: &mut Canvas, tracks: &[Track], promise: &Promise) {
    let (low, high) = extent(tracks).expect("a picture without figures is not made");
    let mut labels: Vec<Label> = tracks.iter().map(|track| label(track, promise)).collect();
    let (x, columns) = linear(top_rps(tracks));
    let low = promise.slo_ns.map_or(low, |slo| slo.min(low));
    let high = promise.slo_ns.map_or(high, |slo| slo.max(high));
    let (y, rows) = durations(low, high);
    let frame = Frame::beside(canvas, plot::room(canvas, &labels));
    let plot = Plot::new(x, y, frame);
    if let Some(slo) = promise.slo_ns {
        let broken = canvas.theme.alarm.mix(0.045);
        canvas.rectangle((frame.left, frame.top), (frame.right, plot.y(slo)), broken);
    }
    plot.rows(canvas, &rows, "p99 response time (log)");
    plot.columns(canvas, &columns, "Offered load (req/s)");
    let floor = promise.slo_ns.map_or(frame.top, |slo| plot.y(slo));
    for (style, capacity) in &promise.capacities {
        let colour = style.colour(&canvas.theme);
        let Some(least) = capacity.at_least_rps else { continue };
        let x = snapped(plot.x(least));
        if let Some(below) = capacity.below_rps {
            let end = plot.x(below).min(frame.right);
            canvas.rectangle((x, floor), (end, frame.bottom), colour.mix(0.13));
        }
        canvas.line(&[(x, floor), (x, frame.bottom)], colour.to_rgba(), 1.5);
    }
    if let Some(slo) = promise.slo_ns {
        plot.limit(canvas, slo, &format!("SLO p99 {}", Nanos(slo as u64)));
    }
    levels::draw(canvas, &plot, tracks, |ns| Nanos(ns as u64).to_string());
    if let Some((from, to, text)) = &promise.arrow {
        let y = frame.bottom - 22.0;
        arrow(canvas, (plot.x(*from) + 4.0, y), (plot.x(*to) - 4.0, y), text);
    }
    if tracks.iter().any(|track| track.saturated.is_some()) {
        let ink = Ink { px: 12.0, ..tick_ink(canvas) };
        let text = format!("\u{25cb} \u{25a1} {}: no percentile drawn", without_value(tracks));
        canvas.text(&text, (frame.right, frame.top - 24.0), ink, Anchor::End);
    }
    for (label, track) in labels.iter_mut().zip(tracks) {
        label.end = track.line().last().map(|end| plot.at(*end));
    }
    plot::draw_labels(canvas, frame, &labels);
}

fn label(track: &Track, promise: &Promise) -> Label {
    let line = track.line();
    let last = line.last().map(|(rps, ns)| format!("{} at {}", Nanos(*ns as u64), Rate(*rps)));
    let capacity = promise.capacities.iter().find(|(style, _)| *style == track.style);
    let kept = capacity.and_then(|(_, c)| match (c.at_least_rps, c.below_rps) {
        (Some(least), Some(below)) => {
            Some(format!("SLO to {}-{}/s", grouped(least), grouped(below)))
        }
        (Some(least), None) => Some(format!("SLO to {} or more", Rate(least))),
        (None, Some(below)) => Some(format!("SLO lost below {}", Rate(below))),
        (None, None) => None,
    });
    Label {
        name: track.name.clone(),
        style: track.style,
        details: kept.or(last).into_iter().collect(),
        // What it carries says it better.
        remark: track.saturated.clone().filter(|_| capacity.is_none()),
        end: None,
    }
}

/// An arrow to the right with `text` on it, or below it where it is too short.
fn arrow(canvas: &mut Canvas, from: (f64, f64), to: (f64, f64), text: &str) {
    let ink = Ink { px: 13.5, weight: Weight::SemiBold, colour: canvas.theme.text };
    let text = typeset(text);
    let colour = canvas.theme.text.to_rgba();
    canvas
        .polygon(&[(to.0 + 1.0, to.1), (to.0 - 7.0, to.1 - 4.0), (to.0 - 7.0, to.1 + 4.0)], colour);
    let (middle, half) = ((from.0 + to.0) / 2.0, width(&text, ink.px, ink.weight) / 2.0 + 8.0);
    if 2.0 * half < to.0 - from.0 - 24.0 {
        canvas.line(&[from, (middle - half, from.1)], colour, 1.0);
        canvas.line(&[(middle + half, from.1), to], colour, 1.0);
        canvas.label(&text, (middle, from.1), ink, Anchor::Middle);
    } else {
        canvas.line(&[from, to], colour, 1.0);
        canvas.label(&text, (middle, from.1 - 18.0), ink, Anchor::Middle);
    }
}
