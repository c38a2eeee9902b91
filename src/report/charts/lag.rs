//! The self-check: how late the generator itself was, beside what it may be.

use plotters::coord::combinators::LogCoord;
use plotters::style::Color;

use super::MAX_SERIES;
use super::canvas::{Anchor, Canvas, Dash, Ink};
use super::hdr::{bends, percent, points, timed};
use super::picture::{ChartKind, Picture};
use super::plot;
use super::plot::Label;
use super::plot::{Frame, Percentiles, Plot, Tick, durations, nines};
use super::text::{Weight, typeset, width};
use super::theme::Style;
use super::view::View;
use crate::judge::races::{Race, middle};
use crate::record::histogram::Ranked;
use crate::record::late::BOUND;
use crate::report::format::place;
use crate::stats::percentile::PRINTED;
use crate::text::{capital, clean, slug};
use crate::units::{Nanos, three_digits};

/// One for each open-loop race whose trials kept the generator's lateness.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    view.races.iter().filter_map(|race| picture(view, race)).collect()
}

/// Whether the generator's own lateness made up more of a p99 than a result may have: a page says so in red.
pub(crate) fn untrustworthy(race: &Race<'_>) -> bool {
    let latest = |entry: &crate::judge::races::Entry<'_>| {
        let share = middle(
            entry.trials.iter().filter_map(|t| t.validity.our_share.get("p99").copied()).collect(),
        );
        share.is_some_and(|share| share > BOUND) && entry.usable().count() == 0
    };
    race.entries.iter().any(latest)
}

/// The lateness while one contender was driven.
struct Line {
    name: String,
    style: Style,
    /// Quantile and lateness in ns.
    points: Vec<(f64, f64)>,
    p99_ns: Option<f64>,
}

