//! [`Raw`] to [`Scenario`]: what the types cannot say is checked here, and what is left out is filled in.

use crate::scenario::field::{cpu_time, name, no_signature, sentence, whole};
use std::path::Path;

use super::contenders::contenders;
use super::data::tables;
use super::diagnostic::Diagnostic;
use super::experiment::experiments;
use super::hosts::hosts;
use super::loading::{load, objective, placement, rates};
use super::quantity::At;
use super::raw::Raw;
use super::sent::{Routes, host, routes};
use super::sessions::setup;
use super::statements::{Known, headline, statements};
use super::store::store;
use super::{LoadKind, Scenario, Workload, gate};
use crate::load::plan::{Fields, Operation};
use crate::scenario::contender::{Around, Programs};
use crate::units::{Nanos, grouped};

/// The version of the format that is read.
const SCHEMA: u64 = 1;
/// A run of more rounds than this is a run of several days.
pub(super) const ROUNDS_MAX: u32 = 1_000;
/// Of the interval behind a statement, unless many are judged side by side.
const CONFIDENCE: f64 = 0.95;
/// The signature of a payment, where the file leaves it out.
const CPU_DEFAULT: Nanos = Nanos(40 * Nanos::MICRO.0);

/// The scenario that `raw`, a file in `folder`, describes.
pub(super) fn scenario(
    raw: &Raw,
    folder: &Path,
    programs: Programs,
) -> Result<Scenario, Diagnostic> {
    version(&raw.schema)?;
    let name = name(&raw.name, "name")?;
    let store = store(raw.store.as_ref())?;
    let workload = raw.workload.value;
    let rounds = whole(raw.rounds.as_ref(), "rounds", 10, 1..=u64::from(ROUNDS_MAX))?;
    let load = load(raw.load.as_ref(), folder)?;
    let connections = load.connections;
    let tables = tables(raw, folder)?;
    let fields = Fields { tables: &tables, ..Fields::default() };
    let around =
        Around { workload, store: &store, connections, fields, host: host(raw), folder, programs };
    let (setup, captured) = setup(raw, around)?;
    let around = Around { fields: Fields { setup: &captured, ..fields }, ..around };
    let Routes { mix, own } = routes(raw, around)?;
    let (rates, compared) = rates(raw, &load, own)?;
    let contenders = contenders(raw, around)?;
    let slo = raw.slo.as_ref().map(|slo| objective(slo, &load)).transpose()?;
    let experiments = experiments(raw, compared, &contenders, workload, slo.as_ref(), &store)?;
    let gate_around = gate::Around { contenders: &contenders, mix: &mix, kind: load.kind };
    let gate = raw.gate.as_ref().map(|at| gate::gate(at, &gate_around)).transpose()?;
    let known = Known {
        contenders: &contenders,
        rates: &rates,
        mix: &mix,
        kind: load.kind,
        store: &store,
        slo: slo.as_ref(),
        footprint: experiments.footprint.is_some(),
        steps: &load.steps,
    };
    let headline = headline(raw.headline.as_ref(), &known)?;
    let expectations = statements(&raw.expect, &known)?;
    let claims = statements(&raw.claim, &known)?;
    let mut scenario = Scenario {
        name,
        title: sentence(&raw.title, "title")?,
        seed: whole(raw.seed.as_ref(), "seed", 42, 0..=i64::MAX as u64)?,
        rounds: rounds as u32,
        self_check: raw.self_check.as_ref().is_some_and(|at| at.value),
        workload,
        store,
        mix,
        setup,
        rates,
        experiments,
        request_cpu: request_cpu(raw, workload)?,
        contenders,
        placement: placement(raw.placement.as_ref())?,
        hosts: hosts(&raw.host, raw.placement.as_ref(), (raw.hosts, raw.pods.as_ref()))?,
        load,
        slo,
        baseline_p99: None,
        headline,
        confidence: CONFIDENCE,
        refutes_at: CONFIDENCE,
        gate,
        expectations,
        claims,
        smoke: false,
        notes: Vec::new(),
    };
    scenario.load.requests_min = scenario.requests_needed();
    as_a_whole(raw, &scenario)?;
    Ok(scenario)
}

