//! The verbs of processes that bakeoff starts itself: an agent on another host, the supervisor of a contender, a program
//! in a control group, and the keeper of a temporary PostgreSQL.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::database;
use crate::error::{Context, Result};
use crate::hosts::agent;
use crate::machine::cgroup;
use crate::process::supervise;
use crate::units::Nanos;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ssh -T b /opt/bakeoff/bakeoff agent   what `bakeoff run --hosts` runs for launch = [\"ssh\", \"-T\", \"b\"]

It speaks frames on stdin and stdout, listens on no port, and ends with all that it has started when its stdin
ends, when it hears nothing for 15 s, or at SIGTERM. docs/cluster.md has more.

Exit codes: 0 ended as asked, 1 internal error, 2 what came on stdin is not a frame")]
pub(crate) struct AgentArgs {}

impl AgentArgs {
    pub(crate) fn run(self) -> Result<u8> {
        agent::serve()
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SuperviseArgs {
    /// How long the program may take to end
    #[arg(long)]
    patience: Nanos,
    /// The control group in which the program is started
    #[arg(long)]
    group: Option<PathBuf>,
    /// The program has stdout, and nothing is said there
    #[arg(long)]
    transparent: bool,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

impl SuperviseArgs {
    /// Gives the program's exit code.
    pub(crate) fn run(self) -> Result<u8> {
        let (patience, group) = (self.patience.into(), self.group);
        let how = supervise::Supervision { patience, group, transparent: self.transparent };
        supervise::supervise(&self.argv, &how)
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
