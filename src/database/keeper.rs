//! The process that keeps a throw-away PostgreSQL and ends it with its parent, however that one ends.
//!
//! `bakeoff keep-postgres` has the reading end of a pipe whose writing end only its parent has. A parent that is killed
//! closes it as well as one that ends in good order. (A death signal would follow the thread that spawned and not the
//! process, and postgres cannot ask for one itself.)

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use crate::database::cluster;
use crate::database::cluster::Cluster;
use crate::database::cluster::KEEPER;
use crate::error::{Context, Error, Failure, Result};
use crate::interrupt;

/// The life of a keeper: starts a cluster, says where it is, and ends it at the end of stdin or at SIGTERM, SIGINT or
/// SIGHUP.
///
/// # Errors
/// When the cluster cannot be started, or ends by itself; interrupted, when it is told to end before it has started.
pub fn keep(binaries: &Path, connections: u32) -> Result<()> {
    let asked = on_signals(&[SIGHUP, SIGINT, SIGTERM])?;
    let mut child = on_signals(&[SIGCHLD])?;
    cluster::sweep();
    let no_longer_wanted = || readable([&asked, &child], &std::io::stdin(), Some(&AT_ONCE));
    let mut cluster = Cluster::start(binaries, connections, &|| {
        no_longer_wanted().is_ok_and(|[asked, _, stdin]| asked || stdin)
    })?;
    let (port, pid, folder) = (cluster.port(), cluster.pid(), cluster.folder().display());
    // A parent that does not read this any more has closed stdin too.
    let _ = writeln!(std::io::stdout(), "ready {port} {pid} {folder}");
    let mut stdin = std::io::stdin();
    let mut scratch = [0; 64];
    loop {
        let [asked_now, child_now, stdin_now] = readable([&asked, &child], &stdin, None)?;
        if asked_now || stdin_now && matches!(stdin.read(&mut scratch), Ok(0) | Err(_)) {
            return Ok(());
        }
        if child_now {
            let _ = child.read(&mut scratch);
            if let Some(how) = cluster.crashed() {
                return Err(Error::internal(how));
            }
        }
    }
}

/// Becomes readable when one of the signals comes.
fn on_signals(signals: &[i32]) -> Result<UnixStream> {
    let (read, write) = UnixStream::pair().context(|| "cannot make a pipe".into())?;
    for &signal in signals {
        let write = write.try_clone().context(|| "cannot make a pipe".into())?;
        signal_hook::low_level::pipe::register(signal, write)
            .context(|| "cannot listen for signals".into())?;
    }
    Ok(read)
}

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Waits, so long at most; gives which of the three can be read, or have ended.
fn readable(
    signals: [&UnixStream; 2],
    stdin: &std::io::Stdin,
    within: Option<&Timespec>,
) -> Result<[bool; 3]> {
    let [asked, child] = signals.map(|signal| PollFd::new(signal, PollFlags::IN));
    let mut sources = [asked, child, PollFd::new(stdin, PollFlags::IN)];
    match poll(&mut sources, within) {
        Ok(_) => Ok(sources.map(|source| !source.revents().is_empty())),
        Err(Errno::INTR) => Ok([false; 3]),
        Err(error) => Err(error).context(|| "cannot wait for signals".into()),
    }
}

/// So long after its connections are closed a postmaster may still seem to run.
const ENDS_SHOW_WITHIN: Duration = Duration::from_millis(300);
/// A keeper whose postmaster was killed ends within this, with what that has left.
const CLEARS_WITHIN: Duration = Duration::from_secs(10);

/// A keeper at work, as its parent sees it. Dropping it ends the cluster.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Mutex<Child>,
    /// What it said when the cluster ended by itself.
    last_words: OnceLock<String>,
    /// Closing it ends the cluster.
    control: Mutex<Option<ChildStdin>>,
    pub(crate) port: u16,
    /// The postmaster's process.
    pub(crate) pid: u32,
    pub(crate) folder: PathBuf,
}

