//! What a gate decides upon: how much of its error each metric may spend, its margin, and which way is worse.

use crate::record::gate::{Block, FaultKind, Metric, MetricPlan, Plan, Round};
use crate::stats::percentile::FAILED_NS;
use crate::stats::{Better, Difference, LOST};

/// How often the whole gate may fail an equal candidate.
pub const ALPHA_FAIL: f64 = 0.01;
/// What of that failed requests may spend; the metrics share the rest.
pub const ALPHA_FAILURES: f64 = 0.0005;
/// How often a metric may pass a candidate that is worse by exactly its margin.
pub const ALPHA_PASS: f64 = 0.05;

impl Metric {
    /// As people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::CpuPerRequest => "cpu/request",
            other => other.name(),
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::P99 | Self::P50 => "ns",
            Self::CpuPerRequest => "us",
            Self::Throughput => "req/s",
            Self::Memory | Self::Rss => "bytes",
        }
    }

    /// Its part of the gate's alpha when all metrics are gated.
    pub fn weight(self) -> f64 {
        match self {
            Self::P99 => 0.004,
            Self::CpuPerRequest => 0.003,
            Self::P50 | Self::Throughput => 0.001,
            Self::Memory | Self::Rss => 0.0005,
        }
    }

    /// The change for the worse that is tolerated when the scenario does not say.
    pub fn margin(self) -> f64 {
        match self {
            Self::P99 => 0.10,
            Self::P50 | Self::Throughput | Self::Memory | Self::Rss => 0.05,
            Self::CpuPerRequest => 0.03,
        }
    }

    pub fn is_better_higher(self) -> bool {
        self == Self::Throughput
    }

    /// Whether its values are percentiles of the response time.
    pub fn is_a_response_time(self) -> bool {
        matches!(self, Self::P99 | Self::P50)
    }

    /// Whether a fault loses a round in this metric: each does in all of them, but who is saturated keeps the figures that
    /// are no response times.
    fn is_lost_by(self, fault: FaultKind) -> bool {
        fault != FaultKind::Saturated || self.is_a_response_time()
    }
}

impl MetricPlan {
    /// `p99`, `p99 of charge`.
    pub fn label(&self) -> String {
        label(self.metric, self.request.as_deref())
    }
}

/// `p99`, `p99 of charge`.
pub(crate) fn label(metric: Metric, request: Option<&str>) -> String {
    match request {
        Some(request) => format!("{} of {request}", metric.label()),
        None => metric.label().into(),
    }
}

/// What the `index`-th metric may spend of the gate's alpha: by weight among those chosen, of what failures leave.
pub fn alpha(plan: &Plan, index: usize) -> f64 {
    let gated = plan.metrics.iter().filter(|chosen| chosen.left_out.is_none());
    let total: f64 = gated.map(|chosen| chosen.metric.weight()).sum();
    (ALPHA_FAIL - ALPHA_FAILURES) * plan.metrics[index].metric.weight() / total
}

/// How much worse the candidate was in a round, as a logarithm: ln(candidate / baseline), turned round where more is
/// better; without end where one of them has lost the round or its percentile fell on a failure.
///
/// `None` when a figure is missing, or has no logarithm.
pub fn difference(metric: Metric, index: usize, round: &Round) -> Option<Difference> {
    let figure = |block: &Block| {
        if block.faults.iter().any(|fault| metric.is_lost_by(fault.kind)) {
            return Some(LOST);
        }
        let value = block.values.get(index).copied().flatten()?;
        Some(if metric.is_a_response_time() && is_a_failure(value) { LOST } else { value })
    };
    let (candidate, baseline) = match (figure(&round.candidate), figure(&round.baseline)) {
        (Some(candidate), Some(baseline)) => (candidate, baseline),
        // Whatever the other's figure is that is not there.
        (Some(LOST), None) => return Some(f64::INFINITY.into()),
        (None, Some(LOST)) => return Some(f64::NEG_INFINITY.into()),
        _ => return None,
    };
    // What was read in two ways is no difference of the contenders.
    let alike = round.candidate.memory_kind == round.baseline.memory_kind;
    if metric == Metric::Memory && !alike && candidate != LOST && baseline != LOST {
        return None;
    }
    let d = Difference::between(candidate, baseline, Better::Less, |candidate, baseline| {
        let d = candidate.ln() - baseline.ln();
        if metric.is_better_higher() { -d } else { d }
    });
    let has_logarithms = [candidate, baseline].iter().all(|figure| *figure > 0.0);
    has_logarithms.then_some(d)
}

/// Whether a percentile fell on a failure.
pub(crate) fn is_a_failure(ns: f64) -> bool {
    ns >= FAILED_NS as f64
}

/// A ratio of a logarithm; `None` for one that lost rounds brought about.
pub(crate) fn ratio(logarithm: f64) -> Option<f64> {
    logarithm.is_finite().then(|| logarithm.exp())
}

