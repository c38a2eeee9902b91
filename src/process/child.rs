//! A contender's process: started on its cores, asked whether it is ready, and always ended.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Context, Error, Result};
use crate::load::peer::{Address, Peer};
use crate::load::tls::Tls;
use crate::machine;
use crate::machine::Cores;
use crate::machine::cgroup::Cgroup;
use crate::machine::proc;
use crate::machine::proc::listening_below;
use crate::machine::resources::Watch;
use crate::process::http;
use crate::process::http::{Failed, PAUSE};
use crate::process::supervise::{Program, StderrTail, SupervisedProcess};
use crate::scenario::{Ready, Setup};
use crate::units::Nanos;
use crate::{interrupt, random};

/// A contender that is not ready after so long never will be.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A contender that was asked to end and has not after so long is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(8);
/// What is run before a trial may take so long.
const BEFORE_WITHIN: Duration = Duration::from_secs(60);
/// A report shows no longer name of a runtime.
pub(crate) const RUNTIME_BYTES_MAX: usize = 60;
/// So long after its sockets are closed a process may still seem to run.
const ENDS_SHOW_WITHIN: Duration = Duration::from_millis(300);
/// How often a program is started anew, each time on another port, whose port others took before it did.
const PORTS_MAX: u32 = 4;

/// A running contender. Dropping it ends it, where it is ours to end.
#[derive(Debug)]
pub(crate) struct Contender {
    name: String,
    process: ProcessOwner,
    /// Removed when the process has ended.
    group: Option<Cgroup>,
    peer: Peer,
    /// What it writes to stderr, where it is a child of this process.
    said: Option<StderrTail>,
    /// What it said of itself when it was ready.
    runtime: Option<String>,
}

/// Who starts and stops a contender's process.
#[derive(Debug)]
enum ProcessOwner {
    /// A child of this process.
    Parent(Child),
    Supervisor(SupervisedProcess),
    /// Started by the user, outside bakeoff.
    External,
}

