//! One contender at one level in a fresh process.

pub(crate) mod figures;
pub(crate) mod spec;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::Gather;
use crate::backend::model::Library;
use crate::error::{Error, Result};
use crate::hosts::sampler::Sampled;
use crate::judge::failures::{counts, error_bound, over_the_error_bound};
use crate::judge::validity::{Evidence, Judged};
use crate::judge::{audit, validity};
use crate::load::plan::{Operation, Part, Peer, Plan, Shape};
use crate::load::setup_failed;
use crate::record::histogram::distribution;
use crate::record::outcome::{self, Outcome, RequestError, Tally};
use crate::record::{Audit, AuditVerdict, LostBy, Trial};
use crate::run::cluster::{self, Role};
use crate::run::host::{DependencyHandle, Host, Loaded, ServerHandle, Start, Switches};
use crate::run::trial::spec::PreparedTrial;
use crate::scenario::{BuiltIn, Kind, LoadKind, Metric, PlacementMode, Scenario, Workload, store};
use crate::units::{Nanos, Share, grouped};
use crate::{record, scenario};

/// The audit adds up a million accounts, and a saturated server may first have to finish its queue.
const AUDIT_WITHIN: Duration = Duration::from_secs(10);

/// Lines that are kept of what a contender wrote last that has lost and runs: most servers log each request.
const LINES_TOLD: usize = 3;

/// Runs one trial. A contender that does not start or crashes has lost and is reported so. A trial whose agents are lost is
/// void.
pub(crate) fn run(host: &Host, prepared: &PreparedTrial<'_>, stop: &AtomicBool) -> Result<Trial> {
    match attempt(host, prepared, stop) {
        Err(error) if error.is_by_machine() && prepared.placement.mode == PlacementMode::Hosts => {
            Ok(figures::void(prepared, &error))
        }
        result => result,
    }
}

fn attempt(host: &Host, prepared: &PreparedTrial<'_>, stop: &AtomicBool) -> Result<Trial> {
    let dependency = host.start_dependency(prepared)?;
    prepared.profiling.inspect(|profiling| profiling.open());
    let mut contender = match start(host, prepared, dependency.as_ref()) {
        Ok(contender) => contender,
        Err(error) => {
            dependency.map_or(Ok(()), DependencyHandle::stop)?;
            return unstarted(prepared, error);
        }
    };
    let plan = plan(prepared, contender.peer().clone());
    let books = books_before(prepared, &contender);
    let several = prepared.spec.contender.built_in().is_some_and(|built_in| built_in.processes > 1);
    let sides = (&contender, dependency.as_ref());
    let loaded = match host.load(&plan, prepared, sides, several, stop) {
        Ok(loaded) => loaded,
        Err(error) => {
            let error = broken_down(&mut contender)?.unwrap_or(error);
            if error.contender_wrote().is_none() {
                return Err(error);
            }
            drop(contender);
            dependency.map_or(Ok(()), DependencyHandle::stop)?;
            return Ok(figures::lost(prepared, broken_off_by(&error), &error));
        }
    };
    let outcome = &loaded.outcome;
    let standin = dependency.as_ref().and_then(|dependency| dependency.window_ends(outcome.window));
    let supervisor = contender.watch().supervisor();
    prepared.profiling.inspect(|profiling| profiling.name(supervisor.as_slice()));
    let runtime = contender.runtime().map(str::to_owned);
    let mut crash = contender.crashed(false)?.map(|status| crashed(&contender, &status));
    let audit = match &crash {
        Some(error) => {
            let reasons = vec![error.message().to_owned()];
            Audit { verdict: AuditVerdict::Unavailable, reasons }
        }
        None => audited(prepared, &contender, outcome, books, stop),
    };
    if crash.is_none() && audit.verdict == AuditVerdict::Unavailable && !audit.reasons.is_empty() {
        crash = broken_down(&mut contender)?;
    }
    let server = server(&loaded, prepared.placement.contender.len());
    let (stopped, tail) = contender.stop();
    match stopped {
        Err(error) if error.is_by_machine() => return Err(error),
        Err(error) if crash.is_none() => crash = Some(error),
        _ => {}
    }
    dependency.map_or(Ok(()), DependencyHandle::stop)?;
    let dependency_share = standin.as_ref().and_then(|standin| standin.cpu_share);
    let mut judged = judged(prepared, &plan, &loaded, dependency_share, &audit, crash.as_ref());
    // Of a round that is void too: a smoke, which has no other, tells whose requests failed.
    let fails = || failing(outcome, error_bound(prepared.spec.scenario)).is_some();
    if crash.is_none() && (judged.validity.lost || fails()) {
        judged.validity.wrote = last_lines(&tail.last());
    }
    let mut trial = figures::report(prepared, &plan, outcome, server, judged, audit);
    let pooled = prepared.spec.scenario.store.dependency();
    trial.dependency = pooled.map(|dependency| dependency.describe());
    trial.pool = pooled.map(|one| store::pool(prepared.spec.contender.built_in(), one) as u32);
    trial.pool_wait_ns = loaded.sampled.pool.as_ref().map(|pool| distribution(&pool.waits));
    trial.hosts = loaded.elsewhere.map(|(hosts, _)| hosts);
    trial.standin = standin;
    trial.runtime = runtime;
    Ok(trial)
}

