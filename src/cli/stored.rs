//! What was written earlier, read again: a result, a ledger, or a history of gates.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::files;
use crate::record;
use crate::record::{Ledger, RunResult};
use crate::report::gate::history::History;
use crate::run::gate::history;

const RESULT: &str = "result.json";
const LEDGER: &str = "ledger.json";
/// Two thousand trials have eight million bytes.
const BYTES_MAX: u64 = 64 << 20;

/// Something that was stored.
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
            let history = history::stored(&file)?;
            return match history.gates.is_empty() {
                true => Err(Error::usage(format!("{shown} has no gate"))),
                false => Ok(Self::History(history)),
            };
        }
        let text = files::read_json(&file, BYTES_MAX)
            .usage(|| format!("cannot read {shown}"))
            .map_err(|error| error.help(WANTED))?;
        if file.file_name().is_some_and(|name| name == LEDGER) {
            let ledger = record::ledger_from(&text).usage(|| format!("{shown} is no ledger"))?;
            return Ok(Self::Ledger(Box::new(ledger)));
        }
        let result = record::from_json(&text).usage(|| format!("{shown} is no result"))?;
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
