//! The statements that contenders send to a database: what a client, the stand-in and a real PostgreSQL agree on.
//!
//! `contracts/schema.sql` has the tables, views and functions behind them. A configured latency is part of that schema, by
//! class, so a client sends the same text whatever it has to wait.

/// The tables, views and functions of a database, without a dialled latency.
pub const SCHEMA: &str = include_str!("../contracts/schema.sql");

/// One statement. Its parameters and columns have the types that it lists, by PostgreSQL's OIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Statement {
    /// id int4 -> blocked bool, opening_balance_minor int8
    User,
    /// user_id int4 -> per_payment_minor int8
    Limits,
    /// id int4 -> closed bool, fee_bps int4
    Merchant,
    /// id int4 -> tier int2, cap_points int8, points int8
    Account,
    /// key text, user_id int4, merchant_id int4, amount_minor int8, currency text, fee_minor int8 -> outcome text,
    /// fee_minor int8
    Capture,
    /// id int8, business_id int8, first_account int8, accounts int8, spend_minor int8 -> same bool
    Begin,
    /// distribution_id int8, account_id int4, points int8 -> fresh bool
    Credit,
    /// event_id text, body text -> fresh bool
    Webhook,
    /// -> nine figures int8, named as in `GET /audit`
    Audit,
}

/// What a scenario dials a latency for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Reads one row.
    Lookup,
    /// Changes something.
    Write,
    /// Belongs to no request: never delayed.
    Audit,
}

/// PostgreSQL's OIDs of the types that are used here (`pg_type.dat`).
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
}

use oid::{BOOL, INT2, INT4, INT8, TEXT};

impl Statement {
    pub const ALL: [Self; 9] = [
        Self::User,
        Self::Limits,
        Self::Merchant,
        Self::Account,
        Self::Capture,
        Self::Begin,
        Self::Credit,
        Self::Webhook,
        Self::Audit,
    ];

    /// The name under which a connection prepares it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Limits => "limits",
            Self::Merchant => "merchant",
            Self::Account => "account",
            Self::Capture => "capture",
            Self::Begin => "begin",
            Self::Credit => "credit",
            Self::Webhook => "webhook",
            Self::Audit => "audit",
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::User => "SELECT blocked, opening_balance_minor FROM user_rows WHERE id = $1",
            Self::Limits => "SELECT per_payment_minor FROM limit_rows WHERE user_id = $1",
            Self::Merchant => "SELECT closed, fee_bps FROM merchant_rows WHERE id = $1",
            Self::Account => "SELECT tier, cap_points, points FROM account_rows WHERE id = $1",
            Self::Capture => "SELECT outcome, fee_minor FROM capture($1, $2, $3, $4, $5, $6)",
            Self::Begin => "SELECT same FROM begin_distribution($1, $2, $3, $4, $5)",
            Self::Credit => "SELECT fresh FROM credit($1, $2, $3)",
            Self::Webhook => "SELECT fresh FROM receive_webhook($1, $2)",
            Self::Audit => "SELECT * FROM audit()",
        }
    }

    /// What a latency is configured for.
    pub fn class(self) -> Class {
        match self {
            Self::User | Self::Limits | Self::Merchant | Self::Account => Class::Lookup,
            Self::Capture | Self::Begin | Self::Credit | Self::Webhook => Class::Write,
            Self::Audit => Class::Audit,
        }
    }

    pub fn parameters(self) -> &'static [u32] {
        match self {
            Self::User | Self::Limits | Self::Merchant | Self::Account => &[INT4],
            Self::Capture => &[TEXT, INT4, INT4, INT8, TEXT, INT8],
            Self::Begin => &[INT8, INT8, INT8, INT8, INT8],
            Self::Credit => &[INT8, INT4, INT8],
            Self::Webhook => &[TEXT, TEXT],
            Self::Audit => &[],
        }
    }

    pub fn columns(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::User => &[("blocked", BOOL), ("opening_balance_minor", INT8)],
            Self::Limits => &[("per_payment_minor", INT8)],
            Self::Merchant => &[("closed", BOOL), ("fee_bps", INT4)],
            Self::Account => &[("tier", INT2), ("cap_points", INT8), ("points", INT8)],
            Self::Capture => &[("outcome", TEXT), ("fee_minor", INT8)],
            Self::Begin => &[("same", BOOL)],
            Self::Credit | Self::Webhook => &[("fresh", BOOL)],
            Self::Audit => &[
                ("money_in_minor", INT8),
                ("money_out_minor", INT8),
                ("fees_minor", INT8),
                ("points_issued", INT8),
                ("points_held", INT8),
                ("payments", INT8),
                ("distributions", INT8),
                ("credits", INT8),
                ("webhooks", INT8),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_lists_every_statement() {
        for statement in Statement::ALL {
            let line = format!("-- {:<13} {}\n", statement.name(), statement.text());
            assert!(SCHEMA.contains(&line), "{line}");
            let last = statement.parameters().len();
            assert!(statement.text().contains(&format!("${last}")) || last == 0);
            assert!(!statement.text().contains(&format!("${}", last + 1)));
        }
    }
}
