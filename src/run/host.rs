//! What trials run on. The rest of `run` reaches machine, processes and databases only through a [`Host`]: it describes,
//! starts, stops, samples and loads. There is one host today, this computer.
//!
//! Specifications, plans, samples and outcomes are plain values, so that a host elsewhere can be asked the same.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::database::{self, Database, Setup, Url};
use crate::error::{Error, Result};
use crate::load::Window;
use crate::load::live::Live;
use crate::load::plan::{Address, Plan};
use crate::machine::interference::{self, Interference, Neighbours};
use crate::machine::resources::{MemorySamples, Tick, Used, memory_samples};
use crate::machine::{self, proc};
use crate::process::http;
use crate::record::outcome::Outcome;
use crate::record::{self, Fingerprint, Hiccups, histogram};
use crate::run::trial::spec::PreparedTrial;
use crate::scenario::store::pool;
use crate::scenario::{self, Dependency, Scenario};
use crate::units::Nanos;
use crate::{clock, load};

pub(crate) use crate::machine::Cores;
pub(crate) use crate::machine::resources::{SAMPLES as MEMORY_SAMPLES, Switches, Watch};
pub(crate) use crate::process::builds::{Builds, commits};
pub(crate) use crate::process::child::{Contender as Server, Startable, Started};

/// Connections of a database beside those of the contenders' pools.
const CONNECTIONS_ASIDE: usize = 16;
/// Questions about a trial are answered at once or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// This computer.
#[derive(Debug)]
pub(crate) struct Host {
    /// A given database may be written to without asking.
    yes: bool,
    /// Started when they are first needed and kept until the end.
    databases: Vec<(Rows, Database)>,
    /// Others that measure here.
    pub(crate) neighbours: Neighbours,
}

/// What a database holds and bears: scenarios that ask for the same share one.
#[derive(Debug, PartialEq)]
struct Rows {
    dependency: Dependency,
    seed: u64,
    /// Connections of the largest pool.
    pool: usize,
}

impl Rows {
    /// Nothing where a scenario names no PostgreSQL.
    fn of(scenario: &Scenario) -> Option<Self> {
        let dependency = scenario.store.dependency()?;
        matches!(dependency.server, scenario::Server::Postgres { .. }).then_some(())?;
        let pools = scenario.contenders.iter().map(|one| pool(one.built_in(), dependency));
        let (dependency, pool) = (dependency.clone(), pools.max().unwrap_or(0));
        Some(Self { dependency, seed: scenario.seed, pool })
    }

    fn database(&self, yes: bool) -> Result<Database> {
        let setup = Setup {
            seed: self.seed,
            lookup: self.dependency.lookup.clone(),
            write: self.dependency.write.clone(),
            connections: (self.pool + CONNECTIONS_ASIDE) as u32,
        };
        match &self.dependency.server {
            scenario::Server::Postgres { url: Some(url) } => {
                Database::given(&Url::read(&url.clone().into())?, &setup, yes)
            }
            _ => Database::auto(&proc::own_program()?, &setup),
        }
    }
}

/// How a server comes to be there.
pub(crate) enum Start<'a> {
    /// A build of bakeoff, this one unless another is named, by one of its verbs.
    Own { binary: Option<&'a Path>, verb: &'a str, flags: Vec<String> },
    /// Another program.
    Command { argv: &'a [String], setup: &'a scenario::Setup },
    /// It runs already.
    Running { address: &'a Address, setup: &'a scenario::Setup },
}

impl Host {
    pub(crate) fn local(yes: bool) -> Self {
        Self { yes, databases: Vec::new(), neighbours: Neighbours::announced() }
    }

    /// The machine and the build. `scenarios` are digests.
    pub(crate) fn describe(scenarios: &[String]) -> Fingerprint {
        machine::fingerprint(scenarios)
    }

    /// Those that this process may use.
    pub(crate) fn cores() -> Result<Cores> {
        machine::allowed_cores()
    }

    /// Keeps the calling thread off the contender's cores.
    pub(crate) fn stay_on(cores: &Cores) {
        machine::stay_on_cores(cores);
    }

    pub(crate) fn own_program() -> Result<PathBuf> {
        proc::own_program()
    }

    /// What an idle core loses, watched for a second or for a shorter time where no window is longer.
    pub(crate) fn hiccups(&self, longest: Option<Nanos>) -> Result<Hiccups> {
        let time = longest.map_or(interference::WATCH, Into::into);
        interference::watch(&machine::allowed_cores()?, time)
    }