impl Contender {
    /// Starts a build of bakeoff as a server, this very one if `binary` is nothing, by its `verb`, on `cores` and waits
    /// until it answers.
    ///
    /// # Errors
    /// When it cannot be started, ends early, or is not ready in time; the message has what it wrote to stderr.
    pub(crate) fn start(
        name: &str,
        binary: Option<&Path>,
        verb: &str,
        flags: &[String],
        env: &[(String, String)],
        cores: &Cores,
    ) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary.to_owned(),
            None => proc::own_program()?,
        };
        let group = Cgroup::make();
        let mut command = match &group {
            // It enters the group by itself, before its first instruction.
            Some(group) => {
                let own = proc::own_program()?;
                let mut command = Command::new(own);
                command.arg("enter").arg(group.folder()).arg("--").arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command
            .arg(verb)
            .args(flags)
            // An exported one says where other servers listen.
            .env("BAKEOFF_ADDRESS", "127.0.0.1")
            .envs(env.iter().cloned())
            .arg(format!("--die-with-parent={}", std::process::id()));
        // A group of its own: Ctrl-C is for this program, which then ends its contenders in good order.
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A child inherits the mask of the thread that starts it, before its first instruction.
        let mut child = machine::on_cores(cores, || command.spawn())?
            .context(|| format!("cannot start contender `{name}`"))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let said = child.stderr.take().map(StderrTail::of);
        let peer = SocketAddr::from(([127, 0, 0, 1], 0)).into();
        let process = ProcessOwner::Parent(child);
        let name = name.to_owned();
        let mut contender = Self { name, process, group, peer, said, runtime: None };
        contender.peer = contender.listening(stdout)?.into();
        http::get(&contender.peer, "/healthz", READY_WITHIN)
            .map_err(|error| contender.unready(&format!("does not answer /healthz: {error}")))?;
        Ok(contender)
    }

    /// Starts a program on `cores`, on a free port, and waits until it is ready at one of two addresses. `env` is what the
    /// workload tells every contender; the scenario's own variables go before it.
    ///
    /// # Errors
    /// When what is to run before fails, or the program cannot be started, ends early, or is not ready in time; the
    /// message has what it wrote.
    pub(crate) fn launch(
        name: &str,
        argv: &[String],
        setup: &Setup,
        env: Vec<(String, String)>,
        cores: &Cores,
        at: [IpAddr; 2],
    ) -> Result<Self> {
        on_a_free_port(|port| {
            let at = at.map(|ip| SocketAddr::new(ip, port));
            Self::launch_on(at, name, argv, setup, env.clone(), cores)
        })
    }

    fn launch_on(
        at: [SocketAddr; 2],
        name: &str,
        argv: &[String],
        setup: &Setup,
        mut env: Vec<(String, String)>,
        cores: &Cores,
    ) -> Result<Self> {
        let (address, port) = (at[0].ip(), at[0].port());
        let filled = |text: &String| {
            text.replace("{port}", &port.to_string()).replace("{address}", &address.to_string())
        };
        // Most servers that can be told a port are told it by the second name.
        env.extend(["BAKEOFF_PORT", "PORT"].map(|name| (name.into(), port.to_string())));
        env.push(("BAKEOFF_ADDRESS".into(), address.to_string()));
        env.extend(setup.env.iter().map(|(name, value)| (name.clone(), filled(value))));
        before(name, setup, &env)?;
        let argv: Vec<String> = argv.iter().map(filled).collect();
        let what = format!("contender `{name}`");
        let folder = &setup.folder;
        let group = Cgroup::make();
        let program = Program {
            what,
            argv: &argv,
            env: &env,
            folder,
            patience: setup.stop_within.into(),
            group: group.as_ref().map(Cgroup::folder),
        };
        let mut held = SupervisedProcess::start(&program, cores)?;
        let peers = at.map(|at| Peer { at: Address::Tcp(at), tls: setup.tls.clone() });
        let deadline = Instant::now() + Duration::from(setup.ready_within);
        let mut earlier: Option<Failed> = None;
        let (peer, runtime) = loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
            match answers(&peers, &setup.ready, left) {
                Ok(ready) => break ready,
                Err(failed) => earlier = Some(failed.after(earlier.take())),
            }
            if held.ended().is_some() {
                return Err(held.failed("ended before it was ready"));
            }
            if Instant::now() >= deadline || interrupt::asked() {
                let why = earlier.map(Failed::why).unwrap_or_default();
                let within = setup.ready_within;
                let elsewhere = elsewhere(port, &listening_below(held.supervisor()));
                let what = format!("was not ready within {within}: {why}{elsewhere}");
                return Err(held.failed(&what));
            }
            thread::sleep(PAUSE);
        };
        // Another server answered if the program has ended.
        if held.ended().is_some() {
            return Err(held.failed("ended as it became ready"));
        }
        let process = ProcessOwner::Supervisor(held);
        Ok(Self { name: name.to_owned(), process, group, peer, said: None, runtime })
    }

    /// Looks for a server that runs already.
    ///
    /// # Errors
    /// When what is to run before fails, or it is not ready in time.
    pub(crate) fn find(
        name: &str,
        address: &Address,
        setup: &Setup,
        mut env: Vec<(String, String)>,
    ) -> Result<Self> {
        if let Address::Tcp(at) = address {
            env.extend(["BAKEOFF_PORT", "PORT"].map(|name| (name.into(), at.port().to_string())));
        }
        env.extend(setup.env.iter().cloned());
        before(name, setup, &env)?;
        let within = setup.ready_within.into();
        let peer = Peer { at: address.clone(), tls: setup.tls.clone() };
        let runtime =
            http::tried(within, |left| once(&peer, &setup.ready, left)).map_err(|why| {
                if interrupt::asked() {
                    return Error::interrupted();
                }
                Error::invalid(format!("contender `{name}` at {address} is not ready: {why}"))
                    .help("start it first; a contender by URL is not started by bakeoff")
                    .by_contender("")
            })?;
        let (name, process) = (name.to_owned(), ProcessOwner::External);
        Ok(Self { name, process, group: None, peer, said: None, runtime })
    }

    /// Where a program listens that is not told where: on `localhost` it may choose either.
    pub(crate) const LOCAL: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What it answers at a path, tried until `within` is over; or why it does not.
    pub(crate) fn ask(&self, path: &str, within: Duration) -> std::result::Result<Vec<u8>, String> {
        http::get(&self.peer, path, within)
    }

    /// What runs it, with its version, where it says so.
    pub(crate) fn runtime(&self) -> Option<&str> {
        self.runtime.as_deref()
    }

    /// The control group of its own, where it has one.
    pub(crate) fn group(&self) -> Option<&Cgroup> {
        self.group.as_ref()
    }

    /// Measures what it uses.
    pub(crate) fn watch(&self) -> Watch {
        match &self.process {
            ProcessOwner::Parent(child) => Watch::new(child.id()),
            ProcessOwner::Supervisor(held) => Watch::Below(held.supervisor()),
            ProcessOwner::External => Watch::Nothing,
        }
    }

    /// How it ended, if it has without being asked.
    pub(crate) fn crashed(&mut self) -> Option<String> {
        match &mut self.process {
            ProcessOwner::Parent(child) => {
                child.try_wait().ok().flatten().map(|status| status.to_string())
            }
            ProcessOwner::Supervisor(held) => held.ended(),
            ProcessOwner::External => None,
        }
    }

    /// The same where something has just failed: the end of a process shows in its sockets before it shows here.
    pub(crate) fn crashed_by_now(&mut self) -> Option<String> {
        interrupt::seen_within(ENDS_SHOW_WITHIN, || self.crashed())
    }

    /// The last of what it wrote, once it has ended.
    pub(crate) fn wrote(&self) -> String {
        match (&self.process, &self.said) {
            (ProcessOwner::Supervisor(held), _) => held.wrote(),
            (_, Some(said)) => said.last(),
            _ => String::new(),
        }
    }

    /// What it writes to stderr; `None` for an external server.
    pub(crate) fn stderr(&self) -> Option<StderrTail> {
        match &self.process {
            ProcessOwner::Supervisor(held) => Some(held.stderr()),
            ProcessOwner::Parent(_) | ProcessOwner::External => self.said.clone(),
        }
    }

    /// Asks it to end and waits; kills it when it does not.
    ///
    /// # Errors
    /// By the contender, when it had ended before, had to be killed or ended with a failure.
    pub(crate) fn stop(mut self) -> Result<()> {
        match std::mem::replace(&mut self.process, ProcessOwner::External) {
            ProcessOwner::Parent(child) => self.process = ProcessOwner::Parent(child),
            ProcessOwner::Supervisor(held) => return held.stop(),
            ProcessOwner::External => return Ok(()),
        }
        let what = match (self.crashed(), self.end()) {
            (Some(status), _) => format!("ended before it was asked to: {status}"),
            (None, Some(status)) if status.success() => return Ok(()),
            (None, Some(status)) => format!("ended with {status}"),
            (None, None) => format!("did not end within {ENDS_WITHIN:?} of SIGTERM and was killed"),
        };
        Err(Error::invalid(format!("contender `{}` {what}", self.name)).by_contender(self.wrote()))
    }

    /// SIGTERM, patience, SIGKILL. Nothing when it was killed.
    fn end(&mut self) -> Option<ExitStatus> {
        let ProcessOwner::Parent(child) = &mut self.process else { return None };
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        let pid = Pid::from_child(child);
        // It has not been waited for, so the number is still its own.
        let _ = kill_process(pid, Signal::TERM);
        let asked = Instant::now();
        let patience = || if interrupt::asked() { interrupt::PATIENCE } else { ENDS_WITHIN };
        while asked.elapsed() < patience() {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        let _ = child.wait();
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
        let line = interrupt::receive(&receiver, READY_WITHIN)
            .ok_or_else(|| self.unready(&format!("said nothing within {READY_WITHIN:?}")))?;
        line.trim()
            .strip_prefix("listening ")
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| self.unready("ended before it was listening"))
    }

    /// The error for a contender that never became ready, with what it said; what an interrupt cut short is not its fault.
    fn unready(&mut self, what: &str) -> Error {
        if interrupt::asked() {
            return Error::interrupted();
        }
        let status = self.end().map_or("was killed".to_owned(), |status| status.to_string());
        Error::invalid(format!("contender `{}` {what} ({status})", self.name))
            .by_contender(self.wrote())
    }
}

