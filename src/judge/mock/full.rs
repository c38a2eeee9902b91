//! A run that has the data of every chart.

use hdrhistogram::Histogram;

use super::{MODELS, Shape, add_race, empty, saturate};
use crate::judge::cell;
use crate::record::histogram::distribution;
use crate::record::*;

/// A run of the first and the last of the four models with the data of every chart.
pub(crate) fn everything() -> RunResult {
    everything_of(&[MODELS[0], MODELS[3]])
}

/// The same of any contenders, at least two.
pub(crate) fn everything_of(contenders: &[Shape<'_>]) -> RunResult {
    let mut result = empty("payment-wait-20ms", "A payment that waits 20 ms for the bank");
    let rounds = 10;
    result.rounds = rounds;
    let tail = |stretch: f64| {
        contenders.iter().map(move |c| (c.0, c.1 * stretch, c.2)).collect::<Vec<_>>()
    };
    let levels = [("1,000/s", 1_000.0, 1.0), ("2,000/s", 2_000.0, 1.15), ("4,000/s", 4_000.0, 1.9)];
    for (level, rps, stretch) in levels {
        add_race(&mut result, "payment", level, rps, &[("payment", 5_200)], rounds, &tail(stretch));
    }
    let mut over = empty("", "");
    let shapes = tail(6.0);
    add_race(&mut over, "payment", "6,000/s", 6_000.0, &[("payment", 5_200)], rounds, &shapes);
    saturate(&mut over, contenders[contenders.len() - 1].0);
    result.trials.append(&mut over.trials);
    result.comparisons.append(&mut over.comparisons);
    for trial in &mut result.trials {
        trial.load.connections = (trial.offered_rps / 10.0) as u32;
        let connections = u64::from(trial.load.connections);
        let each = if trial.contender.contains("thread") { 40_000 } else { 9_000 };
        trial.server.rss_peak_bytes = Some(20_000_000 + connections * each);
        trial.server.memory_peak_bytes = Some(24_000_000 + connections * (each + 22_000));
        trial.validity.our_share = [("p99".to_owned(), 0.021)].into();
        if !trial.saturated {
            trial.timeline = Some(timeline(trial));
        }
        let round = trial.round;
        for requests in trial.by_request.values_mut() {
            requests.generator_lag_ns = Some(lag(round));
            requests.spent = vec![spent(500, 1.0), spent(990, 3.4)];
        }
    }
    result.slos.push(SloInfo {
        workload: "payment".into(),
        p99_ns: 2_000_000,
        error_rate: 0.001,
        ..SloInfo::default()
    });
    let (first, last) = (contenders[0].0, contenders[contenders.len() - 1].0);
    result.capacity = vec![capacity(first, 5_900.0, 6_200.0), capacity(last, 4_050.0, 4_200.0)];
    result.comparisons.push(Comparison {
        workload: "payment".into(),
        metric: "capacity".into(),
        at: "SLO".into(),
        of: first.into(),
        versus: last.into(),
        ratio: Some(1.46),
        low: Some(1.41),
        high: Some(1.51),
        difference: Some(1_850.0),
        n: rounds,
        verdict: "higher".into(),
        ..Comparison::default()
    });
    let connections =
        result.comparisons.iter().find(|c| c.metric == "cpu_per_request" && c.of == last);
    let mut rss = connections.cloned().expect("a race compares CPU times");
    (rss.metric, rss.at) = ("memory".into(), "6,000/s".into());
    (rss.ratio, rss.low, rss.high) = (Some(1.73), Some(1.72), Some(1.75));
    rss.verdict = "higher".into();
    result.comparisons.push(rss);
    let mut recovery = result.comparisons.last().cloned().expect("memory was compared");
    (recovery.metric, recovery.at) = ("recovery".into(), "4,000/s".into());
    (recovery.ratio, recovery.low, recovery.high) = (Some(3.3), Some(3.1), Some(3.5));
    result.comparisons.push(recovery);
    result.map = Some(map(first, last));
    result.gate_history = history();
    result
}

fn capacity(contender: &str, at_least: f64, below: f64) -> Capacity {
    Capacity {
        workload: "payment".into(),
        contender: contender.into(),
        at_least_rps: Some(at_least),
        below_rps: Some(below),
        bound_by: "contender".into(),
        trials: 17,
        ..Capacity::default()
    }
}

fn lag(round: u32) -> Distribution {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("3 digits");
    for i in 0..5_200_u32 {
        let nines = -(1.0 - (f64::from(i) + 0.5) / 5_200.0).log10();
        let ns = 280.0 * (1.0 + 0.02 * f64::from(round)) * 10_f64.powf(nines.powf(1.4) * 0.55);
        histogram.record(ns as u64).expect("in bounds");
    }
    distribution(&histogram)
}

fn spent(per_mille: u32, stretch: f64) -> Spent {
    Spent {
        per_mille,
        n: 52,
        lag_ns: 900.0 * stretch,
        backlog_ns: 2_000.0 * stretch * stretch,
        service_ns: 9_000.0 * stretch * stretch + 38_000.0 + 44_000.0 * stretch,
    }
}

/// Six seconds in which the bank stands still from 2 s to 3 s.
fn timeline(trial: &Trial) -> Timeline {
    const STEPS: f64 = 10.0;
    let drain = if trial.contender.contains("thread") { 20 } else { 6 };
    let windows = (0..60_u32)
        .map(|index| {
            let late_ms: f64 = match index {
                20..30 => f64::from(30 - index) * 100.0,
                i if i >= 30 && i < 30 + drain => {
                    f64::from(30 + drain - i) * 400.0 / f64::from(drain)
                }
                _ => 0.0,
            };
            let p50_ns = (300_000.0 + late_ms * 1e6) as u64;
            let bucket = ((p50_ns as f64 / 100_000.0).log10() * STEPS) as usize;
            let mut counts = vec![0; bucket + 3];
            counts[bucket] = 320;
            counts[bucket + 1] = 70;
            counts[bucket + 2] = u64::from(10 + index % 5);
            TimeWindow {
                n: counts.iter().sum(),
                failures: 0,
                p50_ns: Some(p50_ns),
                p99_ns: Some(p50_ns + p50_ns / 2),
                max_ns: Some(p50_ns * 2),
                counts,
            }
        })
        .collect();
    Timeline {
        version: 1,
        window_ns: 100_000_000,
        windows,
        lowest_ns: 100_000,
        steps_per_decade: STEPS as u32,
        fault: Some(Fault {
            what: "bank stalled".into(),
            from_ns: 2_000_000_000,
            for_ns: 1_000_000_000,
        }),
        recovery_ns: Some(u64::from(drain) * 100_000_000),
    }
}

fn map(of: &str, versus: &str) -> Map {
    let waits_ns = vec![0, 100_000, 500_000, 2_000_000, 10_000_000, 50_000_000];
    let cpus_ns = vec![10_000, 30_000, 100_000, 300_000, 1_000_000];
    let mut cells = Vec::new();
    for (column, wait_ns) in waits_ns.iter().enumerate() {
        for (row, cpu_ns) in cpus_ns.iter().enumerate().filter(|(row, _)| (column, *row) != (5, 4))
        {
            let ratio = 0.75 * 1.55_f64.powi(column as i32) / 1.1_f64.powi(row as i32);
            let unknown = (column, row) == (5, 3);
            let known = |value: f64| (!unknown).then_some(value);
            cells.push(MapCell {
                wait_ns: *wait_ns,
                cpu_ns: *cpu_ns,
                ratio: known(ratio),
                low: known(ratio * 0.93),
                high: known(ratio * 1.07),
                n: 10,
                reason: if unknown { "the pool binds both".into() } else { String::new() },
                sizes: [String::new(), "64 threads (best of 16, 32, 64)".into()],
                rounds: Vec::new(),
                p: (!unknown).then(|| if (0.89..1.129).contains(&ratio) { 0.4 } else { 0.002 }),
                winner: None,
            });
        }
    }
    cell::judge(&mut cells, cell::CEILING);
    Map {
        version: 1,
        workload: "payment".into(),
        metric: "capacity".into(),
        of: of.into(),
        versus: versus.into(),
        waits_ns,
        cpus_ns,
        cells,
        service: Some(MapPlace { wait_ns: 2_300_000, cpu_ns: 280_000 }),
    }
}

fn history() -> Vec<GatePoint> {
    let mut history = Vec::new();
    for metric in ["p99", "capacity"] {
        for index in 0..14_u32 {
            let (ratio, verdict) = match (metric, index) {
                ("p99", 9) => (1.24, "regressed"),
                ("p99", 11) => (0.81, "improved"),
                _ => (1.0 + 0.01 * (f64::from(index * 7 % 5) - 2.0), "pass"),
            };
            history.push(GatePoint {
                version: 1,
                commit: format!("{:07x}", 0x9f2_c01d + index * 7_919_113),
                utc: format!("2026-11-{:02}T04:09:53Z", index + 1),
                metric: metric.into(),
                ratio: Some(ratio),
                low: Some(ratio * 0.95),
                high: Some(ratio * 1.05),
                verdict: verdict.into(),
            });
        }
    }
    history
}
