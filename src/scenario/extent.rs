//! What a scenario comes to: how long its windows are, how long it runs, and what its parts demand of each other.

use super::loading::WINDOW_MAX;
use super::{Level, LoadKind, Metric, Scenario};
use crate::load::plan::{Operation, UserSession};
use crate::record::CLOSED_LEVEL;
use crate::units::{Nanos, POISSON_MARGIN, Rate};

/// A percentile is printed when so many samples lie beyond it.
const BEYOND: f64 = 10.0;
/// What supports a p99, the least that is asked of the requests that are sent most.
const REQUESTS_MIN: f64 = 1_000.0;
/// Each window of a `p99_spread` has to support its own p99.
const WINDOWS: f64 = 30.0;
/// Starting a contender, its readiness, the drain, the audit and its end: as seen on the tour.
const OVERHEAD: Nanos = Nanos(300 * Nanos::MILLI.0);
/// One closed probe of a contender's ceiling.
const PROBE: Nanos = Nanos(3 * Nanos::SECOND.0);
/// Trials of a search for the capacity, as seen: those that find where to look, and those that decide.
const SEARCH_SHORT: f64 = 5.0;
const SEARCH_DECIDING: f64 = 12.0;

impl Scenario {
    /// A level as trials name it, by its place among the rates: `50%`, `4,000/s`, `closed`.
    pub fn level_name(&self, place: usize) -> String {
        match self.load.kind {
            LoadKind::Closed => CLOSED_LEVEL.into(),
            LoadKind::Open(_) => self.rates[place].to_string(),
        }
    }

    /// The window of a level whose lowest rate is `rate`: `load.duration`, or longer until the requests that are judged
    /// are enough for their percentiles. Under a closed load it is `load.duration`.
    pub fn duration_at(&self, rate: Rate) -> Nanos {
        match self.load.kind {
            LoadKind::Closed => self.load.duration,
            LoadKind::Open(_) if self.load.says_its_rates() => self.load.duration,
            LoadKind::Open(_) => {
                self.load.duration.max(rate.window_of(self.load.requests_min as f64))
            }
        }
    }

    /// About how long a run takes: all trials, and the probes that shares of a ceiling and a search need. Where a rate is
    /// yet unknown the window is taken as `load.duration`.
    pub fn estimate(&self) -> Nanos {
        let levels = match self.load.kind {
            LoadKind::Closed => 1,
            LoadKind::Open(_) => self.rates.len(),
        };
        let rounds = self.round_estimate(0..levels).as_secs_f64() * f64::from(self.rounds);
        let search = self.experiments.capacity.map_or(0.0, |how| {
            let deciding = how.deciding.unwrap_or(self.load.duration);
            let all = |window| self.trials_estimate(window, None);
            let (short, deciding) = (all(how.short), all(deciding));
            SEARCH_SHORT * short.as_secs_f64() + SEARCH_DECIDING * deciding.as_secs_f64()
        });
        let map = self.experiments.map.as_ref().map_or(0.0, |map| {
            (map.cpus.len() * map.waits.len()) as f64 * map.cell_estimate().as_secs_f64()
        });
        Nanos::from_secs_f64(rounds + search + map) + self.before_rounds()
    }

    /// About how long a run takes that tells anything: one round, or one cell of a map where there are no rounds.
    pub fn least_estimate(&self) -> Nanos {
        let levels = match self.load.kind {
            LoadKind::Closed => 1,
            LoadKind::Open(_) => self.experiments.compared,
        };
        let cell = self.experiments.map.as_ref().filter(|_| levels == 0);
        let cell = cell.map_or(Nanos(0), |map| map.cell_estimate());
        self.before_rounds() + self.round_estimate(0..levels) + cell
    }

    /// About how long probes and pilots take.
    fn before_rounds(&self) -> Nanos {
        let probed = self.rates.iter().any(|level| !matches!(level, Level::Rate(_)))
            || self.experiments.capacity.is_some();
        let probe = if probed { self.trials_estimate(PROBE, None) } else { Nanos(0) };
        probe + self.pilots_estimate()
    }

