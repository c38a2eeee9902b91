//! One run under way: what it has decided, what has finished, and the file that keeps it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::judge::{bounds, statement, validity};
use crate::record::{
    Begun, Capacity, Ceiling, Fingerprint, Footprint, LostBy, Map, RunResult, Shard, Trial, Why,
};
use crate::run::host::Host;
use crate::run::journal::Journal;
use crate::run::measured::{Measured, Part, blocks, levels};
use crate::run::rounds::{Budget, RandomizedBlock, Repeats};
use crate::run::testbed::{ExperimentContext, Testbed};
use crate::run::trial::spec::TrialSpec;
use crate::run::{Progress, Request, capacity, footprint, journal, paired, rounds, shard, why};
use crate::scenario::{Contender, Experiments, LoadKind, Scenario};
use crate::units::{Nanos, Rate};
use crate::{clock, random, record, scenario};

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

impl<'a> Session<'a> {
    /// Makes the report folder, calibrates, and says how much is to come.
    pub(crate) fn open(request: &'a Request, progress: &'a mut Progress) -> Result<Self> {
        if request.resume {
            // What cannot be read is told before the machine is looked at, which takes seconds.
            journal::read(&request.out)?;
        }
        shard::check_machine(request.shard, &Host::boot_id())?;
        let fingerprint = Host::describe(&scenario::fingerprints(&request.scenarios));
        let contenders = journal::contender_files(&request.scenarios);
        let mut testbed = Testbed::open(&request.scenarios, progress, request.yes)?;
        let maps = request.scenarios.iter().filter_map(|one| one.experiments.map.as_ref());
        for cpu in maps.flat_map(|map| &map.cpus) {
            testbed.calibrated(*cpu)?;
        }
        let now = Begun {
            schema: record::BEGUN_SCHEMA.into(),
            order_seed: request.order_seed.unwrap_or_else(random::fresh_seed),
            started_utc: clock::utc(),
            fingerprint,
            contenders,
            calibrations: testbed.calibrations(),
            words: request.words.clone(),
            shard: request.shard,
            boot_id: Host::boot_id(),
        };
        let begun = if request.resume {
            let begun = journal::begun(&request.out, &now)?;
            testbed.calibrate_as(&begun.calibrations);
            testbed.keep_in(Journal::resume(&request.out)?);
            begun
        } else {
            testbed.keep_in(Journal::create(&request.out)?);
            journal::begin(&request.out, &now)?;
            now
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
        if let Some(part) = request.shard {
            let told = shard::told(part, session.rounds());
            session.testbed.progress.say(&told);
        }
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
            let blocks = self.blocks(part, self.asked());
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
        let mut due = self.blocks(part, self.asked());
        let mut repeats = Repeats::of(&due, rounds, self.request.shard.unwrap_or(Shard::WHOLE));
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
                true => Some(
                    self.testbed
                        .lost(&spec, "it lost the probe of its maximum throughput twice")?,
                ),
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

    /// Rounds of the whole run: the most that any of the scenarios asks for.
    fn rounds(&self) -> u32 {
        self.request.scenarios.iter().map(|scenario| scenario.rounds).max().unwrap_or(0)
    }

    /// Those that are run here.
    fn asked(&self) -> impl Iterator<Item = u32> {
        let shard = self.request.shard.unwrap_or(Shard::WHOLE);
        (1..=self.rounds()).filter(move |round| shard.has(*round))
    }

    /// Every level of a part of every scenario in each of the rounds.
    fn blocks(&self, part: Part, rounds: impl Iterator<Item = u32>) -> Vec<RandomizedBlock> {
        blocks(&self.request.scenarios, self.order_seed, part, rounds)
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

impl<'a> Session<'a> {
    /// What has been found so far, judged.
    pub(crate) fn result(self, stop: &AtomicBool) -> RunResult {
        self.measured(stop).judged()
    }

    fn measured(self, stop: &AtomicBool) -> Measured<'a> {
        let request = self.request;
        let own = request.shard.map(|_| self.asked().count() as u32);
        let cores = |scenario| {
            let placement = self.testbed.host.placement(scenario);
            placement.ok().map(|placement| placement.contender.len())
        };
        let cpu = request.scenarios[0].request_cpu;
        let mut calibrations = self.testbed.calibrations().into_iter();
        Measured {
            request,
            order_seed: self.order_seed,
            rounds: self.asked().count() as u32,
            needed: self.cut.map(|cut| cut.or(own)),
            cores: request.scenarios.iter().map(cores).collect(),
            calibration: calibrations.find(|one| one.asked_ns == cpu.0),
            notes: self.notes(),
            interrupted: stop.load(Ordering::Relaxed),
            pilots: self.testbed.warmth.pilots().to_vec(),
            started_utc: self.started_utc,
            fingerprint: self.fingerprint,
            ceilings: self.ceilings,
            probes: self.probes,
            trials: self.trials,
            voided_rounds: self.voided_rounds,
            capacity: self.capacity,
            map: self.map,
            footprints: self.footprints,
            why: self.why,
        }
    }

    /// What only this machine and this session know.
    fn notes(&self) -> Vec<String> {
        let request = self.request;
        let all = self.rounds();
        let mut notes: Vec<String> =
            request.shard.map(|shard| shard::told(shard, all)).into_iter().collect();
        for (what, cut) in ["compare", "curve"].into_iter().zip(self.cut) {
            notes.extend(
                cut.map(|cut| format!("the budget ended `{what}` after {cut} of {all} rounds")),
            );
        }
        notes.extend(self.testbed.host.neighbours.note());
        notes.extend(request.scenarios.iter().flat_map(Scenario::hosts_told));
        notes.extend(self.testbed.host.notes());
        notes.extend(self.left.iter().chain(self.testbed.warmth.notes()).cloned());
        notes
    }
}
