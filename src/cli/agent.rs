//! `bakeoff agent`

use crate::error::Result;
use crate::hosts::agent;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ssh -T b /opt/bakeoff/bakeoff agent   what `bakeoff run --hosts` runs for launch = [\"ssh\", \"-T\", \"b\"]

It speaks frames on stdin and stdout, listens on no port, and ends with all that it has started when its stdin
ends, when it hears nothing for 15 s, or at SIGTERM. docs/cluster.md has more.

Exit codes: 0 ended as asked, 1 internal error, 2 what came on stdin is not a frame")]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        agent::serve()
    }
}
