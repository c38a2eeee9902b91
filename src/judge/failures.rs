//! Failures: how many are too many, what they were in words, and how they rank above every time in a percentile.

use crate::record::Trial;
use crate::record::outcome::{Kind, RequestError, Slice};
use crate::scenario::Scenario;
use crate::stats::percentile::{Failures, Quantile, at_rank, quantile};
use crate::text::clean;
use crate::units::{Share, grouped};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// The share of requests beyond which a contender has lost a round: what the service promises, or the usual one.
pub(crate) fn error_bound(scenario: &Scenario) -> Share {
    scenario.slo.map_or(Share(USUAL), |slo| slo.error_rate)
}

/// `1,250 bad_status (404: 1,230, 503: 20), 2 timeout`; `50 bad_status (404)`
pub(crate) fn error_counts(trial: &Trial) -> String {
    counts(&trial.errors, &trial.statuses)
}

/// The same of failures by kind, and the `bad_status` ones by status, that are of no trial yet.
pub(crate) fn counts(errors: &BTreeMap<String, u64>, statuses: &BTreeMap<String, u64>) -> String {
    let number = |count: &u64| grouped(*count as f64);
    let status = |(status, count): (&String, &u64)| match statuses.len() {
        1 => status.clone(),
        _ => format!("{status}: {}", number(count)),
    };
    let codes = statuses.iter().map(status).collect::<Vec<_>>().join(", ");
    let count = |(name, count): (&String, &u64)| match name.as_str() {
        "bad_status" if !codes.is_empty() => format!("{} {name} ({codes})", number(count)),
        _ => format!("{} {name}", number(count)),
    };
    let some = errors.iter().filter(|(_, count)| **count > 0);
    some.map(count).collect::<Vec<_>>().join(", ")
}

/// `first malformed: it is a frame of HTTP/2: ..`: of each kind of failure that tells more than its name.
pub(crate) fn firsts(trial: &Trial) -> Vec<String> {
    let told = |(name, what): (&String, &String)| format!("first {name}: {}", clean(what));
    trial.first_errors.iter().map(told).collect()
}

/// The requests of a kind that left no time.
pub(crate) fn of_kind(kind: &Kind) -> Failures {
    Failures {
        all: kind.errors.values().sum(),
        timeouts: kind.errors.get(RequestError::Timeout.name()).copied().unwrap_or(0),
        timeout_ns: kind.timeout.0,
    }
}

/// A percentile of one of the times of a kind that failures have not: response, response less lag, service.
pub(crate) fn percentile(kind: &Kind, times: &Histogram<u64>, rank: f64) -> Quantile {
    quantile(times, of_kind(kind), rank)
}

/// The median of a part of the window, however few requests it has; withheld of none.
pub(crate) fn slice_median(kind: &Kind, slice: &Slice) -> Quantile {
    at_rank(&slice.times, of_slice(kind, slice), 0.5)
}

/// The requests of a part of the window that left no time.
pub(crate) fn of_slice(kind: &Kind, slice: &Slice) -> Failures {
    let timeouts = u64::from(slice.timeouts);
    Failures { all: timeouts + u64::from(slice.others), timeouts, timeout_ns: kind.timeout.0 }
}

// How many requests may fail before a contender has lost, whatever its other figures are.

/// The default share of requests that may fail.
pub(crate) const USUAL: f64 = 0.01;
/// So many requests more than the share allows: of a few requests one failure is no rate.
const EXCESS_MIN: f64 = 5.0;

/// Whether so many failures of so many requests are over the share `bound`, by at least five requests.
pub(crate) fn over_the_error_bound(failures: u64, requests: u64, bound: f64) -> bool {
    // Slack for shares that binary fractions cannot hold: 5 % of 100 requests are not 5.000000000000001.
    failures as f64 + 1e-6 >= bound * requests as f64 + EXCESS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_the_share_and_five_requests_more() {
        for (failures, requests, bound, over) in [
            (0, 0, USUAL, false),
            (4, 4, USUAL, false),
            (5, 5, USUAL, false),
            (6, 6, USUAL, true),
            (14, 1_000, USUAL, false),
            (15, 1_000, USUAL, true),
            (10, 100, 0.05, true),
            (9, 100, 0.05, false),
            (104, 9_900, USUAL, true),
            (4, 1_000_000, 0.0, false),
            (5, 1_000_000, 0.0, true),
            (1_000, 1_000, 1.0, false),
        ] {
            let found = over_the_error_bound(failures, requests, bound);
            assert_eq!(found, over, "{failures} of {requests}, bound {bound}");
        }
    }

    #[test]
    fn failures_are_listed_by_kind_with_separators() {
        let map = |of: &[(&str, u64)]| -> BTreeMap<String, u64> {
            of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let errors = map(&[("bad_status", 92_100), ("reset", 0), ("timeout", 4_999_144)]);
        let said = counts(&errors, &map(&[("404", 92_000), ("503", 100)]));
        assert_eq!(said, "92,100 bad_status (404: 92,000, 503: 100), 4,999,144 timeout");
        let said = counts(&errors, &map(&[("201", 92_100)]));
        assert_eq!(said, "92,100 bad_status (201), 4,999,144 timeout");
        assert_eq!(counts(&map(&[]), &map(&[])), "");
    }

    #[test]
    fn more_failures_never_bring_it_back_within_the_bound() {
        let over = |failures| over_the_error_bound(failures, 20_000, 0.003);
        let first = (0..20_000).find(|failures| over(*failures)).unwrap();
        assert_eq!(first, 65);
        assert!((first..20_000).all(over));
    }
}
