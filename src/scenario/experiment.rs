//! The part of a file that says what is done with the contenders: `experiment`.

use super::contender::Contender;
use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use super::raw::{Raw, RawCapacity, RawFootprint, RawMap, RawSize};
use super::statements::bytes;
use super::{Slo, Store, Workload};
use crate::scenario::field::{cpu_time, whole};
use crate::units::Nanos;
use crate::words::words;

/// What a scenario does, beside comparing at its levels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiments {
    /// So many of the levels are of `compare`. The rest are of `curve`, in another order in each round.
    pub compared: usize,
    /// The search for each contender's capacity within the SLO.
    pub capacity: Option<CapacitySearch>,
    /// Two models against each other, cell by cell.
    pub map: Option<MapPlan>,
    /// Starts, idle memory and sizes of the contenders.
    pub footprint: Option<Footprint>,
    /// The most memory with which a size of a sweep may stand for its contender, bytes.
    pub memory_max_bytes: Option<u64>,
}

/// What contenders are beside their load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Starts of each contender that are measured.
    pub starts: u32,
}

/// The search for the highest rate that is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapacitySearch {
    /// The window of the trials that find where to look.
    pub short: Nanos,
    /// The window of the trials that decide; `None` takes the load's.
    pub deciding: Option<Nanos>,
}

/// A map over the CPU time and the wait of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct MapPlan {
    /// The rows, ascending, at least one.
    pub cpus: Vec<Nanos>,
    /// The columns, ascending, at least one. Nought is state in memory.
    pub waits: Vec<Nanos>,
    /// A built-in contender of the scenario.
    pub of: String,
    /// Another one.
    pub versus: String,
    /// Each has in each cell the best of three sizes.
    pub best: bool,
    /// CPU time and wait of the reader's own service.
    pub mine: Option<(Nanos, Nanos)>,
    /// What is compared.
    pub metric: MapMetric,
    /// Paired rounds of a cell.
    pub rounds: u32,
}

words! {
    "metric of a map"
    /// What a map compares.
    pub enum MapMetric {
        /// Requests per second in closed loop, at enough connections.
        Capacity = "capacity",
        /// CPU time of a request, in the same trials.
        CpuPerRequest = "cpu_per_request",
    }
}

/// A short trial, where the file does not say.
const SHORT: Nanos = Nanos::SECOND;
/// Windows of a search.
const WINDOWS: std::ops::RangeInclusive<Nanos> = Nanos(200_000_000)..=Nanos(60_000_000_000);
/// Rows or columns of a map: beyond this nobody reads it.
const SIDE_MAX: usize = 12;
/// A request that waits for longer is no request.
const WAIT_MAX: Nanos = Nanos(2_000_000_000);
/// Starts of a footprint, where the file does not say.
const STARTS: u64 = 10;
/// The fewest starts that have an interval.
const STARTS_MIN: u64 = 6;
/// With fewer, a single cell of 25 could not be told from chance.
const MAP_ROUNDS: u64 = 10;

impl MapPlan {
    /// About how long a cell takes: the blocks of its rounds, and of the search for the best sizes.
    pub fn cell_estimate(&self) -> Nanos {
        let sizes = if self.best { SIZES } else { 0 };
        Nanos(BLOCK.0 * u64::from(2 * self.rounds + sizes))
    }
}

/// One block of a cell, with its start and its end: as seen.
const BLOCK: Nanos = Nanos(1_300 * Nanos::MILLI.0);
/// Sizes that are tried in a cell when one of its models has sizes.
const SIZES: u32 = 3;

/// The experiments of a file; `compared` of its levels are of `compare`.
pub(super) fn experiments(
    raw: &Raw,
    compared: usize,
    contenders: &[Contender],
    workload: Workload,
    slo: Option<&Slo>,
    store: &Store,
) -> Result<Experiments, Diagnostic> {
    let given = raw.experiment.as_ref();
    let capacity = given.and_then(|given| given.capacity.as_ref());
    let map = given.and_then(|given| given.map.as_ref());
    let memory = given.and_then(|given| given.memory.as_ref());
    let alone = given.and_then(|given| given.footprint.as_ref());
    Ok(Experiments {
        compared,
        capacity: capacity.map(|raw| capacity_search(raw, slo)).transpose()?,
        map: map.map(|raw| map_plan(raw, contenders, workload)).transpose()?,
        footprint: alone.map(|raw| footprint(raw, contenders, store)).transpose()?,
        memory_max_bytes: memory.map(|raw| memory_max(raw, contenders)).transpose()?,
    })
}

fn memory_max(raw: &At<String>, contenders: &[Contender]) -> Result<u64, Diagnostic> {
    if contenders.iter().all(|contender| contender.sweep.is_none()) {
        let title = "`memory` chooses among sizes, and no contender has several";
        return Err(Diagnostic::new(&raw.span, title, "among which?")
            .help("write for example threads = [16, 64, 256] into a contender"));
    }
    let refused = |why: String| {
        Diagnostic::new(&raw.span, why, "not a size of memory").help("write for example \"256MiB\"")
    };
    match bytes(&raw.value).map_err(refused)? {
        0.0 => Err(refused("`memory` must be above 0".into())),
        bytes => Ok(bytes as u64),
    }
}

