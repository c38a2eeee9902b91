//! A contender's own control group: what the machine gave it, kernel memory included, of all its processes together.
//!
//! It is made below our own group, where that is allowed, and removed with the contender. A run that is killed leaves an
//! empty one, which has its PID in the name; the next run removes it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::machine::proc;
use crate::machine::proc::{Group, Mount};

/// Before the PID of the run and a number.
const PREFIX: &str = "bakeoff-";
/// A group can be removed a little after its last process has ended.
const REMOVE_TRIES: u32 = 200;
const REMOVE_AFTER: Duration = Duration::from_millis(5);

/// A group of its own. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
    version: Version,
}

/// They differ in their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// A new group; nothing where none can be made, or it would not count kernel memory.
    pub(crate) fn make() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        let (own, version) = own()?;
        SWEPT.call_once(|| sweep(&own));
        if version == Version::Two {
            // Refused where our own group has processes: only its root, or one that is prepared, can hand memory on.
            let enabled = fs::read_to_string(own.join("cgroup.subtree_control")).ok()?;
            if !enabled.split_ascii_whitespace().any(|one| one == "memory") {
                fs::write(own.join("cgroup.subtree_control"), "+memory").ok()?;
            }
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = own.join(format!("{PREFIX}{}-{n}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let group = Self { folder, version };
        // Made and of no use: without the files, or in a place where processes cannot enter it.
        let counts =
            version == Version::Two || group.folder.join("memory.kmem.usage_in_bytes").exists();
        (counts && group.bytes().is_some() && group.can_be_entered()).then_some(group)
    }

    /// The folder, by which a child enters it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it holds now, less file cache, in bytes.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let text = |file: &str| fs::read_to_string(self.folder.join(file)).ok();
        let (usage, [file, shared]) = match self.version {
            Version::One => ("memory.usage_in_bytes", ["total_cache", "total_shmem"]),
            Version::Two => ("memory.current", ["file", "shmem"]),
        };
        let stat = text("memory.stat")?;
        held(text(usage)?.trim().parse().ok()?, &stat, file, shared)
    }

    fn can_be_entered(&self) -> bool {
        fs::OpenOptions::new().write(true).open(self.folder.join(PROCESSES)).is_ok()
    }
}

impl Cgroup {
    fn kill(&self) {
        let pids = fs::read_to_string(self.folder.join(PROCESSES)).unwrap_or_default();
        let pids = pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.for_each(|pid| _ = kill_process(pid, Signal::KILL));
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..REMOVE_TRIES {
            match fs::remove_dir(&self.folder) {
                // It has a process yet: one that is ending, or what a supervisor that was killed has left.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    self.kill();
                    thread::sleep(REMOVE_AFTER);
                }
                _ => return,
            }
        }
    }
}

const PROCESSES: &str = "cgroup.procs";

/// Moves this process into a group; what it starts from then on is born there.
pub(crate) fn enter(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(PROCESSES), "0")
}

/// The same for as long as `action` takes.
pub(crate) fn within<T>(folder: &Path, action: impl FnOnce() -> T) -> io::Result<T> {
    let Some((own, _)) = own() else { return Err(io::ErrorKind::NotFound.into()) };
    enter(folder)?;
    let value = action();
    enter(&own)?;
    Ok(value)
}

/// Our own group with the memory controller.
fn own() -> Option<(PathBuf, Version)> {
    let (groups, mounts) = (proc::groups()?, proc::mounts()?);
    groups.iter().filter_map(|group| of_memory(group, &mounts)).find(|(folder, _)| folder.is_dir())
}

/// The folder of a group, where it is one of the memory controller.
fn of_memory(group: &Group, mounts: &[Mount]) -> Option<(PathBuf, Version)> {
    let memory = |names: &[String]| names.iter().any(|name| name == "memory");
    let one = memory(&group.controllers);
    let mount = mounts.iter().find(|mount| match one {
        true => mount.kind == "cgroup" && memory(&mount.options),
        false => group.hierarchy == 0 && mount.kind == "cgroup2",
    })?;
    let folder = mount.at.join(group.path.trim_start_matches('/'));
    let controllers = || fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    let two = !one && controllers().split_ascii_whitespace().any(|name| name == "memory");
    match (one, two) {
        (true, _) => Some((folder, Version::One)),
        (_, true) => Some((folder, Version::Two)),
        _ => None,
    }
}

/// Removes the groups of runs that are no more.
fn sweep(own: &Path) {
    let Ok(folders) = fs::read_dir(own) else { return };
    for folder in folders.flatten() {
        let dead = folder
            .file_name()
            .to_str()
            .and_then(run_of)
            .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if dead {
            // One that has a process left cannot be removed, and stays.
            let _ = fs::remove_dir(folder.path());
        }
    }
}

