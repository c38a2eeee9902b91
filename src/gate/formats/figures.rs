//! A metric's figures as every format shows them.

use crate::report::gate::{GateResult, Metric, MetricJudgement};
use crate::report::words::{bytes, clean};
use crate::stats::{Interval, median, quantile_interval};
use crate::units::{Nanos, Rate, three_digits};

/// The candidate's figures of a metric over the rounds that count.
pub(super) struct Figures {
    /// Their median.
    pub(super) median: f64,
    /// Of that median, 95 %, where there are enough rounds.
    pub(super) interval: Option<Interval>,
    /// Rounds.
    pub(super) n: usize,
}

/// Of the `index`-th metric; `None` when no round has a figure.
pub(super) fn candidate(result: &GateResult, index: usize) -> Option<Figures> {
    let values: Vec<f64> = result
        .rounds
        .iter()
        .filter(|round| round.void.is_none())
        .filter_map(|round| round.candidate.values.get(index).copied().flatten())
        .filter(|value| value.is_finite())
        .collect();
    let interval = quantile_interval(&values, 0.5, 0.95);
    Some(Figures { median: median(&values)?, interval, n: values.len() })
}

/// `812 us`, `3.1 us`, `12.3 MiB`, `4,000/s`
pub(super) fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::P99 | Metric::P50 => Nanos(value as u64).to_string(),
        Metric::CpuPerRequest => format!("{} us", three_digits(value)),
        Metric::Throughput => Rate(value).to_string(),
        Metric::Memory | Metric::Rss => bytes(value),
    }
}

/// `p99`, `p99 of charge`
pub(super) fn name(metric: &MetricJudgement) -> String {
    clean(&super::super::metric::label(metric.metric, metric.request.as_deref()))
}

/// `REGRESSED`, `NOT GATED`: what a reader must know first.
pub(super) fn word(metric: &MetricJudgement) -> &'static str {
    if metric.not_gated.is_some() { "NOT GATED" } else { metric.outcome.word() }
}
