//! What a database is set up with, how its lookups and writes wait, and what it says of itself.

use crate::database::trouble;
use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::postgres::Connection;
use crate::sql::SCHEMA;
use crate::units::Nanos;

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
