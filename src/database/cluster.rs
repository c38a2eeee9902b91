//! A throw-away PostgreSQL: a folder, a postmaster at home in it, and nothing else. Lives in the keeper's process.
//!
//! The folder is made for its owner alone (PostgreSQL refuses to be root), removed with it, and swept when its owner was
//! killed.

use std::fs::{DirBuilder, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, geteuid, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal,
};

use crate::error::{Context, Error, Result};

/// Its superuser, who comes in by the socket in the folder: so only the folder's owner and root do.
pub(crate) const SUPERUSER: &str = "postgres";
/// The contenders' user, who owns their databases and comes in by TCP without a password.
pub(crate) const USER: &str = "bench";

/// Everyone on this machine can reach the port. So who comes that way is not the superuser, who may run programs.
const WHO_MAY_CONNECT: &str = "local all all trust\nhost all bench 127.0.0.1/32 trust\n";

/// The rows are worth nothing the day after, so nothing waits for a disk; and nothing wakes up by itself in a trial.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    // Its files go with the data folder, where others would outlive a postmaster that is killed.
    "dynamic_shared_memory_type=mmap",
    // In the data folder, where a postmaster is at home: a socket's whole path would have to fit into 107 bytes.
    "unix_socket_directories=.",
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "shared_buffers=256MB",
    "maintenance_work_mem=128MB",
    // Both cores are loading a table by then.
    "max_parallel_maintenance_workers=0",
    "jit=off",
];

/// bakeoff's own, and those that PostgreSQL keeps for superusers.
const CONNECTIONS_ASIDE: u32 = 8;
/// A cluster that is not ready after so long never will be.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// After SIGQUIT a postmaster gives its processes 5 s, and kills what is left.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at what is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Another program may take a port between the look for a free one and the start.
const PORTS_TRIED: u32 = 3;

/// A running cluster. Dropping it ends it and removes its folder, in this order.
#[derive(Debug)]
pub(crate) struct Cluster {
    postmaster: Postmaster,
    folder: Folder,
}

impl Cluster {
    /// Makes a cluster in a new folder and starts it with room for so many connections.
    ///
    /// # Errors
    /// When there is no user to run it as, and when initdb or postgres fail; the message has what they said. Interrupted, once
    /// the start is cancelled.
    pub(crate) fn start(
        binaries: &Path,
        connections: u32,
        unwanted: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let account = Account::to_become()?;
        let folder = Folder::new(account)?;
        let program = |name: &str| {
            let mut command = Command::new(binaries.join(name));
            // Whom it runs as may not be allowed to be where we are.
            command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
            if let Some(account) = account {
                account.drop_to(&mut command);
            }
            command
        };
        init(program("initdb"), &folder, unwanted)?;
        let mut tried = 0;
        loop {
            tried += 1;
            match Postmaster::start(program("postgres"), &folder, connections, unwanted) {
                Ok(postmaster) => return Ok(Self { postmaster, folder }),
                Err(_) if tried < PORTS_TRIED && port_was_taken(&folder) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.postmaster.port
    }

    /// The postmaster's process.
    pub(crate) fn pid(&self) -> u32 {
        self.postmaster.child.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the postmaster has ended without being asked; with what it said.
    pub(crate) fn crashed(&mut self) -> Option<String> {
        let status = self.postmaster.child.try_wait().ok().flatten()?;
        Some(format!("its postmaster ended: {status}\n{}", said(&self.folder)))
    }
}

fn init(mut initdb: Command, folder: &Folder, unwanted: &dyn Fn() -> bool) -> Result<()> {
    initdb.arg("-D").arg(folder.data());
    initdb.args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    // Its own processes are ended with it.
    initdb.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = initdb.spawn().context(|| "cannot start initdb".into())?;
    while child.try_wait().ok().flatten().is_none() {
        if unwanted() {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            return Err(Error::interrupted());
        }
        thread::sleep(LOOK_EVERY);
    }
    let output = child.wait_with_output().context(|| "cannot wait for initdb".into())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::internal(format!("initdb failed: {}", said.trim())).help(format!(
            "{} must be in a folder that the user may enter: set TMPDIR to another",
            folder.path().display()
        )));
    }
    let rules = folder.data().join("pg_hba.conf");
    // Written over, so that its owner stays.
    fs::write(&rules, WHO_MAY_CONNECT).context(|| format!("cannot write {}", rules.display()))
}

/// The process that all others of a cluster come from.
#[derive(Debug)]
struct Postmaster {
    child: Child,
    port: u16,
}

impl Postmaster {
    fn start(
        mut postgres: Command,
        folder: &Folder,
        connections: u32,
        unwanted: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.context(|| "cannot find a free port".into())?.port();
        let log = File::create(folder.log()).context(|| "cannot write postgres' log".into())?;
        postgres.arg("-D").arg(folder.data()).args(["-p", &port.to_string()]);
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        postgres.args(["-N", &(connections + CONNECTIONS_ASIDE).to_string()]);
        let child = postgres.stdout(Stdio::null()).stderr(log).spawn();
        let mut postmaster =
            Self { child: child.context(|| "cannot start postgres".into())?, port };
        postmaster.ready(folder, unwanted)?;
        Ok(postmaster)
    }

