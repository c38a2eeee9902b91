//! A real PostgreSQL as a dependency: that it comes, holds the contract's rules, waits as dialled, and leaves nothing.
//!
//! Skipped, and says so, where PostgreSQL is not installed. Bounds on times are one-sided: a busy machine makes
//! everything later, never earlier.

mod cluster;
mod given;
mod latency;
mod probing;
mod statements;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bakeoff::latency::Latency;
use bakeoff::run::postgres::{Database, Setup, Trial, binaries};
use bakeoff::units::Nanos;
use postgres::{Client, NoTls};

/// A cluster on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(60);
const NO_WAIT: Latency = Latency::Constant(Nanos(0));
const SETUP: Setup = Setup { seed: 42, lookup: NO_WAIT, write: NO_WAIT, connections: 100 };

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bakeoff"))
}

/// Says on stderr, past the test harness, that a test has tested nothing.
fn installed(test: &str) -> bool {
    let found = binaries::find();
    if let Err(error) = &found {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {error}");
    }
    found.is_ok()
}

/// A cluster that tests share as long as one of them has it; the last one ends it.
fn shared(test: &str) -> Option<Arc<Database>> {
    static SHARED: Mutex<Weak<Database>> = Mutex::new(Weak::new());
    if !installed(test) {
        return None;
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    Some(shared.upgrade().unwrap_or_else(|| {
        let database = Arc::new(Database::auto(program(), &SETUP).unwrap());
        *shared = Arc::downgrade(&database);
        database
    }))
}

/// Trials of a shared cluster have numbers of their own.
fn fresh(database: &Database) -> Trial<'_> {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    database.fresh(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).unwrap()
}

/// Another client than bakeoff's contenders have, by the URL that they get.
fn client(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
