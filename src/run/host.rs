//! What trials run on. The rest of `run` reaches machine, processes and databases only through a [`Host`]: it describes,
//! starts, stops, samples and loads. It is this computer, or those of a [`Cluster`], which are asked the same in frames:
//! specifications, plans, samples and outcomes are plain values.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::backend::services::payment;
use crate::backend::services::payment::Calibration;
use crate::database::{self, Database, Setup, Url};
use crate::error::{Error, Result};
use crate::hosts::protocol;
use crate::hosts::sampler::{self, ANSWERS_WITHIN, Sampled, Sampling};
use crate::load;
use crate::load::live::Live;
use crate::load::plan::{Address, Peer, Plan};
use crate::machine::interference::{self, Neighbours};
use crate::machine::{self, proc};
use crate::process::child::Contender;
use crate::process::http;
use crate::process::supervise::StderrTail;
use crate::record::outcome::Outcome;
use crate::record::{self, Fingerprint, Hiccups, TrialHosts, histogram};
use crate::run::cluster::{Cluster, Remote, Role};
use crate::run::trial::spec::{Placement, PreparedTrial};
use crate::scenario::store::pool;
use crate::scenario::{self, Dependency, Scenario};
use crate::units::Nanos;

pub(crate) use crate::machine::Cores;
pub(crate) use crate::machine::resources::{SAMPLES as MEMORY_SAMPLES, Switches, Watch};
pub(crate) use crate::process::builds::{Builds, commits};
pub(crate) use crate::process::child::{Startable, Started};

/// Connections of a database beside those of the contenders' pools.
const CONNECTIONS_ASIDE: usize = 16;

/// This computer, and the agents of others where a scenario names any.
#[derive(Debug)]
pub(crate) struct Host {
    /// The hosts of every scenario that has its own.
    clusters: Vec<Cluster>,
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

impl Start<'_> {
    /// As an agent is asked for it.
    fn carried(&self) -> Result<protocol::Start> {
        match self {
            Self::Own { binary: None, verb, flags } => {
                Ok(protocol::Start::Own { verb: (*verb).to_owned(), flags: flags.clone() })
            }
            Self::Command { argv, setup } => {
                Ok(protocol::Start::Command { argv: argv.to_vec(), setup: (*setup).clone() })
            }
            _ => Err(Error::internal("an agent cannot start this")),
        }
    }
}

impl Host {
    pub(crate) fn local(yes: bool) -> Self {
        Self {
            yes,
            clusters: Vec::new(),
            databases: Vec::new(),
            neighbours: Neighbours::announced(),
        }
    }

    /// The machine and the build. `scenarios` are digests.
    pub(crate) fn describe(scenarios: &[String]) -> Fingerprint {
        machine::fingerprint(scenarios)
    }

    /// Differs between two machines, and between two boots of one; empty where it is not known.
    pub(crate) fn boot_id() -> String {
        proc::boot_id().unwrap_or_default()
    }

    /// Those that this process may use.
    pub(crate) fn cores() -> Result<Cores> {
        machine::allowed_cores()
    }

    /// Keeps the calling thread off the contender's cores.
    pub(crate) fn stay_on(cores: &Cores) {
        machine::stay_on_cores(cores);
    }

    /// This program, where a scenario's contenders run.
    pub(crate) fn program_of(&self, scenario: &Scenario) -> Result<PathBuf> {
        match scenario.hosts.roles {
            Some(_) => Ok(self.cluster(scenario)?.program()),
            None => proc::own_program(),
        }
    }

    pub(crate) fn own_program() -> Result<PathBuf> {
        proc::own_program()
    }

    /// Launches the agents of the hosts that the scenarios name.
    pub(crate) fn join(&mut self, scenarios: &[Scenario]) -> Result<()> {
        for scenario in scenarios.iter().filter(|one| one.hosts.roles.is_some()) {
            if self.cluster(scenario).is_err() {
                self.clusters.push(Cluster::join(scenario, &machine::fingerprint(&[]).binary)?);
            }
        }
        Ok(())
    }

    fn cluster(&self, scenario: &Scenario) -> Result<&Cluster> {
        let found = self.clusters.iter().find(|cluster| cluster.is_of(scenario));
        found.ok_or_else(|| Error::internal("the scenario's hosts have not been joined"))
    }

    /// Where the sides of a scenario run.
    pub(crate) fn placement(&self, scenario: &Scenario) -> Result<Placement> {
        match scenario.hosts.roles {
            Some(_) => self.cluster(scenario).map(|cluster| cluster.placement.clone()),
            None => Self::here(scenario),
        }
    }

    /// Where they run on this computer.
    pub(crate) fn here(scenario: &Scenario) -> Result<Placement> {
        let depends = scenario.store.dependency().is_some();
        Placement::of(machine::allowed_cores()?, scenario.placement, depends)
    }

