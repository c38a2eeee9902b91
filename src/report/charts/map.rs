//! The decision map: who wins at which wait and CPU per request, measured cell by cell and never interpolated.

use plotters::style::{Color, RGBColor};

use super::canvas::{Anchor, Canvas, Ink};
use super::picture::{ChartKind, MARGIN, Picture};
use super::plot::{Frame, duration, name_ink};
use super::text::{Weight, fitted, fitted_name, typeset};
use super::theme::{ColourFamily, RAMP, Style, Theme, styles};
use super::view::{View, interval_words};
use crate::judge::cell::{ROUNDS_MIN, quantity, winner};
use crate::record::{Map, MapCell, MapPlace, Winner};
use crate::text::{capital, clean, counted, slug, times};
use crate::units::{Nanos, decimals};

/// The map, where an experiment made one.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    view.result.map.iter().filter_map(|map| picture(view, map)).collect()
}

/// A contender on the map.
struct Side {
    name: String,
    style: Style,
}

/// What is known of a cell.
enum MapFinding<'a> {
    /// Who wins (0 the first) and by how much.
    Won(usize, f64),
    /// No clear difference of more than 5 %.
    Unclear(f64, f64),
    /// No ratio could be had.
    Unknown(&'a str),
}

fn picture<'a>(view: &View<'a>, map: &'a Map) -> Option<Picture<'a>> {
    if map.cells.is_empty() || map.waits_ns.is_empty() || map.cpus_ns.is_empty() {
        return None;
    }
    let pair = [map.of.as_str(), map.versus.as_str()];
    let members = view.members(&map.workload);
    let known = |name: &str| members.iter().find(|member| member.name == name);
    let unknown = styles(pair.iter().map(|name| (*name, None)));
    let sides: Vec<Side> = pair
        .iter()
        .zip(unknown)
        .map(|(name, style)| Side {
            name: view.label(&map.workload, name),
            style: known(name).map_or(style, |member| member.style),
        })
        .collect();
    let wins = |side: usize| {
        map.cells
            .iter()
            .filter(move |cell| matches!(found(cell), MapFinding::Won(who, _) if who == side))
    };
    let (first, second) = (wins(0).count(), wins(1).count());
    let title = format!(
        "{}: {} wins {first} of {}, {} wins {second}, {} unclear",
        capital(&quantity(&map.metric)),
        sides[0].name,
        counted(map.cells.len(), "cell"),
        sides[1].name,
        map.cells.len() - first - second
    );
    let title = view.title("this map", title);
    let n = map.cells.iter().map(|cell| cell.n).max().unwrap_or(0);
    let what = format!(
        "Ratio of {} of {} by I/O wait and CPU per request; grey within +-5 %",
        quantity(&map.metric),
        clean(&map.workload)
    );
    let races: Vec<_> = view.races.iter().filter(|race| race.workload == map.workload).collect();
    let few = if n < ROUNDS_MIN { format!(", from {ROUNDS_MIN} rounds on") } else { String::new() };
    let method = format!(
        "Cell: the winner and the ratio; at most 5 % of the winners are wrong, on average (Benjamini-Hochberg{few}). Hatched: no clear difference, {}. Blank: not measured.",
        interval_words(n as usize)
    );
    let chrome = view.chrome(title.clone(), &what, &races, &method);
    let alt = format!("{title}. {}", told(map, &sides));
    let stem = format!("map-{}", slug(&map.workload));
    Some(Picture::new(ChartKind::Map, stem, chrome, alt, move |canvas| draw(canvas, map, &sides)))
}

fn found(cell: &MapCell) -> MapFinding<'_> {
    let (Some(_), Some(low), Some(high)) = (cell.ratio, cell.low, cell.high) else {
        return MapFinding::Unknown(&cell.reason);
    };
    match winner(cell) {
        Some((side, by)) => MapFinding::Won(usize::from(side == Winner::Versus), by),
        None => MapFinding::Unclear(low, high),
    }
}

/// Each cell in words.
fn told(map: &Map, sides: &[Side]) -> String {
    let cells = map.cells.iter().map(|cell| {
        let place = format!("wait {}, CPU {}", Nanos(cell.wait_ns), Nanos(cell.cpu_ns));
        match found(cell) {
            MapFinding::Won(who, by) => format!("{place}: {} {}", sides[who].name, times(by)),
            MapFinding::Unclear(..) => format!("{place}: no clear difference"),
            MapFinding::Unknown(reason) => format!("{place}: no ratio, {}", clean(reason)),
        }
    });
    cells.collect::<Vec<_>>().join("; ") + "."
}

