//! A program under a supervisor process (see `supervise`): started, observed, ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::{Context, Error, Result};
use crate::interrupt;
use crate::machine::cores::Cores;
use crate::machine::{cores, proc};
use crate::process::supervise::{BACKGROUND, KILLED};

/// A program is there, or its start has failed, within this.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// What a supervisor may take beyond the patience it was given.
const BEYOND_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) what: String,
    /// With its arguments.
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
    /// Starts `program` on `cores`.
    ///
    /// # Errors
    /// When it cannot be started; the message has why.
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
        let mut supervisor = cores::on_cores(cores, || command.spawn())?
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

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let what = described(self.status()?);
        Some(match self.is_in_the_background() {
            true => format!(
                "{what}, and what it had started ran on in the background: start it in the foreground, as with `nginx -g \
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
    ///
    /// # Errors
    /// When it had ended before, had to be killed, or broke down.
    pub(crate) fn stop(mut self) -> Result<()> {
        if self.ended().is_some() {
            return Err(self.failed("ended before it was asked to"));
        }
        self.end();
        if self.said(KILLED) {
            let what = format!("did not end within {:?} of SIGTERM and was killed", self.patience);
            return Err(self.failed(&what).help(
                "a server must end when it is asked to, or its next trial meets its remains",
            ));
        }
        match self.status().and_then(signal).is_some_and(is_a_crash) {
            true => Err(self.failed("broke down when it was asked to end")),
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
