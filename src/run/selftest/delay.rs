//! Delays that are known: none at all, and ten milliseconds.

use super::process::{Process, Served};
use super::server::Law;
use super::{Attempt, Bench, Row, Verdict, only, open, quantile, unanswered, unless_all_hold};
use crate::error::Result;
use crate::load::outcome::Outcome;
use crate::load::plan::{Arrivals, Plan, Shape};
use crate::load::{self};
use crate::units::Nanos;

/// What an open load may add to the round trip of a closed one.
const ADDED_MAX: Nanos = Nanos(20_000);
/// The delay that is put in.
const DELAY: Nanos = Nanos(10_000_000);
/// It must be read within this share of itself.
const TOLERANCE: f64 = 0.01;
/// A machine that takes more than this of the server's core moves even a median.
const LOST_MAX: f64 = 0.2;

/// The null server at its floor, then ten milliseconds above it.
pub(super) fn check(bench: &Bench<'_>) -> Result<Attempt> {
    let span = bench.span(Nanos(2_000_000_000), Nanos(1_000_000_000));
    let (closed, floor, at_floor) = null(bench, span)?;
    let round_trip = quantile(only(&closed), &only(&closed).service, 0.5);
    let null_p50 = median(&floor);

    let slow = Process::start(Law::Constant(DELAY), bench.server_cores())?;
    // 30 ms apart: none waits for another.
    let plan = bench.plan(slow.address, open(33.0, Arrivals::Constant), span);
    let delayed = load::run(&plan, bench.stop, &|_| ())?;
    let at_delay = slow.served()?;
    // All that is not service: the way there and back, and the generator.
    let way = null_p50.0.saturating_sub(at_floor.mean as u64);
    let expected = Nanos(way + DELAY.0);
    let measured = median(&delayed);
    let off = measured.0 as f64 - expected.0 as f64;
    let rows = vec![
        Row {
            check: "known delay",
            what: "p50 of a null server, open loop".into(),
            expected: format!("closed loop's {round_trip}, at most {ADDED_MAX} more"),
            measured: null_p50.to_string(),
            verdict: Verdict::of(null_p50 <= round_trip + ADDED_MAX),
        },
        Row {
            check: "known delay",
            what: format!("p50 with {DELAY} put in"),
            expected: format!("{expected} within 1 %"),
            measured: format!("{measured} ({:+.1} us)", off / 1e3),
            verdict: Verdict::of(off.abs() <= TOLERANCE * expected.0 as f64),
        },
    ];
    let lost = |served: &Served| served.lost.0 as f64 > LOST_MAX * span.0 as f64;
    let disturbed = [&closed, &floor, &delayed].into_iter().find_map(unanswered).or_else(|| {
        [at_floor, at_delay].iter().any(lost).then(|| "the machine took the server's core".into())
    });
    Ok(Attempt { disturbed: unless_all_hold(disturbed, &rows), rows })
}

/// A closed loop on the null server, and an open one with what the server then said of itself. It ends here: it spins,
/// and beside it the next server would have half a core.
fn null(bench: &Bench<'_>, span: Nanos) -> Result<(Outcome, Outcome, Served)> {
    let null = Process::start(Law::Constant(Nanos(0)), bench.server_cores())?;
    let alone = |shape| Plan { connections: 1, ..bench.plan(null.address, shape, span) };
    let closed = load::run(&alone(Shape::Closed), bench.stop, &|_| ())?;
    // What it has served so far is asked for and dropped: only the open loop counts.
    null.served()?;
    let floor = load::run(&alone(open(500.0, Arrivals::Constant)), bench.stop, &|_| ())?;
    let at_floor = null.served()?;
    Ok((closed, floor, at_floor))
}

fn median(outcome: &Outcome) -> Nanos {
    quantile(only(outcome), &only(outcome).response, 0.5)
}
