//! A measured cell: what it compares and who wins it, in a table, on the map and in a decision alike.

use super::schema::MapCell;
use super::words;

/// The metric of a cell that compares closed ceilings.
pub(crate) const CEILING: &str = "capacity";

/// Within this of 1 nothing is called a difference.
pub(crate) const ZONE: f64 = 1.05;

/// One of the two that a cell compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The first: the ratio is its figure over the other's.
    Of,
    /// The second.
    Versus,
}

/// Who wins a cell of this metric and how many times over; nobody where its interval does not clear the zone, or there is
/// none.
pub(crate) fn winner(cell: &MapCell, metric: &str) -> Option<(Side, f64)> {
    let (ratio, low, high) = (cell.ratio?, cell.low?, cell.high?);
    let clear = low > ZONE || high < 1.0 / ZONE;
    let side = if (ratio > 1.0) == more_is_better(metric) { Side::Of } else { Side::Versus };
    clear.then_some((side, ratio.max(1.0 / ratio)))
}

/// What a cell of this metric compares, for people: never within an objective, so a capacity is called what it is.
pub(crate) fn quantity(metric: &str) -> &str {
    if metric == CEILING { "closed ceiling" } else { words::metric(metric) }
}

/// Metrics of which more is better.
pub(crate) fn more_is_better(metric: &str) -> bool {
    matches!(metric, CEILING | "achieved" | "accounts_per_s" | "throughput")
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
        }
    }

    #[test]
    fn an_interval_that_clears_the_zone_has_a_winner() {
        assert_eq!(winner(&cell(2.0, 1.06, 3.0), CEILING), Some((Side::Of, 2.0)));
        assert_eq!(winner(&cell(2.0, 1.06, 3.0), "p99"), Some((Side::Versus, 2.0)));
        assert_eq!(winner(&cell(0.5, 0.4, 0.94), CEILING), Some((Side::Versus, 2.0)));
        assert_eq!(winner(&cell(0.5, 0.4, 0.94), "cpu_per_request"), Some((Side::Of, 2.0)));
    }

    #[test]
    fn one_that_does_not_has_none() {
        assert_eq!(winner(&cell(2.0, 1.04, 3.0), CEILING), None);
        assert_eq!(winner(&cell(0.8, 0.7, 0.96), CEILING), None);
        assert_eq!(winner(&MapCell { high: None, ..cell(2.0, 1.5, 3.0) }, CEILING), None);
    }
}
