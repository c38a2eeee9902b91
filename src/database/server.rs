//! What a run has of PostgreSQL, and what a trial gets of it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::database::cluster::{SUPERUSER, USER};
use crate::database::keeper::Keeper;
use crate::database::setup::{Facts, ROWS, Setup};
use crate::database::url::{Typed, Url};
use crate::database::{cluster, connect, setup, trouble};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::postgres::{Connection, Server};
use crate::random::fresh_seed;
use crate::sql::SCHEMA;
use crate::units::grouped;

/// A loaded database. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Database(Origin);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each run")]
enum Origin {
    Auto(Auto),
    Given(Given),
}

impl Database {
    /// A throw-away cluster on 127.0.0.1, kept by a process of `program`, which is bakeoff itself.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start, and when it cannot wait as asked.
    pub fn auto(program: &Path, setup: &Setup) -> Result<Self> {
        let latency = setup::dial(&setup.lookup, &setup.write)?;
        Ok(Self(Origin::Auto(Auto::start(program, setup, &latency)?)))
    }

    /// A fresh schema in the server at `url`, after saying what will be loaded there. Asks at a terminal unless `yes`.
    ///
    /// # Errors
    /// When the user does not agree, the server refuses, or it cannot wait as asked.
    pub fn given(url: &Url, setup: &Setup, yes: bool) -> Result<Self> {
        let latency = setup::dial(&setup.lookup, &setup.write)?;
        Ok(Self(Origin::Given(Given::start(url, setup.seed, latency, yes)?)))
    }

    /// What the trial `n` works on: no payment, no points, whatever the trial before it did. A cluster of our own copies
    /// its template (about 0.2 s) and allows several at once; a schema that is given is loaded again (some seconds), and
    /// has one trial at a time.
    pub fn fresh(&self, n: u32) -> Result<Trial<'_>> {
        match &self.0 {
            Origin::Auto(auto) => {
                let (name, url) = auto.fresh(n)?;
                Ok(Trial { url, copy: Some((auto, name)) })
            }
            Origin::Given(given) => Ok(Trial { url: given.fresh()?, copy: None }),
        }
    }

    /// As the server gives it: `15.14 (Debian 15.14-0+deb12u1)`.
    pub fn version(&self) -> &str {
        &self.facts().version
    }

    /// The settings that a figure depends on, with their units: durability first.
    pub fn settings(&self) -> &[(String, String)] {
        &self.facts().settings
    }

    /// The process that all others of our own cluster come from; those of a server that is given are its own.
    pub fn pid(&self) -> Option<u32> {
        match &self.0 {
            Origin::Auto(auto) => Some(auto.pid()),
            Origin::Given(_) => None,
        }
    }

    /// Schemas that earlier runs have left in a server that is given, or that others have there now.
    pub fn stale(&self) -> &[String] {
        match &self.0 {
            Origin::Auto(_) => &[],
            Origin::Given(given) => given.stale(),
        }
    }

    /// Why our own cluster is no longer there, if it has ended by itself.
    pub fn crashed(&self) -> Option<Error> {
        match &self.0 {
            Origin::Auto(auto) => auto.crashed(),
            Origin::Given(_) => None,
        }
    }

    fn facts(&self) -> &Facts {
        match &self.0 {
            Origin::Auto(auto) => auto.facts(),
            Origin::Given(given) => given.facts(),
        }
    }
}

/// What one trial works on. Dropping it drops what the trial wrote.
#[derive(Debug)]
pub struct Trial<'a> {
    url: Url,
    copy: Option<(&'a Auto, String)>,
}

impl Trial<'_> {
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some((auto, name)) = &self.copy {
            auto.forget(name);
        }
    }
}

/// The template database, which holds the rows and is only copied.
const TEMPLATE: &str = "bakeoff_template";

/// A running, loaded cluster.
#[derive(Debug)]
pub(crate) struct Auto {
    /// The superuser's connection. Closed before the cluster ends.
    admin: Mutex<Connection>,
    keeper: Keeper,
    facts: Facts,
}

