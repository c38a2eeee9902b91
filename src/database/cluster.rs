//! A throw-away PostgreSQL: a folder, a postmaster at home in it, and nothing else. Lives in the keeper's process.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::database::folder::{Account, Folder};
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
}
