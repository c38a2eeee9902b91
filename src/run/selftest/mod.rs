//! `bakeoff selftest`: the generator against servers whose times are known, and the verdicts against contenders whose
//! order is known. Expected, measured, verdict.
//!
//! It judges the tool and not the machine: what is expected is what the servers and a plain client saw at the same time on
//! the same cores. A machine that stops for longer than a check allows excuses a figure that is off. Such a check is done
//! again, until the figure is decided or two more minutes have passed. Undecided is not passed, and says what would
//! decide it.

mod delay;
mod queueing;
mod ranks;
pub(crate) mod runs;
pub mod server;
mod stall;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::error::Result;
use crate::judge::failures;
use crate::load::plan::{Arrivals, Fixed, Operation, Peer, Plan, Shape, Statuses, WarmUp};
use crate::load::tls::{Tls, TlsOptions};
use crate::record::outcome::{Kind, Outcome};
use crate::run::host::{Cores, Host};
use crate::run::trial::spec::Placement;
use crate::scenario;
use crate::scenario::PlacementMode;
use crate::stats::percentile::at_rank;
use crate::units::{Nanos, Rate, grouped};

#[derive(Clone, Debug)]
pub struct Report {
    /// In the order in which they were checked.
    pub rows: Vec<Row>,
    pub took: Nanos,
    /// Where a signal ended it: how many checks were done, and of how many.
    pub interrupted: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Row {
    /// `stall`, `queueing`, ..
    pub check: &'static str,
    pub what: String,
    /// What it must be, with its tolerance.
    pub expected: String,
    pub measured: String,
    /// Whether they agree.
    pub verdict: Verdict,
    /// What would decide a figure that is undecided.
    pub needs: Option<String>,
}

/// How a figure was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// Not as expected, and the machine was quiet.
    Fails,
    /// What the machine did hides it, as long as there was time.
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

/// How long checks with an undecided figure are done again, once all have been done..
const MORE: Duration = Duration::from_secs(120);
/// ..or where it is to be quick.
const MORE_QUICK: Duration = Duration::from_secs(30);

type Run = dyn Fn(&Bench<'_>) -> Result<Vec<Row>>;

/// A check that can be done again by itself; it has the same rows each time.
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
        run: impl Fn(&Bench<'_>) -> Result<Vec<Row>> + 'static,
    ) -> Self {
        Self { kind, name: kind.into(), seconds, run: Box::new(run) }
    }

    /// Does it once. One that was cut short says nothing.
    fn attempt(&self, bench: &Bench<'_>) -> Vec<Row> {
        let found = (self.run)(bench);
        if bench.stopped() {
            return Vec::new();
        }
        // A server that did not come up in time is no figure, and no reason to lose those of the other checks.
        found.unwrap_or_else(|error| {
            vec![Row {
                check: self.kind,
                what: self.name.clone(),
                expected: "to be done".into(),
                measured: error.to_string(),
                verdict: Verdict::Undecided,
                needs: Some("an attempt that comes to its end".into()),
            }]
        })
    }
}

fn checks(quick: bool) -> Vec<Check> {
    let mut checks =
        vec![Check::new("ranks", 0, ranks::check), stall(Wire::Plain), stall(Wire::Tls)];
    checks.extend(delay::checks());
    checks.extend(queueing::checks(quick));
    checks.push(Check::new("A/A", 24, runs::same));
    checks.push(Check::new("canary", 16, runs::canary));
    checks
}

fn stall(wire: Wire) -> Check {
    let run = move |bench: &Bench<'_>| stall::check(bench, wire);
    Check { name: format!("stall{}", wire.said()), ..Check::new("stall", 11, run) }
}

/// Does every check; `say` is told how far it is. An interrupted selftest gives the rows that it has.
pub fn run(quick: bool, say: &dyn Fn(&str), stop: &AtomicBool) -> Result<Report> {
    let started = Instant::now();
    let apart = scenario::Placement { mode: PlacementMode::Apart, contender_cores: Some(1) };
    let bench = Bench { placement: Placement::of(Host::cores()?, apart, false)?, quick, stop };
    let more = if quick { MORE_QUICK } else { MORE };
    let checks = checks(quick);
    let found = until_decided(&checks, &bench, say, more);
    let done = found.iter().filter(|rows| !rows.is_empty()).count();
    let interrupted = bench.stopped().then_some((done, checks.len()));
    let rows = found.into_iter().flatten().collect();
    Ok(Report { rows, took: started.elapsed().into(), interrupted })
}

/// Does every check once, and those with an undecided figure again as long as there is time. One that was cut short has no
/// rows.
fn until_decided(
    checks: &[Check],
    bench: &Bench<'_>,
    say: &dyn Fn(&str),
    more: Duration,
) -> Vec<Vec<Row>> {
    let mut found = Vec::new();
    for check in checks {
        say(&check.name);
        found.push(check.attempt(bench));
        if bench.stopped() {
            break;
        }
    }
    let until = Instant::now() + more;
    loop {
        let mut again = false;
        for (check, rows) in checks.iter().zip(&mut found) {
            let open = rows.iter().find(|row| row.verdict == Verdict::Undecided);
            let fits = Instant::now() + Duration::from_secs(check.seconds) <= until;
            if let Some(open) = open.filter(|_| fits && !bench.stopped()) {
                let needs = open.needs.as_deref().unwrap_or_default();
                say(&format!("{}, again: {} needs {needs}", check.name, open.what));
                decide(rows, check.attempt(bench));
                again = true;
            }
        }
        if !again {
            return found;
        }
    }
}

/// What is decided stays, and the rest is what it is now.
fn decide(rows: &mut Vec<Row>, again: Vec<Row>) {
    // An attempt that failed has one row that stands for all.
    if rows.len() != again.len() {
        if again.len() > rows.len() {
            *rows = again;
        }
        return;
    }
    for (row, again) in rows.iter_mut().zip(again) {
        if row.verdict == Verdict::Undecided {
            *row = again;
        }
    }
}

impl Row {
    /// A tolerance that is fixed beforehand and kept in spite of the machine is kept, for its stops only add to an error;
    /// one that is not is excused where the figure `needs` another machine than this was.
    fn excused(mut self, needs: Option<&str>) -> Self {
        if self.verdict == Verdict::Fails
            && let Some(needs) = needs
        {
            (self.verdict, self.needs) = (Verdict::Undecided, Some(needs.into()));
        }
        self
    }
}

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
            expect_status: Statuses::default(),
            expect_body: None,
        };
        Plan {
            warm_up: WarmUp::Through(Nanos(200_000_000)),
            duration,
            connections: 128,
            timeout: Nanos(2_000_000_000),
            pace: self.placement.pace,
            cores: self.placement.generator.clone(),
            ..Plan::new(target, shape, vec![(Operation::Fixed(request), 1)])
        }
    }
}

