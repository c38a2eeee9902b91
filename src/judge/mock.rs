//! Results made up for tests: deterministic, and near enough to real ones to be looked at.

use crate::judge::cell;
use crate::record::histogram::{distribution, ranked, requests as requests_of};
use crate::record::*;
use crate::record::{ArrivalKind, BoundBy, GatePointVerdict, MemoryKind, Pace};
use crate::stats::percentile::Failures;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// A contender's shape: its name, its median response time in us, how far its tail goes.
pub(crate) type Shape<'a> = (&'a str, f64, f64);

/// The four models, as a tour on a quiet machine might find them.
pub(crate) const MODELS: [Shape<'static>; 4] = [
    ("event-loop", 96.0, 1.0),
    ("work-stealing", 104.0, 1.1),
    ("thread-per-connection", 118.0, 1.45),
    ("thread-pool", 111.0, 1.3),
];

/// A valid run of payments at 4,000/s.
pub(crate) fn payments(rounds: u32, contenders: &[Shape<'_>]) -> RunResult {
    let mut result = empty("tour", "Both services under all four models, nothing to wait for");
    result.rounds = rounds;
    add_race(&mut result, "payment", "4,000/s", 4_000.0, &[("payment", 5_200)], rounds, contenders);
    result
}

/// A run without trials.
pub(crate) fn empty(scenario: &str, title: &str) -> RunResult {
    RunResult {
        schema: SCHEMA.into(),
        scenario: scenario.into(),
        title: title.into(),
        seed: 42,
        order_seed: 7_301,
        started_utc: "2026-11-24T04:09:53Z".into(),
        fingerprint: Fingerprint {
            cpu_model: "AMD EPYC 7B13".into(),
            cores: 2,
            kernel: "6.8.0-45-generic".into(),
            memory_bytes: 8_350_000_000,
            bakeoff: "0.1.0".into(),
            binary: "9f2c01d4aa51e6b3".into(),
            scenario: "51c3b6f0d2a97e48".into(),
            profile: "release".into(),
            ..Fingerprint::default()
        },
        verdict: Verdict::Pass,
        rounds: 6,
        request_cpu_ns: 20_000,
        request_cpu_measured_ns: 20_400,
        signature_rounds: 148,
        not_checked: vec!["hiccup meter".into(), "drift".into(), "receive lag".into()],
        ..RunResult::default()
    }
}

/// Adds a race with its trials and its comparisons against the first contender.
pub(crate) fn add_race(
    result: &mut RunResult,
    workload: &str,
    level: &str,
    rps: f64,
    kinds: &[(&str, u64)],
    rounds: u32,
    contenders: &[Shape<'_>],
) {
    for round in 1..=rounds {
        for (order, shape) in contenders.iter().enumerate() {
            let by_request = kinds
                .iter()
                .enumerate()
                .map(|(i, (kind, n))| ((*kind).into(), requests(shape, round, *n, i)))
                .collect();
            result.trials.push(trial(workload, level, rps, round, order as u32, shape, by_request));
        }
    }
    for shape in &contenders[1..] {
        for (kind, _) in kinds {
            let ratio = shape.1 * shape.2 / (contenders[0].1 * contenders[0].2);
            let difference = (ratio - 1.0) * 410_000.0;
            result.comparisons.push(compare(
                workload,
                level,
                "p99",
                Some(kind),
                ratio,
                difference,
                rounds,
                shape,
                &contenders[0],
            ));
        }
        let ratio = shape.1 / contenders[0].1;
        result.comparisons.push(compare(
            workload,
            level,
            "cpu_per_request",
            None,
            ratio,
            (ratio - 1.0) * 38.0,
            rounds,
            shape,
            &contenders[0],
        ));
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a table of tests reads well with all of them in a row"
)]
fn compare(
    workload: &str,
    level: &str,
    metric: &str,
    request: Option<&str>,
    ratio: f64,
    difference: f64,
    n: u32,
    of: &Shape<'_>,
    versus: &Shape<'_>,
) -> Comparison {
    let interval = (n >= 6).then_some((ratio / 1.09, ratio * 1.09));
    Comparison {
        workload: workload.into(),
        metric: metric.into(),
        request: request.map(Into::into),
        at: level.into(),
        of: of.0.into(),
        versus: versus.0.into(),
        ratio: Some(ratio),
        low: interval.map(|i| i.0),
        high: interval.map(|i| i.1),
        difference: Some(difference),
        n,
        verdict: match interval {
            Some((low, _)) if low > 1.0 => Direction::Higher,
            Some((_, high)) if high < 1.0 => Direction::Lower,
            _ => Direction::Inconclusive,
        },
        headline_confidence: (metric == "p99").then_some(0.99),
        ..Comparison::default()
    }
}

fn trial(
    workload: &str,
    level: &str,
    rps: f64,
    round: u32,
    order: u32,
    (name, p50_us, _): &Shape<'_>,
    by_request: BTreeMap<String, ByRequest>,
) -> Trial {
    let only = by_request.values().next().filter(|_| by_request.len() == 1).cloned();
    Trial {
        workload: workload.into(),
        contender: (*name).into(),
        round,
        order,
        level: level.into(),
        placement: TrialPlacement {
            mode: PlacementKind::Apart,
            contender_cores: vec![0],
            generator_cores: vec![1],
            pace: Pace::Spin,
            dependency_cores: Vec::new(),
        },
        schedule_hash: format!("{round:016x}"),
        load: Load {
            kind: LoopKind::Open,
            arrivals: Some(ArrivalKind::Poisson),
            rate: Some(rps),
            connections: 64,
            duration_s: 1.3,
            ..Load::default()
        },
        offered_rps: rps,
        achieved_rps: rps - f64::from(round % 3),
        requests: by_request.values().map(|kind| kind.requests).sum(),
        response_ns: only.as_ref().and_then(|kind| kind.response_ns.clone()),
        service_ns: only.and_then(|kind| kind.service_ns),
        by_request,
        server: server(name, *p50_us, round, order),
        generator: Generator { cpu_share: 0.12, receive_lag_ns: None, threads: 1 },
        bound_by: BoundBy::Nothing,
        validity: Validity {
            lag_limit_ns: Some(100_000),
            steal_share: Some(0.0),
            drift: DriftVerdict::NotTested,
            ..Validity::default()
        },
        audit: Audit { verdict: AuditVerdict::Balanced, reasons: Vec::new() },
        ..Trial::default()
    }
}

fn server(name: &str, p50_us: f64, round: u32, order: u32) -> ServerUsage {
    ServerUsage {
        cpu_us_per_request: Some(p50_us * 0.4 + f64::from(round) * 0.1),
        user_us_per_request: Some(p50_us * 0.1 + f64::from(round) * 0.1),
        system_us_per_request: Some(p50_us * 0.3),
        faults_minor_per_request: Some(0.02),
        faults_major_per_request: Some(0.0),
        run_queue_us_per_request: Some(p50_us * 0.05),
        switches_voluntary_per_request: Some(0.95),
        switches_involuntary_per_request: Some(0.01),
        cpu_share: Some(0.4),
        rss_peak_bytes: Some(21_400_000 + u64::from(order) * 3_000_000),
        context_switches_voluntary: Some(10_000),
        context_switches_involuntary: Some(12),
        migrations: Some(0),
        threads_max: Some(if name.contains("thread-") { 66 } else { 2 }),
        cpu_us_per_request_halves: Vec::new(),
        memory_peak_bytes: Some(25_600_000 + u64::from(order) * 3_100_000),
        memory_kind: Some(MemoryKind::Cgroup),
        rss_windows_bytes: Vec::new(),
    }
}

fn requests((_, p50_us, tail): &Shape<'_>, round: u32, n: u64, kind: usize) -> ByRequest {
    let scale = 10_f64.powi(kind as i32) * p50_us * (1.0 + 0.01 * f64::from(round % 4));
    let mut response = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("3 digits");
    let mut service = response.clone();
    for i in 0..n {
        // Quantiles of a smooth law, so that a percentile does not depend on a generator of random numbers.
        let nines = -(1.0 - (i as f64 + 0.5) / n as f64).log10();
        let us =
            scale * (0.62 + nines.powf(1.25) * 0.95 * tail + (nines - 2.6).max(0.0) * 3.0 * tail);
        response.record((us * 1e3) as u64).expect("in bounds");
        service.record((us * 0.9e3) as u64).expect("in bounds");
    }
    ByRequest {
        requests: n,
        errors: BTreeMap::new(),
        response_ns: Some(distribution(&response)),
        response_less_lag_ns: None,
        service_ns: Some(distribution(&service)),
        backlog_ns: None,
        generator_lag_ns: None,
        spent: Vec::new(),
        p99_windows_ns: Vec::new(),
        steps: Vec::new(),
    }
}

/// The same run with a contender that does not keep up: it answered 3,180 of 4,000/s.
pub(crate) fn saturate(result: &mut RunResult, contender: &str) {
    for trial in result.trials.iter_mut().filter(|trial| trial.contender == contender) {
        trial.saturated = true;
        trial.achieved_rps = 3_180.0;
        trial.bound_by = BoundBy::Contender;
        for requests in trial.by_request.values_mut() {
            requests.response_ns = None;
        }
    }
    for c in result.comparisons.iter_mut().filter(|c| c.of == contender && c.metric == "p99") {
        (c.ratio, c.low, c.high, c.difference) = (None, None, None, None);
        c.n = 0;
        c.verdict = Direction::Inconclusive;
    }
}

/// Has so many requests of a trial's only kind fail beside those that were answered.
pub(crate) fn fail(trial: &mut Trial, failed: u64) {
    let kind = trial.by_request.values_mut().next().expect("it has a kind");
    for times in [&mut kind.response_ns, &mut kind.service_ns].into_iter().flatten() {
        let all = Failures { all: failed, ..Failures::default() };
        *times = ranked(&requests_of(times).expect("it is its own").times, all);
    }
    kind.requests += failed;
    kind.errors.insert("reset".into(), failed);
    trial.requests += failed;
    trial.errors.insert("reset".into(), failed);
    trial.response_ns = kind.response_ns.clone();
}

/// Has the generator be late: so much of every percentile of a trial's only kind is its own.
pub(crate) fn late(trial: &mut Trial, share: f64) {
    let kind = trial.by_request.values_mut().next().expect("it has a kind");
    let response = kind.response_ns.as_mut().expect("its load is open");
    response.ours = ["p50", "p90", "p99", "p99_9"].map(|name| (name.to_owned(), share)).into();
    trial.validity.our_share = response.ours.clone();
    trial.response_ns = kind.response_ns.clone();
}

/// The same run with every round of a contender marked.
pub(crate) fn mark(result: &mut RunResult, contender: &str, verdict: TrialVerdict, reason: &str) {
    for trial in result.trials.iter_mut().filter(|trial| trial.contender == contender) {
        trial.validity.verdict = verdict;
        trial.validity.reasons = vec![reason.into()];
    }
}

/// What is deployed of a contender: 12 MiB that start in a millisecond.
pub(crate) fn footprint(contender: &str) -> Footprint {
    let over =
        |median: f64| Some(OverStarts { n: 6, median, low: None, high: None, values: Vec::new() });
    let mib = |mib: f64| (mib * 1024.0 * 1024.0) as u64;
    Footprint {
        workload: "payment".into(),
        contender: contender.into(),
        start_ns: over(1.1e6),
        rss_idle_bytes: over(mib(7.34) as f64),
        rss_load_bytes: Some(mib(9.47) as f64),
        load: Some("4,000/s".into()),
        payload: FileSet { files: 2_893, bytes: mib(12.2) },
        runtime: FileSet { files: 0, bytes: 0 },
        base: Some(FileSet { files: 3, bytes: mib(3.03) }),
        image: Some(Image { raw_bytes: mib(15.2), compressed_bytes: mib(6.7), layers: 2 }),
        note: "its own program".into(),
        lost_starts: Vec::new(),
        lost_reason: String::new(),
    }
}

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
    result.why = Some(why(8));
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
        verdict: Direction::Higher,
        ..Comparison::default()
    });
    let connections =
        result.comparisons.iter().find(|c| c.metric == "cpu_per_request" && c.of == last);
    let mut rss = connections.cloned().expect("a race compares CPU times");
    (rss.metric, rss.at) = ("memory".into(), "6,000/s".into());
    (rss.ratio, rss.low, rss.high) = (Some(1.73), Some(1.72), Some(1.75));
    rss.verdict = Direction::Higher;
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
        bound_by: Some(BoundBy::Contender),
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
                ("p99", 9) => (1.24, GatePointVerdict::Regressed),
                ("p99", 11) => (0.81, GatePointVerdict::Improved),
                _ => (1.0 + 0.01 * (f64::from(index * 7 % 5) - 2.0), GatePointVerdict::Pass),
            };
            history.push(GatePoint {
                version: 1,
                commit: format!("{:07x}", 0x9f2_c01d + index * 7_919_113),
                utc: format!("2026-11-{:02}T04:09:53Z", index + 1),
                metric: metric.into(),
                ratio: Some(ratio),
                low: Some(ratio * 0.95),
                high: Some(ratio * 1.05),
                verdict,
            });
        }
    }
    history
}

