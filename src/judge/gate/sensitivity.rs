//! What a gate can see: the smallest regression that it finds, said before the first round and after the last.

use super::decision::looks;
use super::metric::{alpha, label};
use crate::record::gate::{MetricJudgement, MetricPlan, Plan, Scatter, Sight};
use crate::stats::detectable;
use crate::text;
use crate::units::Nanos;

/// A scatter from [`BAND_ROUNDS`] rounds lies within these factors of the true one nine times of ten (simulated).
const BAND: [f64; 2] = [0.5, 1.7];
const BAND_ROUNDS: f64 = 12.0;
/// Scatter that hides more than so many margins leaves nothing to gate.
const HIDDEN_MAX_MARGINS: f64 = 2.0;

/// What the `index`-th metric of `plan` shows at the last look, if its rounds scatter like `scatter`.
///
/// `None` when the scatter comes from no rounds, or hides everything.
pub fn sight(plan: &Plan, index: usize, scatter: Scatter) -> Option<Sight> {
    let margin = plan.metrics[index].margin;
    let found = detectable(scatter.s, plan.rounds_max as usize, alpha(plan, index), margin)?;
    // The band narrows with the root of the rounds.
    let narrow = (BAND_ROUNDS / f64::from(scatter.rounds)).sqrt();
    let [band_low, band_high] = BAND.map(|factor| factor.powf(narrow));
    let rounds_known = scatter.rounds > 0;
    rounds_known.then_some(Sight {
        scatter,
        band_low,
        band_high,
        usually: found.usually,
        surely: found.surely,
        hidden: found.hidden,
    })
}

/// Why a metric that sees so much, or nothing at all, is not gated; `None` when it is.
pub fn underpowered(margin: f64, sight: Option<&Sight>) -> Option<String> {
    match sight {
        Some(sight) if sight.hidden <= HIDDEN_MAX_MARGINS * margin => None,
        Some(sight) => {
            Some(format!("detects {}, margin {}", signed(sight.hidden), percent(margin)))
        }
        None => Some(format!("detects nothing, margin {}", percent(margin))),
    }
}

/// The lines that are printed before the first round: how long the gate takes, with rounds of the length `round`, and
/// what each metric can see.
pub fn before(plan: &Plan, round: Nanos) -> Vec<String> {
    let [first, .., last] = looks(plan.rounds_max);
    let [shortest, longest] = [first, last].map(|rounds| Nanos(round.0 * u64::from(rounds)));
    let length = format!(
        "The gate takes {first} to {last} rounds of {round}: {shortest} to {longest}, void rounds not counted."
    );
    let metrics = plan.metrics.iter().enumerate().map(|(index, metric)| {
        let name = metric.label();
        if let Some(why) = &metric.left_out {
            return format!("{name} NOT GATED: {why}.");
        }
        let Some(calibration) = metric.calibration else {
            return format!("{name}: unknown before the rounds are run; --calibrate finds out.");
        };
        let seen = sight(plan, index, calibration);
        match (underpowered(metric.margin, seen.as_ref()), seen) {
            (None, Some(seen)) => format!("{name} {}.", sentence(&seen, metric.margin)),
            (why, _) => format!("{name} NOT GATED: {}.", why.unwrap_or_default()),
        }
    });
    std::iter::once(length).chain(metrics).collect()
}

/// The line of a metric after the last round.
pub fn after(metric: &MetricJudgement) -> String {
    let name = label(metric.metric, metric.request.as_deref());
    match metric.sight_after {
        Some(seen) => format!("{name} {}.", sentence(&seen, metric.margin)),
        None => format!("{name} had no rounds to see anything by."),
    }
}

fn sentence(seen: &Sight, margin: f64) -> String {
    let Sight { scatter, band_low, band_high, usually, surely, .. } = seen;
    format!(
        "catches 8 of 10 at {}, 99 of 100 at {} (rounds vary by {}: {} to {}, as far as {} of them can tell); a true \
         regression equal to the margin of {} is caught half the time: to catch it, set the margin to {}",
        signed(*usually),
        signed(*surely),
        scattered(scatter.s),
        scattered(scatter.s * band_low),
        scattered(scatter.s * band_high),
        scatter.rounds,
        percent(margin),
        percent(margin / 2.0),
    )
}

