//! An outcome as a trial of result.json, with what can be judged about a contender of which only the URL is known.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::load::outcome::{Kind, Outcome};
use crate::load::plan::{Plan, Shape};
use crate::report::distribution::{distribution, supports};
use crate::report::schema::{
    Audit, ByRequest, Distribution, Generator, Load, Placement, Server, Trial, TrialVerdict,
    Validity,
};
use crate::units::Nanos;

/// Up to this share of a percentile may be the generator's own.
const OURS_VALID: f64 = 0.10;
/// Beyond this share the percentile is withheld.
const OURS_SUSPECT: f64 = 0.25;
/// Less than this, in absolute terms, never withholds a percentile.
const OURS_SMALL: Nanos = Nanos(20_000);
/// A generator core busier than this, polling left out, may have been late by itself.
const GENERATOR_BUSY: f64 = 0.90;
/// The percentiles of a trial, in thousandths.
const PERCENTILES: [(&str, u64); 4] = [("p50", 500), ("p90", 900), ("p99", 990), ("p99_9", 999)];
/// The percentile that the verdict is about.
const HEADLINE: &str = "p99";

/// The trial that `plan` and `outcome` make.
pub(super) fn of(url: &str, plan: &Plan, outcome: &Outcome) -> Trial {
    let open = plan.shape != Shape::Closed;
    let saturated = open && saturated(outcome);
    let mut validity = Validity {
        verdict: TrialVerdict::Valid,
        reasons: Vec::new(),
        voids_round: false,
        our_share: BTreeMap::new(),
        steal_share: None,
    };
    let share = cpu_share(plan, outcome);
    let kind = outcome.kinds.first().expect("drive sends one kind");
    let by_request = by_request(kind, open, saturated, &mut validity);
    let late = validity.verdict == TrialVerdict::Invalid;
    let bound_by = bound_by(outcome, open, share, saturated && !late, &mut validity);
    let only = by_request.clone();
    let per_second = |count: u64| match outcome.window.as_secs_f64() {
        0.0 => 0.0,
        seconds => count as f64 / seconds,
    };
    Trial {
        workload: "http".into(),
        contender: url.into(),
        round: plan.round,
        order: 0,
        level: level(plan),
        placement: placement(plan),
        schedule_hash: format!("{:016x}", outcome.schedule_hash),
        load: load(plan, outcome),
        offered_rps: per_second(outcome.offered),
        achieved_rps: per_second(outcome.answered_in_window),
        requests: kind.requests,
        errors: only.errors,
        response_ns: only.response_ns,
        response_less_lag_ns: only.response_less_lag_ns,
        service_ns: only.service_ns,
        backlog_ns: only.backlog_ns,
        generator_lag_ns: only.generator_lag_ns,
        pool_wait_ns: None,
        by_request: BTreeMap::from([(kind.name.clone(), by_request)]),
        server: Server::default(),
        generator: Generator {
            cpu_share: share,
            receive_lag_ns: None,
            threads: plan.threads as u32,
        },
        bound_by: bound_by.into(),
        saturated,
        validity,
        audit: Audit {
            verdict: "unavailable".into(),
            reasons: vec!["a server given by URL has no books to look at".into()],
        },
        voided: false,
        timeline: None,
    }
}

/// Failures by kind, of all requests.
pub(super) fn errors(outcome: &Outcome) -> BTreeMap<String, u64> {
    let all = outcome.kinds.iter().flat_map(|kind| &kind.errors);
    all.map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn level(plan: &Plan) -> String {
    match plan.shape {
        Shape::Open { rate, .. } => rate.to_string(),
        Shape::Closed => "closed".into(),
    }
}

/// The cores that this process inherited; the contender's are not known.
fn placement(plan: &Plan) -> Placement {
    let mask = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).map(|core| core as u32);
    Placement {
        mode: "unknown".into(),
        contender_cores: Vec::new(),
        generator_cores: cores.collect(),
        pace: plan.pace.name().into(),
    }
}

fn load(plan: &Plan, outcome: &Outcome) -> Load {
    let (kind, arrivals, rate) = match plan.shape {
        Shape::Open { rate, arrivals } => ("open", Some(arrivals.name().into()), Some(rate.0)),
        Shape::Closed => ("closed", None, None),
    };
    Load {
        kind: kind.into(),
        arrivals,
        rate,
        connections: plan.connections as u32,
        duration_s: outcome.window.as_secs_f64(),
    }
}

