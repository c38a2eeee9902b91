//! The PostgreSQL protocol without IO: [`PostgresProtocol`] is what a connection says and understands, [`Question`] and [`Reply`]
//! are what the services ask and are told. `remote/` moves the bytes, once awaiting and once blocking.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

mod protocol;
mod reply;
mod target;

use crate::domain::payment::Payment;
use crate::sql::Statement;

pub(crate) use protocol::PostgresProtocol;
pub(crate) use reply::Reply;
pub(crate) use target::target;

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
