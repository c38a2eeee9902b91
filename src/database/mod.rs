//! A real PostgreSQL behind the contenders: a throw-away cluster of our own, or a schema in a server that is given.
//!
//! - [`Database`] is what a run has, [`Trial`] what one trial gets of it: the same rows every time, and nothing else.
//! - `keeper` is a process between this one and the cluster, which removes the cluster even after `kill -9`;
//!   `cluster` is what it keeps.
//! - `setup` writes the rows and makes lookups and writes wait, `url` hides passwords.
//! - [`probe`] asks a server one query again and again and says how long it takes.
//!
//! Nothing here runs while a trial is measured.

mod cluster;
mod keeper;
pub mod probe;
pub(crate) mod server;
pub(crate) mod setup;
mod url;

use std::fmt::Display;

use crate::error::{Error, Result};
use crate::postgres::{Connection, ConnectionError, Server};

pub use cluster::find_programs;
pub use keeper::keep;
pub use server::{Database, Trial};
pub use setup::Setup;
pub use url::{Typed, Url};

/// A connection, or why not.
fn connect(server: &Server, whereto: &dyn Display) -> Result<Connection> {
    Connection::open(server).map_err(|error| {
        Error::usage(format!("cannot connect to {whereto}: {error}"))
            .help("is it running, and are user, password and database right?")
    })
}

/// Puts what was tried before what the server said.
fn trouble(what: impl Display) -> impl FnOnce(ConnectionError) -> Error {
    move |error| Error::internal(format!("{what}: {error}"))
}
