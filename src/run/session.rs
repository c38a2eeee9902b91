//! One run under way: what it has decided, what has finished, and the file that keeps it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::judge::cell::exploratory;
use crate::judge::{bounds, statement, validity};
use crate::load::plan::Traffic;
use crate::record::trial::drop_all_but_response_times;
use crate::record::{
    Begun, Capacity, Ceiling, Comparison, Fingerprint, Footprint, Judgement, LostBy, Map,
    RunResult, Trial, TrialVerdict, Why,
};
use crate::run::host::Host;
use crate::run::journal::Journal;
use crate::run::rounds::{Budget, RandomizedBlock, Repeats};
use crate::run::testbed::{ExperimentContext, Testbed};
use crate::run::trial::spec::TrialSpec;
use crate::run::{Progress, Request, capacity, footprint, journal, paired, rounds, warm, why};
use crate::scenario::{Contender, Experiments, LoadKind, PlacementMode, Scenario, Statement};
use crate::units::{Nanos, Rate};
use crate::{clock, judge, random, record, scenario};

/// A run under way.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    request: &'a Request,
    pub(crate) testbed: Testbed<'a>,
    order_seed: u64,
    fingerprint: Fingerprint,
    started_utc: String,
    ceilings: Vec<Ceiling>,
    probes: Vec<Trial>,
    trials: Vec<Trial>,
    voided_rounds: u32,
    budget: Budget,
    /// Rounds that the budget allowed, of `compare` and of `curve`; `None` is all of them.
    cut: [Option<u32>; 2],
    capacity: Vec<Capacity>,
    map: Option<Map>,
    footprints: Vec<Footprint>,
    why: Option<Why>,
    /// What an experiment left undone, in sentences.
    left: Vec<String>,
}

/// About how many trials the search for one capacity takes; only how far a run is depends on it.
const TRIALS_OF_A_SEARCH: u64 = 20;

/// Which of a scenario's levels are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those of `compare`, in their order.
    Compare,
    /// Those of `curve`, in another order in each round.
    Curve,
}

impl<'a> Session<'a> {
    /// Makes the report folder, calibrates, and says how much is to come.
    pub(crate) fn open(request: &'a Request, progress: &'a mut Progress) -> Result<Self> {
        let fingerprint = Host::describe(&scenario::fingerprints(&request.scenarios));
        let contenders = journal::contender_files(&request.scenarios);
        let mut testbed = Testbed::open(&request.scenarios, progress, request.yes)?;
        let maps = request.scenarios.iter().filter_map(|one| one.experiments.map.as_ref());
        for cpu in maps.flat_map(|map| &map.cpus) {
            testbed.calibrated(*cpu)?;
        }
        let begun = if request.resume {
            let begun = journal::begun(&request.out, &fingerprint, &contenders)?;
            testbed.calibrate_as(&begun.calibrations);
            testbed.keep_in(Journal::resume(&request.out)?);
            begun
        } else {
            testbed.keep_in(Journal::create(&request.out)?);
            let begun = Begun {
                schema: record::BEGUN_SCHEMA.into(),
                order_seed: request.order_seed.unwrap_or_else(random::fresh_seed),
                started_utc: clock::utc(),
                fingerprint,
                contenders,
                calibrations: testbed.calibrations(),
            };
            journal::begin(&request.out, &begun)?;
            begun
        };
        let session = Self {
            request,
            order_seed: begun.order_seed,
            fingerprint: begun.fingerprint,
            started_utc: begun.started_utc,
            testbed,
            ceilings: Vec::new(),
            probes: Vec::new(),
            trials: Vec::new(),
            voided_rounds: 0,
            budget: Budget::of(request.budget),
            cut: [None; 2],
            capacity: Vec::new(),
            map: None,
            footprints: Vec::new(),
            why: None,
            left: Vec::new(),
        };
        if session.fingerprint.debug_build {
            session
                .testbed
                .progress
                .say("this is a debug build: its figures say nothing about a release build");
        }
        Ok(session)
    }