/// The PID in the name of a group.
fn run_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// All less the files' pages; those of shared memory count among them and are kept.
fn held(usage: u64, stat: &str, file: &str, shared: &str) -> Option<u64> {
    let figure = |name: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(found, _)| *found == name)?.1.trim().parse::<u64>().ok()
    };
    Some(usage.saturating_sub(figure(file)?.saturating_sub(figure(shared)?)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use rustix::process::kill_process_group;

    use crate::machine::resources::Watch;

    /// A shell below another one, as a program is below its supervisor: it holds about 64 MB and forks four times, and each
    /// fork shares them. In the group from its first instruction.
    struct Prefork(Child);

    impl Prefork {
        fn start(group: Option<&Cgroup>) -> Self {
            use std::os::unix::process::CommandExt;
            let program = r#"
                [ -z "$1" ] || echo 0 >"$1/cgroup.procs"
                held=$(head -c 64000000 /dev/zero | tr '\0' x)
                for fork in 1 2 3 4; do (sleep 100; :) & done
                echo ready
                wait"#;
            let folder =
                group.map_or_else(Default::default, |it| it.folder().as_os_str().to_owned());
            let mut shell = Command::new("sh")
                .args(["-c", "sh -c \"$1\" sh \"$2\" & wait", "sh", program])
                .arg(folder)
                .process_group(0)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            Self(shell)
        }

        fn watch(&self) -> Watch {
            Watch::Below(self.0.id())
        }
    }

    impl Drop for Prefork {
        fn drop(&mut self) {
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
            let _ = self.0.wait();
        }
    }

    #[test]
    fn what_forks_share_counts_once_in_either_kind_and_is_no_sum_of_rss() {
        // The shell keeps what it read once or twice, never once for each fork.
        let once = |bytes: u64| (60_000_000..200_000_000).contains(&bytes);
        let prefork = Prefork::start(None);
        let watch = prefork.watch();
        let pss = watch.pss_bytes().unwrap();
        assert!(once(pss), "{pss}");
        assert_eq!((watch.rss_bytes(), watch.rss_peak_bytes()), (None, None));
        drop(prefork);
        let Some(group) = Cgroup::make() else {
            eprintln!("SKIPPED: no control group can be made here, so that memory is read as PSS");
            return;
        };
        let prefork = Prefork::start(Some(&group));
        let (held, pss) = (group.bytes().unwrap(), prefork.watch().pss_bytes().unwrap());
        assert!(once(held), "{held}");
        assert!(held.abs_diff(pss) < held / 4, "{held} by group, {pss} by its processes");
        drop(prefork);
        let folder = group.folder().to_owned();
        drop(group);
        assert!(!folder.exists(), "it is removed with what was in it");
    }

    #[test]
    fn groups_of_runs_that_are_no_more_are_removed() {
        let own = tempfile::tempdir().unwrap();
        // PID_MAX_LIMIT: no process ever has this number.
        let dead = format!("bakeoff-{}-3", 1 << 22);
        let alive = format!("bakeoff-{}-3", std::process::id());
        let names = [&dead, &alive, "bakeoff-x-1", "others"];
        names.iter().for_each(|name| fs::create_dir(own.path().join(name)).unwrap());
        sweep(own.path());
        let left = names.map(|name| own.path().join(name).exists());
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn file_cache_is_no_memory_and_shared_memory_is() {
        let one = "cache 9\ntotal_cache 5000\ntotal_rss 1\ntotal_shmem 2000\n";
        assert_eq!(held(10_000, one, "total_cache", "total_shmem"), Some(7_000));
        let two = "anon 1\nfile 5000\nkernel 77\nshmem 0\n";
        assert_eq!(held(10_000, two, "file", "shmem"), Some(5_000));
        assert_eq!(held(10, two, "file", "shmem"), Some(0), "read one after the other");
        assert_eq!(held(10, one, "file", "shmem"), None);
    }

    #[test]
    fn our_own_group_is_found_in_either_version() {
        let root = tempfile::tempdir().unwrap();
        let mount = |kind: &str, at: &str, options: &[&str]| Mount {
            at: root.path().join(at),
            kind: kind.into(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        let mounts =
            [mount("cgroup", "memory", &["rw", "memory"]), mount("cgroup2", "unified", &["rw"])];
        let group = |hierarchy, controllers: &str| Group {
            hierarchy,
            controllers: controllers.split(',').map(str::to_owned).collect(),
            path: "/a/b".into(),
        };
        let found = of_memory(&group(4, "memory"), &mounts);
        assert_eq!(found, Some((root.path().join("memory/a/b"), Version::One)));
        assert_eq!(of_memory(&group(3, "cpu"), &mounts), None);
        let two = root.path().join("unified/a/b");
        fs::create_dir_all(&two).unwrap();
        assert_eq!(of_memory(&group(0, ""), &mounts), None, "without the controller");
        fs::write(two.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        assert_eq!(of_memory(&group(0, ""), &mounts), Some((two, Version::Two)));
    }
}
