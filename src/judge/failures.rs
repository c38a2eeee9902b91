//! Failures: how many are too many, what they were in words, and how they rank above every time in a percentile.

use crate::record::Trial;
use crate::record::outcome::{Kind, RequestError, Slice};
use crate::scenario::Scenario;
use crate::stats::error_bound;
use crate::stats::percentile::{Failures, Quantile, at_rank, quantile};
use crate::text::clean;
use crate::units::Share;
use hdrhistogram::Histogram;

/// The share of requests beyond which a contender has lost a round: what the service promises, or the usual one.
pub(crate) fn error_bound(scenario: &Scenario) -> Share {
    scenario.slo.map_or(Share(error_bound::USUAL), |slo| slo.error_rate)
}

/// `50 bad_status (404: 30, 503: 20), 2 timeout`; `50 bad_status (404)`
pub(crate) fn error_counts(trial: &Trial) -> String {
    let one = trial.statuses.len() == 1;
    let status = |(status, count): (&String, &u64)| match one {
        true => status.clone(),
        false => format!("{status}: {count}"),
    };
    let statuses: Vec<String> = trial.statuses.iter().map(status).collect();
    let count = |(name, count): (&String, &u64)| match name.as_str() {
        "bad_status" if !statuses.is_empty() => format!("{count} {name} ({})", statuses.join(", ")),
        _ => format!("{count} {name}"),
    };
    trial.errors.iter().map(count).collect::<Vec<_>>().join(", ")
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

/// The same of a part of the window, however few requests it has; withheld of none.
pub(crate) fn slice_percentile(kind: &Kind, slice: &Slice, rank: f64) -> Quantile {
    at_rank(&slice.times, of_slice(kind, slice), rank)
}

/// The requests of a part of the window that left no time.
pub(crate) fn of_slice(kind: &Kind, slice: &Slice) -> Failures {
    let timeouts = u64::from(slice.timeouts);
    Failures { all: timeouts + u64::from(slice.others), timeouts, timeout_ns: kind.timeout.0 }
}
