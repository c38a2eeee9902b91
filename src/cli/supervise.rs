//! `bakeoff supervise`, which people do not call: the parent of a contender that is not built in.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::Result;
use crate::run;
use crate::units::Nanos;

/// Flags of `supervise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long the program may take to end when asked to
    #[arg(long)]
    patience: Nanos,
    /// The control group in which the program is started
    #[arg(long)]
    group: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

impl Args {
    /// Gives the program's exit code.
    pub(crate) fn run(self) -> Result<u8> {
        run::supervise(&self.argv, self.patience.into(), self.group.as_deref())
    }
}
