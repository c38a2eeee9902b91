//! The headline of a run with sweeps: each model once, at its best size, so that a size is never taken for a model.

use super::words::figure;
use crate::judge::races::{Entry, Figure, Race, slo_of};
use crate::record::{ContenderInfo, RunResult, SloInfo, Trial};
use crate::report::grid::Grid;
use crate::report::place::place;
use crate::stats::{self, Better, LOST, error_bound};
use crate::text::{WITHHELD, clean, listed, or_withheld};
use crate::units::bytes;
use crate::units::{grouped, three_digits};

const COLUMNS: [&str; 6] = ["contender", "size", "p99", "achieved/s", "CPU us/request", "memory"];
const NOTE: &str = "Of the sizes that are not clearly worse than the best (95 % interval of the paired rounds) the smallest \
     stands here, within the same pool of connections. A fixed size is the file's.";
/// Between a size and the best one nothing is called a difference below this confidence.
const CONFIDENCE: f64 = 0.95;

/// A table for each scenario that sweeps sizes, at the highest of its rates.
pub(crate) fn grids(result: &RunResult, races: &[Race<'_>]) -> Vec<Grid> {
    let mut grids = Vec::new();
    for (index, race) in races.iter().enumerate() {
        let later = &races[index + 1..];
        let offered = |race: &Race<'_>| load(race).unwrap_or(0.0);
        let here = |other: &&Race<'_>| other.scenario == race.scenario;
        let higher = races[..index].iter().filter(here).any(|one| offered(one) > offered(race))
            || later.iter().filter(here).any(|one| offered(one) >= offered(race));
        if !higher {
            grids.extend(grid(result, race));
        }
    }
    grids
}

/// Which size stands for each, in sentences.
pub(crate) fn sentences(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let grids = grids(result, races);
    grids.into_iter().flat_map(|grid| grid.notes).filter(|note| note != NOTE).collect()
}

/// The highest rate that any of its contenders was offered.
fn load(race: &Race<'_>) -> Option<f64> {
    race.entries.iter().filter_map(Entry::offered_rps).max_by(f64::total_cmp)
}

/// A contender of a race with what it was.
struct Sized<'r, 'a> {
    entry: &'r Entry<'a>,
    info: Option<&'r ContenderInfo>,
}

impl Sized<'_, '_> {
    fn is_over_the_budget(&self) -> bool {
        let budget = self.info.and_then(|info| info.memory_max_bytes);
        // An older file knows of no other.
        let peak = self.entry.memory().or_else(|| self.entry.rss());
        budget.zip(peak).is_some_and(|(budget, peak)| peak > budget as f64)
    }
}

/// One row: the sizes that stand for one contender, within one pool of connections.
struct Family<'r, 'a> {
    name: String,
    members: Vec<Sized<'r, 'a>>,
}

fn grid(result: &RunResult, race: &Race<'_>) -> Option<Grid> {
    let families = families(result, race);
    if families.iter().all(|family| family.members.len() == 1) {
        return None;
    }
    let judge = Judge::of(result, race);
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for family in &families {
        let best = judge.best(&family.members);
        rows.push(row(&judge, family, best));
        notes.extend(note(&judge, family, best));
    }
    notes.push(NOTE.into());
    Some(Grid {
        heading: format!("Each at its best size{}: {}", within(&families), place(race)),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows,
        notes,
    })
}

/// ` within 256 MiB`
fn within(families: &[Family<'_, '_>]) -> String {
    let members = families.iter().flat_map(|family| &family.members);
    let budget = members.filter_map(|one| one.info?.memory_max_bytes).next();
    budget.map_or_else(String::new, |budget| format!(" within {}", bytes(budget as f64)))
}

/// The rows in the order of the race.
fn families<'r, 'a>(result: &'r RunResult, race: &'r Race<'a>) -> Vec<Family<'r, 'a>> {
    let mut families: Vec<Family<'r, 'a>> = Vec::new();
    for entry in &race.entries {
        let info = race.info(result, entry.name);
        let sweep = info.and_then(|info| Some((info, info.sweep.as_deref()?)));
        let name = match sweep {
            None => clean(entry.name),
            Some((info, sweep)) => match info.pool.filter(|_| has_several_pools(result, info)) {
                Some(pool) => format!("{}, pool {pool}", clean(sweep)),
                None => clean(sweep),
            },
        };
        let member = Sized { entry, info };
        match families.iter_mut().find(|family| sweep.is_some() && family.name == name) {
            Some(family) => family.members.push(member),
            None => families.push(Family { name, members: vec![member] }),
        }
    }
    families
}

/// Whether the sizes of its sweep differ in their pools: those of one pool are compared with each other alone.
fn has_several_pools(result: &RunResult, of: &ContenderInfo) -> bool {
    let own = |one: &&ContenderInfo| {
        (&one.workload, &one.scenario, &one.sweep) == (&of.workload, &of.scenario, &of.sweep)
    };
    result.contenders.iter().filter(own).any(|one| one.pool != of.pool)
}

/// How sizes are compared: by the SLO and then p99, or in closed loop by the answers a second.
struct Judge<'r> {
    kind: &'r str,
    slo: Option<&'r SloInfo>,
    closed: bool,
}

