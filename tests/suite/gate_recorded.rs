//! What the gate does on rounds that were recorded: 120 rounds of a contender against itself, drawn with replacement into
//! gates, each round turned round by a fair coin.
//!
//! Under equal contenders a round and its mirror image are equally likely, so these gates are as good as measured ones,
//! as far as 120 rounds know the machine. `docs/gate.md` says how the rounds were recorded.
//!
//! ```text
//! cargo test --release --test suite -- gate_recorded --ignored --nocapture
//! ```

use bakeoff::judge::gate::decision::looks;
use bakeoff::judge::gate::judge;
use bakeoff::judge::gate::metric::difference;
use bakeoff::judge::gate::sensitivity::sight;
use bakeoff::record::gate::{
    Judgement, Metric, MetricPlan, OnInconclusive, Outcome, Plan, Round, Scatter, Verdict,
};
use bakeoff::stats::residual_sd;

use crate::mutations::Random;

/// One [`Round`] a line, with a value for each of `METRICS`.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gate/equal-rounds.jsonl");
const METRICS: [Metric; 4] = [Metric::P99, Metric::CpuPerRequest, Metric::P50, Metric::Rss];
/// Of `METRICS`.
const CPU: usize = 1;
const ROUNDS: u32 = 40;

#[test]
fn equal_builds_pass_and_fifteen_percent_more_cpu_does_not() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 120);
    let plan = calibrated(&recorded);
    let (whole, _) = regressed(&plan, &recorded, 1.0, 100);
    assert!(whole <= 5.0, "{whole} %, where 1 % and four standard errors of 100 gates are 5 %");
    let (_, cpu) = regressed(&plan, &recorded, 1.15, 30);
    assert!(cpu > 90.0, "{cpu} %");
}

#[test]
#[ignore = "10,000 gates for each of six cells: minutes in a debug build"]
fn ten_thousand_gates() {
    const GATES: usize = 10_000;
    let recorded = recorded();
    let plan = calibrated(&recorded);
    for (index, metric) in plan.metrics.iter().enumerate() {
        let scatter = metric.calibration.expect("it was calibrated");
        let seen = sight(&plan, index, scatter).expect("it sees something");
        let percent = |share: f64| format!("+{:.1} %", 100.0 * share);
        println!(
            "{}: s {:.4}, catches 8 of 10 at {}, 99 of 100 at {}, scatter alone hides {}",
            metric.label(),
            scatter.s,
            percent(seen.usually),
            percent(seen.surely),
            percent(seen.hidden),
        );
    }
    for cpu in [1.0, 1.02, 1.03, 1.05, 1.10, 1.15] {
        let (whole, alone) = regressed(&plan, &recorded, cpu, GATES);
        println!("CPU x{cpu}: gate REGRESSED {whole:.2} %, by CPU per request {alone:.2} %");
        assert!(cpu > 1.0 || whole <= 1.0, "{whole} % of equal builds fail");
    }
}

fn recorded() -> Vec<Round> {
    let text = std::fs::read_to_string(RECORDED).expect("it is in the repository");
    text.lines().map(|line| serde_json::from_str(line).expect("a round a line")).collect()
}

/// Every metric with its own scatter, as a calibration would have found it.
fn calibrated(recorded: &[Round]) -> Plan {
    let scattered = |(index, metric): (usize, &Metric)| {
        let d: Vec<f64> = recorded
            .iter()
            .filter_map(|round| difference(*metric, index, round)?.known())
            .collect();
        let s = residual_sd(&d).expect("rounds were recorded");
        let calibration = Some(Scatter { s, rounds: d.len() as u32 });
        MetricPlan { calibration, ..MetricPlan::of(*metric) }
    };
    Plan {
        rounds_max: ROUNDS,
        metrics: METRICS.iter().enumerate().map(scattered).collect(),
        prove_margin: false,
        fail_intermittent: false,
        on_inconclusive: OnInconclusive::Warn,
        report_only: None,
    }
}

/// How often, in percent, whole gates regressed, and their CPU per request.
fn regressed(plan: &Plan, recorded: &[Round], cpu: f64, gates: usize) -> (f64, f64) {
    let mut random = Random(2_026);
    let (mut whole, mut alone) = (0, 0);
    for _ in 0..gates {
        let found = gate(plan, &drawn(recorded, cpu, &mut random));
        whole += usize::from(found.verdict == Verdict::Regressed);
        alone += usize::from(found.metrics[CPU].outcome == Outcome::Regressed);
    }
    let percent = |n: usize| 100.0 * n as f64 / gates as f64;
    (percent(whole), percent(alone))
}

/// Forty rounds of equal contenders, then the candidate made worse in CPU per request.
fn drawn(recorded: &[Round], cpu: f64, random: &mut Random) -> Vec<Round> {
    let one = |number| {
        let mut round = recorded[(random.next() % recorded.len() as u64) as usize].clone();
        round.round = number;
        if random.next() >> 63 == 1 {
            std::mem::swap(&mut round.baseline, &mut round.candidate);
            round.baseline_first = !round.baseline_first;
        }
        if let Some(value) = &mut round.candidate.values[CPU] {
            *value *= cpu;
        }
        round
    };
    (1..=ROUNDS).map(one).collect()
}

/// Judged as `bakeoff gate` does: at its looks, until it is finished.
fn gate(plan: &Plan, rounds: &[Round]) -> Judgement {
    let judged = looks(plan.rounds_max).map(|look| judge(plan, &rounds[..look as usize]));
    judged.into_iter().find(|judgement| judgement.finished).expect("the last look finishes it")
}