    /// About how long a round of some of the levels takes: a trial of every contender at each. The ceiling of a closed
    /// load is one level.
    pub fn round_estimate(&self, levels: std::ops::Range<usize>) -> Nanos {
        let trials = levels.map(|place| match self.rates.get(place) {
            Some(Level::Rate(rate)) => self.trials_estimate(self.duration_at(*rate), Some(*rate)),
            Some(Level::OfLowest(_) | Level::OfOwn(_)) | None => {
                self.trials_estimate(self.load.duration, None)
            }
        });
        Nanos(trials.map(|trials| trials.0).sum())
    }

    /// About how long a trial of every contender takes, at a rate that may not be known yet.
    fn trials_estimate(&self, window: Nanos, rate: Option<Rate>) -> Nanos {
        let one = |contender| self.warm_up_estimate(contender, rate) + window + OVERHEAD;
        Nanos(self.contenders.iter().map(|contender| one(contender).0).sum())
    }

    /// Requests of the whole mix that a window must hold, so that the kind that is sent most has its p99 and each
    /// judged percentile of any kind is supported.
    pub(super) fn requests_needed(&self) -> u64 {
        let total: f64 = self.mix.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let most = self.mix.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
        let share = |request: &Option<String>| {
            let named = |name: &String| self.mix.iter().find(|(kind, _)| kind.name() == name);
            f64::from(request.as_ref().and_then(named).map_or(most, |(_, weight)| *weight)) / total
        };
        let statements = || self.expectations.iter().chain(&self.claims);
        let judged = statements().filter_map(|statement| {
            let (rank, windows) = match statement.metric {
                Metric::P99Spread => (0.99, WINDOWS * POISSON_MARGIN),
                metric => (metric.rank()?, 1.0),
            };
            Some(windows * BEYOND / (1.0 - rank) / share(&statement.request))
        });
        let first = self.mix.first().map(|(kind, _)| kind.name().to_owned());
        // A p99 of a kind that is seldom sent is no reason for a window of minutes unless a statement asks for it.
        let beyond_p99 = self.headline.and_then(Metric::rank).filter(|rank| *rank > 0.99);
        let headline = beyond_p99.map(|rank| BEYOND / (1.0 - rank) / share(&first));
        // A distribution may last so long that its median is all that a trial can show.
        let percentiles = statements().filter(|one| one.metric.percentile().is_some());
        let medians = statements().filter(|one| one.metric == Metric::Completion).count();
        let least = match medians > 0 && medians == percentiles.count() {
            true => 0.0,
            false => REQUESTS_MIN / share(&None),
        };
        judged.chain(headline).fold(least, f64::max).round() as u64
    }

    /// The response time that half of the requests exceed whatever the contender: the CPU time of a request, and with a
    /// dependency the medians of what one waits for in turn. Of several kinds of request, the quickest.
    pub fn floor(&self) -> Nanos {
        let cpu = self.contenders.iter().map(|one| one.request_cpu().unwrap_or(self.request_cpu));
        cpu.min().unwrap_or(self.request_cpu) + self.least().map_or(Nanos(0), |(wait, ..)| wait)
    }

    /// What the floor consists of: `1 lookup 50 ms + 1 write 1 ms + 40 us of CPU`.
    pub fn floor_text(&self) -> String {
        let cpu = (self.request_cpu > Nanos(0)).then(|| format!("{} of CPU", self.request_cpu));
        let counted = |n: u32, what, each| {
            let s = if n == 1 { "" } else { "s" };
            (n > 0).then(|| format!("{n} {what}{s} {each}"))
        };
        let waits = self.least().zip(self.store.dependency()).map(|((_, lookups, writes), one)| {
            let lookups = counted(lookups, "lookup", one.lookup.median());
            lookups.into_iter().chain(counted(writes, "write", one.write.median()))
        });
        let parts: Vec<String> = waits.into_iter().flatten().chain(cpu).collect();
        parts.join(" + ")
    }

    /// The least that a request of the mix waits for its dependency, and the lookups and writes that it waits for.
    fn least(&self) -> Option<(Nanos, u32, u32)> {
        let one = self.store.dependency()?;
        let wait = |(operation, _): &(Operation, u32)| {
            let (lookups, writes) = in_turn(operation);
            let wait = u64::from(lookups) * one.lookup.median().0
                + u64::from(writes) * one.write.median().0;
            (Nanos(wait), lookups, writes)
        };
        self.mix.iter().map(wait).min()
    }

