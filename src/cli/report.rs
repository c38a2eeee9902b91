//! `bakeoff report`, and how a stored result, ledger or history is read again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{Format, print};
use crate::error::{Context, Error, Failure, Result};
use crate::record::{Ledger, RunResult};
use crate::report::gate::history;
use crate::report::gate::history::History;
use crate::report::markdown::write_markdown;
use crate::report::side_by_side::{mismatches, side_by_side};
use crate::report::terminal::write_text;
use crate::run::gate::history as stored_history;
use crate::{files, record, report};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff report reports/tour                                   the newest result of the tour again
  bakeoff report result.json --format markdown                  for a pull request
  bakeoff report result.json --out page                         writes index.html, summary.md and charts again
  bakeoff report before/result.json after/result.json           side by side, without a verdict
  bakeoff report reports/ledger                                 the newest ledger again
  bakeoff report first/ledger.json second/ledger.json           which verdicts two machines agree on
  bakeoff report reports/gate/history.jsonl                     the gates so far

Two results come from two runs at different times: they are shown side by side without a conclusion.
Use `bakeoff gate` to compare two builds.

Exit codes: 0 shown, 1 internal error, 2 a file cannot be read, 6 the results are from
different machines, builds or scenarios")]
pub(crate) struct Args {
    /// A result.json, a ledger.json, a gate's history.jsonl, or a folder; of several in a folder, the newest ledger or else
    /// the newest result
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// A second result or ledger, shown side by side; ledgers say in which verdicts they differ
    #[arg(value_name = "OTHER")]
    other: Option<PathBuf>,
    /// Show results from different machines, builds or scenarios side by side anyway
    #[arg(long, requires = "other")]
    allow_mismatch: bool,
    /// Write index.html, summary.md and charts into this folder; for a ledger index.html, ledger.md and ledger.json, whose
    /// links work only in the ledger's own folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files in --out that bakeoff did not write
    #[arg(long, requires = "out")]
    force: bool,
    /// Print every section: comparisons, maximum throughputs and reasons of a result, claims and sources of a ledger
    #[arg(long)]
    verbose: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let first = Stored::read(&self.result)?;
        let second = self.other.as_deref().map(Stored::read).transpose()?;
        let text = match (&first, &second) {
            (Stored::Result(_), Some(Stored::Result(_))) if self.out.is_some() => {
                return Err(
                    Error::usage("two results side by side have no page").help("leave out --out")
                );
            }
            (Stored::Result(result), Some(Stored::Result(other))) => self.beside(result, other)?,
            (Stored::Ledger(ledger), Some(Stored::Ledger(second))) => {
                self.ledger(&ledger.clone().beside((**second).clone()))?
            }
            (_, Some(_)) => {
                return Err(Error::usage(
                    "only two results or two ledgers can be shown side by side",
                )
                .help("give two result.json of one scenario, or two ledger.json"));
            }
            (Stored::Result(result), None) => self.result(result)?,
            (Stored::Ledger(ledger), None) => self.ledger(ledger)?,
            (Stored::History(history), None) => self.history(history)?,
        };
        print(&text)?;
        Ok(0)
    }

    fn result(&self, result: &RunResult) -> Result<String> {
        if let Some(out) = &self.out {
            report::write::write_prose(out, result, self.force)?;
        }
        Ok(match self.format {
            Format::Text => report::summary::text(result, self.out.as_deref(), self.verbose),
            Format::Json => record::to_json(result) + "\n",
            Format::Markdown => report::summary::markdown(result),
        })
    }

    fn ledger(&self, ledger: &Ledger) -> Result<String> {
        if let Some(out) = &self.out {
            report::ledger::write(out, ledger, self.force)?;
        }
        Ok(match self.format {
            Format::Text => report::ledger::text(ledger, self.out.as_deref(), self.verbose),
            Format::Json => record::ledger_json(ledger) + "\n",
            Format::Markdown => report::ledger::markdown(ledger),
        })
    }

    fn history(&self, history: &History) -> Result<String> {
        if self.out.is_some() {
            return Err(Error::usage("a history of gates has no page")
                .help("draw it: bakeoff chart history.jsonl -o gates.svg"));
        }
        Ok(match self.format {
            Format::Text => history::text(history),
            Format::Json => history::json(history),
            Format::Markdown => history::markdown(history),
        })
    }

    fn beside(&self, result: &RunResult, other: &RunResult) -> Result<String> {
        let unlike = mismatches(&result.fingerprint, &other.fingerprint);
        if !unlike.is_empty() && !self.allow_mismatch {
            let message = format!("the two results cannot be compared: {}", unlike.join("; "));
            return Err(Error::of(Failure::Baseline, message)
                .help("run both on one machine, or show them anyway with --allow-mismatch"));
        }
        Ok(match self.format {
            Format::Json => format!("[{},\n{}]\n", record::to_json(result), record::to_json(other)),
            Format::Markdown => write_markdown(&side_by_side(result, other, &unlike)),
            Format::Text => write_text(&side_by_side(result, other, &unlike), false),
        })
    }
}

const RESULT: &str = "result.json";
const LEDGER: &str = "ledger.json";

#[derive(Debug)]
pub(crate) enum Stored {
    Result(Box<RunResult>),
    Ledger(Box<Ledger>),
    /// With at least one line.
    History(History),
}

impl Stored {
    /// Reads a file by its name: `*.jsonl` is a history of gates, `ledger.json` a ledger, any other a result. In a folder it
    /// is the file that lies in it, or the newest of those that `run` has written below it, of ledgers where there are any.
    ///
    /// # Errors
    /// Usage, when there is none, or it cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = match path.is_dir() {
            true => in_folder(path).ok_or_else(|| {
                Error::usage(format!("there is no {RESULT} and no {LEDGER} in {}", path.display()))
                    .help(WANTED)
            })?,
            false => path.to_owned(),
        };
        let shown = file.display();
        if file.extension().is_some_and(|extension| extension == "jsonl") {
            let history = stored_history::stored(&file)?;
            return match history.gates.is_empty() {
                true => Err(Error::usage(format!("{shown} has no gate"))),
                false => Ok(Self::History(history)),
            };
        }
        let text = files::read_json(&file, files::RESULT_BYTES_MAX)
            .usage(|| format!("cannot read {shown}"))
            .map_err(|error| error.help(WANTED))?;
        if file.file_name().is_some_and(|name| name == LEDGER) {
            let ledger = record::ledger_from(&text).usage(|| format!("{shown} is not a ledger"))?;
            return Ok(Self::Ledger(Box::new(ledger)));
        }
        let result = record::from_json(&text).usage(|| format!("{shown} is not a result"))?;
        Ok(Self::Result(Box::new(result)))
    }
}

const WANTED: &str = "give a result.json, or the folder that `run` wrote";

/// The ledger or the result of a folder, or the newest below it: the names of those folders are times.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let newest = |name: &str| {
        let below = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path().join(name));
        below.filter(|file| file.is_file()).max()
    };
    let own =
        [LEDGER, RESULT].map(|name| folder.join(name)).into_iter().find(|file| file.is_file());
    own.or_else(|| newest(LEDGER)).or_else(|| newest(RESULT))
}
