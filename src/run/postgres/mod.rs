//! A real PostgreSQL behind the contenders: a throw-away cluster of our own, or a schema in a server that is given.
//!
//! - [`Database`] is what a run has, [`Trial`] what one trial gets of it: the same rows every time, and nothing else.
//! - `keeper` is a process between this one and the cluster, so that nothing is left of it even after `kill -9`;
//!   `binaries`, `account`, `folder` and `cluster` are what it is made of.
//! - `load` writes the rows, `latency_sql` makes lookups and writes wait, `url` hides passwords.
//! - [`probe`] asks a server one query again and again and says how long it takes.
//!
//! Nothing here runs while a trial is measured.

mod account;
mod auto;
pub mod binaries;
mod cluster;
mod database;
mod folder;
mod given;
mod keeper;
mod latency_sql;
mod load;
pub mod probe;
mod url;

use std::fmt::Display;
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use crate::error::{Error, Result};

pub use database::{Database, Setup, Trial};
pub use keeper::keep;
pub use url::{Typed, Url};

/// A server that takes longer to accept a connection is not there.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// A connection, or why not.
fn connect(config: &Config, whereto: &dyn Display) -> Result<Client> {
    config.connect(NoTls).map_err(|error| {
        Error::usage(format!("cannot connect to {whereto}: {}", said(&error)))
            .help("is it running, and are user, password and database right?")
    })
}

/// Puts what was tried before what the server said.
fn trouble(what: impl Display) -> impl FnOnce(postgres::Error) -> Error {
    move |error| Error::internal(format!("{what}: {}", said(&error)))
}

/// What the server said, with the SQLSTATE by which it can be looked up; or what became of the connection.
fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} (SQLSTATE {})", said.message(), said.code().code()),
        None => std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": "),
    }
}
