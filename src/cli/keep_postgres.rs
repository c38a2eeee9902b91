//! `bakeoff keep-postgres`: the process behind a throw-away PostgreSQL. Not for people, so not in the help.

use std::path::PathBuf;

use crate::database;
use crate::error::Result;

/// Flags of `keep-postgres`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of initdb and postgres
    #[arg(long, value_name = "DIR")]
    bin: PathBuf,
    /// Connections at most
    #[arg(long, value_name = "N")]
    connections: u32,
}

impl Args {
    /// Keeps a cluster until stdin ends, and gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        database::keep(&self.bin, self.connections)?;
        Ok(0)
    }
}
