//! The record of a trial: its figures, its timeline, or why it has none.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::error::Error;
use crate::judge::validity::Judged;
use crate::judge::{failures, validity};
use crate::load::plan::Arrivals;
use crate::load::plan::{Operation, Plan, Shape, Traffic};
use crate::record;
use crate::record::histogram::{distribution, ranked};
use crate::record::outcome;
use crate::record::outcome::{Kind, Outcome, SLO_BUCKET};
use crate::record::{ArrivalKind, CertificateCheck};
use crate::record::{
    Audit, AuditVerdict, BoundBy, LoopKind, LostBy, PlacementKind, TimeWindow, Timeline, Trial,
    TrialVerdict, Validity,
};
use crate::run::host::MEMORY_SAMPLES;
use crate::run::trial::spec::Placement;
use crate::run::trial::spec::PreparedTrial;
use crate::scenario::{Disturbance, PlacementMode, Scenario};
use crate::stats::percentile::{Failures, Quantile, at_rank, quantile};
use crate::stats::{self, Recovery, SloBucket};
use crate::units::Nanos;

pub(crate) fn report(
    prepared: &PreparedTrial<'_>,
    plan: &Plan,
    outcome: &Outcome,
    server: record::ServerUsage,
    judged: Judged,
    audit: Audit,
) -> Trial {
    let mut operations = prepared.spec.scenario.mix.iter().map(|(operation, _)| operation);
    let distributes = operations.any(|one| matches!(one, Operation::Distribution { .. }));
    let credits = outcome.tally.credits_in_window;
    let recovery = recovery(prepared.spec.scenario, outcome);
    Trial {
        workload: prepared.spec.scenario.workload.name().into(),
        scenario: prepared.spec.scenario.name.clone(),
        contender: prepared.spec.contender.name.clone(),
        order: prepared.spec.place,
        level: prepared.spec.level.clone(),
        placement: placement(prepared.placement),
        server,
        accounts_per_s: distributes.then(|| per_second(outcome, credits)),
        timeline: (!judged.saturated)
            .then(|| timeline(prepared.spec.scenario.disturbance(), outcome, recovery.as_ref()))
            .flatten(),
        goodput_rps: goodput(outcome),
        recovery,
        ..seen(plan, outcome, judged, audit)
    }
}

/// What the generator measured, without a contender: the caller fills in what was driven and where.
pub(crate) fn seen(plan: &Plan, outcome: &Outcome, judged: Judged, audit: Audit) -> Trial {
    let open = plan.shape != Shape::Closed;
    let by_request: BTreeMap<String, record::ByRequest> = outcome
        .kinds
        .iter()
        .map(|kind| (kind.name.clone(), by_request(kind, open, &judged)))
        .collect();
    let only = by_request.values().next().filter(|_| by_request.len() == 1);
    let only_of = |field: fn(&record::ByRequest) -> &Option<record::Distribution>| {
        only.and_then(|only| field(only).clone())
    };
    Trial {
        round: plan.round,
        schedule_hash: format!("{:016x}", outcome.schedule_hash),
        load: load(plan, outcome),
        offered_rps: per_second(outcome, outcome.offered),
        achieved_rps: per_second(outcome, outcome.answered_in_window),
        requests: outcome.requests(),
        errors: errors(outcome),
        statuses: statuses(outcome),
        first_errors: first_errors(outcome),
        response_ns: only_of(|kind| &kind.response_ns),
        response_less_lag_ns: only_of(|kind| &kind.response_less_lag_ns),
        service_ns: only_of(|kind| &kind.service_ns),
        backlog_ns: only_of(|kind| &kind.backlog_ns),
        generator_lag_ns: only_of(|kind| &kind.generator_lag_ns),
        connect_ns: Some(distribution(&outcome.connect)),
        transfer: Some(transfer(outcome)),
        handshake_ns: plan.target.tls.is_some().then(|| distribution(&outcome.handshake)),
        by_request,
        generator: record::Generator {
            cpu_share: validity::generator_share(outcome),
            receive_lag_ns: validity::receive_lag(outcome).as_ref().map(distribution),
            threads: plan.threads as u32,
        },
        bound_by: judged.bound_by,
        saturated: judged.saturated,
        validity: judged.validity,
        audit,
        led_in: outcome.led_in.as_ref().map(led_in),
        ..Trial::default()
    }
}

