//! What each contender can do at most: its ceiling in one short closed loop, the measure of every level given in percent;
//! and the highest rate at which it keeps the SLO, as an interval. The search itself is `stats::capacity`'s; here
//! its trials are run, those of all contenders in turn, so that a slow minute hits all of them alike.

use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::judge::failures::over_the_error_bound;
use crate::judge::statement::capacity::{interval, the_pool_binds_both};
use crate::record::CLOSED_LEVEL;
use crate::record::{BoundBy, Resource};
use crate::record::{Capacity, Ceiling, Comparison, Direction, LostBy, Trial, TrialVerdict, late};
use crate::run::testbed::{ExperimentContext, Testbed};
use crate::run::trial::spec::TrialSpec;
use crate::scenario::{CapacitySearch, Contender, Level, LoadKind, Scenario, Slo};
use crate::stats::capacity::{Cost, Search, SearchPlan, SearchStep, Stage};
use crate::units::{Nanos, Rate};

/// No rate below this share of the closed ceiling is tried, and none whose window would be longer than this.
const LOWEST_OF_CEILING: f64 = 0.02;
const WINDOW_MAX_S: f64 = 20.0;

/// A contender's search.
struct Looking<'a> {
    contender: &'a Contender,
    search: Search,
    /// No rate above it is tried.
    highest: Rate,
    /// Trials that were run, void ones too.
    trials: u32,
    /// What bound those that did not keep the SLO, by rate.
    broken: Vec<(Rate, BoundBy)>,
    given_up: Option<String>,
    /// Why an end is open: no trial there holds.
    unanswered: Option<String>,
}

/// What the search of one contender costs in trials, whatever they say.
pub(crate) fn cost(scenario: &Scenario, ceiling: Rate) -> Cost {
    Search::new(plan(scenario, ceiling, 0)).cost()
}

/// The capacities in the scenario's order, and all trials.
pub(crate) fn run(
    context: &mut ExperimentContext<'_, '_>,
    scenario: &Scenario,
    how: CapacitySearch,
    ceilings: &[Ceiling],
) -> Result<(Vec<Capacity>, Vec<Trial>)> {
    let Some(slo) = scenario.slo else { return Ok((Vec::new(), Vec::new())) };
    let mut all: Vec<Looking<'_>> = Vec::new();
    for (number, contender) in scenario.contenders.iter().enumerate() {
        let order_seed = context.order_seed.wrapping_add(number as u64);
        all.extend(looking(scenario, contender, ceilings, order_seed));
    }
    let mut trials = Vec::new();
    let mut round = 0;
    loop {
        round += 1;
        let mut ended = true;
        for (place, one) in all.iter_mut().enumerate().filter(|(_, one)| one.given_up.is_none()) {
            let Some(step) = one.search.next() else { continue };
            let duration = window(scenario, how, step);
            let pilots = context.testbed.warmth.to_come(scenario);
            let before = pilots + scenario.warm_up_estimate(one.contender, Some(step.rate));
            if !context.budget.allows(before + duration) {
                one.given_up = Some("the budget ended the search".into());
                continue;
            }
            ended = false;
            let spec = TrialSpec {
                scenario,
                contender: one.contender,
                rate: Some(step.rate),
                level: step.rate.to_string(),
                duration,
                round,
                place: place as u32,
            };
            let Some(trial) = one.step(context, &spec, step, slo)? else {
                return Ok((answers(scenario, all), trials));
            };
            trials.push(trial);
        }
        if ended {
            return Ok((answers(scenario, all), trials));
        }
    }
}

fn looking<'a>(
    scenario: &Scenario,
    contender: &'a Contender,
    ceilings: &[Ceiling],
    order_seed: u64,
) -> Option<Looking<'a>> {
    let own = ceilings.iter().find(|ceiling| ceiling.is_of(&scenario.name, &contender.name))?;
    let plan = plan(scenario, Rate(own.closed_rps?), order_seed);
    let (search, highest) = (Search::new(plan), plan.highest);
    Some(Looking {
        contender,
        search,
        highest,
        trials: 0,
        broken: Vec::new(),
        given_up: None,
        unanswered: None,
    })
}

/// Where a search looks: no further than the connections carry within the SLO.
fn plan(scenario: &Scenario, ceiling: Rate, order_seed: u64) -> SearchPlan {
    let slo = scenario.slo.map_or(1.0, |slo| slo.p99.as_secs_f64());
    let carried = scenario.load.connections as f64 / (2.0 * slo);
    let shortest = Rate::for_window(scenario.load.requests_min as f64, WINDOW_MAX_S);
    // The search also covers a service so slow that its windows are longer.
    let lowest = (LOWEST_OF_CEILING * ceiling.0).max(shortest.0).min(carried).min(ceiling.0 / 2.0);
    SearchPlan::around(ceiling, Rate(lowest), Rate(carried), order_seed)
}

