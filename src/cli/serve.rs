//! `bakeoff serve`: one of the built-in services, until SIGTERM or SIGINT.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use super::flags::Parent;
use crate::backend::cpu::CpuMode;
use crate::backend::http::socket::Limits;
use crate::backend::model::{Library, Model, Pitfall};
use crate::backend::services::payment::calibrate;
use crate::backend::{Gather, Settings, StoreSettings, Workload};
use crate::cli::flags;
use crate::error::{Context, Error, Result};
use crate::units::Nanos;
use crate::{backend, interrupt, listen};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff serve --model event-loop --port 8080
  bakeoff serve --model thread-pool --threads 64 --port 8080 --cpu 40us
  bakeoff serve --model thread-pool --database-url postgres://bakeoff:bakeoff@127.0.0.1:5432/bakeoff

It prints `listening 127.0.0.1:PORT` and serves until SIGTERM or SIGINT. CONTRACT.md describes its responses.

Exit codes: 0 ended as asked, 1 internal error, 2 bad flag, or a port in use")]
pub(crate) struct Args {
    /// event-loop, work-stealing, thread-per-connection, thread-pool, or null
    #[arg(long, value_name = "MODEL")]
    model: Model,
    /// The service to mount [default: both]
    #[arg(long, value_enum, value_name = "SERVICE")]
    workload: Option<Workload>,
    /// The port; 0 for any free one
    #[arg(long, value_name = "PORT", env = "BAKEOFF_PORT", default_value_t = 0)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "IP", env = "BAKEOFF_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Workers of work-stealing and thread-pool; maximum number of connections of thread-per-connection
    #[arg(long, value_name = "N", env = "BAKEOFF_WORKERS", visible_alias = "workers")]
    threads: Option<usize>,
    /// Where the state is [default: postgres with --database-url, else memory]
    #[arg(long, value_enum)]
    store: Option<StoreFlag>,
    /// The database, postgres://USER:PASSWORD@127.0.0.1:PORT/NAME; a stand-in is one too
    #[arg(long, value_name = "URL", env = "BAKEOFF_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Connections to the database, and to the upstream
    #[arg(long, value_name = "N", env = "BAKEOFF_POOL", default_value_t = 16)]
    pool: usize,
    /// The server that /gateway calls, http://127.0.0.1:PORT
    #[arg(long, value_name = "URL", env = "BAKEOFF_UPSTREAM_URL")]
    upstream: Option<String>,
    /// How threads send the lookups of a payment concurrently
    #[arg(long, value_enum, default_value_t)]
    fan_out: Gather,
    /// The database client of an event loop: bakeoff or, in builds with cross-check, tokio-postgres
    #[arg(long, value_name = "NAME", default_value_t)]
    client: Library,
    /// Enable a deliberate mistake (docs/choose.md lists them); may be repeated
    #[arg(long = "pitfall", value_name = "NAME")]
    pitfalls: Vec<Pitfall>,
    /// Seed of users, accounts, merchants and signing keys
    #[arg(long, value_name = "N", env = "BAKEOFF_SEED", default_value_t = 42)]
    seed: u64,
    /// SHA-256 rounds to verify one payment [env: BAKEOFF_SIGNATURE_ROUNDS=]
    #[arg(long, value_name = "N", conflicts_with = "cpu")]
    signature_rounds: Option<u32>,
    /// CPU time to verify one payment, calibrated at the start: 40us
    #[arg(long, value_name = "TIME")]
    cpu: Option<Nanos>,
    /// Where CPU work runs: inline on the serving thread, offload to helper threads, or auto: offload from 100 us on
    #[arg(long, value_name = "MODE", default_value_t)]
    cpu_mode: CpuMode,
    /// Cores for CPU work [default: all that the process may run on]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Number of event-loop processes that share the port; needs a database
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    processes: u32,
    /// Share the port with other processes
    #[arg(long, hide = true)]
    reuse_port: bool,
    /// The server's name in /healthz [default: the model's]
    #[arg(long)]
    name: Option<String>,
    /// Idle timeout of a connection between requests
    #[arg(long, value_name = "TIME", default_value = "75s")]
    idle_timeout: Nanos,
    /// Read timeout of the head of a request
    #[arg(long, value_name = "TIME", default_value = "10s")]
    header_timeout: Nanos,
    /// Read timeout of the body of a request
    #[arg(long, value_name = "TIME", default_value = "10s")]
    body_timeout: Nanos,
    /// Write timeout: close the connection if the client reads nothing for this long
    #[arg(long, value_name = "TIME", default_value = "10s")]
    write_timeout: Nanos,
    #[command(flatten)]
    parent: Parent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StoreFlag {
    /// In this process
    Memory,
    /// In the database of --database-url
    Postgres,
}

/// More connections than a server can have descriptors.
const POOL_MAX: usize = 16_384;

impl Args {
    /// Serves until SIGTERM or SIGINT, and gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        if !self.parent.is_there()? {
            return Ok(0);
        }
        let settings = self.settings()?;
        match (self.processes, self.reuse_port) {
            (1, false) => backend::serve(&settings)?,
            (1, true) => backend::serve_beside(&settings)?,
            (processes, _) => serve_in_processes(&settings, processes)?,
        }
        Ok(0)
    }

    fn settings(&self) -> Result<Settings> {
        if !(1..=POOL_MAX).contains(&self.pool) {
            return Err(Error::usage(format!("--pool must be 1 to {POOL_MAX}")));
        }
        Ok(Settings {
            store: self.store()?,
            upstream: self.upstream.clone(),
            pool: self.pool,
            fan_out: self.fan_out()?,
            client: self.client,
            pitfalls: self.pitfalls()?,
            name: self.name.clone().unwrap_or_else(|| self.model.to_string()),
            model: self.model,
            workload: self.workload,
            listen: SocketAddr::new(self.address, self.port),
            threads: self.threads,
            cpu: self.cpu_mode,
            cores: self.cores.unwrap_or_else(own_cores).max(1),
            seed: self.seed,
            signature_rounds: self.rounds()?,
            limits: self.limits()?,
        })
    }

    fn store(&self) -> Result<StoreSettings> {
        match (self.store, &self.database_url) {
            (Some(StoreFlag::Memory), _) | (None, None) => Ok(StoreSettings::Memory),
            (Some(StoreFlag::Postgres) | None, Some(url)) => {
                Ok(StoreSettings::Postgres { url: url.clone() })
            }
            (Some(StoreFlag::Postgres), None) => {
                Err(Error::usage("the store postgres needs a database")
                    .help("give --database-url or set BAKEOFF_DATABASE_URL"))
            }
        }
    }

    fn fan_out(&self) -> Result<Gather> {
        match self.fan_out {
            Gather::AtOnce => Ok(Gather::AtOnce),
            _ if self.model.is_async() => {
                Err(Error::usage("--fan-out is for threads").help("an event loop joins futures"))
            }
            way => Ok(way),
        }
    }

    fn pitfalls(&self) -> Result<Vec<Pitfall>> {
        match self.pitfalls.iter().find(|pitfall| !pitfall.is_of(self.model)) {
            None => Ok(self.pitfalls.clone()),
            Some(pitfall) => {
                Err(Error::usage(format!("{} cannot make the mistake {pitfall}", self.model)))
            }
        }
    }

    /// Either flag goes before the variable, which clap would count as the first of them.
    fn rounds(&self) -> Result<u32> {
        Ok(match (self.signature_rounds, self.cpu) {
            (Some(rounds), _) => rounds,
            (None, None) => rounds_from_environment()?,
            (None, Some(cpu)) => {
                let calibration = calibrate(cpu);
                anstream::eprintln!(
                    "{} rounds take {} of the {cpu} asked for",
                    calibration.rounds,
                    calibration.measured
                );
                calibration.rounds
            }
        })
    }

    fn limits(&self) -> Result<Limits> {
        let positive = |flag: &str, time: Nanos| match time {
            Nanos(0..1_000_000) => Err(Error::usage(format!("--{flag} must be at least 1ms"))),
            time => Ok(Duration::from(time)),
        };
        Ok(Limits {
            head: positive("header-timeout", self.header_timeout)?,
            body: positive("body-timeout", self.body_timeout)?,
            idle: positive("idle-timeout", self.idle_timeout)?,
            write: positive("write-timeout", self.write_timeout)?,
        })
    }
}