fn by_request(kind: &Kind, open: bool, saturated: bool, validity: &mut Validity) -> ByRequest {
    let shown = |times: &Histogram<u64>| open.then(|| distribution(times));
    let mut response = shown(&kind.response);
    if let Some(response) = &mut response {
        let failures = kind.errors.values().sum();
        for (name, per_mille) in PERCENTILES {
            let late = ours(kind, name, per_mille, validity);
            if late || saturated || unbounded(failures, kind.requests, per_mille) {
                withhold(response, name);
            }
        }
    }
    ByRequest {
        requests: kind.requests,
        errors: kind.errors.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        response_ns: response,
        response_less_lag_ns: shown(&kind.response_less_lag),
        service_ns: Some(distribution(&kind.service)),
        backlog_ns: shown(&kind.backlog),
        generator_lag_ns: shown(&kind.generator_lag),
        spent: Vec::new(),
    }
}

/// Notes the generator's share of a percentile; says whether the percentile is withheld for it.
///
/// In a saturated trial too: work that piled up because the generator was late is not the contender's.
fn ours(kind: &Kind, name: &str, per_mille: u64, validity: &mut Validity) -> bool {
    if !supports(kind.response.len(), per_mille) {
        return false;
    }
    let at = |times: &Histogram<u64>| times.value_at_quantile(per_mille as f64 / 1_000.0);
    let whole = at(&kind.response);
    let late = Nanos(whole - at(&kind.response_less_lag).min(whole));
    let share = late.0 as f64 / whole.max(1) as f64;
    validity.our_share.insert(name.into(), share);
    let verdict = match share {
        share if share <= OURS_VALID => TrialVerdict::Valid,
        share if share <= OURS_SUSPECT || late < OURS_SMALL => TrialVerdict::Suspect,
        _ => TrialVerdict::Invalid,
    };
    if name == HEADLINE && verdict > TrialVerdict::Valid {
        let percent = share * 100.0;
        let reason =
            format!("{percent:.0} % ({late}) of the {name} is the generator's own lateness");
        worsen(validity, verdict, reason);
    }
    verdict == TrialVerdict::Invalid
}

/// More requests failed than lie beyond the percentile, so it has no value.
fn unbounded(failures: u64, requests: u64, per_mille: u64) -> bool {
    failures * 1_000 > requests * (1_000 - per_mille)
}

fn withhold(times: &mut Distribution, name: &str) {
    *match name {
        "p50" => &mut times.p50,
        "p90" => &mut times.p90,
        "p99" => &mut times.p99,
        _ => &mut times.p99_9,
    } = None;
}

/// Outstanding work grew by more than 1 % of what was offered and by more than its own fluctuation.
fn saturated(outcome: &Outcome) -> bool {
    let outstanding = outcome.outstanding;
    let growth = outstanding.at_end.saturating_sub(outstanding.at_start) as f64;
    growth > 0.01 * outcome.offered as f64 && growth > 3.0 * (2.0 * outstanding.mean + 1.0).sqrt()
}

/// Whose fault it is that there was no more; closed loop is bound by the generator by nature.
fn bound_by(
    outcome: &Outcome,
    open: bool,
    share: f64,
    saturated: bool,
    validity: &mut Validity,
) -> &'static str {
    let gone = ["descriptors", "ports"].into_iter().find(|what| outcome.refused.contains_key(what));
    if let Some(what) = gone {
        worsen(validity, TrialVerdict::Invalid, format!("the generator ran out of {what}"));
    } else if open && share > GENERATOR_BUSY {
        let percent = share * 100.0;
        let reason = format!("the generator's core was {percent:.0} % busy: it may have been late");
        worsen(validity, TrialVerdict::Invalid, reason);
    } else if share > GENERATOR_BUSY {
    } else if saturated {
        return "contender";
    } else if open && outcome.all_busy > Nanos(0) {
        let reason =
            format!("all connections were busy for {}: it may need more", outcome.all_busy);
        worsen(validity, TrialVerdict::Suspect, reason);
        return "connections";
    } else {
        return "nothing";
    }
    "generator"
}

/// Busy share of the generator's cores, polling for an instant left out.
fn cpu_share(plan: &Plan, outcome: &Outcome) -> f64 {
    let busy = outcome.cpu.saturating_sub(outcome.spun).0 as f64;
    busy / (outcome.window.0 as f64 * plan.threads as f64).max(1.0)
}

fn worsen(validity: &mut Validity, verdict: TrialVerdict, reason: String) {
    validity.verdict = validity.verdict.max(verdict);
    validity.reasons.push(reason);
}