/// Whether a contender did not bear the load of its block.
pub(crate) fn is_lost(block: &Block) -> bool {
    block.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Saturated | FaultKind::Errors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::gate::tests::{fault, plan, round};
    use crate::record::MemoryKind;

    #[test]
    fn weights_are_those_of_the_method_and_shared_anew_among_the_chosen() {
        // Of memory one of both is gated.
        let all = Metric::ALL.iter().filter(|metric| **metric != Metric::Rss);
        let all: f64 = all.map(|metric| metric.weight()).sum();
        assert!((all + ALPHA_FAILURES - ALPHA_FAIL).abs() < 1e-12);
        let two = plan(40, &[Metric::P99, Metric::CpuPerRequest]);
        assert!((alpha(&two, 0) - 0.0095 * 4.0 / 7.0).abs() < 1e-12);
        assert!((alpha(&two, 1) - 0.0095 * 3.0 / 7.0).abs() < 1e-12);
        assert!((alpha(&plan(40, &[Metric::Rss]), 0) - 0.0095).abs() < 1e-12);
    }

    #[test]
    fn positive_is_worse() {
        let d = |metric, a, b| difference(metric, 0, &round(1, &[a], &[b]))?.known();
        assert!((d(Metric::P99, 100.0, 110.0).unwrap() - 1.1_f64.ln()).abs() < 1e-12);
        assert!((d(Metric::Throughput, 110.0, 100.0).unwrap() - 1.1_f64.ln()).abs() < 1e-12);
        assert_eq!(d(Metric::CpuPerRequest, 0.0, 1.0), None);
        assert_eq!(d(Metric::CpuPerRequest, 1.0, -1.0), None);
        assert_eq!(d(Metric::P99, f64::NAN, 1.0), None);
    }

    #[test]
    fn memory_that_was_read_in_two_ways_is_not_compared() {
        let mut round = round(1, &[100.0], &[110.0]);
        round.baseline.memory_kind = Some(MemoryKind::Cgroup);
        assert_eq!(difference(Metric::Memory, 0, &round), None);
        assert!(difference(Metric::Rss, 0, &round).is_some(), "resident is resident");
        round.candidate.memory_kind = Some(MemoryKind::Cgroup);
        assert!(difference(Metric::Memory, 0, &round).is_some());
    }

    #[test]
    fn a_percentile_that_fell_on_a_failure_is_worse_than_any_time() {
        let failed = FAILED_NS as f64;
        let d = |metric, a, b| difference(metric, 0, &round(1, &[a], &[b]));
        assert_eq!(d(Metric::P99, 100.0, failed), Some(f64::INFINITY.into()));
        assert_eq!(d(Metric::P50, failed, 100.0), Some(f64::NEG_INFINITY.into()));
        assert_eq!(d(Metric::P99, failed, failed), Some(Difference::UNKNOWN));
        assert!(d(Metric::Rss, 100.0, failed).is_some_and(|d| d.high < 30.0), "bytes may be many");
    }

    #[test]
    fn who_loses_a_round_alone_is_worse_than_any_figure() {
        let lost = |baseline: bool, candidate: bool, metric, kind| {
            let mut round = round(1, &[1.0], &[1.0]);
            for (block, loses) in
                [(&mut round.baseline, baseline), (&mut round.candidate, candidate)]
            {
                block.faults.extend(loses.then(|| fault(kind)));
            }
            difference(metric, 0, &round)
        };
        for kind in [FaultKind::Crashed, FaultKind::Wrong, FaultKind::Errors] {
            for metric in Metric::ALL {
                let of = |baseline, candidate| lost(baseline, candidate, metric, kind);
                assert_eq!(of(false, true), Some(f64::INFINITY.into()), "{metric:?} {kind:?}");
                assert_eq!(of(true, false), Some(f64::NEG_INFINITY.into()));
                assert_eq!(of(true, true), Some(Difference::UNKNOWN));
            }
        }
        let overloaded = |metric| lost(false, true, metric, FaultKind::Saturated);
        for metric in [Metric::P99, Metric::P50] {
            assert_eq!(overloaded(metric), Some(f64::INFINITY.into()));
        }
        for metric in [Metric::CpuPerRequest, Metric::Throughput, Metric::Rss] {
            assert_eq!(overloaded(metric), Some(0.0.into()), "it keeps its figure");
        }
        let mut without = round(1, &[1.0], &[1.0]);
        without.baseline.values[0] = None;
        assert_eq!(difference(Metric::P99, 0, &without), None);
        without.candidate.faults.push(fault(FaultKind::Errors));
        assert_eq!(difference(Metric::P99, 0, &without), Some(f64::INFINITY.into()));
        assert_eq!(ratio(f64::INFINITY), None);
    }

    #[test]
    fn names_are_read_again() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        }
    }
}
