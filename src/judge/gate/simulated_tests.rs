//! What the gate does on simulated machines, with the code and the levels that ship: how often it calls what.
//!
//! Every test run has a seeded smoke. The whole tables, 10,000 gates a cell, are made on demand:
//!
//! ```text
//! cargo test --release --lib gate::simulated_tests -- --ignored --nocapture
//! ```

use crate::judge::failures::{USUAL, over_the_error_bound};
use crate::judge::gate::decision::{Rule, decide, looks};
use crate::judge::gate::judge;
use crate::judge::gate::metric::alpha;
use crate::judge::gate::sensitivity::sight;
use crate::judge::gate::tests::{fault, plan, round};
use crate::record::gate::{
    Block, FaultKind, Judgement, Metric, Outcome, Plan, Round, Scatter, Verdict,
};
use crate::stats::residual_sd;
use crate::stats::tests::Random;

const ROUNDS: u32 = 40;
const EFFECTS: [f64; 5] = [0.0, 0.05, 0.10, 0.15, 0.25];

/// How often, in percent, a gate said what.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    regressed: f64,
    passed: f64,
    intermittent: f64,
    rounds: f64,
}

/// REGRESSED by machine and effect where one metric has the whole level, in percent: the method's figures for .01, of
/// which failed requests now have .0005.
const REGRESSED: [[f64; 5]; 3] =
    [[0.1, 5.0, 65.0, 99.5, 100.0], [0.4, 10.0, 53.0, 91.0, 99.9], [0.9, 6.0, 22.0, 50.0, 90.0]];
/// PASS on the noisy machine.
const PASSED_NOISY: [f64; 5] = [84.0, 31.0, 4.0, 0.0, 0.0];
/// REGRESSED on the noisy machine by p99, which has .004 of five metrics.
const REGRESSED_P99: [f64; 5] = [0.1, 7.0, 45.0, 87.0, 99.9];

#[test]
fn a_gate_keeps_its_characteristics() {
    const GATES: usize = 200;
    for (kind, expected) in kinds().into_iter().zip(REGRESSED) {
        let mut machine = Machine::new(kind, 1_000, 91);
        for (effect, expected) in EFFECTS.into_iter().zip(expected) {
            let found = alone(&mut machine, effect, GATES).regressed;
            // Four standard errors of a share around the method's, and the method's own three points.
            let share = (expected / 100.0).clamp(0.01, 0.99);
            let allowed = 3.0 + 400.0 * (share * (1.0 - share) / GATES as f64).sqrt();
            let name = kind.name;
            assert!((found - expected).abs() <= allowed, "{name} {effect}: {found} not {expected}");
        }
        let whole = whole_gate(&mut machine, GATES);
        assert!(whole <= 1.0 + 400.0 * (0.0099 / GATES as f64).sqrt(), "{}: {whole} %", kind.name);
    }
}

/// The method's figures within three points, and at most 1 % of false regressions of a whole gate.
#[test]
#[ignore = "10,000 gates for each of 30 cells: minutes"]
fn the_whole_table() {
    const GATES: usize = 10_000;
    println!("REGRESSED / PASS in %, at most {ROUNDS} rounds, margin 10 %, {GATES} gates each");
    for (kind, expected) in kinds().into_iter().zip(REGRESSED) {
        let mut machine = Machine::new(kind, 12_000, 92);
        let cells = EFFECTS.map(|effect| alone(&mut machine, effect, GATES));
        print_row(kind.name, ".01 ", &cells);
        let noisy = kind.name == "noisy";
        for (cell, expected) in cells.iter().zip(expected) {
            assert!((cell.regressed - expected).abs() <= 3.0, "{}: {cell:?}", kind.name);
        }
        for (cell, expected) in cells.iter().zip(PASSED_NOISY).filter(|_| noisy) {
            assert!((cell.passed - expected).abs() <= 3.0, "{cell:?}, {expected}");
        }
        let cells = EFFECTS.map(|effect| at_level(&mut machine, 0.004, effect, GATES));
        print_row(kind.name, ".004", &cells);
        for (cell, expected) in cells.iter().zip(REGRESSED_P99).filter(|_| noisy) {
            assert!((cell.regressed - expected).abs() <= 3.0, "{cell:?}, {expected}");
        }
        let whole = whole_gate(&mut machine, GATES);
        println!("{:<8} five metrics: false regressions of the whole gate {whole:.2} %", kind.name);
        assert!(whole <= 1.0, "{}: {whole} %", kind.name);
        stated_sight(&mut machine, kind, GATES);
        let [none, fifth] = [0.0, 0.2].map(|share| bad_rounds(&mut machine, share, GATES));
        println!(
            "{:<8} INTERMITTENT: {none:.2} % of equal ones, {fifth:.1} % with x2.5 in a fifth",
            kind.name
        );
        assert!(none <= 1.0, "{none}");
    }
}

