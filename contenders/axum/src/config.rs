//! What the environment says.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

pub struct Config {
    /// Where it listens.
    pub address: SocketAddr,
    pub seed: u64,
    pub signature_rounds: u32,
    /// Threads.
    pub workers: usize,
    /// None keeps everything in memory.
    pub database_url: Option<String>,
    /// Connections to the database, and to the upstream.
    pub pool: usize,
    pub upstream_url: Option<String>,
}

impl Config {
    /// # Errors
    /// Which variable is wrong.
    pub fn from_env() -> Result<Self, String> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        Ok(Self {
            address: (ip()?, number("BAKEOFF_PORT", 0, 0..=65_535)? as u16).into(),
            seed: number("BAKEOFF_SEED", 42, 0..=u64::MAX)?,
            signature_rounds: number("BAKEOFF_SIGNATURE_ROUNDS", 0, 0..=u32::MAX.into())? as u32,
            workers: number("BAKEOFF_WORKERS", cores, 1..=1_024)? as usize,
            database_url: text("BAKEOFF_DATABASE_URL"),
            pool: number("BAKEOFF_POOL", 32, 1..=10_000)? as usize,
            upstream_url: text("BAKEOFF_UPSTREAM_URL"),
        })
    }
}

fn ip() -> Result<IpAddr, String> {
    let Some(text) = text("BAKEOFF_ADDRESS") else { return Ok(Ipv4Addr::LOCALHOST.into()) };
    text.parse().map_err(|_| format!("BAKEOFF_ADDRESS must be an IP address, not {text:?}"))
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, unset: u64, range: RangeInclusive<u64>) -> Result<u64, String> {
    let Some(text) = text(name) else { return Ok(unset) };
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| {
        let (least, most) = range.into_inner();
        format!("{name} must be a whole number from {least} to {most}, not {text:?}")
    })
}
