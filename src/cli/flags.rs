//! Flags that several verbs share.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::clock;
use crate::error::{Error, Result};
use crate::run::{Claim, ReportFolder};
use crate::text::harmless;

#[derive(Debug, clap::Args)]
pub(crate) struct Out {
    /// The report's folder, which must be empty or new [default: reports/NAME/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Delete the report that is in --out; other files there are kept
    #[arg(long)]
    pub(crate) force: bool,
}

impl Out {
    /// The folder that is named, or a new one below `usual` with the time as its name.
    ///
    /// # Errors
    /// When it cannot be made, has files in it, or another process has it.
    pub(crate) fn claim(&self, usual: &Path) -> Result<ReportFolder> {
        match &self.out {
            Some(out) => ReportFolder::claim(out, self.how()),
            None => ReportFolder::claim(&usual.join(now()), Claim::Fresh),
        }
    }

    /// How a folder that is named is to be had.
    pub(crate) fn how(&self) -> Claim {
        if self.force { Claim::Forced } else { Claim::Empty }
    }
}

/// The time as a folder's name.
fn now() -> String {
    clock::utc().replace(':', "-")
}

#[derive(Debug, clap::Args)]
pub(crate) struct Quiet {
    /// No progress on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Quiet {
    /// A sentence on stderr, unless it is to be quiet.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        if !self.quiet {
            anstream::eprintln!("{}", harmless(&what.to_string()));
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Parent {
    /// End when the parent process ends; give its PID to close the race with an end before the start
    #[arg(long, value_name = "PID", num_args = 0..=1, require_equals = true, hide = true)]
    #[expect(clippy::option_option, reason = "the flag may come without a PID")]
    die_with_parent: Option<Option<i32>>,
}

impl Parent {
    /// Follows the parent if the flag says so; gives whether there is a reason to start.
    pub(crate) fn is_there(&self) -> Result<bool> {
        self.die_with_parent.map_or(Ok(true), outlived_by)
    }
}

/// Has the kernel end this process with its parent; gives whether the parent is still there.
fn outlived_by(parent: Option<i32>) -> Result<bool> {
    let before = parent.and_then(Pid::from_raw).or_else(getppid);
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| Error::internal(format!("cannot follow the parent process: {error}")))?;
    Ok(getppid() == before)
}
