//! Which size stands for a model whose sizes were swept, so that a size is never taken for a model.

use crate::judge::races::{Entry, Figure, Race, slo_of};
use crate::judge::statement::series::{Series, ratio};
use crate::record::{ContenderInfo, RunResult, SloInfo, Trial};
use crate::stats::{Better, LOST};

/// Between a size and the best one nothing is called a difference below this confidence.
const CONFIDENCE: f64 = 0.95;

/// The contenders of a race that sweeps sizes, each at its best one.
pub(crate) struct BestSizes<'r, 'a> {
    pub(crate) race: &'r Race<'a>,
    /// The request kind whose p99 is compared.
    pub(crate) kind: &'r str,
    /// In closed loop the requests answered per second are compared instead.
    pub(crate) closed: bool,
    /// In the order of the race.
    pub(crate) families: Vec<SizeFamily<'r, 'a>>,
}

/// The sizes of one contender, within one pool of connections.
pub(crate) struct SizeFamily<'r, 'a> {
    /// As the scenario writes it.
    pub(crate) name: &'r str,
    /// Where its sizes were swept over several pools.
    pub(crate) pool: Option<u32>,
    /// By rising size.
    pub(crate) members: Vec<Sized<'r, 'a>>,
    best: usize,
}

impl<'r, 'a> SizeFamily<'r, 'a> {
    /// The smallest size that is not clearly worse than the best.
    pub(crate) fn best(&self) -> &Sized<'r, 'a> {
        &self.members[self.best]
    }
}

pub(crate) struct Sized<'r, 'a> {
    pub(crate) entry: &'r Entry<'a>,
    pub(crate) info: Option<&'r ContenderInfo>,
}

impl Sized<'_, '_> {
    pub(crate) fn is_over_the_budget(&self) -> bool {
        let budget = self.info.and_then(|info| info.memory_max_bytes);
        // Memory is unknown where rounds read it in two ways.
        let peak = self.entry.memory().or_else(|| self.entry.rss());
        budget.zip(peak).is_some_and(|(budget, peak)| peak > budget as f64)
    }
}

/// Each scenario that sweeps sizes, at the highest of its rates.
pub(crate) fn best_sizes<'r, 'a>(
    result: &'r RunResult,
    races: &'r [Race<'a>],
) -> Vec<BestSizes<'r, 'a>> {
    let mut found = Vec::new();
    for (index, race) in races.iter().enumerate() {
        let later = &races[index + 1..];
        let offered = |race: &Race<'_>| load(race).unwrap_or(0.0);
        let here = |other: &&Race<'_>| other.scenario == race.scenario;
        let higher = races[..index].iter().filter(here).any(|one| offered(one) > offered(race))
            || later.iter().filter(here).any(|one| offered(one) >= offered(race));
        if !higher {
            found.extend(of_race(result, race));
        }
    }
    found
}

fn of_race<'r, 'a>(result: &'r RunResult, race: &'r Race<'a>) -> Option<BestSizes<'r, 'a>> {
    let mut families = families(result, race);
    if families.iter().all(|family| family.members.len() == 1) {
        return None;
    }
    let judge = Judge::of(result, race);
    for family in &mut families {
        family.best = judge.best(&family.members);
    }
    Some(BestSizes { race, kind: judge.kind, closed: judge.closed, families })
}

/// The highest rate that any of its contenders was offered.
fn load(race: &Race<'_>) -> Option<f64> {
    race.entries.iter().filter_map(Entry::offered_rps).max_by(f64::total_cmp)
}

fn families<'r, 'a>(result: &'r RunResult, race: &'r Race<'a>) -> Vec<SizeFamily<'r, 'a>> {
    let mut families: Vec<SizeFamily<'r, 'a>> = Vec::new();
    for entry in &race.entries {
        let info = race.info(result, entry.name);
        let sweep = info.and_then(|info| info.sweep.as_deref());
        let pool = info.filter(|info| has_several_pools(result, info)).and_then(|info| info.pool);
        let (name, pool) = sweep.map_or((entry.name, None), |sweep| (sweep, pool));
        let member = Sized { entry, info };
        let own = |family: &&mut SizeFamily<'r, 'a>| (family.name, family.pool) == (name, pool);
        match families.iter_mut().find(|family| sweep.is_some() && own(family)) {
            Some(family) => family.members.push(member),
            None => families.push(SizeFamily { name, pool, members: vec![member], best: 0 }),
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
        Self { kind, slo, closed: race.is_closed() }
    }

    /// Lower is better: whether it takes too much memory, has lost, misses the SLO, and its figure.
    fn rank(&self, one: &Sized<'_, '_>) -> ([bool; 3], f64) {
        let (entry, over) = (one.entry, one.is_over_the_budget());
        // What none of them carries is carried furthest by the one that answers most.
        let achieved = -entry.middle(|trial| Some(trial.achieved_rps)).unwrap_or(0.0);
        let lost = entry.has_lost();
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
        let series = |entry: &Entry<'_>| -> Series {
            entry.counted().filter_map(|trial| Some((trial.round, self.value(trial)?))).collect()
        };
        let better = if self.closed { Better::More } else { Better::Less };
        let ratio = ratio(&series(one), &series(best), better, CONFIDENCE);
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
