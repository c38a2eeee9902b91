//! The gate, for real: rounds of a baseline and a candidate until [`crate::judge::gate`] has its verdict.
//!
//! ```text
//!     read the history            past scatter on this machine; an unreadable one stops everything before it starts
//!     probe the baseline          if the rate is a share of its ceiling, until it is one that the baseline sustains
//!     say what can be seen        and how long it takes
//!     loop {                      one block of each, in random order, both started anew
//!         judge                   until it is finished
//!     }
//!     write the report, add a line to the history
//! ```

mod block;
mod budget;
pub(crate) mod history;
pub(crate) mod selftest;
mod session;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use session::Session;

use crate::error::{Context, Error, Result};
use crate::record::gate::{GateResult, Plan, Purpose, Round, to_json};
use crate::report::charts::{self, Shade, Size, pictures_of};
use crate::report::gate::history::History;
use crate::report::gate::{ci, dashboards, shown};
use crate::run::{Progress, journal};
use crate::scenario::{BuiltIn, Contender, Gate, Kind, Scenario, Setup};

#[derive(Debug)]
pub(crate) struct GateRequest {
    /// The load, and where it comes from. Its contenders are not looked at.
    pub(crate) scenario: Scenario,
    /// Who is compared with whom.
    pub(crate) pair: Pair,
    /// The scenario's `[gate]`, or the usual one, as flags changed it.
    pub(crate) gate: Gate,
    /// A verdict, or the scatter of equal contenders.
    pub(crate) purpose: Purpose,
    /// A regression must be shown to exceed the margin, and not only zero.
    pub(crate) prove_margin: bool,
    /// An intermittent regression fails the gate.
    pub(crate) fail_intermittent: bool,
    /// The candidate's commit, for the history.
    pub(crate) commit: Option<String>,
    /// Sets who goes first in each round; fresh from the system unless given.
    pub(crate) order_seed: Option<u64>,
    /// Where the report goes. Made if it is not there.
    pub(crate) out: PathBuf,
    /// `history.jsonl`: past scatter is read from it, and this gate's line added; nothing leaves both out.
    pub(crate) history: Option<PathBuf>,
    /// A given database may be written to without asking.
    pub(crate) yes: bool,
    /// After a regression in CPU time or p50, profiled rounds say which function grew.
    pub(crate) why: bool,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: GateResult,
    /// Why a file of the report or the history could not be written: the verdict stands.
    pub(crate) unwritten: Vec<Error>,
}

/// Runs the rounds and judges them; an interrupted gate reports what it has.
///
/// # Errors
/// Usage, when the history cannot be read or written, the report folder cannot be written, or the budget is too short.
/// Invalid, when the baseline has no ceiling to be found.
pub(crate) fn run(
    request: &GateRequest,
    progress: &mut Progress,
    stop: &AtomicBool,
) -> Result<Ended> {
    let past = history::read(request.history.as_deref())?;
    request.history.as_deref().map_or(Ok(()), history::writable)?;
    let mut session = Session::open(request, &past, progress)?;
    let result = session.run(stop, None)?;
    let written = write(&request.out, &result);
    let kept = match &request.history {
        Some(path) if result.judgement.finished => keep(path, request, &result),
        _ => Ok(()),
    };
    let unwritten = [written, kept].into_iter().filter_map(Result::err).collect();
    Ok(Ended { result, unwritten })
}

/// Rounds of a pair until `enough`, without a verdict or a report: for a search, which judges them in its own way.
///
/// # Errors
/// Those of [`run`]; interrupted, when `stop` is set before there are enough.
pub(super) fn measure(
    request: &GateRequest,
    progress: &mut Progress,
    stop: &AtomicBool,
    enough: &Enough<'_>,
) -> Result<GateResult> {
    let past = history::read(None)?;
    let mut session = Session::open(request, &past, progress)?;
    let result = session.run(stop, Some(enough))?;
    match stop.load(Ordering::Relaxed) && !enough(&result.plan, &result.rounds) {
        true => Err(Error::interrupted()),
        false => Ok(result),
    }
}

/// Whether a plan needs no more rounds than these.
pub(super) type Enough<'a> = dyn Fn(&Plan, &[Round]) -> bool + 'a;

/// Adds the gate to its history, and draws that.
fn keep(history: &Path, request: &GateRequest, result: &GateResult) -> Result<()> {
    history::append(history, result)?;
    draw(&request.out, &history::read(Some(history))?)
}

