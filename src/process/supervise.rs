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
//! by itself and left processes. What the program writes goes to stderr. A transparent supervisor leaves stdout to the program
//! and says nothing.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getpid, kill_process,
    kill_process_group, set_child_subreaper, wait, waitid,
};
use signal_hook::consts::SIGINT;

use crate::error::{Context, Error, Result};
use crate::interrupt;
use crate::machine;
use crate::machine::Cores;
use crate::machine::{cgroup, proc};

/// The exit code when there was no program to run, as shells have it.
const NOT_STARTED: u8 = 127;
/// Said of a program that ended before what it had started.
pub(crate) const BACKGROUND: &str = "background";
/// Said of a program that had to be killed.
pub(crate) const KILLED: &str = "killed";
/// Rounds of ending what was orphaned: each ends a generation.
const GENERATIONS_MAX: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    /// How long the program may take to end when it is asked to.
    pub(crate) patience: Duration,
    /// The control group that it is started in.
    pub(crate) group: Option<PathBuf>,
    /// Whether stdout is the program's.
    pub(crate) transparent: bool,
}

/// Runs `argv` until it ends, or something comes on stdin or it ends; then it is asked to end, and killed after `patience`.
/// Gives the program's exit code, 128 and the signal's number when it was ended by one.
///
/// # Errors
/// When this process cannot do its work.
///
/// # Panics
/// When `argv` is empty.
pub(crate) fn supervise(argv: &[OsString], how: &Supervision) -> Result<u8> {
    let Supervision { patience, ref group, transparent } = *how;
    let say = move |what: &str| {
        if !transparent {
            say(what);
        }
    };
    set_child_subreaper(Some(getpid())).context(|| "cannot become a subreaper".into())?;
    // A shell starts what runs in the background with SIGINT ignored, a program inherits that, and a JVM leaves it so. A signal
    // that is caught here is back at its default in the program.
    signal_hook::flag::register(SIGINT, Arc::default()).context(|| "cannot catch SIGINT".into())?;
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).process_group(0);
    if !transparent {
        command.stdout(Stdio::from(io::stderr()));
    }
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
        group.end(patience, || asked && is_closed(&io::stdin()), say);
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
    fn end(&self, patience: Duration, over: impl Fn() -> bool, say: impl Fn(&str)) {
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

/// A program is there, or its start has failed, within this.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// What a supervisor may take beyond the patience it was given.
const BEYOND_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) what: String,
    pub(crate) argv: &'a [String],
    /// Added to this process's own.
    pub(crate) env: &'a [(String, String)],
    pub(crate) folder: &'a Path,
    /// How long it may take to end when asked to.
    pub(crate) patience: Duration,
    /// The control group that it is started in, where it has one of its own.
    pub(crate) group: Option<&'a Path>,
}

/// A running program and its supervisor. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct SupervisedProcess {
    what: String,
    supervisor: Child,
    /// A byte asks the supervisor to end the program; closing it has the program killed at once.
    control: Option<ChildStdin>,
    /// What the supervisor says of how the program ended.
    lines: Receiver<String>,
    /// What it had said when it ended.
    last_words: Vec<String>,
    said: StderrTail,
    patience: Duration,
    status: Option<ExitStatus>,
}

