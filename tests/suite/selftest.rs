//! `bakeoff selftest`: that it checks what it says it does and that its exit code is its verdict. Whether the figures of
//! this machine hold is for the verdict to say and not for a test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn bakeoff(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The selftest, as it is run in CI; nothing where it cannot be.
fn quick() -> Option<Command> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        crate::skipped("the selftest needs two cores");
        return None;
    }
    Some(bakeoff(&["selftest", "--quick", "--format", "json"]))
}

/// A check has figures, and each of them is judged.
fn assert_judged(rows: &[Value], check: &str) {
    let mut of = rows.iter().filter(|row| row["check"] == check).peekable();
    assert!(of.peek().is_some(), "{check}: {rows:?}");
    for row in of {
        let verdict = row["verdict"].as_str().unwrap();
        assert!(["holds", "fails", "undecided"].contains(&verdict), "{row}");
        assert!(!row["expected"].as_str().unwrap().is_empty(), "{row}");
    }
}

#[test]
fn an_interrupted_selftest_has_the_figures_of_the_checks_that_were_done() {
    let Some(mut quick) = quick() else { return };
    let mut child = quick.spawn().unwrap();
    let (mut told, mut stderr) = (String::new(), BufReader::new(child.stderr.take().unwrap()));
    // The stall before it is done by then.
    while !told.contains("known delay") && stderr.read_line(&mut told).unwrap() > 0 {}
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    stderr.read_to_string(&mut told).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {told}"));
    assert_eq!(report["schema"], "bakeoff.selftest/1");
    assert_eq!(report["verdict"], "interrupted", "what was done says nothing of the rest");
    let rows = report["checks"].as_array().unwrap();
    for check in ["ranks", "stall"] {
        assert!(told.contains(check), "progress is told: {told}");
        assert_judged(rows, check);
    }
    assert!(rows.iter().all(|row| row["check"] != "canary"), "{report}");
}

#[test]
#[ignore = "a minute of load, or more: a step of its own in the workflow"]
fn every_check_is_done_and_the_exit_code_is_the_verdict() {
    let Some(mut quick) = quick() else { return };
    let output = quick.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    assert_eq!(report["schema"], "bakeoff.selftest/1");
    let code = if report["verdict"] == "holds" { 0 } else { 5 };
    assert_eq!(output.status.code(), Some(code), "{report}");
    let rows = report["checks"].as_array().unwrap();
    for check in ["stall", "known delay", "queueing", "A/A", "canary"] {
        assert_judged(rows, check);
        assert!(stderr.contains(check), "progress is told: {stderr}");
    }
}

/// Ends its process when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_server_of_known_times_counts_what_it_serves() {
    let parent = format!("--die-with-parent={}", std::process::id());
    let mut child = bakeoff(&["selftest-server", "constant:3ms", &parent]).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let _server = Running(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening ").unwrap();

    let mut stream = TcpStream::connect(address).unwrap();
    for _ in 0..4 {
        // Cut in the middle: only a whole request is served.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
        stream.write_all(b"x\r\n\r\n").unwrap();
        let mut answer = [0; 40];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"ok"));
    }
    let log = || -> Value {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /stats HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    };
    let first = log();
    assert_eq!(first["services"], 4);
    assert!(first["sum_ns"].as_f64().unwrap() >= 12e6, "{first}");
    assert!(first["sum_squares_ns2"].as_f64().unwrap() >= 4.0 * 9e12, "{first}");
    assert_eq!(log()["services"], 0, "each asking begins anew");
}