/// Between two looks whether it listens: an error of half of it in every start.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// A program that has not answered by then never will.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How long it is left alone before its idle memory is read.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// A contender that can be started again and again, every kind of them in the same way.
#[derive(Debug)]
pub(crate) struct Startable {
    pub(crate) what: String,
    /// With its arguments; `{port}` stands for the port.
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
    pub(crate) ready: Ready,
    pub(crate) tls: Option<Tls>,
    /// How long it may take to end when it is asked to.
    pub(crate) patience: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// From the program's start to its first answer.
    pub(crate) first_answer: Nanos,
    pub(crate) rss_idle_bytes: Option<u64>,
}

impl Startable {
    /// Starts it on `cores`, waits for its first answer, looks at its memory and ends it.
    ///
    /// # Errors
    /// By the contender, when it does not start, answer or end.
    pub(crate) fn start(&self, cores: &Cores) -> Result<Started> {
        on_a_free_port(|port| self.start_on(port, cores))
    }

    fn start_on(&self, port: u16, cores: &Cores) -> Result<Started> {
        let filled = |text: &String| text.replace("{port}", &port.to_string());
        let argv: Vec<String> = self.argv.iter().map(filled).collect();
        let env: Vec<_> =
            self.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
        let what = self.what.clone();
        let program = Program {
            what,
            argv: &argv,
            env: &env,
            folder: &self.folder,
            patience: self.patience,
            group: None,
        };
        let mut held = SupervisedProcess::start(&program, cores)?;
        // The supervisor has said that the program is there: its own start is not the contender's.
        let begun = Instant::now();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while let Err(error) = TcpStream::connect_timeout(&address, ANSWERED_WITHIN) {
            if held.ended().is_some() {
                return Err(held.failed("ended before it was listening"));
            }
            if begun.elapsed() > ANSWERED_WITHIN || interrupt::asked() {
                return Err(held.failed(&format!("does not listen: {error}")));
            }
            thread::sleep(LOOK_EVERY);
        }
        if let Ready::Path(path) = &self.ready {
            let peer = Peer { at: Address::Tcp(address), tls: self.tls.clone() };
            http::get(&peer, path, ANSWERED_WITHIN)
                .map_err(|why| held.failed(&format!("does not answer: {why}")))?;
        }
        let first_answer = begun.elapsed().into();
        thread::sleep(IDLE_AFTER);
        let rss_idle_bytes = Watch::Below(held.supervisor()).rss_bytes();
        held.stop()?;
        Ok(Started { first_answer, rss_idle_bytes })
    }
}

