//! What trials run on: the machine as it was found, the CPU work calibrated once, the databases, and the salts. Every
//! experiment and the gate use it for their trials, so a trial is the same wherever its figure ends up.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::cpu::CpuMode;
use crate::backend::services::payment::Calibration;
use crate::error::{Error, Result};
use crate::record::{Calibrated, Hiccups, LostBy, Trial, WhyLevel};
use crate::run::host::Host;
use crate::run::journal::Journal;
use crate::run::rounds::Budget;
use crate::run::trial::spec::{Placement, PreparedTrial, Signature, TrialSpec};
use crate::run::warm::Warmth;
use crate::run::{Progress, trial, warm};
use crate::scenario::{Contender, Scenario, Workload};
use crate::units::Nanos;
use crate::why::{Profiling, Sampled};
use crate::{clock, random};

/// Ready to run trials of any scenario.
#[derive(Debug)]
pub(crate) struct Testbed<'a> {
    pub(crate) progress: &'a mut Progress,
    /// Watched once, before anything runs.
    pub(crate) hiccups: Hiccups,
    /// One for each CPU time that is asked for, measured once and the same for every trial.
    calibrations: Vec<(Nanos, Calibration)>,
    /// The latest trial's salt: counted on for each.
    started: u32,
    /// When contenders are warm.
    pub(crate) warmth: Warmth,
    /// Who has not started yet, and in which rounds it should have.
    starts: Starts,
    pub(crate) host: Host,
    /// Where trials are written down, and those found that an earlier run has finished.
    journal: Option<Journal>,
}

impl<'a> Testbed<'a> {
    /// Watches the machine and calibrates the CPU work of the scenarios that are known by now.
    pub(crate) fn open(
        scenarios: &[Scenario],
        progress: &'a mut Progress,
        yes: bool,
    ) -> Result<Self> {
        let contenders = scenarios.iter().flat_map(|one| &one.contenders);
        for own in contenders.filter_map(Contender::built_in).filter(|own| own.binary.is_none()) {
            own.client.available()?;
        }
        // What is taken from windows shorter than the watch shows in a watch as long as they are.
        let longest = scenarios.iter().map(|one| one.load.duration).max();
        let mut host = Host::local(yes);
        host.join(scenarios)?;
        let mut testbed = Self {
            progress,
            hiccups: host.hiccups(longest)?,
            calibrations: Vec::new(),
            started: first_salt(scenarios),
            warmth: Warmth::default(),
            starts: Starts::default(),
            host,
            journal: None,
        };
        testbed.look_around();
        for scenario in scenarios.iter().filter(|one| one.workload == Workload::Payment) {
            let own = scenario.contenders.iter().filter_map(Contender::request_cpu);
            for cpu in own.chain([scenario.request_cpu]) {
                testbed.calibrated(cpu)?;
            }
        }
        Ok(testbed)
    }

    /// Warns of other measurements on this machine, even when quiet: they invalidate figures.
    fn look_around(&mut self) {
        if let Some(told) = self.host.neighbours.look() {
            self.progress.warn(&told);
        }
    }

    /// From now on every trial is written down, and what the journal has already is not run again.
    pub(crate) fn keep_in(&mut self, journal: Journal) {
        self.warmth = Warmth::with(journal.pilots().to_vec());
        self.journal = Some(journal);
    }

