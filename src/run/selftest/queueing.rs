//! Queues with one server and arrivals of chance: Pollaczek and Khinchine give the mean response time from the arrival
//! rate and the first two moments of the service times, all three as they were measured.

use std::time::Duration;

use crate::error::Result;
use crate::load;
use crate::load::plan::Arrivals;
use crate::record::outcome::{Kind, Slice};
use crate::run::selftest::server::{Law, Process, Served};
use crate::run::selftest::{Bench, Check, Row, Verdict, only, open, server, unanswered};
use crate::stats::batch_means;
use crate::units::Nanos;

/// The mean service time: long against the way there and back, short against a batch.
const SERVICE: Nanos = Nanos(400_000);
/// By how many requests the way there and back is measured, and their distance: none of them queues.
const WAY: (u32, Duration) = (500, Duration::from_millis(1));
const RHO: [f64; 3] = [0.3, 0.6, 0.8];
/// Batches, of as many slices each: several times as long as the queue remembers (50 ms at the highest utilisation).
const BATCHES: usize = 15;
/// Of the mean's interval.
const CONFIDENCE: f64 = 0.999;
/// The machine's stops may move the mean by this share of it: more would hide too much.
const MOVED_MAX: f64 = 0.1;
/// Services that take so many times what they were drawn for make another queue, or none: it may not even have a mean.
/// Beside the machine's stops this is the luck of the arrivals and the draws, some percent.
const STRETCHED_MAX: f64 = 1.1;

/// M/D/1 and M/M/1 at each utilisation; at one of them when it is to be quick.
pub(super) fn checks(quick: bool) -> Vec<Check> {
    let laws = [("M/D/1", Law::Constant(SERVICE)), ("M/M/1", Law::Exponential(SERVICE))];
    let rhos = if quick { &RHO[1..2] } else { &RHO[..] };
    let check = |(name, law), rho| {
        let run = move |bench: &Bench<'_>| queue(bench, (name, law), rho, way(bench)?);
        Check { name: format!("queueing: {name} at {rho}"), ..Check::new("queueing", 8, run) }
    };
    let all = laws.iter().flat_map(|&law| rhos.iter().map(move |&rho| (law, rho)));
    all.map(|(law, rho)| check(law, rho)).collect()
}

/// What a response takes besides its service, ns: of a plain client's, from a server that does nothing.
fn way(bench: &Bench<'_>) -> Result<f64> {
    let null = Process::start(Law::Constant(Nanos(0)), bench.server_cores())?;
    let (count, gap) = WAY;
    null.served()?;
    // The median: a stop of the machine is no part of the way.
    let response = server::plain_median(null.address, gap, count, &bench.placement.generator)?;
    Ok((response.0 as f64 - null.served()?.mean).max(0.0))
}

fn queue(bench: &Bench<'_>, (name, law): (&str, Law), rho: f64, way: f64) -> Result<Vec<Row>> {
    let window = bench.span(Nanos(6_000_000_000), Nanos(3_000_000_000));
    let server = Process::start(law, bench.server_cores())?;
    let shape = open(rho / SERVICE.as_secs_f64(), Arrivals::Poisson);
    let plan = bench.plan(server.address, shape, window);
    let outcome = load::run(&plan, bench.stop, None)?;
    let served = server.served()?;
    let rate = outcome.offered as f64 / window.0 as f64;
    let kind = only(&outcome);
    let seen = SeenQueue {
        rho: rate * served.mean,
        expected: way + pollaczek_khinchine(rate, served.mean, served.mean_square),
        moved: moved(kind, served, rate * served.mean, window),
        mean: kind.response.mean(),
        half: half_width(kind),
    };
    let verdict = seen.verdict();
    let us = |ns: f64| format!("{:.0} us", ns / 1e3);
    let stretched = seen.rho / rho;
    let needs = match (unanswered(&outcome), stretched > STRETCHED_MAX) {
        (Some(why), _) => Some(why),
        (None, true) => Some(format!(
            "a machine that makes services less than {STRETCHED_MAX} times as long, and not {stretched:.2}"
        )),
        (None, false) => (verdict == Verdict::Undecided).then(|| {
            let (most, moved) = (us(MOVED_MAX * seen.expected), us(seen.moved));
            format!("{window} in which stops move the mean by less than {most}, and not by {moved}")
        }),
    };
    Ok(vec![Row {
        check: "queueing",
        what: format!("mean of {name}, rho {:.3}", seen.rho),
        expected: format!("{}, {} more by stops at most", us(seen.expected), us(seen.moved)),
        measured: format!("{} +- {}", us(seen.mean), us(seen.half)),
        verdict: if needs.is_some() { Verdict::Undecided } else { verdict },
        needs,
    }])
}