/// What no part of a file shows alone.
fn as_a_whole(raw: &Raw, scenario: &Scenario) -> Result<(), Diagnostic> {
    if let (Some(slo), Some(raw)) = (&scenario.slo, &raw.slo) {
        let floor = scenario.floor();
        if slo.p99 < floor {
            let title = format!("no model can meet a p99 of {}", slo.p99);
            return Err(Diagnostic::new(&raw.p99.span, title, "below the floor").help(format!(
                "the floor is {floor}: {}; promise more than that",
                scenario.floor_text()
            )));
        }
    }
    if let (Some(needed), Some(slo)) = (scenario.connections_needed(), &raw.slo) {
        let given = raw.load.as_ref().and_then(|load| load.common().connections);
        let (span, now) = (given.map_or(&slo.p99.span, |at| &at.span), scenario.load.connections);
        let title = format!("{now} connections cannot carry this load within the SLO");
        return Err(Diagnostic::new(span, title, "too few connections").help(format!(
            "write connections = {needed} or more: twice the top rate times the SLO's p99"
        )));
    }
    if let Some((place, window)) = scenario.window_too_long() {
        let level = scenario.rates[place];
        let both = [raw.rates(), raw.curve()];
        let mut given = both.into_iter().flatten().flat_map(|rates| &rates.value);
        let routes = raw.route.iter().map(|route| &route.span);
        let mut sent = routes.chain(raw.session.iter().map(|session| &session.span));
        let span = given.nth(place).map(|level| &level.span).or_else(|| sent.next());
        let span = span.expect("a level is the experiment's or that of what is sent");
        let title =
            format!("at {level} a window would last {:.0} minutes", window.as_secs_f64() / 60.0);
        return Err(Diagnostic::new(span, title, "too low a rate").help(format!(
            "a percentile needs {} requests here; raise the rate",
            grouped(scenario.load.requests_min as f64)
        )));
    }
    thinks_too_long(raw, scenario)?;
    match &raw.self_check {
        Some(at) if at.value && scenario.expectations.is_empty() => {
            let title = "a canary needs an expectation that must fail";
            Err(Diagnostic::new(&at.span, title, "this makes it a canary")
                .help("write [[expect]] and below it text, metric, of, versus and within"))
        }
        _ => Ok(()),
    }
}

/// A closed window that is shorter than the thinking in a session sees a part of its users.
fn thinks_too_long(raw: &Raw, scenario: &Scenario) -> Result<(), Diagnostic> {
    let window = scenario.load.duration;
    let longer = |(operation, _): &&(Operation, u32)| match operation {
        Operation::Session(session) => session.thinking() > window,
        _ => false,
    };
    let mut sessions = scenario.mix.iter().filter(|_| scenario.load.kind == LoadKind::Closed);
    let Some((operation, _)) = sessions.find(longer) else { return Ok(()) };
    let at = raw.session.iter().find(|one| one.value.name.value == operation.name());
    let span = &at.expect("it is of the file").value.name.span;
    let title = format!("a window of {window} is shorter than the think times of a session");
    Err(Diagnostic::new(span, title, "its think times are longer")
        .help("write a longer duration into [load.closed], several times the think times together"))
}

fn version(schema: &At<u64>) -> Result<(), Diagnostic> {
    if schema.value == SCHEMA {
        return Ok(());
    }
    let title = format!("this file has format version {}", schema.value);
    Err(Diagnostic::new(&schema.span, title, "not known")
        .help(format!("this version of bakeoff reads schema = {SCHEMA}")))
}

fn request_cpu(raw: &Raw, workload: Workload) -> Result<Nanos, Diagnostic> {
    let given = raw.request.as_ref().and_then(|request| request.cpu.as_ref());
    match (given, workload) {
        (None, Workload::Payment) => Ok(CPU_DEFAULT),
        (None, Workload::Loyalty | Workload::Http) => Ok(Nanos(0)),
        (Some(cpu), Workload::Payment) => cpu_time(cpu, "cpu"),
        (Some(cpu), Workload::Loyalty | Workload::Http) => Err(no_signature(workload, &cpu.span)),
    }
}