/// What came before the window.
fn led_in(seen: &outcome::LedIn) -> record::LedIn {
    record::LedIn {
        answered: seen.answered,
        failed: seen.failed,
        warm_up_s: seen.warm_up.as_secs_f64(),
        drain_s: seen.drain.as_secs_f64(),
        slowest_ns: seen.slowest.0,
        lead_in_s: seen.lead_in.as_secs_f64(),
    }
}

/// What went over the connections.
fn transfer(outcome: &Outcome) -> record::Transfer {
    let mut answers = BTreeMap::new();
    for (status, count) in outcome.kinds.iter().flat_map(|kind| &kind.answers) {
        *answers.entry(status.to_string()).or_insert(0) += count;
    }
    let failed = |kind: &Kind| kind.errors.values().sum::<u64>();
    let sent = outcome.kinds.iter().flat_map(|kind| match kind.steps.is_empty() {
        true => std::slice::from_ref(kind),
        false => &kind.steps,
    });
    let right: u64 = sent.map(|kind| kind.requests - failed(kind)).sum();
    let first = outcome.first_service.len();
    record::Transfer {
        received_bytes_per_s: per_second(outcome, outcome.received_bytes),
        sent_bytes_per_s: per_second(outcome, outcome.sent_bytes),
        answers,
        reused_share: (right > 0).then(|| 1.0 - first as f64 / right as f64),
        first_service_ns: distribution(&outcome.first_service),
        reconnects: outcome.reconnects,
    }
}

/// Failures by kind, of all requests.
pub(crate) fn errors(outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (name, count) in outcome.kinds.iter().flat_map(|kind| &kind.errors) {
        *errors.entry((*name).to_owned()).or_insert(0) += count;
    }
    errors
}

/// Statuses that were not expected, of all requests.
pub(crate) fn statuses(outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut statuses = BTreeMap::new();
    for (status, count) in outcome.kinds.iter().flat_map(|kind| &kind.statuses) {
        *statuses.entry(status.to_string()).or_insert(0) += count;
    }
    statuses
}

/// What the first failures were, of whichever request.
pub(crate) fn first_errors(outcome: &Outcome) -> BTreeMap<String, String> {
    let firsts = outcome.kinds.iter().rev().flat_map(|kind| &kind.firsts);
    firsts.map(|(name, what)| ((*name).to_owned(), what.clone())).collect()
}

/// Nothing passes in a window of no length.
fn per_second(outcome: &Outcome, count: u64) -> f64 {
    match outcome.window.as_secs_f64() {
        0.0 => 0.0,
        seconds => count as f64 / seconds,
    }
}

/// Right answers within the objective, per second of the window; nothing where there is no objective.
fn goodput(outcome: &Outcome) -> Option<f64> {
    let buckets = together(outcome.kinds.iter().map(|kind| kind.buckets.as_slice()));
    let kept: u64 = buckets.iter().map(|bucket| u64::from(bucket.due - bucket.late)).sum();
    (!buckets.is_empty()).then(|| per_second(outcome, kept))
}

/// How the contender came back from a fault or a burst, where there was one, it promised something, and there were enough
/// requests to say.
fn recovery(scenario: &Scenario, outcome: &Outcome) -> Option<record::Recovery> {
    let end = scenario.disturbance()?.end();
    back(end, &together(outcome.kinds.iter().map(|kind| kind.buckets.as_slice())))
}

/// How the objective was kept by all kinds of request: it is one for all of them together.
fn together<'a>(kinds: impl Iterator<Item = &'a [outcome::SloBucket]>) -> Vec<SloBucket> {
    let mut all: Vec<SloBucket> = Vec::new();
    for buckets in kinds {
        all.resize(all.len().max(buckets.len()), SloBucket::default());
        for (sum, bucket) in all.iter_mut().zip(buckets) {
            sum.due += bucket.due;
            sum.late += bucket.late;
        }
    }
    all
}