impl Keeper {
    /// Starts `program`, which is bakeoff, as the keeper of a cluster, and waits until that is ready.
    ///
    /// # Errors
    /// Whatever the keeper says; interrupted, when the user does not wait for it.
    pub(crate) fn start(program: &Path, binaries: &Path, connections: u32) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg(KEEPER).arg("--bin").arg(binaries);
        command.args(["--connections", &connections.to_string()]);
        // A group of its own: Ctrl-C is for this program, which then ends the cluster when it is no longer needed.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context(|| "cannot start the keeper of postgres".into())?;
        let control = Mutex::new(child.stdin.take());
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        // Ends at the latest with the keeper, which has a bound on everything it waits for.
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            sender.send(line)
        });
        let line = interrupt::receive(&lines, Duration::MAX).unwrap_or_default();
        match ready(&line) {
            Some((port, pid, folder)) => {
                let (child, last_words) = (Mutex::new(child), OnceLock::new());
                Ok(Self { child, last_words, control, port, pid, folder })
            }
            None => {
                drop(control);
                Err(failed(child))
            }
        }
    }

    /// Does `work` on the cluster. An interrupt ends the cluster, and with it every statement that the work waits for.
    pub(crate) fn while_wanted<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (done, is_done) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if interrupt::receive(&is_done, Duration::MAX).is_none() && interrupt::asked() {
                    self.end();
                }
            });
            let result = work();
            drop(done);
            if interrupt::asked() { Err(Error::interrupted()) } else { result }
        })
    }

    /// Why the cluster is no longer there, if it has ended by itself.
    pub(crate) fn crashed(&self) -> Option<Error> {
        // The keeper collects it at once, and then needs a while for what it has left.
        if Path::new(&format!("/proc/{}", self.pid)).exists() {
            return None;
        }
        // Its words can be read once, and more than one asks for them.
        let said = self.last_words.get_or_init(|| {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            interrupt::seen_within(CLEARS_WITHIN, || child.try_wait().ok().flatten());
            let mut said = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = stderr.read_to_string(&mut said);
            }
            said
        });
        let why = said.trim().trim_start_matches("error: ");
        let what = format!("the temporary PostgreSQL (process {}) has ended: {why}", self.pid);
        Some(Error::internal(what).help(
            "it was killed from outside, or the machine has no memory left: see the kernel's log",
        ))
    }

    /// The same where a statement has just failed: an end shows in its connections first.
    pub(crate) fn crashed_by_now(&self) -> Option<Error> {
        interrupt::seen_within(ENDS_SHOW_WITHIN, || self.crashed())
    }

    fn end(&self) {
        drop(self.control.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
        let _ = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
        // It was killed, if there is anything left to remove.
        cluster::remove(&self.folder);
    }
}

/// Reads `ready PORT PID FOLDER`.
fn ready(line: &str) -> Option<(u16, u32, PathBuf)> {
    let mut words = line.trim_end().strip_prefix("ready ")?.splitn(3, ' ');
    let (port, pid) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((port, pid, words.next()?.into()))
}

/// What the keeper had to say, as this process's own error.
fn failed(mut child: Child) -> Error {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    let status = child.wait();
    if interrupt::asked() {
        return Error::interrupted();
    }
    let usage = status.is_ok_and(|it| it.code() == Some(Failure::Usage as i32));
    let error = if usage { Error::usage } else { Error::internal };
    let said = said.trim();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    match said.split_once("\n  help: ") {
        Some((message, help)) => error(message.to_owned()).help(help),
        None => error(said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_have_blanks() {
        let read = ready("ready 5433 17 /tmp/a b/bakeoff-pg-1\n").unwrap();
        assert_eq!(read, (5433, 17, "/tmp/a b/bakeoff-pg-1".into()));
        assert_eq!(ready(""), None);
        assert_eq!(ready("ready 5433 17"), None);
    }
}