/// The rounds of `BAKEOFF_SIGNATURE_ROUNDS`, 0 when it is not set.
fn rounds_from_environment() -> Result<u32> {
    const NAME: &str = "BAKEOFF_SIGNATURE_ROUNDS";
    let Some(text) = flags::variable(NAME) else {
        return Ok(0);
    };
    let rounds = text.to_str().and_then(|text| text.parse().ok());
    rounds.ok_or_else(|| {
        Error::usage(format!("{NAME} is `{}`, which is not a number of rounds", text.display()))
            .help("unset it, or write a whole number from 0 to 4294967295")
    })
}

/// The cores that this process may run on.
fn own_cores() -> usize {
    let mask = rustix::thread::sched_getaffinity(None);
    mask.map_or(1, |mask| mask.count() as usize)
}

/// How often it is looked whether a process has ended, or all of them are to.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Serves until SIGTERM or SIGINT, then ends the processes.
///
/// # Errors
/// A model or a store that has only one process (2), a process that cannot be started or ends by itself (1).
pub(crate) fn serve_in_processes(settings: &Settings, processes: u32) -> Result<()> {
    if settings.model != Model::EventLoop {
        let model = settings.model;
        return Err(Error::usage(format!("--processes is for event-loop, and this is {model}"))
            .help("the other models have several threads: --threads"));
    }
    if settings.store == StoreSettings::Memory {
        return Err(Error::usage("several processes cannot share state in memory")
            .help("give --database-url"));
    }
    let stop = interrupt::listen()?;
    let reserved = listen::reserve(settings.listen)?;
    let at = reserved.local_addr().context(|| "cannot read the port".into())?;
    let pool = (settings.pool / processes as usize).max(1);
    let mut children = Children(Vec::new());
    for _ in 0..processes {
        children.0.push(start_process(at.port(), pool)?);
    }
    children.0.iter_mut().try_for_each(listening)?;
    listen::announce(at);
    while !stop.load(Ordering::Relaxed) {
        for child in &mut children.0 {
            if let Some(status) = child.try_wait().context(|| "cannot watch a process".into())? {
                return Err(Error::internal(format!("one of the processes has ended: {status}")));
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Processes that end when this is dropped.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &self.0 {
            // One that has ended already is what is wanted.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

/// One process: this program with the flags that it was given, but for those that say where and how many.
fn start_process(port: u16, pool: usize) -> Result<Child> {
    let binary = std::env::current_exe().context(|| "cannot find this program's file".into())?;
    let given = without(std::env::args_os().skip(1), &["--processes", "--port", "--pool"]);
    let mut command = Command::new(binary);
    command
        .args(given)
        .args(["--reuse-port", "--port", &port.to_string(), "--pool", &pool.to_string()])
        .arg(format!("--die-with-parent={}", std::process::id()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().context(|| "cannot start a process".into())
}

/// The arguments without some flags and their values, and without the parent's own parent.
fn without(given: impl Iterator<Item = OsString>, flags: &[&str]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut skips = false;
    for argument in given {
        let text = argument.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        if std::mem::take(&mut skips) || name == "--die-with-parent" {
            continue;
        }
        match flags.contains(&name) {
            true => skips = !text.contains('='),
            false => kept.push(argument),
        }
    }
    kept
}

/// Waits until a process has said that it listens.
fn listening(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context(|| "cannot read the output of a process".into())?;
    match line.starts_with("listening ") {
        true => Ok(()),
        false => Err(Error::internal("one of the processes did not start to listen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_whole_are_not_handed_on() {
        let given =
            ["serve", "--port", "0", "--model=event-loop", "--processes=2", "--die-with-parent=7"];
        let kept = without(given.iter().map(OsString::from), &["--processes", "--port", "--pool"]);
        assert_eq!(kept, ["serve", "--model=event-loop"]);
    }
}
