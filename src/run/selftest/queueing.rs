//! Queues with one server and arrivals of chance: Pollaczek and Khinchine give the mean response time from the arrival
//! rate and the first two moments of the service times, all three as they were measured.

use super::process::{Process, Served};
use super::server::Law;
use super::{Attempt, Bench, Check, Row, Verdict, only, open, quantile, unanswered};
use crate::error::Result;
use crate::load;
use crate::load::outcome::{Kind, Outcome, Slice};
use crate::load::plan::Arrivals;
use crate::units::Nanos;

/// The mean service time: long against the way there and back, short against a batch.
const SERVICE: Nanos = Nanos(400_000);
/// How long the way there and back is measured.
const WAY: Nanos = Nanos(500_000_000);
/// Utilisations.
const RHO: [f64; 3] = [0.3, 0.6, 0.8];
/// Batches, of as many slices each: several times as long as the queue remembers (50 ms at the highest utilisation).
const BATCHES: usize = 15;
/// Student's t for 14 degrees of freedom and 99.9 %, two-sided.
const T_999: f64 = 4.140;
/// A stop of the machine may move the mean by this share of it.
const MOVED_MAX: f64 = 0.05;
/// Services that take so many times what they were drawn for make another queue, or none: it may not even have a mean.
/// Beside the machine's stops this is the luck of the arrivals and the draws, some percent.
const STRETCHED_MAX: f64 = 1.1;

/// M/D/1 and M/M/1 at each utilisation; at one of them when it is to be quick.
pub(super) fn checks(quick: bool) -> Vec<Check> {
    let laws = [("M/D/1", Law::Constant(SERVICE)), ("M/M/1", Law::Exponential(SERVICE))];
    let rhos = if quick { &RHO[1..2] } else { &RHO[..] };
    let check = |(name, law), &rho| {
        let run = move |bench: &Bench<'_>| queue(bench, name, law, rho, way(bench)?);
        Check { name: format!("queueing: {name} at {rho}"), ..Check::new("queueing", 8, run) }
    };
    laws.iter().flat_map(|&law| rhos.iter().map(move |rho| check(law, rho))).collect()
}

/// What a response takes besides its service, ns: from a server that does nothing, at a rate at which nobody waits.
fn way(bench: &Bench<'_>) -> Result<f64> {
    let null = Process::start(Law::Constant(Nanos(0)), bench.server_cores())?;
    let shape = open(1_000.0, Arrivals::Constant);
    null.served()?;
    let plan = bench.plan(null.address, shape, WAY);
    let outcome = load::run(&plan, bench.stop, &|_| ())?;
    // The median: a stop of the machine is no part of the way.
    let response = quantile(only(&outcome), &only(&outcome).response, 0.5);
    Ok((response.0 as f64 - null.served()?.mean).max(0.0))
}

/// One queue.
fn queue(bench: &Bench<'_>, name: &str, law: Law, rho: f64, way: f64) -> Result<Attempt> {
    let window = bench.span(Nanos(6_000_000_000), Nanos(3_000_000_000));
    let server = Process::start(law, bench.server_cores())?;
    let shape = open(rho / SERVICE.as_secs_f64(), Arrivals::Poisson);
    let outcome = load::run(&bench.plan(server.address, shape, window), bench.stop, &|_| ())?;
    let served = server.served()?;
    let rate = outcome.offered as f64 / window.0 as f64;
    let expected = way + pollaczek_khinchine(rate, served.mean, served.mean_square);
    let kind = only(&outcome);
    let mean = kind.response.mean();
    let half = half_width(kind);
    let us = |ns: f64| format!("{:.0} us", ns / 1e3);
    let row = Row {
        check: "queueing",
        what: format!("mean of {name}, rho {:.3}", rate * served.mean),
        expected: us(expected),
        measured: format!("{} +- {}", us(mean), us(half)),
        verdict: Verdict::of((mean - expected).abs() <= half),
    };
    let stretched = rate * served.mean / rho;
    let disturbed = if stretched > STRETCHED_MAX {
        Some(format!("the machine made services {stretched:.2} times as long"))
    } else {
        disturbed(&outcome, served, rate * served.mean, window, expected)
    };
    Ok(Attempt { rows: vec![row], disturbed })
}

/// The mean time in a queue with one server: E[S] + rate E[S^2] / (2 (1 - rho)), ns; `rate` is per ns.
fn pollaczek_khinchine(rate: f64, mean: f64, mean_square: f64) -> f64 {
    let rho = rate * mean;
    if rho >= 1.0 { f64::INFINITY } else { mean + rate * mean_square / (2.0 * (1.0 - rho)) }
}

/// Of the 99.9 % interval for the mean, by the means of batches.
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
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|batch| (batch - mean).powi(2)).sum::<f64>() / (n - 1.0);
    T_999 * (variance / n).sqrt()
}

/// How much later the mean is for what the machine took. A stop of d puts off those who come in it by d/2 on average, and
/// what it piled up drains at 1 - rho; as sums of d^2 are at most the longest d times all of them, this is a bound.
fn disturbed(
    outcome: &Outcome,
    served: Served,
    rho: f64,
    window: Nanos,
    expected: f64,
) -> Option<String> {
    let idle = (1.0 - rho).max(0.01);
    let server = served.worst_pause.0 as f64 * served.lost.0 as f64 / (2.0 * window.0 as f64);
    let moved = (only(outcome).generator_lag.mean() + server) / idle;
    unanswered(outcome).or_else(|| {
        (moved > MOVED_MAX * expected).then(|| {
            format!("the machine's stops may have moved a mean by {}", Nanos(moved as u64))
        })
    })
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
}
