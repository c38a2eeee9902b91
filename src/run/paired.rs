//! Two contenders in closed loop at one CPU time and one wait, in paired rounds: a cell of the map, a neighbour of
//! `decide`; and the map of such cells. It begins with the reader's own cell, so that whatever time there was went where it
//! tells most.
//!
//! What is compared are closed ceilings, with so many connections that the contender's cores are what binds.

use std::fmt;
use std::time::Instant;

use crate::backend::model::Model;
use crate::error::Result;
use crate::judge::cell;
use crate::judge::cell::{PairComparison, compare_blocks};
use crate::latency::Latency;
use crate::record::{Map, MapPlace, Trial};
use crate::run::host::Host;
use crate::run::rounds;
use crate::run::rounds::RandomizedBlock;
use crate::run::testbed::ExperimentContext;
use crate::run::trial::spec::TrialSpec;
use crate::scenario::{
    Contender, Dependency, Kind, LoadKind, MapMetric, MapPlan, Scenario, Server, Store, WarmUp,
};
use crate::units::{Nanos, grouped};

/// The measured window of each block.
pub(crate) const BLOCK: Nanos = Nanos(600_000_000);
/// Before the window at least; so many waits in any case, so that the loop has closed.
const WARM_UP: Nanos = Nanos(150_000_000);
const WARM_UP_WAITS: u64 = 4;
/// About what a built-in server spends on a request beside its signature.
const OWN_CPU: Nanos = Nanos(50_000);
/// Connections of the generator, and three times as many of the contender's pool: each payment looks up three rows.
const CONNECTIONS_MIN: usize = 32;
const CONNECTIONS_MAX: usize = 1_024;
/// Sizes whose ceilings are no further apart count as equal, and the smaller one is taken.
const ALIKE: f64 = 1.03;

/// The load at which two contenders are compared.
#[derive(Clone, Debug)]
pub(crate) struct OperatingPoint {
    /// CPU time of a request.
    pub(crate) cpu: Nanos,
    /// What it waits for its lookups; 0 means in-memory state.
    pub(crate) wait: Latency,
    /// Connections of the pool; `None` is enough of them.
    pub(crate) pool: Option<usize>,
}

/// How a pair is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) metric: MapMetric,
    pub(crate) rounds: u32,
    /// Each gets the best of three sizes, found before the rounds.
    pub(crate) best: bool,
    /// Distinguishes the comparisons of a run.
    pub(crate) number: usize,
}

/// Compares `of` with `versus` at `point`. `None` when it was stopped before the end.
pub(crate) fn compare_pair(
    context: &mut ExperimentContext<'_, '_>,
    base: &Scenario,
    [of, versus]: [&str; 2],
    point: &OperatingPoint,
    rules: Rules,
) -> Result<Option<PairComparison>> {
    let mut scenario = at(base, &[of, versus], point)?;
    let mut sizes = [String::new(), String::new()];
    for (index, size) in sizes.iter_mut().enumerate() {
        let tried = if rules.best {
            crate::run::paired::sizes(&scenario, index, point)?
        } else {
            Vec::new()
        };
        if tried.is_empty() {
            continue;
        }
        let Some(best) = best_of(context, &scenario, index, point, &tried)? else {
            return Ok(None);
        };
        set_threads(&mut scenario.contenders[index], best.threads);
        *size = best.words;
    }
    let mut rounds: Vec<[Trial; 2]> = Vec::new();
    let (mut round, mut extra) = (0, rounds::extra_rounds(rules.rounds));
    while (rounds.len() as u32) < rules.rounds {
        round += 1;
        let Some(pair) = pair(context, &scenario, point, rules.number, round)? else {
            return Ok(None);
        };
        if pair.iter().any(|trial| trial.validity.voids_round) {
            match extra {
                0 => break,
                _ => extra -= 1,
            }
        } else {
            rounds.push(pair);
        }
    }
    Ok(Some(compare_blocks(&rounds, rules.metric, sizes)))
}

/// One round: a block of each, in random order.
fn pair(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    point: &OperatingPoint,
    number: usize,
    round: u32,
) -> Result<Option<[Trial; 2]>> {
    let randomized = RandomizedBlock { scenario: number, level: 0, round };
    let order = rounds::order(context.order_seed, randomized, 2);
    let mut trials: [Option<Trial>; 2] = [None, None];
    for (turn, index) in order.into_iter().enumerate() {
        let level = format!("closed, {point}");
        let Some(trial) = block(context, scenario, index, level, round, turn as u32)? else {
            return Ok(None);
        };
        trials[index] = Some(trial);
    }
    Ok(Some(trials.map(|trial| trial.expect("each has had its turn"))))
}

