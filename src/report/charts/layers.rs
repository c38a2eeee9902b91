//! Where the CPU of a correct response goes, contender by contender: a column for each layer, all on one scale.

use plotters::style::Color;

use super::canvas::{Anchor, Canvas, Ink};
use super::flame::races;
use super::picture::{ChartKind, MARGIN, Picture};
use super::text::{Weight, broken, fitted_name};
use super::theme::Theme;
use super::view::View;
use crate::judge::races::Race;
use crate::record::{Flame, Why};
use crate::report::why::{LAYERS, Medians, medians};
use crate::text::{clean, counted, slug};
use crate::units::three_digits;

/// One for each scenario that was profiled.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let Some(why) = &view.result.why else { return Vec::new() };
    let scenarios = why.flames.chunk_by(|a, b| a.scenario == b.scenario);
    scenarios.filter_map(|flames| picture(view, why, flames)).collect()
}

/// A contender and its time.
struct Bars {
    name: String,
    medians: Medians,
}

const METHOD: &str = "Medians of profiled rounds, us of CPU for a correct response, every column on the same scale. Blue: user mode, \
     orange: kernel. Software clock at 997 Hz. Waiting is not CPU.";

fn picture<'a>(view: &View<'a>, why: &Why, flames: &'a [Flame]) -> Option<Picture<'a>> {
    let named = |flame: &Flame| {
        let medians = medians(why, flame)?;
        Some(Bars { name: clean(&flame.contender), medians })
    };
    let rows: Vec<Bars> = flames.iter().filter_map(named).collect();
    // What takes next to nothing in every contender needs no column.
    let most = |layer: usize| {
        let of = |row: &Bars| row.medians.layers.map_or(0.0, |layers| layers[layer]);
        rows.iter().map(of).fold(0.0, f64::max)
    };
    let scale = (0..LAYERS.len()).map(most).fold(0.0, f64::max);
    let shown: Vec<usize> =
        (0..LAYERS.len()).filter(|layer| most(*layer) >= LEAST * scale && scale > 0.0).collect();
    if shown.is_empty() {
        return None;
    }
    let of_all: Vec<&Race<'_>> = races(view, &flames[0]);
    let title = view.title("this chart", title(&rows));
    let rounds = why.profiles.iter().filter(|one| one.scenario == flames[0].scenario);
    let rounds = rounds.map(|one| one.round).max().unwrap_or(0);
    let what = format!(
        "CPU time of a correct response by layer at {}, {}",
        clean(&flames[0].level),
        counted(rounds as usize, "profiled round")
    );
    let chrome = view.chrome(title.clone(), &what, &of_all, METHOD);
    let alt = rows.iter().map(|row| in_words(row, &shown)).collect::<Vec<_>>().join(" ");
    let alt = format!("{title}. {alt}");
    let stem = format!("layers-{}", slug(&flames[0].scenario));
    Some(Picture::new(ChartKind::Layers, stem, chrome, alt, move |canvas| {
        draw(canvas, &rows, &shown, scale);
    }))
}

/// The share of the longest bar below which a layer has no column.
const LEAST: f64 = 0.005;

/// `A correct response takes 22 us of CPU in event-loop and 140 us in express; service: the largest difference, 90 us`
fn title(rows: &[Bars]) -> String {
    let by_all = |a: &&Bars, b: &&Bars| a.medians.all.total_cmp(&b.medians.all);
    let (least, most) = (rows.iter().min_by(by_all), rows.iter().max_by(by_all));
    let (Some(least), Some(most)) = (least, most) else { return String::new() };
    let time = |row: &Bars| format!("{} us", three_digits(row.medians.all));
    if rows.len() == 1 {
        return format!("A correct response takes {} of CPU in {}", time(most), most.name);
    }
    let ends = least.medians.layers.zip(most.medians.layers);
    let differences = ends.into_iter().flat_map(|(least, most)| {
        (0..LAYERS.len()).map(move |at| (LAYERS[at], (most[at] - least[at]).abs()))
    });
    let largest =
        differences.max_by(|a, b| a.1.total_cmp(&b.1)).map_or_else(String::new, |(name, us)| {
            format!("; {name}: the largest difference, {} us", three_digits(us))
        });
    let [one, other] = [least, most].map(|row| format!("in {}", row.name));
    format!(
        "A correct response takes {} of CPU {one} and {} {other}{largest}",
        time(least),
        time(most)
    )
}

/// `event-loop 22 us: service 12 us, kernel network 9.1 us.`
fn in_words(row: &Bars, shown: &[usize]) -> String {
    let all = format!("{} {} us", row.name, three_digits(row.medians.all));
    let Some(layers) = row.medians.layers else { return format!("{all}, layers are withheld.") };
    let parts = shown.iter().map(|at| format!("{} {} us", LAYERS[*at], three_digits(layers[*at])));
    format!("{all}: {}.", parts.collect::<Vec<_>>().join(", "))
}

const TEXT_PX: f64 = 13.0;
const HEAD_PX: f64 = 12.5;
/// From one line of a heading to the next, px.
const HEAD_LINE: f64 = 17.0;
/// Between two columns, px.
const GAP: f64 = 14.0;
/// Right of a bar for its figure, px.
const FIGURE: f64 = 40.0;
const NAMES: f64 = 150.0;
const ALL: f64 = 60.0;

