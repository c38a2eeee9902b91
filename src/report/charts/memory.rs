//! Memory against what a contender holds at once: open connections where their number changes, else requests in flight.

use super::MAX_SERIES;
use super::canvas::Canvas;
use super::picture::{ChartKind, Picture};
use super::plot;
use super::plot::Label;
use super::plot::{Frame, Plot, logarithmic};
use super::theme::Style;
use super::view::View;
use crate::judge::races::{Race, middle};
use crate::record::MemoryKind;
use crate::record::{ByRequest, Trial};
use crate::report::format::memory_words;
use crate::report::sentences::title_of;
use crate::text::slug;
use crate::units::{bytes, grouped, three_digits};
use plotters::style::Color;

/// One for each scenario that was driven over two numbers of connections, or with two of requests in flight.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let alike = |a: &Race<'_>, b: &Race<'_>| {
        (a.workload, a.scenario, a.dependency()) == (b.workload, b.scenario, b.dependency())
    };
    view.races.chunk_by(alike).filter_map(|races| picture(view, races)).collect()
}

/// What is shown of a trial: what the machine gave, read in one way by all trials, or of an older file what was resident.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    kind: Option<MemoryKind>,
}

impl Shown {
    /// Nothing where contenders were read in two ways.
    fn of(races: &[Race<'_>]) -> Option<Self> {
        let trials = || races.iter().flat_map(Race::trials);
        let mut kinds: Vec<MemoryKind> =
            trials().filter_map(|trial| trial.server.memory_kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        match kinds[..] {
            [] => Some(Self { kind: None }),
            [kind] => Some(Self { kind: Some(kind) }),
            _ => None,
        }
    }

    fn bytes(&self, trial: &Trial) -> Option<u64> {
        match self.kind {
            Some(_) => trial.server.memory_peak_bytes,
            None => trial.server.rss_peak_bytes,
        }
    }

    fn metric(&self) -> &'static str {
        if self.kind.is_some() { "memory" } else { "rss" }
    }

    fn words(&self) -> String {
        match self.kind {
            Some(kind) => format!("Memory of the contender ({})", memory_words(kind)),
            None => "Peak resident memory of the contender".into(),
        }
    }

    fn axis(&self) -> &'static str {
        if self.kind.is_some() { "Memory (log)" } else { "Peak RSS (log)" }
    }
}

/// What a contender's memory is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holding {
    Connections,
    InFlight,
}

/// One contender: what it held and the peak of its memory in bytes, by rising load.
struct Track {
    name: String,
    style: Style,
    points: Vec<(f64, f64)>,
    /// The median of each race.
    line: Vec<(f64, f64)>,
}

fn picture<'a>(view: &View<'a>, races: &[Race<'a>]) -> Option<Picture<'a>> {
    let shown = Shown::of(races)?;
    let holding = Holding::of(races, &shown)?;
    let workload = races.first()?.workload;
    let mut tracks: Vec<Track> = view
        .members(workload)
        .into_iter()
        .map(|member| {
            let entries = races.iter().filter_map(|race| race.entry(member.name));
            let rounds: Vec<Vec<(f64, f64)>> = entries
                .map(|entry| {
                    entry.usable().filter_map(|trial| holding.point(trial, &shown)).collect()
                })
                .collect();
            let mut line: Vec<(f64, f64)> = rounds.iter().filter_map(|of| median(of)).collect();
            line.sort_by(|a, b| a.0.total_cmp(&b.0));
            let points = rounds.into_iter().flatten().collect();
            Track { name: member.label, style: member.style, points, line }
        })
        .collect();
    tracks.truncate(MAX_SERIES);
    if !tracks.iter().any(|track| track.line.len() > 1) {
        return None;
    }
    let fullest =
        races.iter().max_by(|a, b| holding.most(a, &shown).total_cmp(&holding.most(b, &shown)))?;
    let title = title_of(view.result, fullest, shown.metric(), None);
    let (what, several) = (holding.what(), holding.several());
    let chrome = view.chrome(
        title.clone(),
        &format!("{} against {several}", shown.words()),
        &races.iter().collect::<Vec<_>>(),
        &holding.method(),
    );
    let costs: Vec<String> = tracks
        .iter()
        .map(|t| format!("{} {}", t.name, slope(t, what).unwrap_or_default()))
        .collect();
    let alt = format!("{title}. Memory by {several}: {}.", costs.join("; "));
    let stem = match holding {
        Holding::Connections => format!("memory-{}", slug(workload)),
        Holding::InFlight => format!("memory-{}-in-flight", slug(workload)),
    };
    Some(Picture::new(ChartKind::Memory, stem, chrome, alt, move |canvas| {
        draw(canvas, &tracks, holding, shown.axis())
    }))
}

/// Fewer requests at once than this are nothing to hold.
const IN_FLIGHT_MIN: f64 = 10.0;
/// Within this factor two loads are one.
const APART: f64 = 1.5;

impl Holding {
    /// Connections where their number changes, else requests in flight where that does.
    fn of(races: &[Race<'_>], shown: &Shown) -> Option<Self> {
        let changes = |holding: Self| {
            // A race in which all were saturated, or whose memory is not known, has none.
            let most = races.iter().map(|race| holding.most(race, shown));
            let most: Vec<f64> = most.filter(|most| *most > 0.0).collect();
            let high = most.iter().copied().fold(0.0, f64::max);
            let low = most.iter().copied().fold(f64::MAX, f64::min);
            high >= IN_FLIGHT_MIN && high > APART * low
        };
        [Self::Connections, Self::InFlight].into_iter().find(|holding| changes(*holding))
    }

    fn most(self, race: &Race<'_>, shown: &Shown) -> f64 {
        race.trials()
            .filter_map(|trial| self.point(trial, shown))
            .map(|(held, _)| held)
            .fold(0.0, f64::max)
    }

    /// What a trial held, and its memory; nothing of a saturated one, which holds more and more.
    fn point(self, trial: &Trial, shown: &Shown) -> Option<(f64, f64)> {
        let memory = shown.bytes(trial)? as f64;
        let held = match self {
            Self::Connections => f64::from(trial.load.connections),
            Self::InFlight => in_flight(trial)?,
        };
        (memory > 0.0 && held > 0.0 && !trial.saturated).then_some((held, memory))
    }

    fn what(self) -> &'static str {
        match self {
            Self::Connections => "open connection",
            Self::InFlight => "request in flight",
        }
    }

    fn several(self) -> &'static str {
        match self {
            Self::Connections => "open connections",
            Self::InFlight => "requests in flight",
        }
    }

    fn axis(self) -> &'static str {
        match self {
            Self::Connections => "Open connections (log)",
            Self::InFlight => "Requests in flight (log)",
        }
    }

    fn method(self) -> String {
        let how = match self {
            Self::Connections => "",
            Self::InFlight => " In flight: Little's law, arrivals times their mean response time.",
        };
        format!(
            "Point: a trial; line: median of the rounds. The label is the slope from the least to the most.{how}"
        )
    }
}

