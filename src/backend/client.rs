//! The client of a database: bakeoff's own, or on an event loop tokio-postgres in a pool of deadpool's.
//!
//! The borrowed one is a cross-check, in builds with the feature `cross-check` alone. It sends the same statements and must
//! get the same answers; what it costs more or less says how far the figures of an event loop depend on our client.

use std::fmt;
use std::str::FromStr;

use crate::backend::{Settings, StoreSettings};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Library {
    /// bakeoff's own, which is the same async and threaded except for its waiting.
    #[default]
    Bakeoff,
    /// tokio-postgres and deadpool-postgres. Event loops only.
    TokioPostgres,
}

impl Library {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bakeoff => "bakeoff",
            Self::TokioPostgres => "tokio-postgres",
        }
    }

    /// Whether this build has it.
    pub(crate) fn available(self) -> Result<()> {
        if self == Self::Bakeoff || cfg!(feature = "cross-check") {
            return Ok(());
        }
        Err(Error::usage(format!("this build of bakeoff is without the client {self}"))
            .help("build it with `cargo build --release --features cross-check`"))
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Library {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = [Self::Bakeoff, Self::TokioPostgres];
        known.into_iter().find(|one| one.name() == text).ok_or_else(|| {
            format!("there is no client `{text}`; there are bakeoff and tokio-postgres")
        })
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
