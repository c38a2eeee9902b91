//! The reading of a result that every output shares: trials grouped into races, and figures across their rounds.

use std::fmt;

use crate::record::CLOSED_LEVEL;
use crate::record::MemoryKind;
use crate::record::histogram::Ranked;
use crate::record::late::Late;
use crate::record::{
    ByRequest, ContenderInfo, Distribution, RunResult, SloInfo, Trial, TrialVerdict, histogram,
    late,
};
use crate::stats::hodges_lehmann;
use crate::stats::percentile::Quantile;
use crate::text::{clean, distinct};

/// One workload at one level: contenders that are compared with each other.
pub(crate) struct Race<'a> {
    /// `payment`, ..
    pub(crate) workload: &'a str,
    /// The scenario's name; empty where one server was driven.
    pub(crate) scenario: &'a str,
    /// As the scenario writes it.
    pub(crate) level: &'a str,
    /// In the scenario's order, as far as comparisons and ceilings tell it, then by name.
    pub(crate) entries: Vec<Entry<'a>>,
}

/// One contender in a race, with its trials of rounds that count.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    /// By round; voided ones left out, invalid ones kept.
    pub(crate) trials: Vec<&'a Trial>,
}

/// A figure across rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// The median of the rounds.
    Value(f64),
    /// The same where over a tenth of it may be the generator's own lateness, ns, and what it is without that.
    Late { ns: f64, without: f64 },
    /// In the median round outstanding work grew without end.
    Saturated,
    /// The contender lost every round.
    Lost,
    /// In the median round the request at that rank was given up after so long, ns.
    AtLeast(f64),
    /// In the median round the request at that rank failed otherwise.
    Unbounded,
    /// Too few samples, or it could not be had.
    Withheld,
}

impl Figure {
    /// The time, however late, ns.
    pub(crate) fn time(self) -> Option<f64> {
        match self {
            Self::Value(ns) | Self::Late { ns, .. } => Some(ns),
            _ => None,
        }
    }

    /// The same less the generator's own lateness, where that is over a tenth of it.
    pub(crate) fn without_lateness(self) -> Option<f64> {
        match self {
            Self::Late { without, .. } => Some(without),
            other => other.time(),
        }
    }

    /// What the generator's part makes of it.
    pub(crate) fn late(self) -> Late {
        match self {
            Self::Late { ns, without } => Late::of(late::share(ns, without)),
            _ => Late::No,
        }
    }
}

/// How many of a contender's rounds are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryValidity {
    pub(crate) worst: TrialVerdict,
    pub(crate) valid: usize,
    pub(crate) rounds: usize,
}

impl fmt::Display for EntryValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.worst.word(), self.valid, self.rounds)
    }
}

/// The races of `result`, scenario by scenario, in the order of their first rounds that count.
pub(crate) fn races(result: &RunResult) -> Vec<Race<'_>> {
    let mut races = grouped(result, &result.trials);
    // A void round is run again at the end.
    let place =
        |race: &Race<'_>| result.contenders.iter().position(|c| c.scenario == race.scenario);
    races.sort_by_key(|race| place(race).unwrap_or(usize::MAX));
    races
}

/// The same of the trials with which a capacity was searched: a race for each rate, often of one contender.
pub(crate) fn probed(result: &RunResult) -> Vec<Race<'_>> {
    grouped(result, &result.probes)
}

/// The trials that a result rests on: those of its rounds, or where it has none those of a search for capacities.
pub(crate) fn measured(result: &RunResult) -> &[Trial] {
    if result.trials.is_empty() { &result.probes } else { &result.trials }
}

/// What the service of a scenario promises.
pub(crate) fn slo_of<'r>(
    result: &'r RunResult,
    workload: &str,
    scenario: &str,
) -> Option<&'r SloInfo> {
    let of = |slo: &&SloInfo| slo.workload == workload && slo.scenario == scenario;
    result.slos.iter().find(of)
}

