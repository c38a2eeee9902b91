//! The orchestrator: contenders as child processes, trials in random order, verdicts, the report.
//!
//! This is the only folder that runs both sides. [`run`] reads as the pipeline.

pub(crate) mod bisect;
pub(crate) mod capacity;
mod cluster;
mod decide;
mod footprint;
pub(crate) mod gate;
pub(crate) mod host;
mod journal;
mod ledger;
mod measured;
mod merge;
pub(crate) mod paired;
mod plan;
pub(crate) mod progress;
mod report_folder;
mod rounds;
pub mod selftest;
mod session;
mod shard;
mod testbed;
pub(crate) mod trial;
mod warm;
mod why;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use session::Session;

use crate::error::{Error, Result};
use crate::judge::statement;
use crate::record::{RunResult, Shard};
use crate::scenario::Scenario;
use crate::units::Nanos;
use crate::{interrupt, judge, report};

pub use decide::{Extras, Question, Recommendation, decide};
pub use ledger::{LedgerPlan, LedgerRequest, ledger, plan_ledger};
pub(crate) use merge::{asked, merge, read_shards};
pub use plan::{Part, Planned, Sight, plan};
pub use progress::Progress;
pub(crate) use report_folder::{Claim, ReportFolder};

#[derive(Debug, Default)]
pub struct Request {
    /// Names the run: the scenario's name, or `tour`.
    pub name: String,
    /// One sentence for people.
    pub title: String,
    /// Run in turn within each round. At least one.
    pub scenarios: Vec<Scenario>,
    /// Sets the order of the trials; fresh from the system unless given.
    pub order_seed: Option<u64>,
    /// Where the report goes. Made if it is not there; an earlier report in it is deleted, unless the run goes on with it.
    pub out: PathBuf,
    /// A given database may be written to without asking.
    pub yes: bool,
    /// The time that it may take; rounds and cells that would end later are left out, and said so.
    pub budget: Option<Nanos>,
    /// Goes on with the run that `out` holds.
    pub resume: bool,
    /// The arguments after `bakeoff run`, to reproduce it; empty where there was no command line.
    pub words: Vec<String>,
    /// The part of it that this machine runs; `None` runs it whole.
    pub shard: Option<Shard>,
}

impl Request {
    /// A scenario under its own name.
    pub(crate) fn of(scenario: Scenario) -> Self {
        let (name, title) = (scenario.name.clone(), scenario.title.clone());
        Self { name, title, scenarios: vec![scenario], ..Self::default() }
    }

    /// Whether it can reach a verdict.
    ///
    /// # Errors
    /// Usage: fewer rounds than its headline needs, or a budget without room for one of them, with the number; a shard of what
    /// cannot be divided.
    pub fn check(&self) -> Result<()> {
        self.shard.map_or(Ok(()), |part| shard::check(part, self))?;
        statement::check_rounds(&self.scenarios)?;
        let least = self.scenarios.iter().map(|one| one.least_estimate().0).sum::<u64>();
        match self.budget.filter(|budget| budget.0 < least && !self.resume) {
            None => Ok(()),
            Some(budget) => {
                Err(Error::usage(format!("a budget of {budget} has no room for one round"))
                    .help(format!("give it {} or more", Nanos(least).whole_seconds())))
            }
        }
    }
}

/// A run that came to its end, with a verdict, even if not all of its report could be written.
#[derive(Debug)]
pub struct Ended {
    pub result: RunResult,
    pub unwritten: Option<Error>,
}

/// [`run_to_its_end`], for who needs its files.
///
/// # Errors
/// Its own, and when the report cannot be written.
pub fn run(request: &Request, progress: &mut Progress, stop: &AtomicBool) -> Result<RunResult> {
    let Ended { result, unwritten } = run_to_its_end(request, progress, stop)?;
    unwritten.map_or(Ok(result), Err)
}

/// Runs every trial, judges them and writes the report. An interrupted run reports what it has.
///
/// # Errors
/// When the report folder cannot be written to at its start, a contender cannot be started, or there are too few cores.
/// Trials that had finished are on disk by then, and a report of them marked invalid.
pub fn run_to_its_end(
    request: &Request,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<Ended> {
    request.check()?;
    let mut session = Session::open(request, progress)?;
    // What an interrupt cut short is not broken off.
    let stopped = interrupt::forgiven(session.run(stop));
    session.testbed.progress.end();
    let mut result = session.result(stop);
    if let Err(error) = &stopped {
        judge::mark_broken_off(&mut result, error);
    }
    let written = report::write::write_report(&request.out, &result);
    match stopped {
        Ok(()) => Ok(Ended { result, unwritten: written.err() }),
        // Says where the finished trials are, where there are some.
        Err(error) if result.trials.iter().chain(&result.probes).any(|one| one.requests > 0) => {
            let out = request.out.display();
            Err(error.and_help(&format!("the trials that had finished are in {out}")))
        }
        Err(error) => Err(error),
    }
}
