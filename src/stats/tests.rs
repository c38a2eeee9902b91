//! How often the intervals cover the truth, simulated; and what the tests of statistics share.

use crate::stats::significance::SignedRank;
use crate::stats::{
    Better, batch_means, hodges_lehmann, quantile_interval, quantile_ranks, ratio_of,
};
use serde_json::Value;

/// Repetitions in every test run; the full ones on demand have [`FULL_RUNS`].
const RUNS: u32 = 2_000;
const FULL_RUNS: u32 = 10_000;

/// Draws one number.
type Law = fn(&mut Random) -> f64;

#[test]
fn symmetric_differences_are_covered_as_often_as_the_law_says() {
    for (seed, n, confidence) in
        [(1, 6, 0.95), (2, 10, 0.95), (3, 20, 0.95), (4, 10, 0.99), (5, 20, 0.99)]
    {
        let laws: [(&str, Law); 3] = [
            ("normal", Random::normal),
            ("heavy tails", Random::cauchy),
            ("two peaks", Random::peaks),
        ];
        for (name, draw) in laws {
            let mut random = Random(seed);
            let covered = count(|| {
                let d: Vec<f64> = (0..n).map(|_| 0.3 + draw(&mut random)).collect();
                hodges_lehmann(&d, confidence).unwrap().interval.unwrap().contains(0.3)
            });
            assert_exact(covered, n, confidence, name);
        }
    }
}

#[test]
fn a_ratio_of_lognormal_metrics_is_covered_under_drift_and_outliers() {
    const RATIO: f64 = 1.25;
    for (seed, n, confidence) in [(11, 10, 0.95), (12, 10, 0.99), (13, 24, 0.95)] {
        let mut random = Random(seed);
        let covered = count(|| {
            // A round's luck is shared: the machine slows down over the run, and one round in ten is ten times slower.
            let rounds = (0..n).map(|round| {
                let hiccup = if random.uniform() < 0.1 { 10.0 } else { 1.0 };
                let luck = hiccup * (1.0 + 0.1 * round as f64);
                let mut metric = || luck * (0.2 * random.normal()).exp();
                (RATIO * metric(), metric())
            });
            let (a, b): (Vec<f64>, Vec<f64>) = rounds.unzip();
            let ratio = ratio_of(&a, &b, Better::Less, confidence).unwrap().ratio.unwrap();
            ratio.interval.unwrap().contains(RATIO)
        });
        assert_exact(covered, n, confidence, "lognormal");
    }
}

#[test]
fn ties_and_zeros_never_cost_coverage() {
    for (seed, confidence) in [(21, 0.95), (22, 0.99)] {
        let mut random = Random(seed);
        let covered = count(|| {
            let d: Vec<f64> = (0..12).map(|_| (2.0 * random.normal()).round() / 2.0).collect();
            hodges_lehmann(&d, confidence).unwrap().interval.unwrap().contains(0.0)
        });
        assert!(f64::from(covered) >= expected(confidence) - 3.0 * sd(confidence), "{covered}");
    }
}

#[test]
fn a_against_a_is_a_difference_in_at_most_five_percent() {
    for (seed, n) in [(31, 6), (32, 10), (33, 20), (34, 40)] {
        let claims = claims_of_a_difference(seed, n, RUNS);
        assert!(f64::from(claims) <= expected(0.05) + 3.0 * sd(0.05), "{claims}, n = {n}");
    }
}

/// cargo test --release --lib stats::tests -- --ignored --nocapture
#[test]
#[ignore = "10,000 repetitions for each number of rounds: half a minute when optimised"]
fn coverage_lies_between_the_nominal_and_the_exact_level() {
    println!("n    95 % covered, exact    99 % covered, exact    A/A claims");
    for n in 6..=40 {
        print!("{n:<3}");
        for confidence in [0.95, 0.99] {
            let Some(exact) = attained(n, confidence) else { continue };
            let mut random = Random(1_000 * n as u64 + (confidence * 100.0) as u64);
            let covered = (0..FULL_RUNS)
                .filter(|_| {
                    let d: Vec<f64> = (0..n).map(|_| 0.3 + random.normal()).collect();
                    hodges_lehmann(&d, confidence).unwrap().interval.unwrap().contains(0.3)
                })
                .count();
            let share = covered as f64 / f64::from(FULL_RUNS);
            let error = |p: f64| (p * (1.0 - p) / f64::from(FULL_RUNS)).sqrt();
            print!("  {:>8.2} % {:>8.2} %", 100.0 * share, 100.0 * exact);
            assert!(share >= confidence - 3.0 * error(confidence), "n {n}: {share}");
            assert!(share <= exact + 3.0 * error(exact), "n {n}: {share}, exactly {exact}");
        }
        let claims = claims_of_a_difference(n as u64, n, FULL_RUNS);
        println!("  {:>8.2} %", 100.0 * f64::from(claims) / f64::from(FULL_RUNS));
        let allowed = 0.05 + 3.0 * (0.05 * 0.95 / f64::from(FULL_RUNS)).sqrt();
        assert!(f64::from(claims) <= allowed * f64::from(FULL_RUNS), "n {n}: {claims}");
    }
}

