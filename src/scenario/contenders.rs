//! The part of a file that names the servers under test.

use crate::scenario::around::Around;

use super::contender::{BuiltIn, Contender, Kind};
use super::diagnostic::Diagnostic;
use super::foreign;
use super::quantity::At;
use super::raw::{Raw, RawContender};
use super::reading::required;
use super::store::{POOL_MAX, Store};
use super::sweep::{self, Size};
use super::{CpuMode, Workload};
use crate::backend::Gather;
use crate::backend::client::Library;
use crate::backend::model::Model;
use crate::backend::pitfall::Pitfall;
use crate::scenario::field::{cpu_time, name, no_signature, sentence, whole};
use crate::units::Nanos;

/// Threads of one contender.
const THREADS_MAX: u64 = 16_384;
/// Processes of one contender.
const PROCESSES_MAX: u64 = 64;
/// Contenders of one scenario: beyond this a table is no longer read.
const CONTENDERS_MAX: usize = 20;

/// The contenders in the file's order.
pub(super) fn contenders(raw: &Raw, around: Around<'_>) -> Result<Vec<Contender>, Diagnostic> {
    if raw.contender.is_empty() {
        return Err(required(
            "contender",
            "a scenario needs one",
            "[contender.event-loop] and below it model = \"event-loop\"",
        ));
    }
    let mut contenders: Vec<Contender> = Vec::new();
    for (key, raw) in &raw.contender {
        for size in sweep::sizes(&raw.value)? {
            let contender = contender(key, raw, &size, around)?;
            if contenders.iter().any(|other| other.name == contender.name) {
                let title = format!("two contenders are named `{}`", contender.name);
                return Err(Diagnostic::new(&key.span, title, "a second one")
                    .help("a size of a sweep has its contender's name and its size"));
            }
            contenders.push(contender);
        }
        if contenders.len() > CONTENDERS_MAX {
            let title = format!("a scenario has at most {CONTENDERS_MAX} contenders");
            return Err(Diagnostic::new(&key.span, title, "one too many"));
        }
    }
    Ok(contenders)
}

/// One contender, or one size of it.
fn contender(
    key: &At<String>,
    raw: &At<RawContender>,
    size: &Size,
    around: Around<'_>,
) -> Result<Contender, Diagnostic> {
    let value = key.value.clone() + &size.suffix;
    let name = name(&At { span: key.span.clone(), value }, "contender's name")?;
    let sweep = (!size.suffix.is_empty()).then(|| key.value.clone());
    let label = raw.value.label.as_ref().map(|label| sentence(label, "label")).transpose()?;
    let system = raw.value.system.as_ref().map(|system| sentence(system, "system")).transpose()?;
    let kind = match (&raw.value.model, foreign::is_named(&raw.value)) {
        (Some(model), None) => Kind::BuiltIn(built_in(&raw.value, model, size, around)?),
        (None, Some(_)) => foreign::kind(&raw.value, around)?,
        (Some(_), Some((key, span))) => {
            let title = format!("a contender has a model or a {key}, not both");
            return Err(Diagnostic::new(span, title, "and a `model` above or below"));
        }
        (None, None) => {
            let title = format!("`contender.{name}` has no `model`");
            return Err(Diagnostic::new(&raw.span, title, "needs `model`").help(
                "write for example: model = \"event-loop\"; or command = [\"./server\"], or url = \"http://127.0.0.1:8080\"",
            ));
        }
    };
    Ok(Contender { name, sweep, label, system, kind })
}

fn built_in(
    raw: &RawContender,
    model: &At<Model>,
    size: &Size,
    around: Around<'_>,
) -> Result<BuiltIn, Diagnostic> {
    let model = model.value;
    foreign::refuse_setup(raw)?;
    Ok(BuiltIn {
        model,
        threads: threads(size, model, around.connections)?,
        processes: processes(raw, model, around.store)?,
        cpu: cpu(raw, model)?,
        request_cpu: request_cpu(raw, model, around.workload)?,
        pool: pool(size, around.store)?,
        fan_out: fan_out(raw, model)?,
        client: client(raw, model, around.store)?,
        pitfalls: pitfalls(raw, model, around.store)?,
        binary: None,
    })
}

fn processes(raw: &RawContender, model: Model, store: &Store) -> Result<usize, Diagnostic> {
    let Some(at) = &raw.processes else { return Ok(1) };
    if model != Model::EventLoop {
        return Err(has_no(model, "processes", &at.span).help("it has threads; write `threads`"));
    }
    let processes = whole(Some(at), "processes", 1, 1..=PROCESSES_MAX)? as usize;
    if processes > 1 && *store == Store::Memory {
        let title = "several processes cannot keep one set of books in their memory";
        return Err(Diagnostic::new(&at.span, title, "not in memory")
            .help("write [store.standin] or [store.postgres]"));
    }
    Ok(processes)
}