/// One contender's block. Nothing when it was cut short.
fn block(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    index: usize,
    level: String,
    round: u32,
    place: u32,
) -> Result<Option<Trial>> {
    let contender = &scenario.contenders[index];
    let duration = scenario.load.duration;
    let spec = TrialSpec { scenario, contender, rate: None, level, duration, round, place };
    context.testbed.trial(&spec, context.stop)
}

/// A contender at its best size, in closed loop.
#[derive(Clone, Debug)]
pub(crate) struct Best {
    /// `None` where its model has no size.
    pub(crate) threads: Option<usize>,
    /// `32 threads (best of 16, 32, 64)`; empty where it has none.
    pub(crate) words: String,
    pub(crate) closed: Option<Trial>,
}

impl Best {
    pub(crate) fn closed_rps(&self) -> f64 {
        self.closed.as_ref().map_or(0.0, answered)
    }
}

/// Tries the sizes, or the contender as it is where there are none, and gives the best, the smaller of those that are
/// alike. Nothing when it was cut short.
pub(crate) fn best_of(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    index: usize,
    point: &OperatingPoint,
    sizes: &[usize],
) -> Result<Option<Best>> {
    let mut best = Best { threads: None, words: String::new(), closed: None };
    let tried: Vec<Option<usize>> = match sizes {
        [] => vec![None],
        sizes => sizes.iter().copied().map(Some).collect(),
    };
    for size in tried {
        let mut scenario = scenario.clone();
        set_threads(&mut scenario.contenders[index], size);
        let level = match size {
            Some(size) => format!("closed, {point}, {size} threads"),
            None => format!("closed, {point}"),
        };
        let Some(trial) = block(context, &scenario, index, level, 0, index as u32)? else {
            return Ok(None);
        };
        if best.closed.is_none() || answered(&trial) > best.closed_rps() * ALIKE {
            best.threads = size;
            best.closed = Some(trial);
        }
    }
    let all: Vec<String> = sizes.iter().map(|size| grouped(*size as f64)).collect();
    if let Some(size) = best.threads {
        let plural = if size == 1 { "" } else { "s" };
        let size = grouped(size as f64);
        best.words = format!("{size} thread{plural} (best of {})", all.join(", "));
    }
    Ok(Some(best))
}

/// Requests per second of a trial; none of a lost one.
fn answered(trial: &Trial) -> f64 {
    if trial.validity.lost { 0.0 } else { trial.achieved_rps }
}

/// The sizes of a contender that are tried at an operating point: as many threads as keep its cores busy by Little's law, twice and
/// four times as many. None for a model that has no size.
pub(crate) fn sizes(
    scenario: &Scenario,
    index: usize,
    point: &OperatingPoint,
) -> Result<Vec<usize>> {
    let cores = Host::here(scenario)?.contender.len();
    let Some(built_in) = scenario.contenders[index].built_in() else { return Ok(Vec::new()) };
    let least = match built_in.model {
        Model::WorkStealing => cores,
        Model::ThreadPool => point.concurrency(cores).ceil() as usize,
        Model::EventLoop | Model::ThreadPerConnection | Model::Null => return Ok(Vec::new()),
    };
    let mut sizes = [1, 2, 4].map(|times| (least * times).min(scenario.load.connections)).to_vec();
    sizes.dedup();
    Ok(sizes)
}

fn set_threads(contender: &mut Contender, size: Option<usize>) {
    if let (Kind::BuiltIn(built_in), Some(size)) = (&mut contender.kind, size) {
        built_in.threads = Some(size);
    }
}

/// The scenario of an operating point: these contenders alone, in closed loop.
pub(crate) fn at(base: &Scenario, names: &[&str], point: &OperatingPoint) -> Result<Scenario> {
    let cores = Host::here(base)?.contender.len();
    let connections = point.connections(cores);
    let wait = point.wait.mean();
    let mut scenario = base.clone();
    scenario.request_cpu = point.cpu;
    scenario.store = match point.wait == Latency::ZERO {
        true => Store::Memory,
        false => Store::Dependency(Dependency {
            server: Server::Standin { faults: Vec::new() },
            lookup: point.wait.clone(),
            write: Latency::ZERO,
            pool: point.pool.unwrap_or(3 * connections),
        }),
    };
    scenario.contenders = names
        .iter()
        .filter_map(|name| base.contenders.iter().find(|one| one.name == *name).cloned())
        .collect();
    scenario.rates = Vec::new();
    scenario.load.kind = LoadKind::Closed;
    scenario.load.warm_up = WarmUp::Through(WARM_UP.max(Nanos(WARM_UP_WAITS * wait.0)));
    scenario.load.duration = BLOCK.max(Nanos(2 * WARM_UP_WAITS * wait.0));
    scenario.load.connections = connections;
    scenario.load.timeout = scenario.load.timeout.max(Nanos(20 * wait.0));
    Ok(scenario)
}

