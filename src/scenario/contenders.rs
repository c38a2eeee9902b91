//! The part of a file that names the servers under test.

use super::contender::{BuiltIn, Contender, Kind};
use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::{Raw, RawContender};
use super::reading::required;
use super::store::{POOL_MAX, Store};
use super::{CpuMode, Workload, foreign};
use crate::backend::Gather;
use crate::backend::model::{Library, Model, Pitfall};
use crate::scenario::contender::Around;
use crate::scenario::field::{cpu_time, name, no_signature, sentence, whole};
use crate::scenario::quantity::Counts;
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
        for size in sizes(&raw.value)? {
            let contender = contender(key, raw, &size, around)?;
            if contenders.iter().any(|other| other.name == contender.name) {
                let title = format!("two contenders are named `{}`", contender.name);
                return Err(Diagnostic::new(&key.span, title, "a second one")
                    .help("each size of a list is a contender, named with its size"));
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
        let title = "several processes cannot share state in memory";
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

/// Sizes of one key: beyond this a sweep is a curve of its own.
pub(super) const SIZES_MAX: usize = 8;

/// What a contender is given at one size.
#[derive(Clone, Debug)]
pub(super) struct Size {
    pub(super) threads: Option<At<u64>>,
    pub(super) pool: Option<At<u64>>,
    /// What it adds to the contender's name: `-64`, `-pool-16`; empty where nothing is swept.
    pub(super) suffix: String,
}

/// The sizes of a contender, in the file's order; one where nothing is swept.
pub(super) fn sizes(raw: &RawContender) -> Result<Vec<Size>, Diagnostic> {
    let (threads, pools) = (counts(raw.threads.as_ref())?, counts(raw.pool.as_ref())?);
    let mut sizes = Vec::new();
    for (threads, of_threads) in &threads {
        for (pool, of_pool) in &pools {
            let mut suffix = of_threads.map_or_else(String::new, |count| format!("-{count}"));
            suffix += &of_pool.map_or_else(String::new, |count| format!("-pool-{count}"));
            sizes.push(Size { threads: threads.clone(), pool: pool.clone(), suffix });
        }
    }
    Ok(sizes)
}

/// A count of a key with its place, and once more where it is swept.
type Swept = (Option<At<u64>>, Option<u64>);

/// The counts of a key; a single nothing where it is not given.
fn counts(at: Option<&At<Counts>>) -> Result<Vec<Swept>, Diagnostic> {
    let Some(at) = at else { return Ok(vec![(None, None)]) };
    let count = |value: u64| Some(At { span: at.span.clone(), value });
    let several = match &at.value {
        Counts::One(value) => return Ok(vec![(count(*value), None)]),
        Counts::Several(several) => several,
    };
    if several.len() < 2 || several.len() > SIZES_MAX {
        let title = format!("a list has 2 to {SIZES_MAX} sizes");
        let label = match several.len() {
            1 => "1 size".to_owned(),
            n => format!("{n} sizes"),
        };
        return Err(Diagnostic::new(&at.span, title, label).help("write one size without brackets"));
    }
    if several.windows(2).any(|two| two[0] >= two[1]) {
        return Err(Diagnostic::new(&at.span, "sizes must increase", "not above the one before"));
    }
    Ok(several.iter().map(|value| (count(*value), Some(*value))).collect())
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    fn file(contender: &str) -> String {
        format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"payment\"\n\
             experiment = {{ compare = {{ rates = [\"500/s\"] }} }}\nstore.standin = {{}}\n\
             [contender.event-loop]\nmodel = \"event-loop\"\n{contender}"
        )
    }

    fn refused(contender: &str) -> String {
        parse("a.toml", &file(contender)).unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_a_contender_of_each_size() {
        let pool =
            "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 64]\npool = [16, 32]\n";
        let scenario = parse("a.toml", &file(pool)).unwrap();
        let names: Vec<&str> = scenario.contenders.iter().map(|one| one.name.as_str()).collect();
        let sizes = ["pool-8-pool-16", "pool-8-pool-32", "pool-64-pool-16", "pool-64-pool-32"];
        assert_eq!(names, [&["event-loop"][..], &sizes[..]].concat());
        let last = &scenario.contenders[4];
        let built_in = last.built_in().unwrap();
        assert_eq!((built_in.threads, built_in.pool), (Some(64), Some(32)));
        assert_eq!(last.sweep.as_deref(), Some("pool"));
        assert_eq!(scenario.contenders[0].sweep, None);
    }

    #[test]
    fn a_sweep_that_is_none_is_refused() {
        let threads = |list: &str| {
            refused(&format!("[contender.pool]\nmodel = \"thread-pool\"\nthreads = {list}\n"))
        };
        assert!(threads("[]").contains("2 to 8 sizes"));
        assert!(threads("[8]").contains("write one size without brackets"));
        assert!(threads("[8, 8]").contains("must increase"));
        assert!(threads("[0, 8]").contains("none at all"));
        assert!(threads("\"8\"").contains("or several in brackets"), "{}", threads("\"8\""));
        assert!(threads("-1").contains("or several in brackets"));
        let twice = "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 9]\n\
                     [contender.pool-9]\nmodel = \"thread-pool\"\n";
        assert!(refused(twice).contains("two contenders are named `pool-9`"), "{}", refused(twice));
    }

    #[test]
    fn memory_bounds_the_sizes_of_a_sweep_and_nothing_else() {
        let with = |memory: &str, threads: &str| {
            let text =
                file(&format!("[contender.pool]\nmodel = \"thread-pool\"\nthreads = {threads}\n"));
            let rates = "compare = { rates = [\"500/s\"] }";
            parse("a.toml", &text.replace(rates, &format!("{rates}, memory = \"{memory}\"")))
        };
        let bound = with("64MiB", "[8, 64]").unwrap().experiments.memory_max_bytes;
        assert_eq!(bound, Some(64 << 20));
        let refused = |memory, threads| with(memory, threads).unwrap_err().to_string();
        assert!(refused("64MiB", "8").contains("no contender has several"));
        assert!(refused("64", "[8, 64]").contains("no unit"));
        assert!(refused("0MiB", "[8, 64]").contains("above 0"));
    }

    #[test]
    fn a_statement_names_one_size() {
        let claim = "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 64]\n\
                     [[claim]]\ntext = \"x\"\nmetric = \"p99\"\nof = \"pool\"\nat_most = \"1s\"\n";
        let told = refused(claim);
        assert!(told.contains("`pool` has several sizes"), "{told}");
        assert!(told.contains("pool-8 and pool-64"), "{told}");
        assert!(
            parse("a.toml", &file(&claim.replace("of = \"pool\"", "of = \"pool-64\""))).is_ok()
        );
    }
}