/// Where the cells stand.
struct Grid {
    frame: Frame,
    wide: f64,
    tall: f64,
}

impl Grid {
    /// Upper left and lower right corner of a column and a row, rows counted from the bottom.
    fn cell(&self, column: usize, row: usize) -> ((f64, f64), (f64, f64)) {
        let left = self.frame.left + self.wide * column as f64;
        let top = self.frame.bottom - self.tall * (row + 1) as f64;
        ((left, top), (left + self.wide - CELL_GAP, top + self.tall - CELL_GAP))
    }
}

const CELL_GAP: f64 = 3.0;

fn draw(canvas: &mut Canvas, map: &Map, sides: &[Side]) {
    let frame = Frame {
        left: MARGIN + (canvas.width * 0.1).min(110.0),
        right: canvas.width - 250.0,
        top: canvas.head + 46.0,
        bottom: canvas.foot - 65.0,
    };
    let grid = Grid {
        frame,
        wide: frame.width() / map.waits_ns.len() as f64,
        tall: frame.height() / map.cpus_ns.len() as f64,
    };
    let name = name_ink(canvas);
    canvas.text("CPU per request", (MARGIN, frame.top - 18.0), name, Anchor::Start);
    let below = frame.bottom + 36.0;
    canvas.text("I/O wait per request", (frame.right - CELL_GAP, below), name, Anchor::End);
    let ink = Ink { px: 13.0, weight: Weight::Regular, colour: canvas.theme.text };
    for (row, cpu) in map.cpus_ns.iter().enumerate() {
        let (from, to) = grid.cell(0, row);
        let middle = (from.1 + to.1) / 2.0;
        canvas.text(&amount(*cpu), (frame.left - 12.0, middle), ink, Anchor::End);
    }
    for (column, wait) in map.waits_ns.iter().enumerate() {
        let (from, to) = grid.cell(column, 0);
        let middle = (from.0 + to.0) / 2.0;
        canvas.text(&amount(*wait), (middle, frame.bottom + 14.0), ink, Anchor::Middle);
    }
    for cell in &map.cells {
        let place = place(map, MapPlace { wait_ns: cell.wait_ns, cpu_ns: cell.cpu_ns });
        let (from, to) = grid.cell(place.0, place.1);
        draw_cell(canvas, &found(cell), sides, from, to);
    }
    if let Some(service) = map.service {
        let place = place(map, service);
        let (from, to) = grid.cell(place.0, place.1);
        let ink = canvas.theme.text.to_rgba();
        canvas.outline((from.0 - 1.5, from.1 - 1.5), (to.0 + 1.5, to.1 + 1.5), ink);
    }
    key(canvas, map, sides, frame);
}

/// The nearest column and row of a place, by ratio.
fn place(map: &Map, place: MapPlace) -> (usize, usize) {
    let nearest = |axis: &[u64], value: u64| {
        let distance = |other: u64| ((other as f64 + 1.0) / (value as f64 + 1.0)).ln().abs();
        let by = |a: &usize, b: &usize| distance(axis[*a]).total_cmp(&distance(axis[*b]));
        (0..axis.len()).min_by(by).unwrap_or(0)
    };
    (nearest(&map.waits_ns, place.wait_ns), nearest(&map.cpus_ns, place.cpu_ns))
}

fn amount(ns: u64) -> String {
    if ns == 0 { "0".into() } else { duration(ns as f64) }
}

