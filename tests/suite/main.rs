//! The program and the library from outside, in one binary: each file is a topic. What is mounted on every model and
//! contender is in `tests/conformance`.
//!
//! Tests run side by side and beside whatever else the machine does. So none asserts how fast anything is, and none
//! needs a verdict that a busy machine could take away. A scenario that needs its rounds to count promises a long
//! p99: then only a generator that is late by a tenth of that voids a round.

mod action;
mod answers;
mod bisect;
mod conform;
mod contract;
mod cuts;
mod documents;
mod drive;
mod experiments;
mod first_steps;
mod gate;
mod gate_recorded;
mod hosts;
mod http;
mod kills;
mod merge;
mod mutations;
mod page;
mod postgres;
mod readme;
mod report_verbs;
mod run;
mod scenario_errors;
mod selftest;
mod serve_smoke;
mod sessions;
mod standin;
mod tidy;
mod tls;
mod traffic;
mod validity;
mod warm;

use std::fmt::Display;
use std::io::Write;
use std::process::Command;
use std::sync::OnceLock;

/// Says that a test, or a part of it, has tested nothing: on stderr, past the harness, which keeps what a passing test
/// prints to itself.
fn skipped(why: impl Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// What comes of the first attempt that the machine does not disturb.
///
/// # Errors
/// What disturbed each of `n`.
fn attempts<T>(n: usize, attempt: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let mut disturbed = Vec::new();
    for _ in 0..n {
        match attempt() {
            Ok(found) => return Ok(found),
            Err(what) => disturbed.push(what),
        }
    }
    Err(disturbed.join("\n"))
}

/// The same for a test that tests nothing on a busy machine: it is skipped.
fn undisturbed<T>(n: usize, attempt: impl Fn() -> Result<T, String>) -> Option<T> {
    let disturbed = |what| skipped(format_args!("the machine was too busy: {what}"));
    attempts(n, attempt).map_err(disturbed).ok()
}

/// The Python interpreter itself: what stands for it on PATH may be a slow script. Where there is none the test is
/// skipped.
fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let ask = ["-c", "import sys; print(sys.executable)"];
        let asked = Command::new("python3").args(ask).output().ok()?;
        let found = String::from_utf8(asked.stdout).ok()?;
        asked.status.success().then(|| found.trim().to_owned())
    };
    let found = FOUND.get_or_init(find).as_deref();
    if found.is_none() {
        skipped("there is no python3");
    }
    found
}