fn pool(size: &Size, store: &Store) -> Result<Option<usize>, Diagnostic> {
    match &size.pool {
        None => Ok(None),
        Some(at) if *store == Store::Memory => Err(Diagnostic::new(
            &at.span,
            "there is nothing to have connections to",
            "not in memory",
        )
        .help("write [store.standin] or [store.postgres], or remove `pool`")),
        at => Ok(Some(whole(at.as_ref(), "pool", 1, 1..=POOL_MAX)? as usize)),
    }
}

fn fan_out(raw: &RawContender, model: Model) -> Result<Gather, Diagnostic> {
    match &raw.fan_out {
        None => Ok(Gather::AtOnce),
        Some(at) if model.is_async() || model == Model::Null => {
            Err(has_no(model, "fan_out", &at.span).help("an event loop joins futures"))
        }
        Some(at) => Ok(at.value),
    }
}

fn client(raw: &RawContender, model: Model, store: &Store) -> Result<Library, Diagnostic> {
    match &raw.client {
        None => Ok(Library::Bakeoff),
        Some(at) if !model.is_async() => {
            Err(has_no(model, "client", &at.span).help("tokio-postgres is for event loops"))
        }
        Some(at) if *store == Store::Memory => {
            Err(Diagnostic::new(&at.span, "there is no database to ask", "not in memory")
                .help("write [store.standin] or [store.postgres], or remove `client`"))
        }
        Some(at) => Ok(at.value),
    }
}

fn pitfalls(raw: &RawContender, model: Model, store: &Store) -> Result<Vec<Pitfall>, Diagnostic> {
    let mut pitfalls = Vec::new();
    for at in &raw.pitfalls {
        let pitfall = at.value;
        if !pitfall.is_of(model) {
            let title = format!("`{model}` cannot make the mistake `{pitfall}`");
            return Err(Diagnostic::new(&at.span, title, "not of this model"));
        }
        if pitfall.needs_a_dependency() && *store == Store::Memory {
            let title = format!("`{pitfall}` is a mistake only where there is a dependency");
            return Err(Diagnostic::new(&at.span, title, "nothing waits here")
                .help("write [store.standin] or [store.postgres]"));
        }
        if !pitfalls.contains(&pitfall) {
            pitfalls.push(pitfall);
        }
    }
    Ok(pitfalls)
}

fn threads(size: &Size, model: Model, connections: usize) -> Result<Option<usize>, Diagnostic> {
    let Some(at) = &size.threads else { return Ok(None) };
    if matches!(model, Model::EventLoop | Model::Null) {
        let diagnostic = has_no(model, "threads", &at.span);
        return Err(match model {
            Model::EventLoop => diagnostic.help(
                "it is one thread by definition; `work-stealing` is the same on several threads",
            ),
            _ => diagnostic,
        });
    }
    let threads = whole(Some(at), "threads", 1, 1..=THREADS_MAX)? as usize;
    if model == Model::ThreadPerConnection && threads < connections {
        let title = format!("{threads} threads cannot hold {connections} connections");
        return Err(Diagnostic::new(&at.span, title, "each connection has a thread").help(format!(
            "write threads = {connections} or more, or fewer `connections`, or use `thread-pool`"
        )));
    }
    Ok(Some(threads))
}

fn cpu(raw: &RawContender, model: Model) -> Result<CpuMode, Diagnostic> {
    match &raw.cpu {
        Some(at) if model == Model::Null => Err(has_no(model, "cpu", &at.span)),
        Some(at) => Ok(at.value),
        None => Ok(CpuMode::Auto),
    }
}

fn request_cpu(
    raw: &RawContender,
    model: Model,
    workload: Workload,
) -> Result<Option<Nanos>, Diagnostic> {
    match &raw.request_cpu {
        None => Ok(None),
        Some(at) if model == Model::Null => Err(has_no(model, "request_cpu", &at.span)),
        Some(at) if workload != Workload::Payment => Err(no_signature(workload, &at.span)),
        Some(at) => cpu_time(at, "request_cpu").map(Some),
    }
}

fn has_no(model: Model, key: &str, span: &std::ops::Range<usize>) -> Diagnostic {
    Diagnostic::new(span, format!("`{model}` has no `{key}`"), format!("not of `{model}`"))
}
