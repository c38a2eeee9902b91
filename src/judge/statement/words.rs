//! A bound and what was found of it, in words.

use crate::judge::statement::limits;
use crate::scenario::{Bound, Metric, Statement, Unit};
use crate::stats;
use crate::stats::{Estimate, Interval};
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
        Unit::Count => "per request",
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

/// About how many rounds would decide a statement, as far as its estimate is right; `None` where no number would.
pub(crate) fn rounds_needed(
    statement: &Statement,
    estimate: &Estimate,
    confidence: f64,
) -> Option<usize> {
    let (low, high) = limits(statement.bound);
    let of_ratio = statement.versus.is_some() && !matches!(statement.bound, Bound::WithinAbs(_));
    if !of_ratio {
        return stats::rounds_to_decide(estimate, Interval { low, high }, confidence);
    }
    // A ratio is estimated through its logarithm, and that is what an interval shrinks on. No ratio lies below 0.
    let bounds = Interval { low: low.max(0.0).ln(), high: high.ln() };
    stats::rounds_to_decide(&estimate.map(f64::ln), bounds, confidence)
}

/// Estimates of more rounds than this are guesses and not given.
const ROUNDS_MAX: usize = 1_000;

/// `; about 24 rounds would decide it`
pub(crate) fn said(rounds: Option<usize>) -> String {
    match rounds {
        Some(rounds) if rounds <= ROUNDS_MAX => format!("; about {rounds} rounds would decide it"),
        _ => "; no number of rounds would decide it, the figure is on the bound".into(),
    }
}

/// `, 40 us more`: the difference behind a ratio.
pub(crate) fn more(difference: f64, statement: &Statement) -> String {
    if matches!(statement.bound, Bound::WithinAbs(_)) {
        return String::new();
    }
    let amount = figure(difference.abs(), unit(statement.metric));
    format!(", {amount} {}", if difference < 0.0 { "less" } else { "more" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Metric, Statement};

    fn statement(bound: Bound) -> Statement {
        Statement {
            text: "x".into(),
            metric: Metric::P99,
            of: "a".into(),
            versus: Some("b".into()),
            at: None,
            request: None,
            bound,
            decides: false,
        }
    }

    #[test]
    fn a_ratio_shrinks_on_its_logarithm() {
        // ln 1.05 lies a half of ln 1.10 from the bound, and the interval reaches twice as far: four times the rounds.
        let (value, reach) = (1.1_f64.sqrt(), 1.1_f64);
        let interval = Some(Interval { low: value / reach, high: value * reach });
        let estimate = Estimate { value, interval, n: 10 };
        let statement = statement(Bound::Within(1.1));
        assert_eq!(rounds_needed(&statement, &estimate, 0.95), Some(40));
        assert!(said(Some(40)).contains("about 40 rounds"));
        assert_eq!(said(Some(6_696)), said(None));
    }

    #[test]
    fn a_difference_is_told_with_its_unit() {
        assert_eq!(more(-40_000.0, &statement(Bound::AtMost(1.0))), ", 40 us less");
        assert_eq!(more(40_000.0, &statement(Bound::AtLeast(1.0))), ", 40 us more");
    }
}
