//! One run under way: what it has decided, what has finished, and the file that keeps it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::random;
use crate::report::schema::{
    self, Ceiling, ContenderInfo, Fingerprint, Footprint, Judgement, RunResult, SloInfo,
    StatementVerdict, Trial, TrialVerdict, Verdict,
};
use crate::run::journal::Journal;
use crate::run::rounds::{self, Heat};
use crate::run::testbed::{Ask, Testbed, placement};
use crate::run::{Progress, Request, ceilings, dependency, fingerprint, footprint, verdict};
use crate::scenario::{Contender, LoadKind, PlacementMode, Scenario, Statement};
use crate::units::{Nanos, Rate};

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
    footprints: Vec<Footprint>,
    voided_rounds: u32,
    journal: Journal,
}

impl<'a> Session<'a> {
    /// Makes the report folder, calibrates, and says how much is to come.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn open(request: &'a Request, progress: &'a mut Progress) -> Result<Self> {
        let journal = Journal::create(&request.out)?;
        let session = Self {
            request,
            order_seed: request.order_seed.unwrap_or_else(random::fresh_seed),
            fingerprint: fingerprint::take(&request.scenarios),
            started_utc: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            testbed: Testbed::open(&request.scenarios, progress, request.yes)?,
            ceilings: Vec::new(),
            probes: Vec::new(),
            trials: Vec::new(),
            footprints: Vec::new(),
            voided_rounds: 0,
            journal,
        };
        if session.fingerprint.debug_build {
            session
                .testbed
                .progress
                .say("this is a debug build: its figures say nothing about a release build");
        }
        Ok(session)
    }

    /// Probes the ceilings of the scenarios whose levels are given in percent.
    ///
    /// # Errors
    /// When a contender cannot be started or answers nothing.
    pub(crate) fn probe_ceilings(&mut self, stop: &AtomicBool) -> Result<()> {
        let request = self.request;
        let scenarios = || request.scenarios.iter().filter(|scenario| ceilings::needed(scenario));
        self.testbed
            .progress
            .expect(scenarios().map(|scenario| scenario.contenders.len() as u64).sum());
        self.testbed
            .progress
            .expect(self.heats(1..=self.rounds()).iter().map(|heat| self.contenders(*heat)).sum());
        for scenario in scenarios() {
            for (ceiling, trial) in ceilings::probe(&mut self.testbed, scenario, stop)? {
                self.ceilings.push(ceiling);
                self.probes.push(trial);
            }
        }
        Ok(())
    }

    /// Runs every round, and void ones again at the end.
    ///
    /// # Errors
    /// When a contender cannot be started.
    pub(crate) fn run_rounds(&mut self, stop: &AtomicBool) -> Result<()> {
        let rounds = self.rounds();
        let mut due = self.heats(1..=rounds);
        let mut extra = rounds::extra_rounds(rounds);
        let mut next_round = rounds + 1;
        while !due.is_empty() {
            let mut void = Vec::new();
            for heat in due {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if self.run_heat(heat, stop)? {
                    void.push(heat);
                }
            }
            // A void heat gets a round of its own at the end, with other arrivals; a few of them, not for ever.
            let again: Vec<Heat> =
                void.into_iter().map(|heat| Heat { round: next_round, ..heat }).collect();
            if again.is_empty() || extra == 0 {
                return Ok(());
            }
            extra -= 1;
            next_round += 1;
            self.testbed.progress.expect(again.iter().map(|heat| self.contenders(*heat)).sum());
            due = again;
        }
        Ok(())
    }

    /// Looks at what the contenders are beside their load, where a scenario asks.
    ///
    /// # Errors
    /// When a contender does not start, or its files cannot be read or packed.
    pub(crate) fn look_at_footprints(&mut self, stop: &AtomicBool) -> Result<()> {
        let (request, seed) = (self.request, self.order_seed);
        for scenario in &request.scenarios {
            let found =
                footprint::footprints(&mut self.testbed, scenario, seed, &request.out, stop)?;
            let found =
                found.into_iter().map(|one| verdict::under_load(one, scenario, &self.trials));
            self.footprints.extend(found);
        }
        Ok(())
    }

    /// What has been found so far, judged.
    pub(crate) fn result(self, stop: &AtomicBool) -> RunResult {
        let request = self.request;
        let judged = |statements: fn(&Scenario) -> &Vec<Statement>| -> Vec<Judgement> {
            let of = |scenario| {
                let judge = |one: &Statement| match one.metric.is_of_a_footprint() {
                    true => footprint::judge(scenario, one, &self.footprints),
                    false => verdict::judge(scenario, one, &self.trials),
                };
                statements(scenario).iter().map(judge).collect::<Vec<_>>()
            };
            request.scenarios.iter().flat_map(of).collect()
        };
        let expectations = judged(|scenario| &scenario.expectations);
        let claims = judged(|scenario| &scenario.claims);
        let enough = self.lacks_rounds().is_none();
        let interrupted = stop.load(Ordering::Relaxed);
        let verdict = overall(&expectations, enough, interrupted);
        let first = &request.scenarios[0];
        let calibration = self.testbed.calibration(first.request_cpu);
        RunResult {
            schema: schema::SCHEMA.into(),
            scenario: request.name.clone(),
            title: request.title.clone(),
            seed: first.seed,
            order_seed: self.order_seed,
            started_utc: self.started_utc.clone(),
            fingerprint: self.fingerprint.clone(),
            verdict,
            exit_code: exit_code(verdict),
            voided_rounds: self.voided_rounds,
            rounds: self.rounds(),
            self_check: first.self_check,
            request_cpu_ns: first.request_cpu.0,
            request_cpu_measured_ns: calibration.map_or(0, |calibration| calibration.measured.0),
            signature_rounds: calibration.map_or(0, |calibration| calibration.rounds),
            floor_ns: None,
            comparisons: request
                .scenarios
                .iter()
                .flat_map(|scenario| verdict::comparisons(scenario, &self.trials))
                .collect(),
            capacity: Vec::new(),
            expectations,
            claims,
            not_checked: Vec::new(),
            notes: self.notes(),
            ceilings: self.ceilings,
            trials: self.trials,
            probes: self.probes,
            contenders: request.scenarios.iter().flat_map(contenders).collect(),
            slos: request.scenarios.iter().filter_map(slo).collect(),
            map: None,
            gate_history: Vec::new(),
            footprints: self.footprints,
        }
    }

    /// One trial of every contender, in coin order. Whether it is void.
    fn run_heat(&mut self, heat: Heat, stop: &AtomicBool) -> Result<bool> {
        let scenario = &self.request.scenarios[heat.scenario];
        let first = self.trials.len();
        for (place, index) in
            rounds::order(self.order_seed, heat, scenario.contenders.len()).into_iter().enumerate()
        {
            let contender = &scenario.contenders[index];
            let (level, rate) = self.level(scenario, heat.level, contender);
            let duration =
                rate.map_or(scenario.load.duration, |_| self.duration(scenario, heat.level));
            let (round, place) = (heat.round, place as u32);
            let ask = Ask { scenario, contender, rate, level, duration, round, place };
            let trial = self.testbed.trial(&ask, stop)?;
            // A trial that was cut short is no trial.
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.journal.keep(&trial)?;
            self.trials.push(trial);
        }
        let void = self.trials[first..].iter().any(|trial| trial.validity.voids_round);
        if void || stop.load(Ordering::Relaxed) {
            self.trials[first..].iter_mut().for_each(|trial| trial.voided = true);
        }
        self.voided_rounds += u32::from(void);
        Ok(void)
    }

    /// The level's name and its rate for a contender.
    fn level(
        &self,
        scenario: &Scenario,
        level: usize,
        contender: &Contender,
    ) -> (String, Option<Rate>) {
        match scenario.load.kind {
            LoadKind::Closed => ("closed".into(), None),
            LoadKind::Open(_) => {
                let level = scenario.rates[level];
                let workload = scenario.workload.name();
                let rate = ceilings::rate_at(level, &contender.name, workload, &self.ceilings);
                (level.to_string(), Some(rate))
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

    /// Every level of every scenario in each of the rounds.
    fn heats(&self, rounds: impl Iterator<Item = u32>) -> Vec<Heat> {
        let scenarios = self.request.scenarios.iter().enumerate();
        rounds
            .flat_map(|round| {
                scenarios.clone().filter(move |(_, scenario)| round <= scenario.rounds).flat_map(
                    move |(scenario, of)| {
                        let levels = match of.load.kind {
                            LoadKind::Open(_) => of.rates.len(),
                            LoadKind::Closed => 1,
                        };
                        (0..levels).map(move |level| Heat { scenario, level, round })
                    },
                )
            })
            .collect()
    }

    fn contenders(&self, heat: Heat) -> u64 {
        self.request.scenarios[heat.scenario].contenders.len() as u64
    }

    /// The first contender and level without the required valid rounds.
    fn lacks_rounds(&self) -> Option<String> {
        for heat in self.heats(1..=1) {
            let scenario = &self.request.scenarios[heat.scenario];
            for contender in &scenario.contenders {
                let (level, _) = self.level(scenario, heat.level, contender);
                let valid = self.trials.iter().filter(|trial| {
                    trial.workload == scenario.workload.name()
                        && trial.contender == contender.name
                        && trial.level == level
                        && !trial.voided
                        // A lost trial is a result.
                        && (trial.validity.lost || trial.validity.verdict != TrialVerdict::Invalid)
                });
                let valid = valid.count() as u32;
                if valid < scenario.rounds {
                    return Some(format!(
                        "`{}` at {level} has {valid} valid rounds of the {} asked for",
                        contender.name, scenario.rounds
                    ));
                }
            }
        }
        None
    }

    /// What a reader should know.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.lacks_rounds().into_iter().collect();
        let scenarios = &self.request.scenarios;
        if scenarios.iter().any(|scenario| scenario.placement.mode == PlacementMode::Shared) {
            notes.push("co-located: generator and contenders share cores".into());
        }
        let one_core = |scenario: &Scenario| {
            placement(scenario).is_ok_and(|placement| placement.contender.len() == 1)
        };
        if scenarios.iter().any(one_core) {
            notes.push(
                "each contender has one core: models of several threads are not tested here on CPU parallelism".into(),
            );
        }
        notes.extend(
            scenarios.iter().flat_map(|scenario| scenario.contenders.iter()).filter_map(of),
        );
        if self.fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        notes
    }
}

/// What the contenders of a scenario are.
fn contenders(scenario: &Scenario) -> Vec<ContenderInfo> {
    let dependency = scenario.store.dependency();
    let of = |contender: &Contender| {
        let built_in = contender.built_in();
        ContenderInfo {
            workload: scenario.workload.name().into(),
            contender: contender.name.clone(),
            label: contender.label.clone(),
            series: None,
            model: built_in.map(|built_in| built_in.model.name().into()),
            threads: built_in.and_then(|built_in| built_in.threads).map(|threads| threads as u32),
            pool: dependency.map(|one| dependency::pool(built_in, one) as u32),
        }
    };
    scenario.contenders.iter().map(of).collect()
}

/// What a scenario's service promises.
fn slo(scenario: &Scenario) -> Option<SloInfo> {
    scenario.slo.map(|slo| SloInfo {
        workload: scenario.workload.name().into(),
        p99_ns: slo.p99.0,
        error_rate: slo.error_rate.0,
    })
}

/// What a reader should know about a contender.
fn of(contender: &Contender) -> Option<String> {
    let name = &contender.name;
    let what = contender.label.as_ref().map(|label| format!("`{name}` is {label}"));
    if !contender.is_url() {
        return what;
    }
    let what = what.unwrap_or_else(|| format!("`{name}`"));
    Some(format!(
        "{what} is given by URL: it was not reset between trials, and its CPU time and memory are not known"
    ))
}

/// Marks a run that could not go on.
pub(crate) fn mark_broken_off(result: &mut RunResult, error: &Error) {
    result.verdict = Verdict::Invalid;
    result.exit_code = error.exit_code();
    result.notes.insert(0, format!("the run was broken off: {error}"));
}

/// The run's verdict, by the method's precedence.
fn overall(expectations: &[Judgement], enough: bool, interrupted: bool) -> Verdict {
    let any = |verdict| expectations.iter().any(|judgement| judgement.verdict == verdict);
    if interrupted {
        Verdict::Interrupted
    } else if !enough {
        Verdict::Invalid
    } else if any(StatementVerdict::Fails) {
        Verdict::Fail
    } else if any(StatementVerdict::Inconclusive) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass | Verdict::Inconclusive => 0,
        Verdict::Fail => 3,
        Verdict::Invalid => 5,
        Verdict::Interrupted => 130,
    }
}
