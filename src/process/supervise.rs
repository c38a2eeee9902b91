//! Supervises a contender's program and lets none of its processes outlive bakeoff.
//!
//! A foreign program does not end with its parent, so it gets a parent that ends it: this process, of
//! bakeoff's own binary, between the orchestrator and the program. It knows that the orchestrator has ended, however
//! that came about, by the end of its own stdin, and then ends the program's whole group. What leaves the group and is
//! orphaned becomes this process's child (it is a subreaper) and is ended too. Only killing this process itself leaves
//! something behind.
//!
//! The orchestrator asks for the end by a byte on stdin. Once it closes stdin after that it waits no longer, and the
//! program is killed at once.
//!
//! On stdout it says `started PID`, `killed` when the program did not end when it was asked to, and `background` when it ended
//! by itself and left processes. What the program writes goes to stderr.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getpid, kill_process,
    kill_process_group, set_child_subreaper, wait, waitid,
};

use crate::error::{Context, Result};
use crate::machine::{cgroup, proc};

/// The exit code when there was no program to run, as shells have it.
const NOT_STARTED: u8 = 127;
/// Said of a program that ended before what it had started.
pub(crate) const BACKGROUND: &str = "background";
/// Said of a program that had to be killed.
pub(crate) const KILLED: &str = "killed";
/// Rounds of ending what was orphaned: each ends a generation.
const GENERATIONS_MAX: usize = 64;

/// Runs `argv`, in the control group `group` if it is given, until it ends, or something comes on stdin or it ends; then it
/// is asked to end, and killed after `patience`. Gives the program's exit code, 128 and the signal's number when it was ended by one.
///
/// # Errors
/// When this process cannot do its work.
///
/// # Panics
/// When `argv` is empty.
pub fn supervise(argv: &[OsString], patience: Duration, group: Option<&Path>) -> Result<u8> {
    set_child_subreaper(Some(getpid())).context(|| "cannot become a subreaper".into())?;
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::from(io::stderr()));
    command.process_group(0);
    let spawned = match group {
        // It is born there, and this process is not counted with it.
        Some(group) => cgroup::within(group, || command.spawn())
            .context(|| format!("cannot enter {}", group.display()))?,
        None => command.spawn(),
    };
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{}: {error}", argv[0].display());
            return Ok(NOT_STARTED);
        }
    };
    let leader = Pid::from_child(&child);
    say(&format!("started {}", child.id()));
    let ended = Arc::new(Mutex::new(false));
    let group = Group { leader, ended: Arc::clone(&ended) };
    thread::spawn(move || {
        let asked = matches!(io::stdin().read(&mut [0]), Ok(1..));
        // Where the orchestrator has ended already, no process can ask for an earlier kill.
        group.end(patience, || asked && is_closed(&io::stdin()));
    });
    // It stays a zombie for now: as long as it is, its number is not reused.
    let status = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .context(|| "cannot wait for the program".into())?;
    *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    if proc::children(std::process::id()).iter().any(|&pid| pid != child.id()) {
        say(BACKGROUND);
    }
    let _ = kill_process_group(leader, Signal::KILL);
    end_orphans();
    Ok(status.as_ref().map_or(1, exit_code))
}

/// The program's process group.
struct Group {
    leader: Pid,
    /// Its number may be another's from now on.
    ended: Arc<Mutex<bool>>,
}

impl Group {
    /// SIGTERM, patience while nothing is `over`, SIGKILL.
    fn end(&self, patience: Duration, over: impl Fn() -> bool) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && !over() {
            if *self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        // Before the deed: once the program is dead this process is about to end.
        say(KILLED);
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            let _ = kill_process_group(self.leader, signal);
        }
    }
}

/// Whether a pipe to which one byte is written at most, and that was read, has been closed.
fn is_closed(stdin: &io::Stdin) -> bool {
    let mut pipe = [PollFd::new(stdin, PollFlags::IN)];
    poll(&mut pipe, Some(&Timespec::default())) == Ok(1)
}

/// Ends and collects every child of this process, those that it has been left by dead parents included.
fn end_orphans() {
    for _ in 0..GENERATIONS_MAX {
        let children = proc::children(std::process::id());
        for child in children.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) => while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {},
            // No child is left.
            Err(_) => return,
        }
    }
}

fn exit_code(status: &WaitIdStatus) -> u8 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code as u8,
        (None, signal) => 128_u8.wrapping_add(signal.unwrap_or(0) as u8),
    }
}

/// The reader may have closed the pipe.
fn say(what: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}