    /// Every experiment of every scenario.
    pub(crate) fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        self.probe_ceilings(stop)?;
        self.run_rounds(Part::Compare, stop)?;
        self.run_rounds(Part::Curve, stop)?;
        self.has_started()?;
        let request = self.request;
        for scenario in &request.scenarios {
            if !stop.load(Ordering::Relaxed) {
                self.run_experiments(scenario, stop)?;
            }
        }
        self.run_profiled(stop)
    }

    /// Profiled rounds at the first level of every scenario, where they were asked for.
    fn run_profiled(&mut self, stop: &AtomicBool) -> Result<()> {
        let request = self.request;
        let asked = request.words.iter().any(|word| word == "--why");
        if !asked || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let blocks = self.blocks(Part::Compare, 1..=1);
        let mut due = Vec::new();
        for block in blocks.into_iter().filter(|block| block.level == 0) {
            let scenario = &request.scenarios[block.scenario];
            for contender in &scenario.contenders {
                let (level, rate) = self.level(scenario, block.level, contender);
                let duration =
                    rate.map_or(scenario.load.duration, |_| self.duration(scenario, block.level));
                due.push(TrialSpec {
                    scenario,
                    contender,
                    rate,
                    level,
                    duration,
                    round: 0,
                    place: 0,
                });
            }
        }
        let (trials, seed) = (&self.trials, self.order_seed);
        let timed = |spec: &TrialSpec<'_>| {
            let alike = |trial: &&Trial| {
                (&trial.scenario, &trial.contender, &trial.level)
                    == (&spec.scenario.name, &spec.contender.name, &spec.level)
                    && !trial.voided
            };
            let alike = trials.iter().filter(alike);
            alike.filter_map(|trial| trial.server.cpu_us_per_request).collect()
        };
        self.why = Some(why::run(&mut self.testbed, &due, &timed, seed, self.budget, stop)?);
        Ok(())
    }

    /// Whether there is anything to tell.
    fn has_started(&self) -> Result<()> {
        let not_started = |trial: &Trial| trial.validity.lost_by == Some(LostBy::Start);
        match self.trials.first() {
            Some(first) if self.trials.iter().all(not_started) => {
                let why = first.validity.reasons.join("; ");
                Err(Error::invalid(why).by_contender(first.validity.wrote.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Probes the ceilings of the scenarios that need them.
    fn probe_ceilings(&mut self, stop: &AtomicBool) -> Result<()> {
        let request = self.request;
        let scenarios = || request.scenarios.iter().filter(|scenario| capacity::needed(scenario));
        self.testbed
            .progress
            .expect(scenarios().map(|scenario| scenario.contenders.len() as u64).sum());
        for part in [Part::Compare, Part::Curve] {
            let blocks = self.blocks(part, 1..=self.rounds());
            self.testbed.progress.expect(blocks.iter().map(|block| self.contenders(*block)).sum());
        }
        for scenario in scenarios() {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let (found, trials) = capacity::probe(&mut self.testbed, scenario, stop)?;
            self.ceilings.extend(found);
            self.probes.extend(trials);
        }
        for scenario in &request.scenarios {
            let ceilings = self.bounds(scenario, &self.probes);
            let said = bounds::sentence(scenario, &ceilings);
            said.iter().for_each(|said| self.testbed.progress.say(said));
        }
        Ok(())
    }

    /// Runs every round of a part, and void ones again at the end.
    fn run_rounds(&mut self, part: Part, stop: &AtomicBool) -> Result<()> {
        let rounds = self.rounds();
        let mut due = self.blocks(part, 1..=rounds);
        let mut repeats = Repeats::of(&due, rounds);
        while !due.is_empty() {
            let mut void = Vec::new();
            let mut begun = 0;
            for block in due {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                // What is cut is whole rounds, so that contenders and levels stay as many.
                if block.round != begun && !self.budget.allows(self.round_estimate(part)) {
                    self.cut[part as usize].get_or_insert((block.round - 1).min(rounds));
                    break;
                }
                begun = block.round;
                if self.run_block(block, stop)? {
                    void.push(block);
                }
            }
            let void = self.still_void(void);
            let again = repeats.of_void(&void);
            self.testbed.progress.expect(again.iter().map(|block| self.contenders(*block)).sum());
            due = again;
        }
        Ok(())
    }

    /// The experiments that choose their own trials.
    fn run_experiments(&mut self, scenario: &Scenario, stop: &AtomicBool) -> Result<()> {
        let (order_seed, budget) = (self.order_seed, self.budget);
        let mut context =
            ExperimentContext { testbed: &mut self.testbed, order_seed, budget, stop };
        let Experiments { capacity, map, footprint, .. } = &scenario.experiments;
        if footprint.is_some() {
            let out = &self.request.out;
            let found = footprint::footprints(context.testbed, scenario, order_seed, out, stop)?;
            let found =
                found.into_iter().map(|one| statement::under_load(one, scenario, &self.trials));
            self.footprints.extend(found);
        }
        if let Some(how) = capacity {
            let own = |contender: &Contender| {
                let of = |one: &&Ceiling| one.is_of(&scenario.name, &contender.name);
                self.ceilings.iter().find(of).and_then(|ceiling| ceiling.closed_rps)
            };
            for contender in &scenario.contenders {
                let Some(ceiling) = own(contender) else { continue };
                let cost = capacity::cost(scenario, Rate(ceiling));
                context.testbed.progress.say(&format!(
                    "looking for the capacity of {}: at most {} short trials and {} to {} that decide",
                    contender.name, cost.short_max, cost.deciding_min, cost.deciding_max
                ));
            }
            context.testbed.progress.expect(TRIALS_OF_A_SEARCH * scenario.contenders.len() as u64);
            let (found, trials) = capacity::run(&mut context, scenario, *how, &self.ceilings)?;
            self.capacity.extend(found);
            self.probes.extend(trials);
        }
        if let Some(plan) = map {
            let cells = plan.cpus.len() * plan.waits.len();
            context.testbed.progress.say(&format!(
                "making a map of {cells} cells, about {:.0} s each",
                plan.cell_estimate().as_secs_f64()
            ));
            context.testbed.progress.expect(cells as u64 * u64::from(2 * plan.rounds));
            let (map, left) = paired::map(&mut context, scenario, plan)?;
            if left > 0 {
                self.left.push(format!("{left} of {cells} cells of the map were not measured"));
            }
            self.map = Some(map);
        }
        Ok(())
    }

    /// One trial of every contender, in random order. Returns whether it is void.
    fn run_block(&mut self, block: RandomizedBlock, stop: &AtomicBool) -> Result<bool> {
        let scenario = &self.request.scenarios[block.scenario];
        let first = self.trials.len();
        for (place, index) in
            rounds::order(self.order_seed, block, scenario.contenders.len()).into_iter().enumerate()
        {
            let contender = &scenario.contenders[index];
            let (level, rate) = self.level(scenario, block.level, contender);
            let duration =
                rate.map_or(scenario.load.duration, |_| self.duration(scenario, block.level));
            let (round, place) = (block.round, place as u32);
            let spec = TrialSpec { scenario, contender, rate, level, duration, round, place };
            let open = matches!(scenario.load.kind, LoadKind::Open(_));
            let trial = match open && rate.is_none() {
                true => Some(self.testbed.lost(&spec, "it lost the probe of its ceiling twice")?),
                false => self.testbed.trial(&spec, stop)?,
            };
            let Some(trial) = trial else { break };
            self.trials.push(trial);
        }
        let invalidated = self.trials[first..].iter().any(|trial| trial.validity.voids_round);
        // A smoke needs no quiet machine.
        let void = invalidated && !scenario.smoke;
        if void || stop.load(Ordering::Relaxed) {
            self.trials[first..].iter_mut().for_each(|trial| trial.voided = true);
        }
        self.voided_rounds += u32::from(void);
        Ok(void)
    }

    /// The void rounds that are to be run again: not those invalidated by a contender that invalidates most of its rounds.
    fn still_void(&mut self, mut void: Vec<RandomizedBlock>) -> Vec<RandomizedBlock> {
        let request = self.request;
        for scenario in &request.scenarios {
            self.voided_rounds -= validity::settle(&mut self.trials, &scenario.name);
        }
        void.retain(|block| {
            let scenario = &request.scenarios[block.scenario];
            let level = scenario.level_name(block.level);
            let here = |t: &&Trial| {
                (&t.scenario, &t.level, t.round) == (&scenario.name, &level, block.round)
            };
            self.trials.iter().filter(here).any(|trial| trial.voided)
        });
        void
    }

    /// What bounds a scenario's contenders, as far as `trials` show.
    fn bounds(&self, scenario: &Scenario, trials: &[Trial]) -> Vec<Ceiling> {
        let cores =
            self.testbed.host.placement(scenario).map_or(1, |placement| placement.contender.len());
        bounds::ceilings(scenario, cores, &self.ceilings, trials)
    }

    /// The level's name and its rate for a contender; without one in closed loop, and where its ceiling is not known.
    fn level(
        &self,
        scenario: &Scenario,
        level: usize,
        contender: &Contender,
    ) -> (String, Option<Rate>) {
        match scenario.load.kind {
            LoadKind::Closed => (scenario.level_name(level), None),
            LoadKind::Open(_) => {
                let (name, of) = (&contender.name, &scenario.name);
                let rate = capacity::rate_at(scenario.rates[level], name, of, &self.ceilings);
                (scenario.level_name(level), rate)
            }
        }
    }

    /// A level is measured equally long for all contenders: until its lowest rate has given enough requests.
    fn duration(&self, scenario: &Scenario, level: usize) -> Nanos {
        let rates = scenario.contenders.iter().filter_map(|c| self.level(scenario, level, c).1);
        let lowest = rates.map(|rate| rate.0).fold(f64::INFINITY, f64::min);
        scenario.duration_at(Rate(lowest))
    }

    /// Rounds asked for: the most that any of the scenarios asks for.
    fn rounds(&self) -> u32 {
        self.request.scenarios.iter().map(|scenario| scenario.rounds).max().unwrap_or(0)
    }

    /// Every level of a part of every scenario in each of the rounds.
    fn blocks(&self, part: Part, rounds: impl Iterator<Item = u32>) -> Vec<RandomizedBlock> {
        let scenarios = || self.request.scenarios.iter().enumerate();
        let mut blocks = Vec::new();
        for round in rounds {
            for (scenario, of) in scenarios().filter(|(_, of)| round <= of.rounds) {
                let levels = levels(of, part);
                let block = |level| RandomizedBlock { scenario, level, round };
                match part {
                    Part::Compare => blocks.extend(levels.map(block)),
                    Part::Curve => {
                        let shuffled = rounds::levels(self.order_seed, scenario, round, levels);
                        blocks.extend(shuffled.into_iter().map(block));
                    }
                }
            }
        }
        blocks
    }

    /// About how long the next round of a part takes, with the pilots that come before the first.
    fn round_estimate(&self, part: Part) -> Nanos {
        let of = |scenario: &Scenario| {
            scenario.round_estimate(levels(scenario, part)) + self.testbed.warmth.to_come(scenario)
        };
        Nanos(self.request.scenarios.iter().map(|scenario| of(scenario).0).sum())
    }

    fn contenders(&self, block: RandomizedBlock) -> u64 {
        self.request.scenarios[block.scenario].contenders.len() as u64
    }
}

/// Which of a scenario's levels are of a part; the ceiling of a closed load is one.
fn levels(scenario: &Scenario, part: Part) -> Range<usize> {
    let compared = scenario.experiments.compared;
    match (scenario.load.kind, part) {
        (LoadKind::Closed, Part::Compare) => 0..1,
        (LoadKind::Closed, Part::Curve) => 0..0,
        (LoadKind::Open(_), Part::Compare) => 0..compared,
        (LoadKind::Open(_), Part::Curve) => compared..scenario.rates.len(),
    }
}

/// The request's, and that its contenders were cold where nothing was sent before the windows.
fn title(request: &Request) -> String {
    match request.scenarios.iter().any(Scenario::is_cold) {
        true => format!("{} (cold)", request.title),
        false => request.title.clone(),
    }
}

impl Session<'_> {
    /// What has been found so far, judged.
    pub(crate) fn result(mut self, stop: &AtomicBool) -> RunResult {
        let request = self.request;
        self.probes.iter_mut().for_each(drop_all_but_response_times);
        request.scenarios.iter().for_each(|scenario| warm::mark(scenario, &mut self.trials));
        let ran = if self.trials.is_empty() { &self.probes } else { &self.trials };
        let ceilings: Vec<Ceiling> =
            request.scenarios.iter().flat_map(|scenario| self.bounds(scenario, ran)).collect();
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
        let interrupted = stop.load(Ordering::Relaxed);
        let verdict = judge::overall(&expectations, &broken, enough, interrupted);
        let (notes, comparisons) = (self.notes(), self.comparisons(&ceilings));
        let first = &request.scenarios[0];
        let calibration = self.testbed.calibration(first.request_cpu);
        RunResult {
            schema: record::SCHEMA.into(),
            scenario: request.name.clone(),
            title: title(request),
            seed: first.seed,
            order_seed: self.order_seed,
            started_utc: self.started_utc.clone(),
            fingerprint: self.fingerprint.clone(),
            verdict,
            exit_code: judge::exit_code(verdict),
            voided_rounds: self.voided_rounds,
            rounds: self.rounds(),
            self_check: first.self_check,
            request_cpu_ns: first.request_cpu.0,
            request_cpu_measured_ns: calibration.map_or(0, |calibration| calibration.measured.0),
            signature_rounds: calibration.map_or(0, |calibration| calibration.rounds),
            floor_ns: judge::floor(&request.scenarios),
            exploratory: exploratory(&comparisons),
            comparisons,
            capacity: self.capacity,
            expectations,
            claims,
            not_checked: Vec::new(),
            notes,
            broken,
            ceilings,
            trials: self.trials,
            probes: self.probes,
            contenders: request.scenarios.iter().flat_map(judge::contenders).collect(),
            lag_limits_ns: request.scenarios.iter().filter_map(judge::lag_limit).collect(),
            slos: request.scenarios.iter().filter_map(judge::slo).collect(),
            map: self.map,
            gate_history: Vec::new(),
            words: request.words.clone(),
            footprints: self.footprints,
            pilots: self.testbed.warmth.pilots().to_vec(),
            why: self.why,
        }
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
        let parts = [Part::Compare, Part::Curve].into_iter();
        let blocks =
            parts.flat_map(|part| self.blocks(part, 1..=1).into_iter().map(move |h| (part, h)));
        for (part, block) in blocks {
            let scenario = &self.request.scenarios[block.scenario];
            let level = scenario.level_name(block.level);
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
                let asked = self.cut[part as usize]
                    .map_or(scenario.rounds, |cut| cut.clamp(1, scenario.rounds));
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
        for (what, cut) in ["compare", "curve"].into_iter().zip(self.cut) {
            let all = self.rounds();
            notes.extend(
                cut.map(|cut| format!("the budget ended `{what}` after {cut} of {all} rounds")),
            );
        }
        notes.extend(self.testbed.host.neighbours.note());
        notes.extend(self.request.scenarios.iter().flat_map(Scenario::hosts_told));
        notes.extend(self.testbed.host.notes());
        notes.extend(self.left.iter().chain(self.testbed.warmth.notes()).cloned());
        let scenarios = &self.request.scenarios;
        if scenarios.iter().any(|scenario| scenario.placement.mode == PlacementMode::Shared) {
            notes.push("co-located: generator and contenders share cores".into());
        }
        let one_core = |scenario: &Scenario| {
            let placement = self.testbed.host.placement(scenario);
            placement.is_ok_and(|placement| placement.contender.len() == 1)
        };
        if scenarios.iter().any(one_core) {
            notes.push(
                "each contender has one core: models of several threads are not tested here on CPU parallelism".into(),
            );
        }
        notes.extend(
            scenarios
                .iter()
                .flat_map(|scenario| scenario.contenders.iter())
                .flat_map(judge::remarks),
        );
        notes.extend(
            scenarios.iter().filter_map(|one| one.load.traffic.as_ref()).flat_map(Traffic::notes),
        );
        if self.fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        notes
    }
}
