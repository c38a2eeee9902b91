//! The HDR percentile plot: response time by percentile, one line for each contender.

use plotters::coord::combinators::LogCoord;
use plotters::prelude::Color;

use super::MAX_SERIES;
use super::canvas::{Anchor, Canvas, Dash, Ink, snapped};
use super::picture::{ChartKind, Picture};
use super::plot;
use super::plot::Label;
use super::plot::{Frame, Percentiles, Plot, Tick, durations, nines};
use super::text::{Weight, fitted, typeset};
use super::theme::Style;
use super::view::{Member, View, failed, late};
use crate::judge::races::{Entry, Race};
use crate::record::TrialVerdict;
use crate::record::histogram::Ranked;
use crate::record::late::Late;
use crate::report::format::{figure, place};
use crate::report::sentences::{saturated, title};
use crate::report::setting::loads;
use crate::stats::percentile::{PRINTED, at_rank, supported};
use crate::text::{clean, counted, listed, slug};
use crate::units::{Nanos, grouped};

/// The percentile plot of each workload, level and request kind that has response times.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let mut pictures = Vec::new();
    for race in &view.races {
        let kinds = race.kinds();
        for kind in &kinds {
            let has = |requests: &crate::record::ByRequest| requests.response_ns.is_some();
            let drawn = race
                .trials()
                .any(|trial| trial.saturated || trial.by_request.get(*kind).is_some_and(has));
            if drawn && !race.is_closed() {
                pictures.push(picture(view, race, kind, kinds.len() > 1));
            }
        }
    }
    pictures
}

fn picture<'a>(view: &View<'a>, race: &Race<'a>, kind: &str, several: bool) -> Picture<'a> {
    let mut stem = format!("hdr-{}-{}", slug(race.workload), slug(race.level));
    if several {
        stem = format!("{stem}-{}", slug(kind));
    }
    let members = view.members(race.workload);
    let mut series = series(race, &members, kind);
    let left_out = series.len().saturating_sub(MAX_SERIES);
    series.truncate(MAX_SERIES);
    let title = title(view.result, race, kind);
    let of_kind = if several { format!(" of {}", clean(kind)) } else { String::new() };
    let what = format!(
        "Response time{of_kind} from the intended start, {}, {}, {}",
        at_load(race),
        listed(&loads(race.trials())),
        samples(&series)
    );
    let failures = failed(&[race]) + &late(&[race], kind);
    let method = method(&series, left_out, !failed(&[race]).is_empty());
    let mut chrome = view.chrome(title.clone(), &what, &[race], &method);
    chrome.method += " A ratio: rounds paired, exact signed-rank.";
    let alt = format!(
        "{title}. Response time by percentile: {}{}.",
        figures(race, &members, kind),
        failures
    );
    let (floor, slo) = (view.result.floor_ns, view.slo_ns(race));
    Picture::new(ChartKind::Hdr, stem, chrome, alt, move |canvas| draw(canvas, &series, floor, slo))
}

/// `4,000/s` beside a level that is a share.
pub(super) fn at_load(race: &Race<'_>) -> String {
    let place = place(race);
    place.strip_prefix(&clean(race.workload)).unwrap_or(&place).trim().to_owned()
}

/// `n = 30,960 each`
fn samples(series: &[Series]) -> String {
    let samples = series.iter().map(|s| s.n).filter(|n| *n > 0);
    match (samples.clone().min(), samples.max()) {
        (Some(least), Some(most)) if least == most => format!("n = {} each", grouped(least as f64)),
        (Some(least), Some(most)) => {
            format!("n = {} to {} each", grouped(least as f64), grouped(most as f64))
        }
        _ => "no samples".into(),
    }
}

fn method(series: &[Series], left_out: usize, failures: bool) -> String {
    let drawn = || series.iter().filter(|s| !s.response.is_empty());
    let fail = if failures { " or the failures begin" } else { "" };
    let bound = drawn().any(|s| s.response.last().is_some_and(|(end, _)| *end >= s.bound_from));
    let mut method = format!(
        "Line: the rounds that hold, merged; it stops where fewer than 10 samples lie beyond{fail}. Hollow mark: p99.",
    );
    if drawn().count() <= SERVICE_LINES_UP_TO && drawn().any(|s| !s.service.is_empty()) {
        method += " Dashed: service time.";
    }
    if bound {
        method += " Dotted: an upper bound, over a quarter of it being the generator's lateness.";
    }
    if left_out > 0 {
        method += &format!(" Not drawn: {}.", counted(left_out, "contender"));
    }
    method
}

