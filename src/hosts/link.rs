//! An agent that was launched, and the questions to it.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::protocol::{self, Ask, Frames, FromAgent, ToAgent, Word};
use super::{BEAT, LEASE};
use crate::error::{Context, Error, Result};
use crate::machine::proc;
use crate::process::supervise::StderrTail;
use crate::scenario::HostAt;
use crate::units::Nanos;
use crate::{clock, interrupt};

/// An agent speaks within this, or it never will: ssh, a container that is made first.
const SPEAKS_WITHIN: Duration = Duration::from_secs(60);
/// A launcher whose agent has ended ends within this, or is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(12);
/// How soon a launcher's end is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running agent. Dropping it ends it, with all that it started.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    shared: Arc<Channel>,
}

#[derive(Debug)]
struct Channel {
    launcher: Mutex<Child>,
    /// Closing it ends the agent.
    to: Mutex<Option<ChildStdin>>,
    waiting: Mutex<HashMap<u64, Sender<Heard>>>,
    next: AtomicU64,
    /// When the agent was last heard, on our clock.
    heard: AtomicU64,
    /// Why there is no agent any more.
    lost: Mutex<Option<String>>,
    said: StderrTail,
}

#[derive(Debug)]
pub(crate) enum Heard {
    /// Before it is done.
    Said(Value),
    Done(Value),
    Failed(Error),
}

/// A question that is being worked on.
#[derive(Debug)]
pub(crate) struct Awaited<'a> {
    link: &'a Link,
    id: u64,
    answer: Receiver<Heard>,
}

impl Link {
    /// Launches an agent and waits until it speaks.
    ///
    /// # Errors
    /// When the launcher cannot be started or no agent speaks; what came instead is told.
    pub(crate) fn launch(host: &HostAt) -> Result<Self> {
        let name = host.name.clone();
        let program = host.bakeoff.clone().map_or_else(proc::own_program, Ok)?;
        let mut words = host.launch.iter().map(Into::into).chain([program.into(), "agent".into()]);
        let first: std::ffi::OsString = words.next().expect("there are two at least");
        let mut command = Command::new(first);
        command.args(words);
        // Ctrl-C is for this program, which then ends its agents in good order.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut launcher =
            command.spawn().usage(|| format!("the launcher of host `{name}` cannot be started"))?;
        let from = launcher.stdout.take().expect("stdout is piped");
        let said = StderrTail::of(launcher.stderr.take().expect("stderr is piped"));
        let shared = Arc::new(Channel {
            to: Mutex::new(launcher.stdin.take()),
            launcher: Mutex::new(launcher),
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            heard: AtomicU64::new(clock::now().0),
            lost: Mutex::new(None),
            said,
        });
        let link = Self { name, shared };
        let (greeted, greeting) = mpsc::channel();
        let reader = Arc::clone(&link.shared);
        thread::spawn(move || reader.read(from, &greeted));
        match interrupt::receive(&greeting, SPEAKS_WITHIN) {
            Some(Ok(_)) => {}
            Some(Err(why)) => return Err(link.unlaunched(&why)),
            None if interrupt::asked() => return Err(Error::interrupted()),
            None => return Err(link.unlaunched("no agent has spoken within a minute")),
        }
        let watched = Arc::downgrade(&link.shared);
        thread::spawn(move || watch(&watched));
        Ok(link)
    }

    fn unlaunched(&self, why: &str) -> Error {
        let said = self.shared.said.last();
        let said = if said.is_empty() { said } else { format!("; its stderr:\n{said}") };
        Error::usage(format!("host `{}`: {why}{said}", self.name))
            .help("the launcher must give stdin and stdout of `bakeoff agent` on that host")
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// What the agent says, or by the machine, that it is lost.
    pub(crate) fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T> {
        self.begin(ask)?.done()
    }

    /// Asks.
    pub(crate) fn begin(&self, ask: Ask) -> Result<Awaited<'_>> {
        let shared = &self.shared;
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        let (heard, answer) = mpsc::channel();
        lock(&shared.waiting).insert(id, heard);
        if !shared.send(&ToAgent::Ask { id, ask: Box::new(ask) }) || lock(&shared.lost).is_some() {
            lock(&shared.waiting).remove(&id);
            return Err(self.lost());
        }
        Ok(Awaited { link: self, id, answer })
    }

    /// A value of the type that the question has.
    ///
    /// # Errors
    /// When it is of another one.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: Value) -> Result<T> {
        let wrong = |error| format!("host `{}` answers something else: {error}", self.name);
        serde_json::from_value(answer).map_err(|error| Error::internal(wrong(error)))
    }

    /// Whether it has been lost.
    pub(crate) fn is_lost(&self) -> bool {
        lock(&self.shared.lost).is_some()
    }

    /// The error for an agent that is no longer there.
    fn lost(&self) -> Error {
        let why = lock(&self.shared.lost).clone();
        let why = why.unwrap_or_else(|| "its link broke".into());
        Error::internal(format!("the agent of host `{}` is lost: {why}", self.name)).by_machine()
    }
}

