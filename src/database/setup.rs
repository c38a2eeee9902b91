//! What a database is set up with, how its lookups and writes wait, and what it says of itself.

use std::thread;

use crate::database::trouble;
use crate::domain::dataset::{BUSINESSES, Dataset, POPULATION};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::latency::Latency;
use crate::postgres::Connection;
use crate::sql::SCHEMA;
use crate::units::Nanos;

/// What a database must hold and how it must behave.
#[derive(Clone, Debug)]
pub struct Setup {
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

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// What makes an undelayed schema wait, for lookups and for writes.
///
/// # Errors
/// A latency that `pg_sleep` cannot do.
pub(crate) fn dial(lookup: &Latency, write: &Latency) -> Result<String> {
    let mut sql = String::new();
    for (latency, turn) in [(lookup, "lookup_turn"), (write, "write_turn")] {
        if let Latency::Trace(_) = latency {
            sql += &format!("CREATE SEQUENCE {turn} MINVALUE 0 CYCLE;\n");
        }
    }
    if let Some(seconds) = seconds(lookup, "lookup_turn")? {
        for view in SCHEMA.lines().filter(|line| line.starts_with("CREATE VIEW ")) {
            let view = view.replacen("CREATE", "CREATE OR REPLACE", 1);
            let select = view.strip_suffix(';').expect("a view of the schema stands on one line");
            sql += &format!("{select}, pg_sleep({seconds});\n");
        }
    }
    if let Some(seconds) = seconds(write, "write_turn")? {
        sql += &format!(
            "CREATE OR REPLACE FUNCTION wait_write() RETURNS void LANGUAGE plpgsql\n\
             AS $$BEGIN PERFORM pg_sleep({seconds}); END$$;\n"
        );
    }
    Ok(sql)
}

/// The time as an expression, or nothing for no time. `turn` is the sequence that a trace is read by.
fn seconds(latency: &Latency, turn: &str) -> Result<Option<String>> {
    let refused = |what: String| {
        Err(Error::usage(format!("PostgreSQL cannot wait {what}: it sleeps whole milliseconds"))
            .help("write a whole number of them, at least 1ms, or use [store.standin]"))
    };
    let ms = match latency {
        Latency::Constant(Nanos(0)) => return Ok(None),
        Latency::Constant(time) if time.0 % Nanos::MILLI.0 != 0 => {
            return refused(time.to_string());
        }
        Latency::Constant(time) => return Ok(Some(format!("{}", time.as_secs_f64()))),
        Latency::Lognormal { p50, .. } if *p50 < Nanos::MILLI => {
            return refused(format!("{p50} as a median"));
        }
        Latency::Uniform { min, max } => {
            format!("{} + random() * {}", ms(*min), ms(max.saturating_sub(*min)))
        }
        // Box and Muller (1958). 1 - random() is never 0.
        Latency::Lognormal { p50, p99 } => format!(
            "{} * exp({} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))",
            ms(*p50),
            (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z99
        ),
        Latency::Trace(trace) => format!(
            "('{{{}}}'::float8[])[1 + nextval('{turn}') % {}]",
            trace.times().iter().map(|time| ms(*time).to_string()).collect::<Vec<_>>().join(","),
            trace.times().len()
        ),
    };
    Ok(Some(format!("floor({ms} + random()) / 1000")))
}

fn ms(time: Nanos) -> f64 {
    time.0 as f64 / Nanos::MILLI.0 as f64
}

/// Rows that [`load`] writes: users, accounts and merchants.
pub(crate) const ROWS: u64 = 2 * POPULATION as u64 + BUSINESSES as u64;

/// Rows are handed to the connection in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What came of the trials goes; the rows that every trial starts with are written anew.
const EMPTY: &str = "TRUNCATE payments, distributions, credits, webhooks";

/// Fills the tables that `connect` leads to, whatever is in them.
pub(crate) fn load(connect: &(dyn Fn() -> Result<Connection> + Sync), seed: u64) -> Result<()> {
    let data = Dataset::new(seed);
    thread::scope(|scope| {
        let users = scope.spawn(|| {
            let mut client = connect()?;
            client.query(EMPTY).map_err(trouble("cannot empty the tables"))?;
            merchants(&mut client, data)?;
            crate::database::setup::users(&mut client, data)
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Latency = Latency::Constant(Nanos(0));

    #[test]
    fn every_lookup_waits_and_nothing_else() {
        let sql = dial(&Latency::Constant(Nanos(50_000_000)), &NOTHING).unwrap();
        let views: Vec<&str> = sql.lines().filter(|line| line.contains("VIEW")).collect();
        assert_eq!(views.len(), 4);
        assert!(views.iter().all(|view| view.ends_with(", pg_sleep(0.05);")), "{sql}");
        assert!(!sql.contains("wait_write"));
        let sql = dial(&NOTHING, &Latency::Constant(Nanos::MILLI)).unwrap();
        assert!(sql.contains("PERFORM pg_sleep(0.001);") && !sql.contains("VIEW"), "{sql}");
        assert_eq!(dial(&NOTHING, &NOTHING).unwrap(), "");
    }

    #[test]
    fn what_pg_sleep_cannot_do_is_refused() {
        for latency in [
            Latency::Constant(Nanos(200_000)),
            Latency::Constant(Nanos(1_500_000)),
            Latency::Lognormal { p50: Nanos(300_000), p99: Nanos::MILLI },
        ] {
            let error = dial(&latency, &NOTHING).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("store.standin"), "{error}");
        }
    }
}
