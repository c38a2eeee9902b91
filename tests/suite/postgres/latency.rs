//! A dialled latency is waited for by the server itself, and by those statements that it is configured for.

use std::time::{Duration, Instant};

use bakeoff::database::{Database, Setup, Typed, Url};
use bakeoff::latency::Latency;
use bakeoff::postgres::Connection;
use bakeoff::sql::{Class, Statement};
use bakeoff::units::Nanos;

use super::{NO_WAIT, SETUP, client, fresh, row, rows, shared, with};

const fn ms(ms: u64) -> Nanos {
    Nanos(ms * 1_000_000)
}

/// Runs every statement once; gives the shortest time of a class.
fn shortest(client: &mut Connection, class: Class) -> Duration {
    let run = |statement: Statement| {
        let text = match statement {
            Statement::Capture => with(statement, &[&"'a'", &17, &33, &100, &"'EUR'", &1]),
            Statement::Begin => with(statement, &[&0, &0, &0, &0, &0]),
            Statement::Credit => with(statement, &[&0, &1, &0]),
            Statement::Webhook => with(statement, &[&"'a'", &"'b'"]),
            Statement::Audit => with(statement, &[]),
            _ => with(statement, &[&1]),
        };
        let start = Instant::now();
        row(client, &text);
        start.elapsed()
    };
    let statements = Statement::ALL.into_iter().filter(|statement| statement.class() == class);
    statements.map(run).min().unwrap()
}

/// A schema with these latencies, in a fresh database of the shared cluster.
fn dialled(
    database: &Database,
    lookup: Latency,
    write: Latency,
    look: impl FnOnce(&mut Connection),
) {
    let trial = fresh(database);
    let url = Url::read(&Typed::from(trial.url().reveal().to_owned())).unwrap();
    let slow = Database::given(&url, &Setup { lookup, write, ..SETUP }, true).unwrap();
    look(&mut client(slow.fresh(1).unwrap().url().reveal()));
}

#[test]
fn each_class_waits_its_own_time() {
    let Some(database) = shared("latency") else { return };
    dialled(&database, Latency::Constant(ms(60)), Latency::Constant(ms(20)), |client| {
        assert!(shortest(client, Class::Lookup) >= Duration::from_millis(60));
        let write = shortest(client, Class::Write);
        assert!((20..60).contains(&write.as_millis()), "{write:?}: not a lookup's time");
    });
    dialled(&database, NO_WAIT, Latency::Constant(ms(60)), |client| {
        assert!(shortest(client, Class::Lookup) < Duration::from_millis(60));
        assert!(shortest(client, Class::Write) >= Duration::from_millis(60));
    });
}

/// The time inside the `pg_sleep` of a definition, drawn so many times by the server without sleeping, in ms, sorted.
fn drawn(client: &mut Connection, definition: &str, draws: i64) -> Vec<f64> {
    let found = format!("SELECT substring({definition} FROM 'pg_sleep\\((.*?)\\)(?: pg_sleep|;)')");
    let seconds = &row(client, &found)[0];
    let drawn = format!("SELECT 1000 * ({seconds}) FROM generate_series(1, {draws}) ORDER BY 1");
    rows(client, &drawn).iter().map(|row| row[0].parse().unwrap()).collect()
}

const LOOKUP: &str = "pg_get_viewdef('user_rows'::regclass)";
const WRITE: &str = "pg_get_functiondef('wait_write'::regproc)";

#[test]
fn spread_latencies_have_the_shape_that_was_asked_for() {
    let Some(database) = shared("spread latency") else { return };
    let uniform = Latency::Uniform { min: ms(2), max: ms(6) };
    let lognormal = Latency::Lognormal { p50: ms(20), p99: ms(90) };
    dialled(&database, uniform, lognormal, |client| {
        let uniform = drawn(client, LOOKUP, 20_000);
        assert_eq!((uniform[0], *uniform.last().unwrap()), (2.0, 6.0));
        let mean = uniform.iter().sum::<f64>() / uniform.len() as f64;
        assert!((mean - 4.0).abs() < 0.1, "{mean}");
        let lognormal = drawn(client, WRITE, 100_000);
        let at = |rank: f64| lognormal[(rank * lognormal.len() as f64) as usize];
        assert!((at(0.5) - 20.0).abs() <= 1.0, "{}", at(0.5));
        assert!((at(0.99) / 90.0 - 1.0).abs() < 0.1, "{}", at(0.99));
        assert!(at(0.0) >= 0.0);
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "3\n5\n1.5\n").unwrap();
    let trace = Latency::trace(file.path()).unwrap();
    dialled(&database, trace, NO_WAIT, |client| {
        let drawn = drawn(client, LOOKUP, 3_000);
        let count = |value: f64| drawn.iter().filter(|&&it| it == value).count();
        assert_eq!((count(3.0), count(5.0)), (1_000, 1_000));
        let (below, above) = (count(1.0), count(2.0));
        assert_eq!(below + above, 1_000);
        assert!((300..700).contains(&below), "1.5 ms is either 1 or 2: {below}");
        // The statement itself can be run, and its sequence is found by whoever comes in.
        assert!(shortest(client, Class::Lookup) >= Duration::from_millis(1));
    });
}
