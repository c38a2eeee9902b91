//! `bakeoff enter`, which people do not call: becomes a program in a control group of its own.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Context, Result};
use crate::run;

/// Flags of `enter`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The group's folder
    group: PathBuf,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

impl Args {
    /// Gives the exit code of nothing: where it succeeds this process is the program.
    pub(crate) fn run(self) -> Result<u8> {
        run::enter(&self.group).context(|| format!("cannot enter {}", self.group.display()))?;
        let error = Command::new(&self.argv[0]).args(&self.argv[1..]).exec();
        Err(error).context(|| format!("cannot start {}", self.argv[0].display()))
    }
}
