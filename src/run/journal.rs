//! `trials.jsonl`: every finished trial, written down before anything else happens.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::report::schema::{self, Trial};

/// The file, open.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// An empty one in a report's folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(out: &Path) -> Result<Self> {
        fs::create_dir_all(out)
            .usage(|| format!("cannot make the report folder {}", out.display()))?;
        let path = out.join("trials.jsonl");
        let file = File::create(&path).usage(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Appends a trial.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep(&mut self, trial: &Trial) -> Result<()> {
        writeln!(self.file, "{}", schema::trial_line(trial))
            .and_then(|()| self.file.flush())
            .usage(|| format!("cannot write {}", self.path.display()))
    }
}