fn back(end: Nanos, beats: &[SloBucket]) -> Option<record::Recovery> {
    if beats.is_empty() {
        return None;
    }
    let second = (Nanos::SECOND.0 / SLO_BUCKET.0) as usize;
    let after_ns = match stats::recovery(beats, second, end.0.div_ceil(SLO_BUCKET.0) as usize) {
        Recovery::After(count) => Some(count as u64 * SLO_BUCKET.0),
        Recovery::Never => None,
        Recovery::TooFew => return None,
    };
    Some(record::Recovery { fault_end_ns: end.0, after_ns })
}

/// One request kind, with the percentiles that may not be shown taken out.
fn by_request(kind: &Kind, open: bool, judged: &Judged) -> record::ByRequest {
    let failures = failures::of_kind(kind);
    let shown = |times: &Histogram<u64>| open.then(|| distribution(times));
    let failing = |times: &Histogram<u64>| open.then(|| ranked(times, failures));
    let mut response = failing(&kind.response);
    if let Some(response) = &mut response {
        if judged.saturated {
            let record::Distribution { p50, p90, p99, p99_9, .. } = response;
            [p50, p90, p99, p99_9].into_iter().for_each(|percentile| *percentile = None);
        } else {
            response.ours = judged.ours.get(&kind.name).cloned().unwrap_or_default();
        }
    }
    let at = |per_mille| response.as_ref().map(|response| response.at(per_mille));
    let timed = |per_mille: &u32| {
        at(u64::from(*per_mille)).is_some_and(|it| it.worth().is_some_and(f64::is_finite))
    };
    let spent = [500, 990].into_iter().filter(timed).filter_map(|it| spent(kind, it)).collect();
    let has_p99 = at(990).is_some_and(|it| it != Quantile::Withheld);
    record::ByRequest {
        p99_windows_ns: if has_p99 { p99_windows(kind) } else { Vec::new() },
        requests: kind.requests,
        errors: named(&kind.errors),
        steps: kind.steps.iter().map(|step| step_figures(step, open, judged)).collect(),
        response_ns: response,
        response_less_lag_ns: failing(&kind.response_less_lag),
        service_ns: Some(ranked(&kind.service, failures)),
        backlog_ns: shown(&kind.backlog),
        generator_lag_ns: shown(&kind.generator_lag),
        spent,
    }
}