    /// Starts a server on `cores`, or finds the one that runs, and waits until it is ready.
    pub(crate) fn start(
        &self,
        name: &str,
        start: &Start<'_>,
        env: Vec<(String, String)>,
        cores: &Cores,
    ) -> Result<Server> {
        match start {
            Start::Own { binary, verb, flags } => {
                Server::start(name, *binary, verb, flags, &env, cores)
            }
            Start::Command { argv, setup } => Server::launch(name, argv, setup, env, cores),
            Start::Running { address, setup } => Server::find(name, address, setup, env),
        }
    }

    /// Starts a contender only to see how long that takes, and ends it.
    pub(crate) fn time_start(&self, what: &Startable, cores: &Cores) -> Result<Started> {
        what.start(cores)
    }

    /// Has the PostgreSQL of a scenario ready, if it names one; `say` tells that this takes a while.
    pub(crate) fn provide(&mut self, scenario: &Scenario, say: impl FnOnce(&str)) -> Result<()> {
        let Some(rows) = Rows::of(scenario) else { return Ok(()) };
        if !self.databases.iter().any(|(known, _)| *known == rows) {
            say(&format!("preparing {}", rows.dependency.describe()));
            let database = rows.database(self.yes)?;
            self.databases.push((rows, database));
        }
        Ok(())
    }

    fn database(&self, scenario: &Scenario) -> Option<&Database> {
        let rows = Rows::of(scenario)?;
        self.databases.iter().find(|(known, _)| *known == rows).map(|(_, database)| database)
    }

    /// Why the scenario's PostgreSQL is no longer there, if it has ended by itself.
    pub(crate) fn database_crashed(&self, scenario: &Scenario) -> Option<Error> {
        self.database(scenario)?.crashed()
    }

    /// Starts what a trial's contender waits for, where it waits for something.
    pub(crate) fn start_dependency(
        &self,
        prepared: &PreparedTrial<'_>,
    ) -> Result<Option<DependencyHandle<'_>>> {
        let scenario = prepared.spec.scenario;
        let Some(dependency) = scenario.store.dependency() else { return Ok(None) };
        let scenario::Server::Standin { faults } = &dependency.server else {
            let database = self.database(scenario).expect("it is provided before its trials");
            return database.fresh(prepared.salt).map(|it| Some(DependencyHandle::Postgres(it)));
        };
        let mut flags = vec![
            ("--seed", scenario.seed.to_string()),
            ("--latency", dependency.lookup.to_string()),
            ("--write-latency", dependency.write.to_string()),
            ("--port", "0".to_owned()),
        ];
        flags.extend(faults.iter().map(|fault| ("--fault", fault.to_string())));
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
        let start = Start::Own { binary: None, verb: "standin", flags };
        let cores = &prepared.placement.dependency;
        let standin = self.start("stand-in", &start, Vec::new(), cores)?;
        Ok(Some(DependencyHandle::Standin(standin)))
    }

    /// Sends the load and samples what it costs. `several` processes of a contender know nothing of each other's pools.
    pub(crate) fn load(
        &self,
        plan: &Plan,
        prepared: &PreparedTrial<'_>,
        sides: (&Server, Option<&DependencyHandle<'_>>),
        several: bool,
        stop: &AtomicBool,
    ) -> Result<Loaded> {
        let watch = sides.0.watch();
        let (switches, taken) = (watch.switches(), Interference::now());
        // Without capacity: no connection is closed before the window's last sample.
        let (tell, window) = mpsc::sync_channel(0);
        let live = Live::new(plan.threads);
        let (outcome, seen) = thread::scope(|scope| {
            let live = &live;
            let loading = scope.spawn(move || load::run_seen(plan, stop, Some(&tell), live));
            let seen = sample(sides, prepared, several, window, live);
            (loading.join().expect("the generator does not panic"), seen)
        });
        let Samples { start, middle, end, memory, pss } = seen;
        let mut loaded = Loaded {
            outcome: outcome?,
            memory: Memory::of(memory, pss),
            rss_peak_bytes: watch.rss_peak_bytes(),
            used: Used::default(),
            halves: None,
            pool: None,
            switches: None,
            answered: 0,
            shares: (taken.steal_share(), taken.throttled_share()),
        };
        if let (Some(start), Some(end)) = (start, end) {
            loaded.used = end.tick.since(start.tick);
            loaded.halves = middle
                .and_then(|middle| middle.since(start.tick).cpu.zip(end.tick.since(middle).cpu));
            let elapsed = loaded.used.elapsed;
            loaded.pool = start.pool.zip(end.pool).map(|(start, end)| end.since(&start, elapsed));
            loaded.switches = end.switches.zip(switches);
            loaded.answered = end.answered;
        }
        Ok(loaded)
    }
}

