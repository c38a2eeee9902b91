//! Anyone's program, in the hands of a supervisor (see `supervise`): started, listened to, ended.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};
use crate::run::placement::{self, Cores};

/// So much of what a program writes is kept for a message, the last of it.
const SAID_BYTES_MAX: usize = 4 * 1024;
/// A program is there, or its start has failed, within this.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// What a supervisor may take beyond the patience it was given.
const BEYOND_PATIENCE: Duration = Duration::from_secs(5);

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// For messages.
    pub(crate) what: String,
    /// With its arguments.
    pub(crate) argv: &'a [String],
    /// Added to this process's own.
    pub(crate) env: &'a [(String, String)],
    /// Where it runs.
    pub(crate) folder: &'a Path,
    /// How long it may take to end when asked to.
    pub(crate) patience: Duration,
}

/// A running program and its supervisor. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Held {
    what: String,
    supervisor: Child,
    /// Closing it is how the supervisor is told.
    leash: Option<ChildStdin>,
    /// Whether the program had to be killed is said here.
    lines: Receiver<String>,
    said: Arc<Mutex<Vec<u8>>>,
    patience: Duration,
    status: Option<ExitStatus>,
}

impl Held {
    /// Starts `program` on `cores`.
    ///
    /// # Errors
    /// When it cannot be started; the message has why.
    pub(crate) fn start(program: &Program<'_>, cores: &Cores) -> Result<Self> {
        let binary =
            std::env::current_exe().context(|| "cannot find this program's file".into())?;
        let mut command = Command::new(binary);
        let patience = format!("{}ms", program.patience.as_millis());
        command.arg("supervise").arg(format!("--patience={patience}")).arg("--");
        command.arg(located(&program.argv[0], program.folder)).args(&program.argv[1..]);
        command.envs(program.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(program.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut supervisor = placement::on_cores(cores, || command.spawn())?
            .context(|| format!("cannot start {}", program.what))?;
        let stdout = supervisor.stdout.take().expect("stdout is piped");
        let stderr = supervisor.stderr.take().expect("stderr is piped");
        let (sender, lines) = mpsc::channel();
        // Both threads end with their pipes, that is with the last process that holds them.
        thread::spawn(move || {
            let said = BufReader::new(stdout).lines().map_while(std::result::Result::ok);
            said.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        thread::spawn(move || keep_last(stderr, &kept));
        let mut held = Self {
            what: program.what.clone(),
            leash: supervisor.stdin.take(),
            supervisor,
            lines,
            said,
            patience: program.patience,
            status: None,
        };
        match held.lines.recv_timeout(STARTS_WITHIN) {
            Ok(line) if line.starts_with("started ") => Ok(held),
            _ => Err(held.failed("could not be started")),
        }
    }

    /// The supervisor's process: the program and all that it starts are below it.
    pub(crate) fn supervisor(&self) -> u32 {
        self.supervisor.id()
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.status().map(described)
    }

    /// Waits for the program's own end.
    ///
    /// # Errors
    /// When it fails or is not done within `within`; then it has been ended.
    pub(crate) fn finish(mut self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            match self.status() {
                Some(status) if status.success() => return Ok(()),
                Some(_) => return Err(self.failed("failed")),
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                None => return Err(self.failed(&format!("was not done within {within:?}"))),
            }
        }
    }

    /// Has the program ended and waits for that. However it then ends is its own affair.
    ///
    /// # Errors
    /// When it had to be killed.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end();
        let mut last_words = std::iter::from_fn(|| self.lines.recv_timeout(BEYOND_PATIENCE).ok());
        if last_words.any(|line| line == "killed") {
            let Self { what, patience, .. } = &self;
            return Err(Error::invalid(format!(
                "{what} did not end within {patience:?} of SIGTERM and was killed"
            ))
            .help("a server must end when it is asked to, or its next trial meets its remains"));
        }
        Ok(())
    }

    /// The error for a program that did not do what it should, with the last of what it said. Ends it.
    pub(crate) fn failed(&mut self, what: &str) -> Error {
        let by_itself = self.ended();
        self.end();
        let status = by_itself.unwrap_or_else(|| "it was ended".into());
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said);
        let said = match said.trim() {
            "" => "it wrote nothing".to_owned(),
            said => format!("it wrote:\n{}", printable(said)),
        };
        Error::invalid(format!("{} {what} ({status}); {said}", self.what))
    }

    fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.supervisor.try_wait().ok().flatten();
        }
        self.status
    }

    fn end(&mut self) {
        self.leash = None;
        let deadline = Instant::now() + self.patience + BEYOND_PATIENCE;
        while self.status().is_none() {
            if Instant::now() >= deadline {
                let _ = self.supervisor.kill();
                let _ = self.supervisor.wait();
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        // What was said last is on its way through two threads.
        thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Held {
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
    match status.code() {
        Some(code @ 129..=192) => format!("signal {}", code - 128),
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}

/// Reads to the end and keeps the last of it: a program that writes much is never held up.
fn keep_last(mut from: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; SAID_BYTES_MAX];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(SAID_BYTES_MAX);
        kept.drain(..surplus);
    }
}

/// Without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