/// The trial of a contender that did not start.
fn unstarted(prepared: &PreparedTrial<'_>, error: Error) -> Result<Trial> {
    match error.contender_wrote() {
        Some(_) => Ok(figures::lost(prepared, LostBy::Start, &error)),
        None if error.is_by_machine() => Ok(figures::void(prepared, &error)),
        None => Err(error),
    }
}

/// How the contender ended without being asked, if it has; where something has just failed.
fn broken_down(contender: &mut ServerHandle) -> Result<Option<Error>> {
    Ok(contender.crashed(true)?.map(|status| crashed(contender, &status)))
}

/// By what a contender has lost to which no load could be sent.
fn broken_off_by(error: &Error) -> LostBy {
    let failed = |error: RequestError| setup_failed(error.name());
    let refused = [RequestError::BadStatus, RequestError::WrongAnswer].map(failed);
    match error.message() {
        what if refused.iter().any(|refused| what.starts_with(refused)) => LostBy::Wrong,
        what if what.starts_with(&failed(RequestError::Timeout)) => LostBy::Idle,
        _ => LostBy::Crash,
    }
}

fn crashed(contender: &ServerHandle, status: &str) -> Error {
    Error::invalid(format!("the contender crashed: {status}")).by_contender(contender.wrote())
}

/// What a server wrote last, of whose end there is nothing to tell.
fn last_lines(last: &str) -> String {
    let from = last.rmatch_indices('\n').nth(LINES_TOLD - 1).map_or(0, |(end, _)| end + 1);
    last[from..].to_owned()
}

/// The contender of the trial, ready.
pub(super) fn start(
    host: &Host,
    prepared: &PreparedTrial<'_>,
    dependency: Option<&DependencyHandle<'_>>,
) -> Result<ServerHandle> {
    let depends = dependency.map(DependencyHandle::environment).unwrap_or_default();
    let (start, env) = match &prepared.spec.contender.kind {
        Kind::BuiltIn(built_in) if built_in.processes > 1 => {
            return several(host, prepared, built_in, depends);
        }
        Kind::BuiltIn(built_in) => {
            let (binary, flags) = (built_in.binary.as_deref(), serve_flags(prepared, built_in));
            (Start::Own { binary, verb: "serve", flags }, depends)
        }
        Kind::Command { argv, setup } => {
            (Start::Command { argv, setup }, environment(prepared, depends))
        }
        Kind::Url { address, setup } => {
            (Start::Running { address, setup }, environment(prepared, depends))
        }
    };
    host.start(prepared, Role::Contender, &start, env)
}

/// Several processes: as for any program, all processes below its supervisor are counted together.
fn several(
    host: &Host,
    prepared: &PreparedTrial<'_>,
    built_in: &BuiltIn,
    depends: Vec<(String, String)>,
) -> Result<ServerHandle> {
    let own = || host.program_of(prepared.spec.scenario);
    let binary = built_in.binary.clone().map_or_else(own, Ok)?;
    let mut argv = vec![binary.display().to_string(), "serve".into()];
    argv.extend(serve_flags(prepared, built_in));
    if let Some(port) = argv.iter().position(|flag| flag == "--port") {
        argv[port + 1] = "{port}".into();
    }
    argv.extend(["--processes".to_owned(), built_in.processes.to_string()]);
    let ready = scenario::Ready::Path("/healthz".into());
    let setup = scenario::Setup::plain(ready, Nanos(10 * Nanos::SECOND.0));
    let start = Start::Command { argv: &argv, setup: &setup };
    host.start(prepared, Role::Contender, &start, depends)
}

