//! A measured cell: what it compares and who wins it, in a table, on the map and in a decision alike.

use std::borrow::Cow;

use crate::record::metric::label;
use crate::record::{MapCell, Winner};
use crate::stats::discoveries;

/// The metric of a cell that compares closed ceilings.
pub(crate) const CEILING: &str = "capacity";

/// Within this of 1 nothing is called a difference.
pub(crate) const ZONE: f64 = 1.05;

/// Of the cells of a map that have a winner, at most such a share has the wrong one, on average.
const WRONG: f64 = 0.05;
/// Below so many rounds no cell has a winner.
pub(crate) const ROUNDS_MIN: u32 = 8;

/// Who wins a cell and how many times over.
pub(crate) fn winner(cell: &MapCell) -> Option<(Winner, f64)> {
    Some((cell.winner?, cell.ratio.map(|ratio| ratio.max(1.0 / ratio))?))
}

/// Says who wins each cell of a map, all of them judged together.
pub(crate) fn judge(cells: &mut [MapCell], metric: &str) {
    let p = |cell: &MapCell| cell.p.filter(|_| cell.ratio.is_some() && cell.n >= ROUNDS_MIN);
    let p: Vec<f64> = cells.iter().map(|cell| p(cell).unwrap_or(f64::NAN)).collect();
    for (cell, clear) in cells.iter_mut().zip(discoveries(&p, WRONG)) {
        cell.winner = ahead(cell, metric).filter(|_| clear);
    }
}

/// Says who wins a cell that was asked about by itself: nobody where its interval does not clear the zone.
pub(crate) fn judged_alone(cell: MapCell, metric: &str) -> MapCell {
    let limits = cell.low.zip(cell.high);
    let clear = limits.is_some_and(|(low, high)| low > ZONE || high < 1.0 / ZONE);
    MapCell { winner: ahead(&cell, metric).filter(|_| clear), ..cell }
}

fn ahead(cell: &MapCell, metric: &str) -> Option<Winner> {
    let first = (cell.ratio? > 1.0) == more_is_better(metric);
    Some(if first { Winner::Of } else { Winner::Versus })
}

/// What a cell of this metric compares, for people: never within an objective, so a capacity is called what it is.
pub(crate) fn quantity(metric: &str) -> Cow<'static, str> {
    if metric == CEILING { "closed ceiling".into() } else { label(metric) }
}

/// Metrics of which more is better.
pub(crate) fn more_is_better(metric: &str) -> bool {
    matches!(metric, CEILING | "achieved" | "goodput" | "accounts_per_s" | "throughput")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(ratio: f64, low: f64, high: f64) -> MapCell {
        MapCell {
            wait_ns: 0,
            cpu_ns: 0,
            ratio: Some(ratio),
            low: Some(low),
            high: Some(high),
            n: 6,
            reason: String::new(),
            sizes: Default::default(),
            rounds: Vec::new(),
            p: None,
            winner: None,
        }
    }

    fn alone(cell: MapCell, metric: &str) -> Option<(Winner, f64)> {
        winner(&judged_alone(cell, metric))
    }

    #[test]
    fn an_interval_that_clears_the_zone_has_a_winner() {
        assert_eq!(alone(cell(2.0, 1.06, 3.0), CEILING), Some((Winner::Of, 2.0)));
        assert_eq!(alone(cell(2.0, 1.06, 3.0), "p99"), Some((Winner::Versus, 2.0)));
        assert_eq!(alone(cell(0.5, 0.4, 0.94), CEILING), Some((Winner::Versus, 2.0)));
        assert_eq!(alone(cell(0.5, 0.4, 0.94), "cpu_per_request"), Some((Winner::Of, 2.0)));
    }

    #[test]
    fn one_that_does_not_has_none() {
        assert_eq!(alone(cell(2.0, 1.04, 3.0), CEILING), None);
        assert_eq!(alone(cell(0.8, 0.7, 0.96), CEILING), None);
        assert_eq!(alone(MapCell { high: None, ..cell(2.0, 1.5, 3.0) }, CEILING), None);
    }

    #[test]
    fn cells_of_a_map_are_judged_together() {
        let of = |p: f64| MapCell { n: 8, p: Some(p), ..cell(2.0, 1.06, 3.0) };
        let won = |mut cells: Vec<MapCell>| {
            judge(&mut cells, CEILING);
            cells.iter().filter(|cell| cell.winner == Some(Winner::Of)).count()
        };
        let clear = 2.0 / 256.0;
        let among = |clear_ones: usize| {
            (0..25).map(|i| of(if i < clear_ones { clear } else { 0.6 })).collect::<Vec<_>>()
        };
        assert_eq!(won(among(3)), 0, "three of 25 at 8 rounds may be chance");
        assert_eq!(won(among(4)), 4);
        assert_eq!(won(vec![of(0.04)]), 1);
        assert_eq!(won(vec![MapCell { n: 7, ..of(0.01) }]), 0, "too few rounds");
        assert_eq!(won(vec![MapCell { ratio: None, ..of(0.01) }]), 0);
    }
}