fn draw(canvas: &mut Canvas, rows: &[Bars], shown: &[usize], scale: f64) {
    let theme = canvas.theme;
    let left = MARGIN + NAMES + ALL + GAP;
    let column = (canvas.width - MARGIN - left) / shown.len() as f64;
    let head = |text: &str| broken(text, HEAD_PX, Weight::SemiBold, column - GAP);
    let lines = shown.iter().map(|at| head(LAYERS[*at]).len()).max().unwrap_or(1);
    let top = canvas.head + 34.0;
    let bottom_of_head = top + HEAD_LINE * (lines - 1) as f64;
    let ink = Ink { px: HEAD_PX, weight: Weight::SemiBold, colour: theme.muted };
    canvas.text("all", (MARGIN + NAMES + ALL, bottom_of_head), ink, Anchor::End);
    for (place, at) in shown.iter().enumerate() {
        let words = head(LAYERS[*at]);
        let x = left + column * place as f64;
        for (line, text) in words.iter().enumerate() {
            let y = bottom_of_head - HEAD_LINE * (words.len() - 1 - line) as f64;
            canvas.text(text, (x, y), ink, Anchor::Start);
        }
    }
    let (top, bottom) = (bottom_of_head + 16.0, canvas.foot - 20.0);
    let tall = ((bottom - top) / rows.len() as f64).min(92.0);
    for (place, row) in rows.iter().enumerate() {
        let y = top + tall * (place as f64 + 0.5);
        let edge = [(MARGIN, y - tall / 2.0), (canvas.width - MARGIN, y - tall / 2.0)];
        canvas.line(&edge, theme.grid.to_rgba(), 1.0);
        let ink = |weight| Ink { px: TEXT_PX, weight, colour: theme.text };
        let name = fitted_name(&row.name, TEXT_PX, Weight::SemiBold, NAMES - GAP);
        canvas.text(&name, (MARGIN, y), ink(Weight::SemiBold), Anchor::Start);
        let all = three_digits(row.medians.all);
        canvas.text(&all, (MARGIN + NAMES + ALL, y), ink(Weight::Regular), Anchor::End);
        let Some(layers) = row.medians.layers else {
            let ink = Ink { colour: theme.muted, ..ink(Weight::Regular) };
            canvas.text("layers are withheld", (left, y), ink, Anchor::Start);
            continue;
        };
        for (place, at) in shown.iter().enumerate() {
            let x = left + column * place as f64;
            let wide = layers[*at] / scale * (column - GAP - FIGURE);
            let half = (tall * 0.3).min(14.0);
            canvas.rectangle((x, y - half), (x + wide, y + half), fill(&theme, LAYERS[*at]));
            let figure = three_digits(layers[*at]);
            canvas.text(&figure, (x + wide + 5.0, y), ink(Weight::Regular), Anchor::Start);
            let tip = format!("{}, {}: {figure} us", row.name, LAYERS[*at]);
            canvas.tip((x + wide / 2.0, y), tip);
        }
    }
}

fn fill(theme: &Theme, layer: &str) -> plotters::style::RGBAColor {
    match layer {
        "unknown" => theme.muted.to_rgba(),
        kernel if kernel.starts_with("kernel") => theme.threaded_ramp[2].to_rgba(),
        _ => theme.awaiting_ramp[2].to_rgba(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shade, Size, pictures_of};
    use super::*;
    use crate::judge::mock;

    #[test]
    fn contenders_stand_side_by_side_with_the_layers_that_take_time() {
        let mut run = mock::payments(6, &mock::MODELS);
        assert!(pictures_of(&run, ChartKind::Layers, None).is_empty());
        run.why = Some(mock::why(8));
        let pictures = pictures_of(&run, ChartKind::Layers, None);
        let [picture] = &pictures[..] else { panic!("one scenario") };
        assert_eq!(picture.stem, "layers-payment-memory");
        let title = "A correct response takes 22 us of CPU in event-loop and 25 us in thread-pool";
        assert!(picture.title.starts_with(title), "{}", picture.title);
        let largest = "; kernel scheduling and locks: the largest difference, 4 us";
        assert!(picture.title.ends_with(largest), "{}", picture.title);
        assert!(picture.alt.contains("event-loop 22 us: service"), "{}", picture.alt);
        let svg = picture.svg(Shade::Light, Size::Blog);
        assert!(svg.contains(">service<") && !svg.contains(">allocator<"), "{svg}");

        // No layer is told where the stacks do not carry it, and the others stay.
        drop(pictures);
        let why = run.why.as_mut().unwrap();
        why.flames[1].withheld = Some("60 % of stacks are cut".into());
        let pictures = pictures_of(&run, ChartKind::Layers, None);
        assert!(pictures[0].alt.contains("thread-pool 25 us, layers are withheld."));
        assert!(!pictures[0].title.contains("largest"), "{}", pictures[0].title);
        let svg = pictures[0].svg(Shade::Dark, Size::Card);
        assert!(svg.contains("layers are withheld"), "{svg}");
    }
}
