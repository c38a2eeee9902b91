//! Flame graphs: whose CPU time a right answer takes, by stack. The width of a box is the time of a function and of what it
//! called; the outermost functions, which all stacks share, are left out.

use std::collections::BTreeMap;

use plotters::style::{Color, RGBColor};

use super::canvas::{Anchor, Canvas, Ink};
use super::picture::{ChartKind, MARGIN, Picture};
use super::text::{Weight, fitted};
use super::theme::{RAMP, Theme};
use super::view::View;
use crate::judge::races::Race;
use crate::judge::why::ALL;
use crate::record::{Flame, LayerDifference};
use crate::report::why::sentence;
use crate::text::{clean, percent, slug};
use crate::units::three_digits;

/// One for each contender that was profiled.
pub(super) fn pictures<'a>(view: &View<'a>) -> Vec<Picture<'a>> {
    let Some(why) = &view.result.why else { return Vec::new() };
    why.flames.iter().map(|flame| picture(view, flame)).collect()
}

/// One for each contender against the first one of its scenario, or of the `pair`.
pub(super) fn differences<'a>(view: &View<'a>, pair: Option<(&str, &str)>) -> Vec<Picture<'a>> {
    let Some(why) = &view.result.why else { return Vec::new() };
    let mut found = Vec::new();
    for (place, of) in why.flames.iter().enumerate() {
        let others = why.flames.iter().filter(|one| one.scenario == of.scenario);
        let versus = match pair {
            Some((name, versus)) if name == of.contender => {
                others.clone().find(|it| it.contender == versus)
            }
            Some(_) => None,
            None => others.clone().next().filter(|first| why.flames[..place].contains(first)),
        };
        found.extend(versus.map(|versus| difference(view, of, versus)));
    }
    found
}

/// A function with what it called.
#[derive(Debug, Default)]
struct Node {
    /// us, of the contender and of the one that it is compared with.
    us: [f64; 2],
    called: BTreeMap<String, Self>,
}

impl Node {
    fn of(flames: [Option<&Flame>; 2]) -> Self {
        let mut root = Self::default();
        for (side, flame) in flames.into_iter().enumerate() {
            for stack in flame.into_iter().flat_map(|flame| &flame.stacks) {
                let mut at = &mut root;
                at.us[side] += stack.us;
                for name in stack.frames.split(';') {
                    at = at.called.entry(name.to_owned()).or_default();
                    at.us[side] += stack.us;
                }
            }
        }
        root
    }

    /// Without the outermost functions that nearly all time is below.
    fn bared(mut self) -> Self {
        loop {
            let all = self.us[0];
            let only = self
                .called
                .iter()
                .find(|(_, one)| one.us[0] >= SHARED * all && !one.called.is_empty());
            let Some(name) = only.map(|(name, _)| name.clone()) else { return self };
            if all <= 0.0 {
                return self;
            }
            self = self.called.remove(&name).expect("it was just found");
        }
    }
}

/// The share of all time below a function that is left out.
const SHARED: f64 = 0.98;

pub(super) fn races<'r, 'a>(view: &'r View<'a>, flame: &Flame) -> Vec<&'r Race<'a>> {
    let of = |race: &&Race<'_>| race.scenario == flame.scenario && race.level == flame.level;
    view.races.iter().filter(of).collect()
}

fn method(flames: [Option<&Flame>; 2]) -> String {
    let cost = |flame: &Flame| {
        let more = percent(flame.overhead?, 1);
        Some(format!("{} {more}", clean(&flame.contender)))
    };
    let costs: Vec<_> = flames.into_iter().flatten().filter_map(cost).collect();
    match costs.is_empty() {
        true => METHOD.to_owned(),
        false => format!("{METHOD} Profiling adds CPU: {}.", costs.join(", ")),
    }
}

const METHOD: &str = "Width: CPU time of a function and of what it called, above it. Software clock at 997 Hz; kernel functions \
     end in _[k]. Functions that nearly all stacks begin with, and boxes under 2 px, are left out.";

