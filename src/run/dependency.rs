//! What the contender of one trial waits for: a stand-in of its own, or a fresh database of a PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::database::{Database, Setup, Url};
use crate::error::Result;
use crate::machine::cores::Cores;
use crate::machine::proc;
use crate::process::child::Contender;
use crate::process::http;
use crate::record::histogram;
use crate::scenario::store::pool;
use crate::scenario::{Dependency, Scenario, Server};
use crate::units::Nanos;
use crate::{database, record};

/// Connections of a database beside those of the contenders' pools.
const CONNECTIONS_ASIDE: usize = 16;
/// Questions about a trial are answered at once or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

pub(crate) enum DependencyHandle<'a> {
    /// A process of our own.
    Standin(Contender),
    /// A database with the rows of the dataset and nothing else.
    Postgres(database::Trial<'a>),
}

/// The PostgreSQL of a scenario, for its whole run; nothing where it names none.
///
/// # Errors
/// When there is none to be had, or it cannot be loaded.
pub(crate) fn database(scenario: &Scenario, yes: bool) -> Result<Option<Arc<Database>>> {
    let Some(dependency) = scenario.store.dependency() else { return Ok(None) };
    let Server::Postgres { url } = &dependency.server else { return Ok(None) };
    let pools = scenario.contenders.iter().map(|one| pool(one.built_in(), dependency));
    let setup = Setup {
        seed: scenario.seed,
        lookup: dependency.lookup.clone(),
        write: dependency.write.clone(),
        connections: (pools.max().unwrap_or(0) + CONNECTIONS_ASIDE) as u32,
    };
    let database = match url {
        None => Database::auto(&proc::own_program()?, &setup)?,
        Some(url) => Database::given(&Url::read(&url.clone().into())?, &setup, yes)?,
    };
    Ok(Some(Arc::new(database)))
}

impl<'a> DependencyHandle<'a> {
    /// Starts what a trial's contender waits for, as trial `n` of the run.
    pub(crate) fn start(
        scenario: &Scenario,
        dependency: &Dependency,
        database: Option<&'a Database>,
        cores: &Cores,
        n: u32,
    ) -> Result<Self> {
        match (&dependency.server, database) {
            (Server::Postgres { .. }, Some(database)) => Ok(Self::Postgres(database.fresh(n)?)),
            (Server::Postgres { .. }, None) => unreachable!("its database was started before"),
            (Server::Standin { faults }, _) => {
                let mut flags = vec![
                    ("--seed", scenario.seed.to_string()),
                    ("--latency", dependency.lookup.to_string()),
                    ("--write-latency", dependency.write.to_string()),
                    ("--port", "0".to_owned()),
                ];
                flags.extend(faults.iter().map(|fault| ("--fault", fault.to_string())));
                let flags: Vec<String> =
                    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
                Contender::start("stand-in", None, "standin", &flags, &[], cores).map(Self::Standin)
            }
        }
    }

    /// What a contender has to know of it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        match self {
            Self::Standin(standin) => {
                let address = &standin.peer().at;
                set("BAKEOFF_DATABASE_URL", format!("postgres://bakeoff@{address}/bakeoff"));
                set("BAKEOFF_UPSTREAM_URL", format!("http://{address}"));
            }
            Self::Postgres(trial) => set("BAKEOFF_DATABASE_URL", trial.url().reveal().to_owned()),
        }
        variables
    }

    /// The measured window begins: what is counted is counted from here, and faults come from here.
    pub(crate) fn window_starts(&self) {
        if let Self::Standin(standin) = self {
            // A stand-in that is gone shows in every answer of its contender.
            let _ = http::ask("POST", standin.peer(), "/window", ANSWERS_WITHIN);
        }
    }

    /// What it says of itself at the window's end.
    pub(crate) fn window_ends(&self, window: Nanos) -> Option<record::Standin> {
        let Self::Standin(standin) = self else { return None };
        let stats = stats(standin)?;
        let late = histogram::decode(stats.get("latency_error_ns")?.as_str()?).ok()?;
        let cpu = stats.get("cpu_ns")?.as_u64()? as f64;
        Some(record::Standin {
            latency_error_ns: histogram::distribution(&late),
            cpu_share: (window > Nanos(0)).then(|| cpu / window.0 as f64),
        })
    }

    /// Ends it, when its contender has ended.
    pub(crate) fn stop(self) -> Result<()> {
        match self {
            Self::Standin(standin) => standin.stop(),
            Self::Postgres(_) => Ok(()),
        }
    }
}

/// How a contender's pool was used up to an instant.
#[derive(Debug)]
pub(crate) struct PoolUse {
    size: u64,
    busy: Nanos,
    waits: Histogram<u64>,
}

impl PoolUse {
    /// As the contender tells it; nothing where it has no pool or does not say.
    pub(crate) fn of(contender: &Contender) -> Option<Self> {
        let stats = stats(contender)?;
        let pool = stats.get("pool")?;
        Some(Self {
            size: pool.get("size")?.as_u64()?,
            busy: Nanos(pool.get("busy_ns")?.as_u64()?),
            waits: histogram::decode(stats.get("pool_wait")?.as_str()?).ok()?,
        })
    }

    /// The waits since `earlier`, and the share of the pool that was busy in the `window` between.
    pub(crate) fn since(mut self, earlier: &Self, window: Nanos) -> (Histogram<u64>, f64) {
        let busy = self.busy.saturating_sub(earlier.busy).0 as f64;
        // What was there earlier is there still, so nothing is taken that there is not.
        let _ = self.waits.subtract(&earlier.waits);
        (self.waits, busy / (self.size.max(1) as f64 * window.0.max(1) as f64))
    }
}

fn stats(server: &Contender) -> Option<Value> {
    // Once: it is asked at the ends of the measured window, and who has no such page pays for each time.
    let body = http::once("GET", server.peer(), "/stats", ANSWERS_WITHIN).ok()?;
    serde_json::from_slice(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use crate::load::peer::Address;
    use crate::scenario::{Ready, Setup};

    /// It is asked inside the measured window: each time costs a contender that has no such page what its answers do
    /// not count.
    #[test]
    fn a_contender_without_stats_is_asked_for_them_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let (asked, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                if !line.is_empty() {
                    asked.send(line).unwrap();
                }
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            }
        });
        let setup = Setup {
            filled: Vec::new(),
            env: Vec::new(),
            ready: Ready::Tcp,
            ready_within: Nanos::SECOND,
            stop_within: Nanos::SECOND,
            before: None,
            payload: Vec::new(),
            folder: ".".into(),
            tls: None,
        };
        let contender = Contender::find("absent-minded", &address, &setup, Vec::new()).unwrap();
        assert!(PoolUse::of(&contender).is_none());
        let all: Vec<String> = lines.try_iter().collect();
        assert_eq!(all, ["GET /stats HTTP/1.1\r\n"]);
    }

    #[test]
    fn a_pools_use_is_that_of_the_window_alone() {
        let used = |waits: &[u64], busy_ms: u64| {
            let mut histogram = Histogram::new(3).unwrap();
            waits.iter().for_each(|wait| histogram.record(*wait).unwrap());
            PoolUse { size: 4, busy: Nanos(busy_ms * 1_000_000), waits: histogram }
        };
        let (before, after) = (used(&[900_000, 5], 700), used(&[900_000, 5, 70, 70], 1_500));
        let (waits, share) = after.since(&before, Nanos::SECOND);
        assert_eq!((waits.len(), waits.max()), (2, 70), "the wait of the warm-up is not in it");
        assert!((share - 0.2).abs() < 1e-9, "0.8 s of four connections in a second: {share}");
    }
}
