//! One contender at one level in a fresh process.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::backend::cpu::CpuMode;
use crate::error::Result;
use crate::load::outcome::{Kind, Outcome};
use crate::load::plan::{Operation, Plan, Shape};
use crate::load::{self, Moment};
use crate::report::distribution::distribution;
use crate::report::schema::{self, Audit, Trial, TrialVerdict};
use crate::run::child::Contender;
use crate::run::hiccups::Hiccups;
use crate::run::placement::Placement;
use crate::run::resources::{Steal, Switches, Tick, Used, Watch};
use crate::run::validity::{self, Evidence, Judged};
use crate::run::{audit, http};
use crate::scenario::{self, LoadKind, Metric, PlacementMode, Scenario};
use crate::stats::percentile;
use crate::units::{Nanos, Rate};

/// The audit adds up a million accounts, and a saturated server may first have to finish what it has in hand.
const AUDIT_WITHIN: Duration = Duration::from_secs(10);

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) contender: &'a scenario::Contender,
    /// Requests per second, or nothing for a closed loop.
    pub(crate) rate: Option<Rate>,
    /// The level as the scenario writes it.
    pub(crate) level: String,
    /// The measured window.
    pub(crate) duration: Nanos,
    /// Counted from 1.
    pub(crate) round: u32,
    /// Its place in the round.
    pub(crate) place: u32,
    /// Keeps this contender's keys apart from the others'.
    pub(crate) salt: u32,
    pub(crate) signature: Signature,
    pub(crate) placement: &'a Placement,
    /// What the machine took from an idle core before the run.
    pub(crate) hiccups: Hiccups,
}

/// The CPU work of a request, calibrated once by the orchestrator and the same in every trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    /// SHA-256 rounds of each payment.
    pub(crate) rounds: u32,
    /// Where it runs: decided by its measured time, where it was measured.
    pub(crate) cpu: CpuMode,
}

/// Runs one trial. A contender that crashes has lost and is reported so.
///
/// # Errors
/// When the contender cannot be started, or the generator cannot run.
pub(crate) fn run(order: &Order<'_>, stop: &AtomicBool) -> Result<Trial> {
    let mut contender =
        Contender::start(&order.contender.name, &serve_flags(order), &order.placement.contender)?;
    let watch = Watch::new(contender.pid());
    let plan = plan(order, contender.address());
    let (switches, steal) = (watch.switches(), Steal::now());
    let ticks: Mutex<[Option<Tick>; 2]> = Mutex::default();
    let outcome = load::run(&plan, stop, &|moment| {
        ticks.lock().expect("no tick panics")[match moment {
            Moment::WindowStart => 0,
            Moment::WindowEnd => 1,
        }] = Some(watch.tick());
    })?;
    let steal_share = Steal::now().zip(steal).map(|(now, before)| now.share_since(before));
    let switches = watch.switches().zip(switches);
    let used = match *ticks.lock().expect("no tick panics") {
        [Some(start), Some(end)] => Used::between(start, end),
        _ => Used::default(),
    };
    let crash = contender.crashed().map(|status| format!("the contender crashed: {status}"));
    let audit = match &crash {
        Some(reason) => Audit { verdict: "unavailable".into(), reasons: vec![reason.clone()] },
        None => {
            audit::judge(&outcome.tally, http::get(contender.address(), "/audit", AUDIT_WITHIN))
        }
    };
    let server = server(&watch, used, switches, &outcome, order.placement.contender.len());
    if crash.is_none() {
        contender.stop()?;
    }
    let judged = judged(order, &outcome, used, steal_share, &audit, crash);
    Ok(report(order, &plan, &outcome, server, judged, audit))
}

