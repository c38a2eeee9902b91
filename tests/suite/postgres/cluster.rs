//! A throw-away cluster comes and goes: with its owner, however that one ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use bakeoff::database::{Database, find_programs};
use rustix::process::{Pid, Signal, kill_process};

use super::{SETUP, client, installed, program, wait_until};
use crate::kills::kills;

/// A folder for temporary files that whoever postgres runs as may enter.
fn scratch() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    scratch
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Processes that have `folder` or one below it as their home: a postmaster and all that come from it.
fn at_home(folder: &Path) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| {
        let home = fs::read_link(entry.path().join("cwd")).ok()?;
        home.starts_with(folder).then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
    .collect()
}

/// A process that says `ready PORT PID FOLDER` when its cluster is up.
struct Owner {
    child: Child,
    postmaster: i32,
    folder: PathBuf,
    /// Kept, so that whatever else it says finds a reader.
    _stdout: BufReader<ChildStdout>,
}

impl Owner {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready ") {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
        // The test harness may have begun the line.
        let ready = &line[line.find("ready ").unwrap()..];
        let words: Vec<&str> = ready.trim_end().splitn(4, ' ').collect();
        let (postmaster, folder) = (words[2].parse().unwrap(), words[3].into());
        Self { child, postmaster, folder, _stdout: stdout }
    }

    fn kill(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let _ = self.child.wait();
    }
}

fn keeper(scratch: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["keep-postgres", "--connections", "5", "--bin"]).arg(find_programs().unwrap());
    command.env("TMPDIR", scratch);
    command
}

/// This very test program as the owner of a database: see [`an_owner`].
fn owner(scratch: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["postgres::cluster::an_owner", "--exact", "--ignored", "--nocapture"]);
    command.env("TMPDIR", scratch);
    command
}

#[test]
#[ignore = "a part of others: it has a database until it is killed or its stdin ends"]
fn an_owner() {
    let database = Database::auto(program(), &SETUP).unwrap();
    let pid = database.pid().unwrap();
    let home = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    println!("ready 0 {pid} {}", home.parent().unwrap().display());
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn its_end_leaves_nothing() {
    if !installed("the end") {
        return;
    }
    let database = Database::auto(program(), &SETUP).unwrap();
    assert!(database.version().starts_with(char::is_numeric));
    let home = fs::read_link(format!("/proc/{}/cwd", database.pid().unwrap())).unwrap();
    let folder = home.parent().unwrap().to_owned();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let trial = database.fresh(1).unwrap();
    // Still connected at the end.
    let _client = client(trial.url().reveal());
    drop(trial);
    drop(database);
    assert!(!folder.exists() && at_home(&folder).is_empty());
}

#[test]
fn a_keeper_ends_with_its_stdin_and_when_told() {
    if !installed("keeper") {
        return;
    }
    let scratch = scratch();
    for signal in [None, Some(Signal::TERM), Some(Signal::INT)] {
        let mut keeper = Owner::start(&mut keeper(scratch.path()));
        assert!(at_home(&keeper.folder).contains(&keeper.postmaster));
        match signal {
            None => drop(keeper.child.stdin.take()),
            Some(signal) => kill_process(Pid::from_child(&keeper.child), signal).unwrap(),
        }
        assert!(keeper.child.wait().unwrap().success(), "{signal:?}");
        assert!(is_empty(scratch.path()) && at_home(&keeper.folder).is_empty(), "{signal:?}");
    }
}

#[test]
fn a_killed_owner_leaves_nothing() {
    if !installed("killed owner") {
        return;
    }
    let scratch = scratch();
    let mut owner = Owner::start(&mut owner(scratch.path()));
    owner.kill(Signal::KILL);
    wait_until("the cluster is gone", || {
        is_empty(scratch.path()) && at_home(&owner.folder).is_empty()
    });
}

#[test]
fn what_a_killed_keeper_leaves_is_swept() {
    if !installed("killed keeper") {
        return;
    }
    let scratch = scratch();
    let mut killed = Owner::start(&mut keeper(scratch.path()));
    killed.kill(Signal::KILL);
    assert!(!at_home(&killed.folder).is_empty(), "postgres does not notice");
    // Of the same name and nobody's, but with the number of a process that is no postmaster of it.
    let other = scratch.path().join("bakeoff-pg-999999999");
    fs::create_dir_all(other.join("data")).unwrap();
    let own = std::process::id();
    fs::write(other.join("data/postmaster.pid"), format!("{own}\n{}\n", other.display())).unwrap();
    let kept = Owner::start(&mut keeper(scratch.path()));
    let mut next = Owner::start(&mut keeper(scratch.path()));
    drop(next.child.stdin.take());
    assert!(next.child.wait().unwrap().success());
    assert!(at_home(&killed.folder).is_empty() && !killed.folder.exists());
    assert!(!other.exists(), "and this process is alive");
    assert!(at_home(&kept.folder).contains(&kept.postmaster), "whoever has a keeper stays");
    let mut kept = kept;
    drop(kept.child.stdin.take());
    assert!(kept.child.wait().unwrap().success());
    assert!(is_empty(scratch.path()));
}

/// The numbers of the segments of System V shared memory.
fn segments() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let id = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    table.lines().skip(1).filter_map(id).collect()
}

