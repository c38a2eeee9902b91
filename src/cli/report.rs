//! `bakeoff report`

use std::path::PathBuf;

use crate::cli::stored::Stored;
use crate::cli::{Format, print};
use crate::error::{Error, Failure, Result};
use crate::record;
use crate::record::{Ledger, RunResult};
use crate::report;
use crate::report::gate::history::History;
use crate::report::gate::past;
use crate::report::side_by_side::{mismatches, side_by_side};

/// Flags of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff report reports/tour                                   the newest result of the tour again
  bakeoff report result.json --format markdown                  for a pull request
  bakeoff report result.json --out page                         index.html, summary.md and charts anew
  bakeoff report before/result.json after/result.json           side by side, without a verdict
  bakeoff report reports/ledger                                 the newest ledger again
  bakeoff report reports/gate/history.jsonl                     the gates so far

Two results are two runs on two occasions: their figures stand beside each other and nothing is concluded.
`bakeoff gate` compares two builds.

Exit codes: 0 shown, 1 internal error, 2 a file cannot be read, 6 the two results are of unlike machines, builds or scenarios")]
pub(crate) struct Args {
    /// A result.json or ledger.json, the folder that it lies in, or one with the folders of several: then the newest,
    /// of ledgers where there are any; or a gate's history.jsonl
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
    /// Overwrite files in --out that bakeoff did not write
    #[arg(long, requires = "out")]
    force: bool,
    /// Print every comparison, ceiling and reason of a result
    #[arg(long)]
    verbose: bool,
    /// How the result is written to stdout
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let first = Stored::read(&self.result)?;
        let second = self.other.as_deref().map(Stored::read).transpose()?;
        let text = match (&first, &second) {
            (Stored::Result(result), Some(Stored::Result(other))) => self.beside(result, other)?,
            (_, Some(_)) => {
                return Err(Error::usage("only two results can stand beside each other")
                    .help("give the result.json of one scenario, twice"));
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
            Format::Text if self.verbose => report::terminal::terminal(result, self.out.as_deref()),
            Format::Text => report::terminal::brief(result, self.out.as_deref()),
            Format::Json => record::to_json(result) + "\n",
            Format::Markdown => report::markdown::markdown(result),
        })
    }

    fn ledger(&self, ledger: &Ledger) -> Result<String> {
        if let Some(out) = &self.out {
            report::ledger::write(out, ledger, self.force)?;
        }
        Ok(match self.format {
            Format::Text => report::ledger::text(ledger, self.out.as_deref()),
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
            Format::Text => past::text(history),
            Format::Json => past::json(history),
            Format::Markdown => past::markdown(history),
        })
    }

    fn beside(&self, result: &RunResult, other: &RunResult) -> Result<String> {
        let unlike = mismatches(&result.fingerprint, &other.fingerprint);
        if !unlike.is_empty() && !self.allow_mismatch {
            let message = format!("the two results cannot be compared: {}", unlike.join("; "));
            return Err(Error::of(Failure::Baseline, message)
                .help("run both on one machine, or show them all the same with --allow-mismatch"));
        }
        Ok(match self.format {
            Format::Json => format!("[{},\n{}]\n", record::to_json(result), record::to_json(other)),
            Format::Markdown => side_by_side(result, other, &unlike).markdown(),
            Format::Text => side_by_side(result, other, &unlike).text(),
        })
    }
}
