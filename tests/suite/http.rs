//! Anyone's service from end to end: servers of Python's standard library that know nothing of bakeoff, as contenders by
//! command and by URL, good ones and bad ones. Nothing here asserts how fast anything is.
//!
//! Needs python3; without it every test says so and ends.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bakeoff::record::{self, LostBy, RunResult, TrialVerdict, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::python;

/// A run on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// A charge service: `SERVER_DELAY_MS` makes it slow, `SERVER_STATUS` odd, `SERVER_DIES_AFTER` mortal. It appends its
/// own and its child's PID and every id that it is sent to files in its working directory.
const SERVER: &str = r#"
import json, os, signal, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port = int(sys.argv[sys.argv.index("--port") + 1])
delay = float(os.environ.get("SERVER_DELAY_MS", "0")) / 1e3
status = int(os.environ.get("SERVER_STATUS", "201"))
dies_after = int(os.environ.get("SERVER_DIES_AFTER", "0"))
child = subprocess.Popen(["sleep", "600"])
open("pids.txt", "a").write(f"{os.getpid()}\n{child.pid}\n")
if os.environ.get("SERVER_STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
served = 0

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        if os.environ.get("SERVER_DRIPS"):
            open("asked.txt", "w").close()
            while self.wfile.write(b"HTTP/1.1 200 OK\r\n" if not served else b"x: y\r\n"):
                self.wfile.flush()
                time.sleep(0.1)
        if os.environ.get("SERVER_NEVER_READY"):
            return self.answer(503, b"{}")
        self.answer(200, b'{"ok":true,"runtime":"Snake 3.4"}')

    def do_POST(self):
        global served
        served += 1
        if dies_after and served > dies_after:
            os._exit(7)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["idempotency-key"] == body["key"], "one key in a request"
        assert 1 <= body["user"] <= 1000000 and body["currency"] in ("EUR", "USD")
        open("ids.txt", "a").write(body["id"] + "\n")
        time.sleep(delay)
        self.answer(status, b'{"charged":true}')

    def log_message(self, *args):
        sys.stderr.write("a line of log for every request\n")

if os.environ.get("SERVER_COUGHS"):
    sys.exit("no database, no service")
print("up", flush=True)
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

/// Two kinds of request, one of them with everything that a template can have.
const ROUTES: &str = r#"
[[route]]
name    = "charge"
method  = "POST"
path    = "/v1/charge?user={int:1..9}"
headers = { content-type = "application/json", idempotency-key = "{key}" }
body    = '{"id":"{uuid}","user":{int:1..1000000},"currency":"{pick:EUR|USD}","key":"{key}"}'
status  = [200, 201]
weight  = 9

[[route]]
name    = "look"
path    = "/healthz"
"#;

/// A folder with the server and a scenario in it, and what is left running ended with it.
struct Lab {
    folder: tempfile::TempDir,
    python: &'static str,
}

impl Lab {
    /// Nothing when there is no Python.
    fn open() -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.py"), SERVER).unwrap();
        Some(Self { folder, python })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A scenario of one level, with `contenders`, who are started by `PYTHON`.
    fn scenario(&self, rounds: u32, contenders: &str) {
        let contenders = contenders.replace("PYTHON", self.python);
        let text = format!(
            "schema = 1\nname = \"mine\"\ntitle = \"Mine against mine\"\nworkload = \"http\"\n\
             rounds = {rounds}\nexperiment.compare.rates = [\"100/s\"]\nplacement.mode = \"shared\"\n\
             [load.open]\nwarm_up = \"200ms\"\nduration = \"500ms\"\nconnections = 8\ntimeout = \"5s\"\n\
             [slo]\np99 = \"40ms\"\nerror_rate = \"1%\"\n\
             {ROUTES}\n{contenders}"
        );
        fs::write(self.path("mine.toml"), text).unwrap();
    }

    /// The scenario's run, from another folder than its own, and short.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["run", self.path("mine.toml").to_str().unwrap(), "--quiet", "--smoke"]);
        command.args(["--force", "--out", self.path("report").to_str().unwrap()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    fn result(&self) -> RunResult {
        let text = fs::read_to_string(self.path("report/result.json")).unwrap();
        record::from_json(&text).unwrap()
    }

    /// Every process that a server of this lab has been.
    fn pids(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.path("pids.txt")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn assert_no_orphan(&self) {
        let pids = self.pids();
        assert!(!pids.is_empty(), "no server has run");
        wait_until("no server is left", || pids.iter().all(|pid| is_gone(*pid)));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for pid in self.pids().into_iter().filter(|pid| !is_gone(*pid)) {
            let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL);
        }
    }
}

/// A zombie that nobody has collected yet has ended too.
fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn contender(name: &str, more: &str) -> String {
    format!(
        "[contender.{name}]\ncommand = [\"PYTHON\", \"./server.py\", \"--port\", \"{{port}}\"]\n\
         ready = \"/healthz\"\nready_within = \"30s\"\n{more}\n"
    )
}

#[test]
fn a_foreign_server_is_raced_against_a_variant_of_itself() {
    let Some(lab) = Lab::open() else { return };
    let reset = "before = [\"sh\", \"-c\", \"test $PORT = $BAKEOFF_PORT || exit 9; rm -f ids.txt; \
                 echo reset >> resets.txt\"]";
    let slow = format!("label = \"the slow one\"\nenv = {{ SERVER_DELAY_MS = \"5\" }}\n{reset}");
    lab.scenario(2, &(contender("base", reset) + &contender("slow", &slow)));
    let output = lab.run();
    let result = lab.result();
    assert!(matches!(output.status.code(), Some(0 | 5)), "{}", stderr(&output));
    assert_eq!(result.trials.len(), 4 + 2 * result.voided_rounds as usize, "{}", stderr(&output));
    for trial in &result.trials {
        assert!(trial.errors.is_empty(), "{:?}", trial.errors);
        assert_eq!(trial.runtime.as_deref(), Some("Snake 3.4"));
        assert_eq!((trial.workload.as_str(), trial.audit.verdict.name()), ("http", "unavailable"));
        assert!(trial.audit.reasons.is_empty(), "a service without books is not blamed for it");
        let kinds: Vec<_> = trial.by_request.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["charge", "look"]);
        assert!(trial.by_request["charge"].requests > 0, "{trial:?}");
        let server = &trial.server;
        // Per right answer: a machine that had no time for any has none.
        assert_eq!(server.cpu_us_per_request.is_some(), trial.achieved_rps > 0.0, "{server:?}");
        // The server and the child that it has.
        assert!(server.memory_peak_bytes.is_some_and(|bytes| bytes > 8 << 20), "{server:?}");
        assert!(server.memory_kind.is_some(), "{server:?}");
        assert_eq!(server.rss_peak_bytes, None, "no sum over several processes");
        // One of each process and one of each connection: all are open when they are counted.
        assert!(server.threads_max.is_some_and(|threads| threads > 2), "{server:?}");
        // Withheld where threads that were counted before the load have ended with their counts.
        assert!(server.context_switches_voluntary != Some(0), "{server:?}");
    }
    let mean = |name: &str, round| {
        let trial = result.trials.iter().find(|t| t.contender == name && t.round == round);
        trial.unwrap().by_request["charge"].service_ns.as_ref().unwrap().mean.unwrap()
    };
    assert!(mean("slow", 1) >= 5e6, "it sleeps 5 ms in each");
    assert!(result.notes.iter().any(|note| note == "`slow` is the slow one"), "{:?}", result.notes);
    let hashes = |round| {
        let trials = result.trials.iter().filter(move |trial| trial.round == round);
        trials.map(|trial| trial.schedule_hash.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(hashes(1)[0], hashes(1)[1], "both get the same arrivals");
    assert_ne!(hashes(1)[0], hashes(2)[0]);
    let resets = fs::read_to_string(lab.path("resets.txt")).unwrap();
    assert_eq!(resets.lines().count(), result.trials.len(), "before each trial, and only then");
    let ids = fs::read_to_string(lab.path("ids.txt")).unwrap();
    let ids: Vec<_> = ids.lines().collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert!(!ids.is_empty() && unique.len() == ids.len(), "of the last trial alone");
    lab.assert_no_orphan();
}

#[test]
fn a_running_server_is_driven_by_its_url_and_left_alone() {
    let Some(lab) = Lab::open() else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new(lab.python)
        .args(["server.py", "--port", &port.to_string()])
        .current_dir(lab.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url =
        format!("[contender.there]\nurl = \"http://127.0.0.1:{port}\"\nready_within = \"30s\"\n");
    lab.scenario(2, &url);
    // The server's own start takes a while: `ready` waits for it.
    let output = lab.run();
    let result = lab.result();
    assert!(matches!(output.status.code(), Some(0 | 5)), "{}", stderr(&output));
    for trial in &result.trials {
        assert!(trial.errors.is_empty() && trial.requests > 0, "{trial:?}");
        assert!(
            trial.server.cpu_us_per_request.is_none() && trial.server.memory_peak_bytes.is_none()
        );
    }
    let said = result.notes.iter().any(|note| note.contains("`there` is given by URL"));
    assert!(said, "{:?}", result.notes);
    assert!(server.try_wait().unwrap().is_none(), "it is not ours to end");
    // A second run meets what the first has left: no id may come again.
    assert!(matches!(lab.run().status.code(), Some(0 | 5)));
    let ids = fs::read_to_string(lab.path("ids.txt")).unwrap();
    let unique: std::collections::BTreeSet<_> = ids.lines().collect();
    assert_eq!(unique.len(), ids.lines().count());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_program_that_ends_at_once_is_told_with_what_it_wrote() {
    let Some(lab) = Lab::open() else { return };
    lab.scenario(1, &contender("coughs", "env = { SERVER_COUGHS = \"1\" }"));
    let output = lab.run();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("`coughs` ended before it was ready (exit status 1)"), "{told}");
    assert!(told.contains("no database, no service"), "{told}");
    lab.assert_no_orphan();
}

#[test]
fn a_program_that_is_never_ready_is_given_up_and_ended() {
    let Some(lab) = Lab::open() else { return };
    let never = "env = { SERVER_NEVER_READY = \"1\" }";
    let text = contender("never", never).replace("\"30s\"", "\"6s\"");
    lab.scenario(1, &text);
    let output = lab.run();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("`never` was not ready within 6 s"), "{told}");
    assert!(told.contains("/healthz answers 503"), "{told}");
    lab.assert_no_orphan();
}

#[test]
fn a_contender_that_dies_has_lost_and_the_others_trials_are_kept() {
    let Some(lab) = Lab::open() else { return };
    let dies = contender("dies", "env = { SERVER_DIES_AFTER = \"5\" }");
    lab.scenario(1, &(contender("base", "") + &dies));
    let output = lab.run();
    let result = lab.result();
    // It has lost, which is a result, and the round stands; a smoke asks whether it works.
    assert_eq!((output.status.code(), result.verdict), (Some(3), Verdict::Fail));
    assert!(result.broken[0].contains("`dies` does not work"), "{:?}", result.broken);
    let dead = result.trials.iter().find(|trial| trial.contender == "dies").unwrap();
    assert!(dead.validity.verdict == TrialVerdict::Invalid && dead.validity.lost && !dead.voided);
    let reasons = &dead.validity.reasons;
    assert!(reasons.iter().any(|r| r.contains("crashed: exit status 7")), "{reasons:?}");
    assert!(result.trials.iter().any(|trial| trial.contender == "base" && trial.errors.is_empty()));
    lab.assert_no_orphan();
}

#[test]
fn answers_that_fail_are_no_work_and_rank_above_every_time() {
    let Some(lab) = Lab::open() else { return };
    let fails = contender("fails", "env = { SERVER_STATUS = \"500\" }");
    lab.scenario(1, &(contender("base", "") + &fails));
    let output = lab.run();
    let result = lab.result();
    let fails = result.trials.iter().find(|trial| trial.contender == "fails");
    let fails = fails.unwrap_or_else(|| panic!("{}", stderr(&output)));
    let broken = result.broken.join("; ");
    assert!(broken.starts_with("`fails` does not work") && broken.contains("bad_status (500)"));
    assert!(broken.contains("first bad_status: 500: {\"charged\":true}"), "{broken}");
    assert!(broken.contains("it wrote last: a line of log"), "{broken}");
    assert_eq!(output.status.code(), Some(3));
    let charges = &fails.by_request["charge"];
    assert_eq!(charges.errors["bad_status"], charges.requests, "{fails:?}");
    assert_eq!(fails.statuses["500"], charges.requests);
    let times = charges.response_ns.as_ref().unwrap();
    assert_eq!((times.n, times.failures, times.max), (charges.requests, charges.requests, None));
    // One request in ten looks, and is answered.
    assert!(fails.achieved_rps < 0.5 * fails.offered_rps, "{fails:?}");
    lab.assert_no_orphan();
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_and_has_lost() {
    let Some(lab) = Lab::open() else { return };
    let stubborn = contender("stubborn", "env = { SERVER_STUBBORN = \"1\" }\nstop_within = \"1s\"");
    lab.scenario(1, &(contender("base", "") + &stubborn));
    let output = lab.run();
    let told = stderr(&output);
    let result = lab.result();
    let trial = result.trials.iter().find(|trial| trial.contender == "stubborn");
    let trial = trial.unwrap_or_else(|| panic!("{told}"));
    let reasons = trial.validity.reasons.join("; ");
    assert_eq!(trial.validity.lost_by, Some(LostBy::Crash), "{reasons}");
    let said = "`stubborn` did not end within 1s of SIGTERM and was killed";
    assert!(trial.validity.lost && reasons.contains(said), "{reasons}");
    assert!(trial.requests > 0, "what was measured is kept");
    assert!(trial.validity.wrote.contains("a line of log"), "{}", trial.validity.wrote);
    lab.assert_no_orphan();
}

#[test]
fn who_does_not_start_in_its_first_two_rounds_is_not_started_again_and_the_run_goes_on() {
    let Some(lab) = Lab::open() else { return };
    let coughs = contender("coughs", "env = { SERVER_COUGHS = \"1\" }");
    lab.scenario(4, &(contender("base", "") + &coughs));
    let mut command = lab.command();
    let output = command.args(["--rounds", "4"]).output().unwrap();
    let result = lab.result();
    assert!(matches!(output.status.code(), Some(3 | 5)), "{}", stderr(&output));
    let lost: Vec<_> = result.trials.iter().filter(|trial| trial.contender == "coughs").collect();
    let based: Vec<_> = result.trials.iter().filter(|trial| trial.contender == "base").collect();
    assert!(lost.len() >= 4 && based.len() == lost.len(), "{} of {}", lost.len(), based.len());
    for trial in &lost {
        assert_eq!(trial.validity.lost_by, Some(LostBy::Start), "{:?}", trial.validity);
        assert!(trial.requests == 0 && !trial.validity.voids_round);
    }
    for trial in &lost[..2] {
        let reasons = trial.validity.reasons.join("; ");
        assert!(
            reasons.contains("`coughs` ended before it was ready (exit status 1)"),
            "{reasons}"
        );
        assert!(trial.validity.wrote.ends_with("no database, no service"), "{:?}", trial.validity);
    }
    for trial in &lost[2..] {
        assert!(
            trial.validity.reasons[0].contains("was not started again"),
            "{:?}",
            trial.validity
        );
    }
    assert!(based.iter().all(|trial| trial.requests > 0 && !trial.validity.lost));
    let summary = fs::read_to_string(lab.path("report/summary.md")).unwrap();
    assert!(summary.contains("coughs lost 4 of 4 rounds"), "{summary}");
    lab.assert_no_orphan();
}

#[test]
fn a_failing_before_is_told_with_what_it_wrote() {
    let Some(lab) = Lab::open() else { return };
    let fails = "before = [\"sh\", \"-c\", \"echo no such database >&2; exit 3\"]";
    lab.scenario(1, &contender("base", fails));
    let output = lab.run();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("`before` of contender `base` failed (exit status 3)"), "{told}");
    assert!(told.contains("no such database"), "{told}");
    assert!(lab.pids().is_empty(), "nothing was started after it");
}

/// A run that is in the middle of its load.
fn under_way(lab: &Lab) -> Child {
    lab.scenario(50, &contender("base", ""));
    let mut command = lab.command();
    let child = command.args(["--rounds", "50"]).spawn().unwrap();
    wait_until("two trials have finished", || {
        fs::read_to_string(lab.path("report/trials.jsonl"))
            .is_ok_and(|lines| lines.lines().count() >= 2)
    });
    let before = lab.pids().len();
    wait_until("another has begun", || lab.pids().len() > before);
    child
}

#[test]
fn ctrl_c_leaves_no_orphan_and_keeps_what_is_done() {
    let Some(lab) = Lab::open() else { return };
    let mut child = under_way(&lab);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(lab.result().trials.len() >= 2);
    lab.assert_no_orphan();
}

/// Whether this process was started so, and its children with it.
pub(crate) fn hang_ups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

/// In a phase that would last for minutes.
#[test]
fn an_interrupt_is_heard_in_every_phase_and_leaves_nothing() {
    let Some(lab) = Lab::open() else { return };
    let long = |text: &str| contender("base", text).replace("\"30s\"", "\"300s\"");
    let stubborn = "env = { SERVER_STUBBORN = \"1\" }\nstop_within = \"300s\"";
    // Under nohup a hang-up is nothing to hear.
    let hears = |signal: &Signal| *signal != Signal::HUP || !hang_ups_are_ignored();
    for (signal, contender, begun) in [
        (Signal::HUP, long("env = { SERVER_DRIPS = \"1\" }"), "asked.txt"),
        (
            Signal::TERM,
            long("before = [\"sh\", \"-c\", \"touch before.txt; sleep 300\"]"),
            "before.txt",
        ),
        (Signal::INT, long(stubborn), "ids.txt"),
    ]
    .into_iter()
    .filter(|(signal, ..)| hears(signal))
    {
        lab.scenario(2, &contender);
        let child = lab.command().spawn().unwrap();
        wait_until(begun, || lab.path(begun).exists());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{begun}: {}", stderr(&output));
        assert_eq!(lab.result().verdict, Verdict::Interrupted, "{begun}");
        lab.assert_no_orphan();
    }
}

#[test]
fn a_server_that_listens_elsewhere_or_goes_to_the_background_is_told_so() {
    let Some(lab) = Lab::open() else { return };
    let elsewhere = contender("elsewhere", "").replace("\"30s\"", "\"6s\"");
    lab.scenario(1, &elsewhere.replace("\"{port}\"", "\"0\""));
    let told = stderr(&lab.run());
    assert!(told.contains("`elsewhere` was not ready within 6 s"), "{told}");
    assert!(told.contains("; it listens on 127.0.0.1:") && told.contains("BAKEOFF_PORT"), "{told}");
    assert!(told.contains("it wrote:\nup") && !told.contains("trials that had finished"), "{told}");
    lab.scenario(1, "[contender.daemon]\ncommand = [\"sh\", \"-c\", \"sleep 300 & echo $! > pids.txt\"]\nready = \"tcp\"\n");
    let told = stderr(&lab.run());
    assert!(
        told.contains("kept running in the background") && told.contains("in the foreground"),
        "{told}"
    );
    lab.assert_no_orphan();
}

#[test]
fn a_killed_bakeoff_leaves_no_orphan() {
    let Some(lab) = Lab::open() else { return };
    let mut child = under_way(&lab);
    child.kill().unwrap();
    child.wait().unwrap();
    lab.assert_no_orphan();
}

#[test]
fn a_contender_of_the_contract_may_be_a_command_or_a_url() {
    let Some(lab) = Lab::open() else { return };
    let bakeoff = env!("CARGO_BIN_EXE_bakeoff");
    let serve = [bakeoff, "serve", "--model", "work-stealing"].map(|word| format!("{word:?}"));
    let serve = serve.join(", ");
    let mut running = Command::new(bakeoff)
        .args(["serve", "--model", "event-loop", "--die-with-parent", "--port", "0"])
        .env("BAKEOFF_SIGNATURE_ROUNDS", "0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = running.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let address = line.trim().strip_prefix("listening ").unwrap();
    let text = format!(
        "schema = 1\nname = \"mine\"\ntitle = \"Ours as theirs\"\nworkload = \"loyalty\"\n\
         experiment.compare.rates = [\"100/s\"]\nplacement.mode = \"shared\"\n\
         load.open.timeout = \"5s\"\n[[route]]\noperation = \"distribution\"\naccounts = 10\nrate = \"60/s\"\n\
         [[route]]\noperation = \"account-read\"\nrate = \"40/s\"\n\
         [contender.ours]\nmodel = \"event-loop\"\n\
         [contender.command]\ncommand = [{serve}]\n\
         [contender.url]\nurl = \"http://{address}\"\n"
    )
    .replace("experiment.compare.rates = [\"100/s\"]\n", "");
    fs::write(lab.path("mine.toml"), text).unwrap();
    let output = lab.run();
    let result = lab.result();
    assert!(matches!(output.status.code(), Some(0 | 5)), "{}", stderr(&output));
    for trial in &result.trials {
        assert!(trial.errors.is_empty(), "{}: {:?}", trial.contender, trial.errors);
        assert_eq!(
            trial.audit.verdict.name(),
            "balanced",
            "{}: {:?}",
            trial.contender,
            trial.audit
        );
        assert_eq!(trial.level, "100/s", "the sum of both rates");
        assert_eq!(trial.server.cpu_us_per_request.is_none(), trial.contender == "url");
    }
    running.kill().unwrap();
    running.wait().unwrap();
}