impl SupervisedProcess {
    pub(crate) fn start(program: &Program<'_>, cores: &Cores) -> Result<Self> {
        let binary = proc::own_program()?;
        let mut command = Command::new(binary);
        let patience = format!("{}ms", program.patience.as_millis());
        command.arg("supervise").arg(format!("--patience={patience}"));
        if let Some(group) = program.group {
            command.arg("--group").arg(group);
        }
        command.arg("--");
        command.arg(located(&program.argv[0], program.folder)).args(&program.argv[1..]);
        command.envs(program.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(program.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut supervisor = machine::on_cores(cores, || command.spawn())?
            .context(|| format!("cannot start {}", program.what))?;
        let stdout = supervisor.stdout.take().expect("stdout is piped");
        let stderr = supervisor.stderr.take().expect("stderr is piped");
        let (sender, lines) = mpsc::channel();
        // It ends with its pipe, that is with the last process that holds it.
        thread::spawn(move || {
            let said = BufReader::new(stdout).lines().map_while(std::result::Result::ok);
            said.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        let mut held = Self {
            what: program.what.clone(),
            control: supervisor.stdin.take(),
            supervisor,
            lines,
            last_words: Vec::new(),
            said: StderrTail::of(stderr),
            patience: program.patience,
            status: None,
        };
        match interrupt::receive(&held.lines, STARTS_WITHIN) {
            Some(line) if line.starts_with("started ") => Ok(held),
            _ => Err(held.failed("could not be started")),
        }
    }

    /// The supervisor's process: the program and all that it starts are below it.
    pub(crate) fn supervisor(&self) -> u32 {
        self.supervisor.id()
    }

    pub(crate) fn ended(&mut self) -> Option<String> {
        let what = described(self.status()?);
        Some(match self.is_in_the_background() {
            true => format!(
                "{what}, and what it had started kept running in the background: start it in the foreground, as with `nginx -g \
                 'daemon off;'`"
            ),
            false => what,
        })
    }

    /// Whether the program has ended and left its work to processes in the background.
    fn is_in_the_background(&mut self) -> bool {
        self.status().is_some_and(|status| status.success()) && self.said(BACKGROUND)
    }

    fn said(&self, word: &str) -> bool {
        self.last_words.iter().any(|said| said == word)
    }

    /// Waits for the program's own end.
    ///
    /// # Errors
    /// When it fails or is not done within `within`, and when the user interrupts; then it has been ended.
    pub(crate) fn finish(mut self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            match self.status() {
                Some(status) if status.success() => return Ok(()),
                Some(_) => return Err(self.failed("failed")),
                None if interrupt::asked() => return Err(self.failed("was interrupted")),
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                None => return Err(self.failed(&format!("was not done within {within:?}"))),
            }
        }
    }

    /// Has the program ended and waits for that. Its exit status is not checked.
    pub(crate) fn stop(mut self) -> Result<()> {
        if self.ended().is_some() {
            return Err(self.failed("ended before it was asked to"));
        }
        self.end();
        if self.said(KILLED) {
            let what = format!("did not end within {:?} of SIGTERM and was killed", self.patience);
            return Err(self.failed(&what).help(
                "a server must end on SIGTERM: what is left of it would disturb the next trial",
            ));
        }
        match self.status().and_then(signal).is_some_and(is_a_crash) {
            true => Err(self.failed("failed when it was asked to end")),
            false => Ok(()),
        }
    }

    pub(crate) fn stderr(&self) -> StderrTail {
        self.said.clone()
    }

    /// The last of what it wrote, once it has ended.
    pub(crate) fn wrote(&self) -> String {
        self.said.last()
    }

    /// The error for a program that did not do what it should, with the last of what it said. Ends it. What was cut short
    /// by an interrupt is no fault of the program.
    pub(crate) fn failed(&mut self, what: &str) -> Error {
        let by_itself = self.ended();
        self.end();
        if interrupt::asked() {
            return Error::interrupted();
        }
        let status = by_itself.unwrap_or_else(|| "it was ended".into());
        Error::invalid(format!("{} {what} ({status})", self.what)).by_contender(self.wrote())
    }

    fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.supervisor.try_wait().ok().flatten();
            if self.status.is_some() {
                let rest = std::iter::from_fn(|| self.lines.recv_timeout(BEYOND_PATIENCE).ok());
                self.last_words.extend(rest);
            }
        }
        self.status
    }

    fn end(&mut self) {
        // A supervisor that does not read this has ended.
        let _ = self.control.as_mut().map(|control| control.write_all(b"."));
        let asked = Instant::now();
        while self.status().is_none() {
            if interrupt::asked() && asked.elapsed() >= interrupt::PATIENCE {
                self.control = None;
            }
            if asked.elapsed() >= self.patience + BEYOND_PATIENCE {
                let _ = self.supervisor.kill();
                let _ = self.supervisor.wait();
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for SupervisedProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// A path is the scenario's, a bare name is looked for on PATH.
fn located(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') { folder.join(program) } else { program.into() }
}

/// The supervisor ends as the program did, a signal as 128 and its number.
fn described(status: ExitStatus) -> String {
    match (signal(status), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit status {code}"),
        (None, None) => status.to_string(),
    }
}

fn signal(status: ExitStatus) -> Option<i32> {
    status.code().filter(|code| (129..=192).contains(code)).map(|code| code - 128)
}

/// Whether a signal is none of those by which a program ends in good order.
fn is_a_crash(signal: i32) -> bool {
    ![Signal::HUP, Signal::INT, Signal::TERM].iter().any(|orderly| orderly.as_raw() == signal)
}

/// So much is kept, the last of it.
const BYTES_MAX: usize = 4 * 1024;
/// What a program wrote last is on its way for so long after its end; what it has left behind may hold the pipe open.
const ENDS_WITHIN: Duration = Duration::from_millis(200);

/// A pipe that is being read.
#[derive(Clone, Debug)]
pub(crate) struct StderrTail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last: Vec<u8>,
    ended: bool,
}

impl StderrTail {
    /// Reads `from` in a thread of its own, which ends with the pipe, that is with the last process that holds it.
    pub(crate) fn of(from: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let said = Self(Arc::clone(&kept));
        thread::spawn(move || keep_last(from, &kept));
        said
    }

    /// The last of what was written, without what could steer a terminal; waits a little for what is on its way. Ask for it
    /// when the program has ended.
    pub(crate) fn last(&self) -> String {
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.ended || Instant::now() >= deadline {
                return printable(String::from_utf8_lossy(&kept.last).trim());
            }
            drop(kept);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn keep_last(mut from: impl Read, kept: &Mutex<Kept>) {
    let mut buffer = [0; BYTES_MAX];
    let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let last = &mut kept().last;
        last.extend_from_slice(&buffer[..count]);
        let surplus = last.len().saturating_sub(BYTES_MAX);
        last.drain(..surplus);
    }
    kept().ended = true;
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_is_kept_and_steers_no_terminal() {
        let text = "x".repeat(3 * BYTES_MAX) + "\n\x1b[31mno database, no service\n";
        let last = StderrTail::of(std::io::Cursor::new(text)).last();
        assert!(last.ends_with("x\n[31mno database, no service"), "{last}");
        assert!(last.len() < BYTES_MAX, "{}", last.len());
        assert_eq!(StderrTail::of(std::io::empty()).last(), "");
    }
}