impl MetricPlan {
    /// The metric with its own weight's margin, not required and not calibrated.
    pub fn of(metric: crate::record::gate::Metric) -> Self {
        let margin = metric.margin();
        Self { metric, request: None, margin, required: false, calibration: None, left_out: None }
    }
}

/// A scatter of logarithms as people read it: nearly a percentage while it is small, a factor when it is not.
fn scattered(s: f64) -> String {
    if s <= 0.3 { percent(s) } else { format!("a factor of {:.1}", s.exp()) }
}

/// `+24 %`
pub(crate) fn signed(share: f64) -> String {
    format!("{}{}", if share < 0.0 { '-' } else { '+' }, percent(share.abs()))
}

/// `24 %`, `2.5 %`
pub(crate) fn percent(share: f64) -> String {
    text::percent(share, usize::from(share < 0.0995))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::tests::plan;
    use crate::record::gate::Metric;

    const ROUND: Nanos = Nanos(14_000_000_000);

    fn calibrated(s: f64, rounds: u32) -> Plan {
        let mut plan = plan(40, &[Metric::P99]);
        plan.metrics[0].calibration = Some(Scatter { s, rounds });
        plan
    }

    #[test]
    fn it_is_said_before_the_first_round() {
        let lines = before(&calibrated(0.1, 12), ROUND);
        assert_eq!(
            lines[0],
            "The gate takes 12 to 40 rounds of 14 s: 168 s to 560 s, void rounds not counted."
        );
        assert_eq!(
            lines[1],
            "p99 catches 8 of 10 at +12 %, 99 of 100 at +14 % (rounds vary by 10 %: 5 % to 17 %, as far as 12 of them can tell); \
             a true regression equal to the margin of 10 % is caught half the time: to catch it, set the margin to 5 %."
        );
        assert!(before(&plan(40, &[Metric::P99]), ROUND)[1].contains("--calibrate"));
    }

    #[test]
    fn a_large_scatter_is_a_factor() {
        assert_eq!(
            (scattered(0.1).as_str(), scattered(3.4).as_str()),
            ("10 %", "a factor of 30.0")
        );
    }

    #[test]
    fn twice_the_margin_is_where_gating_ends() {
        // (3.8 s / sqrt 40).exp() - 1 = 0.2 at s = 0.3034.
        for (s, gated) in [(0.30, true), (0.31, false)] {
            let plan = calibrated(s, 12);
            let seen = sight(&plan, 0, plan.metrics[0].calibration.unwrap());
            assert_eq!(underpowered(0.1, seen.as_ref()).is_none(), gated, "{seen:?}");
        }
        assert_eq!(
            before(&calibrated(0.36, 12), ROUND)[1],
            "p99 NOT GATED: detects +24 %, margin 10 %."
        );
        assert_eq!(
            before(&calibrated(1e9, 12), ROUND)[1],
            "p99 NOT GATED: detects nothing, margin 10 %."
        );
        assert_eq!(
            before(&calibrated(0.1, 0), ROUND)[1],
            "p99 NOT GATED: detects nothing, margin 10 %."
        );
    }

    #[test]
    fn more_rounds_know_the_scatter_better() {
        let band = |rounds| sight(&calibrated(0.1, 12), 0, Scatter { s: 0.1, rounds }).unwrap();
        let (few, many) = (band(12), band(120));
        assert!((few.band_low - 0.5).abs() < 1e-12 && (few.band_high - 1.7).abs() < 1e-12);
        assert!(many.band_low > 0.75 && many.band_high < 1.25, "{many:?}");
    }

    #[test]
    fn shares_are_short() {
        assert_eq!(
            [percent(0.24), percent(0.025), percent(0.1), percent(0.0)].join(" "),
            "24 % 2.5 % 10 % 0 %"
        );
        assert_eq!([signed(-0.03), signed(0.114)].join(" "), "-3 % +11 %");
    }
}
