//! `bakeoff standin`: the dependency of the services, or a relay to one's own, until SIGTERM or SIGINT.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use super::flags::Parent;
use crate::error;
use crate::fault::Fault;
use crate::latency::Latency;
use crate::standin::{self, Pace, Settings};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff standin --latency 50ms                          speaks PostgreSQL's protocol, and HTTP/1.1
  bakeoff standin --latency p50=2ms,p99=9ms --fault stall=1s@3s
  bakeoff standin --proxy 127.0.0.1:5432 --latency 5ms    a proxy in front of your own server

It prints `listening 127.0.0.1:PORT` and serves until SIGTERM or SIGINT.

Exit codes: 0 ended as asked, 1 internal error, 2 bad flag, or a port in use")]
pub(crate) struct Args {
    /// The port; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "IP", env = "BAKEOFF_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Seed of the rows, latencies and faults
    #[arg(long, value_name = "N", env = "BAKEOFF_SEED", default_value_t = 42)]
    seed: u64,
    /// Latency of a lookup: 50ms, uniform=1ms..3ms, p50=2ms,p99=9ms or trace=FILE (milliseconds, one per line)
    #[arg(long, value_name = "LATENCY", default_value_t = Latency::ZERO)]
    latency: Latency,
    /// Latency of a write, in the same format
    #[arg(long, value_name = "LATENCY", default_value_t = Latency::ZERO)]
    write_latency: Latency,
    /// Inject a fault: stall=1s@3s, slow=x5@3s+2s, errors=10%@3s+2s, drop=20%@3s+2s; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// How it waits for the next response
    #[arg(long, value_enum, default_value_t)]
    pace: Pace,
    /// Its name in /healthz
    #[arg(long, default_value = "standin")]
    name: String,
    /// Relay any TCP protocol to this address on this machine, and delay each response by --latency
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
            listen: SocketAddr::new(self.address, self.port),
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

/// The proxy checks whether it is on this machine.
fn target(text: &str) -> Result<SocketAddrV4, String> {
    let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = address.as_deref().unwrap_or(text);
    address
        .parse()
        .map_err(|_| format!("`{text}` is not an address on this machine; write 127.0.0.1:5432"))
}