impl Auto {
    /// From nothing to loaded; `latency` is added to the schema.
    pub(crate) fn start(program: &Path, setup: &Setup, latency: &str) -> Result<Self> {
        let keeper = Keeper::start(program, &cluster::find_programs()?, setup.connections)?;
        let inside = |user: &str, database: &str| {
            let server = Server {
                host: keeper.folder.join("data").display().to_string(),
                port: keeper.port,
                user: user.into(),
                database: database.into(),
                ..Server::default()
            };
            connect(&server, &"the temporary cluster")
        };
        let (admin, facts) = keeper.while_wanted(|| {
            let mut admin = inside(SUPERUSER, "postgres")?;
            fill(&mut admin, &inside, setup, latency)?;
            let facts = Facts::ask(&mut admin)?;
            Ok((admin, facts))
        })?;
        Ok(Self { admin: Mutex::new(admin), keeper, facts })
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Why it is no longer there, if it has ended by itself.
    pub(crate) fn crashed(&self) -> Option<Error> {
        self.keeper.crashed()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.keeper.pid
    }

    /// A copy of the template for the trial `n`, with nothing left to be written out.
    pub(crate) fn fresh(&self, n: u32) -> Result<(String, Url)> {
        let name = format!("t_{n}");
        // Copies files, where a later version would otherwise write every page to its log.
        let how = if self.major() >= 15 { "STRATEGY file_copy" } else { "" };
        let copied = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {USER} {how}");
        let mut admin = self.admin();
        let failed = |error| {
            let failed = trouble(format!("cannot make a fresh database for trial {n}"))(error);
            self.keeper.crashed_by_now().unwrap_or(failed)
        };
        admin.query(&copied).map_err(failed)?;
        admin.query("CHECKPOINT").map_err(failed)?;
        let url = format!("postgres://{USER}@127.0.0.1:{}/{name}", self.keeper.port);
        Ok((name, Url::read(&Typed::from(url))?))
    }

    /// Drops a copy and disconnects its clients. A failure is of no consequence: the cluster is thrown away.
    pub(crate) fn forget(&self, name: &str) {
        let _ = self.admin().query(&format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    fn admin(&self) -> MutexGuard<'_, Connection> {
        // As good after a panic as before: each use is one statement.
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `15` of `15.14 (Debian 15.14-0+deb12u1)`, or of `15devel`.
    fn major(&self) -> u32 {
        let version = &self.facts.version;
        let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        version[..end].parse().unwrap_or_default()
    }
}

/// Makes the contenders' user and the template with its rows.
fn fill(
    admin: &mut Connection,
    inside: &(dyn Fn(&str, &str) -> Result<Connection> + Sync),
    setup: &Setup,
    latency: &str,
) -> Result<()> {
    let owned = format!("CREATE ROLE {USER} LOGIN");
    admin.query(&owned).map_err(trouble("cannot make a user"))?;
    let made = format!("CREATE DATABASE {TEMPLATE} OWNER {USER}");
    admin.query(&made).map_err(trouble("cannot make the template"))?;
    let template = || inside(USER, TEMPLATE);
    let schema = template()?.query(&format!("{SCHEMA}\n{latency}"));
    schema.map_err(trouble("cannot make the schema"))?;
    setup::load(&template, setup.seed)
}

/// What the rows and their indexes take.
const MEGABYTES: u32 = 170;

/// A loaded schema. Dropping it drops the schema.
#[derive(Debug)]
pub(crate) struct Given {
    schema: Schema,
    seed: u64,
    latency: String,
    facts: Facts,
    /// Schemas of ours that were there already.
    stale: Vec<String>,
    /// Whether a trial has written to it.
    used: AtomicBool,
}

impl Given {
    /// Says what it will do, and does it if the user agrees.
    ///
    /// # Errors
    /// When the user does not agree, or the server refuses; interrupted, when the user does that instead of an answer.
    pub(crate) fn start(url: &Url, seed: u64, latency: String, yes: bool) -> Result<Self> {
        let name = format!("bakeoff_{:08x}", fresh_seed() as u32);
        let inside = url.with_options(&format!("-c search_path={name}"))?;
        let mut client = connect(url.server(), url)?;
        let facts = Facts::ask(&mut client)?;
        let stale = stale(&mut client)?;
        stale.iter().for_each(|name| anstream::eprintln!("{}", left(name, url)));
        agree(
            &format!(
                "{} rows (about {MEGABYTES} MB) will be loaded into a new schema {name} of {url}, which is dropped at the end",
                grouped(ROWS as f64)
            ),
            yes,
        )?;
        let made = client.query(&format!("CREATE SCHEMA {name}"));
        made.map_err(trouble(format!("cannot make the schema {name} in {url}")))?;
        let given = Self {
            schema: Schema { name, url: url.clone(), inside },
            seed,
            latency,
            facts,
            stale,
            used: AtomicBool::new(false),
        };
        given.fill()?;
        Ok(given)
    }

    pub(crate) fn stale(&self) -> &[String] {
        &self.stale
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Loads it again if a trial has been here.
    ///
    /// # Errors
    /// When the server refuses, or a contender is still connected and holds a lock.
    pub(crate) fn fresh(&self) -> Result<Url> {
        if self.used.swap(true, Ordering::Relaxed) {
            self.schema.load(self.seed)?;
        }
        Ok(self.schema.inside.clone())
    }

    fn fill(&self) -> Result<()> {
        let Schema { inside, .. } = &self.schema;
        let made = connect(inside.server(), inside)?.query(&format!("{SCHEMA}\n{}", self.latency));
        made.map_err(trouble(format!("cannot make the tables in {inside}")))?;
        self.schema.load(self.seed)
    }
}

/// The schemas of other runs: of those that were killed nothing else is left to drop them.
fn stale(client: &mut Connection) -> Result<Vec<String>> {
    const ASKED: &str =
        "SELECT nspname FROM pg_namespace WHERE nspname ~ '^bakeoff_[0-9a-f]{8}$' ORDER BY 1";
    let rows = client.query(ASKED).map_err(trouble("cannot look for schemas of earlier runs"))?;
    Ok(rows.iter().filter_map(|row| Some(row.get(0)?.to_owned())).collect())
}

fn left(name: &str, url: &Url) -> String {
    format!(
        "warning: the schema {name} of an earlier run is in {url} (about {MEGABYTES} MB), left by a run that was killed, unless \
         another run has it now; to remove it: DROP SCHEMA {name} CASCADE"
    )
}

/// A schema that goes with this value.
#[derive(Debug)]
struct Schema {
    name: String,
    url: Url,
    /// A URL that selects the schema.
    inside: Url,
}

/// A process that holds a lock for so long will not release it: a contender that was left running.
const PATIENCE: &str = "SET lock_timeout = '10s'";

impl Schema {
    fn load(&self, seed: u64) -> Result<()> {
        let connect = || {
            let mut client = connect(self.inside.server(), &self.inside)?;
            client.query(PATIENCE).map_err(trouble("cannot set a timeout"))?;
            Ok(client)
        };
        setup::load(&connect, seed)
    }

    fn remove(&self) -> Result<()> {
        let mut client = connect(self.url.server(), &self.url)?;
        let dropped = format!("{PATIENCE}; DROP SCHEMA {} CASCADE", self.name);
        client.query(&dropped).map(drop).map_err(trouble("cannot drop the schema"))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let left = error.help(format!(
                "the schema {name} is left in {}; to remove it: DROP SCHEMA {name} CASCADE",
                self.url,
                name = self.name
            ));
            anstream::eprintln!("{left}");
        }
    }
}

/// Shows what is about to happen; without `yes` the user has to agree.
fn agree(what: &str, yes: bool) -> Result<()> {
    anstream::eprintln!("{what}");
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Error::usage("there is no terminal to confirm that at").help("confirm with --yes")
        );
    }
    anstream::eprint!("Go on? [y/N] ");
    let _ = std::io::stderr().flush();
    let (sender, answers) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let _ = stdin.lock().read_line(&mut answer);
        sender.send(answer)
    });
    let answer = interrupt::receive(&answers, Duration::MAX).ok_or_else(Error::interrupted)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Error::usage("not agreed: nothing was loaded")),
    }
}