fn picture<'a>(view: &View<'a>, flame: &'a Flame) -> Picture<'a> {
    let us: f64 = flame.stacks.iter().map(|stack| stack.us).sum();
    let name = clean(&flame.contender);
    let title = format!("{name} takes {} us of CPU for a correct response", three_digits(us));
    let title = view.title("this graph", title);
    let what = format!("CPU time by stack in profiled trials at {}", clean(&flame.level));
    let chrome =
        view.chrome(title.clone(), &what, &races(view, flame), &method([Some(flame), None]));
    let alt = format!("{title}. By layer: {}.", by_layer(flame));
    let stem = format!("flame-{}-{}", slug(&flame.scenario), slug(&flame.contender));
    let root = Node::of([Some(flame), None]).bared();
    Picture::new(ChartKind::Flame, stem, chrome, alt, move |canvas| {
        let colour = |theme: &Theme, name: &str, _: &Node| match name.ends_with("_[k]") {
            true => theme.threaded_ramp[1],
            false => theme.awaiting_ramp[1],
        };
        draw(canvas, &root, &colour, &|node| format!("{} us", three_digits(node.us[0])));
    })
}

fn difference<'a>(view: &View<'a>, of: &'a Flame, versus: &'a Flame) -> Picture<'a> {
    let all = view.result.why.iter().flat_map(|why| &why.differences);
    let pair = |one: &&LayerDifference| {
        (&one.scenario, &one.of, &one.versus) == (&of.scenario, &of.contender, &versus.contender)
    };
    let pair: Vec<&LayerDifference> = all.filter(pair).collect();
    let names = (clean(&of.contender), clean(&versus.contender));
    let title = match pair.first() {
        Some(first) if first.layer == ALL => sentence(&pair),
        _ => format!("CPU of {} against that of {}", names.0, names.1),
    };
    let title = view.title("this graph", title);
    let what = format!(
        "CPU time of {} by stack at {}, the hue is its difference from {}",
        names.0,
        clean(&of.level),
        names.1
    );
    let method = format!(
        "Orange: more than {}, blue: less, grey: as much. {}",
        names.1,
        method([Some(of), Some(versus)])
    );
    let chrome = view.chrome(title.clone(), &what, &races(view, of), &method);
    let alt = format!("{title} {}: {}. {}: {}.", names.0, by_layer(of), names.1, by_layer(versus));
    let stem = format!(
        "flame-diff-{}-{}-{}",
        slug(&of.scenario),
        slug(&of.contender),
        slug(&versus.contender)
    );
    let root = Node::of([Some(of), Some(versus)]).bared();
    // What half of the largest difference takes has the strongest colour.
    let most = (root.us[0] - root.us[1]).abs().max(root.us[0] * 0.05);
    Picture::new(ChartKind::FlameDiff, stem, chrome, alt, move |canvas| {
        let colour = |theme: &Theme, _: &str, node: &Node| {
            let more = node.us[0] - node.us[1];
            let step = (more.abs() / most * 2.0 * RAMP as f64) as usize;
            match step.min(RAMP) {
                0 => theme.neutral,
                step if more > 0.0 => theme.threaded_ramp[step - 1],
                step => theme.awaiting_ramp[step - 1],
            }
        };
        let figure = |node: &Node| {
            format!("{} us against {} us", three_digits(node.us[0]), three_digits(node.us[1]))
        };
        draw(canvas, &root, &colour, &figure);
    })
}

/// `service 12 us, kernel network 9.1 us`
fn by_layer(flame: &Flame) -> String {
    let mut layers: BTreeMap<&str, f64> = BTreeMap::new();
    for stack in &flame.stacks {
        *layers.entry(&stack.layer).or_default() += stack.us;
    }
    let mut layers: Vec<(&str, f64)> = layers.into_iter().collect();
    layers.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told = layers.iter().map(|(name, us)| format!("{} {} us", clean(name), three_digits(*us)));
    told.collect::<Vec<_>>().join(", ")
}

