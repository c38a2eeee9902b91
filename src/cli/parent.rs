//! The flag by which a child process ends with whoever started it, even with one that is killed.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::error::{Error, Result};

/// Flags of every verb that `run` starts as a child.
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