/// `event-loop p50 87 us, p99 412 us; ..`
pub(super) fn figures(race: &Race<'_>, members: &[Member<'_>], kind: &str) -> String {
    let figures = members.iter().filter_map(|member| {
        let entry = race.entry(member.name)?;
        let [p50, p99] = [500, 990].map(|per_mille| figure(entry.response(kind, per_mille)));
        Some(format!("{} p50 {p50}, p99 {p99}", member.label))
    });
    figures.collect::<Vec<_>>().join("; ")
}

fn draw(canvas: &mut Canvas, series: &[Series], floor_ns: Option<u64>, slo_ns: Option<f64>) {
    let drawn: Vec<&Series> = series.iter().filter(|s| !s.response.is_empty()).collect();
    if drawn.is_empty() {
        return nothing(canvas, series);
    }
    let mut labels: Vec<Label> = series.iter().map(label).collect();
    let lines = Lines::over(canvas, &drawn, plot::room(canvas, &labels));
    lines.axes(canvas);
    if let Some(floor) = floor_ns {
        lines.floor(canvas, floor as f64);
    }
    if let Some(slo) = slo_ns.filter(|slo| lines.holds(*slo)) {
        lines.plot.limit(canvas, slo, &format!("SLO p99 {}", Nanos(slo as u64)));
    }
    for one in &drawn {
        lines.draw(canvas, one, drawn.len() <= SERVICE_LINES_UP_TO);
    }
    for one in &drawn {
        lines.marks(canvas, one);
    }
    for (label, one) in labels.iter_mut().zip(series) {
        label.end = one.response.last().map(|end| lines.plot.at(*end));
    }
    plot::draw_labels(canvas, lines.plot.frame, &labels);
}

/// With more contenders than this, a second line for each hides more than it shows.
const SERVICE_LINES_UP_TO: usize = 2;
const LINE_PX: f64 = 2.5;
const MARK_PX: f64 = 4.2;

struct Lines {
    plot: Plot<Percentiles, LogCoord<f64>>,
    percentiles: Percentiles,
    ticks: Vec<Tick>,
}

impl Lines {
    fn over(canvas: &Canvas, drawn: &[&Series], labels: f64) -> Self {
        let values =
            || drawn.iter().flat_map(|s| s.response.iter().chain(s.visible_service(drawn.len())));
        let low = values().map(|(_, ns)| *ns).fold(f64::MAX, f64::min);
        let high = values().map(|(_, ns)| *ns).fold(0.0, f64::max);
        let last = drawn.iter().filter_map(|s| s.response.last()).map(|(q, _)| nines(*q));
        let percentiles = Percentiles { nines: last.fold(1.0, f64::max) };
        let (y, ticks) = durations(low, high);
        let plot = Plot::new(percentiles, y, Frame::beside(canvas, labels));
        Self { plot, percentiles, ticks }
    }

    fn holds(&self, ns: f64) -> bool {
        ns >= self.ticks[0].0 && ns <= self.ticks[self.ticks.len() - 1].0
    }

    fn axes(&self, canvas: &mut Canvas) {
        let frame = self.plot.frame;
        let dots = Dash { width: 1.0, on: 2, off: 4 };
        for quantile in self.percentiles.ticks().filter(|quantile| *quantile > 0.0) {
            let x = snapped(self.plot.x(quantile));
            let grid = canvas.theme.grid.to_rgba();
            canvas.dashed(&[(x, frame.top), (x, frame.bottom)], grid, dots);
        }
        self.plot.rows(canvas, &self.ticks, "Response time (log)");
        let ticks: Vec<Tick> = self.percentiles.ticks().map(|q| (q, percent(q))).collect();
        self.plot.columns(canvas, &ticks, "Percentile (log)");
    }

    /// The response time that no model can beat.
    fn floor(&self, canvas: &mut Canvas, ns: f64) {
        if !self.holds(ns) {
            return;
        }
        let (frame, y) = (self.plot.frame, snapped(self.plot.y(ns)));
        let colour = canvas.theme.muted;
        let dash = Dash { width: 1.5, on: 7, off: 4 };
        canvas.dashed(&[(frame.left, y), (frame.right, y)], colour.to_rgba(), dash);
        let ink = Ink { px: plot::DETAIL_PX, weight: Weight::Regular, colour };
        let text = typeset(&format!("floor {}", Nanos(ns as u64)));
        let beside = if y + 22.0 < frame.bottom { y + 12.0 } else { y - 12.0 };
        canvas.label(&text, (frame.right - 8.0, beside), ink, Anchor::End);
    }

