//! `bakeoff selftest`: that it checks what it says it does and that its exit code is its verdict. Whether the figures of
//! this machine hold is for the verdict to say and not for a test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn bakeoff(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn every_check_is_done_and_the_exit_code_is_the_verdict() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        eprintln!("SKIPPED: the selftest needs two cores");
        return;
    }
    let output = bakeoff(&["selftest", "--quick", "--format", "json"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    assert_eq!(report["schema"], "bakeoff.selftest/1");
    let code = if report["verdict"] == "holds" { 0 } else { 5 };
    assert_eq!(output.status.code(), Some(code), "{report}");
    let rows = report["checks"].as_array().unwrap();
    for check in ["stall", "known delay", "queueing", "A/A", "canary"] {
        assert!(rows.iter().any(|row| row["check"] == check), "{check}: {report}");
        assert!(stderr.contains(check), "progress is told: {stderr}");
    }
    for row in rows {
        let verdict = row["verdict"].as_str().unwrap();
        assert!(["holds", "fails", "undecided"].contains(&verdict), "{row}");
        assert!(!row["expected"].as_str().unwrap().is_empty(), "{row}");
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
