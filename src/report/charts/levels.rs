//! A figure of each contender at each offered load: every trial a point, the median a line, its interval a band.

use plotters::coord::ranged1d::Ranged;
use plotters::style::Color;

use super::canvas::Canvas;
use super::plot::Plot;
use super::theme::Style;
use super::view::Member;
use crate::judge::races::{Entry, Race, interval, middle};
use crate::record::Trial;
use crate::report::sentences::saturated;
use crate::units::Rate;

pub(super) struct Track {
    pub(super) name: String,
    pub(super) style: Style,
    /// By rising rate.
    pub(super) levels: Vec<Level>,
    /// `saturated: 3,180 of 4,000/s`, at the lowest such rate; without one the lowest at which it is a failure.
    pub(super) saturated: Option<String>,
}

pub(super) struct Level {
    /// Requests due per second.
    pub(super) rps: f64,
    /// One for each round that holds and has the figure, above 0.
    pub(super) values: Vec<f64>,
    /// Rounds that hold and whose figure is without end: a percentile that fell on a failure.
    pub(super) unbounded: usize,
    /// Outstanding work grew without end.
    pub(super) saturated: bool,
}

/// Whether a figure still says something where a contender is saturated: a latency does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saturated {
    /// A hollow mark without a value, on the top edge.
    Hidden,
    /// A hollow mark at its value.
    Shown,
}

/// The figure `value` of each of `members` at each of `levels`.
pub(super) fn tracks(
    levels: &[&Race<'_>],
    members: &[Member<'_>],
    saturation: Saturated,
    value: impl Fn(&Trial) -> Option<f64>,
) -> Vec<Track> {
    let track = |member: &Member<'_>| {
        let entries = || levels.iter().filter_map(|race| race.entry(member.name));
        let level = |entry: &Entry<'_>| {
            let saturated = entry.is_saturated();
            let shown = saturation == Saturated::Shown;
            let trials = entry.usable().filter(|t| shown || !(t.saturated || saturated));
            let (values, unbounded): (Vec<f64>, Vec<f64>) =
                trials.filter_map(&value).filter(|v| *v > 0.0).partition(|v| v.is_finite());
            Some(Level { rps: entry.offered_rps()?, values, unbounded: unbounded.len(), saturated })
        };
        let first = entries().find(|entry| entry.is_saturated());
        let saturated = first.and_then(saturated).map(|rates| format!("saturated: {rates}"));
        let levels: Vec<Level> = entries().filter_map(level).collect();
        let failing = levels.iter().find(|level| level.unbounded > 0 && level.median().is_none());
        let failing = failing.map(|level| format!("unbounded at {}", Rate(level.rps)));
        let lost: usize = entries().map(|entry| entry.lost().count()).sum();
        let rounds: usize = entries().map(|entry| entry.counted().count()).sum();
        let lost = (lost > 0).then(|| format!("lost {lost} of {rounds} rounds"));
        Track {
            name: member.label.clone(),
            style: member.style,
            levels,
            saturated: saturated.or(failing).or(lost),
        }
    };
    members.iter().map(track).collect()
}

impl Level {
    /// The median of the rounds; `None` where it is one without end.
    pub(super) fn median(&self) -> Option<f64> {
        let without_end = std::iter::repeat_n(f64::INFINITY, self.unbounded);
        let rounds = self.values.iter().copied().chain(without_end).collect();
        middle(rounds).filter(|median| median.is_finite())
    }

    /// The 95 % interval of the rounds' middle; `None` of fewer than six, and where a round is without end.
    pub(super) fn interval(&self) -> Option<(f64, f64)> {
        if self.unbounded > 0 {
            return None;
        }
        interval(&self.values)
    }
}

impl Track {
    /// Rate and median of each level that has one.
    pub(super) fn line(&self) -> Vec<(f64, f64)> {
        self.levels.iter().filter_map(|level| Some((level.rps, level.median()?))).collect()
    }

    /// Rates of hollow marks on the top edge.
    fn rps_without_value(&self) -> impl Iterator<Item = f64> + '_ {
        let without = self.levels.iter().filter(|level| {
            (level.saturated && level.values.is_empty())
                || (level.unbounded > 0 && level.median().is_none())
        });
        without.map(|level| level.rps)
    }
}

/// The least and the greatest of everything that is drawn of `tracks`; `None` of nothing.
pub(super) fn extent(tracks: &[Track]) -> Option<(f64, f64)> {
    let values = || {
        let levels = tracks.iter().flat_map(|track| &track.levels);
        levels.flat_map(|level| {
            let (low, high) = level.interval().unzip();
            level.values.iter().copied().chain(low).chain(high)
        })
    };
    let low = values().fold(f64::MAX, f64::min);
    (low < f64::MAX).then(|| (low, values().fold(0.0, f64::max)))
}

/// The highest rate of all.
pub(super) fn top_rps(tracks: &[Track]) -> f64 {
    tracks.iter().flat_map(|track| &track.levels).map(|level| level.rps).fold(0.0, f64::max)
}

/// How many rounds the intervals come from, at most.
pub(super) fn rounds(tracks: &[Track]) -> usize {
    let levels = tracks.iter().flat_map(|track| &track.levels);
    levels.map(|level| level.values.len()).max().unwrap_or(0)
}

/// Draws bands, lines and points, each with its `figure` in words for the pointer, and hollow marks on the top edge where a contender is saturated.
pub(super) fn draw<X: Ranged<ValueType = f64>, Y: Ranged<ValueType = f64>>(
    canvas: &Canvas,
    plot: &Plot<X, Y>,
    tracks: &[Track],
    figure: impl Fn(f64) -> String,
) {
    for track in tracks {
        let colour = track.style.colour(&canvas.theme);
        let edges: Vec<_> = track
            .levels
            .iter()
            .filter_map(|level| {
                let (low, high) = level.interval()?;
                Some([plot.at((level.rps, high)), plot.at((level.rps, low))])
            })
            .collect();
        canvas.band(&edges, colour.mix(0.16));
    }
    for track in tracks {
        let colour = track.style.colour(&canvas.theme);
        let path: Vec<_> = track.line().into_iter().map(|point| plot.at(point)).collect();
        if path.len() > 1 {
            canvas.line(&path, colour.to_rgba(), 2.5);
        }
        for level in &track.levels {
            for value in &level.values {
                let at = plot.at((level.rps, *value));
                canvas.speck(at, colour.mix(0.6), track.style.is_square());
                let rate = Rate(level.rps);
                canvas.tip(at, format!("{} at {rate}, a trial: {}", track.name, figure(*value)));
            }
        }
        let with = track.levels.iter().filter(|level| level.median().is_some());
        for (at, level) in path.into_iter().zip(with) {
            canvas.mark(at, 4.2, track.style, level.saturated);
            let within = level.interval().map_or_else(String::new, |(low, high)| {
                format!(" ({} to {})", figure(low), figure(high))
            });
            let middle = level.median().map_or_else(String::new, &figure);
            let rate = Rate(level.rps);
            canvas.tip(at, format!("{} at {rate}, median: {middle}{within}", track.name));
        }
    }
    // Saturated ones stand side by side where several are so at one rate.
    let mut taken: Vec<f64> = Vec::new();
    for track in tracks {
        for rps in track.rps_without_value() {
            let mut x = plot.x(rps).min(plot.frame.right);
            while taken.iter().any(|other: &f64| (other - x).abs() < 12.0) {
                x -= 12.0;
            }
            taken.push(x);
            canvas.mark((x, plot.frame.top), 4.7, track.style, true);
        }
    }
}
