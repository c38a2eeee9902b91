//! Verbs that bakeoff starts itself with, and that the help does not list.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::database;
use crate::error::{Context, Result};
use crate::machine::cgroup;
use crate::process::supervise;
use crate::units::Nanos;

#[derive(Debug, clap::Args)]
pub(crate) struct SuperviseArgs {
    /// How long the program may take to end
    #[arg(long)]
    patience: Nanos,
    /// The control group in which the program is started
    #[arg(long)]
    group: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

impl SuperviseArgs {
    /// Gives the program's exit code.
    pub(crate) fn run(self) -> Result<u8> {
        supervise::supervise(&self.argv, self.patience.into(), self.group.as_deref())
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnterArgs {
    /// The group's folder
    group: PathBuf,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

impl EnterArgs {
    /// Gives the exit code of nothing: where it succeeds this process is the program.
    pub(crate) fn run(self) -> Result<u8> {
        cgroup::enter(&self.group).context(|| format!("cannot enter {}", self.group.display()))?;
        let error = Command::new(&self.argv[0]).args(&self.argv[1..]).exec();
        Err(error).context(|| format!("cannot start {}", self.argv[0].display()))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeepPostgresArgs {
    /// The folder of initdb and postgres
    #[arg(long, value_name = "DIR")]
    bin: PathBuf,
    /// Connections at most
    #[arg(long, value_name = "N")]
    connections: u32,
}

impl KeepPostgresArgs {
    /// Keeps a cluster until stdin ends, and gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        database::keep(&self.bin, self.connections)?;
        Ok(0)
    }
}
