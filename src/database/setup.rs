//! What a database is set up with, and what it says of itself.

use super::trouble;
use crate::error::Result;
use crate::latency::Latency;
use crate::postgres::Connection;

/// What a database must hold and how it must behave.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Of the dataset.
    pub seed: u64,
    /// What every lookup waits.
    pub lookup: Latency,
    /// What every write waits.
    pub write: Latency,
    /// What contenders may open at once, all of them together. A server that is given has its own limit.
    pub connections: u32,
}

/// What a fingerprint says about a server.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) version: String,
    pub(crate) settings: Vec<(String, String)>,
}

impl Facts {
    /// Asks the server.
    ///
    /// # Errors
    /// When it refuses.
    pub(crate) fn ask(connection: &mut Connection) -> Result<Self> {
        let mut show = |name: &str| {
            let rows = connection.query(&format!("SHOW {name}"));
            let rows = rows.map_err(trouble(format!("cannot read the setting {name}")))?;
            Ok(rows.first().and_then(|row| row.get(0)).unwrap_or_default().to_owned())
        };
        let version = show("server_version")?;
        let settings = SETTINGS.iter().map(|name| Ok(((*name).to_owned(), show(name)?)));
        Ok(Self { version, settings: settings.collect::<Result<_>>()? })
    }
}

/// Shown in this order.
pub(crate) const SETTINGS: [&str; 10] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "autovacuum",
    "shared_buffers",
    "max_connections",
    "max_wal_size",
    "checkpoint_timeout",
    "jit",
];
