//! Response times by when their requests were due, for the picture of a fault.

use hdrhistogram::Histogram;

use crate::judge::rank;
use crate::load::outcome::{Kind, Outcome};
use crate::record;
use crate::record::{Recovery, TimeWindow, Timeline};
use crate::scenario::Disturbance;
use crate::stats::percentile::{Failures, Quantile, at_rank};

/// Cells begin there; what is shorter is in the first.
const LOWEST_NS: u64 = 10_000;
/// Cells of a picture in a factor of ten.
const STEPS_PER_DECADE: u32 = 12;
/// With fewer requests a window has no p50, and no p99.
const P50_MIN: u64 = 20;
const P99_MIN: u64 = 100;

/// The timeline of a trial that was disturbed; nothing where it was not, or in a closed loop.
pub(super) fn timeline(
    disturbance: Option<Disturbance>,
    outcome: &Outcome,
    recovery: Option<&Recovery>,
) -> Option<Timeline> {
    let disturbance = disturbance?;
    let length = outcome.kinds.iter().map(|kind| kind.slices.len()).max().filter(|n| *n > 0)?;
    let windows = (0..length).map(|place| {
        let own = |kind: &'_ Kind| {
            let slice = kind.slices.get(place)?;
            Some((slice.times.clone(), rank::slice_failures(kind, slice)))
        };
        let whole = outcome.kinds.iter().filter_map(own).reduce(|mut sum, (times, failures)| {
            sum.0.add(times).expect("the slices of a trial have the same bounds");
            sum.1 += failures;
            sum
        });
        let (times, failures) = whole.expect("the longest kind has them all");
        window(&times, failures)
    });
    Some(Timeline {
        version: 1,
        window_ns: outcome.slice.0,
        windows: windows.collect(),
        lowest_ns: LOWEST_NS,
        steps_per_decade: STEPS_PER_DECADE,
        fault: Some(record::Fault {
            what: disturbance.what,
            from_ns: disturbance.start.0,
            for_ns: disturbance.lasting.0,
        }),
        recovery_ns: recovery.and_then(|recovery| recovery.after_ns),
    })
}

fn window(times: &Histogram<u32>, failures: Failures) -> TimeWindow {
    let n = times.len() + failures.all;
    let quantile = |least, rank| {
        Some(at_rank(times, failures, rank)).filter(|_| n >= least).and_then(Quantile::written)
    };
    let mut counts = Vec::new();
    for step in times.iter_recorded() {
        let cell = cell(step.value_iterated_to());
        if counts.len() <= cell {
            counts.resize(cell + 1, 0);
        }
        counts[cell] += u64::from(step.count_at_value());
    }
    TimeWindow {
        n,
        failures: failures.all,
        p50_ns: quantile(P50_MIN, 0.5),
        p99_ns: quantile(P99_MIN, 0.99),
        max_ns: (!times.is_empty()).then(|| times.max()),
        counts,
    }
}

fn cell(ns: u64) -> usize {
    let decades = (ns.max(LOWEST_NS) as f64 / LOWEST_NS as f64).log10();
    (decades * f64::from(STEPS_PER_DECADE)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::percentile::FAILED_NS;

    fn slice(values: impl IntoIterator<Item = u64>) -> Histogram<u32> {
        let mut slice = Histogram::new_with_bounds(1, 60_000_000_000, 2).unwrap();
        values.into_iter().for_each(|value| slice.record(value).unwrap());
        slice
    }

    #[test]
    fn every_request_of_a_window_lies_in_a_cell() {
        let times = slice((0..150).map(|n| 1_000 * (n + 1) * (n + 1)));
        let window = window(&times, Failures::default());
        assert_eq!((window.n, window.counts.iter().sum::<u64>()), (150, 150));
        assert_eq!(window.counts[0], 3, "what is below the first cell is in it");
        assert!(window.p99_ns.is_some() && window.max_ns > window.p99_ns);
        let edge = LOWEST_NS as f64 * 10_f64.powf((window.counts.len() - 1) as f64 / 12.0);
        let max = window.max_ns.unwrap() as f64;
        assert!(edge <= max && max < edge * 10_f64.powf(1.0 / 12.0), "{edge} {max}");
    }

    #[test]
    fn what_has_too_few_requests_has_no_percentile() {
        let of = |n| window(&slice(std::iter::repeat_n(500_000, n)), Failures::default());
        assert_eq!((of(0).max_ns, of(0).counts.len()), (None, 0));
        assert_eq!((of(19).p50_ns, of(19).max_ns.is_some()), (None, true));
        assert_eq!((of(20).p50_ns.is_some(), of(99).p99_ns), (true, None));
        assert!(of(100).p99_ns.is_some());
    }

    #[test]
    fn failures_are_requests_without_a_cell_and_above_all_others() {
        let failures = Failures { all: 52, timeouts: 51, timeout_ns: 1 };
        let window = window(&slice(std::iter::repeat_n(500_000, 50)), failures);
        assert_eq!((window.n, window.failures, window.counts.iter().sum::<u64>()), (102, 52, 50));
        assert_eq!((window.p50_ns, window.p99_ns), (Some(FAILED_NS), Some(FAILED_NS)));
        assert!(window.max_ns < Some(600_000), "of those that were answered");
    }
}
