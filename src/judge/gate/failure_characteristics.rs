//! What the gate does about failed requests, with the code and the levels that ship: how often it calls what, of builds
//! that fail alike and of candidates that reset their slowest requests.
//!
//! Every test run has a seeded smoke. The whole table, 10,000 gates a cell, is made on demand, as that of
//! [`super::characteristics`].

use super::characteristics::run;
use super::machine::{Machine, as_rounds, kinds};
use super::verdict::tests::{fault, plan};
use crate::record::gate::{Block, FaultKind, Metric, Outcome, Round, Verdict};
use crate::stats::error_bound::{USUAL, over_the_error_bound};
use crate::stats::test_support::Random;

const ROUNDS: u32 = 40;

/// What fails of two builds.
#[derive(Clone, Copy, Debug)]
struct Failing {
    requests: u64,
    /// The share of both, each request by itself.
    both: f64,
    /// The share that the candidate resets besides: the slowest, so that no percentile up to there shows it.
    resets: f64,
    bursts: Bursts,
}

/// Times in which something outside makes both fail, from block to block whose turn it is.
#[derive(Clone, Copy, Debug)]
struct Bursts {
    /// Chance that one begins in a block.
    begins: f64,
    /// Blocks that it lasts, on average.
    blocks: f64,
    /// The share of the requests that it fails, on average, without memory.
    share: f64,
}

const NONE: Bursts = Bursts { begins: 0.0, blocks: 1.0, share: 0.0 };
const RARE: Bursts = Bursts { begins: 0.05, blocks: 1.0, share: 0.02 };
const OFTEN: Bursts = Bursts { begins: 0.3, blocks: 1.0, share: 0.004 };
const LONG: Bursts = Bursts { begins: 0.05, blocks: 6.0, share: 0.004 };

/// How often, in percent, a gate said what, and after how many rounds.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    regressed: f64,
    /// By the failed requests, and not by the error bound or by a metric.
    by_errors: f64,
    passed: f64,
    invalid: f64,
    rounds: f64,
}

#[test]
fn equal_builds_that_fail_pass_and_resets_do_not() {
    let equal = cell(&Failing { requests: 5_000, both: 0.009, resets: 0.0, bursts: OFTEN }, 40);
    assert!(equal.by_errors == 0.0, "{equal:?}, where 0.05 % are promised");
    let resets = Failing { requests: 5_000, both: 0.0, resets: 0.003, bursts: NONE };
    let found = cell(&resets, 20);
    assert!(found.by_errors > 99.0, "{found:?}");
}

#[test]
#[ignore = "10,000 gates for each of 16 cells: minutes"]
fn the_whole_table_of_failures() {
    const GATES: usize = 10_000;
    println!("in %: REGRESSED (by errors) / PASS / INVALID, mean rounds; {GATES} gates each");
    for requests in [2_000, 7_000] {
        for (name, both, bursts) in [
            ("0.3 % of both", 0.003, NONE),
            ("0.9 % of both", 0.009, NONE),
            ("rare bursts", 0.0, RARE),
            ("frequent bursts", 0.0, OFTEN),
            ("long bursts", 0.0, LONG),
        ] {
            let equal = cell(&Failing { requests, both, resets: 0.0, bursts }, GATES);
            print_row(requests, name, equal);
            // Four standard errors of 10,000 gates above what failures may spend.
            assert!(equal.by_errors <= 0.05 + 0.09, "{name}: {equal:?}");
        }
        for resets in [0.001, 0.003, 0.007] {
            let name = format!("resets {:.1} %", 100.0 * resets);
            let found = cell(&Failing { requests, both: 0.0, resets, bursts: NONE }, GATES);
            print_row(requests, &name, found);
            assert!(resets < 0.002 || found.by_errors > 99.0, "{name}: {found:?}");
        }
    }
}

fn print_row(requests: u64, name: &str, cell: Cell) {
    let Cell { regressed, by_errors, passed, invalid, rounds } = cell;
    println!(
        "{requests} requests, {name:<16} | {regressed:.2} ({by_errors:.2}) / {passed:.1} / {invalid:.1} n {rounds:.0}"
    );
}

/// Gates of p99 on a calm machine.
fn cell(failing: &Failing, gates: usize) -> Cell {
    let mut machine = Machine::new(kinds()[0], 1_000, 93);
    let plan = plan(ROUNDS, &[Metric::P99]);
    let mut cell = Cell::default();
    let one = 100.0 / gates as f64;
    for _ in 0..gates {
        let mut rounds = as_rounds(&machine.rounds(ROUNDS as usize, 0.0));
        fail(&mut rounds, failing, machine.random());
        let found = run(&plan, &rounds);
        match found.verdict {
            Verdict::Regressed => cell.regressed += one,
            Verdict::Pass => cell.passed += one,
            Verdict::Invalid | Verdict::Interrupted => cell.invalid += one,
            Verdict::Inconclusive => {}
        }
        let errors = found.failures.expect("every gate judges them").outcome;
        cell.by_errors += if errors == Outcome::Regressed { one } else { 0.0 };
        cell.rounds += f64::from(found.rounds) / gates as f64;
    }
    cell
}

/// Draws what fails, block after block in random order.
fn fail(rounds: &mut [Round], failing: &Failing, random: &mut Random) {
    let Failing { requests, both, resets, bursts } = *failing;
    let mut burst = 0.0;
    for round in rounds {
        round.baseline_first = random.coin();
        let mut order = [(&mut round.baseline, 0.0), (&mut round.candidate, resets)];
        if !round.baseline_first {
            order.reverse();
        }
        for (block, own) in order {
            if burst > 0.0 && random.uniform() < 1.0 / bursts.blocks {
                burst = 0.0;
            }
            if burst == 0.0 && random.uniform() < bursts.begins {
                burst = -random.uniform().ln() * bursts.share;
            }
            let failures = poisson(requests as f64 * (both + own + burst), random);
            into(block, failures.min(requests), requests);
        }
    }
}

fn into(block: &mut Block, failures: u64, requests: u64) {
    (block.failures, block.requests) = (failures, requests);
    let over = over_the_error_bound(failures, requests, USUAL);
    block.faults = if over { vec![fault(FaultKind::Errors)] } else { Vec::new() };
}

/// Of a mean of some hundreds at most (Knuth, 1969).
fn poisson(mean: f64, random: &mut Random) -> u64 {
    let (mut count, mut left) = (0, mean + random.uniform().ln());
    while left > 0.0 {
        count += 1;
        left += random.uniform().ln();
    }
    count
}