fn picture<'a>(view: &View<'a>, race: &Race<'a>) -> Option<Picture<'a>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut limit: Vec<(f64, f64)> = Vec::new();
    for member in view.members(race.workload) {
        let Some(entry) = race.entry(member.name) else { continue };
        let merged = |of: fn(&crate::record::ByRequest) -> Option<&crate::record::Distribution>| {
            let mut all: Option<Ranked> = None;
            for kind in race.kinds() {
                if let Ok(Some(part)) = entry.merged(kind, of) {
                    match &mut all {
                        Some(all) => {
                            all.add(&part).expect("histograms of a run have the same digits");
                        }
                        None => all = Some(part),
                    }
                }
            }
            all
        };
        let Some(lag) = merged(|r| r.generator_lag_ns.as_ref()) else { continue };
        let last = 1.0 - PRINTED as f64 / lag.requests() as f64;
        lines.push(Line {
            name: member.label,
            style: member.style,
            points: points(&lag, last),
            p99_ns: timed(&lag, 0.99).filter(|_| last >= 0.99),
        });
        if let Some(response) = merged(|r| r.response_ns.as_ref()) {
            let may = points(&response, last).into_iter().map(|(q, ns)| (q, ns * BOUND));
            limit = lower(limit, may.collect());
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines.truncate(MAX_SERIES);
    if lines.is_empty() {
        return None;
    }
    let title = view.title(&place(race), finding(race, &lines));
    let mut chrome = view.chrome(
        title.clone(),
        "The generator's own lateness (actual less intended send) by percentile",
        &[race],
        "Line: the rounds that hold, merged. Dashed: a quarter of the fastest contender's response time: beyond it a percentile is an upper bound.",
    );
    if untrustworthy(race) {
        chrome.stamp = Some("NOT TRUSTWORTHY");
    }
    let told: Vec<String> = lines
        .iter()
        .filter_map(|line| Some(format!("{} p99 {}", line.name, Nanos(line.p99_ns? as u64))))
        .collect();
    let alt = format!("{title}. Lateness while each contender was driven: {}.", told.join("; "));
    let stem = format!("lag-{}-{}", slug(race.workload), slug(race.level));
    Some(Picture::new(ChartKind::Lag, stem, chrome, alt, move |canvas| {
        draw(canvas, &lines, &limit)
    }))
}

/// The lower of two curves over the same quantiles, as far as both go.
fn lower(a: Vec<(f64, f64)>, b: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if a.is_empty() {
        return b;
    }
    a.iter().zip(&b).map(|(a, b)| (a.0.min(b.0), a.1.min(b.1))).collect()
}

fn finding(race: &Race<'_>, lines: &[Line]) -> String {
    let late = lines.iter().filter_map(|line| line.p99_ns).fold(0.0, f64::max);
    let shares = race.entries.iter().filter_map(|entry| {
        middle(
            entry.trials.iter().filter_map(|t| t.validity.our_share.get("p99").copied()).collect(),
        )
    });
    let share =
        shares.fold(None, |most: Option<f64>, share| Some(most.map_or(share, |m| m.max(share))));
    let place = capital(&place(race));
    let share = match share {
        Some(share) if share < 0.0005 => ", in the median round less than 0.1 % of a p99".into(),
        Some(share) => format!(
            ", in the median round {} % of a p99",
            three_digits((share * 1_000.0).round() / 10.0)
        ),
        None => String::new(),
    };
    if untrustworthy(race) {
        format!("{}: not trustworthy, the generator was too late{share}", clean(&place))
    } else {
        format!("{place}: the generator was {} late at p99{share}", Nanos(late as u64))
    }
}

fn draw(canvas: &mut Canvas, lines: &[Line], limit: &[(f64, f64)]) {
    let label = |line: &Line| Label {
        name: line.name.clone(),
        style: line.style,
        details: line.p99_ns.map(|ns| format!("p99 {}", Nanos(ns as u64))).into_iter().collect(),
        remark: None,
        end: None,
    };
    let mut labels: Vec<Label> = lines.iter().map(label).collect();
    let values = || lines.iter().flat_map(|line| &line.points).chain(limit).map(|(_, ns)| *ns);
    let low = values().fold(f64::MAX, f64::min).max(100.0);
    let high = values().fold(low, f64::max);
    let last = lines.iter().filter_map(|line| line.points.last()).map(|(q, _)| nines(*q));
    let percentiles = Percentiles { nines: last.fold(1.0, f64::max) };
    let (y, rows) = durations(low, high);
    let frame = Frame::beside(canvas, plot::room(canvas, &labels));
    let plot: Plot<Percentiles, LogCoord<f64>> = Plot::new(percentiles, y, frame);
    let columns: Vec<Tick> = percentiles.ticks().map(|q| (q, percent(q))).collect();
    plot.rows(canvas, &rows, "Lateness (log)");
    plot.columns(canvas, &columns, "Percentile (log)");
    let within = |(q, ns): &(f64, f64)| {
        (nines(*q) <= percentiles.nines + 1e-9).then(|| plot.at((*q, ns.max(low))))
    };
    let path: Vec<_> = limit.iter().filter_map(within).collect();
    if path.len() > 1 {
        let near = path[path.len() * 2 / 5];
        let colour = canvas.theme.alarm;
        canvas.dashed(
            &bends(path.into_iter()),
            colour.to_rgba(),
            Dash { width: 1.5, on: 7, off: 4 },
        );
        let ink = Ink { px: 13.0, weight: Weight::SemiBold, colour };
        let text = typeset("limit: 25 % of the response time");
        let least = frame.left + width(&text, ink.px, ink.weight) + 6.0;
        let at = ((near.0 - 6.0).max(least), (near.1 - 14.0).max(frame.top + 9.0));
        canvas.label(&text, at, ink, Anchor::End);
    }
    for (label, line) in labels.iter_mut().zip(lines) {
        let colour = line.style.colour(&canvas.theme);
        let path: Vec<_> = line.points.iter().filter_map(within).collect();
        canvas.line(&bends(path.iter().copied()), colour.to_rgba(), 2.5);
        if let Some(end) = path.last() {
            canvas.mark(*end, 4.2, line.style, false);
        }
        label.end = path.last().copied();
    }
    plot::draw_labels(canvas, frame, &labels);
}