/// Requests at once in the mean, by Little's law.
fn in_flight(trial: &Trial) -> Option<f64> {
    let time = |kind: &ByRequest| {
        let times = kind.response_ns.as_ref()?;
        Some(times.mean? * times.n as f64)
    };
    let spent = trial.by_request.values().map(time).sum::<Option<f64>>()?;
    (trial.load.duration_s > 0.0).then(|| spent / (trial.load.duration_s * 1e9))
}

fn median(of: &[(f64, f64)]) -> Option<(f64, f64)> {
    let of = |part: fn(&(f64, f64)) -> f64| middle(of.iter().map(part).collect());
    Some((of(|point| point.0)?, of(|point| point.1)?))
}

/// `12.3 KiB per open connection`
fn slope(track: &Track, what: &str) -> Option<String> {
    let ((from, low), (to, high)) = (*track.line.first()?, *track.line.last()?);
    let per = (high - low) / (to - from) / 1024.0;
    (to > from).then(|| format!("{} KiB per {what}", three_digits(per)))
}

fn draw(canvas: &mut Canvas, tracks: &[Track], holding: Holding, axis: &str) {
    let points = || tracks.iter().flat_map(|track| &track.points);
    let ends = |of: fn(&(f64, f64)) -> f64| {
        (points().map(of).fold(f64::MAX, f64::min), points().map(of).fold(0.0, f64::max))
    };
    let label = |track: &Track| Label {
        name: track.name.clone(),
        style: track.style,
        details: slope(track, holding.what()).into_iter().collect(),
        remark: None,
        end: None,
    };
    let mut labels: Vec<Label> = tracks.iter().map(label).collect();
    let frame = Frame::beside(canvas, plot::room(canvas, &labels));
    let (least, most) = ends(|point| point.0);
    let (low, high) = ends(|point| point.1 / MIB);
    let (x, columns) = logarithmic(least, most, grouped);
    let (y, rows) = logarithmic(low, high, |mib| bytes(mib * MIB));
    let plot = Plot::new(x, y, frame);
    plot.rows(canvas, &rows, axis);
    plot.columns(canvas, &columns, holding.axis());
    for (label, track) in labels.iter_mut().zip(tracks) {
        let colour = track.style.colour(&canvas.theme);
        let at = |(connections, rss): &(f64, f64)| plot.at((*connections, rss / MIB));
        let path: Vec<_> = track.line.iter().map(at).collect();
        canvas.line(&path, colour.to_rgba(), 2.5);
        for point in &track.points {
            canvas.speck(at(point), colour.mix(0.6), track.style.is_square());
            let (held, rss) = (grouped(point.0), bytes(point.1));
            canvas.tip(at(point), format!("{}, {held} {}: {rss}", track.name, holding.several()));
        }
        for at in &path {
            canvas.mark(*at, 4.2, track.style, false);
        }
        label.end = path.last().copied();
    }
    plot::draw_labels(canvas, frame, &labels);
}

const MIB: f64 = 1024.0 * 1024.0;
