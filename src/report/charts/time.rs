//! Where the time goes: the parts of a response time, one bar for each contender.

use plotters::style::{Color, RGBAColor};

use super::MAX_SERIES;
use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::picture::{ChartKind, MARGIN, Picture};
use super::plot::{Frame, Plot, duration, linear, tick_ink};
use super::text::{Weight, fitted_name, typeset, width};
use super::theme::Style;
use super::view::{Member, View};
use crate::judge::races::{Entry, Race, middle};
use crate::record::{ByRequest, Trial};
use crate::report::format::place;
use crate::text::{capital, clean, slug};
use crate::units::Nanos;
use plotters::coord::types::RangedCoordf64;

/// One for each open-loop race and request kind whose service times are known.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let mut pictures = Vec::new();
    for race in view.races.iter().filter(|race| !race.is_closed()) {
        let kinds = race.kinds();
        for kind in &kinds {
            pictures.extend(picture(view, race, kind, kinds.len() > 1));
        }
    }
    pictures
}

/// The parts of a response time in ns, in the order in which they pass.
type Parts = [f64; PARTS.len()];

const POOL_WAIT: usize = 2;
const PARTS: [&str; 5] = ["generator late", "backlog", "pool wait", "CPU", "other waiting"];
/// How strong each part's colour is.
const STRENGTH: [f64; PARTS.len()] = [0.12, 0.25, 0.45, 1.0, 0.68];

struct Bar {
    name: String,
    style: Style,
    /// `mean`, `p50`, `p99`
    of: &'static str,
    parts: Parts,
}

fn picture<'a>(view: &View<'a>, race: &Race<'a>, kind: &str, several: bool) -> Option<Picture<'a>> {
    let members = view.members(race.workload);
    let alone = !several;
    let bars: Vec<Bar> = members
        .iter()
        .take(MAX_SERIES)
        .filter_map(|member| Some((member, race.entry(member.name)?)))
        .flat_map(|(member, entry)| bars(member, entry, kind, alone))
        .collect();
    let biggest = bars.iter().max_by(|a, b| a.total().total_cmp(&b.total()))?;
    let place = if several {
        format!("{}, {}", capital(&place(race)), clean(kind))
    } else {
        capital(&place(race))
    };
    let (part, share) = biggest.largest();
    let found = format!(
        "{place}: {share:.0} % of {}'s {} response time is {}",
        biggest.name, biggest.of, PARTS[part]
    );
    let title = view.title(&place, found);
    let near = bars.iter().any(|bar| bar.of != "mean");
    let what = match near {
        true => "Where the response time went: its mean, and that of the requests near p50 and p99",
        false => "The mean response time by where it went",
    };
    let mut method = "CPU is the contender's mean per request, kernel and idle cost included, as far as it fits into the service time; other waiting is the rest of it.".to_owned();
    if near && bars.iter().any(|bar| bar.parts[POOL_WAIT] >= 1.0) {
        method += " At p50 and p99 that includes pool wait, of which only the mean is known.";
    }
    let chrome = view.chrome(title.clone(), what, &[race], &method);
    let told: Vec<String> = bars.iter().map(Bar::told).collect();
    let alt = format!("{title}. {}.", told.join("; "));
    let mut stem = format!("time-{}-{}", slug(race.workload), slug(race.level));
    if several {
        stem = format!("{stem}-{}", slug(kind));
    }
    Some(Picture::new(ChartKind::Time, stem, chrome, alt, move |canvas| draw(canvas, &bars)))
}

/// The bars of a contender: of the mean, and at p50 and p99 where the samples support them. Parts of means add up.
fn bars(member: &Member<'_>, entry: &Entry<'_>, kind: &str, alone: bool) -> Vec<Bar> {
    if entry.is_saturated() {
        return Vec::new();
    }
    let bar = |of, parts| Bar { name: member.label.clone(), style: member.style, of, parts };
    let means = medians(entry, |trial| means(trial, kind, alone));
    let near = [(500, "p50"), (990, "p99")].into_iter().filter_map(|(per_mille, of)| {
        Some(bar(of, medians(entry, |trial| spent(trial, kind, per_mille, alone))?))
    });
    means.map(|parts| bar("mean", parts)).into_iter().chain(near).collect()
}

