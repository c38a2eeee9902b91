//! A bound and what was found of it, in words.

use crate::scenario::{Bound, Metric, Unit};
use crate::stats::Estimate;
use crate::units::{Nanos, grouped, three_digits};

/// `at least 1.5x`
pub(crate) fn asked(bound: Bound, unit: &str) -> String {
    match bound {
        Bound::Within(ratio) => format!("within {ratio}x either way"),
        Bound::WithinAbs(difference) => format!("a difference of at most {difference}"),
        Bound::AtLeast(least) => format!("at least {}", figure(least, unit)),
        Bound::AtMost(most) => format!("at most {}", figure(most, unit)),
    }
}

/// `1.62x (1.55x to 1.70x, n = 10)`
pub(crate) fn ratio_text(estimate: Estimate) -> String {
    with_interval(estimate, |value| format!("{value:.2}x"))
}

/// The same of a figure in the metric's unit.
pub(crate) fn absolute(estimate: Estimate, metric: Metric) -> String {
    with_interval(estimate, |value| figure(value, unit(metric)))
}

fn with_interval(estimate: Estimate, show: impl Fn(f64) -> String) -> String {
    // Lost rounds leave no limit on their side.
    let end = |end: f64| if end.is_finite() { show(end) } else { "unbounded".into() };
    match estimate.interval {
        Some(interval) => format!(
            "{} ({} to {}, n = {})",
            show(estimate.value),
            end(interval.low),
            end(interval.high),
            estimate.n
        ),
        None => format!("{} and no interval (n = {})", show(estimate.value), estimate.n),
    }
}

/// `thread-pool lost 4 of 10 rounds`; nothing where it lost none.
pub(crate) fn lost_text(name: &str, lost: usize, rounds: usize) -> Option<String> {
    (lost > 0).then(|| format!("{name} lost {lost} of {rounds} rounds"))
}

/// As [`figure`] takes it.
pub(crate) fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Nanos => "ns",
        Unit::PerSecond => "/s",
        Unit::Micros => "us",
        Unit::Bytes => "bytes",
        Unit::Times => "times",
    }
}

pub(crate) fn figure(value: f64, unit: &str) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    match unit {
        "ratio" => format!("{value}x"),
        "times" => format!("{}x its median", three_digits(value)),
        "ns" => format!("{sign}{}", Nanos(value.abs().round() as u64)),
        "bytes" => format!("{} MiB", three_digits(value / f64::from(1 << 20))),
        "/s" => format!("{}/s", grouped(value)),
        unit => format!("{} {unit}", three_digits(value)),
    }
}
