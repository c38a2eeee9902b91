//! Kill tables: a process of a run is killed or told to end at an instant that no part of a run is a multiple of. Nothing is
//! left running, no finished trial is lost, and the exit code says what happened. The contender's table is in `validity`,
//! those of a server that is not built in are in `http`, that of a cluster alone is in `postgres`.
//!
//! A test makes a few kills. `BAKEOFF_KILLS=100 cargo test --test suite -- --include-ignored kill` makes a hundred of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bakeoff::database::find_programs;
use bakeoff::record::{self, RunResult, Verdict};
use rustix::process::{Pid, Signal, kill_process};

/// How many kills a table makes: so many, or as many as `BAKEOFF_KILLS` says.
pub(crate) fn kills(usual: u64) -> u64 {
    std::env::var("BAKEOFF_KILLS").map_or(usual, |text| text.parse().expect("a number of kills"))
}

/// A run on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two instants of a table.
const STEP: Duration = Duration::from_micros(391_573);

/// Two models, two rounds, a second or two; `store` is what they wait for.
fn scenario(store: &str) -> String {
    format!(
        "schema = 1\nname = \"killed\"\ntitle = \"Killed\"\nheadline = \"none\"\nworkload = \"payment\"\nrounds = 2\n\
         experiment = {{ compare = {{ rates = [\"300/s\"] }} }}\nplacement.mode = \"shared\"\n[request]\ncpu = \"20us\"\n{store}\n\
         [contender.pool]\nmodel = \"thread-pool\"\n[contender.loop]\nmodel = \"event-loop\"\n\
         [load.open]\nwarm_up = \"50ms\"\nduration = \"150ms\"\nconnections = 64\n\
         [slo]\np99 = \"100ms\"\n"
    )
}

/// A run in a folder of its own.
struct Run {
    folder: tempfile::TempDir,
    child: Child,
}

impl Run {
    /// Starts one and waits until it has a child.
    fn start(store: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("killed.toml"), scenario(store)).unwrap();
        let child = Self::command(&folder).args(["--out", "out"]).spawn().unwrap();
        let mut run = Self { folder, child };
        wait_until("it has a child", || {
            assert!(run.child.try_wait().unwrap().is_none(), "it ended without a child");
            !children(run.child.id()).is_empty()
        });
        run
    }

    fn command(folder: &tempfile::TempDir) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["run", "killed.toml", "--quiet"]).current_dir(folder);
        command.env("TMPDIR", "/tmp").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by now; it has not been waited for, so the number is still its own.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// How it ended, and all that was below it, which has ended too.
    fn end(self, below: &[u32]) -> (tempfile::TempDir, Output) {
        let output = self.child.wait_with_output().unwrap();
        wait_until("nothing of it is left", || below.iter().all(|&pid| is_gone(pid)));
        (self.folder, output)
    }

    fn finished(&self) -> usize {
        finished(self.folder.path())
    }
}

