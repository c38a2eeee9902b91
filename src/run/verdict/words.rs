//! A bound and what was found of it, in words.

use crate::scenario::{Bound, Metric, Unit};
use crate::stats::Estimate;
use crate::units::{Nanos, grouped, three_digits};

/// `at least 1.5x`
pub(super) fn asked(bound: Bound, unit: &str) -> String {
    match bound {
        Bound::Within(ratio) => format!("within {ratio}x either way"),
        Bound::WithinAbs(difference) => format!("a difference of at most {difference}"),
        Bound::AtLeast(least) => format!("at least {}", figure(least, unit)),
        Bound::AtMost(most) => format!("at most {}", figure(most, unit)),
    }
}

/// `1.62x (1.55x to 1.70x, n = 10)`
pub(super) fn ratio_text(estimate: Estimate) -> String {
    with_interval(estimate, |value| format!("{value:.2}x"))
}

/// The same of a figure in the metric's unit.
pub(super) fn absolute(estimate: Estimate, metric: Metric) -> String {
    with_interval(estimate, |value| figure(value, unit(metric)))
}

fn with_interval(estimate: Estimate, show: impl Fn(f64) -> String) -> String {
    match estimate.interval {
        Some(interval) => format!(
            "{} ({} to {}, n = {})",
            show(estimate.value),
            show(interval.low),
            show(interval.high),
            estimate.n
        ),
        None => format!("{} and no interval (n = {})", show(estimate.value), estimate.n),
    }
}

/// `99 %`, `99.75 %`
pub(super) fn percent(level: f64) -> String {
    format!("{} %", (level * 1e4).round() / 100.0)
}

/// As [`figure`] takes it.
pub(super) fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Nanos => "ns",
        Unit::PerSecond => "/s",
        Unit::Micros => "us",
        Unit::Bytes => "bytes",
        Unit::Times => "times",
    }
}

/// A figure with its unit.
pub(super) fn figure(value: f64, unit: &str) -> String {
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