fn grouped<'a>(result: &'a RunResult, trials: &'a [Trial]) -> Vec<Race<'a>> {
    let mut races: Vec<Race<'a>> = Vec::new();
    for trial in trials.iter().filter(|trial| !trial.voided) {
        let place = races.iter().position(|race| race.is_of(trial));
        let race = match place {
            Some(place) => &mut races[place],
            None => {
                let Trial { workload, scenario, level, .. } = trial;
                races.push(Race { workload, scenario, level, entries: Vec::new() });
                races.last_mut().expect("one was just pushed")
            }
        };
        match race.entries.iter_mut().find(|entry| entry.name == trial.contender) {
            Some(entry) => entry.trials.push(trial),
            None => race.entries.push(Entry { name: &trial.contender, trials: vec![trial] }),
        }
    }
    for race in &mut races {
        race.order_entries(result);
    }
    races
}

impl<'a> Race<'a> {
    pub(crate) fn is_closed(&self) -> bool {
        self.level == CLOSED_LEVEL
    }

    pub(crate) fn is_of(&self, trial: &Trial) -> bool {
        (self.workload, self.scenario, self.level)
            == (&*trial.workload, &*trial.scenario, &*trial.level)
    }

    /// Whether it is the same race in another result.
    pub(crate) fn is_like(&self, other: &Race<'_>) -> bool {
        (self.workload, self.level) == (other.workload, other.level)
            && self.scenario == other.scenario
    }