/// What the contract has a contender read. An HTTP workload has no contract.
pub(crate) fn environment(
    prepared: &PreparedTrial<'_>,
    mut depends: Vec<(String, String)>,
) -> Vec<(String, String)> {
    if prepared.spec.scenario.workload == Workload::Http {
        return depends;
    }
    let mut set = |name: &str, value: String| depends.push((name.to_owned(), value));
    set("BAKEOFF_SEED", prepared.spec.scenario.seed.to_string());
    set("BAKEOFF_SIGNATURE_ROUNDS", prepared.signature.rounds.to_string());
    set("BAKEOFF_WORKERS", prepared.placement.contender.len().to_string());
    if let Some(dependency) = prepared.spec.scenario.store.dependency() {
        set("BAKEOFF_POOL", dependency.pool.to_string());
    }
    depends
}

/// The books as they are before the load, of a server that is not fresh.
fn books_before(
    prepared: &PreparedTrial<'_>,
    contender: &ServerHandle,
) -> Option<std::result::Result<Vec<u8>, String>> {
    let begun =
        prepared.spec.contender.is_url() && prepared.spec.scenario.workload != Workload::Http;
    begun.then(|| contender.ask("/audit", AUDIT_WITHIN))
}

/// Whether the books balance; a service of an HTTP workload has none.
fn audited(
    prepared: &PreparedTrial<'_>,
    contender: &ServerHandle,
    outcome: &Outcome,
    before: Option<std::result::Result<Vec<u8>, String>>,
    stop: &AtomicBool,
) -> Audit {
    // What was cut short is no trial: its books are not checked.
    if stop.load(Ordering::Relaxed) {
        return Audit::default();
    }
    if prepared.spec.scenario.workload == Workload::Http {
        return Audit { verdict: AuditVerdict::Unavailable, reasons: Vec::new() };
    }
    at_rest(&outcome.tally, AUDIT_WITHIN, stop, || {
        let after = contender.ask("/audit", AUDIT_WITHIN);
        match before.clone() {
            Some(before) => audit::judge_growth(&outcome.tally, before, after),
            None => audit::judge(&outcome.tally, after),
        }
    })
}

