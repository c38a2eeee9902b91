//! A contender's part of a round: its trial as the gate reads it.

use crate::judge::failures::{error_bound, error_counts, over_the_error_bound};
use crate::record::gate::{Block, Fault, FaultKind, Metric, MetricPlan};
use crate::record::late::Late;
use crate::record::{AuditVerdict, LostBy, Trial};
use crate::scenario::Scenario;
use crate::stats::percentile::{FAILED_NS, beyond};
use crate::units::{Rate, grouped};

/// Samples that must lie beyond a percentile for a gate to rest on it: twice what prints it.
const BEYOND: u64 = 20;

/// What was measured and what went wrong, of a trial under the offered load and, where throughput is gated, of a closed
/// one.
pub(super) fn block(
    metrics: &[MetricPlan],
    scenario: &Scenario,
    open: &Trial,
    closed: Option<&Trial>,
) -> Block {
    let value = |plan: &MetricPlan| match plan.metric {
        Metric::P99 | Metric::P50 => {
            percentile(open, plan).filter(|(_, late)| *late != Late::Bound).map(|(ns, _)| ns)
        }
        Metric::CpuPerRequest => open.server.cpu_us_per_request,
        Metric::Memory => open.server.memory_peak_bytes.map(|bytes| bytes as f64),
        Metric::Rss => open.server.rss_peak_bytes.map(|bytes| bytes as f64),
        Metric::Throughput => closed.map(|trial| trial.achieved_rps).filter(|rate| *rate > 0.0),
    };
    let mut faults = faults(scenario, open);
    faults.extend(closed.into_iter().flat_map(|trial| self::faults(scenario, trial)));
    let bound = |plan: &MetricPlan| percentile(open, plan).filter(|(_, late)| *late == Late::Bound);
    let mut at_most: Vec<_> = metrics.iter().map(|plan| bound(plan).map(|(ns, _)| ns)).collect();
    if at_most.iter().all(Option::is_none) {
        at_most.clear();
    }
    Block {
        values: metrics.iter().map(value).collect(),
        at_most,
        memory_kind: open.server.memory_kind,
        faults,
        requests: open.requests,
        failures: open.errors.values().sum(),
    }
}

/// The block of a contender that was not asked: its round was void by then.
pub(super) fn unasked(metrics: &[MetricPlan]) -> Block {
    Block { values: vec![None; metrics.len()], ..Block::default() }
}

/// Requests of the whole mix that a window should hold for the gated percentiles to have enough beyond them.
pub(super) fn requests_needed(metrics: &[MetricPlan], scenario: &Scenario) -> f64 {
    let total: f64 = scenario.mix.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let share = |request: &Option<String>| {
        let of = |name: &String| scenario.mix.iter().find(|(kind, _)| kind.name() == name);
        request.as_ref().and_then(of).map_or(1.0, |(_, weight)| f64::from(*weight) / total)
    };
    let needed = metrics.iter().filter_map(|plan| {
        let rank = rank(plan.metric)?;
        Some(BEYOND as f64 / (1.0 - rank) / share(&plan.request))
    });
    needed.fold(0.0, f64::max)
}

fn rank(metric: Metric) -> Option<f64> {
    match metric {
        Metric::P99 => Some(0.99),
        Metric::P50 => Some(0.5),
        Metric::CpuPerRequest | Metric::Throughput | Metric::Memory | Metric::Rss => None,
    }
}

/// A response time in ns, an hour where it is a failure, and what the generator's part makes of it; nothing when it was
/// withheld, or rests on too few requests to gate on, and for a metric that is none.
fn percentile(trial: &Trial, plan: &MetricPlan) -> Option<(f64, Late)> {
    let rank = rank(plan.metric)?;
    let per_mille = (rank * 1_000.0).round() as u64;
    let kind = match &plan.request {
        Some(request) => trial.by_request.get(request),
        None => trial.by_request.values().next(),
    };
    let response = kind?.response_ns.as_ref()?;
    let enough = beyond(response.n, rank) >= BEYOND;
    let found = response.at(per_mille).written().filter(|_| enough)?;
    let late = if found == FAILED_NS { Late::No } else { response.late(per_mille) };
    Some((found as f64, late))
}