/// The flags with which the contender is started: `run` uses nothing that a person could not.
fn serve_flags(order: &Order<'_>) -> Vec<String> {
    let contender = order.contender;
    let mut flags: Vec<(&str, String)> = vec![
        ("--model", contender.model.name().into()),
        ("--name", contender.name.clone()),
        ("--workload", order.scenario.workload.name().into()),
        ("--port", "0".into()),
        ("--seed", order.scenario.seed.to_string()),
        ("--signature-rounds", order.signature.rounds.to_string()),
        ("--cpu-mode", order.signature.cpu.to_string()),
        ("--cores", order.placement.contender.len().to_string()),
    ];
    flags.extend(contender.threads.map(|threads| ("--threads", threads.to_string())));
    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

/// The load of the trial. Everything but the salt is the same for every contender of the round.
fn plan(order: &Order<'_>, target: std::net::SocketAddr) -> Plan {
    let scenario = order.scenario;
    let arrivals = match scenario.load.kind {
        LoadKind::Open(arrivals) => arrivals,
        LoadKind::Closed => Default::default(),
    };
    let signed = |operation: &Operation| match operation {
        Operation::Payment { .. } => Operation::Payment { rounds: order.signature.rounds },
        other => other.clone(),
    };
    Plan {
        target,
        shape: order.rate.map_or(Shape::Closed, |rate| Shape::Open { rate, arrivals }),
        mix: scenario.mix.iter().map(|(operation, weight)| (signed(operation), *weight)).collect(),
        seed: scenario.seed,
        round: order.round,
        salt: order.salt,
        warm_up: scenario.load.warm_up,
        duration: order.duration,
        connections: scenario.load.connections,
        threads: order.placement.generator.len(),
        timeout: scenario.load.timeout,
        pace: order.placement.pace,
        cores: order.placement.generator.clone(),
    }
}

/// What the contender used in the window; context switches and memory over its whole life.
fn server(
    watch: &Watch,
    used: Used,
    switches: Option<(Switches, Switches)>,
    outcome: &Outcome,
    cores: usize,
) -> schema::Server {
    let answered = outcome.answered_in_window as f64;
    let per_request = |cpu: Nanos| cpu.as_micros_f64() / answered;
    schema::Server {
        cpu_us_per_request: used.cpu.filter(|_| answered > 0.0).map(per_request),
        cpu_share: used.cpu_share(cores),
        rss_peak_bytes: watch.rss_peak_bytes(),
        context_switches_voluntary: switches
            .map(|(after, before)| after.voluntary.saturating_sub(before.voluntary)),
        context_switches_involuntary: switches
            .map(|(after, before)| after.involuntary.saturating_sub(before.involuntary)),
        threads_max: used.threads,
    }
}

/// The rules of the method, and what a contender did to itself.
fn judged(
    order: &Order<'_>,
    outcome: &Outcome,
    used: Used,
    steal_share: Option<f64>,
    audit: &Audit,
    crash: Option<String>,
) -> Judged {
    let mut judged = validity::judge(&Evidence {
        outcome,
        open: order.rate.is_some(),
        generator_threads: order.placement.generator.len(),
        contender_share: used.cpu_share(order.placement.contender.len()),
        steal_share,
        hiccups: order.hiccups,
        headline: headline(order.scenario).name(),
    });
    // A contender that breaks down or cheats has lost; that is no reason to run the round again.
    let unbalanced = audit.reasons.iter().filter(|_| audit.verdict == "unbalanced");
    let unbalanced = unbalanced.map(|reason| format!("the books do not balance: {reason}"));
    let lost: Vec<String> = crash.into_iter().chain(unbalanced).collect();
    if !lost.is_empty() {
        judged.validity.voids_round = false;
    }
    for reason in lost {
        judged.validity.worsen(TrialVerdict::Invalid, reason);
    }
    judged
}

/// The percentile that the scenario is about.
fn headline(scenario: &Scenario) -> Metric {
    let metrics = scenario.expectations.iter().map(|statement| statement.metric);
    metrics.into_iter().find(|metric| metric.rank().is_some()).unwrap_or(Metric::P99)
}

/// The trial as it is reported.
fn report(
    order: &Order<'_>,
    plan: &Plan,
    outcome: &Outcome,
    server: schema::Server,
    judged: Judged,
    audit: Audit,
) -> Trial {
    let open = order.rate.is_some();
    let by_request: BTreeMap<String, schema::ByRequest> = outcome
        .kinds
        .iter()
        .map(|kind| (kind.name.clone(), by_request(kind, open, &judged)))
        .collect();
    let only = by_request.values().next().filter(|_| by_request.len() == 1).cloned();
    let seconds = outcome.window.as_secs_f64();
    let mut errors = BTreeMap::new();
    for (name, count) in outcome.kinds.iter().flat_map(|kind| &kind.errors) {
        *errors.entry((*name).to_owned()).or_insert(0) += count;
    }
    let only_of =
        |field: fn(schema::ByRequest) -> Option<schema::Distribution>| only.clone().and_then(field);
    Trial {
        workload: order.scenario.workload.name().into(),
        contender: order.contender.name.clone(),
        round: order.round,
        order: order.place,
        level: order.level.clone(),
        placement: placement(order.placement),
        schedule_hash: format!("{:016x}", outcome.schedule_hash),
        load: load_of(order, plan),
        offered_rps: outcome.offered as f64 / seconds,
        achieved_rps: outcome.answered_in_window as f64 / seconds,
        requests: outcome.kinds.iter().map(|kind| kind.requests).sum(),
        errors,
        response_ns: only_of(|kind| kind.response_ns),
        response_less_lag_ns: only_of(|kind| kind.response_less_lag_ns),
        service_ns: only_of(|kind| kind.service_ns),
        backlog_ns: only_of(|kind| kind.backlog_ns),
        generator_lag_ns: only_of(|kind| kind.generator_lag_ns),
        pool_wait_ns: None,
        by_request,
        server,
        generator: schema::Generator {
            cpu_share: validity::generator_share(outcome, plan.threads),
            receive_lag_ns: None,
            threads: plan.threads as u32,
        },
        bound_by: judged.bound_by.name().into(),
        saturated: judged.saturated,
        validity: judged.validity,
        audit,
        voided: false,
        timeline: None,
    }
}

/// One request kind, with the percentiles that may not be shown taken out.
fn by_request(kind: &Kind, open: bool, judged: &Judged) -> schema::ByRequest {
    let shown = |histogram: &Histogram<u64>| open.then(|| distribution(histogram));
    let failures: u64 = kind.errors.values().sum();
    let mut response = shown(&kind.response);
    if let Some(response) = &mut response {
        for name in judged.withheld.get(&kind.name).into_iter().flatten() {
            withhold(response, name);
        }
        unbound(response, failures, kind.requests);
        if judged.saturated {
            ["p50", "p90", "p99", "p99_9"].iter().for_each(|name| withhold(response, name));
        }
    }
    schema::ByRequest {
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

fn placement(placement: &Placement) -> schema::Placement {
    let numbers = |cores: &[usize]| cores.iter().map(|&core| core as u32).collect();
    schema::Placement {
        mode: match placement.mode {
            PlacementMode::Apart => "apart".into(),
            PlacementMode::Shared => "shared".into(),
        },
        contender_cores: numbers(&placement.contender),
        generator_cores: numbers(&placement.generator),
        pace: placement.pace.name().into(),
    }
}

fn load_of(order: &Order<'_>, plan: &Plan) -> schema::Load {
    let (kind, arrivals, rate) = match plan.shape {
        Shape::Open { rate, arrivals } => ("open", Some(arrivals.name().to_owned()), Some(rate.0)),
        Shape::Closed => ("closed", None, None),
    };
    schema::Load {
        kind: kind.into(),
        arrivals,
        rate,
        connections: plan.connections as u32,
        duration_s: order.duration.as_secs_f64(),
    }
}

/// Takes one percentile out.
fn withhold(distribution: &mut schema::Distribution, name: &str) {
    match name {
        "p50" => distribution.p50 = None,
        "p90" => distribution.p90 = None,
        "p99" => distribution.p99 = None,
        _ => distribution.p99_9 = None,
    }
}

/// Takes out every percentile that more requests than its tail holds failed: it has no bound.
fn unbound(distribution: &mut schema::Distribution, failures: u64, requests: u64) {
    for (name, rank) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)] {
        if percentile::unbounded(failures, requests, rank) {
            withhold(distribution, name);
        }
    }
}
