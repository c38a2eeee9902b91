//! What the gate does on simulated machines, with the code and the levels that ship: how often it calls what.
//!
//! Every test run has a seeded smoke. The whole table, 10,000 gates a cell, is made on demand:
//!
//! ```text
//! cargo test --release --lib gate::characteristics -- --ignored --nocapture
//! ```

use super::decision::{Rule, decide};
use super::judge;
use super::levels::looks;
use super::machine::{Kind, Machine, as_rounds, kinds};
use super::metric::alpha;
use super::verdict::tests::{plan, round};
use crate::judge::gate::sensitivity::sight;
use crate::record::gate::{Judgement, Metric, Outcome, Plan, Round, Scatter, Verdict};
use crate::stats::residual_sd;

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
