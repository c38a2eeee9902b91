//! A metric's figures as every format shows them.

use crate::judge::gate::failures;
use crate::judge::gate::failures::{ERRORS, EXCESS_MIN};
use crate::judge::gate::sensitivity::{percent, signed};
use crate::record::gate::{FailureJudgement, GateResult, Judgement, Look, Metric, MetricJudgement};
use crate::stats::{Interval, median, quantile_interval};
use crate::text::{WITHHELD, clean, or_withheld};
use crate::units::{Nanos, Rate, bytes, three_digits};

/// The candidate's figures of a metric over the rounds that count.
pub(crate) struct Figures {
    pub(crate) median: f64,
    /// Of that median, 95 %, where there are enough rounds.
    pub(crate) interval: Option<Interval>,
    pub(crate) n: usize,
}

/// Of the `index`-th metric; `None` when no round has a figure.
pub(crate) fn candidate(result: &GateResult, index: usize) -> Option<Figures> {
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

/// Metric, verdict, baseline, candidate, worse by, at least, at most, rounds and margin: a row for each metric, and one for
/// the failed requests.
pub(crate) fn rows(judgement: &Judgement) -> Vec<[String; 9]> {
    let metrics = judgement.metrics.iter().map(of_metric);
    metrics.chain(judgement.failures.iter().map(of_failures)).collect()
}

fn of_metric(metric: &MetricJudgement) -> [String; 9] {
    let value = |value: Option<f64>| or_withheld(value, |value| shown(metric.metric, value));
    let [baseline, candidate] = metric.medians.map(value);
    let look = metric.looks.last();
    let of = |end: fn(&Look) -> Option<f64>| {
        or_withheld(look.and_then(end), |ratio| signed(ratio - 1.0))
    };
    [
        name(metric),
        word(metric).into(),
        baseline,
        candidate,
        of(|look| look.ratio),
        of(|look| look.low),
        of(|look| look.high),
        look.map_or_else(|| WITHHELD.into(), |look| look.pairs.to_string()),
        percent(metric.margin),
    ]
}

/// Of shares, whose differences are percentage points.
fn of_failures(failures: &FailureJudgement) -> [String; 9] {
    let share = |side| or_withheld(failures.share(side), failures::percent);
    let look = failures.looks.last();
    let points = |points: f64| failures::percent(points).replace('%', "pp");
    let more = |share: f64| format!("{}{}", if share < 0.0 { "" } else { "+" }, points(share));
    [
        ERRORS.into(),
        failures.outcome.word().into(),
        share(0),
        share(1),
        or_withheld(look.and_then(|look| look.excess), more),
        or_withheld(look.and_then(|look| look.low), more),
        WITHHELD.into(),
        look.map_or_else(|| WITHHELD.into(), |look| look.pairs.to_string()),
        points(EXCESS_MIN),
    ]
}

/// `812 us`, `3.1 us`, `12.3 MiB`, `4,000/s`
pub(crate) fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::P99 | Metric::P50 => Nanos(value as u64).to_string(),
        Metric::CpuPerRequest => format!("{} us", three_digits(value)),
        Metric::Throughput => Rate(value).to_string(),
        Metric::Memory | Metric::Rss => bytes(value),
    }
}

/// `p99`, `p99 of charge`
pub(crate) fn name(metric: &MetricJudgement) -> String {
    clean(&crate::judge::gate::metric::label(metric.metric, metric.request.as_deref()))
}

/// `REGRESSED`, `NOT GATED`: what a reader must know first.
pub(crate) fn word(metric: &MetricJudgement) -> &'static str {
    if metric.not_gated.is_some() { "NOT GATED" } else { metric.outcome.word() }
}
