//! `bakeoff selftest`: the generator against servers whose times are known, and the verdicts against contenders whose
//! order is known. Expected, measured, verdict.
//!
//! A machine that stops for longer than a check allows excuses a figure that is off: such a check is done again, at most
//! twice, and stays undecided when the machine does not come to rest. Undecided is not passed.

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

use hdrhistogram::Histogram;

use crate::error::Result;
use crate::load::outcome::{Kind, Outcome};
use crate::load::plan::{Arrivals, Fixed, Operation, Plan, Shape, WarmUp};
use crate::run::hiccups;
use crate::run::placement::{self, Cores, Placement};
use crate::run::rank;
use crate::scenario::{self, PlacementMode};
use crate::stats::percentile::at_rank;
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
/// No check is begun after so long, and none done again that would leave less than it takes for those still to come..
const TAKES_MAX: Duration = Duration::from_secs(120);
/// ..or after so long where it is to be quick.
const TAKES_MAX_QUICK: Duration = Duration::from_secs(75);
/// On a machine that takes more than this from a core nothing is done again: it would be no better.
const RESTLESS: f64 = 0.2;

type Run = dyn Fn(&Bench<'_>) -> Result<Attempt>;

/// A check that can be done again by itself.
struct Check {
    /// As [`Row::check`].
    kind: &'static str,
    /// For progress: the kind, or more.
    name: String,
    /// How long it takes on a quiet machine, servers started and ended.
    seconds: u64,
    run: Box<Run>,
}

impl Check {
    fn new(
        kind: &'static str,
        seconds: u64,
        run: impl Fn(&Bench<'_>) -> Result<Attempt> + 'static,
    ) -> Self {
        Self { kind, name: kind.into(), seconds, run: Box::new(run) }
    }

    /// What is said of a check that came to nothing.
    fn undone(&self, why: &str) -> Row {
        Row {
            check: self.kind,
            what: self.name.clone(),
            expected: "to be done".into(),
            measured: why.into(),
            verdict: Verdict::Undecided,
        }
    }
}

fn checks(quick: bool) -> Vec<Check> {
    let mut checks =
        vec![Check::new("stall", 11, stall::check), Check::new("known delay", 6, delay::check)];
    checks.extend(queueing::checks(quick));
    checks.push(Check::new("A/A", 24, same::check));
    checks.push(Check::new("canary", 16, canary::check));
    checks
}

/// Does every check; `say` is told how far it is. An interrupted selftest gives the rows that it has.
///
/// # Errors
/// When there are fewer than two cores.
pub fn run(quick: bool, say: &dyn Fn(&str), stop: &AtomicBool) -> Result<Report> {
    let started = Instant::now();
    let apart = scenario::Placement { mode: PlacementMode::Apart, contender_cores: Some(1) };
    let bench = Bench { placement: Placement::of(apart, false)?, quick, stop };
    let lost = hiccups::watch(&placement::allowed()?)?.lost;
    let restless = lost.0 > RESTLESS;
    let takes_max = if quick { TAKES_MAX_QUICK } else { TAKES_MAX };
    if restless {
        say(&format!("the machine takes {lost} of a core: no check is done twice"));
    }
    let checks = checks(quick);
    let mut rows = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        // What is still to come goes before doing something again.
        let rest: u64 = checks[index..].iter().map(|check| check.seconds).sum();
        let spare = takes_max.saturating_sub(Duration::from_secs(rest));
        let deadline = if restless { started } else { started + spare };
        if started.elapsed() > takes_max {
            say(&format!("{}: no time is left", check.name));
            rows.push(check.undone("no time was left"));
            continue;
        }
        rows.append(&mut settle(check, &bench, say, deadline));
        if bench.stopped() {
            break;
        }
    }
    Ok(Report { rows, took: started.elapsed().into() })
}

/// Does a check until the machine has been quiet for one of its attempts, or no other can begin before `deadline`.
fn settle(check: &Check, bench: &Bench<'_>, say: &dyn Fn(&str), deadline: Instant) -> Vec<Row> {
    let name = &check.name;
    say(name);
    for attempt in 1.. {
        // A server that did not come up in time is no figure, and no reason to lose those of the other checks.
        let mut found = (check.run)(bench).unwrap_or_else(|error| Attempt {
            rows: vec![check.undone(&error.to_string())],
            disturbed: Some(error.to_string()),
        });
        if bench.stopped() {
            break;
        }
        let Some(why) = found.disturbed else { return found.rows };
        if attempt < ATTEMPTS && Instant::now() < deadline {
            say(&format!("{name}: {why}: again"));
            continue;
        }
        say(&format!("{name}: {why}: undecided"));
        found.rows.iter_mut().for_each(|row| row.verdict = Verdict::Undecided);
        return found.rows;
    }
    // An attempt that was cut short says nothing.
    Vec::new()
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
            warm_up: WarmUp::Through(Nanos(200_000_000)),
            duration,
            connections: 128,
            threads: 1,
            timeout: Nanos(2_000_000_000),
            objective: None,
            timeline: false,
            steps: Vec::new(),
            keep_alive: true,
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

/// A percentile of one of a kind's times, its failures ranked above them.
fn quantile(kind: &Kind, times: &Histogram<u64>, rank: f64) -> Nanos {
    Nanos(at_rank(times, rank::failures(kind), rank).written().unwrap_or(0))
}

/// Why an outcome counts for nothing, whatever its times: answers are missing.
fn unanswered(outcome: &Outcome) -> Option<String> {
    let failed: u64 = only(outcome).errors.values().sum();
    (failed > 0).then(|| format!("{failed} of {} requests failed", outcome.offered))
}

/// A tolerance that is fixed beforehand and kept in spite of the machine is kept: its stops only add to an error. (An
/// interval that the figures themselves make grows with the stops, and proves nothing then.)
fn unless_all_hold(disturbed: Option<String>, rows: &[Row]) -> Option<String> {
    disturbed.filter(|_| rows.iter().any(|row| row.verdict != Verdict::Holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Pace;
    use std::cell::Cell;

    /// The rows of a check whose attempts are disturbed, or not, in turn; and how often it was done.
    fn settled(disturbed: &'static [bool], time_left: bool) -> (Vec<Verdict>, usize) {
        let stop = AtomicBool::new(false);
        let placement = Placement {
            mode: PlacementMode::Apart,
            contender: vec![1],
            generator: vec![0],
            dependency: Vec::new(),
            pace: Pace::Spin,
        };
        let bench = Bench { placement, quick: true, stop: &stop };
        let done = std::rc::Rc::new(Cell::new(0));
        let counted = std::rc::Rc::clone(&done);
        let check = Check::new("x", 1, move |_| {
            let disturbed = disturbed[counted.get()].then(|| "the machine stopped".to_owned());
            counted.set(counted.get() + 1);
            Ok(Attempt { rows: vec![row(Verdict::Holds)], disturbed })
        });
        let deadline = Instant::now() + Duration::from_secs(if time_left { 600 } else { 0 });
        let rows = settle(&check, &bench, &|_| (), deadline);
        (rows.iter().map(|row| row.verdict).collect(), done.get())
    }

    fn row(verdict: Verdict) -> Row {
        Row {
            check: "x",
            what: String::new(),
            expected: String::new(),
            measured: String::new(),
            verdict,
        }
    }

    #[test]
    fn a_check_that_was_disturbed_is_done_again_and_never_passes_by_itself() {
        assert_eq!(settled(&[false], true), (vec![Verdict::Holds], 1));
        assert_eq!(settled(&[true, false], true), (vec![Verdict::Holds], 2));
        assert_eq!(settled(&[true, true, true], true), (vec![Verdict::Undecided], 3));
        assert_eq!(settled(&[true], false), (vec![Verdict::Undecided], 1), "two minutes are over");
    }

    #[test]
    fn what_is_kept_in_spite_of_the_machine_is_kept() {
        let stopped = || Some("the machine stopped".to_owned());
        let (holds, fails) = (row(Verdict::Holds), row(Verdict::Fails));
        assert_eq!(unless_all_hold(stopped(), std::slice::from_ref(&holds)), None);
        assert_eq!(unless_all_hold(stopped(), &[holds, fails]), stopped());
    }

    #[test]
    fn one_bad_row_decides() {
        let verdict = |verdicts: &[Verdict]| {
            let rows = verdicts.iter().map(|&verdict| row(verdict)).collect();
            Report { rows, took: Nanos(0) }.verdict()
        };
        use Verdict::{Fails, Holds, Undecided};
        assert_eq!(verdict(&[Holds, Holds]), Holds);
        assert_eq!(verdict(&[Holds, Undecided]), Undecided);
        assert_eq!(verdict(&[Undecided, Fails, Holds]), Fails);
        assert_eq!(verdict(&[]), Undecided, "nothing was shown");
    }
}