/// Every start is of the server alone, so nothing else may have to be started for it.
fn footprint(
    raw: &At<RawFootprint>,
    contenders: &[Contender],
    store: &Store,
) -> Result<Footprint, Diagnostic> {
    if *store != Store::Memory {
        return Err(Diagnostic::new(
            &raw.span,
            "a footprint is measured without a store",
            "and there is a store",
        )
        .help("write [store.memory]"));
    }
    if let Some(url) = contenders.iter().find(|contender| contender.is_url()) {
        let title = format!("`{}` runs already and cannot be started again", url.name);
        return Err(Diagnostic::new(&raw.span, title, "starts every contender")
            .help("a footprint needs contenders by `model` or `command`"));
    }
    let starts = whole(raw.value.starts.as_ref(), "starts", STARTS, STARTS_MIN..=1_000)?;
    Ok(Footprint { starts: starts as u32 })
}

fn capacity_search(raw: &At<RawCapacity>, slo: Option<&Slo>) -> Result<CapacitySearch, Diagnostic> {
    if slo.is_none() {
        let title = "there is no SLO to keep";
        return Err(Diagnostic::new(&raw.span, title, "needs [slo]")
            .help("write for example: slo = { p99 = \"100ms\" }"));
    }
    let window = |at: &At<Quantity<Nanos>>, key: &str| match WINDOWS.contains(&at.value.0) {
        true => Ok(at.value.0),
        false => {
            let title = format!("`{key}` must be {} to {}", WINDOWS.start(), WINDOWS.end());
            Err(Diagnostic::new(&at.span, title, "out of range"))
        }
    };
    let (short, deciding) = (raw.value.short.as_ref(), raw.value.deciding.as_ref());
    Ok(CapacitySearch {
        short: short.map_or(Ok(SHORT), |at| window(at, "short"))?,
        deciding: deciding.map(|at| window(at, "deciding")).transpose()?,
    })
}

fn map_plan(
    raw: &At<RawMap>,
    contenders: &[Contender],
    workload: Workload,
) -> Result<MapPlan, Diagnostic> {
    if workload != Workload::Payment {
        let title =
            format!("a map turns the CPU time of a payment, and this is {}", workload.name());
        return Err(Diagnostic::new(&raw.span, title, "only of payments")
            .help("write workload = \"payment\""));
    }
    let raw = &raw.value;
    let (of, versus) = (model(&raw.of, contenders)?, model(&raw.versus, contenders)?);
    if of == versus {
        let title = format!("`{of}` is compared with itself");
        return Err(Diagnostic::new(&raw.versus.span, title, "the same as `of`"));
    }
    Ok(MapPlan {
        cpus: axis(&raw.cpu, "cpu", |at| cpu_time(at, "cpu"))?,
        waits: axis(&raw.wait, "wait", wait)?,
        of,
        versus,
        best: raw.size.unwrap_or(RawSize::Best) == RawSize::Best,
        mine: raw.mine.as_ref().map(|mine| (mine.cpu.0, mine.wait.0)),
        metric: raw.metric.unwrap_or(MapMetric::Capacity),
        rounds: whole(raw.rounds.as_ref(), "rounds", MAP_ROUNDS, 1..=100)? as u32,
    })
}

/// A built-in contender: what another waits for and computes cannot be turned.
fn model(at: &At<String>, contenders: &[Contender]) -> Result<String, Diagnostic> {
    match contenders.iter().find(|one| one.name == at.value) {
        Some(contender) if contender.built_in().is_some() => Ok(at.value.clone()),
        Some(_) => {
            let title = format!("`{}` is not a built-in model", at.value);
            Err(Diagnostic::new(&at.span, title, "its CPU time and wait cannot be set"))
        }
        None => {
            let title = format!("there is no contender `{}`", at.value.escape_debug());
            let names = contenders.iter().map(|one| one.name.as_str());
            Err(Diagnostic::new(&at.span, title, "not known").suggest(&at.value, names))
        }
    }
}

fn wait(at: &At<Quantity<Nanos>>) -> Result<Nanos, Diagnostic> {
    match at.value.0 {
        wait if wait <= WAIT_MAX => Ok(wait),
        _ => {
            let title = format!("`wait` must be at most {WAIT_MAX}");
            Err(Diagnostic::new(&at.span, title, "too long"))
        }
    }
}

/// An axis: some places, each higher than the one before.
fn axis(
    raw: &At<Vec<At<Quantity<Nanos>>>>,
    key: &str,
    read: impl Fn(&At<Quantity<Nanos>>) -> Result<Nanos, Diagnostic>,
) -> Result<Vec<Nanos>, Diagnostic> {
    if raw.value.is_empty() || raw.value.len() > SIDE_MAX {
        let title = format!("`{key}` of a map must have 1 to {SIDE_MAX} values");
        return Err(Diagnostic::new(&raw.span, title, format!("{} values", raw.value.len())));
    }
    let mut places: Vec<Nanos> = Vec::new();
    for at in &raw.value {
        let place = read(at)?;
        if places.last().is_some_and(|last| *last >= place) {
            let title = format!("`{key}` of a map must increase");
            return Err(Diagnostic::new(&at.span, title, "not above the one before"));
        }
        places.push(place);
    }
    Ok(places)
}