/// One metric with the whole level, judged as a caller would: at every look until it is finished.
fn alone(machine: &mut Machine, effect: f64, gates: usize) -> Cell {
    let plan = plan(ROUNDS, &[Metric::P99]);
    tally(gates, || {
        let rounds = as_rounds(&machine.rounds(ROUNDS as usize, effect));
        run(&plan, &rounds)
    })
}

/// Runs a gate whose rounds come in one by one; only its looks can end it.
pub(crate) fn run(plan: &Plan, rounds: &[Round]) -> Judgement {
    let looks = looks(plan.rounds_max).map(|look| judge(plan, &rounds[..look as usize]));
    let finished = looks.into_iter().find(|judgement| judgement.finished);
    finished.expect("a gate is finished after its last look")
}

fn tally(gates: usize, mut gate: impl FnMut() -> Judgement) -> Cell {
    let mut cell = Cell::default();
    let one = 100.0 / gates as f64;
    for _ in 0..gates {
        let judgement = gate();
        let metric = &judgement.metrics[0];
        match metric.outcome {
            Outcome::Regressed => cell.regressed += one,
            Outcome::Pass => cell.passed += one,
            _ => {}
        }
        let bad = metric.intermittent.is_some_and(|found| found.found);
        cell.intermittent += if bad { one } else { 0.0 };
        cell.rounds += f64::from(judgement.rounds) / gates as f64;
    }
    cell
}

/// A metric that has only a part of the gate's level.
fn at_level(machine: &mut Machine, alpha: f64, effect: f64, gates: usize) -> Cell {
    let rule = Rule { alpha, margin: 0.1, prove_margin: false, rounds_max: ROUNDS };
    let mut cell = Cell::default();
    for _ in 0..gates {
        let rounds = machine.rounds(ROUNDS as usize, effect);
        let d: Vec<_> = rounds.iter().map(|[a, b]| Some(b - a)).collect();
        let found = decide(&d, &rule);
        cell.regressed += if found.outcome == Outcome::Regressed { 100.0 } else { 0.0 };
        cell.passed += if found.outcome == Outcome::Pass { 100.0 } else { 0.0 };
        cell.rounds += f64::from(found.decided_at.unwrap_or(ROUNDS));
    }
    let gates = gates as f64;
    Cell {
        regressed: cell.regressed / gates,
        passed: cell.passed / gates,
        intermittent: 0.0,
        rounds: cell.rounds / gates,
    }
}

/// How often a gate of all five metrics, which share the machine's noise, fails an equal candidate, in percent.
fn whole_gate(machine: &mut Machine, gates: usize) -> f64 {
    let plan = plan(ROUNDS, &Metric::ALL);
    // How much of p99's noise each metric has, and noise of its own.
    let shares = Metric::ALL.map(|metric| match metric {
        Metric::P99 => (1.0, 0.0),
        Metric::CpuPerRequest => (0.10, 0.015),
        Metric::P50 => (0.25, 0.02),
        Metric::Throughput => (-0.20, 0.03),
        Metric::Memory | Metric::Rss => (0.0, 0.01),
    });
    let false_alarms = (0..gates)
        .filter(|_| {
            let logarithms = machine.rounds(ROUNDS as usize, 0.0);
            let random = machine.random();
            let mut values = |logarithm: f64| {
                shares.map(|(share, own)| (share * logarithm + own * random.normal()).exp())
            };
            let rounds: Vec<Round> =
                (1..).zip(logarithms).map(|(n, [a, b])| round(n, &values(a), &values(b))).collect();
            run(&plan, &rounds).verdict == Verdict::Regressed
        })
        .count();
    100.0 * false_alarms as f64 / gates as f64
}

