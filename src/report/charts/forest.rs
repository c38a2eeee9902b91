//! The ratio forest: every metric of one contender against another's, with right meaning that the first is better.

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::types::RangedCoordf64;
use plotters::style::{Color, RGBColor};

use super::canvas::{Anchor, Canvas, Ink, snapped};
use super::picture::{ChartKind, MARGIN, Picture};
use super::plot::{Frame, Plot, name_ink, tick_ink};
use super::text::{Weight, fitted, fitted_name, typeset, width};
use super::theme::ColourFamily;
use super::view::{Member, View};
use crate::judge::cell::{ZONE, belongs, ends, more_is_better};
use crate::judge::races::Race;
use crate::record::metric::label;
use crate::record::{Comparison, Direction};
use crate::report::comparison::{confidence, families};
use crate::report::format::load;
use crate::text::{clean, counted, distinct, slug, times};
use crate::units::decimals;

/// The pair of `of` and `versus`, where those are given; else the first contender against the first of another colour.
pub(super) fn pictures<'a>(view: &View<'a>, pair: Option<(&str, &str)>) -> Vec<Picture<'a>> {
    let Some((of, versus)) = pair.map(|(a, b)| (a.into(), b.into())).or_else(|| usual(view)) else {
        return Vec::new();
    };
    picture(view, &of, &versus).into_iter().collect()
}

/// The two that a reader wants to see: who awaits against who blocks.
fn usual(view: &View<'_>) -> Option<(String, String)> {
    let first = view.result.comparisons.first()?;
    let members = view.members(&first.workload);
    let base = members.iter().find(|member| member.name == first.versus)?;
    let family = |member: &Member<'_>| member.style.family();
    let others = || {
        members.iter().filter(|member| {
            let is = |c: &&Comparison| c.versus == base.name && c.of == member.name;
            view.result.comparisons.iter().any(|c| is(&c))
        })
    };
    let other = others().find(|member| family(member) != family(base)).or(others().next())?;
    let (a, b) = if family(base) == ColourFamily::Threaded { (other, base) } else { (base, other) };
    Some((a.name.to_owned(), b.name.to_owned()))
}

/// One comparison, turned so that a ratio above 1 says that the first contender is better.
struct ForestRow {
    metric: String,
    /// Workload, load, dependency and request kind, as far as they differ between rows.
    place: Vec<String>,
    /// Advantage, lower and upper limit.
    advantage: Option<(f64, f64, f64)>,
    /// Whether the interval lies on one side of 1.
    clear: bool,
    /// `2.78x lower`
    found: String,
    /// `[2.33, 3.23]`
    interval: String,
}

fn picture<'a>(view: &View<'a>, of: &str, versus: &str) -> Option<Picture<'a>> {
    let mut rows: Vec<ForestRow> = Vec::new();
    let (mut n, mut drawn) = (0, Vec::new());
    for c in &view.result.comparisons {
        let turned = match (c.of == of && c.versus == versus, c.of == versus && c.versus == of) {
            (true, _) => c.clone(),
            (_, true) => inverted(c),
            _ => continue,
        };
        n = n.max(c.n);
        rows.push(row(view, &turned));
        drawn.push(turned);
    }
    rows.sort_by_key(|row| METRICS.iter().position(|m| row.metric.starts_with(m)));
    let left_out = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let workload = &view.result.comparisons.first()?.workload;
    let member = |name: &str| {
        let members = view.members(workload);
        members.into_iter().find(|member| member.name == name)
    };
    let (a, b) = (member(of)?, member(versus)?);
    if rows.is_empty() {
        return None;
    }
    let alone = drawn.iter().all(|c| c.headline_confidence.is_some() || c.metric == "capacity");
    let mark = if alone { "" } else { " (exploratory)" };
    let title = view.title("this comparison", finding(&rows, &a, &b) + mark);
    let common = common(&mut rows);
    let races: Vec<&Race<'_>> = view.races.iter().collect();
    let mut what =
        format!("Advantage ratio, log scale: right of 1x {} is better, left {}", a.label, b.label);
    if !common.is_empty() {
        what += &format!("; {}", common.join(" "));
    }
    let mut method = format!(
        "Whisker: {}; grey zone: within +-5 %; hollow: no clear difference.",
        super::view::interval_words(n as usize)
    );
    let headline = drawn.iter().find(|c| c.headline_confidence.is_some());
    if let Some(c) = headline {
        method += &format!(" The headline's: {}.", confidence(c));
    }
    let run = families(&view.result.comparisons);
    method += &run.map_or_else(String::new, |said| format!(" Of the whole run: {said}"));
    if left_out > 0 {
        method += &format!(" {} not drawn.", counted(left_out, "comparison"));
    }
    let chrome = view.chrome(title.clone(), &what, &races, &method);
    let told = rows
        .iter()
        .map(|r| format!("{} {}: {} {}", r.metric, r.place.join(" "), r.found, r.interval));
    let alt = format!("{title}. {}.", told.collect::<Vec<_>>().join("; "));
    let stem = format!("forest-{}-{}", slug(of), slug(versus));
    Some(Picture::new(ChartKind::Forest, stem, chrome, alt, move |canvas| {
        draw(canvas, &rows, &a, &b)
    }))
}

