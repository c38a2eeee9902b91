//! A contender's process: started on its cores, asked whether it is ready, and always ended.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Context, Error, Result};
use crate::run::http;
use crate::run::placement::{self, Cores};

/// A contender that is not ready after so long never will be.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A contender that was asked to end and has not after so long is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// A running contender. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Contender {
    name: String,
    child: Child,
    address: SocketAddr,
}

impl Contender {
    /// Starts this very binary as a server on `cores` and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or is not ready in time; the message has what it wrote to stderr.
    pub(crate) fn start(name: &str, serve: &[String], cores: &Cores) -> Result<Self> {
        let binary =
            std::env::current_exe().context(|| "cannot find this program's file".into())?;
        let mut command = Command::new(binary);
        command.arg("serve").args(serve).arg(format!("--die-with-parent={}", std::process::id()));
        // A group of its own: Ctrl-C is for this program, which then ends its contenders in good order.
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A child inherits the mask of the thread that starts it, before its first instruction.
        let mut child = placement::on_cores(cores, || command.spawn())?
            .context(|| format!("cannot start contender `{name}`"))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut contender =
            Self { name: name.to_owned(), child, address: ([127, 0, 0, 1], 0).into() };
        contender.address = contender.listening(stdout)?;
        http::get(contender.address, "/healthz", READY_WITHIN)
            .map_err(|error| contender.unready(&format!("does not answer /healthz: {error}")))?;
        Ok(contender)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has without being asked.
    pub(crate) fn crashed(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end and waits; kills it when it does not.
    ///
    /// # Errors
    /// When it had to be killed or ended with a failure.
    pub(crate) fn stop(mut self) -> Result<()> {
        match self.end() {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(Error::internal(format!("contender `{}` ended with {status}", self.name)))
            }
            None => Err(Error::internal(format!(
                "contender `{}` did not end within {ENDS_WITHIN:?} of SIGTERM and was killed",
                self.name
            ))),
        }
    }

    /// SIGTERM, patience, SIGKILL. Nothing when it was killed.
    fn end(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        let pid = Pid::from_child(&self.child);
        // It has not been waited for, so the number is still its own.
        let _ = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }

    /// Reads the line `listening 127.0.0.1:PORT`.
    fn listening(&mut self, stdout: ChildStdout) -> Result<SocketAddr> {
        let (sender, receiver) = mpsc::channel();
        // The pipe has no timeout of its own. The thread ends with the pipe, that is with the child at the latest.
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver
            .recv_timeout(READY_WITHIN)
            .map_err(|_| self.unready(&format!("said nothing within {READY_WITHIN:?}")))?;
        line.trim()
            .strip_prefix("listening ")
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| self.unready("ended before it was listening"))
    }

    /// The error for a contender that never became ready, with what it said.
    fn unready(&mut self, what: &str) -> Error {
        let mut said = String::new();
        let status = self.end();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut said);
        }
        let status = status.map_or("was killed".to_owned(), |status| status.to_string());
        Error::invalid(format!("contender `{}` {what} ({status})\n{}", self.name, said.trim()))
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        self.end();
    }
}
