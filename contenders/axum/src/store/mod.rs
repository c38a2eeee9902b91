//! What the services remember: in memory, or in PostgreSQL.

pub mod memory;
#[cfg(feature = "tokio")]
pub mod postgres;

use std::fmt;

use serde::Serialize;

use crate::rules::dataset::{Account, Limits, Merchant, User};
use crate::rules::loyalty::Distribution;
use crate::rules::payment::Payment;

/// Why a store has not answered.
#[derive(Debug)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Result<T> = std::result::Result<T, Failed>;

/// What became of a payment that was to be captured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// With the fee.
    Captured(i64),
    /// With the fee of the first time.
    Replayed(i64),
    Conflict,
    InsufficientFunds,
}

/// The books. Each figure is counted apart from the one that it must agree with.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    pub money_in_minor: i64,
    pub money_out_minor: i64,
    pub fees_minor: i64,
    pub points_issued: i64,
    pub points_held: i64,
    pub applied: Applied,
}

#[derive(Debug, Default, Serialize)]
pub struct Applied {
    pub payments: i64,
    pub distributions: i64,
    pub credits: i64,
    pub webhooks: i64,
}

pub enum Store {
    Memory(memory::Memory),
    #[cfg(feature = "tokio")]
    Postgres(postgres::Postgres),
}

/// The same call of whichever store there is.
macro_rules! call {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            Store::Memory(memory) => Ok(memory.$method($($argument),*)),
            #[cfg(feature = "tokio")]
            Store::Postgres(postgres) => postgres.$method($($argument),*).await,
        }
    };
}

impl Store {
    pub async fn user(&self, id: u32) -> Result<Option<User>> {
        call!(self, user(id))
    }

    pub async fn limits(&self, user_id: u32) -> Result<Option<Limits>> {
        call!(self, limits(user_id))
    }

    pub async fn merchant(&self, id: u32) -> Result<Option<Merchant>> {
        call!(self, merchant(id))
    }

    /// With the points that it holds.
    pub async fn account(&self, id: u32) -> Result<Option<(Account, i64)>> {
        call!(self, account(id))
    }

    /// Moves the money of a payment once for each key.
    pub async fn capture(&self, payment: Payment, user: User, fee_minor: i64) -> Result<Outcome> {
        call!(self, capture(payment, user, fee_minor))
    }

    /// Stores the terms, and returns whether the id came with these, now or before.
    pub async fn begin(&self, distribution: &Distribution) -> Result<bool> {
        call!(self, begin(distribution))
    }

    /// Gives points to an account once for each distribution that was begun.
    pub async fn credit(&self, of: &Distribution, account: u32, points: i64) -> Result<()> {
        call!(self, credit(of, account, points))
    }

    /// Keeps an event once, and returns whether it is new.
    pub async fn receive(&self, event_id: String, body: String) -> Result<bool> {
        call!(self, receive(event_id, body))
    }

    pub async fn audit(&self) -> Result<Audit> {
        call!(self, audit())
    }
}