fn named(errors: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    errors.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A step; a session that did not come to it failed in it too, above every time.
fn step_figures(step: &Kind, open: bool, judged: &Judged) -> record::StepFigures {
    let failures = failures::of_kind(step);
    record::StepFigures {
        name: step.name.clone(),
        requests: step.requests,
        errors: named(&step.errors),
        response_ns: (open && !judged.saturated).then(|| ranked(&step.response, failures)),
        service_ns: ranked(&step.service, failures),
    }
}

/// Where the time of the requests near a percentile went.
fn spent(kind: &Kind, per_mille: u32) -> Option<record::Spent> {
    let means = kind.breakdown.near(per_mille, kind.requests)?;
    Some(record::Spent {
        per_mille,
        n: means.n,
        lag_ns: means.lag_ns,
        backlog_ns: means.backlog_ns,
        service_ns: means.response_ns - means.lag_ns - means.backlog_ns,
    })
}

/// p99 in thirty windows as equal as the slices allow; none where one of them does not support it, or slices are fewer.
fn p99_windows(kind: &Kind) -> Vec<u64> {
    let (slices, windows) = (&kind.slices, MEMORY_SAMPLES as usize);
    let window = |n: usize| {
        let slices = &slices[n * slices.len() / windows..(n + 1) * slices.len() / windows];
        let (first, others) = slices.split_first()?;
        let (mut times, mut failures) = (first.times.clone(), failures::of_slice(kind, first));
        for other in others {
            times.add(&other.times).ok()?;
            failures += failures::of_slice(kind, other);
        }
        quantile(&times, failures, 0.99).written()
    };
    (0..windows).map(window).collect::<Option<_>>().unwrap_or_default()
}

pub(crate) fn placement(placement: &Placement) -> record::TrialPlacement {
    let numbers = |cores: &[usize]| cores.iter().map(|&core| core as u32).collect();
    record::TrialPlacement {
        mode: match placement.mode {
            PlacementMode::Apart => PlacementKind::Apart,
            PlacementMode::Shared => PlacementKind::Shared,
            PlacementMode::Hosts => PlacementKind::Hosts,
        },
        contender_cores: numbers(&placement.contender),
        generator_cores: numbers(&placement.generator),
        pace: placement.pace,
        dependency_cores: numbers(&placement.dependency),
    }
}

fn load(plan: &Plan, outcome: &Outcome) -> record::Load {
    let (kind, arrivals, rate, rate_to) = match plan.shape {
        Shape::Open { rate, arrivals } => (LoopKind::Open, Some(arrivals), Some(rate.0), None),
        Shape::Ramp { from, to, arrivals } => {
            (LoopKind::Open, Some(arrivals), Some(from.0), Some(to.0))
        }
        Shape::Closed => (LoopKind::Closed, None, None, None),
    };
    let steps = plan.steps.iter().filter_map(|step| {
        Some(record::LoadStep { rate: rate? * step.times, duration_s: step.lasting.as_secs_f64() })
    });
    record::Load {
        kind,
        arrivals: arrivals.map(|arrivals| match &plan.traffic {
            None => match arrivals {
                Arrivals::Poisson => ArrivalKind::Poisson,
                Arrivals::Constant => ArrivalKind::Constant,
            },
            Some(Traffic::Bursts(_)) => ArrivalKind::Bursty,
            Some(Traffic::Replay(_)) => ArrivalKind::Replayed,
        }),
        rate,
        rate_to,
        connections: plan.connections as u32,
        duration_s: outcome.window.as_secs_f64(),
        steps: steps.collect(),
        tls: plan.target.tls.as_ref().map(|tls| match tls.is_insecure() {
            true => CertificateCheck::Insecure,
            false => CertificateCheck::Verified,
        }),
    }
}

/// The trial of a contender that did `error` in a way of its own.
pub(crate) fn lost(prepared: &PreparedTrial<'_>, by: LostBy, error: &Error) -> Trial {
    let validity = Validity {
        verdict: TrialVerdict::Invalid,
        reasons: vec![error.message().to_owned()],
        lost: true,
        lost_by: Some(by),
        wrote: error.contender_wrote().unwrap_or_default().to_owned(),
        ..Validity::default()
    };
    without_figures(prepared, validity)
}

/// The trial that the machine made impossible.
pub(crate) fn void(prepared: &PreparedTrial<'_>, error: &Error) -> Trial {
    let validity = Validity {
        verdict: TrialVerdict::Invalid,
        reasons: vec![error.message().to_owned()],
        voids_round: true,
        ..Validity::default()
    };
    without_figures(prepared, validity)
}

fn without_figures(prepared: &PreparedTrial<'_>, validity: Validity) -> Trial {
    Trial {
        workload: prepared.spec.scenario.workload.name().into(),
        scenario: prepared.spec.scenario.name.clone(),
        contender: prepared.spec.contender.name.clone(),
        round: prepared.spec.round,
        order: prepared.spec.place,
        level: prepared.spec.level.clone(),
        placement: placement(prepared.placement),
        load: record::Load {
            kind: if prepared.spec.rate.is_some() { LoopKind::Open } else { LoopKind::Closed },
            rate: prepared.spec.rate.map(|rate| rate.0),
            connections: prepared.spec.scenario.load.connections as u32,
            ..record::Load::default()
        },
        bound_by: BoundBy::Nothing,
        audit: Audit { verdict: AuditVerdict::Unavailable, reasons: validity.reasons.clone() },
        validity,
        dependency: prepared
            .spec
            .scenario
            .store
            .dependency()
            .map(|dependency| dependency.describe()),
        ..Trial::default()
    }
}

/// Cells begin there; what is shorter is in the first.
const LOWEST_NS: u64 = 10_000;
/// Cells of a picture in a factor of ten.
const STEPS_PER_DECADE: u32 = 12;
/// With fewer requests a window has no p50, and no p99.
const P50_MIN: u64 = 20;
const P99_MIN: u64 = 100;

/// The timeline of a trial that was disturbed; nothing where it was not, or in a closed loop.
pub(crate) fn timeline(
    disturbance: Option<Disturbance>,
    outcome: &Outcome,
    recovery: Option<&record::Recovery>,
) -> Option<Timeline> {
    let disturbance = disturbance?;
    let length = outcome.kinds.iter().map(|kind| kind.slices.len()).max().filter(|n| *n > 0)?;
    let windows = (0..length).map(|place| {
        let own = |kind: &'_ Kind| {
            let slice = kind.slices.get(place)?;
            Some((slice.times.clone(), failures::of_slice(kind, slice)))
        };
        let whole = outcome.kinds.iter().filter_map(own).reduce(|mut sum, (times, failures)| {
            sum.0.add(times).expect("the slices of a trial have the same bounds");
            sum.1 += failures;
            sum
        });
        let (times, failures) = whole.expect("the longest kind has them all");
        window(&times, failures)
    });
    Some(Timeline {
        version: 1,
        window_ns: outcome.slice.0,
        windows: windows.collect(),
        lowest_ns: LOWEST_NS,
        steps_per_decade: STEPS_PER_DECADE,
        fault: Some(record::Fault {
            what: disturbance.what,
            from_ns: disturbance.start.0,
            for_ns: disturbance.lasting.0,
        }),
        recovery_ns: recovery.and_then(|recovery| recovery.after_ns),
    })
}