/// Long enough for its percentile, whatever it is for.
fn window(scenario: &Scenario, how: CapacitySearch, step: SearchStep) -> Nanos {
    let least = match step.stage {
        Stage::Short => how.short,
        Stage::Deciding => how.deciding.unwrap_or(scenario.load.duration),
    };
    least.max(step.rate.window_of(scenario.load.requests_min as f64))
}

impl Looking<'_> {
    /// Runs the trial of a step and records it; a void one is asked for again. Nothing when it was cut short.
    fn step(
        &mut self,
        context: &mut ExperimentContext<'_, '_>,
        spec: &TrialSpec<'_>,
        step: SearchStep,
        slo: Slo,
    ) -> Result<Option<Trial>> {
        let Some(mut trial) = context.testbed.trial(spec, context.stop)? else { return Ok(None) };
        self.trials += 1;
        let kept = kept(&trial, slo);
        trial.voided = trial.validity.voids_round;
        if kept == Some(false) {
            self.broken.push((step.rate, trial.bound_by));
        }
        if self.search.record(step.rate, kept) {
            let why = trial.validity.reasons.join("; ");
            self.unanswered = Some(format!("no trial at {} holds: {why}", step.rate));
        }
        Ok(Some(trial))
    }

    fn answer(self, scenario: &Scenario) -> Capacity {
        let found = self.search.answer();
        let at_border = self.broken.iter().filter(|(rate, _)| found.below == Some(*rate));
        let mut bound: Vec<BoundBy> = at_border.map(|(_, by)| *by).collect();
        bound.sort_unstable_by_key(|by| by.name());
        let most = bound.chunk_by(|a, b| a == b).max_by_key(|alike| alike.len());
        let open = match (self.given_up.or(self.unanswered), found.below) {
            (Some(why), _) => why,
            (None, None) if found.at_least.is_some() => {
                format!("no rate up to {} was shown to break the SLO", self.highest)
            }
            _ => String::new(),
        };
        Capacity {
            workload: scenario.workload.name().into(),
            scenario: scenario.name.clone(),
            contender: self.contender.name.clone(),
            at_least_rps: found.at_least.map(|rate| rate.0),
            below_rps: found.below.map(|rate| rate.0),
            bound_by: most.map(|alike| alike[0]),
            trials: self.trials,
            reason: open,
        }
    }
}

/// In the scenario's order; of who lost the probe of its ceiling it is known that nothing was found.
fn answers(scenario: &Scenario, mut all: Vec<Looking<'_>>) -> Vec<Capacity> {
    let answer = |contender: &Contender| match all
        .iter()
        .position(|one| one.contender.name == contender.name)
    {
        Some(place) => all.remove(place).answer(scenario),
        None => Capacity {
            workload: scenario.workload.name().into(),
            scenario: scenario.name.clone(),
            contender: contender.name.clone(),
            reason: "it lost the probe of its maximum throughput twice".into(),
            ..Capacity::default()
        },
    };
    scenario.contenders.iter().map(answer).collect()
}

/// Whether the SLO was kept; `None` when the machine or the generator invalidated the trial.
fn kept(trial: &Trial, slo: Slo) -> Option<bool> {
    if trial.saturated || trial.validity.lost {
        return Some(false);
    }
    if trial.validity.voids_round || trial.validity.verdict == TrialVerdict::Invalid {
        return None;
    }
    let failed: u64 = trial.errors.values().sum();
    if over_the_error_bound(failed, trial.requests, slo.error_rate.0) {
        return Some(false);
    }
    let p99 = trial.by_request.values().filter_map(|kind| kind.response_ns.as_ref()?.ends(990));
    let (low, high) = p99.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))?;
    late::at_most(low, high, slo.p99.0 as f64)
}

/// Each contender's capacity against the first one's.
pub(crate) fn comparisons(capacities: &[Capacity], ceilings: &[Ceiling]) -> Vec<Comparison> {
    let Some((first, others)) = capacities.split_first() else { return Vec::new() };
    others.iter().map(|other| compare(other, first, ceilings)).collect()
}

fn compare(of: &Capacity, versus: &Capacity, ceilings: &[Ceiling]) -> Comparison {
    let interval = interval(of, versus);
    let middle = |one: &Capacity| Some((one.at_least_rps? * one.below_rps?).sqrt());
    let verdict = match interval {
        _ if the_pool_binds_both(of, versus, ceilings) => Direction::Inconclusive,
        Some((low, _)) if low > 1.0 => Direction::Higher,
        Some((_, high)) if high < 1.0 => Direction::Lower,
        _ => Direction::Inconclusive,
    };
    Comparison {
        workload: of.workload.clone(),
        scenario: of.scenario.clone(),
        metric: "capacity".into(),
        request: None,
        at: "SLO".into(),
        of: of.contender.clone(),
        versus: versus.contender.clone(),
        ratio: middle(of).zip(middle(versus)).map(|(of, versus)| of / versus),
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high).filter(|high| high.is_finite()),
        difference: middle(of).zip(middle(versus)).map(|(of, versus)| of - versus),
        n: of.trials.min(versus.trials),
        verdict,
        ..Comparison::default()
    }
}

