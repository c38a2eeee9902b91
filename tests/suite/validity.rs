//! The rules on a trial's validity, each tripped by what it is there for: real processes, real cores, real limits.
//!
//! A busy machine makes everything later and busier; no test here can fail for that. What a machine cannot show (it has
//! one core) is skipped with a word on stderr.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

use crate::kills::kills;
use crate::skipped;

/// Ends its process when it is dropped.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bakeoff(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let mask = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).collect()
}

/// Does `action` on `core`, for what it starts to stay there.
fn on<T>(core: usize, action: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None).unwrap();
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).unwrap();
    let value = action();
    sched_setaffinity(None, &before).unwrap();
    value
}

/// A built-in server, and its URL.
fn serve(model: &str) -> (Running, String) {
    let mut child = bakeoff(&["serve", "--model", model, "--port", "0"]).spawn().unwrap();
    let (mut line, mut byte) = (String::new(), [0]);
    let stdout = child.stdout.as_mut().unwrap();
    while !line.ends_with('\n') && stdout.read(&mut byte).unwrap() > 0 {
        line.push(byte[0] as char);
    }
    let address = line.trim().strip_prefix("listening ").expect("it says where it listens");
    (Running(child), format!("http://{address}/null"))
}

/// A server that answers after `delay`; a thread for each connection.
fn delaying(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                // One small request at a time: it comes in one piece.
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    thread::sleep(delay);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}/")
}

fn trial(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

fn drive(url: &str, flags: &[&str]) -> Value {
    // How many fail is not asked here.
    let args = [&["drive", url, "--format", "json", "--error-rate", "100%"], flags].concat();
    let output = bakeoff(&args).output().unwrap();
    let trial = trial(&output);
    let code = if trial["validity"]["verdict"] == "invalid" { 5 } else { 0 };
    assert_eq!(output.status.code(), Some(code), "{}", trial["validity"]);
    trial
}

fn reasons(trial: &Value) -> String {
    trial["validity"]["reasons"].to_string()
}

/// Whether other programs had the generator's core: then that is the verdict, and no other rule's can be seen.
fn disturbed(trial: &Value) -> bool {
    let late = ["others had the generator's core", "over the limit of"];
    let disturbed = trial["validity"]["voids_round"] == true
        && late.iter().any(|why| reasons(trial).contains(why));
    if disturbed {
        skipped(format_args!("the machine was too busy: {}", reasons(trial)));
    }
    disturbed
}

#[test]
fn a_starved_generator_is_at_fault_and_says_so() {
    let cores = cores();
    let [ours, theirs, ..] = cores[..] else {
        skipped("a core beside the generator's is needed, there is one in all");
        return;
    };
    let (_server, url) = on(theirs, || serve("null"));
    let hog = || Running(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    // Each of the four gets a quarter: the generator lacks its core three quarters of the time.
    let _hogs: Vec<Running> = on(ours, || (0..3).map(|_| hog()).collect());
    let flags = ["--rate", "1000/s", "--duration", "1s", "--pace", "spin", "--timeout", "10s"];
    let trial = on(ours, || drive(&url, &flags));
    assert_eq!(trial["validity"]["verdict"], "invalid", "{}", trial["validity"]);
    assert_eq!(trial["validity"]["voids_round"], true);
    assert_eq!(trial["bound_by"], "generator");
    assert!(reasons(&trial).contains("others had the generator's core"), "{}", reasons(&trial));
    let timed = &trial["generator"]["receive_lag_ns"];
    assert!(timed["n"].as_u64().is_some_and(|n| n > 0), "one read in 100 was timed: {timed}");
}

#[test]
fn a_stalled_server_is_at_fault_itself() {
    let (server, url) = serve("event-loop");
    let flags = ["--rate", "600/s", "--duration", "3s", "--pace", "sleep", "--format", "json"];
    let driver = bakeoff(&[&["drive", &url], &flags[..]].concat()).spawn().unwrap();
    wait_for_load(server.0.id());
    thread::sleep(Duration::from_millis(1_000));
    server.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(600));
    server.signal(Signal::CONT);
    let trial = trial(&driver.wait_with_output().unwrap());
    if disturbed(&trial) {
        return;
    }
    let p99 = trial["response_ns"]["p99"].as_u64().expect("it is not withheld");
    assert!(p99 > 300_000_000, "{p99}: the stall is in the response time");
    assert_eq!(trial["validity"]["voids_round"], false, "{}", trial["validity"]);
    assert_ne!(trial["validity"]["verdict"], "invalid", "{}", trial["validity"]);
    assert_ne!(trial["bound_by"], "generator");
}

#[test]
fn too_few_connections_are_told() {
    let url = delaying(Duration::from_millis(20));
    let flags = ["--rate", "200/s", "--duration", "1s", "--connections", "1", "--pace", "sleep"];
    let trial = drive(&url, &flags);
    if disturbed(&trial) {
        return;
    }
    assert_eq!(trial["bound_by"], "connections", "{trial}");
    assert_ne!(trial["validity"]["verdict"], "valid");
    assert!(reasons(&trial).contains("more connections are needed"), "{}", reasons(&trial));
}

#[test]
fn a_small_pool_binds_and_the_contender_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small-pool.toml");
    // A payment holds 3 connections for 20 ms, so 3 carry 50/s at most.
    let scenario = r#"
schema = 1
name = "small-pool"
title = "A pool of three binds"
workload = "payment"
rounds = 1
experiment = { compare = { rates = ["46/s"] } }
[request]
cpu = "20us"
[store.standin]
latency = { lookup = { constant = "20ms" } }
connections = 3
[contender.event-loop]
model = "event-loop"
[load.open]
warm_up = "500ms"
duration = "1s"
connections = 256
timeout = "10s"
[slo]
p99 = "2s"
"#;
    std::fs::write(&file, scenario).unwrap();
    let out = folder.path().join("out");
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let flags = ["run", file, "--smoke", "--duration", "1s", "--format", "json", "--quiet"];
    let output = bakeoff(&[&flags[..], &["--out", out]].concat()).output().unwrap();
    let result = trial(&output);
    let trial = &result["trials"][0];
    if disturbed(trial) {
        return;
    }
    assert_eq!(trial["bound_by"], "pool", "{trial}");
    assert_eq!(trial["pool"], 3);
    assert_eq!(trial["validity"]["lost"], false, "{}", trial["validity"]);
    assert!(trial["pool_wait_ns"]["p50"].as_u64().is_some_and(|wait| wait > 0), "{trial}");
}