/// The flags with which a model is started: `run` uses nothing that a person could not.
pub(crate) fn serve_flags(prepared: &PreparedTrial<'_>, contender: &BuiltIn) -> Vec<String> {
    let mut flags: Vec<(&str, String)> = vec![
        ("--model", contender.model.name().into()),
        ("--name", prepared.spec.contender.name.clone()),
        ("--port", "0".into()),
        ("--seed", prepared.spec.scenario.seed.to_string()),
        ("--signature-rounds", prepared.signature.rounds.to_string()),
        ("--cpu-mode", prepared.signature.cpu.to_string()),
        ("--cores", prepared.placement.contender.len().to_string()),
    ];
    flags.extend(contender.threads.map(|threads| ("--threads", threads.to_string())));
    if let Some(dependency) = prepared.spec.scenario.store.dependency() {
        flags.push(("--store", "postgres".into()));
        flags.push(("--pool", store::pool(Some(contender), dependency).to_string()));
    }
    if contender.fan_out != Gather::AtOnce {
        flags.push(("--fan-out", contender.fan_out.name().into()));
    }
    if contender.client != Library::Bakeoff {
        flags.push(("--client", contender.client.name().into()));
    }
    flags.extend(contender.pitfalls.iter().map(|pitfall| ("--pitfall", pitfall.to_string())));
    // Under an HTTP workload a model is a control, and mounts all its routes.
    let workload = prepared.spec.scenario.workload;
    flags.extend((workload != Workload::Http).then(|| ("--workload", workload.name().into())));
    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

/// The load of the trial. Everything but the salt is the same for every contender of the round.
pub(super) fn plan(prepared: &PreparedTrial<'_>, target: Peer) -> Plan {
    let scenario = prepared.spec.scenario;
    let arrivals = match scenario.load.kind {
        LoadKind::Open(arrivals) => arrivals,
        LoadKind::Closed => Default::default(),
    };
    // Where an open load is closed to see what a contender can do, nobody thinks: the loop would show its users' pace.
    let thinks = prepared.spec.rate.is_some() || scenario.load.kind == LoadKind::Closed;
    let sent = |one: &Operation| sent(one, prepared.signature.rounds, thinks);
    Plan {
        target,
        shape: prepared.spec.rate.map_or(Shape::Closed, |rate| Shape::Open { rate, arrivals }),
        // A probe in closed loop is of no rate at all.
        steps: prepared.spec.rate.map_or_else(Vec::new, |_| scenario.load.steps.clone()),
        traffic: prepared.spec.rate.and_then(|_| scenario.load.traffic.clone()),
        mix: scenario.mix.iter().map(|(one, weight)| (sent(one), *weight)).collect(),
        setup: scenario.setup.clone(),
        seed: scenario.seed,
        round: prepared.spec.round,
        salt: prepared.salt,
        warm_up: prepared.warming.before,
        duration: prepared.spec.duration,
        connections: scenario.load.connections,
        threads: prepared.placement.generator.len(),
        timeout: scenario.load.timeout,
        pace: prepared.placement.pace,
        cores: prepared.placement.generator.clone(),
        objective: scenario.slo.map(|slo| slo.p99),
        timeline: scenario.disturbance().is_some(),
        keep_alive: true,
        part: Part::WHOLE,
        beyond: false,
    }
}

/// The same with the stretches that the contender makes of a payment's signature, and without think times unless `thinks`.
fn sent(operation: &Operation, stretches: u32, thinks: bool) -> Operation {
    let mut own = operation.clone();
    match &mut own {
        Operation::Payment { rounds } => *rounds = stretches,
        Operation::Session(session) => {
            for step in &mut session.steps {
                step.operation = sent(&step.operation, stretches, thinks);
                step.think = if thinks { step.think } else { Nanos(0) };
            }
        }
        _ => {}
    }
    own
}

/// CPU time over right answers, in each half of the window.
fn per_request(outcome: &Outcome, halves: Option<(Nanos, Nanos)>) -> Vec<f64> {
    let first = outcome.answered_in_first_half;
    let second = outcome.answered_in_window - first;
    match halves {
        Some((early, late)) if first > 0 && second > 0 => {
            vec![early.as_micros_f64() / first as f64, late.as_micros_f64() / second as f64]
        }
        _ => Vec::new(),
    }
}

/// What the contender used in the window; context switches and waits for a core up to its end, and memory at most.
fn server(loaded: &Loaded, cores: usize) -> record::ServerUsage {
    let Loaded { outcome, sampled: Sampled { memory, used, switches, .. }, .. } = loaded;
    let in_window = |figure: f64| over(figure, outcome.answered_in_window);
    let in_all = |figure: u64| over(figure as f64, loaded.answered);
    let cpu = used.cpu.and_then(|cpu| in_window(cpu.as_micros_f64()));
    // The kernel divides the time by mode in hundredths of a second: the exact time is the CPU clock's.
    let user = used.spent.filter(|spent| spent.cpu() > Nanos(0));
    let user = user.map(|spent| spent.user.0 as f64 / spent.cpu().0 as f64);
    // Threads take their counts along when they end: a sum that went down says nothing.
    let grown = |of: fn(&Switches) -> Option<u64>| {
        let (after, before) = switches.as_ref()?;
        of(after)?.checked_sub(of(before)?)
    };
    let voluntary = grown(|switches| Some(switches.voluntary));
    let involuntary = grown(|switches| Some(switches.involuntary));
    let run_queue = grown(|switches| switches.run_queue.map(|delay| delay.0));
    record::ServerUsage {
        cpu_us_per_request: cpu,
        user_us_per_request: cpu.zip(user).map(|(cpu, user)| cpu * user),
        system_us_per_request: cpu.zip(user).map(|(cpu, user)| cpu * (1.0 - user)),
        faults_minor_per_request: used.spent.and_then(|it| in_window(it.minor_faults as f64)),
        faults_major_per_request: used.spent.and_then(|it| in_window(it.major_faults as f64)),
        run_queue_us_per_request: run_queue.and_then(in_all).map(|ns| ns / 1_000.0),
        switches_voluntary_per_request: voluntary.and_then(in_all),
        switches_involuntary_per_request: involuntary.and_then(in_all),
        cpu_share: used.cpu_share(cores),
        rss_peak_bytes: loaded.sampled.rss_peak_bytes,
        context_switches_voluntary: voluntary,
        context_switches_involuntary: involuntary,
        migrations: grown(|switches| switches.migrations),
        threads_max: used.threads,
        cpu_us_per_request_halves: per_request(outcome, loaded.sampled.halves),
        rss_windows_bytes: memory.resident.clone(),
        memory_peak_bytes: memory.peak,
        memory_kind: memory.kind,
    }
}

/// A figure of one answer; nothing where there was none.
fn over(figure: f64, answered: u64) -> Option<f64> {
    (answered > 0).then(|| figure / answered as f64)
}

/// The rules of the method, and what a contender did to itself.
fn judged(
    prepared: &PreparedTrial<'_>,
    plan: &Plan,
    loaded: &Loaded,
    dependency_share: Option<f64>,
    audit: &Audit,
    crash: Option<&Error>,
) -> Judged {
    let Loaded { outcome, sampled, elsewhere, .. } = loaded;
    let Sampled { used, pool, shares: (steal_share, throttled_share), .. } = sampled;
    let shared = prepared.placement.mode == PlacementMode::Shared;
    let mut judged = validity::judge(&Evidence {
        contender_share: used.cpu_share(prepared.placement.contender.len()),
        dependency_share,
        pool_share: pool.as_ref().map(|pool| pool.busy_share),
        pool_wait: pool.as_ref().map(|pool| &pool.waits),
        steal_share: *steal_share,
        throttled_share: *throttled_share,
        hiccups: Some(prepared.hiccups),
        shared_cores: shared.then(|| thread::available_parallelism().map_or(1, usize::from)),
        headline: headline(prepared.spec.scenario),
        error_bound: error_bound(prepared.spec.scenario),
        in_steps: prepared
            .spec
            .scenario
            .load
            .steps
            .last()
            .map(|step| step.times)
            .or(prepared.spec.scenario.load.traffic.as_ref().map(|_| 1.0))
            .filter(|_| prepared.spec.rate.is_some()),
        lag_limit: Some(validity::lag_limit(prepared.spec.scenario)),
        ..Evidence::of(outcome, prepared.spec.rate.is_some())
    });
    prepared.warming.doubt.iter().for_each(|doubt| judged.doubt(doubt.clone()));
    if let Some((hosts, parts)) = elsewhere {
        let open = prepared.spec.rate.is_some();
        let limit = validity::lag_limit(prepared.spec.scenario);
        let contender_share = used.cpu_share(prepared.placement.contender.len());
        for (host, part) in hosts.generators.iter().zip(parts) {
            let part = Evidence::of(part, open);
            judged.judge_part(host, &Evidence { lag_limit: Some(limit), contender_share, ..part });
        }
        cluster::start_error(plan, hosts).into_iter().for_each(|doubt| judged.doubt(doubt));
    }
    // A contender that breaks down or cheats has lost; that is no reason to run the round again.
    if let Some(error) = crash {
        judged.lose(LostBy::Crash, error.message().to_owned());
        error.contender_wrote().unwrap_or_default().clone_into(&mut judged.validity.wrote);
    }
    let unbalanced = audit.reasons.iter().filter(|_| audit.verdict == AuditVerdict::Unbalanced);
    let unbalanced = unbalanced.map(|reason| format!("/audit does not balance: {reason}"));
    for reason in unbalanced.chain(wrong_answers(outcome)) {
        judged.lose(LostBy::Wrong, reason);
    }
    if let Some(reason) = idle(outcome) {
        judged.lose(LostBy::Idle, reason);
    }
    // Failures of a round that the generator invalidated may be the generator's.
    let failing = failing(outcome, error_bound(prepared.spec.scenario));
    if let Some(reason) = failing.filter(|_| !judged.validity.voids_round) {
        judged.lose(LostBy::Errors, reason);
    }
    judged
}

/// More failures than the error bound allows.
fn failing(outcome: &Outcome, bound: Share) -> Option<String> {
    let errors = figures::errors(outcome);
    let (failed, requests) = (errors.values().sum(), outcome.requests());
    over_the_error_bound(failed, requests, bound.0).then(|| {
        let kinds = counts(&errors, &figures::statuses(outcome));
        let [failed, requests] = [failed, requests].map(|n| grouped(n as f64));
        format!("{failed} of {requests} requests failed, more than the bound of {bound}: {kinds}")
    })
}

/// Answers that the rules of the service do not allow. One is one too many.
fn wrong_answers(outcome: &Outcome) -> Option<String> {
    let wrong = |kind: &outcome::Kind| {
        kind.errors.get(RequestError::WrongAnswer.name()).copied().unwrap_or(0)
    };
    let count: u64 = outcome.kinds.iter().map(wrong).sum();
    (count > 0).then(|| {
        let [count, all] = [count, outcome.offered].map(|n| grouped(n as f64));
        format!("{count} of {all} requests were answered wrongly")
    })
}

/// A contender that did nothing of what it was asked: what a request costs it is without end.
fn idle(outcome: &Outcome) -> Option<String> {
    // An answer that takes longer than the window comes after it.
    let answered = outcome.kinds.iter().any(|kind| !kind.service.is_empty());
    (outcome.offered > 0 && !answered).then(|| "no correct response".into())
}

fn headline(scenario: &Scenario) -> &'static str {
    let mut metrics = scenario.expectations.iter().map(|statement| statement.metric);
    let own = || scenario.headline.and_then(Metric::percentile);
    metrics.find_map(Metric::percentile).or_else(own).unwrap_or("p99")
}

