//! The dependency of the services: a server that speaks PostgreSQL's protocol and takes as long as it is told to.
//!
//! It holds the dataset and a ledger in memory and answers the statements of `contracts/schema.sql` with exactly their
//! meaning. What is dialled is how long that takes ([`Latency`]) and what goes wrong ([`Fault`]). Its own error, from the
//! instant an answer was due to the write of it, is in `GET /stats` as a histogram.
//!
//! - `session` takes bytes and gives bytes, and says when it wants to go on. It knows no socket and reads no clock, so
//!   tests play it at any speed. `postgres/` and `http` are its two protocols: a startup of the one begins with a zero
//!   byte, a request of the other with a letter.
//! - `world` is what the sessions share: `ledger`, `dial` (latency and faults), `stats`.
//! - `server` brings sessions and sockets together, on one thread and one epoll set (`reactor`).
//! - `proxy` is another thing: it relays any protocol, and delays what comes back.
//!
//! A statement's time runs from the arrival of its message to the write of its answer, and at its end it does its work.
//! Statements that a client sends ahead wait for the one before, as in PostgreSQL. Faults count from `POST /window`, and
//! from the first statement as long as there was no window.
//!
//! Over HTTP, on the same port: `GET /upstream/{id}` is a lookup; `POST /window` starts a window, which sets counters,
//! histogram and streams back and leaves the ledger alone; `GET /stats` gives `latency_error_ns` (HDR V2, deflated,
//! base64), `statements` by name, `cpu_ns` of this thread (all of these since the window's start) and `connections` (open
//! now, the asking one included); `GET /healthz` says that it is there.

mod dial;
mod http;
mod ledger;
mod limits;
mod postgres;
mod proxy;
mod server;
mod session;
mod stats;
pub(crate) mod step;
mod world;

use std::net::SocketAddrV4;

use crate::error::{Context as _, Result};
use crate::fault::Fault;
use crate::latency::Latency;
use crate::listen::{announce, listen};
use crate::poll::raise_descriptor_limit;
pub use crate::reactor::Pace;
use crate::reactor::Reactor;
use limits::{CONNECTIONS_MAX, REFUSED_MAX, RELAYS_MAX};
use server::Server;
use world::World;

/// Everything that the stand-in is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `/healthz` calls it.
    pub name: String,
    /// Its port on 127.0.0.1; 0 lets the system choose.
    pub port: u16,
    /// Chooses the rows, and the streams that times and faults are drawn from.
    pub seed: u64,
    /// How long a statement takes that reads one row.
    pub lookup: Latency,
    /// How long a statement takes that changes something.
    pub write: Latency,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// How it waits for what is due.
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "standin".into(),
            port: 0,
            seed: 42,
            lookup: Latency::ZERO,
            write: Latency::ZERO,
            faults: Vec::new(),
            pace: Pace::Sleep,
        }
    }
}

/// Listens on 127.0.0.1, says so on stdout (`listening 127.0.0.1:PORT`), and answers until SIGTERM or SIGINT.
///
/// # Errors
/// A port that is taken (2), a machine that is out of something (1).
pub fn serve(settings: &Settings) -> Result<()> {
    raise_descriptor_limit(CONNECTIONS_MAX as u64 + OTHER_DESCRIPTORS);
    let reactor = start(settings.port, settings.pace)?;
    Server::new(reactor, World::new(settings)).run().context(|| "the epoll set failed".into())
}

/// Relays connections to `target`, and lets each answer wait for a time that is drawn from `latency`, until SIGTERM or
/// SIGINT. It says where it listens as [`serve`] does, and on stderr when nothing listens at `target`, for that may come.
///
/// # Errors
/// A target that is not on this machine or a port that is taken (2), a machine that is out of something (1).
pub fn relay(settings: &Settings, target: SocketAddrV4) -> Result<()> {
    proxy::check(target)?;
    raise_descriptor_limit((2 * RELAYS_MAX + REFUSED_MAX) as u64 + OTHER_DESCRIPTORS);
    proxy::look_for(target);
    let reactor = start(settings.port, settings.pace)?;
    proxy::Proxy::new(reactor, target, settings).run().context(|| "the epoll set failed".into())
}

/// For the standard streams, the epoll set and the like.
const OTHER_DESCRIPTORS: u64 = 64;

fn start(port: u16, pace: Pace) -> Result<Reactor> {
    let listener = listen(port)?;
    let port = listener.local_addr().context(|| "cannot read the port".into())?.port();
    let reactor = Reactor::new(listener, pace)?;
    announce(port);
    Ok(reactor)
}