/// A load that has ended, and what was sampled meanwhile.
pub(crate) struct Loaded {
    pub(crate) outcome: Outcome,
    pub(crate) memory: Memory,
    pub(crate) rss_peak_bytes: Option<u64>,
    /// Between the window's ends.
    pub(crate) used: Used,
    /// CPU time of the window's halves.
    pub(crate) halves: Option<(Nanos, Nanos)>,
    /// The waits for a connection of the contender's pool, and the busy share of the pool.
    pub(crate) pool: Option<(Histogram<u64>, f64)>,
    /// Context switches at the window's end and before the load.
    pub(crate) switches: Option<(Switches, Switches)>,
    /// Right answers between them, those of the warm-up too.
    pub(crate) answered: u64,
    /// Of the machine's time: stolen and throttled.
    pub(crate) shares: (Option<f64>, Option<f64>),
}

/// What a contender held in the window.
pub(crate) struct Memory {
    /// Resident, by window of the load.
    pub(crate) resident: Vec<u64>,
    /// What the machine gave it at most, and how that was read.
    pub(crate) peak: Option<u64>,
    pub(crate) kind: Option<String>,
}

impl Memory {
    fn of(usage: MemorySamples, pss: Option<u64>) -> Self {
        let (kind, peak) = match usage.group_peak {
            Some(bytes) => ("cgroup", Some(bytes)),
            None => ("pss", pss),
        };
        Self { resident: usage.resident, peak, kind: peak.map(|_| kind.to_owned()) }
    }
}

#[derive(Default)]
struct Samples {
    start: Option<Sample>,
    middle: Option<Tick>,
    end: Option<Sample>,
    memory: MemorySamples,
    pss: Option<u64>,
}

/// What was looked at from outside at an end of the window.
struct Sample {
    tick: Tick,
    pool: Option<PoolUse>,
    /// At the window's end: a thread that ends with its connection takes its count along.
    switches: Option<Switches>,
    /// Right answers since the load began.
    answered: u64,
}

/// Samples at the window's instants. A window that has begun has an end, also where the load was stopped before it.
fn sample(
    (contender, dependency): (&Server, Option<&DependencyHandle<'_>>),
    prepared: &PreparedTrial<'_>,
    several: bool,
    window: Receiver<Window>,
    live: &Live,
) -> Samples {
    let mut seen = Samples::default();
    // Another message, or none any more, is that the load has ended.
    let comes = |instant: Nanos| {
        let left = instant.saturating_sub(clock::now());
        window.recv_timeout(left.into()) == Err(RecvTimeoutError::Timeout)
    };
    let Ok(at) = window.recv() else { return seen };
    if !comes(at.start) {
        return seen;
    }
    let (watch, group) = (contender.watch(), contender.group());
    // Of several processes one answers, and it knows nothing of the others' pools.
    let pool = || dependency.filter(|_| !several).and_then(|_| PoolUse::of(contender));
    let (looking, running) = mpsc::channel();
    thread::scope(|scope| {
        let (watch, ends) = (&watch, (at.start, at.end));
        let generator = &prepared.placement.generator;
        prepared.profiling.inspect(|profiling| profiling.begin());
        let tick = watch.tick();
        let memory = scope.spawn(move || memory_samples(watch, group, generator, ends, &running));
        if let Some(dependency) = dependency {
            dependency.window_starts();
        }
        seen.start = Some(Sample { tick, pool: pool(), switches: None, answered: 0 });
        if comes(at.middle) {
            seen.middle = Some(watch.tick());
            comes(at.end);
        }
        let (tick, answered) = (watch.tick(), live.seen().answered);
        prepared.profiling.inspect(|profiling| profiling.end());
        seen.end = Some(Sample { tick, pool: pool(), switches: watch.switches(), answered });
        drop(looking);
        // With all connections open, and only where there is no group to be read.
        seen.pss = if group.is_none() { watch.pss_bytes() } else { None };
        seen.memory = memory.join().expect("looking at a process does not panic");
    });
    seen
}

/// What the contender of one trial waits for.
pub(crate) enum DependencyHandle<'a> {
    /// A process of our own.
    Standin(Server),
    /// A database with the rows of the dataset and nothing else.
    Postgres(database::Trial<'a>),
}

impl DependencyHandle<'_> {
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
    pub(crate) fn of(contender: &Server) -> Option<Self> {
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

fn stats(server: &Server) -> Option<Value> {
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
        let setup = Setup::plain(Ready::Tcp, Nanos::SECOND);
        let contender = Server::find("absent-minded", &address, &setup, Vec::new()).unwrap();
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