#[test]
fn exhausted_descriptors_void_the_trial() {
    let (_server, url) = serve("null");
    // A hard limit: the generator raises a soft one by itself.
    let script = "ulimit -n 48 && exec \"$0\" \"$@\"";
    let program = env!("CARGO_BIN_EXE_bakeoff");
    let args = ["drive", &url, "--rate", "200/s", "--duration", "500ms", "--format", "json"];
    let output = Command::new("sh").args(["-c", script, program]).args(args).output().unwrap();
    let trial = trial(&output);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(trial["validity"]["voids_round"], true);
    assert_eq!(trial["bound_by"], "generator");
    assert!(reasons(&trial).contains("ran out of descriptors"), "{}", reasons(&trial));
}

#[test]
fn a_contender_that_is_killed_has_lost_and_its_round_stands() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let mut command = bakeoff(&[
        "run",
        "payment-memory",
        "--rounds",
        "1",
        "--duration",
        "2s",
        "--warm-up",
        "0s",
        "--rate",
        "200/s",
        "--contender",
        "event-loop",
        "--out",
        folder,
        "--format",
        "json",
        "--quiet",
    ]);
    let runner = command.process_group(0).spawn().unwrap();
    let contender = child_of(runner.id());
    wait_for_load(contender as u32);
    thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_raw(contender).unwrap(), Signal::KILL).unwrap();
    let output = runner.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let trial = &result["trials"][0];
    assert_eq!(trial["validity"]["lost"], true, "{trial}");
    assert_eq!(trial["validity"]["voids_round"], false);
    assert!(reasons(trial).contains("the contender crashed"), "{}", reasons(trial));
    assert_ne!(output.status.code(), Some(1));
    assert_eq!(result["voided_rounds"], 0, "a crash is a result and is not run again");
}

