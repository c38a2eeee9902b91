//! How often the intervals cover the truth, simulated: the promise that everything else here rests on.

use super::wilcoxon::SignedRank;
use super::{hodges_lehmann, ratio_of};

const RUNS: u32 = 2_000;

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
            let ratio = ratio_of(&a, &b, confidence).unwrap().ratio.unwrap();
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

fn count(mut run: impl FnMut() -> bool) -> u32 {
    (0..RUNS).map(|_| u32::from(run())).sum()
}

/// Neither too seldom for the confidence asked for, nor otherwise than the law of `n` pairs has it.
fn assert_exact(covered: u32, n: usize, confidence: f64, name: &str) {
    let covered = f64::from(covered);
    let what = format!("{name}: {covered} of {RUNS}, n = {n} at {confidence}");
    assert!(covered >= expected(confidence) - 3.0 * sd(confidence), "{what}");
    let law = SignedRank::of(n);
    let k = law.limit((1.0 - confidence) / 2.0).unwrap();
    let exact = 1.0 - 2.0 * law.at_most(k - 1);
    assert!((covered - expected(exact)).abs() <= 4.0 * sd(exact), "{what}, exactly {exact}");
}

fn expected(probability: f64) -> f64 {
    f64::from(RUNS) * probability
}

fn sd(probability: f64) -> f64 {
    (f64::from(RUNS) * probability * (1.0 - probability)).sqrt()
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 4.0
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Has no variance, and not even a mean.
    fn cauchy(&mut self) -> f64 {
        (std::f64::consts::PI * (self.uniform() - 0.5)).tan()
    }

    /// A machine of two speeds.
    fn peaks(&mut self) -> f64 {
        let side = if self.uniform() < 0.5 { -1.0 } else { 1.0 };
        side + 0.05 * self.normal()
    }
}
