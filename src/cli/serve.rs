//! `bakeoff serve`: one of the built-in services, until it is told to stop.

use std::time::Duration;

use clap::ValueEnum;

use crate::backend::cpu::CpuMode;
use crate::backend::http::limits::Limits;
use crate::backend::model::Model;
use crate::backend::payment::calibrate;
use crate::backend::{self, Settings, Workload};
use crate::error::{Error, Result};
use crate::units::Nanos;

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// event-loop, work-stealing, thread-per-connection, thread-pool, or null
    #[arg(long, value_name = "MODEL")]
    model: Model,
    /// The service to mount; both unless given
    #[arg(long, value_enum, value_name = "SERVICE")]
    workload: Option<Mount>,
    /// The port on 127.0.0.1; 0 has one chosen and printed
    #[arg(long, value_name = "PORT", env = "BAKEOFF_PORT", default_value_t = 0)]
    port: u16,
    /// Workers of work-stealing and thread-pool, connections at most of thread-per-connection
    #[arg(long, value_name = "N", env = "BAKEOFF_WORKERS", visible_alias = "workers")]
    threads: Option<usize>,
    /// Where state lives
    #[arg(long, value_enum, default_value_t = Store::Memory)]
    store: Store,
    /// Chooses users, accounts, merchants and signing keys
    #[arg(long, value_name = "N", env = "BAKEOFF_SEED", default_value_t = 42)]
    seed: u64,
    /// SHA-256 rounds that verifying one payment takes [env: BAKEOFF_SIGNATURE_ROUNDS=]
    #[arg(long, value_name = "N", conflicts_with = "cpu")]
    signature_rounds: Option<u32>,
    /// CPU time that verifying one payment takes, measured at the start: 40us
    #[arg(long, value_name = "TIME")]
    cpu: Option<Nanos>,
    /// auto, inline or offload: where CPU work runs
    #[arg(long, value_name = "MODE", default_value_t)]
    cpu_mode: CpuMode,
    /// Cores that CPU work may keep busy; as many as the process may run on unless given
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// What /healthz calls this server; the model's name unless given
    #[arg(long)]
    name: Option<String>,
    /// How long a connection may be silent between requests
    #[arg(long, value_name = "TIME", default_value = "75s")]
    idle_timeout: Nanos,
    /// How long the head of a request may take
    #[arg(long, value_name = "TIME", default_value = "10s")]
    header_timeout: Nanos,
    /// How long the body of a request may take
    #[arg(long, value_name = "TIME", default_value = "10s")]
    body_timeout: Nanos,
    /// How long a peer may take no bytes of an answer
    #[arg(long, value_name = "TIME", default_value = "10s")]
    write_timeout: Nanos,
    /// End when the parent process ends; give its PID to close the race with an end before the start
    #[arg(long, value_name = "PID", num_args = 0..=1, require_equals = true, hide = true)]
    #[expect(clippy::option_option, reason = "the flag may come without a PID")]
    die_with_parent: Option<Option<i32>>,
}

/// A service, as the flag spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mount {
    /// POST /payments
    Payment,
    /// POST /loyalty/distributions, GET /loyalty/accounts/{id}
    Loyalty,
}

/// A store, as the flag spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// In this process, gone at its end
    Memory,
}

impl Args {
    /// Serves until SIGTERM or SIGINT, and gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        if let Some(parent) = self.die_with_parent
            && !outlived_by(parent)?
        {
            return Ok(0);
        }
        backend::serve(&self.settings()?)?;
        Ok(0)
    }

    fn settings(&self) -> Result<Settings> {
        let Store::Memory = self.store;
        Ok(Settings {
            name: self.name.clone().unwrap_or_else(|| self.model.to_string()),
            model: self.model,
            workload: self.workload.map(|mount| match mount {
                Mount::Payment => Workload::Payment,
                Mount::Loyalty => Workload::Loyalty,
            }),
            port: self.port,
            threads: self.threads,
            cpu: self.cpu_mode,
            cores: self.cores.unwrap_or_else(own_cores).max(1),
            seed: self.seed,
            signature_rounds: self.rounds()?,
            limits: self.limits()?,
        })
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
    let Some(text) = std::env::var_os(NAME) else {
        return Ok(0);
    };
    let rounds = text.to_str().and_then(|text| text.parse().ok());
    rounds.ok_or_else(|| {
        Error::usage(format!("{NAME} is `{}`, which is no number of rounds", text.display()))
            .help("unset it, or write a whole number from 0 to 4294967295")
    })
}

/// The cores that this process may run on.
fn own_cores() -> usize {
    let mask = rustix::thread::sched_getaffinity(None);
    mask.map_or(1, |mask| mask.count() as usize)
}

/// Has the kernel end this process with its parent; gives whether the parent is still there.
pub(super) fn outlived_by(parent: Option<i32>) -> Result<bool> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    let before = parent.and_then(Pid::from_raw).or_else(getppid);
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| Error::internal(format!("cannot follow the parent process: {error}")))?;
    Ok(getppid() == before)
}
