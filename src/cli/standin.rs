//! `bakeoff standin`: the dependency of the services, or a relay to one's own, until it is told to stop.

use std::net::SocketAddrV4;

use super::parent::Parent;
use crate::error;
use crate::fault::Fault;
use crate::latency::Latency;
use crate::standin::{self, Pace, Settings};

/// Flags of `standin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff standin --latency 50ms                          speaks PostgreSQL's protocol, and HTTP/1.1
  bakeoff standin --latency p50=2ms,p99=9ms --fault stall=1s@3s
  bakeoff standin --proxy 127.0.0.1:5432 --latency 5ms    the same in front of whatever you have

It prints `listening 127.0.0.1:PORT` and answers until SIGTERM or SIGINT.

Exit codes: 0 ended as asked, 1 internal error, 2 bad flag, or a port that is taken")]
pub(crate) struct Args {
    /// The port on 127.0.0.1; 0 has one chosen and printed
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Chooses the rows, and the times and faults that are drawn
    #[arg(long, value_name = "N", env = "BAKEOFF_SEED", default_value_t = 42)]
    seed: u64,
    /// How long a lookup takes: 50ms, uniform=1ms..3ms, p50=2ms,p99=9ms or trace=FILE (milliseconds, one a line)
    #[arg(long, value_name = "LATENCY", default_value_t = Latency::ZERO)]
    latency: Latency,
    /// How long a write takes, in the same words
    #[arg(long, value_name = "LATENCY", default_value_t = Latency::ZERO)]
    write_latency: Latency,
    /// What goes wrong and when: stall=1s@3s, slow=x5@3s+2s, errors=10%@3s+2s, drop=20%@3s+2s; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// How it waits for what is due
    #[arg(long, value_enum, default_value_t)]
    pace: Pace,
    /// What /healthz calls it
    #[arg(long, default_value = "standin")]
    name: String,
    /// Relay any TCP protocol to this address on this machine, and send each answer on --latency later
    #[arg(long, value_name = "HOST:PORT", value_parser = target, conflicts_with_all = ["write_latency", "fault", "name"])]
    proxy: Option<SocketAddrV4>,
    #[command(flatten)]
    parent: Parent,
}

impl Args {
    /// Answers until SIGTERM or SIGINT, and gives the exit code.
    pub(crate) fn run(self) -> error::Result<u8> {
        if !self.parent.is_there()? {
            return Ok(0);
        }
        let settings = Settings {
            name: self.name,
            port: self.port,
            seed: self.seed,
            lookup: self.latency,
            write: self.write_latency,
            faults: self.fault,
            pace: self.pace,
        };
        match self.proxy {
            Some(target) => standin::relay(&settings, target)?,
            None => standin::serve(&settings)?,
        }
        Ok(0)
    }
}

/// An address as people write it. Whether it is on this machine is for the proxy to say.
fn target(text: &str) -> Result<SocketAddrV4, String> {
    let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = address.as_deref().unwrap_or(text);
    address
        .parse()
        .map_err(|_| format!("`{text}` is no address on this machine; write 127.0.0.1:5432"))
}
