//! The dataset's rows, into the tables of a fresh schema: by binary COPY on two connections at once.

use std::thread;

use crate::database::trouble;
use crate::domain::dataset::{BUSINESSES, Dataset, POPULATION};
use crate::error::Result;
use crate::interrupt;
use crate::postgres::Connection;

/// Rows that [`load`] writes: users, accounts and merchants.
pub(crate) const ROWS: u64 = 2 * POPULATION as u64 + BUSINESSES as u64;

/// Rows are handed to the connection in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What came of the trials goes; the rows that every trial starts with are written anew.
const EMPTY: &str = "TRUNCATE payments, distributions, credits, webhooks";

/// Fills the tables that `connect` leads to, whatever is in them.
///
/// # Errors
/// When the server refuses, or the user interrupts.
pub(crate) fn load(connect: &(dyn Fn() -> Result<Connection> + Sync), seed: u64) -> Result<()> {
    let data = Dataset::new(seed);
    thread::scope(|scope| {
        let users = scope.spawn(|| {
            let mut client = connect()?;
            client.query(EMPTY).map_err(trouble("cannot empty the tables"))?;
            merchants(&mut client, data)?;
            crate::database::load::users(&mut client, data)
        });
        accounts(&mut connect()?, data)?;
        users.join().expect("loading panicked")
    })
}

fn users(client: &mut Connection, data: Dataset) -> Result<()> {
    let columns = "id, blocked, opening_balance_minor, per_payment_minor";
    copy(client, "users", columns, 1..=POPULATION, &|id, row| {
        let (user, limits) = data.user(id).zip(data.limits(id)).expect("every id has a user");
        row.int4(id);
        row.bool(user.blocked);
        row.int8(user.opening_balance_minor);
        row.int8(limits.per_payment_minor);
    })
}

fn merchants(client: &mut Connection, data: Dataset) -> Result<()> {
    copy(client, "merchants", "id, closed, fee_bps", 1..=BUSINESSES, &|id, row| {
        let merchant = data.merchant(id).expect("every id has a merchant");
        row.int4(id);
        row.bool(merchant.closed);
        row.int4(merchant.fee_bps as u32);
    })
}

fn accounts(client: &mut Connection, data: Dataset) -> Result<()> {
    copy(client, "accounts", "id, tier, cap_points", 1..=POPULATION, &|id, row| {
        let account = data.account(id).expect("every id has an account");
        row.int4(id);
        row.int2(account.tier as u16);
        row.int8(account.cap_points);
    })
}

/// Writes one row for each id, in one message and so one transaction with the table's new, empty file: PostgreSQL keeps no
/// log of it (under `wal_level=minimal`) and may mark every row as seen by all (FREEZE), which the first readers of a trial
/// would do otherwise. The key's index is built afterwards, which is quicker than growing it.
fn copy(
    client: &mut Connection,
    table: &str,
    columns: &str,
    ids: std::ops::RangeInclusive<u32>,
    write: &dyn Fn(u32, &mut Rows),
) -> Result<()> {
    let refused = |error| trouble(format!("cannot load the table {table}"))(error);
    let fields = columns.split(',').count() as u16;
    let mut server = client
        .copy_in(&format!(
            "TRUNCATE {table};
             ALTER TABLE {table} DROP CONSTRAINT {table}_pkey;
             COPY {table} ({columns}) FROM STDIN (FORMAT binary, FREEZE);
             ALTER TABLE {table} ADD PRIMARY KEY (id)"
        ))
        .map_err(refused)?;
    let mut rows = Rows::new();
    for id in ids {
        rows.start(fields);
        write(id, &mut rows);
        if rows.0.len() >= PIECE_BYTES {
            interrupt::check()?;
            server.send(&rows.0).map_err(refused)?;
            rows.0.clear();
        }
    }
    rows.end();
    server.send(&rows.0).map_err(refused)?;
    server.finish().map_err(refused)
}

/// Rows in PostgreSQL's binary COPY format, version 1: big-endian, every field behind its length in bytes.
struct Rows(Vec<u8>);

impl Rows {
    /// The signature, no flags, no extension.
    fn new() -> Self {
        let mut bytes = Vec::with_capacity(PIECE_BYTES + 64);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        Self(bytes)
    }

    fn start(&mut self, fields: u16) {
        self.0.extend_from_slice(&fields.to_be_bytes());
    }

    fn end(&mut self) {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
    }

    fn bool(&mut self, value: bool) {
        self.field([u8::from(value)]);
    }

    fn int2(&mut self, value: u16) {
        self.field(value.to_be_bytes());
    }

    fn int4(&mut self, value: u32) {
        self.field(value.to_be_bytes());
    }

    fn int8(&mut self, value: u64) {
        self.field(value.to_be_bytes());
    }

    fn field<const LEN: usize>(&mut self, bytes: [u8; LEN]) {
        self.0.extend_from_slice(&(LEN as u32).to_be_bytes());
        self.0.extend_from_slice(&bytes);
    }
}
