//! The PostgreSQL protocol without IO: [`PostgresProtocol`] is what a connection says and understands, [`Question`] and [`Reply`]
//! are what the services ask and are told. `remote/` moves the bytes, once awaiting and once blocking.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

pub(crate) mod protocol;

use std::net::{SocketAddr, ToSocketAddrs as _};

use crate::domain::payment::Payment;
use crate::error::{Error, Result};
use crate::postgres::Server;
use crate::sql::Statement;

pub(crate) use protocol::PostgresProtocol;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    User(u32),
    Limits(u32),
    Merchant(u32),
    /// The row of a loyalty account, with its points.
    Account(u32),
    /// To move the money of a payment, once for the key.
    Capture {
        key: &'a str,
        payment: &'a Payment,
        /// What it costs the merchant.
        fee_minor: u64,
    },
    /// To remember the fields of a distribution.
    Begin {
        id: u64,
        /// As they were sent: business, first account, accounts, spend.
        terms: [u64; 4],
    },
    /// To give points to an account, once for the distribution.
    Credit {
        distribution_id: u64,
        account_id: u32,
        points: u64,
    },
    /// To keep an event, once.
    Webhook {
        event_id: &'a str,
        body: &'a str,
    },
    Audit,
}

/// A parameter of a statement, in PostgreSQL's types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Param<'a> {
    Int4(i32),
    Int8(i64),
    Text(&'a str),
}

/// The most parameters of a statement.
const PARAMS_MAX: usize = 6;

impl<'a> Question<'a> {
    /// FanOutPool the statement and its parameters to `bind`. An id that no table can have becomes one that none has.
    pub(crate) fn bind<T>(self, bind: impl FnOnce(Statement, &[Param<'a>]) -> T) -> T {
        use Param::{Int4, Int8, Text};
        let id = |id: u32| Int4(i32::try_from(id).unwrap_or(-1));
        let long = |value: u64| Int8(i64::try_from(value).unwrap_or(-1));
        match self {
            Self::User(user) => bind(Statement::User, &[id(user)]),
            Self::Limits(user) => bind(Statement::Limits, &[id(user)]),
            Self::Merchant(merchant) => bind(Statement::Merchant, &[id(merchant)]),
            Self::Account(account) => bind(Statement::Account, &[id(account)]),
            Self::Capture { key, payment, fee_minor } => {
                let parameters: [Param<'a>; PARAMS_MAX] = [
                    Text(key),
                    id(payment.user_id),
                    id(payment.merchant_id),
                    long(payment.amount_minor),
                    Text(payment.currency.code()),
                    long(fee_minor),
                ];
                bind(Statement::Capture, &parameters)
            }
            Self::Begin { id, terms: [business, first, accounts, spend] } => {
                let parameters = [id, business, first, accounts, spend].map(long);
                bind(Statement::Begin, &parameters)
            }
            Self::Credit { distribution_id, account_id, points } => {
                bind(Statement::Credit, &[long(distribution_id), id(account_id), long(points)])
            }
            Self::Webhook { event_id, body } => {
                bind(Statement::Webhook, &[Text(event_id), Text(body)])
            }
            Self::Audit => bind(Statement::Audit, &[]),
        }
    }
}

const HELP: &str = "write it as postgres://USER:PASSWORD@127.0.0.1:5432/DATABASE";

/// The address of the server and what to say to it.
///
/// # Errors
/// No URL of PostgreSQL, or a host without an address. No message repeats a password.
pub(crate) fn target(text: &str) -> Result<(SocketAddr, Server)> {
    let wrong = |what: &str| Error::usage(format!("the database's URL {what}")).help(HELP);
    let server = Server::read(text).map_err(wrong)?;
    let host = match server.hostaddr.as_ref().unwrap_or(&server.host).as_str() {
        "" => "127.0.0.1",
        host if host.starts_with('/') => return Err(wrong("names a socket in the file system")),
        host => host,
    };
    let mut addresses = (host, server.port)
        .to_socket_addrs()
        .map_err(|error| wrong(&format!("names a host that is not known: {error}")))?;
    let address = addresses.next().ok_or_else(|| wrong("names a host without an address"))?;
    Ok((address, server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_an_address() {
        for (text, address) in [
            ("postgres://me@127.0.0.1:6000/shop", "127.0.0.1:6000"),
            ("postgresql://[::1]", "[::1]:5432"),
            ("postgres:///shop", "127.0.0.1:5432"),
            ("postgres://nowhere/shop?hostaddr=127.0.0.2", "127.0.0.2:5432"),
        ] {
            assert_eq!(target(text).unwrap().0, address.parse().unwrap(), "{text}");
        }
        for text in ["shop", "postgres://u:hunter2@127.0.0.1:99999/x", "postgres://%2Ftmp/hunter2"]
        {
            let error = target(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