    /// Writes what the journal has held back.
    pub(crate) fn write_down(&mut self) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::write_down)
    }

    /// The CPU times so far, as `begun.json` keeps them.
    pub(crate) fn calibrations(&self) -> Vec<Calibrated> {
        let one = |(asked, measured): &(Nanos, Calibration)| Calibrated {
            asked_ns: asked.0,
            rounds: measured.rounds,
            measured_ns: measured.measured.0,
        };
        self.calibrations.iter().map(one).collect()
    }

    /// Takes over what an earlier run has measured, so that the work of its trials is that of the next ones.
    pub(crate) fn calibrate_as(&mut self, earlier: &[Calibrated]) {
        let one = |one: &Calibrated| {
            let measured = Nanos(one.measured_ns);
            (Nanos(one.asked_ns), Calibration { rounds: one.rounds, measured })
        };
        self.calibrations = earlier.iter().map(one).collect();
    }

    /// How many SHA-256 rounds a CPU time comes to, measured on a contender's core when it is first asked for.
    pub(crate) fn calibrated(&mut self, cpu: Nanos) -> Result<Calibration> {
        if let Some(known) = self.calibration(cpu) {
            return Ok(known);
        }
        let measured = self.host.calibrate(cpu)?;
        self.calibrations.push((cpu, measured));
        Ok(measured)
    }

    /// What a CPU time came to, if it was asked for.
    pub(crate) fn calibration(&self, cpu: Nanos) -> Option<Calibration> {
        self.calibrations.iter().find(|(asked, _)| *asked == cpu).map(|(_, measured)| *measured)
    }

    /// Runs a trial, judges it and writes it down. Nothing where `stop` cut it short: that is no trial, and nowhere written.
    ///
    /// # Errors
    /// When the contender or what it waits for cannot be started, or the generator cannot run; when an earlier run that is
    /// gone on with took another course.
    pub(crate) fn trial(
        &mut self,
        spec: &TrialSpec<'_>,
        stop: &AtomicBool,
    ) -> Result<Option<Trial>> {
        if let Some(journal) = &mut self.journal
            && let Some(trial) = journal.found(spec)?
        {
            self.salt();
            self.warmth.saw(&trial);
            self.starts.note(&trial);
            self.progress.finished(&trial);
            return Ok(Some(trial));
        }
        let began = clock::utc();
        let run = self.run_pilots(spec, stop).and_then(|()| match stop.load(Ordering::Relaxed) {
            true => Err(Error::interrupted()),
            false => self.run(spec, stop),
        });
        let mut trial = match run {
            Err(error) if error.is_interrupt() => return Ok(None),
            run => run?,
        };
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        trial.ran_utc = Some([began, clock::utc()]);
        self.look_around();
        // A smoke has no figures to doubt.
        if let Some(doubt) = self.host.neighbours.doubt().filter(|_| !spec.scenario.smoke) {
            trial.validity.doubt(doubt);
        }
        self.warmth.saw(&trial);
        self.starts.note(&trial);
        self.progress.finished(&trial);
        if let Some(journal) = &mut self.journal {
            journal.keep(&trial)?;
        }
        Ok(Some(trial))
    }

    /// Runs the pilots of a trial's scenario that are to come before it.
    pub(crate) fn run_pilots(&mut self, spec: &TrialSpec<'_>, stop: &AtomicBool) -> Result<()> {
        let due = self.warmth.due(spec);
        if due.is_empty() {
            return Ok(());
        }
        self.host.provide(spec.scenario, |what| self.progress.say(what))?;
        let placement = self.host.placement(spec.scenario)?;
        for (contender, rate) in due {
            self.progress.say(&warm::announced(contender, rate, self.warmth.limits.pilot));
            let spec = TrialSpec { contender, rate, round: 0, ..spec.clone() };
            let prepared = self.prepare(spec, &placement)?;
            let Some(pilot) = self.warmth.run(&self.host, &prepared, stop)? else { return Ok(()) };
            self.progress.say(&warm::told(&pilot));
            if let Some(journal) = &mut self.journal {
                journal.keep_pilot(&pilot)?;
            }
        }
        Ok(())
    }

    fn run(&mut self, spec: &TrialSpec<'_>, stop: &AtomicBool) -> Result<Trial> {
        self.host.provide(spec.scenario, |what| self.progress.say(what))?;
        let placement = self.host.placement(spec.scenario)?;
        self.progress.starts(&spec.contender.name, &spec.level);
        let given_up = self.starts.given_up(&spec.scenario.name, &spec.contender.name);
        let prepared = self.prepare(spec.clone(), &placement)?;
        self.warmth.does(&prepared.warming);
        if let Some(why) = given_up {
            return Ok(trial::figures::lost(&prepared, LostBy::Start, &Error::invalid(why)));
        }
        let trial = trial::run(&self.host, &prepared, stop);
        // What a contender did without its database is not its doing.
        match self.host.database_crashed(spec.scenario) {
            Some(gone) => Err(gone),
            None => trial,
        }
    }

    /// Runs a trial with a profiler beside it. It is written down nowhere: its figures are not those of timed trials.
    pub(crate) fn profiled(
        &mut self,
        spec: &TrialSpec<'_>,
        level: WhyLevel,
        stop: &AtomicBool,
    ) -> Result<(Trial, Option<Sampled>)> {
        self.host.provide(spec.scenario, |what| self.progress.say(what))?;
        let placement = self.host.placement(spec.scenario)?;
        self.progress.starts(&spec.contender.name, &spec.level);
        let profiling = Profiling::of(level);
        let prepared = self.prepare(spec.clone(), &placement)?;
        let prepared = PreparedTrial { profiling: Some(&profiling), ..prepared };
        let trial = trial::run(&self.host, &prepared, stop)?;
        self.progress.finished(&trial);
        Ok((trial, profiling.sampled()))
    }

    /// A trial that cannot be run because of the contender: it is lost, and written down as any other.
    pub(crate) fn lost(&mut self, spec: &TrialSpec<'_>, why: &str) -> Result<Trial> {
        if let Some(journal) = &mut self.journal
            && let Some(trial) = journal.found(spec)?
        {
            self.salt();
            return Ok(trial);
        }
        let placement = self.host.placement(spec.scenario)?;
        let prepared = self.prepare(spec.clone(), &placement)?;
        let trial = trial::figures::lost(&prepared, LostBy::Idle, &Error::invalid(why));
        self.progress.finished(&trial);
        if let Some(journal) = &mut self.journal {
            journal.keep(&trial)?;
        }
        Ok(trial)
    }

    /// Adds what this testbed knows.
    pub(crate) fn prepare<'b>(
        &mut self,
        spec: TrialSpec<'b>,
        placement: &'b Placement,
    ) -> Result<PreparedTrial<'b>> {
        Ok(PreparedTrial {
            salt: self.salt(),
            signature: self.signature(spec.contender, spec.scenario)?,
            warming: self.warmth.before(&spec),
            placement,
            hiccups: self.hiccups,
            profiling: None,
            spec,
        })
    }

    /// Keys of one trial never meet another's, not even by way of a contender that outlives its trial.
    fn salt(&mut self) -> u32 {
        // Every other one is its warm-up's.
        self.started += 2;
        self.started % SALTS
    }

    /// A contender's CPU work, decided here and not in its process, so that all decide alike.
    fn signature(&mut self, contender: &Contender, scenario: &Scenario) -> Result<Signature> {
        let mode = contender.built_in().map_or(CpuMode::Auto, |built_in| built_in.cpu);
        if scenario.workload != Workload::Payment {
            return Ok(Signature { rounds: 0, cpu: mode });
        }
        let work = self.calibrated(contender.request_cpu().unwrap_or(scenario.request_cpu))?;
        Ok(Signature { rounds: work.rounds, cpu: mode.settled(work.measured) })
    }
}