fn window(times: &Histogram<u32>, failures: Failures) -> TimeWindow {
    let n = times.len() + failures.all;
    let quantile = |least, rank| {
        Some(at_rank(times, failures, rank)).filter(|_| n >= least).and_then(Quantile::written)
    };
    let mut counts = Vec::new();
    for step in times.iter_recorded() {
        let cell = cell(step.value_iterated_to());
        if counts.len() <= cell {
            counts.resize(cell + 1, 0);
        }
        counts[cell] += u64::from(step.count_at_value());
    }
    TimeWindow {
        n,
        failures: failures.all,
        p50_ns: quantile(P50_MIN, 0.5),
        p99_ns: quantile(P99_MIN, 0.99),
        max_ns: (!times.is_empty()).then(|| times.max()),
        counts,
    }
}

fn cell(ns: u64) -> usize {
    let decades = (ns.max(LOWEST_NS) as f64 / LOWEST_NS as f64).log10();
    (decades * f64::from(STEPS_PER_DECADE)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::outcome::Slice;
    use crate::stats::percentile::FAILED_NS;

    #[test]
    fn a_recovery_is_of_all_kinds_together_and_from_the_last_faults_end() {
        // Four seconds of 20 requests a bucket, half of each kind; the second kind is late until 2.05 s.
        let bucket = |late| outcome::SloBucket { due: 10, late };
        let kept = vec![bucket(0); 400];
        let late: Vec<_> = (0..400).map(|at| bucket(if at < 205 { 10 } else { 0 })).collect();
        let end = 2_000_000_000;
        let said = |kinds: &[&[outcome::SloBucket]]| {
            let buckets = together(kinds.iter().copied());
            back(Nanos(end), &buckets).map(|one| (one.fault_end_ns, one.after_ns))
        };
        // One per cent of the next second's 2,000 requests is two buckets of the late kind.
        assert_eq!(said(&[&kept, &late]), Some((end, Some(30_000_000))));
        assert_eq!(said(&[&late, &late]), Some((end, Some(40_000_000))), "they add up");
        assert_eq!(said(&[&kept, &kept]), Some((end, Some(0))));
        assert_eq!(said(&[&kept, &[bucket(10); 400]]), Some((end, None)), "never");
        assert_eq!(said(&[&kept[..250]]), None, "no second is left that could say");
        assert_eq!(said(&[]), None, "no promise");
    }

    #[test]
    fn goodput_is_of_right_answers_in_time() {
        let mut outcome = validity::tests::outcome(0);
        outcome.window = Nanos(2_000_000_000);
        assert_eq!(goodput(&outcome), None, "no promise");
        outcome.kinds[0].buckets = vec![outcome::SloBucket { due: 20, late: 5 }; 200];
        assert_eq!(goodput(&outcome), Some(1_500.0));
    }

    #[test]
    fn a_p99_in_windows_is_of_thirty_equal_parts_or_of_none() {
        // A slice of the place n: 1,000 answers after about n + 1 ms.
        let slice = |n: u64, count| {
            let mut times = Histogram::<u32>::new(2).unwrap();
            times.record_n((n + 1) * 1_000_000, count).unwrap();
            Slice { times, timeouts: 0, others: 0 }
        };
        let p99_windows = |slices: &[Slice]| {
            let kind = validity::tests::outcome(0).kinds.remove(0);
            super::p99_windows(&Kind { slices: slices.to_vec(), ..kind })
        };
        let slices: Vec<_> = (0..60).map(|n| slice(n, 1_000)).collect();
        let windows = p99_windows(&slices);
        let ms: Vec<u64> = windows.iter().map(|ns| ns / 1_000_000).collect();
        assert_eq!(ms, (1..=30).map(|n| 2 * n).collect::<Vec<_>>(), "the later half of each");
        let mut thin = slices.clone();
        (thin[10], thin[11]) = (slice(10, 400), slice(11, 400));
        assert_eq!(
            p99_windows(&thin),
            [0; 0],
            "800 answers have no p99, and 29 windows are not 30"
        );
        assert_eq!(p99_windows(&slices[..29]), [0; 0], "fewer slices than windows");
        let mut failing = slices;
        (failing[4].others, failing[6].others, failing[7].others) = (20, 20, 1);
        let windows = p99_windows(&failing);
        assert_eq!(windows[3], FAILED_NS, "21 of 2,021 failed");
        assert_eq!(windows.iter().filter(|ns| **ns == FAILED_NS).count(), 1, "20 of 2,020 did not");
    }

    fn slice(values: impl IntoIterator<Item = u64>) -> Histogram<u32> {
        let mut slice = Histogram::new_with_bounds(1, 60_000_000_000, 2).unwrap();
        values.into_iter().for_each(|value| slice.record(value).unwrap());
        slice
    }

    #[test]
    fn every_request_of_a_window_lies_in_a_cell() {
        let times = slice((0..150).map(|n| 1_000 * (n + 1) * (n + 1)));
        let window = window(&times, Failures::default());
        assert_eq!((window.n, window.counts.iter().sum::<u64>()), (150, 150));
        assert_eq!(window.counts[0], 3, "what is below the first cell is in it");
        assert!(window.p99_ns.is_some() && window.max_ns > window.p99_ns);
        let edge = LOWEST_NS as f64 * 10_f64.powf((window.counts.len() - 1) as f64 / 12.0);
        let max = window.max_ns.unwrap() as f64;
        assert!(edge <= max && max < edge * 10_f64.powf(1.0 / 12.0), "{edge} {max}");
    }

    #[test]
    fn what_has_too_few_requests_has_no_percentile() {
        let of = |n| window(&slice(std::iter::repeat_n(500_000, n)), Failures::default());
        assert_eq!((of(0).max_ns, of(0).counts.len()), (None, 0));
        assert_eq!((of(19).p50_ns, of(19).max_ns.is_some()), (None, true));
        assert_eq!((of(20).p50_ns.is_some(), of(99).p99_ns), (true, None));
        assert!(of(100).p99_ns.is_some());
    }

    #[test]
    fn failures_are_requests_without_a_cell_and_above_all_others() {
        let failures = Failures { all: 52, timeouts: 51, timeout_ns: 1 };
        let window = window(&slice(std::iter::repeat_n(500_000, 50)), failures);
        assert_eq!((window.n, window.failures, window.counts.iter().sum::<u64>()), (102, 52, 50));
        assert_eq!((window.p50_ns, window.p99_ns), (Some(FAILED_NS), Some(FAILED_NS)));
        assert!(window.max_ns < Some(600_000), "of those that were answered");
    }
}