impl<'r> Judge<'r> {
    fn of(result: &'r RunResult, race: &Race<'r>) -> Self {
        let sent = |kind: &&str| {
            let of_kind = race.trials().filter_map(|trial| trial.by_request.get(*kind));
            of_kind.map(|requests| requests.requests).sum::<u64>()
        };
        let kind = race.kinds().into_iter().max_by_key(sent).unwrap_or_default();
        let slo = slo_of(result, race.workload, race.scenario);
        Self { kind, slo, closed: race.level == "closed" }
    }

    /// Lower is better: whether it takes too much memory, has lost, misses the SLO, and its figure.
    fn rank(&self, one: &Sized<'_, '_>) -> ([bool; 3], f64) {
        let (entry, over) = (one.entry, one.is_over_the_budget());
        // What none of them carries is carried furthest by the one that answers most.
        let achieved = -entry.middle(|trial| Some(trial.achieved_rps)).unwrap_or(0.0);
        let lost = entry.has_lost(self.slo.map_or(error_bound::USUAL, |slo| slo.error_rate));
        match entry.response(self.kind, 990) {
            _ if self.closed => ([over, lost || achieved == 0.0, false], achieved),
            Figure::Value(ns) | Figure::Late { ns, .. } if !lost => {
                let misses = self.slo.is_some_and(|slo| ns > slo.p99_ns as f64);
                ([over, false, misses], ns)
            }
            _ => ([over, true, true], achieved),
        }
    }

    /// The place of the size that stands for all: the first, which is the smallest, that is not clearly worse than the
    /// best.
    fn best(&self, members: &[Sized<'_, '_>]) -> usize {
        let rank = |place: &usize| self.rank(&members[*place]);
        let order = |a: &usize, b: &usize| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        };
        let best = (0..members.len()).min_by(order).expect("a family has a member");
        let alike = |place: &usize| {
            rank(place).0 == rank(&best).0
                && !self.clearly_worse(members[*place].entry, members[best].entry)
        };
        (0..best).find(alike).unwrap_or(best)
    }

    /// Whether the interval of the ratio lies on the worse side of 1; without one, every difference counts.
    fn clearly_worse(&self, one: &Entry<'_>, best: &Entry<'_>) -> bool {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for trial in one.counted() {
            let other = best.counted().find(|other| other.round == trial.round);
            if let Some((x, y)) = self.value(trial).zip(other.and_then(|other| self.value(other))) {
                a.push(x);
                b.push(y);
            }
        }
        let better = if self.closed { Better::More } else { Better::Less };
        let ratio = stats::ratio_of(&a, &b, better, CONFIDENCE).and_then(|paired| paired.ratio);
        let interval = ratio.and_then(|ratio| ratio.interval);
        interval.is_none_or(|interval| match self.closed {
            true => interval.high < 1.0,
            false => interval.low > 1.0,
        })
    }

    fn value(&self, trial: &Trial) -> Option<f64> {
        if trial.validity.lost || (!self.closed && trial.saturated) {
            return Some(LOST);
        }
        if self.closed {
            return Some(trial.achieved_rps);
        }
        trial.by_request.get(self.kind)?.response_ns.as_ref()?.at(990).worth()
    }
}

fn row(judge: &Judge<'_>, family: &Family<'_, '_>, best: usize) -> Vec<String> {
    let Sized { entry, info } = &family.members[best];
    let threads = info.and_then(|info| info.threads);
    let over = if family.members[best].is_over_the_budget() { ", over the budget" } else { "" };
    let size = match (threads, family.members.len()) {
        (None, _) => WITHHELD.to_owned(),
        (Some(threads), 1) => format!("{} threads, fixed", grouped(f64::from(threads))),
        (Some(threads), _) => format!("{} threads", grouped(f64::from(threads))),
    };
    vec![
        family.name.clone(),
        size + over,
        if judge.closed { WITHHELD.into() } else { figure(entry.response(judge.kind, 990)) },
        or_withheld(entry.middle(|trial| Some(trial.achieved_rps)), grouped),
        or_withheld(entry.middle(|trial| trial.server.cpu_us_per_request), three_digits),
        or_withheld(entry.memory(), bytes),
    ]
}

