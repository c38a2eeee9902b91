//! The client of a database: bakeoff's own, or on an event loop tokio-postgres in a pool of deadpool's.
//!
//! The borrowed one is a cross-check, in builds with the feature `cross-check` alone. It sends the same statements and must
//! get the same answers; what it costs more or less says how far the figures of an event loop depend on our client.

use crate::backend::{Settings, StoreSettings};
use crate::error::{Error, Result};
use crate::words::words;

words! {
    "client"
    /// A client of PostgreSQL.
    #[derive(Default)]
    pub enum Library {
        /// bakeoff's own.
        #[default]
        Bakeoff = "bakeoff",
        /// tokio-postgres with deadpool-postgres, a cross-check; in builds with the feature `cross-check`.
        TokioPostgres = "tokio-postgres",
    }
}

impl Library {
    /// Whether this build has it.
    pub(crate) fn available(self) -> Result<()> {
        if self == Self::Bakeoff || cfg!(feature = "cross-check") {
            return Ok(());
        }
        Err(Error::usage(format!("this build of bakeoff is without the client {self}"))
            .help("build it with `cargo build --release --features cross-check`"))
    }
}

/// Whether the settings' client can be had.
///
/// # Errors
/// Usage errors: a client of event loops for threads, or one with nothing to ask.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    if settings.client == Library::Bakeoff {
        return Ok(());
    }
    let client = settings.client;
    if !settings.model.is_async() {
        return Err(Error::usage(format!("{} cannot use {client}", settings.model))
            .help("leave --client out, or take event-loop or work-stealing"));
    }
    if settings.store == StoreSettings::Memory {
        return Err(Error::usage(format!("there is no database for {client} to ask"))
            .help("add --store postgres --database-url URL, or leave --client out"));
    }
    client.available()
}
