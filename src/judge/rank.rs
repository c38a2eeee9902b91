//! The percentiles of a request kind as it was seen: its failures ranked above its times.

use hdrhistogram::Histogram;

use crate::record::outcome::{Kind, RequestError, Slice};
use crate::stats::percentile::{Failures, Quantile, at_rank, quantile};

/// The requests of a kind that left no time.
pub(crate) fn failures(kind: &Kind) -> Failures {
    Failures {
        all: kind.errors.values().sum(),
        timeouts: kind.errors.get(RequestError::Timeout.name()).copied().unwrap_or(0),
        timeout_ns: kind.timeout.0,
    }
}

/// A percentile of one of the times of a kind that failures have not: response, response less lag, service.
pub(crate) fn of(kind: &Kind, times: &Histogram<u64>, rank: f64) -> Quantile {
    quantile(times, failures(kind), rank)
}

/// The same of a part of the window, however few requests it has; withheld of none.
pub(crate) fn of_slice(kind: &Kind, slice: &Slice, rank: f64) -> Quantile {
    at_rank(&slice.times, slice_failures(kind, slice), rank)
}

/// The requests of a part of the window that left no time.
pub(crate) fn slice_failures(kind: &Kind, slice: &Slice) -> Failures {
    let timeouts = u64::from(slice.timeouts);
    Failures { all: timeouts + u64::from(slice.others), timeouts, timeout_ns: kind.timeout.0 }
}