    fn draw(&self, canvas: &Canvas, series: &Series, with_service: bool) {
        let colour = series.style.colour(&canvas.theme);
        let path = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            bends(points.iter().map(|point| self.plot.at(*point)))
        };
        if with_service && !series.service.is_empty() {
            let dash = Dash { width: 1.5, on: 4, off: 4 };
            canvas.dashed(&path(&series.service), colour.mix(0.9), dash);
        }
        let known = series.response.partition_point(|(quantile, _)| *quantile < series.bound_from);
        canvas.line(&path(&series.response[..known]), colour.to_rgba(), LINE_PX);
        if known < series.response.len() {
            let dash = Dash { width: LINE_PX, on: 2, off: 3 };
            let bound = path(&series.response[known.saturating_sub(1)..]);
            canvas.dashed(&bound, colour.to_rgba(), dash);
        }
    }

    /// A hollow mark at p99 and a full one where the line ends.
    fn marks(&self, canvas: &Canvas, series: &Series) {
        if let Some(ns) = series.p99_ns {
            canvas.mark(self.plot.at((0.99, ns)), MARK_PX + 0.3, series.style, true);
        }
        if let Some(end) = series.response.last() {
            canvas.mark(self.plot.at(*end), MARK_PX, series.style, false);
        }
        for quantile in self.percentiles.ticks() {
            let point = series.response.iter().find(|(at, _)| *at >= quantile - 1e-9);
            if let Some(point) = point {
                let (name, at) = (&series.name, percent(quantile));
                let bound = if quantile >= series.bound_from { "<= " } else { "" };
                let at = at.trim_end_matches('%');
                let text = format!("{name}, p{at}: {bound}{}", Nanos(point.1 as u64));
                canvas.tip(self.plot.at(*point), text);
            }
        }
    }
}

impl Series {
    fn visible_service(&self, drawn: usize) -> &[(f64, f64)] {
        if drawn <= SERVICE_LINES_UP_TO { &self.service } else { &[] }
    }
}

/// A name, where its line ends, and what must be known of it.
fn label(series: &Series) -> Label {
    let end = series.response.last().map(|(quantile, ns)| {
        let bound = if *quantile >= series.bound_from { "<= " } else { "" };
        format!("p{} {bound}{}", percent(*quantile).trim_end_matches('%'), Nanos(*ns as u64))
    });
    Label {
        name: series.name.clone(),
        style: series.style,
        details: end.into_iter().collect(),
        remark: series.remark.clone(),
        end: None,
    }
}

/// What stands in the place of a plot that has no line.
fn nothing(canvas: &mut Canvas, series: &[Series]) {
    let (centre, middle) = (canvas.width / 2.0, canvas.height / 2.0);
    let ink = Ink { px: 17.0, weight: Weight::SemiBold, colour: canvas.theme.text };
    canvas.text("No percentile can be drawn", (centre, middle - 30.0), ink, Anchor::Middle);
    let ink = Ink { px: 14.5, weight: Weight::Regular, colour: canvas.theme.muted };
    for (place, one) in series.iter().take(8).enumerate() {
        let remark = one.remark.as_deref().unwrap_or("no response time");
        let text = fitted(&format!("{}: {remark}", one.name), 14.5, Weight::Regular, centre * 1.6);
        canvas.text(&text, (centre, middle + 24.0 * place as f64), ink, Anchor::Middle);
    }
}