/// `; it listens on 127.0.0.1:3000, ..`, of a program that should listen on `port`; nothing where it does not listen at all.
fn elsewhere(port: u16, at: &[SocketAddr]) -> String {
    if at.is_empty() || at.iter().any(|address| address.port() == port) {
        return String::new();
    }
    let at: Vec<String> = at.iter().map(SocketAddr::to_string).collect();
    format!(
        "; it listens on {}, and gets its port by {{port}} in `command` and `env`, and by PORT and BAKEOFF_PORT",
        at.join(" and ")
    )
}

/// Runs what is to run before a trial, to its end.
fn before(name: &str, setup: &Setup, env: &[(String, String)]) -> Result<()> {
    let Some(argv) = &setup.before else { return Ok(()) };
    let program = Program {
        what: format!("`before` of contender `{name}`"),
        argv,
        env,
        folder: &setup.folder,
        patience: Duration::from_secs(1),
        group: None,
    };
    SupervisedProcess::start(&program, &machine::allowed_cores()?)?.finish(BEFORE_WITHIN)
}

/// Well-known services are below.
const PORTS_FROM: u16 = 10_240;
/// So many of them are looked at.
const PORTS_TRIED: u16 = 64;

/// Starts a program on a free port. Where another process takes the port first, the program says so and ends, and is
/// started again on another.
pub(crate) fn on_a_free_port<T>(start: impl Fn(u16) -> Result<T>) -> Result<T> {
    for _ in 1..PORTS_MAX {
        let port = free_port()?;
        match start(port) {
            Err(error) if says_in_use(&error) => {}
            started => return started,
        }
    }
    let port = free_port()?;
    start(port).map_err(|error| match says_in_use(&error) && is_taken(port) {
        true => Error::invalid(format!("{PORTS_MAX} ports in turn were in use")).by_machine(),
        false => error,
    })
}

