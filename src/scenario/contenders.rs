//! The part of a file that names the servers under test.

use super::convert::{cpu_time, name, no_signature, whole};
use super::diagnostic::Fault;
use super::quantity::At;
use super::raw::{Raw, RawContender};
use super::reading::required;
use super::spelling::RawCpu;
use super::store::POOL_MAX;
use super::{Contender, CpuMode, Store, Workload};
use crate::backend::Gather;
use crate::backend::model::Model;
use crate::backend::pitfall::Pitfall;
use crate::units::Nanos;

/// Threads of one contender.
const THREADS_MAX: u64 = 16_384;
/// Contenders of one scenario: beyond this a table is no longer read.
const CONTENDERS_MAX: usize = 20;

/// The contenders in the file's order.
pub(super) fn contenders(
    raw: &Raw,
    workload: Workload,
    store: &Store,
    connections: usize,
) -> Result<Vec<Contender>, Fault> {
    if raw.contender.is_empty() {
        return Err(required(
            "contender",
            "a scenario needs one",
            "[contender.event-loop] and below it model = \"event-loop\"",
        ));
    }
    if let Some((name, _)) = raw.contender.get(CONTENDERS_MAX) {
        let title = format!("a scenario has at most {CONTENDERS_MAX} contenders");
        return Err(Fault::new(&name.span, title, "one too many"));
    }
    let contender = |(name, raw)| contender(name, raw, workload, store, connections);
    raw.contender.iter().map(|(name, raw)| (name, raw)).map(contender).collect()
}

fn contender(
    key: &At<String>,
    raw: &RawContender,
    workload: Workload,
    store: &Store,
    connections: usize,
) -> Result<Contender, Fault> {
    let model = Model::from(raw.model.value);
    Ok(Contender {
        name: name(key, "contender's name")?,
        model,
        threads: threads(raw, model, connections)?,
        cpu: cpu(raw, model)?,
        request_cpu: request_cpu(raw, model, workload)?,
        pool: pool(raw, store)?,
        fan_out: fan_out(raw, model)?,
        pitfalls: pitfalls(raw, model, store)?,
    })
}

fn pool(raw: &RawContender, store: &Store) -> Result<Option<usize>, Fault> {
    match &raw.pool {
        None => Ok(None),
        Some(at) if *store == Store::Memory => {
            Err(Fault::new(&at.span, "there is nothing to have connections to", "not in memory")
                .help("write [store.standin] or [store.postgres], or remove `pool`"))
        }
        at => Ok(Some(whole(at.as_ref(), "pool", 1, 1..=POOL_MAX)? as usize)),
    }
}

fn fan_out(raw: &RawContender, model: Model) -> Result<Gather, Fault> {
    match &raw.fan_out {
        None => Ok(Gather::AtOnce),
        Some(at) if model.is_async() || model == Model::Null => {
            Err(has_no(model, "fan_out", &at.span).help("an event loop joins futures"))
        }
        Some(at) => Ok(at.value.into()),
    }
}

fn pitfalls(raw: &RawContender, model: Model, store: &Store) -> Result<Vec<Pitfall>, Fault> {
    let mut pitfalls = Vec::new();
    for at in &raw.pitfalls {
        let pitfall = Pitfall::from(at.value);
        if !pitfall.is_of(model) {
            let title = format!("`{model}` cannot make the mistake `{pitfall}`");
            return Err(Fault::new(&at.span, title, "not of this model"));
        }
        if pitfall.needs_a_dependency() && *store == Store::Memory {
            let title = format!("`{pitfall}` is a mistake only where there is a dependency");
            return Err(Fault::new(&at.span, title, "nothing waits here")
                .help("write [store.standin] or [store.postgres]"));
        }
        if !pitfalls.contains(&pitfall) {
            pitfalls.push(pitfall);
        }
    }
    Ok(pitfalls)
}

fn threads(raw: &RawContender, model: Model, connections: usize) -> Result<Option<usize>, Fault> {
    let Some(at) = &raw.threads else { return Ok(None) };
    if matches!(model, Model::EventLoop | Model::Null) {
        let fault = has_no(model, "threads", &at.span);
        return Err(match model {
            Model::EventLoop => fault.help(
                "it is one thread by definition; `work-stealing` is the same on several threads",
            ),
            _ => fault,
        });
    }
    let threads = whole(Some(at), "threads", 1, 1..=THREADS_MAX)? as usize;
    if model == Model::ThreadPerConnection && threads < connections {
        let title = format!("{threads} threads cannot hold {connections} connections");
        return Err(Fault::new(&at.span, title, "each connection has a thread").help(format!(
            "write threads = {connections} or more, or fewer `connections`, or use `thread-pool`"
        )));
    }
    Ok(Some(threads))
}

fn cpu(raw: &RawContender, model: Model) -> Result<CpuMode, Fault> {
    match &raw.cpu {
        Some(at) if model == Model::Null => Err(has_no(model, "cpu", &at.span)),
        Some(at) => Ok(at.value.into()),
        None => Ok(RawCpu::Auto.into()),
    }
}

fn request_cpu(
    raw: &RawContender,
    model: Model,
    workload: Workload,
) -> Result<Option<Nanos>, Fault> {
    match &raw.request_cpu {
        None => Ok(None),
        Some(at) if model == Model::Null => Err(has_no(model, "request_cpu", &at.span)),
        Some(at) if workload == Workload::Loyalty => Err(no_signature(&at.span)),
        Some(at) => cpu_time(at, "request_cpu").map(Some),
    }
}

fn has_no(model: Model, key: &str, span: &std::ops::Range<usize>) -> Fault {
    Fault::new(span, format!("`{model}` has no `{key}`"), format!("not of `{model}`"))
}