/// The median of each part over the rounds that hold.
fn medians(entry: &Entry<'_>, of: impl Fn(&Trial) -> Option<Parts>) -> Option<Parts> {
    let rounds: Vec<Parts> =
        entry.usable().filter(|trial| !trial.saturated).filter_map(of).collect();
    let mut parts = Parts::default();
    for (index, part) in parts.iter_mut().enumerate() {
        *part = middle(rounds.iter().map(|round| round[index]).collect())?;
    }
    Some(parts)
}

/// The pool wait of single requests is not known: it is among the waiting.
fn spent(trial: &Trial, kind: &str, per_mille: u32, alone: bool) -> Option<Parts> {
    let spent = &trial.by_request.get(kind)?.spent;
    let near = spent.iter().find(|spent| spent.per_mille == per_mille)?;
    let cpu = cpu(trial, alone).min(near.service_ns);
    Some([near.lag_ns, near.backlog_ns, 0.0, cpu, near.service_ns - cpu])
}

/// ns per request, where the trial had requests of one kind alone.
fn cpu(trial: &Trial, alone: bool) -> f64 {
    trial.server.cpu_us_per_request.filter(|_| alone).map_or(0.0, |us| us * 1e3)
}

/// CPU and pool wait are known for all kinds together, so a mix of kinds has them among the waiting.
fn means(trial: &Trial, kind: &str, alone: bool) -> Option<Parts> {
    let requests: &ByRequest = trial.by_request.get(kind)?;
    let mean = |d: &Option<crate::record::Distribution>| d.as_ref().and_then(|d| d.mean);
    let service = mean(&requests.service_ns)?;
    let pool = mean(&trial.pool_wait_ns).filter(|_| alone).unwrap_or(0.0).min(service);
    let cpu = cpu(trial, alone).min(service - pool);
    let lag = mean(&requests.generator_lag_ns).unwrap_or(0.0);
    // Requests that failed have a backlog and no response: no more of it than is left of the others' response.
    let left = mean(&requests.response_ns).map_or(f64::INFINITY, |response| response - service);
    let backlog = mean(&requests.backlog_ns).unwrap_or(0.0).min(left.max(0.0));
    Some([lag, backlog, pool, cpu, service - pool - cpu])
}

impl Bar {
    fn total(&self) -> f64 {
        self.parts.iter().sum()
    }

    /// The largest part and its share in percent.
    fn largest(&self) -> (usize, f64) {
        let largest = (0..PARTS.len())
            .max_by(|a, b| self.parts[*a].total_cmp(&self.parts[*b]))
            .expect("there are parts");
        (largest, 100.0 * self.parts[largest] / self.total().max(f64::MIN_POSITIVE))
    }

    fn told(&self) -> String {
        let parts: Vec<String> = (0..PARTS.len())
            .filter(|part| self.parts[*part] >= 1.0)
            .map(|part| format!("{} {}", PARTS[part], Nanos(self.parts[part] as u64)))
            .collect();
        format!("{} {}: {}", self.name, self.of, parts.join(", "))
    }
}

