//! A real PostgreSQL as a dependency: that it comes, holds the contract's rules, waits as dialled, and leaves nothing.
//!
//! Skipped, and says so, where PostgreSQL is not installed. Bounds on times are one-sided: a busy machine makes
//! everything later, never earlier.

mod cluster;
mod connection;
mod given;
mod latency;
mod probing;
mod statements;

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bakeoff::database::{Database, Setup, Trial, find_programs};
use bakeoff::latency::Latency;
use bakeoff::postgres::{Connection, Row, Server};
use bakeoff::sql::Statement;
use bakeoff::units::Nanos;

/// A cluster on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(60);
const NO_WAIT: Latency = Latency::Constant(Nanos(0));
const SETUP: Setup = Setup { seed: 42, lookup: NO_WAIT, write: NO_WAIT, connections: 100 };

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bakeoff"))
}

/// Whether there is a PostgreSQL; the test is skipped where there is none.
fn installed(test: &str) -> bool {
    let found = find_programs();
    if let Err(error) = &found {
        crate::skipped(format_args!("{test}: {error}"));
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

/// A connection by the URL that contenders get.
fn client(url: &str) -> Connection {
    Connection::open(&Server::read(url).unwrap()).unwrap()
}

/// A connection of the one who may do everything, by the socket at home in the cluster's folder.
fn superuser(database: &Database, trial: &Trial<'_>) -> Connection {
    let host = format!("/proc/{}/cwd", database.pid().unwrap());
    let tcp = Server::read(trial.url().reveal()).unwrap();
    Connection::open(&Server { host, user: "postgres".into(), ..tcp }).unwrap()
}

/// The rows that `sql` gives, whose columns are not NULL.
fn rows(client: &mut Connection, sql: &str) -> Vec<Vec<String>> {
    let rows = client.query(sql).unwrap();
    let texts = |row| (0..).map_while(|at| Row::get(row, at)).map(str::to_owned).collect();
    rows.iter().map(texts).collect()
}

/// The columns of the only row.
fn row(client: &mut Connection, sql: &str) -> Vec<String> {
    let mut rows = rows(client, sql);
    assert_eq!(rows.len(), 1, "{sql}");
    rows.remove(0)
}

/// A statement with its parameters written into it.
fn with(statement: Statement, parameters: &[&dyn Display]) -> String {
    assert_eq!(parameters.len(), statement.parameters().len(), "{statement:?}");
    let written = |text: String, (n, value)| text.replace(&format!("${n}"), &format!("{value}"));
    (1..).zip(parameters).fold(statement.text().to_owned(), written)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
