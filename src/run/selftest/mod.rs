//! `bakeoff selftest`: the generator against servers whose times are known, and the verdicts against contenders whose
//! order is known. Expected, measured, verdict.
//!
//! A machine that stops for longer than a check allows proves nothing, neither way: such a check says so and is done
//! again, at most twice, and stays undecided when the machine does not come to rest. Undecided is not passed.

mod canary;
mod delay;
mod process;
mod queueing;
mod same;
mod scratch;
pub mod server;
mod stall;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::load::outcome::{Kind, Outcome};
use crate::load::plan::{Arrivals, Fixed, Operation, Plan, Shape};
use crate::run::placement::{Cores, Placement};
use crate::scenario::{self, PlacementMode};
use crate::units::{Nanos, Rate};

/// What the selftest came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// In the order in which they were checked.
    pub rows: Vec<Row>,
    /// How long it took.
    pub took: Nanos,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// `stall`, `queueing`, ..
    pub check: &'static str,
    /// Which figure of it.
    pub what: String,
    /// What it must be, with its tolerance.
    pub expected: String,
    /// What it was.
    pub measured: String,
    /// Whether they agree.
    pub verdict: Verdict,
}

/// How a figure was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Holds,
    /// Not as expected, and the machine was quiet.
    Fails,
    /// The machine stopped for longer than the check allows, each time.
    Undecided,
}

impl Verdict {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "FAILS",
            Self::Undecided => "undecided",
        }
    }

    fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

impl Report {
    /// The worst of all rows: failed goes before undecided.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.rows.iter().any(|row| row.verdict == verdict);
        match (any(Verdict::Fails), any(Verdict::Undecided) || self.rows.is_empty()) {
            (true, _) => Verdict::Fails,
            (_, true) => Verdict::Undecided,
            _ => Verdict::Holds,
        }
    }
}

/// Times that a check is done at most.
const ATTEMPTS: u32 = 3;
/// No check is done again after so long, so that all of it takes two minutes at most.
const AGAIN_WITHIN: Duration = Duration::from_secs(95);

/// A check: its name, and how it is done.
type Check = (&'static str, fn(&Bench<'_>) -> Result<Attempt>);

const CHECKS: [Check; 5] = [
    ("stall", stall::check),
    ("known delay", delay::check),
    ("queueing", queueing::check),
    ("A/A", same::check),
    ("canary", canary::check),
];

/// Does every check; `say` is told how far it is. An interrupted selftest gives the rows that it has.
///
/// # Errors
/// When there are fewer than two cores, or a server cannot be started.
pub fn run(quick: bool, say: &dyn Fn(&str), stop: &AtomicBool) -> Result<Report> {
    let started = Instant::now();
    let apart = scenario::Placement { mode: PlacementMode::Apart, contender_cores: Some(1) };
    let bench = Bench { placement: Placement::of(apart)?, quick, say, stop };
    let mut rows = Vec::new();
    for (name, check) in CHECKS {
        say(name);
        for attempt in 1..=ATTEMPTS {
            let mut found = check(&bench)?;
            if bench.stopped() {
                return Ok(Report { rows, took: started.elapsed().into() });
            }
            let Some(why) = found.disturbed else {
                rows.append(&mut found.rows);
                break;
            };
            let again = attempt < ATTEMPTS && started.elapsed() < AGAIN_WITHIN;
            say(&format!("{name}: {why}{}", if again { ": again" } else { "" }));
            if !again {
                found.rows.iter_mut().for_each(|row| row.verdict = Verdict::Undecided);
                rows.append(&mut found.rows);
                break;
            }
        }
    }
    Ok(Report { rows, took: started.elapsed().into() })
}

/// What one attempt at a check found.
struct Attempt {
    rows: Vec<Row>,
    /// Why nothing of it counts.
    disturbed: Option<String>,
}

/// What all checks share.
struct Bench<'a> {
    placement: Placement,
    quick: bool,
    say: &'a dyn Fn(&str),
    stop: &'a AtomicBool,
}

impl Bench<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn server_cores(&self) -> &Cores {
        &self.placement.contender
    }

    /// `full`, or a shorter time where it is to be quick.
    fn span(&self, full: Nanos, quick: Nanos) -> Nanos {
        if self.quick { quick } else { full }
    }

    /// A load of one plain request.
    fn plan(&self, target: std::net::SocketAddr, shape: Shape, duration: Nanos) -> Plan {
        let request = Fixed {
            name: "GET /".into(),
            method: "GET".into(),
            path: "/".into(),
            host: "localhost".into(),
            headers: Vec::new(),
            body: Vec::new(),
            expect_status: 200,
        };
        Plan {
            target,
            shape,
            mix: vec![(Operation::Fixed(request), 1)],
            seed: 42,
            round: 1,
            salt: 0,
            warm_up: Nanos(300_000_000),
            duration,
            connections: 128,
            threads: 1,
            timeout: Nanos(10_000_000_000),
            pace: self.placement.pace,
            cores: self.placement.generator.clone(),
        }
    }
}

fn open(rate: f64, arrivals: Arrivals) -> Shape {
    Shape::Open { rate: Rate(rate), arrivals }
}

/// The one kind of an outcome here.
fn only(outcome: &Outcome) -> &Kind {
    outcome.kinds.first().expect("a plan here sends one kind")
}

/// Why an outcome counts for nothing, whatever its times: answers are missing.
fn unanswered(outcome: &Outcome) -> Option<String> {
    let failed: u64 = only(outcome).errors.values().sum();
    (failed > 0).then(|| format!("{failed} of {} requests failed", outcome.offered))
}
