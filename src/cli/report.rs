//! `bakeoff report`

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{Format, print};
use crate::error::{Context, Error, Failure, Result};
use crate::gate::formats::history;
use crate::report;
use crate::report::schema::{self, Ledger, RunResult};
use crate::report::side_by_side::{mismatches, side_by_side};

const RESULT: &str = "result.json";
const LEDGER: &str = "ledger.json";

/// Flags of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff report reports/tour                                   the newest result of the tour again
  bakeoff report result.json --format markdown                  for a pull request
  bakeoff report result.json --out page                         index.html, summary.md and charts anew
  bakeoff report before/result.json after/result.json           side by side, without a verdict
  bakeoff report reports/ledger                                 the newest ledger again

Two results are two runs on two occasions: their figures stand beside each other and nothing is concluded.
`bakeoff gate` compares two builds.

Exit codes: 0 shown, 1 internal error, 2 a file cannot be read, 6 the two results are of unlike machines, builds or scenarios")]
pub(crate) struct Args {
    /// A result.json or ledger.json, the folder that it lies in, or one with the folders of several: then the newest,
    /// of ledgers where there are any
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// Another one, to be shown beside it
    #[arg(value_name = "OTHER", conflicts_with = "out")]
    other: Option<PathBuf>,
    /// Shows results of unlike machines, builds or scenarios side by side all the same
    #[arg(long, requires = "other")]
    allow_mismatch: bool,
    /// Writes index.html, summary.md and charts into this folder; of a ledger index.html, ledger.md and ledger.json,
    /// whose links lead on only in the ledger's own folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the result is written to stdout
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        if let Some(ledger) = ledger(&self.result)? {
            return self.again(&ledger);
        }
        let result = load(&self.result)?;
        let text = match &self.other {
            Some(path) => self.beside(&result, &load(path)?)?,
            None => {
                if let Some(out) = &self.out {
                    report::write::write_prose(out, &result)?;
                }
                match self.format {
                    Format::Text => report::terminal::terminal(&result, self.out.as_deref()),
                    Format::Json => schema::to_json(&result) + "\n",
                    Format::Markdown => report::markdown::markdown(&result),
                }
            }
        };
        print(&text)?;
        Ok(0)
    }

    /// Shows a ledger.
    fn again(&self, ledger: &Ledger) -> Result<u8> {
        if self.other.is_some() {
            return Err(Error::usage("a ledger has nothing beside it")
                .help("give the result.json of one of its scenarios, twice"));
        }
        if let Some(out) = &self.out {
            report::ledger::write(out, ledger)?;
        }
        print(&match self.format {
            Format::Text => report::ledger::text(ledger, self.out.as_deref()),
            Format::Json => schema::ledger_json(ledger) + "\n",
            Format::Markdown => report::ledger::markdown(ledger),
        })?;
        Ok(0)
    }

    fn beside(&self, result: &RunResult, other: &RunResult) -> Result<String> {
        let unlike = mismatches(&result.fingerprint, &other.fingerprint);
        if !unlike.is_empty() && !self.allow_mismatch {
            let message = format!("the two results cannot be compared: {}", unlike.join("; "));
            return Err(Error::of(Failure::Baseline, message)
                .help("run both on one machine, or show them all the same with --allow-mismatch"));
        }
        Ok(match self.format {
            Format::Json => format!("[{},\n{}]\n", schema::to_json(result), schema::to_json(other)),
            Format::Markdown => side_by_side(result, other, &unlike).markdown(),
            Format::Text => side_by_side(result, other, &unlike).text(),
        })
    }
}

/// Reads a ledger.json, the one in a folder, or the newest below it; nothing where `path` is of a result.
fn ledger(path: &Path) -> Result<Option<Ledger>> {
    let file = match path.is_dir() {
        true => newest(path, LEDGER).unwrap_or_else(|| path.to_owned()).join(LEDGER),
        false => path.to_owned(),
    };
    if file.file_name().is_none_or(|name| name != LEDGER) || !file.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).usage(|| format!("cannot read {}", file.display()))?;
    schema::ledger_from(&text).usage(|| format!("{} is no ledger", file.display())).map(Some)
}

/// Reads a result.json, the one in a folder, or the newest of those that `run` has written below a folder; of a gate's
/// history its series.
pub(crate) fn load(path: &Path) -> Result<RunResult> {
    let file = match path.is_dir() {
        true => newest(path, RESULT).unwrap_or_else(|| path.to_owned()).join(RESULT),
        false => path.to_owned(),
    };
    let text = fs::read_to_string(&file)
        .usage(|| format!("cannot read {}", file.display()))
        .map_err(|error| error.help("give a result.json, or the folder that `run` wrote"))?;
    if file.extension().is_some_and(|extension| extension == "jsonl") {
        let series = history::read(&text).series();
        return series.ok_or_else(|| Error::usage(format!("{} has no gate", file.display())));
    }
    schema::from_json(&text).usage(|| format!("{} is no result", file.display()))
}

/// The last by name of the folders below `folder` that have a file of this name: their names are times. Nothing where
/// `folder` has one itself, or none has.
fn newest(folder: &Path, name: &str) -> Option<PathBuf> {
    if folder.join(name).is_file() {
        return None;
    }
    let below = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    below.filter(|path| path.join(name).is_file()).max()
}