/// How long a ceiling is probed.
const PROBE: Nanos = Nanos(3_000_000_000);
/// How often a contender is probed that loses its probe.
const PROBES: usize = 2;

/// Whether a scenario has levels that need its contenders' ceilings.
pub(crate) fn needed(scenario: &Scenario) -> bool {
    let relative = scenario.rates.iter().any(|level| !matches!(level, Level::Rate(_)));
    let searched = scenario.experiments.capacity.is_some();
    (relative || searched) && matches!(scenario.load.kind, LoadKind::Open(_))
}

/// Probes every contender of a scenario, and again each one that lost its probe; fewer when it is stopped. A contender
/// that loses both has no ceiling.
pub(crate) fn probe(
    testbed: &mut Testbed<'_>,
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<(Vec<Ceiling>, Vec<Trial>)> {
    let cores = testbed.host.placement(scenario)?.contender.len();
    let (mut ceilings, mut trials) = (Vec::new(), Vec::new());
    // A smoke run asks whether it works.
    let smoke = scenario.load.requests_min == 0;
    let duration = if smoke { scenario.load.duration } else { PROBE };
    for (place, contender) in scenario.contenders.iter().enumerate() {
        for _ in 0..PROBES {
            let spec = TrialSpec {
                scenario,
                contender,
                rate: None,
                level: CLOSED_LEVEL.into(),
                duration,
                round: 0,
                place: place as u32,
            };
            let Some(trial) = testbed.trial(&spec, stop)? else { return Ok((ceilings, trials)) };
            let found = ceiling(&trial, cores);
            trials.push(trial);
            if found.closed_rps.is_some() {
                ceilings.push(found);
                break;
            }
        }
    }
    match (ceilings.is_empty(), trials.first()) {
        (true, Some(trial)) => {
            let why = trial.validity.reasons.join("; ");
            let what =
                format!("no contender gave a correct response in a closed loop of {PROBE}: {why}");
            Err(Error::invalid(what).by_contender(trial.validity.wrote.clone()))
        }
        _ => Ok((ceilings, trials)),
    }
}

/// The ceiling that a closed trial shows; none of a lost one.
pub(crate) fn ceiling(trial: &Trial, cores: usize) -> Ceiling {
    let broke_down = trial.validity.lost_by == Some(LostBy::Crash);
    let busy = trial.server.cpu_share.is_some_and(|share| share > 0.9);
    Ceiling {
        workload: trial.workload.clone(),
        scenario: trial.scenario.clone(),
        contender: trial.contender.clone(),
        closed_rps: Some(trial.achieved_rps).filter(|rps| *rps > 0.0 && !broke_down),
        cpu_rps: trial.server.cpu_us_per_request.map(|us| cores as f64 * 1e6 / us),
        pool_rps: None,
        threads_rps: None,
        binds: if busy { Resource::Cpu } else { Resource::Unknown },
        dependency: trial.dependency.clone(),
    }
}

/// The rate that a level means for a contender; nothing where it is a share of a ceiling that is not known.
pub(crate) fn rate_at(
    level: Level,
    contender: &str,
    scenario: &str,
    ceilings: &[Ceiling],
) -> Option<Rate> {
    let here = || ceilings.iter().filter(|ceiling| ceiling.scenario == scenario);
    match level {
        Level::Rate(rate) => Some(rate),
        Level::OfLowest(share) => {
            let lowest = here().filter_map(|ceiling| ceiling.closed_rps).reduce(f64::min)?;
            Some(Rate(share.0 * lowest))
        }
        Level::OfOwn(share) => {
            let own = here().find(|ceiling| ceiling.contender == contender)?;
            Some(Rate(share.0 * own.closed_rps?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::units::Share;

    fn ceiling(name: &str, pool_rps: f64, binds: &str) -> Ceiling {
        Ceiling {
            contender: name.into(),
            cpu_rps: Some(9_000.0),
            pool_rps: Some(pool_rps),
            binds: binds.parse().unwrap(),
            ..Ceiling::default()
        }
    }

    fn capacity(name: &str, at_least: f64, below: f64, bound_by: &str) -> Capacity {
        Capacity {
            contender: name.into(),
            at_least_rps: Some(at_least),
            below_rps: Some(below),
            bound_by: bound_by.parse().ok(),
            ..Capacity::default()
        }
    }

    #[test]
    fn a_search_begins_at_its_own_scenarios_ceiling() {
        let one = crate::scenario::builtin("capacity-payment").unwrap();
        let other = Scenario { name: "other".into(), ..one.clone() };
        let contender = &one.contenders[0];
        let ceilings = [(&other, 2_000.0), (&one, 6_000.0)].map(|(scenario, rps)| Ceiling {
            scenario: scenario.name.clone(),
            closed_rps: Some(rps),
            ..ceiling(&contender.name, 48_000.0, "cpu")
        });
        let first = |scenario: &Scenario| {
            looking(scenario, contender, &ceilings, 0).unwrap().search.next().unwrap().rate
        };
        assert_eq!(first(&one), Rate(3_000.0));
        assert_eq!(first(&other), Rate(1_000.0));
        assert!(looking(&one, &one.contenders[1], &ceilings, 0).is_none());
    }

    #[test]
    fn failures_break_an_slo_at_their_rank_and_by_their_number() {
        let mut trial = crate::judge::mock::payments(1, &[("mine", 100.0, 1.0)]).trials.remove(0);
        let kept = |trial: &Trial, percent: f64| {
            kept(trial, Slo { p99: Nanos(10_000_000), error_rate: Share(percent / 100.0) })
        };
        assert_eq!(kept(&trial, 0.1), Some(true));
        crate::judge::mock::fail(&mut trial, 10);
        assert_eq!((kept(&trial, 0.1), kept(&trial, 0.08)), (Some(true), Some(false)));
        crate::judge::mock::fail(&mut trial, 60);
        assert_eq!(kept(&trial, 100.0), Some(false), "p99 is a failure");
    }

    #[test]
    fn capacities_are_compared_at_their_worst() {
        let (a, b) = (
            capacity("a", 2_000.0, 2_200.0, "contender"),
            capacity("b", 900.0, 1_000.0, "contender"),
        );
        let compare = |of: &Capacity, versus: &Capacity| super::compare(of, versus, &[]);
        let compared = compare(&a, &b);
        assert_eq!((compared.low, compared.verdict), (Some(2.0), Direction::Higher));
        assert!((compared.high.unwrap() - 2_200.0 / 900.0).abs() < 1e-12);
        assert_eq!(compare(&b, &a).verdict, Direction::Lower);
        let near = capacity("c", 1_900.0, 2_100.0, "contender");
        assert_eq!(compare(&a, &near).verdict, Direction::Inconclusive);
    }

    #[test]
    fn a_pool_that_binds_both_decides_nothing() {
        let (a, b) =
            (capacity("a", 2_000.0, 2_200.0, "pool"), capacity("b", 900.0, 1_000.0, "pool"));
        let verdict = |pools: [f64; 2], binds: [&str; 2]| {
            let ceilings = [ceiling("a", pools[0], binds[0]), ceiling("b", pools[1], binds[1])];
            compare(&a, &b, &ceilings).verdict
        };
        assert_eq!(verdict([2_300.0; 2], ["pool"; 2]), Direction::Inconclusive);
        assert_eq!(
            verdict([2_300.0; 2], ["cpu"; 2]),
            Direction::Higher,
            "a full pool that does not bind"
        );
        assert_eq!(verdict([2_300.0, 1_000.0], ["pool"; 2]), Direction::Higher, "two pools");
    }

    #[test]
    fn an_open_end_leaves_one_side_of_the_ratio() {
        let mut a = capacity("a", 2_000.0, 0.0, "");
        a.below_rps = None;
        let compared = compare(&a, &capacity("b", 900.0, 1_000.0, "contender"), &[]);
        assert_eq!((compared.low, compared.high, compared.ratio), (Some(2.0), None, None));
        assert_eq!(compared.verdict, Direction::Higher);
    }

    #[test]
    fn a_percentage_is_of_the_lowest_unless_it_is_of_ones_own() {
        let ceiling = |contender: &str, scenario: &str, closed_rps| Ceiling {
            scenario: scenario.into(),
            contender: contender.into(),
            closed_rps: Some(closed_rps),
            ..Ceiling::default()
        };
        let ceilings =
            [ceiling("a", "slow", 10.0), ceiling("a", "fast", 900.0), ceiling("b", "fast", 600.0)];
        let at = |level| rate_at(level, "a", "fast", &ceilings).unwrap();
        assert_eq!(at(Level::Rate(Rate(7.0))), Rate(7.0));
        assert_eq!(at(Level::OfLowest(Share(0.5))), Rate(300.0));
        assert_eq!(at(Level::OfOwn(Share(0.5))), Rate(450.0), "its own, of this scenario");
        let unknown = rate_at(Level::OfOwn(Share(0.5)), "c", "fast", &ceilings);
        assert_eq!(unknown, None, "it lost its probe");
    }
}
