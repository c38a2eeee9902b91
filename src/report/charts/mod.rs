//! Charts, as self-contained SVG in a light and a dark theme, and as PNG.
//!
//! `theme` (colours, and whose they are), `text` (the font, measured), `canvas` (the surface, in px), `png` (the same as
//! pixels) and `plot` are the kit; `view` is what every chart says of its run, `picture` a chart that can be drawn, and
//! what surrounds it. One file for each of the kinds; `levels` is what plots against the load show.

mod canvas;
mod cpu;
mod flame;
mod forest;
mod gate;
mod hdr;
mod lag;
mod layers;
mod levels;
mod load;
mod map;
mod memory;
mod page;
mod picture;
mod plot;
#[cfg(feature = "png")]
mod png;
mod stall;
mod text;
mod theme;
mod time;
mod view;

pub use canvas::Size;
pub(crate) use lag::untrustworthy;
pub(crate) use page::{Palette, both, page_style};
pub use picture::{ChartKind, Picture, Shade};
#[cfg(feature = "png")]
pub use png::png;

use crate::record::RunResult;
use view::View;

/// Where charts lie in a report folder.
pub const CHART_FOLDER: &str = "charts";

/// Labels of more contenders than this do not find room beside a plot.
const MAX_SERIES: usize = 8;

/// Every chart for which `result` has the data, the lead first, in the order of [`ChartKind::ALL`].
pub fn pictures(result: &RunResult) -> Vec<Picture<'_>> {
    let view = View::of(result);
    let mut pictures: Vec<Picture<'_>> =
        ChartKind::ALL.into_iter().flat_map(|kind| of_kind(&view, kind, None)).collect();
    // Where no load is varied, a fault or a burst is what a reader came to see.
    let first = |kind| pictures.iter().position(|picture: &Picture<'_>| picture.kind == kind);
    if let (None, Some(stall)) = (first(ChartKind::Load), first(ChartKind::Stall)) {
        pictures[..=stall].rotate_right(1);
    }
    let mut stems: Vec<String> = Vec::new();
    for picture in &mut pictures {
        // Levels or kinds that differ in punctuation alone.
        while stems.contains(&picture.stem) {
            picture.stem.push('b');
        }
        stems.push(picture.stem.clone());
    }
    pictures
}

/// The charts of one kind; a forest is of the `pair` of contenders, where one is given.
pub fn pictures_of<'a>(
    result: &'a RunResult,
    kind: ChartKind,
    pair: Option<(&str, &str)>,
) -> Vec<Picture<'a>> {
    of_kind(&View::of(result), kind, pair)
}

fn of_kind<'a>(view: &View<'a>, kind: ChartKind, pair: Option<(&str, &str)>) -> Vec<Picture<'a>> {
    match kind {
        ChartKind::Load => load::pictures(view),
        ChartKind::Hdr => hdr::pictures(view),
        ChartKind::Map => map::pictures(view),
        ChartKind::Forest => forest::pictures(view, pair),
        ChartKind::Stall => stall::pictures(view),
        ChartKind::Cpu => cpu::pictures(view),
        ChartKind::Memory => memory::pictures(view),
        ChartKind::Lag => lag::pictures(view),
        ChartKind::Time => time::pictures(view),
        ChartKind::Gate => gate::pictures(view),
        ChartKind::Layers => layers::pictures(view),
        ChartKind::Flame => flame::pictures(view),
        ChartKind::FlameDiff => flame::differences(view, pair),
    }
}

#[cfg(test)]
mod tests;