    /// The requests per second that a pool of so many connections lets through at most: connections over the
    /// connection-seconds of a request. Nothing where nothing is waited for.
    pub fn pool_ceiling(&self, connections: usize) -> Option<Rate> {
        let one = self.store.dependency()?;
        let (lookup, write) = (one.lookup.mean().as_secs_f64(), one.write.mean().as_secs_f64());
        let held = self.mean_of(|operation| {
            let (lookups, writes) = in_all(operation);
            f64::from(lookups) * lookup + f64::from(writes) * write
        });
        (held > 0.0).then(|| Rate(connections as f64 / held))
    }

    /// The requests per second that so many threads let through at most: threads over the time that a request holds one.
    /// A distribution is spread over the pool's connections; lookups that are made in turn hold a thread for their sum.
    pub fn threads_ceiling(&self, threads: usize, pool: usize, in_turn_all: bool) -> Option<Rate> {
        let one = self.store.dependency()?;
        let (lookup, write) = (one.lookup.mean().as_secs_f64(), one.write.mean().as_secs_f64());
        let held = self.mean_of(|operation| {
            let at_once = match operation {
                Operation::Distribution { .. } => pool.max(1) as f64,
                _ => f64::INFINITY,
            };
            let (all, turn) = (in_all(operation), in_turn(operation));
            let spread = |all: u32, turn: u32| match in_turn_all {
                true => f64::from(all),
                false => f64::from(turn).max(f64::from(all) / at_once),
            };
            spread(all.0, turn.0) * lookup + spread(all.1, turn.1) * write
        });
        (held > 0.0).then(|| Rate(threads as f64 / held))
    }

    /// Of a figure of each operation, the mean over the mix.
    fn mean_of(&self, figure: impl Fn(&Operation) -> f64) -> f64 {
        let total: f64 = self.mix.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let each = self.mix.iter().map(|(one, weight)| figure(one) * f64::from(*weight) / total);
        each.sum()
    }

    /// The connections to write where there are too few: twice the top rate times the SLO's p99, by Little's law. Only
    /// where rates are absolute and there is an SLO.
    pub(super) fn connections_needed(&self) -> Option<usize> {
        let slo = self.slo.as_ref()?;
        let rates = self.rates.iter().filter_map(|level| match level {
            Level::Rate(rate) => Some(rate.0),
            Level::OfLowest(_) | Level::OfOwn(_) => None,
        });
        let highest = self.load.steps.iter().map(|step| step.times).fold(1.0, f64::max);
        let top = rates.fold(0.0, f64::max) * highest;
        let needed = (2.0 * top * slo.p99.as_secs_f64()).ceil() as usize;
        (needed > self.load.connections).then_some(needed)
    }

    /// The first level, by its place, whose rate is so low that its window would exceed an hour.
    pub(super) fn window_too_long(&self) -> Option<(usize, Nanos)> {
        self.rates.iter().enumerate().find_map(|(place, level)| match level {
            Level::Rate(rate) => {
                let window = self.duration_at(*rate);
                (window > WINDOW_MAX).then_some((place, window))
            }
            Level::OfLowest(_) | Level::OfOwn(_) => None,
        })
    }
}

/// The lookups and the writes of one request.
fn in_all(operation: &Operation) -> (u32, u32) {
    match operation {
        Operation::Payment { .. } | Operation::Replay => (3, 1),
        Operation::Distribution { accounts } => (*accounts, accounts + 1),
        Operation::AccountRead => (1, 0),
        Operation::Webhook => (0, 1),
        Operation::Gateway => (2, 0),
        Operation::Session(session) => of_steps(session, in_all),
        Operation::Fixed(_) | Operation::Route(_) => (0, 0),
    }
}

fn of_steps(session: &UserSession, of: fn(&Operation) -> (u32, u32)) -> (u32, u32) {
    let steps = session.steps.iter().map(|step| of(&step.operation));
    steps.fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1))
}

/// Those of them that wait for each other, where the others are made at once.
fn in_turn(operation: &Operation) -> (u32, u32) {
    match operation {
        Operation::Payment { .. } | Operation::Replay => (1, 1),
        Operation::Distribution { .. } => (1, 2),
        Operation::AccountRead | Operation::Gateway => (1, 0),
        Operation::Webhook => (0, 1),
        Operation::Session(session) => of_steps(session, in_turn),
        Operation::Fixed(_) | Operation::Route(_) => (0, 0),
    }
}