fn draw(canvas: &mut Canvas, bars: &[Bar]) {
    let high = bars.iter().map(Bar::total).fold(1.0, f64::max);
    let (unit_ns, _) = unit(high);
    let (x, ticks) = linear(high / unit_ns);
    let frame = Frame {
        left: MARGIN + (canvas.width * 0.28).min(250.0),
        right: canvas.width - MARGIN - 90.0,
        top: canvas.head + 68.0,
        bottom: canvas.foot - 69.0,
    };
    let plot: Plot<RangedCoordf64, RangedCoordf64> =
        Plot::new(x, (0.0..bars.len() as f64).into(), frame);
    let theme = canvas.theme;
    let ticks: Vec<_> = ticks
        .into_iter()
        .map(|(value, _)| {
            let text = if value > 0.0 { duration(value * unit_ns) } else { "0".into() };
            (value, text)
        })
        .collect();
    for (value, _) in &ticks {
        let x = snapped(plot.x(*value));
        canvas.line(&[(x, frame.top), (x, frame.bottom)], theme.grid.to_rgba(), 1.0);
    }
    plot.columns(canvas, &ticks, "Response time");
    let tall = frame.height() / bars.len() as f64;
    let thick = (tall * 0.56).min(46.0);
    for (index, bar) in bars.iter().enumerate() {
        let y = frame.top + tall * (index as f64 + 0.5);
        let ink = Ink { px: 14.5, weight: Weight::SemiBold, colour: bar.style.colour(&theme) };
        let first = index == 0 || bars[index - 1].name != bar.name;
        let name = if first { bar.name.as_str() } else { "" };
        let name = fitted_name(name, ink.px, ink.weight, frame.left - MARGIN - 50.0);
        canvas.text(&name, (MARGIN, y), ink, Anchor::Start);
        let small = tick_ink(canvas);
        canvas.text(bar.of, (frame.left - 10.0, y), small, Anchor::End);
        let mut from = 0.0;
        for (part, ns) in bar.parts.iter().enumerate() {
            let to = from + ns;
            let corners = (plot.x(from / unit_ns), plot.x(to / unit_ns));
            segment(canvas, bar.style, part, corners, (y, thick));
            if *ns >= 1.0 {
                let text =
                    format!("{} {}: {} {}", bar.name, bar.of, PARTS[part], Nanos(*ns as u64));
                canvas.tip(((corners.0 + corners.1) / 2.0, y), text);
            }
            from = to;
        }
        let total = typeset(&Nanos(bar.total() as u64).to_string());
        let ink = Ink { px: 13.0, weight: Weight::SemiBold, colour: theme.text };
        canvas.text(&total, (plot.x(from / unit_ns) + 10.0, y), ink, Anchor::Start);
    }
    key(canvas, frame);
}

/// The unit in which an axis up to `high` ns has round ticks.
fn unit(high: f64) -> (f64, &'static str) {
    match high {
        h if h < 1e3 => (1.0, "ns"),
        h if h < 1e6 => (1e3, "us"),
        h if h < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

fn segment(
    canvas: &mut Canvas,
    style: Style,
    part: usize,
    (from, to): (f64, f64),
    (y, thick): (f64, f64),
) {
    if to - from < 0.75 {
        return;
    }
    let corners = ((from, y - thick / 2.0), (to - 0.75, y + thick / 2.0));
    // First what hides the grid: a weak colour lets it through.
    canvas.rectangle(corners.0, corners.1, canvas.theme.background.to_rgba());
    canvas.rectangle(corners.0, corners.1, fill(canvas, style, part));
    if part == 0 || part == 1 {
        let lines = style.colour(&canvas.theme).mix(0.6);
        canvas.hatch(corners.0, corners.1, lines);
    }
}

fn fill(canvas: &Canvas, style: Style, part: usize) -> RGBAColor {
    style.colour(&canvas.theme).mix(STRENGTH[part])
}

/// What the strengths stand for, in grey: each contender has them in its colour.
fn key(canvas: &mut Canvas, frame: Frame) {
    let theme = canvas.theme;
    let y = frame.top - 22.0;
    let wide = |name: &&str| 30.0 + width(name, 13.0, Weight::Regular) + 28.0;
    let all: f64 = PARTS.iter().map(wide).sum();
    // Above the bars, or further to the left where it is wider than they are.
    let mut x = frame.left.min(canvas.width - MARGIN - all).max(MARGIN);
    for (part, name) in PARTS.iter().enumerate() {
        let corners = ((x, y - 7.0), (x + 22.0, y + 7.0));
        canvas.rectangle(corners.0, corners.1, theme.muted.mix(STRENGTH[part]));
        if part < 2 {
            canvas.hatch(corners.0, corners.1, theme.muted.mix(0.6));
        }
        let ink = Ink { px: 13.0, weight: Weight::Regular, colour: theme.text };
        canvas.text(name, (x + 30.0, y), ink, Anchor::Start);
        x += wide(name);
    }
}