    /// What a reader should know of the hosts of these scenarios.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.clusters.iter().filter_map(Cluster::note).collect()
    }

    /// What an idle core loses, watched for a second or for a shorter time where no window is longer; the worst of all hosts.
    pub(crate) fn hiccups(&self, longest: Option<Nanos>) -> Result<Hiccups> {
        let time = longest.map_or(interference::WATCH, Into::into);
        match &self.clusters[..] {
            [] => interference::watch(&machine::allowed_cores()?, time),
            [first, ..] => first.hiccups(time.into()),
        }
    }

    /// How many rounds a CPU time comes to, where contenders run.
    pub(crate) fn calibrate(&self, cpu: Nanos) -> Result<Calibration> {
        match &self.clusters[..] {
            [] => Ok(payment::calibrate(cpu)),
            [first, ..] => first.calibrate(cpu),
        }
    }

    /// Starts a server of a trial where its scenario has it run, or finds the one that runs, and waits until it is ready.
    pub(crate) fn start(
        &self,
        prepared: &PreparedTrial<'_>,
        role: Role,
        start: &Start<'_>,
        env: Vec<(String, String)>,
    ) -> Result<ServerHandle> {
        let (scenario, placement) = (prepared.spec.scenario, prepared.placement);
        let (name, cores) = match role {
            Role::Contender => (&*prepared.spec.contender.name, &placement.contender),
            Role::Dependency => ("stand-in", &placement.dependency),
        };
        if scenario.hosts.roles.is_some() {
            let remote = self.cluster(scenario)?.start(role, name, start.carried()?, env);
            return remote.map(ServerHandle::There);
        }
        let started = match start {
            Start::Own { binary, verb, flags } => {
                Contender::start(name, *binary, verb, flags, &env, cores)
            }
            Start::Command { argv, setup } => {
                Contender::launch(name, argv, setup, env, cores, Contender::LOCAL)
            }
            Start::Running { address, setup } => Contender::find(name, address, setup, env),
        };
        started.map(ServerHandle::Here)
    }

    /// Starts a contender only to see how long that takes, and ends it.
    pub(crate) fn time_start(&self, what: &Startable, cores: &Cores) -> Result<Started> {
        what.start(cores)
    }

    /// Has the PostgreSQL of a scenario ready, if it names one, and the agents of its hosts; `say` tells that this takes a
    /// while.
    pub(crate) fn provide(&mut self, scenario: &Scenario, say: impl Fn(&str)) -> Result<()> {
        if let Some(cluster) = self.clusters.iter_mut().find(|cluster| cluster.is_of(scenario)) {
            cluster.launch_again(&say)?;
        }
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
        let standin = self.start(prepared, Role::Dependency, &start, Vec::new())?;
        Ok(Some(DependencyHandle::Standin(standin)))
    }

    /// Sends the load and samples what it costs. `several` processes of a contender know nothing of each other's pools.
    pub(crate) fn load(
        &self,
        plan: &Plan,
        prepared: &PreparedTrial<'_>,
        sides: (&ServerHandle, Option<&DependencyHandle<'_>>),
        several: bool,
        stop: &AtomicBool,
    ) -> Result<Loaded> {
        let pooled = sides.1.is_some() && !several;
        let contender = match sides.0 {
            ServerHandle::Here(contender) => contender,
            ServerHandle::There(remote) => {
                let sides = (remote, sides.1.and_then(DependencyHandle::remote));
                let cluster = self.cluster(prepared.spec.scenario)?;
                let (sent, sampled, hosts) = cluster.load(plan, sides, pooled, stop)?;
                return Ok(Loaded::merged(sent, sampled, hosts));
            }
        };
        // Without capacity: no connection is closed before the window's last sample.
        let (tell, window) = mpsc::sync_channel(0);
        let live = Live::new(plan.threads);
        let cores = &prepared.placement.generator;
        let sampling = Sampling { contender, pooled, cores, profiling: prepared.profiling };
        let (mut outcome, mut answered) = (None, 0);
        let sampled = thread::scope(|scope| {
            let live = &live;
            let loading = scope.spawn(move || load::run_seen(plan, stop, Some(&tell), live));
            let begins = || sides.1.into_iter().for_each(DependencyHandle::window_starts);
            let ends = || answered = live.seen().answered;
            let join = || outcome = Some(loading.join().expect("the generator does not panic"));
            sampling.run(window, begins, ends, join)
        });
        let outcome = outcome.expect("its end was waited for")?;
        Ok(Loaded { outcome, sampled, answered, elsewhere: None })
    }
}

/// A load that has ended, and what was sampled meanwhile.
pub(crate) struct Loaded {
    pub(crate) outcome: Outcome,
    pub(crate) sampled: Sampled,
    /// Right answers up to the window's end, those of the warm-up too.
    pub(crate) answered: u64,
    /// Of a load that came from other hosts: which, and what each sent.
    pub(crate) elsewhere: Option<(TrialHosts, Vec<Outcome>)>,
}