/// `thread-pool: 128 threads of 64 (30 ms), 128 (12 ms) and 512 (12.3 ms)`
fn note(judge: &Judge<'_>, family: &Family<'_, '_>, best: usize) -> Option<String> {
    let size = |one: &Sized<'_, '_>| {
        let threads = one.info.and_then(|info| info.threads);
        threads.map_or_else(|| clean(one.entry.name), |threads| grouped(f64::from(threads)))
    };
    let each = family.members.iter().map(|one| {
        let shown = match judge.closed {
            true => or_withheld(one.entry.middle(|trial| Some(trial.achieved_rps)), |rps| {
                format!("{}/s", grouped(rps))
            }),
            false => format!("p99 {}", figure(one.entry.response(judge.kind, 990))),
        };
        format!("{} ({shown})", size(one))
    });
    let several = family.members.len() > 1;
    several.then(|| {
        let each: Vec<String> = each.collect();
        let chosen = size(&family.members[best]);
        format!("{}: {chosen} threads, of {}.", family.name, listed(&each))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;

    /// Payments at 4,000/s by an event loop and a pool of three sizes, each with so long a median.
    fn swept(sizes: [f64; 3]) -> RunResult {
        let names = ["thread-pool-16", "thread-pool-64", "thread-pool-256"];
        let mut shapes = vec![("event-loop", 96.0, 1.0)];
        shapes.extend(names.iter().zip(sizes).map(|(name, us)| (*name, us, 1.0)));
        let mut result = mock::payments(6, &shapes);
        for (name, threads) in names.into_iter().zip([16, 64, 256]) {
            result.contenders.push(ContenderInfo {
                workload: "payment".into(),
                contender: name.into(),
                sweep: Some("thread-pool".into()),
                threads: Some(threads),
                pool: Some(64),
                ..ContenderInfo::default()
            });
        }
        result
    }

    fn rows(result: &RunResult) -> Vec<[String; 2]> {
        let grids = grids(result, &races(result));
        grids[0].rows.iter().map(|row| [row[0].clone(), row[1].clone()]).collect()
    }

    #[test]
    fn a_model_stands_once_at_the_smallest_of_its_best_sizes() {
        let result = swept([300.0, 110.0, 110.0]);
        assert_eq!(
            rows(&result),
            [["event-loop", "-"], ["thread-pool", "64 threads"]].map(|row| row.map(String::from))
        );
        let note = &grids(&result, &races(&result))[0].notes[0];
        assert!(note.starts_with("thread-pool: 64 threads, of 16 (p99 "), "{note}");
        assert_eq!(rows(&swept([300.0, 140.0, 110.0]))[1][1], "256 threads");
        assert_eq!(rows(&swept([90.0, 140.0, 110.0]))[1][1], "16 threads");
    }

    #[test]
    fn what_loses_or_misses_the_slo_stands_behind() {
        let mut result = swept([100.0, 110.0, 120.0]);
        mock::saturate(&mut result, "thread-pool-16");
        assert_eq!(rows(&result)[1][1], "64 threads");
        let p99 = |result: &RunResult, name: &str| {
            let trial = result.trials.iter().find(|trial| trial.contender == name).unwrap();
            trial.response_ns.as_ref().unwrap().p99.unwrap()
        };
        let between =
            u64::midpoint(p99(&result, "thread-pool-64"), p99(&result, "thread-pool-256"));
        result.slos = vec![SloInfo {
            workload: "payment".into(),
            p99_ns: between,
            error_rate: 0.001,
            ..SloInfo::default()
        }];
        assert_eq!(rows(&result)[1][1], "64 threads", "the other one misses it");
        result.slos[0].p99_ns = 1_000_000_000;
        for trial in result.trials.iter_mut().filter(|one| one.contender == "thread-pool-64") {
            mock::fail(trial, 26);
        }
        assert_eq!(rows(&result)[1][1], "256 threads", "the other one fails too often");
        result.trials.iter_mut().for_each(|trial| trial.level = "closed".into());
        assert_eq!(rows(&result)[1][1], "256 threads", "in closed loop too");
        result.slos.clear();
        assert_eq!(
            rows(&result)[1][1],
            "64 threads",
            "half a percent may fail where no SLO says less"
        );
    }

    #[test]
    fn a_size_beyond_the_memory_stands_for_nothing_but_itself() {
        let mut result = swept([300.0, 140.0, 110.0]);
        let within = |result: &mut RunResult, budget: u64| {
            result.contenders.iter_mut().for_each(|one| one.memory_max_bytes = Some(budget));
            rows(result)[1][1].clone()
        };
        // The mock's contenders hold 3.1 MB more each, by their order.
        assert_eq!(within(&mut result, 40_000_000), "256 threads");
        assert_eq!(within(&mut result, 32_500_000), "64 threads");
        assert_eq!(within(&mut result, 1_000), "256 threads, over the budget");
        let heading = &grids(&result, &races(&result))[0].heading;
        assert!(heading.starts_with("Each at its best size within 0.977 KiB"), "{heading}");
    }

    #[test]
    fn unlike_pools_are_no_sizes_of_each_other_and_without_a_sweep_there_is_no_table() {
        let mut result = swept([300.0, 140.0, 110.0]);
        result.contenders[0].pool = Some(16);
        let found = rows(&result);
        assert_eq!(found[1], ["thread-pool, pool 16", "16 threads, fixed"].map(String::from));
        assert_eq!(found[2], ["thread-pool, pool 64", "256 threads"].map(String::from));
        result.contenders.iter_mut().for_each(|one| one.sweep = None);
        assert!(grids(&result, &races(&result)).is_empty());
    }
}