    pub(crate) fn info<'r>(&self, result: &'r RunResult, name: &str) -> Option<&'r ContenderInfo> {
        let of = |info: &&ContenderInfo| {
            (self.workload, name) == (&*info.workload, &*info.contender)
                && info.scenario == self.scenario
        };
        result.contenders.iter().find(of)
    }

    /// The name of one of its contenders with its size, where that is known and the name does not say it: `thread-pool of
    /// 64 threads`.
    pub(crate) fn sized(&self, result: &RunResult, name: &str) -> String {
        let threads = self.info(result, name).and_then(|info| info.threads);
        let unsaid = threads.filter(|threads| !name.contains(&threads.to_string()));
        let size = unsaid.map_or_else(String::new, |threads| format!(" of {threads} threads"));
        clean(name) + &size
    }

    pub(crate) fn cores(&self) -> usize {
        self.trials().map(|trial| trial.placement.contender_cores.len()).max().unwrap_or(1)
    }

    /// What its contenders waited for, if they did.
    pub(crate) fn dependency(&self) -> Option<&'a str> {
        self.entries.first()?.trials.first()?.dependency.as_deref()
    }

    /// Trials come in a shuffled order; comparisons, which the run makes in the scenario's order, tell that order.
    fn order_entries(&mut self, result: &RunResult) {
        let compared = || result.comparisons.iter().filter(|c| c.workload == self.workload);
        let ceilings = result.ceilings.iter().filter(|c| c.workload == self.workload);
        let of_ceilings = ceilings.map(|ceiling| ceiling.contender.as_str());
        let of_comparisons = compared().map(|c| &*c.versus).chain(compared().map(|c| &*c.of));
        let names = distinct(of_comparisons.chain(of_ceilings));
        let place = |name| names.iter().position(|n| *n == name).unwrap_or(names.len());
        self.entries.sort_by_key(|entry| (place(entry.name), entry.name));
        for entry in &mut self.entries {
            entry.trials.sort_by_key(|trial| trial.round);
        }
    }

    /// The request kinds, in alphabetical order.
    pub(crate) fn kinds(&self) -> Vec<&'a str> {
        let mut kinds: Vec<&str> =
            self.trials().flat_map(|trial| trial.by_request.keys().map(String::as_str)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Every trial that counts.
    pub(crate) fn trials(&self) -> impl Iterator<Item = &'a Trial> + '_ {
        self.entries.iter().flat_map(|entry| entry.trials.iter().copied())
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The lowest and the highest rate of a load in steps.
    pub(crate) fn steps(&self) -> Option<(f64, f64)> {
        let rates = self.trials().flat_map(|trial| &trial.load.steps).map(|step| step.rate);
        rates.fold(None, |ends: Option<(f64, f64)>, rate| {
            let (low, high) = ends.unwrap_or((rate, rate));
            Some((low.min(rate), high.max(rate)))
        })
    }

    /// Requests due per second, where all contenders had the same.
    pub(crate) fn offered_rps(&self) -> Option<f64> {
        let mut offered: Vec<f64> = self.entries.iter().filter_map(Entry::offered_rps).collect();
        offered.sort_by(f64::total_cmp);
        let (low, high) = (*offered.first()?, *offered.last()?);
        (high <= low * SAME_LOAD).then_some(low)
    }
}

/// Arrivals are random: counted over a window, equal rates differ by a little.
const SAME_LOAD: f64 = 1.05;

impl<'a> Entry<'a> {
    /// Trials whose numbers may be used: all but the invalid ones.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &'a Trial> + '_ {
        self.trials.iter().copied().filter(|trial| trial.validity.verdict < TrialVerdict::Invalid)
    }

    /// Rounds that count in every comparison: those that hold, and lost ones.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &'a Trial> + '_ {
        let counts = |trial: &&'a Trial| {
            trial.validity.lost || trial.validity.verdict < TrialVerdict::Invalid
        };
        self.trials.iter().copied().filter(counts)
    }

    /// Rounds that it lost in every metric.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &'a Trial> + '_ {
        self.trials.iter().copied().filter(|trial| trial.validity.lost)
    }

    /// The response time at `per_mille`, in ns; `kind` names the requests.
    pub(crate) fn response(&self, kind: &str, per_mille: u64) -> Figure {
        if self.usable().next().is_none() && self.lost().next().is_some() {
            return Figure::Lost;
        }
        let rounds = self.usable().filter_map(|trial| {
            trial.by_request.get(kind).map(|requests| response(trial, requests, per_mille))
        });
        median(rounds.collect())
    }

    /// Failures of all its rounds, lost ones too, and of how many requests.
    pub(crate) fn failures(&self) -> (u64, u64) {
        let failures = self.trials.iter().flat_map(|trial| trial.errors.values()).sum();
        (failures, self.trials.iter().map(|trial| trial.requests).sum())
    }

    /// Requests due per second, the median of the rounds.
    pub(crate) fn offered_rps(&self) -> Option<f64> {
        self.middle(|trial| Some(trial.offered_rps))
    }

    /// The median over usable rounds of what `figure` gives for each.
    pub(crate) fn middle(&self, figure: impl Fn(&Trial) -> Option<f64>) -> Option<f64> {
        middle(self.usable().filter_map(figure).collect())
    }

    /// What the machine gave it, the median of the rounds, bytes; nothing where they were read in two ways.
    pub(crate) fn memory(&self) -> Option<f64> {
        self.memory_kind()?;
        self.middle(|trial| trial.server.memory_peak_bytes.map(|bytes| bytes as f64))
    }

    /// How that was read in all its rounds.
    pub(crate) fn memory_kind(&self) -> Option<MemoryKind> {
        let mut kinds = self.usable().filter_map(|trial| trial.server.memory_kind);
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    }

    /// The most that was resident of its process, the median of the rounds, bytes.
    pub(crate) fn rss(&self) -> Option<f64> {
        self.middle(|trial| trial.server.rss_peak_bytes.map(|bytes| bytes as f64))
    }

    /// Rounds in which outstanding work grew without end.
    pub(crate) fn saturated_rounds(&self) -> usize {
        self.counted().filter(|trial| trial.saturated).count()
    }

    /// Whether it lost half of its rounds or more. Such a contender wins nothing.
    pub(crate) fn has_lost(&self) -> bool {
        let lost = self.trials.iter().filter(|trial| trial.validity.lost).count();
        lost > 0 && 2 * lost >= self.trials.len()
    }

    /// Whether the contender is saturated here: in half of its rounds or more.
    pub(crate) fn is_saturated(&self) -> bool {
        self.saturated_rounds() > 0 && 2 * self.saturated_rounds() >= self.counted().count()
    }

    pub(crate) fn validity(&self) -> EntryValidity {
        let verdicts = || self.trials.iter().map(|trial| trial.validity.verdict);
        EntryValidity {
            worst: verdicts().max().unwrap_or(TrialVerdict::Invalid),
            valid: verdicts().filter(|verdict| *verdict == TrialVerdict::Valid).count(),
            rounds: self.trials.len(),
        }
    }

    /// What bound most of its rounds; among equals the first that was seen.
    pub(crate) fn bound_by(&self) -> &'static str {
        let count = |what| self.trials.iter().filter(|trial| trial.bound_by == what).count();
        // The last of equals is taken.
        let most = self.trials.iter().rev().max_by_key(|trial| count(trial.bound_by));
        most.map_or("-", |trial| trial.bound_by.name())
    }

    /// The requests of all usable, unsaturated rounds together; `None` where there are none.
    ///
    /// # Errors
    /// Where a trial's histogram cannot be read.
    pub(crate) fn merged(
        &self,
        kind: &str,
        of: impl Fn(&ByRequest) -> Option<&Distribution>,
    ) -> Result<Option<Ranked>, String> {
        let mut merged: Option<Ranked> = None;
        for trial in self.usable().filter(|trial| !trial.saturated) {
            let Some(part) = trial.by_request.get(kind).and_then(&of) else { continue };
            let part = histogram::requests(part).map_err(|error| {
                format!("round {} of {}, {kind}: {error}", trial.round, trial.contender)
            })?;
            match &mut merged {
                Some(whole) => {
                    whole.add(&part).map_err(|error| format!("{}: {error}", trial.contender))?;
                }
                None => merged = Some(part),
            }
        }
        Ok(merged.filter(|requests| requests.requests() > 0))
    }
}

