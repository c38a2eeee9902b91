//! A server that is frozen for S of T: the percentile p of the response time is S - (1 - p/100) T, plus what the drain
//! takes. The service time alone shows nothing of it.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::process::Process;
use super::server::Law;
use super::{Attempt, Bench, Row, Verdict, only, open, quantile, unanswered, unless_all_hold};
use crate::error::Result;
use crate::load::plan::Arrivals;
use crate::load::{self, Moment};
use crate::units::Nanos;

/// Arrivals at equal gaps: with those of chance the count of a stall's requests would be off by more than the tolerance.
const RATE: f64 = 500.0;
/// Few, so that most of the stall's requests wait for a connection: where a service time does not look.
const CONNECTIONS: usize = 8;
/// Of the expected value.
const TOLERANCE: f64 = 0.02;
/// A service time that is at most this share of the response time shows the lie.
const LIE: f64 = 0.1;

/// Freezes the server with SIGSTOP, in the middle.
pub(super) fn check(bench: &Bench<'_>) -> Result<Attempt> {
    let window = bench.span(Nanos(10_000_000_000), Nanos(5_000_000_000));
    let server = Process::start(Law::Constant(Nanos(0)), bench.server_cores())?;
    let shape = open(RATE, Arrivals::Constant);
    let plan = load::plan::Plan {
        connections: CONNECTIONS,
        timeout: window,
        ..bench.plan(server.address, shape, window)
    };
    let (begun, begins) = mpsc::channel();
    let server = &server;
    let (outcome, frozen) = thread::scope(|scope| {
        let freezer = scope.spawn(move || begins.recv().map(|()| freeze(server, window)));
        let outcome = load::run(&plan, bench.stop, &|moment| {
            if moment == Moment::WindowStart {
                let _ = begun.send(());
            }
        });
        drop(begun);
        (outcome, freezer.join().expect("freezing does not panic").unwrap_or_default())
    });
    let outcome = outcome?;
    let kind = only(&outcome);
    let allowed = TOLERANCE * expected(frozen, window, 0.95).0 as f64 / 2.0;
    let lag = Nanos(kind.generator_lag.max());
    let other_stops = server.served()?.lost.saturating_sub(frozen);
    let disturbed = unanswered(&outcome).or_else(|| {
        let worst = lag.max(other_stops);
        (worst.0 as f64 > allowed).then(|| format!("the machine stopped for {worst} besides"))
    });
    let rows = [(0.95, "p95"), (0.99, "p99")].map(|(rank, name)| {
        let (expected, measured) =
            (expected(frozen, window, rank), quantile(kind, &kind.response, rank));
        let off = measured.0.abs_diff(expected.0) as f64;
        Row {
            check: "stall",
            what: format!("{name}, frozen {frozen} of {window}"),
            expected: format!("{expected} within 2 %"),
            measured: measured.to_string(),
            verdict: Verdict::of(off <= TOLERANCE * expected.0 as f64),
        }
    });
    let [truth, lie] = [&kind.response, &kind.service].map(|times| quantile(kind, times, 0.99));
    let shown = Row {
        check: "stall",
        what: "p99 of the service time alone".into(),
        expected: "hides it".into(),
        measured: lie.to_string(),
        verdict: Verdict::of((lie.0 as f64) < LIE * truth.0 as f64),
    };
    let rows: Vec<Row> = rows.into_iter().chain([shown]).collect();
    Ok(Attempt { disturbed: unless_all_hold(disturbed, &rows), rows })
}

/// Stops the server for a tenth of the window, and gives for how long it was.
fn freeze(server: &Process, window: Nanos) -> Nanos {
    thread::sleep(Duration::from_nanos(window.0 * 45 / 100));
    let _ = kill_process(server.pid(), Signal::STOP);
    let begun = Instant::now();
    thread::sleep(Duration::from_nanos(window.0 / 10));
    let frozen = begun.elapsed();
    let _ = kill_process(server.pid(), Signal::CONT);
    frozen.into()
}

fn expected(frozen: Nanos, window: Nanos, rank: f64) -> Nanos {
    frozen.saturating_sub(Nanos(((1.0 - rank) * window.0 as f64).round() as u64))
}
