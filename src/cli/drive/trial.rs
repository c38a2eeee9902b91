//! An outcome as a trial of result.json, with what can be judged about a contender of which only the URL is known.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::load::outcome::{Kind, Outcome};
use crate::load::plan::{Plan, Shape};
use crate::report::distribution::distribution;
use crate::report::schema::{
    Audit, ByRequest, Distribution, Generator, Load, Placement, Server, Trial,
};
use crate::run::resources::Taken;
use crate::run::validity::{self, Evidence, Judged, RANKS};
use crate::stats::percentile::unbounded;

/// The trial that `plan` and `outcome` make; `taken` is of its start.
pub(super) fn of(url: &str, plan: &Plan, outcome: &Outcome, taken: &Taken) -> Trial {
    let open = plan.shape != Shape::Closed;
    let judged = validity::judge(&Evidence {
        steal_share: taken.steal_share(),
        throttled_share: taken.throttled_share(),
        ..Evidence::of(outcome, open, plan.threads)
    });
    let kind = outcome.kinds.first().expect("drive sends one kind");
    let by_request = by_request(kind, open, &judged);
    let only = by_request.clone();
    let per_second = |count: u64| match outcome.window.as_secs_f64() {
        0.0 => 0.0,
        seconds => count as f64 / seconds,
    };
    Trial {
        workload: "http".into(),
        scenario: String::new(),
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
        connect_ns: Some(distribution(&outcome.connect)),
        by_request: BTreeMap::from([(kind.name.clone(), by_request)]),
        server: Server::default(),
        generator: Generator {
            cpu_share: validity::generator_share(outcome, plan.threads),
            receive_lag_ns: validity::receive_lag(outcome).as_ref().map(distribution),
            threads: plan.threads as u32,
        },
        bound_by: judged.bound_by.name().into(),
        saturated: judged.saturated,
        validity: judged.validity,
        audit: Audit {
            verdict: "unavailable".into(),
            reasons: vec!["a server given by URL has no books to look at".into()],
        },
        voided: false,
        standin: None,
        dependency: None,
        pool: None,
        timeline: None,
        accounts_per_s: None,
        recovery: None,
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
        Shape::Ramp { from, to, .. } => format!("{from}..{to}"),
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
        dependency_cores: Vec::new(),
    }
}

fn load(plan: &Plan, outcome: &Outcome) -> Load {
    let (kind, arrivals, rate, rate_to) = match plan.shape {
        Shape::Open { rate, arrivals } => ("open", Some(arrivals), Some(rate.0), None),
        Shape::Ramp { from, to, arrivals } => ("open", Some(arrivals), Some(from.0), Some(to.0)),
        Shape::Closed => ("closed", None, None, None),
    };
    Load {
        kind: kind.into(),
        arrivals: arrivals.map(|arrivals| arrivals.name().into()),
        rate,
        rate_to,
        connections: plan.connections as u32,
        duration_s: outcome.window.as_secs_f64(),
    }
}

fn by_request(kind: &Kind, open: bool, judged: &Judged) -> ByRequest {
    let shown = |times: &Histogram<u64>| open.then(|| distribution(times));
    let mut response = shown(&kind.response);
    if let Some(response) = &mut response {
        let failures = kind.errors.values().sum();
        let late = judged.withheld.get(&kind.name);
        for (name, rank) in RANKS {
            let late = late.is_some_and(|names| names.contains(&name));
            if late || judged.saturated || unbounded(failures, kind.requests, rank) {
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
        p99_windows_ns: Vec::new(),
    }
}

fn withhold(times: &mut Distribution, name: &str) {
    *match name {
        "p50" => &mut times.p50,
        "p90" => &mut times.p90,
        "p99" => &mut times.p99,
        _ => &mut times.p99_9,
    } = None;
}