/// What every experiment needs.
pub(crate) struct ExperimentContext<'a, 'b> {
    pub(crate) testbed: &'a mut Testbed<'b>,
    pub(crate) order_seed: u64,
    pub(crate) budget: Budget,
    pub(crate) stop: &'a AtomicBool,
}

/// A salt fits the 20 bits that request keys have for it.
const SALTS: u32 = 1 << 20;

/// 0, or random where a contender keeps the data of earlier runs, so that the keys of two runs differ.
fn first_salt(scenarios: &[Scenario]) -> u32 {
    let keeps = |scenario: &Scenario| scenario.contenders.iter().any(Contender::is_url);
    match scenarios.iter().any(keeps) {
        true => (random::fresh_seed() % u64::from(SALTS)) as u32,
        false => 0,
    }
}

/// Rounds in which a contender must have failed to start.
const ROUNDS: usize = 2;

/// Contenders of scenarios, by what is known of their starts.
#[derive(Debug, Default)]
pub(crate) struct Starts(HashMap<(String, String), Known>);

#[derive(Debug, Default)]
struct Known {
    started: bool,
    /// In which it did not, as long as it never has.
    failed: BTreeSet<u32>,
}

impl Starts {
    /// Takes a finished trial into account.
    pub(crate) fn note(&mut self, trial: &Trial) {
        let known = self.0.entry((trial.scenario.clone(), trial.contender.clone())).or_default();
        match trial.validity.lost_by {
            Some(LostBy::Start) => {
                known.failed.insert(trial.round);
            }
            // The machine's fault says nothing.
            None if trial.validity.voids_round && trial.requests == 0 => {}
            _ => known.started = true,
        }
    }

    /// Why a contender is not started again, if it is not.
    pub(crate) fn given_up(&self, scenario: &str, contender: &str) -> Option<&'static str> {
        let known = self.0.get(&(scenario.to_owned(), contender.to_owned()))?;
        (!known.started && known.failed.len() >= ROUNDS)
            .then_some("it did not start in its first two rounds and was not started again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn who_does_not_start_in_its_first_two_rounds_is_given_up() {
        let trial = |round, lost_by| {
            let mut trial = mock::payments(1, &mock::MODELS[..1]).trials.remove(0);
            (trial.round, trial.validity.lost_by) = (round, lost_by);
            trial
        };
        let given_up = |trials: &[(u32, Option<LostBy>)]| {
            let mut starts = Starts::default();
            trials.iter().for_each(|(round, by)| starts.note(&trial(*round, *by)));
            starts.given_up("", mock::MODELS[0].0).is_some()
        };
        let failed = Some(LostBy::Start);
        assert!(!given_up(&[]));
        assert!(!given_up(&[(1, failed)]));
        assert!(!given_up(&[(1, failed), (1, failed)]), "two levels of one round");
        assert!(given_up(&[(1, failed), (2, failed)]));
        assert!(!given_up(&[(1, failed), (2, None), (3, failed)]), "it can start");
        assert!(!given_up(&[(1, Some(LostBy::Crash)), (2, failed), (3, failed)]));
    }
}
