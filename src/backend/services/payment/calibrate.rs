//! How many rounds of a signature take a given CPU time on this machine, now.

use std::hint::black_box;
use std::time::Instant;

use crate::domain::signature::Key;
use crate::units::Nanos;

/// Rounds that stand for a CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Digests that stretch the key.
    pub rounds: u32,
    /// The shortest time that so many took, when nothing else used the core.
    pub measured: Nanos,
}

/// Rounds of one sample of the search: about 100 us.
const SAMPLE_ROUNDS: u32 = 1_000;
/// Samples of the search, 2 to 20 ms in all. The best of so many meets no interruption.
const SAMPLES: u32 = 20;
/// Samples of the check, or fewer if they take longer than this together.
const CHECKS: u32 = 5;
const CHECK_MAX: Nanos = Nanos(200_000_000);

/// Finds the rounds that take `cpu` by measuring, for 30 ms and up to 0.2 s when `cpu` is long.
pub fn calibrate(cpu: Nanos) -> Calibration {
    let one = best(SAMPLES, || time(SAMPLE_ROUNDS)).0 as f64 / f64::from(SAMPLE_ROUNDS);
    let rounds = (cpu.0 as f64 / one).round() as u32;
    let checks = (CHECK_MAX.0 / cpu.0.max(1)).clamp(1, CHECKS.into()) as u32;
    let measured = if rounds == 0 { Nanos(0) } else { best(checks, || time(rounds)) };
    Calibration { rounds, measured }
}

/// What `rounds` rounds take, without what no rounds take.
fn time(rounds: u32) -> Nanos {
    let start = Instant::now();
    black_box(Key::stretch(black_box(42), black_box(1), black_box(rounds)));
    Nanos::from(start.elapsed())
}

fn best(samples: u32, measure: impl Fn() -> Nanos) -> Nanos {
    (0..samples).map(|_| measure()).min().expect("at least one sample")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_time_means_more_rounds() {
        assert_eq!(calibrate(Nanos(0)), Calibration { rounds: 0, measured: Nanos(0) });
        let (short, long) = (calibrate(Nanos(20_000)), calibrate(Nanos::MILLI));
        // Loose, since tests share their cores: the two calls may run at different speeds.
        assert!(long.rounds > 10 * short.rounds && short.rounds > 1, "{short:?} {long:?}");
        assert!(long.measured > Nanos(200_000), "{long:?}");
    }
}