fn draw_cell(
    canvas: &mut Canvas,
    found: &MapFinding<'_>,
    sides: &[Side],
    from: (f64, f64),
    to: (f64, f64),
) {
    let theme = canvas.theme;
    let (x, y) = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    let room = to.0 - from.0 - 6.0;
    let (big, small) = if to.1 - from.1 > 44.0 { (17.0, 12.0) } else { (13.0, 11.5) };
    let apart = big * 0.5 + small * 0.5;
    match found {
        MapFinding::Won(who, by) => {
            let fill = ramp(&theme, sides[*who].style)[strength(*by)];
            canvas.rectangle(from, to, fill.to_rgba());
            let ink = Theme::ink_on(fill);
            let mut write = |text: &str, dy, px, weight| {
                let text = fitted(&typeset(text), px, weight, room);
                canvas.text(&text, (x, y + dy), Ink { px, weight, colour: ink }, Anchor::Middle);
            };
            write(&times(*by), -apart / 2.0 - 2.0, big, Weight::SemiBold);
            write(&sides[*who].name, apart / 2.0 + 3.0, small, Weight::Regular);
        }
        MapFinding::Unclear(low, high) => {
            unsettled(canvas, from, to);
            let mut write = |text: &str, dy, px, weight| {
                let text = fitted(&typeset(text), px, weight, room);
                canvas.label(
                    &text,
                    (x, y + dy),
                    Ink { px, weight, colour: theme.muted },
                    Anchor::Middle,
                );
            };
            write("\u{2248}", -apart / 2.0 - 2.0, big, Weight::SemiBold);
            write(
                &format!("{}\u{2013}{}\u{d7}", decimals(*low, 2), decimals(*high, 2)),
                apart / 2.0 + 3.0,
                11.5,
                Weight::Regular,
            );
        }
        MapFinding::Unknown(reason) => {
            unsettled(canvas, from, to);
            let text = fitted(&clean(reason), 11.5, Weight::Regular, room);
            let ink = Ink { px: 11.5, weight: Weight::Regular, colour: theme.muted };
            canvas.label(&text, (x, y), ink, Anchor::Middle);
        }
    }
}

fn unsettled(canvas: &Canvas, from: (f64, f64), to: (f64, f64)) {
    canvas.rectangle(from, to, canvas.theme.neutral.to_rgba());
    canvas.hatch(from, to, canvas.theme.muted.mix(0.25));
}

fn ramp(theme: &Theme, style: Style) -> [RGBColor; RAMP] {
    if style.family() == ColourFamily::Threaded { theme.threaded_ramp } else { theme.awaiting_ramp }
}

/// The step of a ramp that a ratio has.
fn strength(ratio: f64) -> usize {
    STEPS.iter().rposition(|step| ratio >= *step).unwrap_or(0)
}

/// From this ratio on each step of the ramp.
const STEPS: [f64; RAMP] = [1.0, 1.3, 1.8, 3.0, 5.0];

fn key(canvas: &mut Canvas, map: &Map, sides: &[Side], frame: Frame) {
    let theme = canvas.theme;
    let x = frame.right + 30.0;
    let room = canvas.width - MARGIN - x - 44.0;
    let name = name_ink(canvas);
    let heading = fitted(
        &format!("{} ratio", capital(&quantity(&map.metric))),
        13.0,
        Weight::SemiBold,
        room + 44.0,
    );
    canvas.text(&heading, (x, frame.top + 6.0), name, Anchor::Start);
    let plain = Ink { px: 13.0, weight: Weight::Regular, colour: theme.text };
    let mut y = frame.top + 30.0;
    let swatch = |y: f64| ((x, y - 10.0), (x + 34.0, y + 10.0));
    for (who, order) in [(0, [4, 2, 0]), (1, [0, 2, 4])] {
        let side = &sides[who];
        let ink = Ink { px: 13.0, weight: Weight::SemiBold, colour: side.style.colour(&theme) };
        let name = fitted_name(&side.name, ink.px, ink.weight, room + 44.0);
        canvas.text(&name, (x, y), ink, Anchor::Start);
        y += 22.0;
        for step in order {
            let (from, to) = swatch(y);
            canvas.rectangle(from, to, ramp(&theme, side.style)[step].to_rgba());
            let text = match step {
                0 => format!("below {}x", STEPS[1]),
                4 => format!("{}x or more", STEPS[4]),
                step => format!("{}x", STEPS[step]),
            };
            canvas.text(&typeset(&text), (x + 44.0, y), plain, Anchor::Start);
            y += 25.0;
        }
        if who == 0 {
            let (from, to) = swatch(y);
            unsettled(canvas, from, to);
            canvas.text("no clear difference", (x + 44.0, y), plain, Anchor::Start);
            y += 30.0;
        }
    }
    if let Some(service) = map.service {
        y += 20.0;
        let (from, to) = swatch(y);
        canvas.outline(from, to, theme.text.to_rgba());
        let ink = Ink { weight: Weight::SemiBold, ..plain };
        canvas.text("your service", (x + 44.0, y), ink, Anchor::Start);
        let ink = Ink { px: 12.0, weight: Weight::Regular, colour: theme.muted };
        for (line, text) in
            [format!("CPU {}", amount(service.cpu_ns)), format!("wait {}", amount(service.wait_ns))]
                .iter()
                .enumerate()
        {
            let y = y + 18.0 * (line + 1) as f64;
            canvas.text(&fitted(text, ink.px, ink.weight, room), (x + 44.0, y), ink, Anchor::Start);
        }
    }
}
