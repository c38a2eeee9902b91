//! CPU time per request against load. It includes what idling costs, so it starts high at a low load.

use super::MAX_SERIES;
use super::canvas::Canvas;
use super::levels::{self, Saturated, Track, extent, rounds, top_rps, tracks};
use super::picture::{ChartKind, Picture};
use super::plot;
use super::plot::Label;
use super::plot::{Frame, Plot, linear};
use super::text::typeset;
use super::view::{View, band_words, ways};
use crate::report::sentences::title_of;
use crate::text::slug;
use crate::units::{Rate, three_digits};

/// One for each workload that was driven at two rates or more.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    view.workloads().into_iter().filter_map(|workload| picture(view, workload)).collect()
}

fn picture<'a>(view: &View<'a>, workload: &'a str) -> Option<Picture<'a>> {
    let levels = view.levels(workload);
    let members = view.members(workload);
    let mut tracks = tracks(&levels, &members, Saturated::Shown, |t| t.server.cpu_us_per_request);
    tracks.truncate(MAX_SERIES);
    extent(&tracks).filter(|_| levels.len() > 1)?;
    let title = title_of(view.result, levels.last()?, "cpu_per_request", None);
    let what = format!(
        "CPU time of the contender per completed request, what idling costs included, {}",
        ways(&levels)
    );
    let method = format!(
        "Point: a trial; line: median of the rounds; {}. Hollow: saturated there.",
        band_words(rounds(&tracks)),
    );
    let chrome = view.chrome(title.clone(), &what, &levels, &method);
    let figures: Vec<String> = tracks.iter().map(figures).collect();
    let alt = format!("{title}. CPU time per request by offered load: {}.", figures.join("; "));
    let stem = format!("cpu-{}", slug(workload));
    Some(Picture::new(ChartKind::Cpu, stem, chrome, alt, move |canvas| draw(canvas, &tracks)))
}

fn figures(track: &Track) -> String {
    let at = |(rps, us): &(f64, f64)| format!("{} us at {}", three_digits(*us), Rate(*rps));
    let line = track.line();
    let ends: Vec<String> = line.first().into_iter().chain(line.last()).map(at).collect();
    format!("{} {}", track.name, ends.join(" to "))
}

fn draw(canvas: &mut Canvas, tracks: &[Track]) {
    let (_, high) = extent(tracks).expect("a picture without figures is not made");
    let label = |track: &Track| Label {
        name: track.name.clone(),
        style: track.style,
        details: track
            .line()
            .last()
            .map(|(_, us)| format!("{} us", three_digits(*us)))
            .into_iter()
            .collect(),
        remark: track.saturated.clone(),
        end: None,
    };
    let mut labels: Vec<Label> = tracks.iter().map(label).collect();
    let frame = Frame::beside(canvas, plot::room(canvas, &labels));
    let ((x, columns), (y, rows)) = (linear(top_rps(tracks)), linear(high));
    let plot = Plot::new(x, y, frame);
    let rows: Vec<_> =
        rows.into_iter().map(|(us, text)| (us, typeset(&format!("{text} us")))).collect();
    plot.rows(canvas, &rows, "CPU per request");
    plot.columns(canvas, &columns, "Offered load (req/s)");
    levels::draw(canvas, &plot, tracks, |us| format!("{} us", three_digits(us)));
    for (label, track) in labels.iter_mut().zip(tracks) {
        label.end = track.line().last().map(|end| plot.at(*end));
    }
    plot::draw_labels(canvas, frame, &labels);
}