/// How soon books that do not balance are read again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What `judged` says of the books. Requests that the load left unfinished may still be worked on, and books that are read
/// in the middle of one do not balance: then they are read again, for `within` at most or until `stop`.
fn at_rest(
    tally: &Tally,
    within: Duration,
    stop: &AtomicBool,
    mut judged: impl FnMut() -> Audit,
) -> Audit {
    let unknown = tally.payments_unknown + tally.distributions_unknown + tally.webhooks_unknown;
    let deadline = Instant::now() + within;
    loop {
        let audit = judged();
        let over = Instant::now() >= deadline || stop.load(Ordering::Relaxed);
        if audit.verdict != AuditVerdict::Unbalanced || unknown == 0 || over {
            return audit;
        }
        thread::sleep(AGAIN_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_thinks_where_a_ceiling_is_looked_for() {
        let scenario = crate::scenario::builtin("checkout-session").unwrap();
        let thinking = |thinks: bool| match sent(&scenario.mix[0].0, 7, thinks) {
            Operation::Session(session) => session.thinking(),
            other => panic!("{other:?}"),
        };
        assert_eq!(thinking(false), Nanos(0));
        assert!(thinking(true) > Nanos(0));
    }

    #[test]
    fn a_setup_that_is_refused_is_answered_wrongly_and_one_without_an_answer_is_not() {
        let failed = |error: RequestError| {
            Error::invalid(format!("{} at login", setup_failed(error.name())))
        };
        for (error, by) in [
            (failed(RequestError::BadStatus), LostBy::Wrong),
            (failed(RequestError::WrongAnswer), LostBy::Wrong),
            (failed(RequestError::Timeout), LostBy::Idle),
            (Error::invalid("the contender crashed: exit status 1"), LostBy::Crash),
        ] {
            assert_eq!(broken_off_by(&error), by, "{}", error.message());
        }
    }

    #[test]
    fn a_trial_without_a_right_answer_is_lost() {
        let mut outcome = validity::tests::outcome(0);
        assert_eq!(idle(&outcome), None);
        // Answers that take longer than the window come after it, and are answers.
        outcome.answered_in_window = 0;
        assert_eq!(idle(&outcome), None);
        let kind = &mut outcome.kinds[0];
        kind.errors.insert("bad_status", kind.requests);
        kind.service.reset();
        assert_eq!(idle(&outcome).as_deref(), Some("no correct response"));
        outcome.offered = 0;
        assert_eq!(idle(&outcome), None, "it was asked nothing");
    }

    #[test]
    fn a_trial_with_more_failures_than_the_bound_is_lost() {
        let mut outcome = validity::tests::outcome(0);
        let mut failed = |n: u64| {
            outcome.kinds[0].errors.insert("bad_status", n);
            failing(&outcome, Share(0.01))
        };
        assert_eq!(failed(24), None, "1 % of 2,000, and four more");
        let said = "25 of 2,000 requests failed, more than the bound of 1%: 25 bad_status";
        assert_eq!(failed(25).as_deref(), Some(said));
    }

    #[test]
    fn books_are_read_again_while_an_unfinished_request_may_be_worked_on() {
        let read = |unknown: u64, whole_after: u32, within: u64| {
            let tally = Tally { distributions_unknown: unknown, ..Tally::default() };
            let (mut times, within) = (0, Duration::from_millis(within));
            let audit = at_rest(&tally, within, &AtomicBool::new(false), || {
                times += 1;
                let verdict = if times > whole_after {
                    AuditVerdict::Balanced
                } else {
                    AuditVerdict::Unbalanced
                };
                Audit { verdict, reasons: Vec::new() }
            });
            (audit.verdict, times)
        };
        assert_eq!(read(1, 2, 60_000), (AuditVerdict::Balanced, 3));
        assert_eq!(read(0, 2, 60_000), (AuditVerdict::Unbalanced, 1), "everything was answered");
        assert_eq!(read(1, u32::MAX, 60).0, AuditVerdict::Unbalanced, "it never balances");
    }
}