impl Loaded {
    /// The parts of several generators as one. Of the machines the most disturbed one counts.
    fn merged(sent: Vec<protocol::Sent>, mut sampled: Sampled, hosts: TrialHosts) -> Self {
        let answered = sent.iter().map(|part| part.answered).sum();
        let (steal, throttled) = &mut sampled.shares;
        for part in &sent {
            *steal = worse(*steal, part.shares.0);
            *throttled = worse(*throttled, part.shares.1);
        }
        let parts: Vec<Outcome> = sent.into_iter().map(|part| part.outcome).collect();
        let whole = parts.iter().cloned().reduce(|mut all, part| {
            all.merge(part);
            all
        });
        let outcome = whole.expect("there is a generator");
        Self { outcome, sampled, answered, elsewhere: Some((hosts, parts)) }
    }
}

/// The larger of two shares, where they are known.
fn worse(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

/// A server, here or on another host.
pub(crate) enum ServerHandle {
    Here(Contender),
    There(Remote),
}

impl ServerHandle {
    pub(crate) fn peer(&self) -> &Peer {
        match self {
            Self::Here(contender) => contender.peer(),
            Self::There(remote) => &remote.running.peer,
        }
    }

    /// What it answers at a path, tried until `within` is over; or why it does not.
    pub(crate) fn ask(&self, path: &str, within: Duration) -> std::result::Result<Vec<u8>, String> {
        match self {
            Self::Here(contender) => contender.ask(path, within),
            Self::There(remote) => remote.ask("GET", path, within),
        }
    }

    fn stats(&self) -> Option<Value> {
        match self {
            Self::Here(contender) => sampler::stats(contender.peer()),
            Self::There(_) => {
                serde_json::from_slice(&self.ask("/stats", ANSWERS_WITHIN).ok()?).ok()
            }
        }
    }

    /// What runs it, with its version, where it says so.
    pub(crate) fn runtime(&self) -> Option<&str> {
        match self {
            Self::Here(contender) => contender.runtime(),
            Self::There(remote) => remote.running.runtime.as_deref(),
        }
    }

    /// Measures what it uses, where it is here.
    pub(crate) fn watch(&self) -> Watch {
        match self {
            Self::Here(contender) => contender.watch(),
            Self::There(_) => Watch::Nothing,
        }
    }

    /// How it ended, if it has without being asked; where something has just failed (`soon`) that may take a moment to show.
    pub(crate) fn crashed(&mut self, soon: bool) -> Result<Option<String>> {
        Ok(match self {
            Self::Here(contender) if soon => contender.crashed_by_now(),
            Self::Here(contender) => contender.crashed(),
            Self::There(remote) => return remote.crashed(soon),
        })
    }

    /// The last of what it wrote, once it has ended.
    pub(crate) fn wrote(&self) -> String {
        match self {
            Self::Here(contender) => contender.wrote(),
            Self::There(remote) => remote.wrote(),
        }
    }

    /// Asks it to end and waits. Gives the last of what it wrote to stderr, where it is told it.
    ///
    /// # Errors
    /// By the contender, when it had ended before, had to be killed or ended with a failure.
    pub(crate) fn stop(self) -> (Result<()>, Tail) {
        match self {
            Self::Here(contender) => {
                let tail = contender.stderr();
                (contender.stop(), Tail::Here(tail))
            }
            Self::There(remote) => (remote.stop(), Tail::There(remote)),
        }
    }
}

/// What a server wrote last that has been ended.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Tail {
    Here(Option<StderrTail>),
    There(Remote),
}

impl Tail {
    pub(crate) fn last(&self) -> String {
        match self {
            Self::Here(tail) => tail.as_ref().map_or_else(String::new, StderrTail::last),
            Self::There(remote) => remote.wrote(),
        }
    }
}

/// What the contender of one trial waits for.
pub(crate) enum DependencyHandle<'a> {
    /// A process of our own.
    Standin(ServerHandle),
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
        if let Self::Standin(ServerHandle::Here(standin)) = self {
            // A stand-in that is gone shows in every answer of its contender.
            let _ = http::ask("POST", standin.peer(), "/window", ANSWERS_WITHIN);
        }
    }

    fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Standin(ServerHandle::There(remote)) => Some(remote),
            _ => None,
        }
    }

    /// What it says of itself at the window's end.
    pub(crate) fn window_ends(&self, window: Nanos) -> Option<record::Standin> {
        let Self::Standin(standin) = self else { return None };
        let stats = standin.stats()?;
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
            Self::Standin(standin) => standin.stop().0,
            Self::Postgres(_) => Ok(()),
        }
    }
}