/// A port below those that the system hands out: no connection and no other listener gets it between this look and the
/// program's start. One of the system's where none is free below.
fn free_port() -> Result<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let handed_out = range.split_whitespace().next().and_then(|first| first.parse::<u16>().ok());
    let below = handed_out.and_then(|first| first.checked_sub(PORTS_FROM)).unwrap_or_default();
    for _ in (0..PORTS_TRIED).filter(|_| below >= PORTS_TRIED) {
        let port = PORTS_FROM + (random::fresh_seed() % u64::from(below)) as u16;
        if !is_taken(port) {
            return Ok(port);
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Ok(listener.context(|| "no port is free".into())?.port())
}

/// Whether a program gives a port in use as the reason of its end, in the words of libc, Go, Node.js or Java.
fn says_in_use(error: &Error) -> bool {
    let wrote = error.contender_wrote().unwrap_or_default().to_lowercase();
    ["address already in use", "address in use", "eaddrinuse", "already in use"]
        .iter()
        .any(|words| wrote.contains(words))
}

/// Whether a port is in use.
fn is_taken(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_err()
}

/// Which of two addresses a server is ready at, and what it says that runs it; asked once, within that time. The second is
/// asked where the first refuses connections.
fn answers(
    [first, second]: &[Peer; 2],
    ready: &Ready,
    within: Duration,
) -> std::result::Result<(Peer, Option<String>), Failed> {
    let at = |peer: &Peer| once(peer, ready, within).map(|runtime| (peer.clone(), runtime));
    match at(first) {
        Err(refused @ Failed::Unreachable(_)) => at(second).map_err(|other| match other {
            Failed::Unreachable(_) => refused,
            other => other,
        }),
        asked => asked,
    }
}

/// Whether a server is ready by its own measure, and what it says that runs it; asked once.
fn once(
    peer: &Peer,
    ready: &Ready,
    within: Duration,
) -> std::result::Result<Option<String>, Failed> {
    match ready {
        Ready::Path(path) => http::once("GET", peer, path, within).map(|said| runtime(&said)),
        Ready::Tcp => match peer.connect(within) {
            Ok(_) => Ok(None),
            Err(error) => Err(Failed::Unreachable(error.to_string())),
        },
    }
}

/// What runs a server, from its health answer, which may be no JSON, or of any length.
fn runtime(said: &[u8]) -> Option<String> {
    let said: serde_json::Value = serde_json::from_slice(said).ok()?;
    let runtime = said["runtime"].as_str()?.trim();
    (1..=RUNTIME_BYTES_MAX).contains(&runtime.len()).then(|| runtime.to_owned())
}

impl Drop for Contender {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_server_is_found_at_the_address_that_it_has_chosen() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("SKIPPED: this machine has no ::1");
            return;
        };
        let second = Peer::from(listener.local_addr().unwrap());
        let first = Peer::from(SocketAddr::from(([127, 0, 0, 1], free_port().unwrap())));
        let asked = |[one, other]: [&Peer; 2]| {
            answers(&[one.clone(), other.clone()], &Ready::Tcp, Duration::from_secs(2))
        };
        assert_eq!(asked([&first, &second]).unwrap(), (second.clone(), None));
        assert_eq!(asked([&second, &first]).unwrap(), (second.clone(), None));
        drop(listener);
        let Err(Failed::Unreachable(_)) = asked([&first, &second]) else {
            panic!("no server is there")
        };
    }

    #[test]
    fn a_server_that_listens_elsewhere_is_told_its_port() {
        let at = |ports: &[u16]| -> Vec<SocketAddr> {
            ports.iter().map(|&port| ([127, 0, 0, 1], port).into()).collect()
        };
        let told = elsewhere(8_080, &at(&[3_000, 3_001]));
        assert!(told.starts_with("; it listens on 127.0.0.1:3000 and 127.0.0.1:3001, "), "{told}");
        assert_eq!(elsewhere(8_080, &at(&[3_000, 8_080])), "", "it is busy, and not elsewhere");
        assert_eq!(elsewhere(8_080, &[]), "");
    }

    #[test]
    fn a_port_in_use_is_the_machines_and_another_is_tried() {
        let in_use = || Error::invalid("ended").by_contender("listen tcp: address already in use");
        let tried = Cell::new(0);
        let started = on_a_free_port(|port| {
            tried.set(tried.get() + 1);
            if tried.get() < 3 { Err(in_use()) } else { Ok(port) }
        });
        assert!(started.is_ok() && tried.get() == 3, "{started:?}");
        // Each port is taken before the program binds it: the contender has not lost.
        let others = std::cell::RefCell::new(Vec::new());
        let void = on_a_free_port(|port| {
            others.borrow_mut().push(TcpListener::bind(("127.0.0.1", port)).unwrap());
            Err::<u16, _>(in_use())
        });
        let void = void.unwrap_err();
        assert!(void.is_by_machine() && void.contender_wrote().is_none(), "{void:?}");
        // A program that says so of a free port means another port.
        let lost = on_a_free_port(|_| Err::<u16, _>(in_use())).unwrap_err();
        assert!(lost.contender_wrote().is_some() && !lost.is_by_machine());
        let ends =
            on_a_free_port(|_| Err::<u16, _>(Error::invalid("x").by_contender("no database")));
        assert!(ends.unwrap_err().contender_wrote().is_some());
    }
}