/// Whole lines of `trials.jsonl`, each of which is a trial.
pub(crate) fn finished(folder: &Path) -> usize {
    let text = fs::read_to_string(folder.join("out/trials.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let is_trial = |line: &&str| record::trial_from(line).is_ok();
    let (trials, lines) = (text[..whole].lines().filter(is_trial).count(), text[..whole].lines());
    assert_eq!(trials, lines.count(), "a whole line is a trial");
    trials
}

fn result(folder: &Path) -> RunResult {
    record::from_json(&fs::read_to_string(folder.join("out/result.json")).unwrap()).unwrap()
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |thread: PathBuf| fs::read_to_string(thread.join("children")).unwrap_or_default();
    let lists: Vec<String> = threads.map(|thread| of(thread.path())).collect();
    lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|it| it.parse().ok()).collect()
}

/// All below a process.
fn below(pid: u32) -> Vec<u32> {
    let own = children(pid);
    own.iter().copied().chain(own.iter().flat_map(|&child| below(child))).collect()
}

/// A zombie that nobody has collected yet has ended too.
fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

const MEMORY: &str = "[store.memory]";

/// A server that leaves its process group, leaves something behind, and never says where it listens.
const STRAY: &str = "#!/bin/sh\nsetsid sleep 600 &\nsleep 600 &\ntouch begun\nexec sleep 600\n";

#[test]
fn a_killed_conform_leaves_nothing_that_it_started() {
    for n in 0..kills(1) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stray"), STRAY).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["conform", "sh", "stray"]).current_dir(&folder);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        wait_until("it has started a server", || folder.path().join("begun").exists());
        thread::sleep(STEP * (n as u32 % 8));
        let below = below(child.id());
        assert!(below.len() >= 3, "{below:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until("nothing of it is left", || below.iter().all(|&pid| is_gone(pid)));
    }
}

/// As a shell does it to what runs in the background.
#[test]
fn a_supervised_program_hears_sigint_where_bakeoff_does_not() {
    let supervise = "trap '' INT; exec \"$0\" supervise --transparent --patience=5s -- grep SigIgn /proc/self/status";
    let mut command = Command::new("sh");
    command.args(["-c", supervise, env!("CARGO_BIN_EXE_bakeoff")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Its end would ask the program to end.
    let _stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mask = text.trim().strip_prefix("SigIgn:\t").map(|mask| u64::from_str_radix(mask, 16));
    assert_eq!(mask.unwrap().unwrap() >> (Signal::INT.as_raw() - 1) & 1, 0, "{text}");
}

#[test]
fn a_signal_ends_a_run_with_130_and_what_is_finished_is_kept() {
    // Under nohup a hang-up is nothing to hear.
    let deaf = crate::http::hang_ups_are_ignored();
    for (n, signal) in (0..kills(1))
        .flat_map(|n| [Signal::INT, Signal::TERM, Signal::HUP].map(|signal| (n, signal)))
        .filter(|(_, signal)| !deaf || *signal != Signal::HUP)
    {
        let run = Run::start(MEMORY);
        thread::sleep(STEP * (n as u32 % 8));
        let (before, below) = (run.finished(), below(run.child.id()));
        run.signal(signal);
        let (folder, output) = run.end(&below);
        let said = String::from_utf8_lossy(&output.stderr);
        let result = result(folder.path());
        assert!(result.trials.len() >= before, "{n}, {signal:?}: {said}");
        // A run that was over by then has its verdict.
        if result.trials.len() < 4 {
            assert_eq!(output.status.code(), Some(130), "{n}, {signal:?}: {said}");
            assert_eq!(result.verdict, Verdict::Interrupted, "{n}, {signal:?}");
        }
    }
}

#[test]
fn a_killed_run_leaves_nothing_and_is_gone_on_with() {
    for n in 0..kills(1) {
        let run = Run::start(MEMORY);
        thread::sleep(STEP * (1 + n as u32 % 8));
        let below = below(run.child.id());
        run.signal(Signal::KILL);
        let (folder, _) = run.end(&below);
        let kept = finished(folder.path());
        let resumed = Run::command(&folder).args(["--resume", "out"]).output().unwrap();
        let said = String::from_utf8_lossy(&resumed.stderr);
        assert!(matches!(resumed.status.code(), Some(0 | 5)), "{n}: {said}");
        let trials = finished(folder.path());
        assert!(
            trials >= 4.max(kept) && result(folder.path()).trials.len() == trials,
            "{n}: {said}"
        );
    }
}

#[test]
#[ignore = "a cluster for each kill: half a minute and more"]
fn a_killed_postmaster_breaks_a_run_off_and_is_named() {
    if find_programs().is_err() {
        return;
    }
    for n in 0..kills(2) {
        let run = Run::start("[store.postgres]\nconnections = 4\nurl = \"auto\"");
        let postmaster = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(9).any(|word| word == b"/postgres")
                && line.windows(3).any(|it| it == b"\0-D")
        };
        let mut found = None;
        wait_until("its cluster has a trial", || {
            found = below(run.child.id()).into_iter().find(postmaster);
            found.is_some() && run.finished() >= 1
        });
        thread::sleep(STEP * (n as u32 % 3));
        let (before, below) = (run.finished(), below(run.child.id()));
        let _ = kill_process(Pid::from_raw(found.unwrap() as i32).unwrap(), Signal::KILL);
        let (folder, output) = run.end(&below);
        let said = String::from_utf8_lossy(&output.stderr);
        let result = result(folder.path());
        assert!(result.trials.len() >= before, "{n}: {said}");
        // The last database is dropped when all is measured.
        if result.trials.len() < 4 {
            assert_eq!(output.status.code(), Some(1), "{n}: {said}");
            assert!(said.contains("its postmaster ended: signal: 9"), "{n}: {said}");
            assert_eq!(result.verdict, Verdict::Invalid, "{n}");
        }
    }
}