/// Writes all of them; `gate.json`, from which every other can be made anew, first.
pub(super) fn write(out: &Path, result: &GateResult) -> Result<()> {
    fs::create_dir_all(out).usage(|| format!("cannot make the report folder {}", out.display()))?;
    for (name, text) in [
        ("gate.json", to_json(result) + "\n"),
        ("summary.md", shown::markdown(result)),
        ("junit.xml", ci::junit(result)),
        ("bencher.json", dashboards::bencher(result)),
        ("benchmark-smaller-is-better.json", dashboards::smaller_is_better(result)),
        ("benchmark-bigger-is-better.json", dashboards::bigger_is_better(result)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).usage(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Draws the gates so far, once there are two.
pub(super) fn draw(out: &Path, past: &History) -> Result<()> {
    let Some(series) = past.series() else { return Ok(()) };
    for picture in pictures_of(&series, charts::ChartKind::Gate, None) {
        for shade in Shade::ALL {
            let path = out.join(format!("history-{}.svg", shade.name()));
            fs::write(&path, picture.svg(shade, Size::Blog))
                .usage(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// A baseline and a candidate.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) baseline: Contender,
    pub(crate) candidate: Contender,
}

impl Pair {
    /// Two contenders of a scenario by name; without names the only two that it has.
    ///
    /// # Errors
    /// Usage: an unknown name, one contender twice, or no names where there are more than two.
    pub(crate) fn named(
        scenario: &Scenario,
        baseline: Option<&str>,
        candidate: Option<&str>,
    ) -> Result<Self> {
        let [first, second] = match (baseline, candidate, &scenario.contenders[..]) {
            (Some(baseline), Some(candidate), _) => [baseline, candidate],
            (None, None, [first, second]) => [first.name.as_str(), &second.name],
            (Some(baseline), None, [first, second]) => {
                [baseline, other(baseline, &first.name, &second.name)]
            }
            (None, Some(candidate), [first, second]) => {
                [other(candidate, &first.name, &second.name), candidate]
            }
            (.., contenders) => {
                let (name, n) = (&scenario.name, contenders.len());
                let message = format!("{name} has {n} contenders, and a gate compares two");
                return Err(Error::usage(message).help(
                    "name them with --baseline and --candidate, or give --baseline-bin and --candidate-bin",
                ));
            }
        };
        if first == second {
            return Err(Error::usage(format!("`{first}` is both baseline and candidate"))
                .help("--calibrate compares a contender with itself"));
        }
        Ok(Self {
            baseline: scenario.contender(first)?.clone(),
            candidate: scenario.contender(second)?.clone(),
        })
    }

    /// The model of a scenario's contender, started from two binaries.
    ///
    /// # Errors
    /// Usage: a file that is not there or cannot be run, or a scenario without a model.
    pub(crate) fn of_binaries(
        scenario: &Scenario,
        gate: &Gate,
        baseline: &Path,
        candidate: &Path,
    ) -> Result<Self> {
        let model = match &gate.contender {
            Some(name) => scenario.contender(name)?,
            None => scenario.contenders.iter().find(|one| one.built_in().is_some()).ok_or_else(
                || {
                    Error::usage(format!("{} has no contender with a model", scenario.name)).help(
                        "--baseline-bin and --candidate-bin are builds of bakeoff; name other contenders \
                         with --baseline and --candidate",
                    )
                },
            )?,
        };
        let built_in = model.built_in().expect("a gate's contender has a model");
        let side = |name: &str, flag: &str, binary: &Path| -> Result<Contender> {
            let kind = BuiltIn { binary: Some(runnable(flag, binary)?), ..built_in.clone() };
            Ok(Contender {
                system: None,
                sweep: None,
                name: name.into(),
                label: model.label.clone(),
                kind: Kind::BuiltIn(kind),
            })
        };
        Ok(Self {
            baseline: side("baseline", "--baseline-bin", baseline)?,
            candidate: side("candidate", "--candidate-bin", candidate)?,
        })
    }

    /// Who is who: `Baseline base, candidate head`.
    pub(crate) fn sides(&self) -> String {
        format!("Baseline `{}`, candidate `{}`", self.baseline.name, self.candidate.name)
    }

    pub(crate) fn same(contender: &Contender) -> Self {
        let candidate =
            Contender { name: format!("{}-again", contender.name), ..contender.clone() };
        Self { baseline: contender.clone(), candidate }
    }

    /// SHA-256 of what each one runs, first 16 digits, baseline first; nothing for one that runs already.
    pub(crate) fn binaries(&self) -> [Option<String>; 2] {
        [&self.baseline, &self.candidate].map(journal::program_digest)
    }

    /// Whether both run the same files in the same way, so that there is nothing to find.
    pub(crate) fn is_alike(&self) -> bool {
        let [baseline, candidate] = self.binaries();
        let alike = match (&self.baseline.kind, &self.candidate.kind) {
            (Kind::BuiltIn(a), Kind::BuiltIn(b)) => {
                *a == BuiltIn { binary: a.binary.clone(), ..b.clone() }
            }
            (Kind::Command { setup: a, .. }, Kind::Command { setup: b, .. }) => a.env == b.env,
            (Kind::Url { address: a, .. }, Kind::Url { address: b, .. }) => return a == b,
            _ => false,
        };
        alike && baseline.is_some() && baseline == candidate
    }

    /// Why the verdict is information only, if it is: one of them is not started anew for each round.
    pub(crate) fn report_only(&self) -> Option<String> {
        let kept = |one: &&Contender| {
            matches!(&one.kind, Kind::Url { setup: Setup { before: None, .. }, .. })
        };
        let kept = [&self.baseline, &self.candidate].into_iter().find(kept)?;
        Some(format!("`{}` is given by URL, without a `before` that restarts it", kept.name))
    }
}

fn other<'a>(one: &str, first: &'a str, second: &'a str) -> &'a str {
    if one == first { second } else { first }
}

/// An absolute path to a file that can be run.
pub(super) fn runnable(flag: &str, binary: &Path) -> Result<PathBuf> {
    let shown = binary.display();
    let about = fs::metadata(binary).usage(|| format!("{flag}: cannot read {shown}"))?;
    if !about.is_file() || about.permissions().mode() & 0o111 == 0 {
        return Err(Error::usage(format!("{flag}: {shown} is not a program that can be run"))
            .help("give the path of a built bakeoff, such as target/release/bakeoff"));
    }
    fs::canonicalize(binary).usage(|| format!("{flag}: cannot find {shown}"))
}