impl Awaited<'_> {
    /// Waits until it is done.
    pub(crate) fn done<T: DeserializeOwned>(self) -> Result<T> {
        loop {
            match self.next(LOOK_EVERY)? {
                Some(Heard::Done(answer)) => return self.link.read(answer),
                Some(Heard::Failed(error)) => return Err(error),
                Some(Heard::Said(_)) | None => {}
            }
        }
    }

    /// What is heard next, if anything is within a time.
    ///
    /// # Errors
    /// By the machine, when the agent is lost.
    pub(crate) fn next(&self, within: Duration) -> Result<Option<Heard>> {
        match self.answer.recv_timeout(within) {
            Ok(heard) => Ok(Some(heard)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.link.lost()),
        }
    }

    /// A value of what was said.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: Value) -> Result<T> {
        self.link.read(what)
    }

    /// Says more about the question.
    pub(crate) fn tell(&self, word: Word) {
        self.link.shared.send(&ToAgent::Tell { id: self.id, word });
    }
}

impl Channel {
    fn read(&self, from: ChildStdout, greeted: &Sender<Result<u64, String>>) {
        let mut frames = Frames::of(from);
        let greeting = frames.greeted();
        let speaks = greeting.is_ok();
        let _ = greeted.send(greeting);
        let why = if speaks { self.hear(&mut frames) } else { "it never spoke".into() };
        self.lose(why);
    }

    /// Hands on what the agent says until it says no more; gives why.
    fn hear(&self, frames: &mut Frames<impl Read>) -> String {
        loop {
            let (id, heard) = match frames.next() {
                Ok(Some(FromAgent::Done { id, answer })) => (id, Heard::Done(answer)),
                Ok(Some(FromAgent::Failed { id, why })) => (id, Heard::Failed(why.into_error())),
                Ok(Some(FromAgent::Said { id, what })) => (id, Heard::Said(what)),
                Ok(Some(FromAgent::Beat)) => {
                    self.heard.store(clock::now().0, Ordering::Relaxed);
                    continue;
                }
                Ok(None) => return "its output ended".into(),
                Err(why) => return why,
            };
            self.heard.store(clock::now().0, Ordering::Relaxed);
            let mut waiting = lock(&self.waiting);
            let over = !matches!(heard, Heard::Said(_));
            // Who asked may have gone.
            let _ = waiting.get(&id).map(|waiting| waiting.send(heard));
            if over {
                waiting.remove(&id);
            }
        }
    }

    /// Whether it could be written.
    fn send(&self, frame: &ToAgent) -> bool {
        let mut to = lock(&self.to);
        to.as_mut().is_some_and(|to| protocol::write(to, frame).is_ok())
    }

    /// There is no agent from now on; what waits for an answer is told so.
    fn lose(&self, why: String) {
        lock(&self.lost).get_or_insert(why);
        lock(&self.waiting).clear();
    }

    /// Closes the link and waits until the launcher has ended.
    fn end(&self, within: Duration) {
        // Blocked in a write it is not to be had, and then the launcher is killed.
        if let Ok(mut to) = self.to.try_lock() {
            *to = None;
        }
        let deadline = Instant::now() + within;
        let mut launcher = lock(&self.launcher);
        while Instant::now() < deadline {
            if !matches!(launcher.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        // What it has started, a shell's ssh, is in its group. One that was waited for has no number any more.
        if matches!(launcher.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&launcher), Signal::KILL);
            let _ = launcher.wait();
        }
    }
}

/// Sends heartbeats and looks for the agent's until it is lost or nobody asks it any more.
fn watch(shared: &Weak<Channel>) {
    let mut beat = Instant::now();
    while let Some(shared) = shared.upgrade() {
        if lock(&shared.lost).is_some() {
            return;
        }
        let ended = lock(&shared.launcher).try_wait().ok().flatten();
        let silent = clock::now().saturating_sub(Nanos(shared.heard.load(Ordering::Relaxed)));
        if let Some(status) = ended {
            shared.lose(format!("its launcher ended: {status}"));
            shared.end(Duration::ZERO);
        } else if Duration::from(silent) > LEASE {
            shared.lose(format!("it has not been heard for {LEASE:?}"));
            shared.end(Duration::ZERO);
        } else if beat.elapsed() >= BEAT {
            beat = Instant::now();
            // A long frame on its way is a heartbeat too.
            if let Ok(mut to) = shared.to.try_lock() {
                let _ = to.as_mut().map(|to| protocol::write(to, &ToAgent::Beat));
            }
        }
        drop(shared);
        thread::sleep(LOOK_EVERY);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.lose("it was ended".into());
        self.shared.end(ENDS_WITHIN);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_launcher_has_started_is_killed_with_it() {
        // The shell stays in front of what it runs, which holds stdout and heeds no end of stdin.
        let words = ["sh", "-c", "echo bakeoff-agent/1 5; sleep 60; exit", "sh"];
        let host = HostAt {
            name: "b".into(),
            launch: words.map(str::to_owned).into(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            folder: None,
            bakeoff: None,
        };
        let link = Link::launch(&host).unwrap();
        link.shared.end(Duration::ZERO);
        // Who reads its output ends when nobody can write to it any more.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !link.is_lost() || Arc::strong_count(&link.shared) > 1 {
            assert!(Instant::now() < deadline, "what it started still runs");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
