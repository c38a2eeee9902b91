//! A cluster of our own, its template, and the copies that trials get.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use postgres::{Client, Config};

use super::cluster::{SUPERUSER, USER};
use super::database::{Facts, Setup};
use super::keeper::Keeper;
use super::url::{Typed, Url};
use super::{CONNECTS_WITHIN, binaries, connect, load, trouble};
use crate::error::Result;
use crate::sql::SCHEMA;

/// The database that holds the rows and that nobody works on.
const TEMPLATE: &str = "bakeoff_template";

/// A running, loaded cluster.
#[derive(Debug)]
pub(super) struct Auto {
    /// Closed before the cluster ends.
    admin: Admin,
    keeper: Keeper,
    facts: Facts,
}

impl Auto {
    /// From nothing to loaded; `latency` is added to the schema.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it does not do as it is told.
    pub(super) fn start(program: &Path, setup: &Setup, latency: &str) -> Result<Self> {
        let keeper = Keeper::start(program, &binaries::find()?, setup.connections)?;
        let inside = |user: &str, database: &str| {
            let mut config = Config::new();
            config.host_path(keeper.folder.join("data")).port(keeper.port).user(user);
            config.dbname(database).connect_timeout(CONNECTS_WITHIN).application_name("bakeoff");
            connect(&config, &"the throw-away cluster")
        };
        let mut admin = inside(SUPERUSER, "postgres")?;
        let owned = format!("CREATE ROLE {USER} LOGIN");
        admin.batch_execute(&owned).map_err(trouble("cannot make a user"))?;
        let made = format!("CREATE DATABASE {TEMPLATE} OWNER {USER}");
        admin.batch_execute(&made).map_err(trouble("cannot make the template"))?;
        let template = || inside(USER, TEMPLATE);
        let schema = template()?.batch_execute(&format!("{SCHEMA}\n{latency}"));
        schema.map_err(trouble("cannot make the schema"))?;
        load::load(&template, setup.seed)?;
        let facts = Facts::ask(&mut admin)?;
        Ok(Self { admin: Admin(Mutex::new(admin)), keeper, facts })
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn pid(&self) -> u32 {
        self.keeper.pid
    }

    /// A copy of the template for the trial `n`, with nothing left to be written out.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) fn fresh(&self, n: u32) -> Result<(String, Url)> {
        let name = format!("t_{n}");
        // Copies files, where a later version would otherwise write every page to its log.
        let how = if self.major() >= 15 { "STRATEGY file_copy" } else { "" };
        let copied = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {USER} {how}");
        let mut admin = self.admin.lock();
        let failed = || trouble(format!("cannot make a fresh database for trial {n}"));
        admin.batch_execute(&copied).map_err(failed())?;
        admin.batch_execute("CHECKPOINT").map_err(failed())?;
        let url = format!("postgres://{USER}@127.0.0.1:{}/{name}", self.keeper.port);
        Ok((name, Url::read(&Typed::from(url))?))
    }

    /// Drops a copy, whoever is still connected to it. A failure is of no consequence: the cluster is thrown away.
    pub(super) fn forget(&self, name: &str) {
        let _ = self.admin.lock().batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    /// `15` of `15.14 (Debian 15.14-0+deb12u1)`, or of `15devel`.
    fn major(&self) -> u32 {
        let version = &self.facts.version;
        let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        version[..end].parse().unwrap_or_default()
    }
}

/// The superuser's connection.
struct Admin(Mutex<Client>);

impl Admin {
    fn lock(&self) -> MutexGuard<'_, Client> {
        // A client is as good after a panic as before: each use is one statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}
