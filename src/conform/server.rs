//! One server that is checked: started, watched, and ended by its own process id.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Seek};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process};

use super::Subject;
use crate::machine::proc;

/// The exit code of a supervisor that found no program, as shells have it.
const NOT_FOUND: i32 = 127;

/// What stands between what was expected and what came, in a message.
pub(super) const CAME: &str = "\n   came: ";

/// No wait in this suite is longer. It is not what a test measures, only when it gives up: to load Express takes a second
/// of CPU, and on a machine that does much else half a minute.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The seed of every server here, and of the rows in `bodies`.
pub const SEED: u64 = 42;

/// The beginning of a supervised command, to which the program and its arguments are added: the program ends, and all that
/// it has started, when this process ends, even by SIGKILL. `bakeoff` is the program that supervises.
pub fn supervised(bakeoff: &Path) -> Command {
    // Each supervisor reads it. It is closed when this process ends: nobody else has the writing end.
    static PIPE: LazyLock<(PipeReader, PipeWriter)> = LazyLock::new(|| io::pipe().expect("a pipe"));
    let mut command = Command::new(bakeoff);
    command.args(["supervise", "--transparent", "--patience=5s", "--"]).process_group(0);
    command.stdin(PIPE.0.try_clone().expect("a second handle"));
    command
}

/// The process of a subject's command, and the server itself, which is below it if it is supervised.
pub(super) struct Running {
    pub(super) child: Child,
    supervised: bool,
}

impl Running {
    pub(super) fn start(subject: &dyn Subject, mut command: Command) -> Result<Self, String> {
        let program = command.get_program().to_owned();
        let child = command.spawn();
        let child = child.map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        Ok(Self { child, supervised: subject.is_supervised() })
    }

    /// The server; none once it has ended and its supervisor has noticed.
    fn server(&self) -> Option<u32> {
        match self.supervised {
            // What the program has left behind comes after it.
            true => proc::children(self.child.id()).first().copied(),
            false => Some(self.child.id()),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.server().and_then(|pid| Pid::from_raw(pid as i32)) {
            // One that has ended shows it in its status.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends it at once. A supervisor ends by itself then.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            self.signal(Signal::KILL);
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child.kill().and_then(|()| self.child.wait())
    }
}

/// A running server. Dropping it ends it with SIGTERM and fails the test unless it ends cleanly.
pub struct TestedServer {
    address: SocketAddr,
    /// Whether it may close a connection after a refusal.
    pub(super) closes_after_refusals: bool,
    /// None of one that runs already.
    process: Option<Process>,
}

struct Process {
    running: Running,
    /// Held, so that the server's stdout stays open as long as it runs.
    _stdout: BufReader<ChildStdout>,
    stderr: File,
    ended: bool,
}

impl TestedServer {
    /// A server with free signatures and otherwise the defaults.
    pub fn start(subject: &dyn Subject) -> Self {
        Self::with(subject, &[])
    }

    /// The same with more variables; one given here stands for the check's own.
    pub fn with(subject: &dyn Subject, variables: &[(&str, &str)]) -> Self {
        Self::begin(subject, variables).unwrap_or_else(|message| panic!("{message}"))
    }

    /// # Errors
    /// Why it did not start.
    pub(super) fn begin(subject: &dyn Subject, variables: &[(&str, &str)]) -> Result<Self, String> {
        let closes_after_refusals = subject.closes_after_refusals();
        if let Some(address) = subject.address() {
            TcpStream::connect(address)
                .map_err(|e| format!("no server listens at {address}: {e}"))?;
            return Ok(Self { address, closes_after_refusals, process: None });
        }
        let mut command = subject.command();
        command.envs([("BAKEOFF_PORT", "0"), ("BAKEOFF_SIGNATURE_ROUNDS", "0")]);
        command.env("BAKEOFF_SEED", SEED.to_string()).envs(variables.iter().copied());
        let mut server = Self::try_launch(subject, command)?;
        server.closes_after_refusals = closes_after_refusals;
        Ok(server)
    }

    /// Starts `command` and waits until it says where it listens.
    pub fn launch(subject: &dyn Subject, command: Command) -> Self {
        Self::try_launch(subject, command).unwrap_or_else(|message| panic!("{message}"))
    }

    fn try_launch(subject: &dyn Subject, mut command: Command) -> Result<Self, String> {
        let stderr = memfd_create("stderr", MemfdFlags::CLOEXEC).expect("memory for stderr");
        let stderr = File::from(stderr);
        command.stdout(Stdio::piped()).stderr(stderr.try_clone().expect("a second handle"));
        let mut running = Running::start(subject, command)?;
        let stdout = running.child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            // The receiver has given up only when the check has failed already.
            let _ = sender.send((read, line, stdout));
        });
        let (line, stdout) = match receiver.recv_timeout(PATIENCE) {
            Ok((Ok(_), line, stdout)) => (line, Some(stdout)),
            _ => (String::new(), None),
        };
        let address = line.trim_end().strip_prefix("listening ").and_then(|a| a.parse().ok());
        let (Some(address), Some(stdout)) = (address, stdout) else {
            let status = running.kill();
            if running.supervised && status.as_ref().is_ok_and(|it| it.code() == Some(NOT_FOUND)) {
                return Err(format!("cannot start {}", text(&stderr).trim_end()));
            }
            let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            let expected = "the line `listening 127.0.0.1:PORT` on stdout";
            let came = format!("{line:?}, {status}; stderr: {}", text(&stderr));
            return Err(format!("{expected}{CAME}{came}"));
        };
        let process = Process { running, _stdout: stdout, stderr, ended: false };
        Ok(Self { address, closes_after_refusals: false, process: Some(process) })
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started here")
    }

