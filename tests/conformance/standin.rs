//! A stand-in for the length of one test: each test has a thread of its own, and the stand-in ends with it.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use bakeoff::conform::server::SEED;

thread_local! {
    static LATEST: RefCell<Option<Standin>> = const { RefCell::new(None) };
}

/// A running stand-in.
struct Standin(Child);

/// The URL of a fresh stand-in with these flags. The one before it on this thread ends.
pub(crate) fn url(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["standin", "--port", "0", "--seed", &SEED.to_string()]).args(flags);
    command.arg(format!("--die-with-parent={}", std::process::id()));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the stand-in starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the stand-in says where it listens");
    LATEST.set(Some(Standin(child)));
    let address = line.trim().strip_prefix("listening ").expect("the line says where");
    format!("postgres://bakeoff@{address}/bakeoff")
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
