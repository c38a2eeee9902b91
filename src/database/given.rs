//! A server that is given: one schema of ours in it, dropped at the end, and nothing else touched.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::database::load::ROWS;
use crate::database::setup::Facts;
use crate::database::url::Url;
use crate::database::{connect, load, trouble};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::postgres::Connection;
use crate::random::fresh_seed;
use crate::sql::SCHEMA;
use crate::units::grouped;

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
        load::load(&connect, seed)
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