    /// Waits until it takes connections.
    fn ready(&mut self, folder: &Folder, unwanted: &dyn Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let file = fs::read_to_string(folder.data().join("postmaster.pid")).unwrap_or_default();
            let status = file.lines().nth(7).unwrap_or_default().trim();
            if status == "ready" && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let how = ended.map_or("is not ready in time".into(), |it| format!("ended: {it}"));
                return Err(Error::internal(format!("postgres {how}\n{}", said(folder))));
            }
            if unwanted() {
                return Err(Error::interrupted());
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Postmaster {
    /// SIGQUIT: at once, and nothing is written out.
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        // It has not been waited for, so the number is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::QUIT);
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port_was_taken(folder: &Folder) -> bool {
    said(folder).contains("Address already in use")
}

fn said(folder: &Folder) -> String {
    fs::read_to_string(folder.log()).unwrap_or_default().trim().to_owned()
}

/// Names the folder of `initdb` and `postgres`, before anything that is looked for.
pub(crate) const VARIABLE: &str = "BAKEOFF_PG_BIN";

/// Debian and Ubuntu keep versions side by side here, and none of them on PATH.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`: `BAKEOFF_PG_BIN`, the highest of `/usr/lib/postgresql/*/bin`, or one of PATH.
///
/// # Errors
/// When there is none; the message says how to install them.
pub fn find_programs() -> Result<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
    if let Some(folder) = named.map(PathBuf::from) {
        return if has_both(&folder) {
            Ok(folder)
        } else {
            Err(Error::usage(format!(
                "{VARIABLE} is {}, where initdb and postgres are not both",
                folder.display()
            ))
            .help("name the folder that has them, as /usr/lib/postgresql/15/bin"))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    highest(Path::new(VERSIONS))
        .or_else(|| std::env::split_paths(&path).find(|folder| has_both(folder)))
        .ok_or_else(|| {
            Error::usage("PostgreSQL is not installed: neither initdb nor postgres was found").help(format!(
                "apt-get install postgresql (or your system's server package), name their folder in {VARIABLE}, or give \
                 the URL of a server on this machine"
            ))
        })
}

/// The `bin` folder of the highest version in `versions`.
fn highest(versions: &Path) -> Option<PathBuf> {
    let numbered = versions.read_dir().ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    numbered.filter(|(_, folder)| has_both(folder)).max().map(|(_, folder)| folder)
}

fn has_both(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// `bakeoff-pg-PID` in the folder for temporary files; the process is the keeper's.
const PREFIX: &str = "bakeoff-pg-";
/// How a keeper is told from another process that has got its number: the word of its command line.
pub(crate) const KEEPER: &str = "keep-postgres";
/// A postmaster that has not ended so long after SIGQUIT is killed.
const POSTMASTER_ENDS_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

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
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&POSTMASTER_ENDS_WITHIN));
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
            Error::usage(
                "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`",
            )
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
    fn the_highest_complete_version_wins() {
        let versions = tempfile::tempdir().unwrap();
        for (version, programs) in [("9", 2), ("15", 2), ("16", 1), ("17", 0), ("backup", 2)] {
            let bin = versions.path().join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            for program in ["initdb", "postgres"].iter().take(programs) {
                fs::write(bin.join(program), "").unwrap();
            }
        }
        assert_eq!(highest(versions.path()), Some(versions.path().join("15/bin")));
        assert_eq!(highest(&versions.path().join("none")), None);
    }

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
