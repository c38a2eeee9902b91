//! The dependency of the services: a server that speaks PostgreSQL's protocol and takes as long as configured.
//!
//! It holds the dataset and a ledger in memory and answers the statements of `contracts/schema.sql` with exactly their
//! meaning. What is configured is how long that takes ([`Latency`]) and what goes wrong ([`Fault`]). Its own error, from the
//! instant an answer was due to the write of it, is in `GET /stats` as a histogram.
//!
//! - `postgres/` and `http` are the two protocols of a session. They take bytes and give bytes, and say when they want to
//!   go on. They know no socket and read no clock, so tests play them at any speed: a startup of the one begins with a zero
//!   byte, a request of the other with a letter.
//! - `World` is what the sessions share: `ledger`, `dial` (latency and faults), `stats`.
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
mod postgres;
mod proxy;
mod server;
mod stats;
pub(crate) mod step;

use crate::clock;
use crate::domain::dataset::Dataset;
use crate::error::{Context as _, Result};
use crate::fault::Fault;
use crate::latency::Latency;
use crate::listen::{announce, listen};
pub use crate::poll::Pace;
use crate::poll::Reactor;
use crate::poll::raise_descriptor_limit;
use crate::random::Stream;
use crate::standin::dial::Dial;
use crate::standin::ledger::Ledger;
use crate::standin::stats::Stats;
use crate::standin::step::Key;
use crate::units::Nanos;
use server::StandinServer;
use std::net::{SocketAddr, SocketAddrV4};

/// Everything that the stand-in is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `/healthz` calls it.
    pub name: String,
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
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
            listen: ([127, 0, 0, 1], 0).into(),
            seed: 42,
            lookup: Latency::ZERO,
            write: Latency::ZERO,
            faults: Vec::new(),
            pace: Pace::Sleep,
        }
    }
}

/// Listens, says so on stdout (`listening 127.0.0.1:PORT`), and answers until SIGTERM or SIGINT.
///
/// # Errors
/// A port that is taken (2), a machine that is out of something (1).
pub fn serve(settings: &Settings) -> Result<()> {
    raise_descriptor_limit(CONNECTIONS_MAX as u64 + OTHER_DESCRIPTORS);
    let reactor = start(settings.listen, settings.pace)?;
    StandinServer::new(reactor, World::new(settings))
        .run()
        .context(|| "the epoll set failed".into())
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
    let reactor = start(settings.listen, settings.pace)?;
    proxy::Proxy::new(reactor, target, settings).run().context(|| "the epoll set failed".into())
}

/// For the standard streams, the epoll set and the like.
const OTHER_DESCRIPTORS: u64 = 64;

fn start(at: SocketAddr, pace: Pace) -> Result<Reactor> {
    let listener = listen(at)?;
    let at = listener.local_addr().context(|| "cannot read the port".into())?;
    let reactor = Reactor::new(listener, pace)?;
    announce(at);
    Ok(reactor)
}

// Every bound of the stand-in, in one place. What goes beyond one is answered with an error that names it.

/// Connections at once; the next is told that there are too many. PostgreSQL's error 53300.
const CONNECTIONS_MAX: usize = 16_384;
/// Bytes of one message of a client after its startup, its length included. A longer one ends the connection (08P01).
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a startup message, as PostgreSQL has it.
const STARTUP_BYTES_MAX: usize = 10_000;
/// Named statements of one connection (54000).
const STATEMENTS_MAX: usize = 1_000;
/// Named portals of one connection (54000).
const PORTALS_MAX: usize = 1_000;
/// Savepoints of one transaction (54000).
const SAVEPOINTS_MAX: usize = 1_000;
/// Statements in one simple query (54000).
const SCRIPT_MAX: usize = 1_000;
/// Bytes of the head of an HTTP request (431) and of the body of one (413).
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the body of an HTTP request, which is read and thrown away.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Fields of the head of an HTTP request.
const HEADERS_MAX: usize = 64;
/// Bytes that a client may send ahead while it waits for an answer. Nothing more is read until there is room.
const INPUT_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Bytes of answers that a client has not taken. Nothing more is read or answered until there are fewer.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// Bytes that are due to either side of a proxy's connection, which has not taken them. Nothing more is read until there is
/// room.
const RELAY_BYTES_MAX: u64 = 1024 * 1024;
/// The same with those that wait for their instant: an answer of more than this within the latency is held up.
const DELAYED_BYTES_MAX: u64 = 64 * RELAY_BYTES_MAX;
/// Connections of a proxy, each with one to its target. The next is told that there are too many.
const RELAYS_MAX: usize = 8_192;
/// Connections of a proxy that wait to be told why they are not relayed. The next is closed untold.
const REFUSED_MAX: usize = 1_024;

/// The one state behind all connections.
#[derive(Debug)]
struct World {
    name: String,
    seed: u64,
    data: Dataset,
    ledger: Ledger,
    dial: Dial,
    stats: Stats,
    connections: usize,
    /// Whose statements are to be given up.
    cancels: Vec<Key>,
    /// What the monotonic clock lacks of the date.
    since_1970: Nanos,
}

impl World {
    fn new(settings: &Settings) -> Self {
        let data = Dataset::new(settings.seed);
        Self {
            name: settings.name.clone(),
            seed: settings.seed,
            data,
            ledger: Ledger::new(data),
            dial: Dial::new(settings),
            stats: Stats::new(),
            connections: 0,
            cancels: Vec::new(),
            since_1970: clock::realtime().saturating_sub(clock::now()),
        }
    }

    /// Has the monotonic clock begin at `date`.
    #[cfg(test)]
    fn start_dates_at(&mut self, date: Nanos) {
        self.since_1970 = date;
    }

    /// What the date is at `now`, since 1970.
    fn date(&self, now: Nanos) -> Nanos {
        self.since_1970 + now
    }

    /// The key of the connection that is the `accepted`th and has that place.
    fn key(&self, place: usize, accepted: u32) -> Key {
        let secret = Stream::of(self.seed).child(2).at(accepted.into()) as u32;
        Key { id: place as u32 + 1, secret }
    }

    /// Counters and faults begin here; what the ledger holds stays.
    fn start_window(&mut self, now: Nanos) {
        self.dial.start_window(now);
        self.stats.start_window();
    }
}
