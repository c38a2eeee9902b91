//! A server that is frozen for S of T: the percentile p of the response time is S - (1 - p/100) T, plus what the drain
//! takes. The service time alone shows nothing of it.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::error::Result;
use crate::load::plan::{Arrivals, WarmUp};
use crate::run::selftest::server::{Law, Process};
use crate::run::selftest::{Bench, Row, Verdict, Wire, only, open, quantile, unanswered};
use crate::units::Nanos;
use crate::{clock, load};

/// Arrivals at equal gaps: with those of chance the count of a stall's requests would be off by more than the tolerance.
const RATE: f64 = 500.0;
/// Few, so that most of the stall's requests wait for a connection: where a service time does not look.
const CONNECTIONS: usize = 8;
/// Of whole gaps, and sent like the rest.
const WARM_UP: Nanos = Nanos(200_000_000);
/// Of the expected value.
const TOLERANCE: f64 = 0.02;
/// A service time that is at most this share of the response time shows the lie.
const LIE: f64 = 0.1;

/// Freezes the server with SIGSTOP, in the middle.
pub(super) fn check(bench: &Bench<'_>, wire: Wire) -> Result<Vec<Row>> {
    let window = bench.span(Nanos(10_000_000_000), Nanos(5_000_000_000));
    let server = Process::start(Law::Constant(Nanos(0)), bench.server_cores())?;
    let shape = open(RATE, Arrivals::Constant);
    let plan = load::plan::Plan {
        connections: CONNECTIONS,
        timeout: window,
        warm_up: WarmUp::Through(WARM_UP),
        ..wire.over(bench.plan(server.address, shape, window))?
    };
    let (tell, told) = mpsc::sync_channel(0);
    let server = &server;
    let (outcome, frozen) = thread::scope(|scope| {
        let freezer = scope.spawn(move || {
            told.recv().map(|at: load::Window| freeze(bench, server, at.start, window))
        });
        let outcome = load::run(&plan, bench.stop, Some(&tell));
        drop(tell);
        (outcome, freezer.join().expect("freezing does not panic").unwrap_or_default())
    });
    let outcome = outcome?;
    let kind = only(&outcome);
    let allowed = TOLERANCE * expected(frozen, window, 0.95).0 as f64 / 2.0;
    let lag = Nanos(kind.generator_lag.max());
    let served = server.served()?;
    let worst = lag.max(served.lost.saturating_sub(frozen));
    let needs = (worst.0 as f64 > allowed).then(|| {
        let allowed = Nanos(allowed as u64);
        format!("cores that stop for less than {allowed} besides, and not for {worst}")
    });
    let needs = unanswered(&outcome).or(needs);
    let rows = [(0.95, "p95"), (0.99, "p99")].map(|(rank, name)| {
        let (expected, measured) =
            (expected(frozen, window, rank), quantile(kind, &kind.response, rank));
        let off = measured.0.abs_diff(expected.0) as f64;
        Row {
            check: "stall",
            what: format!("{name}, frozen {frozen} of {window}{}", wire.said()),
            expected: format!("{expected} within 2 %"),
            measured: measured.to_string(),
            verdict: Verdict::of(off <= TOLERANCE * expected.0 as f64),
            needs: None,
        }
    });
    let [truth, lie] = [&kind.response, &kind.service].map(|times| quantile(kind, times, 0.99));
    let shown = Row {
        check: "stall",
        what: format!("p99 of the service time alone{}", wire.said()),
        expected: "hides it".into(),
        measured: lie.to_string(),
        verdict: Verdict::of((lie.0 as f64) < LIE * truth.0 as f64),
        needs: None,
    };
    let rows = rows.into_iter().chain([shown]).map(|row| row.excused(needs.as_deref()));
    let counts = StallCounts {
        due: due(window),
        offered: outcome.offered,
        recorded: kind.response.len(),
        served: served.services.saturating_sub(due(WARM_UP)),
    };
    Ok(rows.chain([counts.row()]).collect())
}

/// Requests of the window, as those count them who had to do with them.
#[derive(Clone, Copy, Debug)]
struct StallCounts {
    /// By the rate and the window.
    due: u64,
    /// By the generator.
    offered: u64,
    /// With a response time.
    recorded: u64,
    /// By the server.
    served: u64,
}

fn due(time: Nanos) -> u64 {
    (RATE * time.as_secs_f64()).round() as u64
}

impl StallCounts {
    /// None may be lost, whatever the machine does: a freeze puts requests off and takes none away.
    fn row(self) -> Row {
        let Self { due, offered, recorded, served } = self;
        Row {
            check: "stall",
            what: "requests offered, recorded, served".into(),
            expected: format!("{due} each"),
            measured: format!("{offered}, {recorded}, {served}"),
            verdict: Verdict::of([offered, recorded, served] == [due; 3]),
            needs: None,
        }
    }
}

/// How often a wait looks whether it is to end.
const LOOK_EVERY: Nanos = Nanos(100_000_000);

/// Stops the server for a tenth of the window, and gives for how long it was; not at all once the check is interrupted.
fn freeze(bench: &Bench<'_>, server: &Process, start: Nanos, window: Nanos) -> Nanos {
    let at = start + Nanos(window.0 * 45 / 100);
    loop {
        let left = at.saturating_sub(clock::now());
        if bench.stopped() {
            return Nanos(0);
        }
        if left == Nanos(0) {
            break;
        }
        thread::sleep(left.min(LOOK_EVERY).into());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_request_in_a_thousand_is_caught_whoever_lost_it() {
        let sound = StallCounts { due: 5_000, offered: 5_000, recorded: 5_000, served: 5_000 };
        assert_eq!(sound.row().verdict, Verdict::Holds);
        for lost in [
            StallCounts { offered: 4_995, recorded: 4_995, served: 4_995, ..sound },
            StallCounts { recorded: 4_995, ..sound },
            StallCounts { recorded: 4_995, served: 4_995, ..sound },
            StallCounts { served: 5_001, ..sound },
        ] {
            assert_eq!(lost.row().verdict, Verdict::Fails, "{lost:?}");
        }
    }
}
