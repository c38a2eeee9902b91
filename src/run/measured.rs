//! What a run has measured, and the one way from there to a judged result: of a run that has ended, of an interrupted one, and
//! of shards that were joined.

use std::ops::Range;

use crate::judge::cell::exploratory;
use crate::judge::{bounds, statement};
use crate::load::plan::Traffic;
use crate::record::trial::drop_all_but_response_times;
use crate::record::{
    Calibrated, Capacity, Ceiling, Comparison, Fingerprint, Footprint, Judgement, Map, Pilot,
    RunResult, Trial, TrialVerdict, Why,
};
use crate::run::rounds::RandomizedBlock;
use crate::run::{Request, capacity, rounds, warm};
use crate::scenario::{LoadKind, PlacementMode, Scenario, Statement};
use crate::{judge, record};

/// Which of a scenario's levels are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those of `compare`, in their order.
    Compare,
    /// Those of `curve`, in another order in each round.
    Curve,
}

/// Which of a scenario's levels are of a part; the ceiling of a closed load is one.
pub(crate) fn levels(scenario: &Scenario, part: Part) -> Range<usize> {
    let compared = scenario.experiments.compared;
    match (scenario.load.kind, part) {
        (LoadKind::Closed, Part::Compare) => 0..1,
        (LoadKind::Closed, Part::Curve) => 0..0,
        (LoadKind::Open(_), Part::Compare) => 0..compared,
        (LoadKind::Open(_), Part::Curve) => compared..scenario.rates.len(),
    }
}

/// Every level of a part of every scenario in each of the rounds, in the order in which they are run: what a round has does not
/// depend on which others are run.
pub(crate) fn blocks(
    scenarios: &[Scenario],
    order_seed: u64,
    part: Part,
    rounds: impl Iterator<Item = u32>,
) -> Vec<RandomizedBlock> {
    let mut blocks = Vec::new();
    for round in rounds {
        for (scenario, of) in scenarios.iter().enumerate().filter(|(_, of)| round <= of.rounds) {
            let levels = levels(of, part);
            let block = |level| RandomizedBlock { scenario, level, round };
            match part {
                Part::Compare => blocks.extend(levels.map(block)),
                Part::Curve => {
                    let shuffled = rounds::levels(order_seed, scenario, round, levels);
                    blocks.extend(shuffled.into_iter().map(block));
                }
            }
        }
    }
    blocks
}

/// Everything that the judgement of a run rests on.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    pub(crate) request: &'a Request,
    pub(crate) order_seed: u64,
    pub(crate) started_utc: String,
    pub(crate) fingerprint: Fingerprint,
    /// Rounds asked for.
    pub(crate) rounds: u32,
    /// Rounds of `compare` and of `curve` that have to count, where these are not all of the scenario's.
    pub(crate) needed: [Option<u32>; 2],
    /// How many cores the contenders of each scenario have, where that is known.
    pub(crate) cores: Vec<Option<usize>>,
    /// As they were probed.
    pub(crate) ceilings: Vec<Ceiling>,
    pub(crate) probes: Vec<Trial>,
    pub(crate) trials: Vec<Trial>,
    pub(crate) voided_rounds: u32,
    pub(crate) capacity: Vec<Capacity>,
    pub(crate) map: Option<Map>,
    pub(crate) footprints: Vec<Footprint>,
    pub(crate) pilots: Vec<Pilot>,
    pub(crate) why: Option<Why>,
    /// Of the first scenario's request.
    pub(crate) calibration: Option<Calibrated>,
    /// What is known of the machine and of the course of the run, in sentences.
    pub(crate) notes: Vec<String>,
    pub(crate) interrupted: bool,
}