/// A queue as it was, times in ns.
#[derive(Clone, Copy, Debug)]
struct SeenQueue {
    rho: f64,
    /// Of a machine that never stops but while it serves.
    expected: f64,
    /// How much later the mean may be for its other stops.
    moved: f64,
    mean: f64,
    /// Of the mean's interval.
    half: f64,
}

impl SeenQueue {
    fn verdict(self) -> Verdict {
        let Self { expected, moved, mean, half, .. } = self;
        if moved > MOVED_MAX * expected {
            return Verdict::Undecided;
        }
        Verdict::of(mean + half >= expected && mean - half <= expected + moved)
    }
}

/// The mean time in a queue with one server: E[S] + rate E[S^2] / (2 (1 - rho)), ns; `rate` is per ns.
fn pollaczek_khinchine(rate: f64, mean: f64, mean_square: f64) -> f64 {
    let rho = rate * mean;
    if rho >= 1.0 { f64::INFINITY } else { mean + rate * mean_square / (2.0 * (1.0 - rho)) }
}

/// Of the interval for the mean, by the means of batches; not a number where a batch has no request.
fn half_width(kind: &Kind) -> f64 {
    let per_batch = kind.slices.len().div_ceil(BATCHES).max(1);
    let means: Vec<f64> = kind
        .slices
        .chunks(per_batch)
        .map(|slices| {
            let n: u64 = slices.iter().map(|slice| slice.times.len()).sum();
            let sum = |slice: &Slice| slice.times.mean() * slice.times.len() as f64;
            slices.iter().map(sum).sum::<f64>() / n as f64
        })
        .collect();
    let interval = batch_means(&means, means.len(), CONFIDENCE).and_then(|mean| mean.interval);
    interval.map_or(f64::NAN, |interval| (interval.high - interval.low) / 2.0)
}

/// How much later the mean is at most for what the machine took outside services; what it took in them is in their
/// moments. A stop of d puts off those who come in it by d/2 on average, and what it piled up drains at 1 - rho.
fn moved(kind: &Kind, served: Served, rho: f64, window: Nanos) -> f64 {
    let server = served.idle_squares / (2.0 * window.0 as f64);
    (kind.generator_lag.mean() + server) / (1.0 - rho).max(0.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_the_textbooks_means() {
        // M/M/1: S / (1 - rho). M/D/1: S (1 + rho / (2 (1 - rho))).
        let (service, rate) = (400_000.0, 0.8 / 400_000.0);
        let exponential = pollaczek_khinchine(rate, service, 2.0 * service * service);
        assert!((exponential / (service / 0.2) - 1.0).abs() < 1e-9);
        let constant = pollaczek_khinchine(rate, service, service * service);
        assert!((constant / (service * 3.0) - 1.0).abs() < 1e-9);
        assert_eq!(pollaczek_khinchine(1.0, 1.0, 1.0), f64::INFINITY);
    }
    #[test]
    fn a_mean_that_the_machine_may_have_moved_too_far_is_undecided_and_others_are_not() {
        let quiet = SeenQueue { rho: 0.6, expected: 1e6, moved: 2e4, mean: 1.01e6, half: 5e4 };
        assert_eq!(quiet.verdict(), Verdict::Holds);
        assert_eq!(SeenQueue { mean: 1.06e6, ..quiet }.verdict(), Verdict::Holds, "by the stops");
        assert_eq!(
            SeenQueue { mean: 1.08e6, ..quiet }.verdict(),
            Verdict::Fails,
            "not by the stops"
        );
        assert_eq!(
            SeenQueue { mean: 0.94e6, ..quiet }.verdict(),
            Verdict::Fails,
            "stops make nothing quicker"
        );
        assert_eq!(SeenQueue { moved: 1.1e5, ..quiet }.verdict(), Verdict::Undecided);
    }
}
