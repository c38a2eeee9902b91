//! A cluster of our own, its template, and the copies that trials get.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::database::cluster::{SUPERUSER, USER};
use crate::database::keeper::Keeper;
use crate::database::setup::{Facts, Setup};
use crate::database::url::{Typed, Url};
use crate::database::{connect, load, programs, trouble};
use crate::error::{Error, Result};
use crate::postgres::{Connection, Server};
use crate::sql::SCHEMA;

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
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it does not do as it is told.
    pub(crate) fn start(program: &Path, setup: &Setup, latency: &str) -> Result<Self> {
        let keeper = Keeper::start(program, &programs::find()?, setup.connections)?;
        let inside = |user: &str, database: &str| {
            let server = Server {
                host: keeper.folder.join("data").display().to_string(),
                port: keeper.port,
                user: user.into(),
                database: database.into(),
                ..Server::default()
            };
            connect(&server, &"the throw-away cluster")
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
    load::load(&template, setup.seed)
}