/// What the contender did wrong.
fn faults(scenario: &Scenario, trial: &Trial) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |kind, what: String| faults.push(Fault { kind, what });
    let wrong = trial.errors.get("wrong_answer").copied().unwrap_or(0);
    if trial.audit.verdict == AuditVerdict::Unbalanced {
        add(
            FaultKind::Wrong,
            format!("/audit does not balance: {}", trial.audit.reasons.join("; ")),
        );
    } else if wrong > 0 {
        let [wrong, requests] = [wrong, trial.requests].map(|n| grouped(n as f64));
        add(FaultKind::Wrong, format!("{wrong} of {requests} requests"));
    } else if trial.validity.lost && trial.validity.lost_by != Some(LostBy::Errors) {
        let said = trial.validity.wrote.trim();
        let wrote = if said.is_empty() { String::new() } else { format!("; it wrote: {said}") };
        let kind = match trial.validity.lost_by {
            // The setup, after which nothing was sent.
            Some(LostBy::Wrong) => FaultKind::Wrong,
            _ => FaultKind::Crashed,
        };
        add(kind, trial.validity.reasons.join("; ") + &wrote);
    }
    if trial.saturated {
        let (answered, offered) =
            (Rate(trial.achieved_rps.round()), Rate(trial.offered_rps.round()));
        add(FaultKind::Saturated, format!("{answered} of {offered}"));
    }
    let failed: u64 = trial.errors.values().sum();
    let bound = error_bound(scenario);
    // Also of an overloaded one: only so it loses the round in every metric, and not in those of response time alone.
    if over_the_error_bound(failed, trial.requests, bound.0) {
        let [failed, requests] = [failed, trial.requests].map(|n| grouped(n as f64));
        let kinds = error_counts(trial);
        add(FaultKind::Errors, format!("{failed} of {requests}: {kinds}; the bound is {bound}"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::scenario::builtin;

    const METRICS: [Metric; 4] =
        [Metric::P99, Metric::CpuPerRequest, Metric::Rss, Metric::Throughput];

    fn of(change: impl Fn(&mut Trial)) -> Block {
        let scenario = builtin("payment-memory").expect("it is built in");
        let mut trial = mock::payments(1, &mock::MODELS[..1]).trials.remove(0);
        change(&mut trial);
        block(&METRICS.map(MetricPlan::of), &scenario, &trial, None)
    }

    fn kinds(change: impl Fn(&mut Trial)) -> Vec<FaultKind> {
        of(change).faults.iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn a_sound_trial_has_its_figures_and_no_faults() {
        let block = of(|_| ());
        assert!(block.values[..3].iter().all(|value| value.is_some_and(|value| value > 0.0)));
        assert_eq!((block.values[3], block.faults.len()), (None, 0), "no closed block was run");
    }

    #[test]
    fn a_gated_percentile_rests_on_twenty_samples_beyond_it() {
        for (n, gated) in [(2_000, true), (1_999, false)] {
            let block = of(|trial| {
                let kind = trial.by_request.get_mut("payment").unwrap();
                kind.response_ns.as_mut().unwrap().n = n;
            });
            assert_eq!(block.values[0].is_some(), gated, "{n}");
        }
    }

    #[test]
    fn a_p99_that_fell_on_a_failure_is_in_the_block_and_so_are_the_failures() {
        let block = of(|trial| mock::fail(trial, 54));
        assert_eq!(block.values[0], Some(FAILED_NS as f64));
        assert_eq!((block.requests, block.failures), (5_254, 54));
        let below = of(|trial| mock::fail(trial, 50));
        let none = of(|_| ());
        assert!(below.values[0] > none.values[0] && below.values[0] < Some(1e9), "half a rank up");
    }

    #[test]
    fn a_late_percentile_is_no_figure_to_gate_on_and_is_kept_as_a_bound() {
        let marked = of(|trial| mock::late(trial, 0.25));
        assert!(marked.values[0].is_some() && marked.at_most.is_empty());
        let bound = of(|trial| mock::late(trial, 0.26));
        assert_eq!((bound.values[0], &bound.at_most[1..]), (None, &[None, None, None][..]));
        assert_eq!(bound.at_most[0], marked.values[0]);
        let failed = of(|trial| {
            mock::fail(trial, 54);
            mock::late(trial, 0.9);
        });
        assert_eq!(failed.values[0], Some(FAILED_NS as f64), "nothing of a failure is ours");
    }

    #[test]
    fn what_a_contender_does_wrong_is_a_fault_of_one_kind() {
        let error = |trial: &mut Trial, name: &str, n: u64| {
            trial.errors.insert(name.into(), n);
        };
        assert_eq!(kinds(|trial| trial.validity.lost = true), [FaultKind::Crashed]);
        assert_eq!(
            kinds(|trial| trial.audit.verdict = AuditVerdict::Unbalanced),
            [FaultKind::Wrong]
        );
        assert_eq!(kinds(|trial| error(trial, "wrong_answer", 1)), [FaultKind::Wrong]);
        let within = kinds(|trial| error(trial, "bad_status", 56));
        assert!(within.is_empty(), "1 % of 5,200 may fail, and four more");
        assert_eq!(kinds(|trial| error(trial, "bad_status", 57)), [FaultKind::Errors]);
        let overloaded = kinds(|trial| {
            trial.saturated = true;
            error(trial, "timeout", 2_000);
        });
        assert_eq!(overloaded, [FaultKind::Saturated, FaultKind::Errors], "it keeps no figure");
        let slow = kinds(|trial| trial.saturated = true);
        assert_eq!(slow, [FaultKind::Saturated], "nothing failed: it keeps its CPU figures");
    }

    #[test]
    fn a_block_is_long_enough_for_its_percentiles() {
        let mut scenario = builtin("payment-memory").expect("it is built in");
        let needed = |metric: Metric, scenario: &Scenario| {
            requests_needed(&[MetricPlan::of(metric)], scenario).round()
        };
        assert_eq!(needed(Metric::P99, &scenario), 2_000.0);
        assert_eq!(needed(Metric::P50, &scenario), 40.0);
        assert_eq!(needed(Metric::Rss, &scenario), 0.0);
        scenario = builtin("mixed-distribution").expect("it is built in");
        let plan =
            MetricPlan { request: Some("distribution".into()), ..MetricPlan::of(Metric::P50) };
        let rare = requests_needed(&[plan], &scenario);
        assert!(rare > 100.0, "the others come in between: {rare}");
    }
}
