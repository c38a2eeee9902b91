//! Memory against open connections: what a connection costs.

use super::MAX_SERIES;
use super::canvas::Canvas;
use super::labels::{self, Label};
use super::picture::{Kind, Picture};
use super::plot::{Frame, Plot, logarithmic};
use super::style::Style;
use super::view::View;
use crate::report::race::middle;
use crate::report::sentences::title_of;
use crate::report::words::{bytes, slug};
use crate::units::{grouped, three_digits};
use plotters::style::Color;

/// One for each workload that was driven over two numbers of connections or more.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    view.workloads().into_iter().filter_map(|workload| picture(view, workload)).collect()
}

/// One contender: connections and the peak of its memory in bytes, by rising connections.
struct Track {
    name: String,
    style: Style,
    points: Vec<(f64, f64)>,
    /// The median at each number of connections.
    line: Vec<(f64, f64)>,
}

fn picture<'a>(view: &View<'a>, workload: &'a str) -> Option<Picture<'a>> {
    let races: Vec<_> = view.races.iter().filter(|race| race.workload == workload).collect();
    let mut tracks: Vec<Track> = view
        .members(workload)
        .into_iter()
        .map(|member| {
            let trials = races.iter().filter_map(|race| race.entry(member.name));
            let mut points: Vec<(f64, f64)> = trials
                .flat_map(|entry| entry.usable())
                .filter_map(|trial| {
                    let rss = trial.server.rss_peak_bytes? as f64;
                    (rss > 0.0).then_some((f64::from(trial.load.connections.max(1)), rss))
                })
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let line = medians(&points);
            Track { name: member.label, style: member.style, points, line }
        })
        .collect();
    tracks.truncate(MAX_SERIES);
    if !tracks.iter().any(|track| track.line.len() > 1) {
        return None;
    }
    let most = |race: &&&crate::report::race::Race<'_>| {
        race.trials().map(|trial| trial.load.connections).max()
    };
    let fullest = races.iter().max_by_key(most)?;
    let title = title_of(view.result, fullest, "rss", None);
    let chrome = view.chrome(
        title.clone(),
        "Peak resident memory of the contender against open connections",
        &races,
        "Point: a trial; line: median of the rounds. The label is the slope from the least to the most connections.",
    );
    let costs: Vec<String> =
        tracks.iter().map(|t| format!("{} {}", t.name, slope(t).unwrap_or_default())).collect();
    let alt = format!("{title}. Memory by open connections: {}.", costs.join("; "));
    let stem = format!("memory-{}", slug(workload));
    Some(Picture::new(Kind::Memory, stem, chrome, alt, move |canvas| draw(canvas, &tracks)))
}

fn medians(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|chunk| {
            Some((chunk.first()?.0, middle(chunk.iter().map(|(_, rss)| *rss).collect())?))
        })
        .collect()
}

/// `12.3 KiB per connection`
fn slope(track: &Track) -> Option<String> {
    let ((from, low), (to, high)) = (*track.line.first()?, *track.line.last()?);
    let per = (high - low) / (to - from) / 1024.0;
    (to > from).then(|| format!("{} KiB per connection", three_digits(per)))
}

fn draw(canvas: &mut Canvas<'_>, tracks: &[Track]) {
    let points = || tracks.iter().flat_map(|track| &track.points);
    let ends = |of: fn(&(f64, f64)) -> f64| {
        (points().map(of).fold(f64::MAX, f64::min), points().map(of).fold(0.0, f64::max))
    };
    let label = |track: &Track| Label {
        name: track.name.clone(),
        style: track.style,
        details: slope(track).into_iter().collect(),
        remark: None,
        end: None,
    };
    let mut labels: Vec<Label> = tracks.iter().map(label).collect();
    let frame = Frame::beside(canvas, labels::room(canvas, &labels));
    let (least, most) = ends(|point| point.0);
    let (low, high) = ends(|point| point.1 / MIB);
    let (x, columns) = logarithmic(least, most, grouped);
    let (y, rows) = logarithmic(low, high, |mib| bytes(mib * MIB));
    let plot = Plot::new(x, y, frame);
    plot.rows(canvas, &rows, "Peak RSS (log)");
    plot.columns(canvas, &columns, "Open connections (log)");
    for (label, track) in labels.iter_mut().zip(tracks) {
        let colour = track.style.colour(&canvas.theme);
        let at = |(connections, rss): &(f64, f64)| plot.at((*connections, rss / MIB));
        let path: Vec<_> = track.line.iter().map(at).collect();
        canvas.line(&path, colour.to_rgba(), 2.5);
        for point in &track.points {
            canvas.speck(at(point), 2.6, colour.mix(0.6), track.style.is_square());
        }
        for at in &path {
            canvas.mark(*at, 4.2, track.style, false);
        }
        label.end = path.last().copied();
    }
    labels::draw(canvas, frame, &labels);
}

const MIB: f64 = 1024.0 * 1024.0;