/// What one trial says about a percentile.
pub(crate) fn response(trial: &Trial, requests: &ByRequest, per_mille: u64) -> Figure {
    if trial.saturated {
        return Figure::Saturated;
    }
    let Some(times) = &requests.response_ns else { return Figure::Withheld };
    match Figure::of(times.at(per_mille)) {
        Figure::Value(ns) => late_figure(ns, late::without(ns, times.ours_at(per_mille))),
        other => other,
    }
}

impl Figure {
    /// A percentile alone.
    pub(crate) fn of(quantile: Quantile) -> Self {
        match quantile {
            Quantile::Withheld => Self::Withheld,
            Quantile::Time(ns) | Quantile::AtMost(ns) => Self::Value(ns as f64),
            Quantile::AtLeast(ns) => Self::AtLeast(ns as f64),
            Quantile::Unbounded => Self::Unbounded,
        }
    }
}

/// A time, and what it is without the generator's own lateness.
fn late_figure(ns: f64, without: f64) -> Figure {
    match Late::of(late::share(ns, without)) {
        Late::No => Figure::Value(ns),
        Late::Marked | Late::Bound => Figure::Late { ns, without },
    }
}

/// The median of the rounds, a saturated one, or one that fell on a failure, being later than any value. Withheld if most rounds are.
/// Where rounds are late it is an interval too: the median of their times and that of what they are without the lateness.
pub(crate) fn median(rounds: Vec<Figure>) -> Figure {
    let rank = |figure: &Figure| match figure {
        Figure::Value(value) | Figure::Late { ns: value, .. } => (0, *value),
        Figure::AtLeast(bound) => (1, *bound),
        Figure::Unbounded => (2, 0.0),
        Figure::Saturated | Figure::Lost => (3, 0.0),
        Figure::Withheld => (4, 0.0),
    };
    let all = rounds.len();
    let mut known: Vec<Figure> = rounds.into_iter().filter(|f| *f != Figure::Withheld).collect();
    if known.is_empty() || 2 * known.len() < all {
        return Figure::Withheld;
    }
    known.sort_by(|a, b| rank(a).partial_cmp(&rank(b)).expect("no figure is NaN"));
    let middles = [known[(known.len() - 1) / 2], known[known.len() / 2]];
    let [Some(low), Some(high)] = middles.map(|figure| figure.time()) else { return middles[1] };
    let without = known.iter().map(|figure| figure.without_lateness().unwrap_or(f64::INFINITY));
    let without = middle(without.collect()).unwrap_or_default();
    late_figure((low + high) / 2.0, without)
}

