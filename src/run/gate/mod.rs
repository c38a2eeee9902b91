//! The gate, for real: rounds of a baseline and a candidate until [`crate::judge::gate`] has its verdict.
//!
//! ```text
//!     read the history            past scatter on this machine; an unreadable one stops everything before it starts
//!     probe the baseline          if the rate is a share of its ceiling, until it is one that the baseline bears
//!     say what can be seen        and how long it takes
//!     loop {                      one block of each, in random order, both started anew
//!         judge                   until it is finished
//!     }
//!     write the report, add a line to the history
//! ```

mod block;
mod budget;
pub(crate) mod history;
mod pair;
mod rate;
pub(crate) mod selftest;
mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use session::Session;

use crate::error::{Context, Error, Result};
use crate::record::gate::{GateResult, Purpose, to_json};
use crate::report::charts::{Kind, Shade, Size, pictures_of};
use crate::report::gate::history::History;
use crate::report::gate::{dashboards, junit, markdown};
use crate::run::Progress;
use crate::scenario::{Gate, Scenario};

pub(crate) use pair::Pair;

#[derive(Debug)]
pub(crate) struct Request {
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
}

/// A gate that has ended.
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
pub(crate) fn run(request: &Request, progress: &mut Progress, stop: &AtomicBool) -> Result<Ended> {
    let past = history::read(request.history.as_deref())?;
    request.history.as_deref().map_or(Ok(()), history::writable)?;
    let mut session = Session::open(request, &past, progress)?;
    let result = session.run(stop)?;
    let written = write(&request.out, &result);
    let kept = match &request.history {
        Some(path) if result.judgement.finished => keep(path, request, &result),
        _ => Ok(()),
    };
    let unwritten = [written, kept].into_iter().filter_map(Result::err).collect();
    Ok(Ended { result, unwritten })
}

/// Adds the gate to its history, and draws that.
fn keep(history: &Path, request: &Request, result: &GateResult) -> Result<()> {
    history::append(history, result)?;
    draw(&request.out, &history::read(Some(history))?)
}

/// Writes all of them; `gate.json`, from which every other can be made anew, first.
pub(super) fn write(out: &Path, result: &GateResult) -> Result<()> {
    fs::create_dir_all(out).usage(|| format!("cannot make the report folder {}", out.display()))?;
    for (name, text) in [
        ("gate.json", to_json(result) + "\n"),
        ("summary.md", markdown::step_summary(result)),
        ("junit.xml", junit::junit(result)),
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
    for picture in pictures_of(&series, Kind::Gate, None) {
        for (shade, name) in [(Shade::Light, "light"), (Shade::Dark, "dark")] {
            let path = out.join(format!("history-{name}.svg"));
            fs::write(&path, picture.svg(shade, Size::Blog))
                .usage(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
