//! The server of known service times as a child process, and what it says of itself.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::server::Law;
use crate::error::{Context, Error, Result};
use crate::machine::placement;
use crate::machine::placement::Cores;
use crate::machine::proc;
use crate::process::http;
use crate::units::Nanos;

/// The server answers between two services, of at most 10 ms and a freeze of 1 s; the rest is for a crowded machine.
const STATS_WITHIN: Duration = Duration::from_secs(20);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
}

/// What a server measured since it was last asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// E[S], ns
    pub(super) mean: f64,
    /// E[S^2], ns^2
    pub(super) mean_square: f64,
    /// How many.
    pub(super) services: u64,
    /// For how long its core stood still.
    pub(super) lost: Nanos,
    /// The squares of those times in which it had nothing to do, added up, ns^2
    pub(super) idle_squares: f64,
}

impl Process {
    /// Starts this very binary as a server on `cores`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(law: Law, cores: &Cores) -> Result<Self> {
        let binary = proc::own_program()?;
        let mut command = Command::new(binary);
        command.arg("selftest-server").arg(law.to_string());
        command.arg(format!("--die-with-parent={}", std::process::id()));
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = placement::on_cores(cores, || command.spawn())?
            .context(|| "cannot start the selftest's server".into())?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut process = Self { child, address: ([127, 0, 0, 1], 0).into() };
        let mut line = String::new();
        // It prints its line at once or ends, which ends the pipe.
        let read = BufReader::new(stdout).read_line(&mut line);
        read.context(|| "cannot hear the selftest's server".into())?;
        let address = line.trim().strip_prefix("listening ").and_then(|text| text.parse().ok());
        process.address = address
            .ok_or_else(|| Error::internal("the selftest's server ended before it listened"))?;
        Ok(process)
    }

    /// What it has done since this was last asked.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn served(&self) -> Result<Served> {
        let wrong = || "the selftest's server has no figures".to_owned();
        let body = http::get(self.address, "/stats", STATS_WITHIN).context(wrong)?;
        let log: serde_json::Value = serde_json::from_slice(&body).context(wrong)?;
        let number = |name: &str| log[name].as_f64().unwrap_or(0.0);
        let n = number("services").max(1.0);
        Ok(Served {
            mean: number("sum_ns") / n,
            mean_square: number("sum_squares_ns2") / n,
            services: number("services") as u64,
            lost: Nanos(number("lost_ns") as u64),
            idle_squares: number("idle_squares_ns2"),
        })
    }

    /// Its process, for signals.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be frozen; then only this ends it. It has nothing to put away.
        let _ = kill_process(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}
