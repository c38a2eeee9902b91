//! Tokio: one thread for all connections, or several that steal tasks from each other.

pub(crate) mod cpu;
#[cfg(feature = "cross-check")]
mod cross_check;
pub(crate) mod fan_out;
pub(crate) mod remote;
pub(crate) mod serve;
mod socket;

#[cfg(feature = "cross-check")]
pub(crate) use cross_check::{Client, client};

/// An event loop's connections to the database.
#[cfg(not(feature = "cross-check"))]
pub(crate) type Client = remote::Pool<crate::backend::postgres::PostgresProtocol>;

/// The client of the database, without a connection yet.
#[cfg(not(feature = "cross-check"))]
pub(crate) fn client(
    _: &crate::backend::Settings,
    peer: crate::backend::remote::Peer<crate::postgres::Server>,
) -> crate::error::Result<Client> {
    Ok(Client::new(peer))
}