/// Prints how often an effect is found that the gate says it finds 8 times of 10, and 99 of 100.
fn stated_sight(machine: &mut Machine, kind: Kind, gates: usize) {
    let logarithms = machine.rounds(2_000, 0.0);
    let d: Vec<f64> = logarithms.iter().map(|[a, b]| b - a).collect();
    let scatter = Scatter { s: residual_sd(&d).unwrap(), rounds: 2_000 };
    let plan = plan(ROUNDS, &[Metric::P99]);
    assert!((alpha(&plan, 0) - 0.0095).abs() < 1e-12);
    let seen = sight(&plan, 0, scatter).unwrap();
    for (said, effect) in [(80, seen.usually), (99, seen.surely)] {
        let found = alone(machine, effect, gates).regressed;
        let (name, s, effect) = (kind.name, scatter.s, 100.0 * effect);
        println!(
            "{name:<8} s {s:.3}: {effect:.1} % is said to be found {said} times of 100, is {found:.1}"
        );
    }
}

/// How often bad rounds are found when a share of the candidate's are 2.5 times as bad, in percent.
fn bad_rounds(machine: &mut Machine, share: f64, gates: usize) -> f64 {
    let plan = Plan { fail_intermittent: true, ..plan(ROUNDS, &[Metric::P99]) };
    let found = tally(gates, || {
        let mut logarithms = machine.rounds(ROUNDS as usize, 0.0);
        for [_, candidate] in &mut logarithms {
            *candidate += if machine.random().uniform() < share { 2.5_f64.ln() } else { 0.0 };
        }
        run(&plan, &as_rounds(&logarithms))
    });
    found.intermittent
}

fn print_row(machine: &str, alpha: &str, cells: &[Cell; 5]) {
    let cells: Vec<String> = EFFECTS
        .iter()
        .zip(cells)
        .map(|(effect, cell)| {
            let Cell { regressed, passed, rounds, intermittent } = cell;
            format!(
                "{:>3.0} %: {regressed:>5.1} / {passed:>4.1} n {rounds:.0} i {intermittent:.1}",
                100.0 * effect
            )
        })
        .collect();
    println!("{machine:<8} {alpha} | {}", cells.join(" | "));
}

// A simulated machine, for what a gate does on it: calm, noisy or hostile.
//
// The logarithm of a block's p99 is a sum of what the machine does (a slow drift that neighbouring blocks share, and
// episodes in which a neighbour takes the core away), of the process's luck at its start, of the luck of the requests
// that a block happened to have, and of the candidate's true effect. Response times have a lognormal body and, one
// request in 25, a Pareto tail.

/// Mean length of an episode in blocks.
const EPISODE_BLOCKS: f64 = 3.0;

/// A kind of machine, per block of five seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Standard deviation of the drift, and how much of it carries over to the next block.
    drift: f64,
    carry: f64,
    /// Chance that an episode starts, its mean size and the scatter of that, as logarithms.
    episode: f64,
    size: f64,
    size_sd: f64,
    /// Scatter of a process's luck.
    launch: f64,
    /// Independent requests of a block.
    requests: usize,
}

/// The three machines. Drift and episodes were given for blocks of ten seconds, as roots.
pub(crate) fn kinds() -> [Kind; 3] {
    let kind = |name, drift, carry: f64, episode: f64, size, size_sd, launch, requests| Kind {
        name,
        drift,
        carry: carry.sqrt(),
        episode: 1.0 - (1.0 - episode).sqrt(),
        size,
        size_sd,
        launch,
        requests,
    };
    [
        kind("calm", 0.06, 0.90, 0.01, 0.5, 0.3, 0.01, 1_500),
        kind("noisy", 0.20, 0.90, 0.06, 0.6, 0.4, 0.015, 750),
        kind("hostile", 0.30, 0.70, 0.15, 0.9, 0.5, 0.02, 500),
    ]
}

/// A machine with its random numbers.
pub(crate) struct Machine {
    kind: Kind,
    random: Random,
    /// Logarithms of the p99 of blocks of this many requests, about zero.
    pool: Vec<f64>,
}

impl Machine {
    /// Draws the luck of the requests from `pool` simulated blocks.
    pub(crate) fn new(kind: Kind, pool: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut pool: Vec<f64> = (0..pool).map(|_| p99(kind.requests, &mut random).ln()).collect();
        let mean = pool.iter().sum::<f64>() / pool.len() as f64;
        pool.iter_mut().for_each(|luck| *luck -= mean);
        Self { kind, random, pool }
    }

    /// `n` rounds of a candidate that is truly worse by `effect`: baseline and candidate, as logarithms.
    pub(crate) fn rounds(&mut self, n: usize, effect: f64) -> Vec<[f64; 2]> {
        let blocks = self.blocks(2 * n);
        let mut luck = |shift: f64| {
            let requests = self.pool[(self.random.uniform() * self.pool.len() as f64) as usize];
            shift + requests + self.kind.launch * self.random.normal()
        };
        let lucks: Vec<[f64; 2]> = (0..n).map(|_| [luck(0.0), luck(effect.ln_1p())]).collect();
        let order: Vec<bool> = (0..n).map(|_| self.random.coin()).collect();
        (0..n)
            .map(|i| {
                let (first, second) = (blocks[2 * i], blocks[2 * i + 1]);
                let (a, b) = if order[i] { (first, second) } else { (second, first) };
                [a + lucks[i][0], b + lucks[i][1]]
            })
            .collect()
    }