fn open(rate: f64, arrivals: Arrivals) -> Shape {
    Shape::Open { rate: Rate(rate), arrivals }
}

fn only(outcome: &Outcome) -> &Kind {
    outcome.kinds.first().expect("a plan here sends one kind")
}

/// Whether the servers of a check are spoken to over TLS. What is known of their times is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Plain,
    Tls,
}

impl Wire {
    /// Of a figure's or a check's name.
    fn said(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => " over TLS",
        }
    }

    fn over(self, plan: Plan) -> Result<Plan> {
        let tls = match self {
            Self::Plain => None,
            // The certificate is one that nobody signed.
            Self::Tls => {
                let options = TlsOptions { insecure: true, ..TlsOptions::default() };
                Some(Tls::new(options, "localhost")?)
            }
        };
        Ok(Plan { target: Peer { tls, ..plan.target.clone() }, ..plan })
    }
}

/// A percentile of one of a kind's times, its failures ranked above them.
fn quantile(kind: &Kind, times: &Histogram<u64>, rank: f64) -> Nanos {
    Nanos(at_rank(times, failures::of_kind(kind), rank).written().unwrap_or(0))
}

/// Why an outcome counts for nothing, whatever its times: answers are missing.
fn unanswered(outcome: &Outcome) -> Option<String> {
    let failed: u64 = only(outcome).errors.values().sum();
    (failed > 0).then(|| {
        let [failed, all] = [failed, outcome.offered].map(|n| grouped(n as f64));
        format!("{failed} of {all} requests failed")
    })
}

/// A folder of this process in the system's temporary one. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    /// Named for `what`; the first write creates it.
    pub(super) fn new(what: &str) -> Self {
        let name = format!("bakeoff-selftest-{}-{what}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    use Verdict::{Fails, Holds, Undecided};

    use crate::load::plan::Pace;

    /// The verdicts of a check of two figures whose attempts come to these, and how often it was done.
    fn decided(attempts: &'static [[Verdict; 2]], more: Duration) -> (Vec<Verdict>, usize) {
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
            let verdicts = attempts[counted.get()];
            counted.set(counted.get() + 1);
            Ok(verdicts.map(row).into())
        });
        let rows = until_decided(&[check], &bench, &|_| (), more);
        (rows.iter().flatten().map(|row| row.verdict).collect(), done.get())
    }

    fn row(verdict: Verdict) -> Row {
        Row {
            check: "x",
            what: String::new(),
            expected: String::new(),
            measured: String::new(),
            verdict,
            needs: (verdict == Undecided).then(|| "a quiet machine".into()),
        }
    }

    #[test]
    fn a_check_is_done_again_until_each_of_its_figures_is_decided() {
        let long = Duration::from_secs(600);
        assert_eq!(decided(&[[Holds, Holds]], long), (vec![Holds, Holds], 1));
        let found = decided(&[[Holds, Undecided], [Undecided, Undecided], [Fails, Fails]], long);
        assert_eq!(found, (vec![Holds, Fails], 3), "what was decided first stays");
        let found = decided(&[[Undecided, Holds]], Duration::ZERO);
        assert_eq!(found, (vec![Undecided, Holds], 1), "the time is over");
    }

    #[test]
    fn what_is_kept_in_spite_of_the_machine_is_kept() {
        let stopped = Some("a core that stops for less than 1 ms");
        assert_eq!(row(Holds).excused(stopped).verdict, Holds);
        let excused = row(Fails).excused(stopped);
        assert_eq!((excused.verdict, excused.needs.as_deref()), (Undecided, stopped));
        assert_eq!(row(Fails).excused(None).verdict, Fails);
    }

    #[test]
    fn one_bad_row_decides() {
        let verdict = |verdicts: &[Verdict]| {
            let rows = verdicts.iter().map(|&verdict| row(verdict)).collect();
            Report { rows, took: Nanos(0), interrupted: None }.verdict()
        };
        assert_eq!(verdict(&[Holds, Holds]), Holds);
        assert_eq!(verdict(&[Holds, Undecided]), Undecided);
        assert_eq!(verdict(&[Undecided, Fails, Holds]), Fails);
        assert_eq!(verdict(&[]), Undecided, "nothing was shown");
    }
}
