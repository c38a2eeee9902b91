//! The folder of a throw-away cluster: made for its owner alone, removed with it, and swept when its owner was killed.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use super::account::Account;
use super::leftovers;
use crate::error::{Context, Result};

/// `bakeoff-pg-PID` in the folder for temporary files; the process is the keeper's.
const PREFIX: &str = "bakeoff-pg-";
/// How a keeper is told from another process that has got its number: the word of its command line.
pub(crate) const KEEPER: &str = "keep-postgres";
/// A postmaster that has not ended so long after SIGQUIT is killed.
const ENDS_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one of this process, which only its owner may enter.
    ///
    /// # Errors
    /// When it cannot be made or given away.
    pub(crate) fn new(owner: Option<Account>) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .usage(|| format!("cannot make the folder {}", path.display()))?;
        let folder = Self(path);
        if let Some(Account { uid, gid }) = owner {
            chown(&folder.0, Some(uid), Some(gid))
                .context(|| format!("cannot give {} away", folder.0.display()))?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the cluster's files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What the postmaster writes to stderr.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes the folders whose keepers were killed, and ends the postmasters that still run there.
pub(crate) fn sweep() {
    for entry in std::env::temp_dir().read_dir().into_iter().flatten().flatten() {
        let keeper =
            entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        if keeper.is_some_and(|pid| !is_keeper(pid)) && is_ours(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// Ends the postmaster of a folder, if one is left, and what a killed one has left; removes the folder.
pub(crate) fn remove(folder: &Path) {
    let _ = end_postmaster(folder);
    let _ = leftovers::end(folder);
    let _ = fs::remove_dir_all(folder);
}

/// This process is none: it has not made its folder yet.
fn is_keeper(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pid != std::process::id() && line.split(|&byte| byte == 0).any(|word| word == KEEPER.as_bytes())
}

/// A true folder of this user or of the one whom this user's clusters run as. Anyone may make one of that name.
fn is_ours(folder: &Path) -> bool {
    let owners = [Some(geteuid().as_raw()), Account::to_become().ok().flatten().map(|it| it.uid)];
    fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && owners.contains(&Some(it.uid())))
}

/// Ends the process that `postmaster.pid` names, if it is at home in this very folder.
fn end_postmaster(folder: &Path) -> Option<()> {
    let data = folder.join("data").canonicalize().ok()?;
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(file.lines().next()?.trim().parse().ok()?)?;
    // Held before it is looked at, so that what is signalled is what was looked at.
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    if fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()? != data {
        return None;
    }
    pidfd_send_signal(&process, Signal::QUIT).ok()?;
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&ENDS_WITHIN));
    if ended != Ok(1) {
        pidfd_send_signal(&process, Signal::KILL).ok()?;
    }
    Some(())
}