impl Measured<'_> {
    pub(crate) fn judged(mut self) -> RunResult {
        let request = self.request;
        self.probes.iter_mut().for_each(drop_all_but_response_times);
        request.scenarios.iter().for_each(|scenario| warm::mark(scenario, &mut self.trials));
        let ceilings = self.bounds();
        let found = statement::Found {
            trials: &self.trials,
            ceilings: &ceilings,
            capacity: &self.capacity,
            footprints: &self.footprints,
        };
        let judged = |statements: fn(&Scenario) -> &Vec<Statement>| -> Vec<Judgement> {
            let of = |scenario| {
                let judge = |statement| statement::judge(scenario, statement, found);
                statements(scenario).iter().map(judge).collect::<Vec<_>>()
            };
            request.scenarios.iter().flat_map(of).collect()
        };
        let (expectations, claims) = (judged(|one| &one.expectations), judged(|one| &one.claims));
        let broken = |scenario| statement::broken(scenario, &self.trials);
        let broken: Vec<String> = request.scenarios.iter().flat_map(broken).collect();
        // A canary is detected by a failing statement, not by a crash.
        let rings_falsely = request.scenarios[0].self_check && !broken.is_empty();
        let enough = self.lacks_rounds().is_none() && !rings_falsely;
        let verdict = judge::overall(&expectations, &broken, enough, self.interrupted);
        let (notes, comparisons) = (self.notes(), self.comparisons(&ceilings));
        let first = &request.scenarios[0];
        RunResult {
            schema: record::SCHEMA.into(),
            scenario: request.name.clone(),
            title: title(request),
            seed: first.seed,
            order_seed: self.order_seed,
            started_utc: self.started_utc,
            fingerprint: self.fingerprint,
            verdict,
            exit_code: judge::exit_code(verdict),
            voided_rounds: self.voided_rounds,
            rounds: self.rounds,
            self_check: first.self_check,
            request_cpu_ns: first.request_cpu.0,
            request_cpu_measured_ns: self.calibration.map_or(0, |one| one.measured_ns),
            signature_rounds: self.calibration.map_or(0, |one| one.rounds),
            floor_ns: judge::floor(&request.scenarios),
            exploratory: exploratory(&comparisons),
            comparisons,
            capacity: self.capacity,
            expectations,
            claims,
            notes,
            broken,
            ceilings,
            trials: self.trials,
            probes: self.probes,
            contenders: request.scenarios.iter().flat_map(judge::contenders).collect(),
            lag_limits_ns: request.scenarios.iter().filter_map(judge::lag_limit).collect(),
            slos: request.scenarios.iter().filter_map(judge::slo).collect(),
            map: self.map,
            words: request.words.clone(),
            footprints: self.footprints,
            pilots: self.pilots,
            why: self.why,
            ..RunResult::default()
        }
    }

    /// What bounds the contenders, as far as the trials show.
    fn bounds(&self) -> Vec<Ceiling> {
        let ran = if self.trials.is_empty() { &self.probes } else { &self.trials };
        let of = |(scenario, cores): (&Scenario, &Option<usize>)| {
            bounds::ceilings(scenario, cores.unwrap_or(1), &self.ceilings, ran)
        };
        self.request.scenarios.iter().zip(&self.cores).flat_map(of).collect()
    }

    /// Each contender against the first one, at every level and in capacity.
    fn comparisons(&self, ceilings: &[Ceiling]) -> Vec<Comparison> {
        let scenarios = &self.request.scenarios;
        let family = statement::Family::of(scenarios);
        let levels =
            scenarios.iter().flat_map(|one| statement::comparisons(family, one, &self.trials));
        let capacity = self.capacity.chunk_by(|a, b| a.scenario == b.scenario);
        let capacities = capacity.flat_map(|all| capacity::comparisons(all, ceilings));
        levels.chain(capacities).collect()
    }

    /// The first contender and level without the required valid rounds.
    fn lacks_rounds(&self) -> Option<String> {
        let parts = [Part::Compare, Part::Curve].into_iter().zip(self.needed);
        let places = parts.flat_map(|(part, needed)| {
            self.request.scenarios.iter().flat_map(move |scenario| {
                levels(scenario, part).map(move |level| (scenario, level, needed))
            })
        });
        for (scenario, level, needed) in places {
            let level = scenario.level_name(level);
            let asked = needed.map_or(scenario.rounds, |needed| needed.clamp(1, scenario.rounds));
            for contender in &scenario.contenders {
                let valid = self.trials.iter().filter(|trial| {
                    trial.scenario == scenario.name
                        && trial.contender == contender.name
                        && trial.level == level
                        && !trial.voided
                        // A lost trial is a result, and a smoke asks for no figures.
                        && (scenario.smoke
                            || trial.validity.lost
                            || trial.validity.verdict != TrialVerdict::Invalid)
                });
                let valid = valid.count() as u32;
                if valid < asked {
                    return Some(format!(
                        "`{}` at {level} has {valid} rounds that count of the {asked} asked for",
                        contender.name
                    ));
                }
            }
        }
        None
    }

    /// What a reader should know.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.lacks_rounds().into_iter().collect();
        notes.extend(self.notes.iter().cloned());
        let scenarios = &self.request.scenarios;
        if scenarios.iter().any(|scenario| scenario.placement.mode == PlacementMode::Shared) {
            notes.push("co-located: generator and contenders share cores".into());
        }
        if self.cores.contains(&Some(1)) {
            notes.push(
                "each contender has one core: models of several threads are not tested here on CPU parallelism".into(),
            );
        }
        let contenders = scenarios.iter().flat_map(|scenario| &scenario.contenders);
        notes.extend(contenders.flat_map(judge::remarks));
        notes.extend(
            scenarios.iter().filter_map(|one| one.load.traffic.as_ref()).flat_map(Traffic::notes),
        );
        if self.fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        notes
    }
}

/// The request's, and that its contenders were cold where nothing was sent before the windows, or that it is a part of a run.
fn title(request: &Request) -> String {
    let cold = request.scenarios.iter().any(Scenario::is_cold).then(|| " (cold)".to_owned());
    let part = request.shard.map(|shard| format!(" (shard {shard})"));
    [request.title.clone()].into_iter().chain(cold).chain(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Shard;
    use crate::scenario::builtin;

    #[test]
    fn the_rounds_of_shards_are_those_of_the_whole_run() {
        const SEED: u64 = 7;
        for (name, part) in [
            ("payment-memory", Part::Compare),
            ("curve-payment-50ms", Part::Compare),
            ("curve-payment-50ms", Part::Curve),
        ] {
            let scenarios = [builtin(name).unwrap()];
            let run = |shard: Shard| -> Vec<(RandomizedBlock, Vec<usize>)> {
                let own = (1..=scenarios[0].rounds).filter(|round| shard.has(*round));
                let of = |block| (block, rounds::order(SEED, block, scenarios[0].contenders.len()));
                blocks(&scenarios, SEED, part, own).into_iter().map(of).collect()
            };
            let shards = (1..=4).map(|n| format!("{n}/4").parse::<Shard>().unwrap());
            let mut joined: Vec<_> = shards.flat_map(run).collect();
            joined.sort_by_key(|(block, _)| block.round);
            let whole = run(Shard::WHOLE);
            assert!(joined == whole, "{name}: {joined:?}\n{whole:?}");
            assert_eq!(whole.is_empty(), (name, part) == ("curve-payment-50ms", Part::Compare));
        }
    }
}