/// The median; `None` of nothing.
pub(crate) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some((values[(values.len() - 1) / 2] + upper) / 2.0)
}

/// The 95 % interval of the middle of values above 0; `None` of fewer than six.
pub(crate) fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let logarithms: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let interval = hodges_lehmann(&logarithms, 0.95)?.interval?;
    Some((interval.low.exp(), interval.high.exp()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Figure::{AtLeast, Saturated, Unbounded, Value, Withheld};

    #[test]
    fn the_median_of_late_rounds_is_an_interval_where_its_own_ends_differ() {
        let late = |ns| Figure::Late { ns, without: ns / 2.0 };
        assert_eq!(median(vec![late(4.0), late(4.0), Value(4.0)]), late(4.0));
        assert_eq!(
            median(vec![late(4.0), Value(4.0), Value(4.0)]),
            Value(4.0),
            "two of three hold"
        );
        assert_eq!(
            median(vec![Value(1.0), Value(2.0), late(9.0)]),
            Value(2.0),
            "4.5 is above it too"
        );
        let half = median(vec![late(4.0), Value(4.0)]);
        assert_eq!((half, half.late()), (Figure::Late { ns: 4.0, without: 3.0 }, Late::Marked));
        assert_eq!(median(vec![late(4.0), Unbounded, Unbounded]), Unbounded);
    }

    #[test]
    fn a_saturated_round_is_later_than_any_other() {
        for (rounds, want) in [
            (vec![Value(1.0), Value(3.0), Value(2.0)], Value(2.0)),
            (vec![Value(1.0), Value(2.0)], Value(1.5)),
            (vec![Saturated, Value(2.0), Value(1.0)], Value(2.0)),
            (vec![Saturated, Value(1.0)], Saturated),
            (vec![Unbounded, Saturated, Value(1.0)], Unbounded),
            (vec![Unbounded, AtLeast(5.0), Value(9.0)], AtLeast(5.0)),
            (vec![Withheld, Value(1.0)], Value(1.0)),
            (vec![Withheld, Withheld, Value(1.0)], Withheld),
            (vec![], Withheld),
        ] {
            assert_eq!(median(rounds.clone()), want, "{rounds:?}");
        }
    }

    #[test]
    fn a_void_first_round_leaves_a_race_in_its_place() {
        let mut result = crate::judge::mock::empty("tour", "Two");
        for scenario in ["first", "second"] {
            let from = result.trials.len();
            let models = &crate::judge::mock::MODELS;
            crate::judge::mock::add_race(
                &mut result,
                "payment",
                scenario,
                1e3,
                &[("payment", 9)],
                2,
                models,
            );
            result.trials[from..].iter_mut().for_each(|trial| trial.scenario = scenario.into());
            let info = ContenderInfo { scenario: scenario.into(), ..ContenderInfo::default() };
            result.contenders.push(info);
        }
        let again: Vec<Trial> = result.trials.drain(..8).collect();
        result.trials.extend(again);
        let order: Vec<&str> = races(&result).iter().map(|race| race.scenario).collect();
        assert_eq!(order, ["first", "second"]);
    }

    #[test]
    fn the_middle_of_values() {
        assert_eq!(middle(vec![]), None);
        assert_eq!(middle(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(middle(vec![4.0, 1.0]), Some(2.5));
    }
}