/// A path without the points that lie on the straight line between their neighbours: a third of the file.
pub(super) fn bends(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
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

/// `99.9%`; two digits after the last nine, so that 99.968 % is not called 99.97 or 100.
pub(super) fn percent(quantile: f64) -> String {
    let decimals = (nines(quantile).floor().max(2.0) - 2.0) as usize + 2;
    let scale = 10_f64.powi(decimals as i32);
    let text = format!("{:.decimals$}", (quantile * 100.0 * scale + 1e-6).floor() / scale);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What the plot shows of a contender: a line, or the reason why there is none.
struct Series {
    name: String,
    style: Style,
    /// Quantile and response time in ns, from the least to the last quantile that is supported; empty if none is.
    response: Vec<(f64, f64)>,
    /// The same of the service time.
    service: Vec<(f64, f64)>,
    /// The quantile from which on the line is an upper bound, the generator having been late; beyond its end where it is
    /// none.
    bound_from: f64,
    /// Response time at p99, where the line reaches it.
    p99_ns: Option<f64>,
    /// Merged requests.
    n: u64,
    /// Why there is no line, or what must be known of it.
    remark: Option<String>,
}

/// Each contender of a race, in the order of `members`.
fn series(race: &Race<'_>, members: &[Member<'_>], kind: &str) -> Vec<Series> {
    members.iter().filter_map(|member| Some(one(race.entry(member.name)?, kind, member))).collect()
}

fn one(entry: &Entry<'_>, kind: &str, member: &Member<'_>) -> Series {
    let mut series = Series {
        name: member.label.clone(),
        style: member.style,
        response: Vec::new(),
        service: Vec::new(),
        bound_from: bound_from(entry, kind),
        p99_ns: None,
        n: 0,
        remark: remark(entry),
    };
    if entry.is_saturated() {
        series.remark = saturated(entry).map(|rates| format!("saturated: {rates}"));
        return series;
    }
    match entry.merged(kind, |requests| requests.response_ns.as_ref()) {
        Ok(Some(requests)) => {
            let limit = last_quantile(&requests);
            series.n = requests.requests();
            series.response = points(&requests, limit);
            series.p99_ns = timed(&requests, 0.99).filter(|_| limit >= 0.99);
            if let Ok(Some(service)) = entry.merged(kind, |requests| requests.service_ns.as_ref()) {
                series.service = points(&service, limit);
            }
            if series.response.is_empty() {
                series.remark = Some(why_empty(series.n));
            }
        }
        // Its remark says that it lost them.
        Ok(None) if entry.lost().next().is_some() => {}
        Ok(None) if entry.usable().count() == 0 => {
            series.remark = Some("no round that holds".into())
        }
        Ok(None) => series.remark = Some("no response time".into()),
        Err(_) => series.remark = Some("its histogram cannot be read".into()),
    }
    series
}

/// The lowest of the percentiles that are upper bounds.
fn bound_from(entry: &Entry<'_>, kind: &str) -> f64 {
    let bound = |per_mille: &u64| entry.response(kind, *per_mille).late() == Late::Bound;
    [500, 900, 990, 999].iter().find(|it| bound(it)).map_or(1.0, |it| *it as f64 / 1_000.0)
}

/// Why not even the median may be shown.
fn why_empty(n: u64) -> String {
    if supported(n, 0.5) {
        "most requests failed".into()
    } else {
        format!("too few samples: {}", grouped(n as f64))
    }
}

/// What must be known of a line: rounds that are marked, or saturated while most are not.
fn remark(entry: &Entry<'_>) -> Option<String> {
    let (validity, saturated) = (entry.validity(), entry.saturated_rounds());
    let lost = entry.lost().count();
    if lost > 0 {
        return Some(format!("lost {lost} of {} rounds", entry.counted().count()));
    }
    if saturated > 0 {
        return Some(format!("saturated in {saturated} of {} rounds", validity.rounds));
    }
    (validity.worst > TrialVerdict::Valid).then(|| {
        let verdict = validity.worst.word();
        format!("{verdict}: {} of {} rounds valid", validity.valid, validity.rounds)
    })
}

/// How far a line may be drawn: enough samples beyond, and fewer failures than lie beyond.
fn last_quantile(merged: &Ranked) -> f64 {
    let sampled = 1.0 - PRINTED as f64 / merged.requests() as f64;
    let answered = merged.times.len() as f64 / merged.requests() as f64;
    sampled.min(answered).min(MAX_QUANTILE)
}

/// Six nines: ten million samples, beyond any run.
const MAX_QUANTILE: f64 = 0.999_999;

/// The requests from the fastest to `limit` or the first failure, at even steps of the axis; nothing below the median.
pub(super) fn points(requests: &Ranked, limit: f64) -> Vec<(f64, f64)> {
    if limit < 0.5 {
        return Vec::new();
    }
    let end = nines(limit);
    (0..=STEPS)
        .map(|step| 1.0 - 10_f64.powf(-end * f64::from(step) / f64::from(STEPS)))
        .map_while(|quantile| Some((quantile, timed(requests, quantile)?)))
        .collect()
}

/// The time at a quantile, ns; nothing where it is a failure's.
pub(super) fn timed(requests: &Ranked, quantile: f64) -> Option<f64> {
    at_rank(&requests.times, requests.failures, quantile).time().map(|ns| ns.max(1) as f64)
}

/// Finer than a reader sees at 1,200 px.
const STEPS: u32 = 240;

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
