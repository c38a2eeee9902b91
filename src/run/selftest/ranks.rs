//! Ranks: of a thousand requests whose times are known, each percentile is the time of the request at its rank, in a
//! histogram and in what a report keeps of it. No machine is asked.

use hdrhistogram::Histogram;

use crate::error::Result;
use crate::record::histogram::ranked;
use crate::run::selftest::{Bench, Row, Verdict};
use crate::stats::percentile::{Failures, Quantile, at_rank};

/// Requests, of which some failed: they stand above every time.
const REQUESTS: u64 = 1_000;
const FAILED: u64 = 10;
/// The k-th time is the one before it and this share of it.
const STEP: f64 = 1.01;
const FIRST_NS: f64 = 1_000.0;
/// Percentiles and the ranks that they are of a thousand requests; nothing where the request failed.
const PERCENTILES: [(u64, Option<u64>); 4] =
    [(500, Some(500)), (900, Some(900)), (990, Some(990)), (999, None)];

pub(super) fn check(_: &Bench<'_>) -> Result<Vec<Row>> {
    let kept =
        |times: &Histogram<u64>, failures, per_mille: u64| ranked(times, failures).at(per_mille);
    let read = |times: &Histogram<u64>, failures, per_mille: u64| {
        at_rank(times, failures, per_mille as f64 / 1_000.0)
    };
    Ok(vec![row("a histogram", &read), row("a report", &kept)])
}

/// How percentiles are read of times and failures.
type Read<'a> = dyn Fn(&Histogram<u64>, Failures, u64) -> Quantile + 'a;

fn row(of: &str, read: &Read<'_>) -> Row {
    let mut times = Histogram::new(3).expect("three digits are few enough");
    (1..=REQUESTS - FAILED).for_each(|rank| times += time(rank) as u64);
    let failures = Failures { all: FAILED, ..Failures::default() };
    let found = PERCENTILES.map(|(per_mille, _)| match read(&times, failures, per_mille) {
        Quantile::Time(ns) => Some(rank(ns as f64)),
        _ => None,
    });
    let shown = |ranks: [Option<u64>; 4]| {
        ranks.map(|rank| rank.map_or_else(|| "failed".into(), |rank| rank.to_string())).join(", ")
    };
    let expected = PERCENTILES.map(|(_, rank)| rank);
    Row {
        check: "ranks",
        what: format!("p50, p90, p99, p99.9 of {of}, {REQUESTS} requests, {FAILED} of them failed"),
        expected: shown(expected),
        measured: shown(found),
        verdict: Verdict::of(found == expected),
        needs: None,
    }
}

fn time(rank: u64) -> f64 {
    FIRST_NS * STEP.powi(rank as i32)
}

/// Of the time that is nearest.
fn rank(ns: f64) -> u64 {
    ((ns / FIRST_NS).ln() / STEP.ln()).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_off_by_one_is_caught_on_either_side() {
        let of = |by: i64| {
            row("a histogram", &move |times, failures, per_mille| {
                let rank = (per_mille as i64 + by) as f64 / 1_000.0;
                at_rank(times, failures, rank)
            })
        };
        assert_eq!(of(0).verdict, Verdict::Holds);
        assert_eq!(of(0).measured, "500, 900, 990, failed");
        assert_eq!((of(-1).verdict, of(1).verdict), (Verdict::Fails, Verdict::Fails));
        assert_eq!(of(1).measured, "501, 901, failed, failed");
    }
}