/// A row of boxes, px.
const ROW_PX: f64 = 18.0;
const TEXT_PX: f64 = 11.5;
/// No box is narrower, px.
const LEAST_PX: f64 = 2.0;
/// A box with a name, px.
const NAMED_PX: f64 = 44.0;

type Colour<'c> = &'c dyn Fn(&Theme, &str, &Node) -> RGBColor;

fn draw(canvas: &mut Canvas, root: &Node, colour: Colour<'_>, figure: &dyn Fn(&Node) -> String) {
    let (left, right) = (MARGIN, canvas.width - MARGIN);
    let (top, bottom) = (canvas.head + 24.0, canvas.foot - 22.0);
    let scale = (right - left) / root.us[0].max(f64::MIN_POSITIVE);
    // Row by row from below: what a row has no room for is not drawn.
    let mut row: Vec<(f64, &Node)> = vec![(left, root)];
    let mut y = bottom - ROW_PX;
    while !row.is_empty() && y >= top {
        let mut above = Vec::new();
        for (mut x, parent) in row {
            for (name, node) in &parent.called {
                let wide = node.us[0] * scale;
                if wide >= LEAST_PX {
                    boxed(canvas, (x, y, wide), name, node, colour, figure);
                    above.push((x, node));
                }
                x += wide;
            }
        }
        (row, y) = (above, y - ROW_PX);
    }
}

fn boxed(
    canvas: &mut Canvas,
    (x, y, wide): (f64, f64, f64),
    name: &str,
    node: &Node,
    colour: Colour<'_>,
    figure: &dyn Fn(&Node) -> String,
) {
    let fill = colour(&canvas.theme, name, node);
    canvas.rectangle((x, y), (x + wide - 0.5, y + ROW_PX - 1.0), fill.to_rgba());
    let name = clean(name);
    canvas.tip((x + wide / 2.0, y + ROW_PX / 2.0), format!("{name}: {}", figure(node)));
    if wide >= NAMED_PX {
        let text = fitted(&name, TEXT_PX, Weight::Regular, wide - 8.0);
        let ink = Ink { px: TEXT_PX, weight: Weight::Regular, colour: Theme::ink_on(fill) };
        canvas.text(&text, (x + 4.0, y + ROW_PX / 2.0), ink, Anchor::Start);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shade, Size, pictures_of};
    use super::*;
    use crate::judge::mock;

    #[test]
    fn functions_are_as_wide_as_their_time_and_the_shared_ones_are_left_out() {
        let why = mock::why(8);
        let root = Node::of([Some(&why.flames[0]), Some(&why.flames[1])]);
        assert_eq!(root.us, [22.0, 25.0]);
        let root = root.bared();
        let names: Vec<&str> = root.called.keys().map(String::as_str).collect();
        assert_eq!(names, ["epoll_[k]", "payment <b>"], "below main and serve");
        assert_eq!(root.called["payment <b>"].us, [20.0, 20.0]);
        assert!(Node::default().bared().called.is_empty());
    }

    #[test]
    fn a_contender_and_a_pair_have_a_graph_without_scripts() {
        let mut run = mock::payments(6, &mock::MODELS);
        assert!(pictures_of(&run, ChartKind::Flame, None).is_empty());
        run.why = Some(mock::why(8));
        assert_eq!(pictures_of(&run, ChartKind::Flame, None).len(), 2);
        let differences = pictures_of(&run, ChartKind::FlameDiff, None);
        let [difference] = &differences[..] else { panic!("one pair") };
        assert!(difference.title.starts_with("Of the 3 us"), "{}", difference.title);
        let svg = difference.svg(Shade::Light, Size::Blog);
        assert!(svg.contains("Profiling adds CPU: "), "{svg}");
        assert!(!svg.contains("<script") && svg.contains("payment &lt;b&gt;"), "{svg}");
        let turned = Some(("event-loop", "thread-pool"));
        assert_eq!(pictures_of(&run, ChartKind::FlameDiff, turned).len(), 1);
        assert!(
            pictures_of(&run, ChartKind::FlameDiff, Some(("nobody", "thread-pool"))).is_empty()
        );
    }
}