    fn id(&self) -> u32 {
        self.process().running.server().expect("the server runs")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        assert!(self.address.ip().is_loopback(), "it must listen on loopback alone");
        self.address
    }

    /// Descriptors and threads that it holds now.
    pub fn held(&self) -> Held {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", self.id());
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}")).count()
        };
        Held { descriptors: count("fd"), threads: count("task") }
    }

    /// Memory that it has, of the main process alone.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))
            .expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// CPU time of its threads so far, of the main process alone.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("it runs");
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            // One that ends meanwhile has nothing to say.
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.filter_map(of).sum())
    }

    /// Waits until it holds no more than `limit`.
    pub fn wait_for_at_most(&self, limit: Held) {
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
    pub fn signal(&self, signal: Signal) {
        self.process().running.signal(signal);
    }

    /// Waits for its end, at most `limit`, and gives how it ended.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let process = self.process.as_mut().expect("it was started here");
        let start = Instant::now();
        loop {
            let ended = process.running.child.try_wait().expect("the server can be waited for");
            if let Some(status) = ended {
                process.ended = true;
                return status;
            }
            assert!(start.elapsed() < limit, "still runs {limit:?} after its signal");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has written to stderr.
    pub fn stderr(&self) -> String {
        text(&self.process().stderr)
    }
}

impl Drop for TestedServer {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        if std::thread::panicking() {
            if !process.ended {
                let _ = process.running.kill();
            }
            match text(&process.stderr) {
                nothing if nothing.is_empty() => {}
                said => eprintln!("the server's stderr: {said}"),
            }
            return;
        }
        if !process.ended {
            self.signal(Signal::TERM);
            let status = self.wait_or_kill(Duration::from_secs(10));
            assert!(status.success(), "ended with {status}; stderr: {}", self.stderr());
        }
        // A panic of one of the server's threads does not always end the process.
        let stderr = self.stderr();
        assert!(!stderr.contains("panicked"), "the server panicked: {stderr}");
    }
}

impl TestedServer {
    fn wait_or_kill(&mut self, limit: Duration) -> ExitStatus {
        let process = self.process.as_mut().expect("it was started here");
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Ok(Some(status)) = process.running.child.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = process.running.kill();
        panic!("did not end within {limit:?} of SIGTERM; stderr: {}", self.stderr());
    }
}

/// Counts from /proc.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub descriptors: usize,
    pub threads: usize,
}

fn text(file: &File) -> String {
    let mut file = file.try_clone().expect("a second handle");
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("stderr can be read back");
    String::from_utf8_lossy(&bytes).into_owned()
}