    /// The machine's state in `n` blocks, one after the other.
    fn blocks(&mut self, n: usize) -> Vec<f64> {
        let Kind { drift, carry, episode, size, size_sd, .. } = self.kind;
        let mut state = self.random.normal();
        let mut ongoing: Option<f64> = None;
        (0..n)
            .map(|block| {
                if block > 0 {
                    state = carry * state + (1.0 - carry * carry).sqrt() * self.random.normal();
                }
                ongoing = ongoing.filter(|_| self.random.uniform() >= 1.0 / EPISODE_BLOCKS);
                if ongoing.is_none() && self.random.uniform() < episode {
                    ongoing = Some((size + size_sd * self.random.normal()).abs());
                }
                drift * state + ongoing.unwrap_or(0.0)
            })
            .collect()
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

/// Rounds as the gate reads them: one metric.
pub(crate) fn as_rounds(logarithms: &[[f64; 2]]) -> Vec<Round> {
    (1..).zip(logarithms).map(|(n, [a, b])| round(n, &[a.exp()], &[b.exp()])).collect()
}

/// Of so many response times, between the two order statistics nearest to it.
fn p99(requests: usize, random: &mut Random) -> f64 {
    let mut times: Vec<f64> = (0..requests)
        .map(|_| {
            let body = (0.45 * random.normal()).exp();
            let tail = random.uniform() < 0.04;
            if tail { 2.2 * random.uniform().powf(-1.0 / 2.5) } else { body }
        })
        .collect();
    let place = 0.99 * (requests - 1) as f64;
    let below = place as usize;
    let (_, &mut low, above) = times.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low + (place - below as f64) * (high - low)
}

// What the gate does about failed requests, with the code and the levels that ship: how often it calls what, of builds
// that fail alike and of candidates that reset their slowest requests.

const FAILING_ROUNDS: u32 = 40;

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
struct FailureCell {
    regressed: f64,
    /// By the failed requests, and not by the error bound or by a metric.
    by_errors: f64,
    passed: f64,
    invalid: f64,
    rounds: f64,
}

#[test]
fn equal_builds_that_fail_pass_and_resets_do_not() {
    let equal =
        failure_cell(&Failing { requests: 5_000, both: 0.009, resets: 0.0, bursts: OFTEN }, 40);
    assert!(equal.by_errors == 0.0, "{equal:?}, where 0.05 % are promised");
    let resets = Failing { requests: 5_000, both: 0.0, resets: 0.003, bursts: NONE };
    let found = failure_cell(&resets, 20);
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
            let equal = failure_cell(&Failing { requests, both, resets: 0.0, bursts }, GATES);
            print_failures(requests, name, equal);
            // Four standard errors of 10,000 gates above what failures may spend.
            assert!(equal.by_errors <= 0.05 + 0.09, "{name}: {equal:?}");
        }
        for resets in [0.001, 0.003, 0.007] {
            let name = format!("resets {:.1} %", 100.0 * resets);
            let found = failure_cell(&Failing { requests, both: 0.0, resets, bursts: NONE }, GATES);
            print_failures(requests, &name, found);
            assert!(resets < 0.002 || found.by_errors > 99.0, "{name}: {found:?}");
        }
    }
}

fn print_failures(requests: u64, name: &str, cell: FailureCell) {
    let FailureCell { regressed, by_errors, passed, invalid, rounds } = cell;
    println!(
        "{requests} requests, {name:<16} | {regressed:.2} ({by_errors:.2}) / {passed:.1} / {invalid:.1} n {rounds:.0}"
    );
}

/// Gates of p99 on a calm machine.
fn failure_cell(failing: &Failing, gates: usize) -> FailureCell {
    let mut machine = Machine::new(kinds()[0], 1_000, 93);
    let plan = plan(FAILING_ROUNDS, &[Metric::P99]);
    let mut cell = FailureCell::default();
    let one = 100.0 / gates as f64;
    for _ in 0..gates {
        let mut rounds = as_rounds(&machine.rounds(FAILING_ROUNDS as usize, 0.0));
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