#[test]
fn a_quantile_lies_between_its_order_statistics() {
    for (seed, n, q, z) in [(41, 10, 0.5, 0.0), (42, 60, 0.9, 1.281_551_565_544_6)] {
        let mut random = Random(seed);
        let covered = count(|| {
            let values: Vec<f64> = (0..n).map(|_| random.normal()).collect();
            quantile_interval(&values, q, 0.95).unwrap().contains(z)
        });
        assert!(quantile_ranks(n, q, 0.95).is_some());
        assert!(f64::from(covered) >= expected(0.95) - 3.0 * sd(0.95), "{covered}, n = {n}");
    }
}

#[test]
fn batches_cover_the_mean_of_a_correlated_series_and_single_values_do_not() {
    const MEAN: f64 = 5.0;
    let mut random = Random(51);
    let mut alone = 0;
    let covered = count(|| {
        let mut state = random.normal() / (1.0 - 0.8_f64.powi(2)).sqrt();
        let series: Vec<f64> = (0..1_000)
            .map(|_| {
                state = 0.8 * state + random.normal();
                MEAN + state
            })
            .collect();
        let covers =
            |batches| batch_means(&series, batches, 0.95).unwrap().interval.unwrap().contains(MEAN);
        alone += u32::from(covers(1_000));
        covers(20)
    });
    assert!(f64::from(covered) >= expected(0.93), "{covered} of {RUNS}");
    assert!(f64::from(alone) < expected(0.6), "{alone} of {RUNS}");
}

/// How often an interval of 95 % for the ratio of two equal contenders leaves out 1. The machine drifts and stalls.
fn claims_of_a_difference(seed: u64, n: usize, runs: u32) -> u32 {
    let mut random = Random(seed);
    let mut claims = 0;
    for _ in 0..runs {
        let mut state = 0.0;
        let mut metric = |random: &mut Random| {
            state = 0.9 * state + 0.1 * random.normal();
            let stall = if random.uniform() < 0.05 { 1.0 } else { 0.0 };
            (state + stall + 0.1 * random.normal()).exp()
        };
        let rounds = (0..n).map(|_| {
            let (first, second) = (metric(&mut random), metric(&mut random));
            if random.coin() { (first, second) } else { (second, first) }
        });
        let (a, b): (Vec<f64>, Vec<f64>) = rounds.unzip();
        let ratio = ratio_of(&a, &b, Better::Less, 0.95).unwrap().ratio.unwrap();
        claims += u32::from(!ratio.interval.unwrap().contains(1.0));
    }
    claims
}

fn count(mut run: impl FnMut() -> bool) -> u32 {
    (0..RUNS).map(|_| u32::from(run())).sum()
}

/// Neither too seldom for the confidence asked for, nor otherwise than the law of `n` pairs has it.
fn assert_exact(covered: u32, n: usize, confidence: f64, name: &str) {
    let covered = f64::from(covered);
    let what = format!("{name}: {covered} of {RUNS}, n = {n} at {confidence}");
    assert!(covered >= expected(confidence) - 3.0 * sd(confidence), "{what}");
    let exact = attained(n, confidence).unwrap();
    assert!((covered - expected(exact)).abs() <= 4.0 * sd(exact), "{what}, exactly {exact}");
}

/// The confidence that `n` pairs attain when `confidence` is asked for.
fn attained(n: usize, confidence: f64) -> Option<f64> {
    let law = SignedRank::of(n);
    let k = law.limit((1.0 - confidence) / 2.0)?;
    Some(1.0 - 2.0 * law.at_most(k - 1))
}

fn expected(probability: f64) -> f64 {
    f64::from(RUNS) * probability
}

fn sd(probability: f64) -> f64 {
    (f64::from(RUNS) * probability * (1.0 - probability)).sqrt()
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn coin(&mut self) -> bool {
        self.uniform() < 0.5
    }

    /// In (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 4.0
    }

    /// Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Has no variance, and not even a mean.
    pub(crate) fn cauchy(&mut self) -> f64 {
        (std::f64::consts::PI * (self.uniform() - 0.5)).tan()
    }

    /// A machine of two speeds.
    pub(crate) fn peaks(&mut self) -> f64 {
        let side = if self.uniform() < 0.5 { -1.0 } else { 1.0 };
        side + 0.05 * self.normal()
    }
}

/// The rows of a file that `tests/data/scipy_stats.py` wrote.
pub(crate) fn rows(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["rows"].as_array().unwrap().clone()
}

pub(crate) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(float).collect()
}

/// Equal up to the rounding of a different order of the same sums.
pub(crate) fn assert_near(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-9 * expected.abs().max(1e-3), "{what}: {found} and not {expected}");
}
