//! One server under test: started, watched, and ended by its own process id.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::contender::Contender;

/// No wait in this suite is longer. It is not what a test measures, only when it gives up: to load Express takes a second
/// of CPU, and on a machine that does much else half a minute.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The seed of every server here, and of the rows in `bodies`.
pub(crate) const SEED: u64 = 42;

/// The name that a model is given, as `/healthz` must repeat it.
const NAME: &str = "under-test";

/// A model with the sizes that the suite gives it, or a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// In another language; then the model says nothing.
    pub(crate) contender: Option<Contender>,
    /// As `--model` spells it.
    pub(crate) model: &'static str,
    /// `--threads`, where the model has them.
    pub(crate) threads: Option<u32>,
}

impl Mount {
    pub(crate) const EVENT_LOOP: Self =
        Self { model: "event-loop", threads: None, contender: None };
    pub(crate) const WORK_STEALING: Self =
        Self { model: "work-stealing", threads: Some(2), contender: None };
    pub(crate) const THREAD_PER_CONNECTION: Self =
        Self { model: "thread-per-connection", threads: None, contender: None };
    /// Four workers: few enough that a test can try to hold them all.
    pub(crate) const THREAD_POOL: Self =
        Self { model: "thread-pool", threads: Some(4), contender: None };
    pub(crate) const NULL: Self = Self { model: "null", threads: None, contender: None };

    pub(crate) const RACED: [Self; 4] =
        [Self::EVENT_LOOP, Self::WORK_STEALING, Self::THREAD_PER_CONNECTION, Self::THREAD_POOL];

    /// What `/healthz` calls it.
    pub(crate) fn name(self) -> &'static str {
        self.contender.map_or(NAME, |contender| contender.name)
    }

    /// The server as this mount, on a port of the system's choice.
    pub(crate) fn command(self) -> Command {
        let mut command = self.contender.map_or_else(|| self.serve(), |it| it.command());
        for (name, _) in std::env::vars_os() {
            let set = command.get_envs().any(|(own, _)| own == name);
            if name.to_string_lossy().starts_with("BAKEOFF_") && !set {
                command.env_remove(name);
            }
        }
        command
    }

    fn serve(self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["serve", "--model", self.model, "--name", NAME]);
        if let Some(threads) = self.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        // A test run that is killed takes its servers with it.
        command.arg(format!("--die-with-parent={}", std::process::id()));
        command.stdin(Stdio::null());
        command
    }
}

/// A running server. Dropping it ends it with SIGTERM and fails the test unless it ends cleanly.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// Held, so that the server's stdout stays open as long as it runs.
    _stdout: BufReader<ChildStdout>,
    stderr: File,
    ended: bool,
}

impl Server {
    /// A server with free signatures and otherwise the defaults.
    pub(crate) fn start(mount: Mount) -> Self {
        Self::with(mount, &[])
    }

    /// The same with more flags; a flag given here stands for the suite's own.
    pub(crate) fn with(mount: Mount, flags: &[&str]) -> Self {
        let mut command = mount.command();
        let seed = SEED.to_string();
        let own = [["--port", "0"], ["--seed", &seed], ["--signature-rounds", "0"]];
        let own = own.iter().filter(|[flag, _]| !flags.contains(flag));
        let (given, []) = flags.as_chunks::<2>() else {
            panic!("a flag without a value: {flags:?}")
        };
        for [flag, value] in own.chain(given) {
            match mount.contender {
                None => command.args([flag, value]),
                Some(_) => command.env(Contender::variable(flag), value),
            };
        }
        Self::launch(command)
    }

    /// Starts `command` and waits until it says where it listens.
    pub(crate) fn launch(mut command: Command) -> Self {
        let stderr = tempfile::tempfile().expect("a temporary file for stderr");
        command.stdout(Stdio::piped()).stderr(stderr.try_clone().expect("a second handle"));
        let mut child = command.spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            // The receiver has given up only when the test has failed already.
            let _ = sender.send((read, line, stdout));
        });
        let (line, stdout) = match receiver.recv_timeout(PATIENCE) {
            Ok((Ok(_), line, stdout)) => (line, stdout),
            other => {
                let _ = child.kill();
                panic!("no listening line: {:?}; stderr: {}", other.is_err(), text(&stderr));
            }
        };
        let Some(address) = line.trim_end().strip_prefix("listening ").and_then(|a| a.parse().ok())
        else {
            let _ = child.kill();
            let status = child.wait();
            panic!("said {line:?}, {status:?}; stderr: {}", text(&stderr));
        };
        Self { child, address, _stdout: stdout, stderr, ended: false }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        assert_eq!(self.address.ip(), Ipv4Addr::LOCALHOST, "it must listen on loopback alone");
        self.address
    }

    /// Descriptors and threads that it holds now.
    pub(crate) fn held(&self) -> Held {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", self.child.id());
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}")).count()
        };
        Held { descriptors: count("fd"), threads: count("task") }
    }

    /// Memory that it has, of the main process alone.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// CPU time of its threads so far, of the main process alone.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            // One that ends meanwhile has nothing to say.
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.filter_map(of).sum())
    }

    /// Waits until it holds no more than `limit`.
    pub(crate) fn wait_for_at_most(&self, limit: Held) {
        let start = Instant::now();
        loop {
            let held = self.held();
            if held.descriptors <= limit.descriptors && held.threads <= limit.threads {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "still holds {held:?}, was {limit:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends `signal` to it.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server can be signalled");
    }

    /// Waits for its end, at most `limit`, and gives how it ended.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                self.ended = true;
                return status;
            }
            assert!(start.elapsed() < limit, "still runs {limit:?} after its signal");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has written to stderr.
    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if !self.ended {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            eprintln!("the server's stderr: {}", self.stderr());
            return;
        }
        if !self.ended {
            self.signal(Signal::TERM);
            let status = self.wait_or_kill(Duration::from_secs(10));
            assert!(status.success(), "ended with {status}; stderr: {}", self.stderr());
        }
        // A panic of one of the server's threads does not always end the process.
        let stderr = self.stderr();
        assert!(!stderr.contains("panicked"), "the server panicked: {stderr}");
    }
}

impl Server {
    fn wait_or_kill(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        panic!("did not end within {limit:?} of SIGTERM; stderr: {}", self.stderr());
    }
}

/// Counts from /proc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

fn text(file: &File) -> String {
    let mut file = file.try_clone().expect("a second handle");
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("stderr can be read back");
    String::from_utf8_lossy(&bytes).into_owned()
}