#[test]
fn a_killed_postmaster_is_named_and_leaves_nothing() {
    if !installed("killed postmaster") {
        return;
    }
    let scratch = scratch();
    for _ in 0..kills(1) {
        let mut keeper = keeper(scratch.path());
        let keeper = keeper.stderr(Stdio::piped());
        let mut owner = Owner::start(keeper);
        let file = fs::read_to_string(owner.folder.join("data/postmaster.pid")).unwrap();
        let segment = file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned();
        assert!(segments().contains(&segment));
        kill_process(Pid::from_raw(owner.postmaster).unwrap(), Signal::KILL).unwrap();
        let mut said = String::new();
        owner.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(owner.child.wait().unwrap().code(), Some(1));
        assert!(said.contains("its postmaster ended: signal: 9"), "{said}");
        assert!(is_empty(scratch.path()) && at_home(&owner.folder).is_empty());
        assert!(!segments().contains(&segment), "its shared memory is swept");
    }
}

#[test]
fn a_keeper_that_is_told_to_end_while_it_starts_ends_at_once() {
    if !installed("keeper told early") {
        return;
    }
    let scratch = scratch();
    let mut child =
        keeper(scratch.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_until("it has begun", || !is_empty(scratch.path()));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(130), "it has not become ready");
    assert!(is_empty(scratch.path()));
}

#[test]
fn an_owner_clears_up_after_its_killed_keeper() {
    if !installed("keeper killed first") {
        return;
    }
    let scratch = scratch();
    let mut owner = Owner::start(&mut owner(scratch.path()));
    let keeper: i32 = owner.folder.to_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(keeper).unwrap(), Signal::KILL).unwrap();
    drop(owner.child.stdin.take());
    assert!(owner.child.wait().unwrap().success());
    assert!(is_empty(scratch.path()) && at_home(&owner.folder).is_empty());
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    if !installed("failed start") {
        return;
    }
    let scratch = scratch();
    let run = |bin: &Path, connections: &str| {
        let mut command = Command::new(program());
        command.args(["keep-postgres", "--connections", connections, "--bin"]).arg(bin);
        command.env("TMPDIR", scratch.path()).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _wanted = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(is_empty(scratch.path()));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(scratch.path(), "5").contains("cannot start initdb"));
    let said = run(&find_programs().unwrap(), "1000000");
    assert!(said.contains("max_connections"), "{said}");
}

#[test]
fn whoever_asks_is_told_how_a_cluster_has_ended() {
    if !installed("cluster asked twice") {
        return;
    }
    let database = Database::auto(program(), &SETUP).unwrap();
    let postmaster = Pid::from_raw(database.pid().unwrap() as i32).unwrap();
    kill_process(postmaster, Signal::KILL).unwrap();
    wait_until("it is gone", || database.crashed().is_some());
    for _ in 0..2 {
        let told = database.crashed().unwrap().to_string();
        assert!(told.contains("its postmaster ended: signal: 9"), "{told}");
    }
}