/// Kills at random instants of a run: at a start, before the load, in the warm-up, the window, the audit and at a stop.
#[test]
fn a_contender_that_is_killed_at_any_instant_loses_that_round_and_the_run_goes_on() {
    const SCENARIO: &str = r#"
schema = 1
name = "survivor"
title = "Faults in memory"
workload = "payment"
rounds = 2
experiment = { compare = { rates = ["300/s"] } }
placement.mode = "shared"
[request]
cpu = "20us"
[store.memory]
[contender."pool-1.5"]
model = "thread-pool"
threads = 2
[load.open]
warm_up = "50ms"
duration = "150ms"
connections = 64
[slo]
p99 = "100ms"
[[expect]]
text = "p99 is below 100 ms"
metric = "p99"
of = "pool-1.5"
at_most = "100ms"
"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("survivor.toml");
    std::fs::write(&file, SCENARIO).unwrap();
    for kill in 0..kills(4) {
        let out = folder.path().join(kill.to_string());
        let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
        let mut command = bakeoff(&["run", file, "--quiet", "--out", out]);
        // Nobody reads meanwhile, and a run that cannot write does not end.
        let runner = command.stdout(Stdio::null()).process_group(0).spawn().unwrap();
        child_of(runner.id());
        // From its first instant on, in steps that no part of a trial is a multiple of.
        thread::sleep(Duration::from_micros(kill % 12 * 391_573));
        let killed = kill_a_child_of(runner.id());
        let output = runner.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let result = std::fs::read_to_string(format!("{out}/result.json")).expect(&said);
        let result: Value = serde_json::from_str(&result).unwrap();
        assert!(!killed || matches!(output.status.code(), Some(0 | 3 | 5)), "{kill}: {said}");
        let trials = result["trials"].as_array().unwrap();
        assert!(trials.len() >= 2, "{kill}: the run goes on: {said}");
        let lost: Vec<&Value> =
            trials.iter().filter(|trial| trial["validity"]["lost"] == true).collect();
        assert_eq!(lost.len(), usize::from(killed), "{kill}: {said}");
        for trial in lost {
            let by = &trial["validity"]["lost_by"];
            assert!(by == "crash" || by == "start", "{kill}: {}", trial["validity"]);
            assert!(reasons(trial).contains("signal: 9"), "{kill}: {}", trial["validity"]);
            assert_eq!(trial["validity"]["voids_round"], false, "{kill}");
        }
        assert_ne!(result["verdict"], "pass", "{kill}: two rounds settle nothing");
    }
}

/// Whether it killed a process that serves and had not ended before.
fn kill_a_child_of(pid: u32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let Ok(children) = std::fs::read_to_string(path) else { return false };
        let alive = |child: &&str| {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.contains(") ") && !stat.contains(") Z ") && !stat.contains(") X ")
        };
        if let Some(child) = children.split_whitespace().find(alive) {
            let child = Pid::from_raw(child.parse().unwrap()).unwrap();
            // One that has stopped has not ended by itself, so this is what ends it.
            if kill_process(child, Signal::STOP).is_ok() && has_stopped(child) {
                return kill_process(child, Signal::KILL).is_ok();
            }
            continue;
        }
        // The run is over: it has no child left and will have none.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.contains(") Z ") || Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process stops that was told to; not where it has ended or is about to.
fn has_stopped(pid: Pid) -> bool {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        match stat.ok().and_then(|stat| Some(stat.rsplit_once(") ")?.1.as_bytes()[0])) {
            Some(b'T') => return true,
            None | Some(b'Z' | b'X') => return false,
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Waits until a server has the connections of a load, which are opened ahead of it.
fn wait_for_load(pid: u32) {
    let open = || std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let deadline = Instant::now() + Duration::from_secs(60);
    while open() < 40 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(open() >= 40, "{} descriptors within a minute", open());
}

/// The first child of the process `pid` that serves.
fn child_of(pid: u32) -> i32 {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("it started no contender within a minute");
}
