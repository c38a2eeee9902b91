//! What a judgement says beside its figure: the difference in the metric's unit, and the rounds that would decide it.

use super::limits;
use super::words::{figure, unit};
use crate::scenario::{Bound, Statement};
use crate::stats::{self, Estimate, Interval};

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