/// The order of the metrics; what is not here comes first.
const METRICS: [&str; 7] = ["capacity", "throughput", "p50", "p99", "CPU", "memory", "peak RSS"];

/// Rows for which there is room.
const MAX_ROWS: usize = 13;

/// versus against of.
fn inverted(c: &Comparison) -> Comparison {
    Comparison {
        of: c.versus.clone(),
        versus: c.of.clone(),
        ratio: c.ratio.map(|r| 1.0 / r),
        low: c.high.map(|r| 1.0 / r),
        high: c.low.map(|r| 1.0 / r),
        lost_of: c.lost_versus,
        lost_versus: c.lost_of,
        verdict: match c.verdict {
            Direction::Higher => Direction::Lower,
            Direction::Lower => Direction::Higher,
            other => other,
        },
        ..c.clone()
    }
}

fn row(view: &View<'_>, c: &Comparison) -> ForestRow {
    let race = view.races.iter().find(|race| belongs(race, c));
    let load = race.map_or_else(|| format!("at {}", clean(&c.at)), load);
    let load = load.replace("each one's own", "own");
    let dependency = race.and_then(Race::dependency).map(|what| format!("behind {}", clean(what)));
    let several = race.is_some_and(|race| race.kinds().len() > 1);
    let kind = c.request.as_deref().filter(|_| several).map(|kind| format!("({})", clean(kind)));
    let place = [Some(clean(&c.workload)), Some(load), dependency, kind];
    let lost = c.lost_of + c.lost_versus > 0;
    let clear = c.verdict != Direction::Inconclusive && (c.low.or(c.high).is_some() || lost);
    let better = more_is_better(&c.metric);
    // With an open end there is a bound of the ratio and no ratio: the bound stands for it.
    let bound = c.low.or(c.high).filter(|_| clear);
    let advantage = c.ratio.or(bound).map(|ratio| {
        let (low, high) = match c.ratio {
            Some(_) => ends(c),
            None => (c.low.unwrap_or(0.0), c.high.unwrap_or(f64::INFINITY)),
        };
        if better { (ratio, low, high) } else { (1.0 / ratio, 1.0 / high, 1.0 / low) }
    });
    let saturated =
        |name: &str| race.and_then(|r| r.entry(name)).is_some_and(|entry| entry.is_saturated());
    let found = match c.ratio {
        None if !lost && bound.is_some() => {
            let bound = bound.unwrap_or(1.0);
            let word = if bound < 1.0 { "lower" } else { "higher" };
            format!("at least {} {word}", times(bound.max(1.0 / bound)))
        }
        None if lost => {
            let lost = |lost: u32| (lost > 0).then(|| format!("lost {lost}"));
            [lost(c.lost_of), lost(c.lost_versus)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ")
        }
        None if saturated(&c.of) || saturated(&c.versus) => "saturated".into(),
        None => "not compared".into(),
        Some(ratio) if clear => {
            let word = if ratio < 1.0 { "lower" } else { "higher" };
            format!("{} {word}", times(if ratio < 1.0 { 1.0 / ratio } else { ratio }))
        }
        Some(_) if c.low.is_none() && !lost => "too few rounds".into(),
        Some(_) => "unclear".into(),
    };
    let turned = c.ratio.filter(|r| clear && *r < 1.0).is_some();
    let interval = match (c.low, c.high) {
        (Some(low), Some(high)) if turned => between(1.0 / high, 1.0 / low),
        (Some(low), Some(high)) => between(low, high),
        _ => format!("n = {}", c.n),
    };
    let place = place.into_iter().flatten().collect();
    ForestRow { metric: label(&c.metric).into_owned(), place, advantage, clear, found, interval }
}

/// `[2.33, 3.23]`
fn between(low: f64, high: f64) -> String {
    let places = if high < 100.0 { 2 } else { 0 };
    format!("[{}, {}]", decimals(low, places), decimals(high, places))
}

/// Takes from the rows' places what is the same in all of them.
fn common(rows: &mut [ForestRow]) -> Vec<String> {
    let mut common = rows.first().map(|row| row.place.clone()).unwrap_or_default();
    common.retain(|part| rows.iter().all(|row| row.place.contains(part)));
    rows.iter_mut().for_each(|row| row.place.retain(|part| !common.contains(part)));
    common
}

fn finding(rows: &[ForestRow], a: &Member<'_>, b: &Member<'_>) -> String {
    let clear = || rows.iter().filter(|row| row.clear).filter_map(|row| row.advantage);
    let first = clear().filter(|(ratio, ..)| *ratio > 1.0).count();
    let second = clear().filter(|(ratio, ..)| *ratio < 1.0).count();
    let rest = rows.len() - first - second;
    let mut parts = Vec::new();
    let metrics = |better: bool| {
        let rows = rows.iter().filter(|row| {
            row.clear && row.advantage.is_some_and(|(ratio, ..)| (ratio > 1.0) == better)
        });
        distinct(rows.map(|row| row.metric.as_str())).join(", ")
    };
    for (count, name, better) in [(first, &a.label, true), (second, &b.label, false)] {
        if count > 0 {
            parts.push(format!("{name} is better in {count} ({})", metrics(better)));
        }
    }
    if rest > 0 {
        parts.push(format!("{rest} unclear"));
    }
    format!("Of {}: {}", counted(rows.len(), "comparison"), parts.join("; "))
}

fn draw(canvas: &mut Canvas, rows: &[ForestRow], a: &Member<'_>, b: &Member<'_>) {
    let reach = rows.iter().filter_map(|row| row.advantage);
    let far = reach.map(|(_, low, high)| high.max(1.0 / low)).fold(2.2, f64::max).min(FAR) * 1.15;
    let columns = Columns::of(canvas);
    let frame = Frame {
        left: (canvas.width * 0.35).max(300.0),
        right: columns.found - columns.found_room - 20.0,
        top: canvas.head + 68.0,
        bottom: canvas.foot - 43.0,
    };
    let x: LogCoord<f64> = (1.0 / far..far).log_scale().into();
    let plot: Plot<LogCoord<f64>, RangedCoordf64> =
        Plot::new(x, (0.0..rows.len() as f64).into(), frame);
    let theme = canvas.theme;
    let zone = (plot.x(1.0 / ZONE), plot.x(ZONE));
    canvas.rectangle((zone.0, frame.top), (zone.1, frame.bottom), theme.neutral.to_rgba());
    let small = tick_ink(canvas);
    let ladder: &[f64] = if far < 6.0 { &[2.0, 4.0] } else { &[10.0, 100.0, 2.0, 5.0] };
    let ladder = ladder.iter().filter(|tick| **tick < far);
    let mut taken: Vec<f64> = Vec::new();
    for tick in [1.0].into_iter().chain(ladder.flat_map(|tick| [*tick, 1.0 / tick])) {
        let x = snapped(plot.x(tick));
        if taken.iter().any(|other| (other - x).abs() < TICKS_APART) {
            continue;
        }
        taken.push(x);
        let colour = if tick == 1.0 { theme.muted } else { theme.grid };
        canvas.line(&[(x, frame.top), (x, frame.bottom)], colour.to_rgba(), 1.0);
        let text = typeset(&format!("{}x", tick.max(1.0 / tick).round()));
        canvas.text(&text, (x, frame.bottom + 16.0), small, Anchor::Middle);
    }
    sides(canvas, &plot, &columns, a, b);
    let tall = frame.height() / rows.len() as f64;
    for (index, row) in rows.iter().enumerate() {
        let y = frame.top + tall * (index as f64 + 0.5);
        let first = index == 0 || rows[index - 1].metric != row.metric;
        if first && index > 0 {
            let y = snapped(y - tall / 2.0);
            canvas.line(&[(MARGIN, y), (canvas.width - MARGIN, y)], theme.grid.to_rgba(), 1.0);
        }
        if first {
            let ink = name_ink(canvas);
            let room = columns.place - MARGIN - 10.0;
            let text = fitted_name(&typeset(&row.metric), ink.px, ink.weight, room);
            canvas.text(&text, (MARGIN, y), ink, Anchor::Start);
        }
        let ink = Ink { px: 13.0, weight: Weight::Regular, colour: theme.text };
        let room = frame.left - columns.place - 12.0;
        let text = fitted(&row.place.join(" "), ink.px, ink.weight, room);
        canvas.text(&text, (columns.place, y), ink, Anchor::Start);
        estimate(canvas, &plot, &columns, row, y, (a, b));
    }
}

/// Nearer to each other than this, px, the less round of two ticks is left out.
const TICKS_APART: f64 = 30.0;

/// Where columns of text stand, px.
struct Columns {
    /// Where places start.
    place: f64,
    /// Where findings end.
    found: f64,
    /// How wide findings may be.
    found_room: f64,
    /// Where intervals end.
    interval: f64,
}

impl Columns {
    fn of(canvas: &Canvas) -> Self {
        let interval = canvas.width - MARGIN;
        Self {
            place: MARGIN + (canvas.width * 0.13).min(130.0),
            found: interval - 100.0,
            found_room: (canvas.width * 0.14).min(160.0),
            interval,
        }
    }
}

/// Whiskers beyond this end at the plot's edge.
const FAR: f64 = 200.0;

/// Who is better on which side.
fn sides(
    canvas: &mut Canvas,
    plot: &Plot<LogCoord<f64>, RangedCoordf64>,
    columns: &Columns,
    a: &Member<'_>,
    b: &Member<'_>,
) {
    let (frame, middle) = (plot.frame, plot.x(1.0));
    let theme = canvas.theme;
    let y = frame.top - 22.0;
    let ink = |colour| Ink { px: 12.5, weight: Weight::SemiBold, colour };
    let named = |name: &str, words: &str, room: f64| {
        let rest = width(words, 12.5, Weight::SemiBold);
        fitted_name(name, 12.5, Weight::SemiBold, room - rest)
    };
    let mut found = format!("{} is", named(&a.label, " is", columns.found_room + 22.0));
    let both = format!("{} better \u{2192}{found}", a.label);
    if middle + 28.0 + width(&both, 12.5, Weight::SemiBold) > columns.found {
        // The name stands to its left, whole.
        found = "it is".into();
    }
    canvas.text(&found, (columns.found, y), ink(theme.muted), Anchor::End);
    let (from, to) = (middle - 16.0, middle + 16.0);
    let left = named(&b.label, "\u{2190}  better", from - MARGIN);
    let left = format!("\u{2190} {left} better");
    canvas.text(&left, (from, y), ink(b.style.colour(&theme)), Anchor::End);
    let end = columns.found - width(&found, 12.5, Weight::SemiBold) - 12.0;
    let right = format!("{} better \u{2192}", named(&a.label, " better \u{2192}", end - to));
    canvas.text(&right, (to, y), ink(a.style.colour(&theme)), Anchor::Start);
    canvas.text("interval", (columns.interval, y), ink(theme.muted), Anchor::End);
}

fn estimate(
    canvas: &mut Canvas,
    plot: &Plot<LogCoord<f64>, RangedCoordf64>,
    columns: &Columns,
    row: &ForestRow,
    y: f64,
    (a, b): (&Member<'_>, &Member<'_>),
) {
    let theme = canvas.theme;
    let winner =
        row.advantage.filter(|_| row.clear).map(|(ratio, ..)| if ratio > 1.0 { a } else { b });
    let colour: RGBColor = winner.map_or(theme.muted, |member| member.style.colour(&theme));
    if let Some((ratio, low, high)) = row.advantage {
        let frame = plot.frame;
        let x = |ratio: f64| plot.x(ratio).clamp(frame.left, frame.right);
        if high > low {
            let ends = [x(low), x(high)];
            canvas.line(&[(ends[0], y), (ends[1], y)], colour.to_rgba(), 2.0);
            for end in ends {
                canvas.line(&[(end, y - 5.0), (end, y + 5.0)], colour.to_rgba(), 2.0);
            }
        }
        match winner {
            Some(member) => canvas.mark((x(ratio), y), 4.4, member.style, false),
            None => canvas.circle((x(ratio), y), 4.4, theme.muted, true),
        }
    }
    let ink = Ink { px: 13.0, weight: Weight::SemiBold, colour };
    canvas.text(&typeset(&row.found), (columns.found, y), ink, Anchor::End);
    let ink = Ink { px: 13.0, weight: Weight::Regular, colour: theme.muted };
    canvas.text(&row.interval, (columns.interval, y), ink, Anchor::End);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn a_capacity_with_an_open_end_is_a_difference_and_no_missing_one() {
        let mut run = mock::everything();
        run.comparisons.retain(|c| c.metric == "capacity");
        for (limits, verdict, title, told) in [
            (
                (Some(31.0), None),
                Direction::Higher,
                "better in 1 (capacity)",
                "at least 31.0x higher",
            ),
            ((None, Some(0.5)), Direction::Lower, "better in 1 (capacity)", "at least 2.00x lower"),
            ((Some(0.8), None), Direction::Inconclusive, "1 unclear", "not compared"),
        ] {
            let c = &mut run.comparisons[0];
            (c.ratio, c.low, c.high, c.verdict) = (None, limits.0, limits.1, verdict);
            let pair = (c.of.clone(), c.versus.clone());
            let view = View::of(&run);
            let pictures = pictures(&view, Some((&pair.0, &pair.1)));
            let alt = &pictures[0].alt;
            assert!(alt.contains(title) && alt.contains(told), "{alt}");
        }
    }
}
