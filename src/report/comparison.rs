//! One contender against another in words: ratio and difference with interval and n, and three outcomes always.

use super::losses;
use crate::judge::cell::{CONFIDENCE, ends, exploratory, factor, lost, range};
use crate::judge::races::{Entry, Race};
use crate::record::metric::label;
use crate::record::{Comparison, Direction, Exploratory};
use crate::report::format::difference;
use crate::text::{clean, counted, listed, percent, times};

/// In place of a difference that the machine may hide.
pub(crate) const UNSEEN: &str = "could not be seen here";
pub(crate) const AT_FLOOR: &str = "is at the machine's floor";

/// A comparison as a row shows it, without its metric's name.
pub(crate) fn compared(race: &Race<'_>, c: &Comparison) -> String {
    let lost = losses::of_comparison(race, c);
    match (c.ratio, lost) {
        (None, None) => format!("not compared: {}", why_not(race, c)),
        (None, Some(lost)) => match c.verdict {
            Direction::Inconclusive => format!("no clear difference: {lost}"),
            side => format!("{}: {lost}", side.name()),
        },
        (Some(ratio), None) => found(race, c, ratio),
        (Some(ratio), Some(lost)) => format!("{}; {lost}", found(race, c, ratio)),
    }
}

fn found(race: &Race<'_>, c: &Comparison, ratio: f64) -> String {
    let known = (c.low.is_some() && c.high.is_some()) || lost(c) > 0;
    if !known {
        return match range(race, c) {
            Some((low, high)) if c.n > 1 => format!(
                "{} to {} over {}, no interval (n = {})",
                times(low),
                times(high),
                counted(c.n as usize, "round"),
                c.n
            ),
            _ => format!("{}, no interval (n = {})", times(ratio), c.n),
        };
    }
    let (low, high) = ends(c);
    match c.verdict {
        Direction::Inconclusive => {
            let interval = format!("{} to {}, n = {}", times(low), times(high), c.n);
            match &c.at_floor {
                Some(name) => format!("{}: {} {AT_FLOOR} ({interval})", UNSEEN, clean(name)),
                None => format!("no clear difference ({interval})"),
            }
        }
        side => {
            let (low, high) =
                if side == Direction::Lower { (1.0 / high, 1.0 / low) } else { (low, high) };
            let difference = c.difference.map(|d| difference(&c.metric, d));
            let difference = difference.map_or_else(String::new, |d| format!(" ({d})"));
            format!(
                "{} {}{difference}, {} interval {} to {}, n = {}",
                times(factor(c)),
                side.name(),
                confidence(c),
                times(low),
                times(high),
                c.n
            )
        }
    }
}

/// `95 %`, and more of one of several that the run speaks of.
pub(crate) fn confidence(c: &Comparison) -> String {
    level(c.headline_confidence.unwrap_or(CONFIDENCE))
}

/// With more digits near 100 %: each of hundreds of comparisons is nearly certain, but not quite.
fn level(confidence: f64) -> String {
    percent(confidence, if confidence > 0.999 { 3 } else { 1 })
}

/// `Headline: 3 comparisons, each at 98.3 %, so that all hold at 95 %. Exploratory: 18 others, each at 95 %: 5 differ, and
/// 0.6 would by chance.`
pub(crate) fn families(comparisons: &[Comparison]) -> Option<String> {
    let compared = comparisons.iter().filter(|c| c.n > 0);
    let headline: Vec<f64> = compared.filter_map(|c| c.headline_confidence).collect();
    let first = headline.first().map(|confidence| match headline.len() {
        1 => format!("Headline: one comparison, at {}.", level(*confidence)),
        n => format!(
            "Headline: {n} comparisons, each at {}, so that all hold at 95 %.",
            level(*confidence)
        ),
    });
    let second = exploratory(comparisons).map(|Exploratory { compared, differ, by_chance }| {
        let others = if first.is_some() { "others" } else { "comparisons" };
        format!(
            "Exploratory: {compared} {others}, each at 95 %: {differ} {}, and {by_chance:.1} would by chance.",
            if differ == 1 { "differs" } else { "differ" }
        )
    });
    let both: Vec<String> = first.into_iter().chain(second).collect();
    (!both.is_empty()).then(|| both.join(" "))
}

/// `p99`, or `p99 of account-read` where a race has several request kinds.
pub(crate) fn metric_of(race: &Race<'_>, c: &Comparison) -> String {
    let several = race.kinds().len() > 1;
    match c.request.as_deref().filter(|_| several) {
        Some(kind) => format!("{} of {}", label(&c.metric), clean(kind)),
        None => label(&c.metric).into_owned(),
    }
}

/// Why there is no ratio.
fn why_not(race: &Race<'_>, c: &Comparison) -> String {
    let latency = c.metric.starts_with('p');
    let saturated: Vec<String> = [&c.versus, &c.of]
        .into_iter()
        .filter(|name| latency && race.entry(name).is_some_and(Entry::is_saturated))
        .map(|name| clean(name))
        .collect();
    if saturated.is_empty() {
        return "no round in which both have this figure".into();
    }
    format!("{} saturated", listed(&saturated) + if saturated.len() == 1 { " is" } else { " are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_eight_comparisons_of_six_rounds_find_one_and_a_half_by_chance() {
        let one = Comparison {
            metric: "p50".into(),
            low: Some(0.9),
            high: Some(1.1),
            n: 6,
            verdict: Direction::Inconclusive,
            ..Comparison::default()
        };
        let differs = Comparison { verdict: Direction::Higher, ..one.clone() };
        let headline = Comparison { headline_confidence: Some(0.99), ..differs.clone() };
        let capacity = Comparison { metric: "capacity".into(), ..differs.clone() };
        let mut all = vec![one; 47];
        all.extend([differs, headline, capacity]);
        let found = exploratory(&all).unwrap();
        assert_eq!(found, Exploratory { compared: 48, differ: 1, by_chance: 1.5 });
        assert_eq!(exploratory(&all[48..]), None);
        all.truncate(49);
        let said = families(&all).unwrap();
        assert_eq!(
            said,
            "Headline: one comparison, at 99 %. Exploratory: 48 others, each at 95 %: 1 differs, and 1.5 would by chance."
        );
        all.push(all[48].clone());
        assert!(families(&all).unwrap().starts_with("Headline: 2 comparisons, each at 99 %, so"));
    }
}
