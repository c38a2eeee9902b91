//! The folder of a throw-away cluster, the user it belongs to (PostgreSQL refuses to be root), and what is left of it:
//! made for its owner alone, removed with it, and swept when its owner was killed.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, geteuid, kill_process, pidfd_open, pidfd_send_signal,
};

use crate::error::{Context, Error, Result};

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
    let _ = end(folder);
    let _ = fs::remove_dir_all(folder);
}

/// This process is none: it has not made its folder yet.
fn is_keeper(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pid != std::process::id() && line.split(|&byte| byte == 0).any(|word| word == KEEPER.as_bytes())
}

/// A true folder of this user or of the one whom this user's clusters run as. Any user may create one of that name.
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

/// A user of this system, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Tried in turn. initdb wants one that `/etc/passwd` knows.
const NAMES: [&str; 2] = ["postgres", "nobody"];

impl Account {
    /// The user to run as, if this process is root.
    pub(crate) fn to_become() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd =
            fs::read_to_string("/etc/passwd").context(|| "cannot read /etc/passwd".into())?;
        let account = NAMES.iter().find_map(|name| of(&passwd, name));
        account.map(Some).ok_or_else(|| {
            Error::usage("PostgreSQL does not run as root, and there is no user postgres or nobody")
                .help("run bakeoff as another user, or give the URL of a server on this machine")
        })
    }

    /// Has `command` run as this user, without root's groups.
    pub(crate) fn drop_to(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// The numbers of `name` in the text of an `/etc/passwd`: `name:x:uid:gid:..`.
fn of(passwd: &str, name: &str) -> Option<Account> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = fields.into_iter().find(|fields| fields[0] == name)?;
    Some(Account { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

/// Processes that are killed have let go of their memory after so long.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Ends the processes that are at home in the data of a cluster whose postmaster has ended, and removes its segment.
/// Nothing where there is no `postmaster.pid`: a postmaster that ends in good order removes it and clears up.
pub(crate) fn end(folder: &Path) -> Option<()> {
    let data = folder.join("data").canonicalize().ok()?;
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let deadline = Instant::now() + GONE_WITHIN;
    while let Some(pid) = at_home(&data).filter(|_| Instant::now() < deadline) {
        let _ = kill_process(pid, Signal::KILL);
        thread::sleep(Duration::from_millis(2));
    }
    let (key, id) = segment(&file)?;
    let table = fs::read_to_string("/proc/sysvipc/shm").ok()?;
    if is_unused(&table, key, id) {
        let mut remove = Command::new("ipcrm");
        remove.args(["-m", &id.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        remove.stderr(Stdio::null()).status().ok()?;
    }
    Some(())
}

/// A process that has `data` as its folder.
fn at_home(data: &Path) -> Option<Pid> {
    let mut pids = fs::read_dir("/proc").ok()?.flatten();
    pids.find_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        (fs::read_link(entry.path().join("cwd")).ok()? == data).then_some(pid)
    })
}

/// The key and the number of the segment, in the seventh line of `postmaster.pid`.
fn segment(file: &str) -> Option<(i64, i64)> {
    let (key, id) = file.lines().nth(6)?.trim().split_once(' ')?;
    Some((key.parse().ok()?, id.trim().parse().ok()?))
}

/// Whether the segment is still that of the key and no process is attached, in the text of `/proc/sysvipc/shm`.
fn is_unused(table: &str, key: i64, id: i64) -> bool {
    table.lines().any(|line| {
        let fields: Vec<i64> =
            line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        // key, shmid, perms, size, cpid, lpid, nattch
        matches!(fields[..], [k, i, _, _, _, _, 0, ..] if (k, i) == (key, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresx:x:1:1:::\n\npostgres:x:105:110:,,,:/:\n";
        assert_eq!(of(passwd, "postgres"), Some(Account { uid: 105, gid: 110 }));
        assert_eq!(of(passwd, "nobody"), None);
    }

    #[test]
    fn the_segment_of_a_killed_postmaster_is_known_by_key_and_number() {
        let file = "4242\n/tmp/bakeoff-pg-7/data\n1764500000\n5433\n.\n127.0.0.1\n  1267837   32769\nready   \n";
        assert_eq!(segment(file), Some((1_267_837, 32_769)));
        assert_eq!(segment("4242\n/tmp\n"), None, "it was killed before it had one");
        let table = |attached: u32| {
            format!(
                "       key      shmid perms                  size  cpid  lpid nattch   uid   gid\n   1267837      32769   600 \
                 56  4242  4243      {attached}   105   112   105   112 1764500000 0 1764500000\n"
            )
        };
        assert!(is_unused(&table(0), 1_267_837, 32_769));
        assert!(!is_unused(&table(1), 1_267_837, 32_769), "a process is attached");
        assert!(!is_unused(&table(0), 1, 32_769), "the number is another's by now");
        assert!(!is_unused("", 1_267_837, 32_769));
    }
}