/// Profiled rounds of two contenders: the second takes 4 us more of scheduling and has none of the first's microsecond of
/// memory.
pub(crate) fn why(rounds: u32) -> Why {
    let profile = |contender: &str, round: u32, layers: &[(&str, f64)]| Profile {
        scenario: "payment-memory".into(),
        contender: contender.into(),
        level: "4,000/s".into(),
        round,
        samples: 1_000,
        lost: 0,
        cut_share: 0.25,
        unnamed_share: 0.01,
        cpu_us_per_request: layers.iter().map(|(_, us)| us).sum(),
        layers: layers.iter().map(|(name, us)| ((*name).to_owned(), *us)).collect(),
        functions: [
            ("payment <b>", 800),
            ("futex_[k]", if contender == "event-loop" { 40 } else { 200 }),
        ]
        .map(|(name, n)| (name.to_owned(), n + u64::from(round % 3)))
        .into(),
        sample_us: [0.025, 0.025],
        syscalls_per_request: Some(4.0),
        instructions_per_request: None,
    };
    let (scheduling, memory) = ("kernel scheduling and locks", "kernel memory");
    let mut profiles = Vec::new();
    for round in 1..=rounds {
        let noise = if round % 2 == 0 { 0.01 } else { -0.01 };
        let first = [("service", 20.0 + noise), (scheduling, 1.0), (memory, 1.0)];
        profiles.push(profile("event-loop", round, &first));
        profiles.push(profile("thread-pool", round, &[("service", 20.0), (scheduling, 5.0)]));
    }
    let stack =
        |frames: &str, us, layer: &str| Stack { frames: frames.into(), us, layer: layer.into() };
    let flame = |contender: &str, stacks| Flame {
        scenario: "payment-memory".into(),
        contender: contender.into(),
        level: "4,000/s".into(),
        stacks,
        functions: Vec::new(),
        overhead: Some(0.012),
        withheld: None,
    };
    let service = || stack("main;serve;payment <b>", 20.0, "service");
    let mut why = Why {
        level: WhyLevel::Full,
        next: None,
        samples_per_s: 997,
        profiles,
        flames: vec![
            flame("event-loop", vec![service(), stack("main;serve;epoll_[k]", 2.0, scheduling)]),
            flame("thread-pool", vec![service(), stack("main;wait;futex_[k]", 5.0, scheduling)]),
        ],
        differences: Vec::new(),
        functions: Vec::new(),
    };
    for flame in &mut why.flames {
        let own = why.profiles.iter().filter(|one| one.contender == flame.contender);
        flame.functions = crate::judge::why::costs(&own.collect::<Vec<_>>());
    }
    why.differences = crate::judge::why::differences(&why);
    why.functions = crate::judge::why::functions(&why);
    why
}