impl OperatingPoint {
    /// Concurrent requests that keep so many cores busy: cores times the time of a request over its CPU time.
    fn concurrency(&self, cores: usize) -> f64 {
        let busy = (self.cpu + OWN_CPU).as_secs_f64();
        cores as f64 * (self.wait.mean().as_secs_f64() + busy) / busy
    }

    /// Twice as many as keep the cores busy.
    fn connections(&self, cores: usize) -> usize {
        ((2.0 * self.concurrency(cores)).ceil() as usize).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
    }
}

impl fmt::Display for OperatingPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU {}, wait {}", self.cpu, self.wait)?;
        self.pool.map_or(Ok(()), |pool| write!(f, ", pool {pool}"))
    }
}

/// The map, and how many of its cells the time did not suffice for.
pub(crate) fn map(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    plan: &MapPlan,
) -> Result<(Map, usize)> {
    let mut map = Map {
        version: 1,
        workload: scenario.workload.name().into(),
        metric: plan.metric.name().into(),
        of: plan.of.clone(),
        versus: plan.versus.clone(),
        waits_ns: plan.waits.iter().map(|wait| wait.0).collect(),
        cpus_ns: plan.cpus.iter().map(|cpu| cpu.0).collect(),
        cells: Vec::new(),
        service: plan.mine.map(|(cpu, wait)| MapPlace { wait_ns: wait.0, cpu_ns: cpu.0 }),
    };
    let cells = cells_of(plan);
    // Until a cell has been measured, as long as its blocks at least.
    let mut longest = plan.cell_estimate();
    for &(row, column) in &cells {
        if !context.budget.allows(longest) {
            break;
        }
        let began = Instant::now();
        let (cpu, wait) = (plan.cpus[row], plan.waits[column]);
        let point = OperatingPoint { cpu, wait: Latency::Constant(wait), pool: None };
        let number = row * plan.waits.len() + column;
        let rules = Rules { metric: plan.metric, rounds: plan.rounds, best: plan.best, number };
        let pair = [plan.of.as_str(), plan.versus.as_str()];
        let Some(found) = compare_pair(context, scenario, pair, &point, rules)? else {
            break;
        };
        map.cells.push(found.cell(cpu, wait));
        longest = longest.max(Nanos::from(began.elapsed()));
    }
    let left = cells.len() - map.cells.len();
    cell::judge(&mut map.cells, &map.metric);
    Ok((map, left))
}

/// Rows and columns of the cells, from the reader's own service outwards, or from the middle.
fn cells_of(plan: &MapPlan) -> Vec<(usize, usize)> {
    let nearest = |axis: &[Nanos], mine: Option<Nanos>| match mine {
        None => axis.len() / 2,
        Some(mine) => {
            let distance = |at: Nanos| ((at.0 as f64 + 1.0) / (mine.0 as f64 + 1.0)).ln().abs();
            let by = |a: &usize, b: &usize| distance(axis[*a]).total_cmp(&distance(axis[*b]));
            (0..axis.len()).min_by(by).expect("an axis has a place")
        }
    };
    let row = nearest(&plan.cpus, plan.mine.map(|(cpu, _)| cpu));
    let column = nearest(&plan.waits, plan.mine.map(|(_, wait)| wait));
    let columns = 0..plan.waits.len();
    let mut cells: Vec<(usize, usize)> =
        (0..plan.cpus.len()).flat_map(|r| columns.clone().map(move |c| (r, c))).collect();
    cells.sort_by_key(|&(r, c)| {
        let (down, across) = (r.abs_diff(row), c.abs_diff(column));
        (down.max(across), down + across)
    });
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_cell_comes_first_then_its_neighbours_then_outwards() {
        let us = |times: &[u64]| times.iter().map(|us| Nanos(us * 1_000)).collect::<Vec<_>>();
        let mut plan = MapPlan {
            cpus: us(&[10, 100, 1_000]),
            waits: us(&[0, 1_000, 10_000, 100_000]),
            of: "a".into(),
            versus: "b".into(),
            best: false,
            mine: Some((Nanos(90_000), Nanos(1_200_000))),
            metric: MapMetric::Capacity,
            rounds: 6,
        };
        let cells = cells_of(&plan);
        assert_eq!(cells.len(), 12);
        assert_eq!(cells[..5], [(1, 1), (0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(cells[9..], [(1, 3), (0, 3), (2, 3)], "the far column is the last");
        plan.mine = None;
        assert_eq!(cells_of(&plan)[0], (1, 2), "without one's own the middle");
    }
}
