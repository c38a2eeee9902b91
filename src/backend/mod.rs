//! The measured side: two services under four concurrency models, and the control.
//!
//! [`serve`] is the only way in. What a request means is written once, for all models (`services/*/mod.rs`,
//! `http/mod.rs`, `memory/`); how it waits is written twice, in `services/*/event_loop.rs` and `threads.rs`. Read those
//! in pairs: their difference is what is measured. What they run on is `runtime/`: two designs behind one interface.
//!
//! Tokio appears on the `event_loop` side alone, `std::thread` and rayon on the `threads` side alone.

pub mod cpu;
mod hash;
pub mod http;
mod memory;
#[cfg(test)]
mod memory_model;
pub mod model;
mod null;
mod postgres;
mod runtime;
pub mod services;
mod upstream;

use crate::backend::postgres::{PostgresProtocol, Question, target};
use crate::backend::runtime::Protocol as _;
use crate::error::{Context as _, Error, Result};
use crate::listen::{announce, listen, listen_beside};
use cpu::CpuMode;
use http::socket::Limits;
use model::{Model, Pitfall};
pub use runtime::Gather;
use std::net::{SocketAddr, TcpListener};

#[derive(Clone, Debug)]
pub struct Settings {
    /// What `/healthz` calls it.
    pub name: String,
    pub model: Model,
    /// The service that is mounted; `None` mounts both.
    pub workload: Option<Workload>,
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Workers of `work-stealing` and `thread-pool`, connections at most of `thread-per-connection`; `None` takes the
    /// model's default.
    pub threads: Option<usize>,
    pub cpu: CpuMode,
    /// Cores that CPU helpers may keep busy.
    pub cores: usize,
    /// Chooses the rows and the signing keys.
    pub seed: u64,
    /// Digests that stretch a signing key for each payment.
    pub signature_rounds: u32,
    /// How long a peer may take, and how much it may send.
    pub limits: Limits,
    pub store: StoreSettings,
    /// `http://127.0.0.1:PORT` of the server that `/gateway` asks, if there is one.
    pub upstream: Option<String>,
    /// Connections to the database, and to the upstream; from 1.
    pub pool: usize,
    pub fan_out: Gather,
    pub client: model::Library,
    pub pitfalls: Vec<Pitfall>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// In this process, gone at its end.
    Memory,
    /// In a server that speaks PostgreSQL's protocol and has the schema of [`crate::sql`].
    Postgres {
        /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
        url: String,
    },
}

/// Passwords do not belong in logs.
impl std::fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Postgres { .. } => "Postgres",
        })
    }
}

/// A service that can be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// POST /payments
    Payment,
    /// POST /loyalty/distributions, GET /loyalty/accounts/{id}
    Loyalty,
}

/// Listens, says so on stdout (`listening 127.0.0.1:PORT`), and serves until SIGTERM or SIGINT.
///
/// Requests in progress are then finished, for 5 s at most.
///
/// # Errors
/// A port that is taken or a number of threads that cannot be (2), a machine that is out of something (1).
pub fn serve(settings: &Settings) -> Result<()> {
    check(settings)?;
    serve_on(settings, listen(settings.listen)?)
}

/// The same on a port that several processes share.
pub fn serve_beside(settings: &Settings) -> Result<()> {
    check(settings)?;
    serve_on(settings, listen_beside(settings.listen)?)
}

fn serve_on(settings: &Settings, listener: TcpListener) -> Result<()> {
    model::check_client(settings)?;
    let at = listener.local_addr().context(|| "cannot read the port".into())?;
    let ready = || announce(at);
    match settings.model {
        Model::EventLoop | Model::WorkStealing => {
            runtime::event_loop::serve(settings, listener, ready)
        }
        Model::ThreadPerConnection | Model::ThreadPool => {
            runtime::threads::serve(settings, listener, ready)
        }
        Model::Null => null::serve(&settings.name, listener, ready),
    }
}

/// Whether the model can take the settings.
fn check(settings: &Settings) -> Result<()> {
    let Settings { model, threads, .. } = settings;
    match (model, threads) {
        (_, None) => Ok(()),
        (Model::EventLoop | Model::Null, Some(threads)) if *threads != 1 => {
            Err(Error::usage(format!("{model} has one thread and cannot have {threads}"))
                .help("leave --threads out, or take the model work-stealing"))
        }
        (_, Some(0)) => Err(Error::usage(format!("{model} cannot work with 0 threads"))
            .help("give --threads a number of 1 or more")),
        (_, Some(threads)) if *threads > THREADS_MAX => {
            Err(Error::usage(format!("{threads} threads are more than a machine can run"))
                .help(format!("give --threads at most {THREADS_MAX}")))
        }
        _ => Ok(()),
    }
}

/// The kernel's own limit on a default Linux is of this size.
const THREADS_MAX: usize = 30_000;

/// Reads `bytes` as what a PostgreSQL server says, in pieces of `piece` bytes: first to a login, then to a question.
///
/// # Panics
/// When the protocol has a defect.
#[doc(hidden)]
pub fn read_postgres(bytes: &[u8], piece: usize) {
    let (_, target) = target("postgres://me:secret@127.0.0.1/db").expect("this is a URL");
    let mut protocol = PostgresProtocol::begin(&target);
    let mut ready = false;
    for piece in bytes.chunks(piece.max(1)) {
        protocol.buffers().incoming.extend_from_slice(piece);
        if !ready {
            match protocol.greet() {
                Ok(done) => ready = done,
                Err(_) => return,
            }
            if ready {
                protocol.ask(Question::Audit);
            }
        }
        if ready {
            match protocol.answer() {
                Ok(Some(reply)) => {
                    drop((reply.audit(), reply.user(), reply.account(), reply.capture()))
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}
