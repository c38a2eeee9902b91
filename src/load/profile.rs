//! The rate over time: steady, in a straight line from one value to another, or in steps.
//!
//! The arrivals up to t are the integral of the rate, and the instant of a count is the integral's inverse, both in
//! closed form: `a t + s t^2 / 2 = n` gives `t = 2 n / (a + sqrt(a^2 + 2 s n))`, in the form that loses no digits when
//! the slope s is small, nought or negative. Nothing is added up, so nothing drifts.

use std::sync::Arc;

use super::plan::Step;
use crate::units::{Nanos, Rate};

/// The rate over time.
#[derive(Clone, Debug)]
pub(crate) enum Profile {
    Steady(Rate),
    /// From one to another.
    Ramp(Ramp),
    /// One after another.
    Steps(Steps),
}

impl Profile {
    /// When `count` have arrived in the mean.
    pub(crate) fn instant(&self, count: f64) -> Nanos {
        match self {
            Self::Steady(rate) => Nanos((count * 1e9 / rate.0) as u64),
            Self::Ramp(ramp) => ramp.instant(count),
            Self::Steps(steps) => steps.instant(count),
        }
    }

    /// How many have arrived by `instant` in the mean.
    pub(crate) fn count(&self, instant: Nanos) -> f64 {
        match self {
            Self::Steady(rate) => instant.as_secs_f64() * rate.0,
            Self::Ramp(ramp) => ramp.count(instant),
            Self::Steps(steps) => steps.count(instant),
        }
    }

    pub(crate) fn mean(&self) -> Rate {
        match self {
            Self::Steady(rate) => *rate,
            Self::Ramp(ramp) => ramp.mean(),
            Self::Steps(steps) => steps.mean(),
        }
    }

    /// Where an arrival of the mean rate at `instant` belongs.
    pub(crate) fn bent(&self, instant: u64) -> u64 {
        match self {
            Self::Steady(_) => instant,
            Self::Ramp(ramp) => ramp.instant(Nanos(instant).as_secs_f64() * ramp.mean().0).0,
            Self::Steps(steps) => steps.instant(Nanos(instant).as_secs_f64() * steps.mean().0).0,
        }
    }

    /// About the instant of the mean rate that belongs at `instant`.
    pub(crate) fn straightened(&self, instant: Nanos) -> Nanos {
        match self {
            Self::Steady(_) => instant,
            Self::Ramp(ramp) => Nanos::from_secs_f64(ramp.count(instant) / ramp.mean().0),
            Self::Steps(steps) => Nanos::from_secs_f64(steps.count(instant) / steps.mean().0),
        }
    }
}

/// A rate over time: `from` until `start`, then in a straight line to `to` at `end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ramp {
    from: f64,
    /// Per second, per second.
    slope: f64,
    start_s: f64,
    end_s: f64,
}

impl Ramp {
    /// `from` for `warm_up`, then to `to` over `duration`.
    pub(crate) fn new(from: Rate, to: Rate, warm_up: Nanos, duration: Nanos) -> Self {
        let (start_s, length_s) = (warm_up.as_secs_f64(), duration.as_secs_f64());
        let slope = (to.0 - from.0) / length_s;
        Self { from: from.0, slope, start_s, end_s: start_s + length_s }
    }

    /// Arrivals up to `instant` in the mean; beyond the end there are no more.
    pub(crate) fn count(&self, instant: Nanos) -> f64 {
        let seconds = instant.as_secs_f64().min(self.end_s);
        let ramped = (seconds - self.start_s).max(0.0);
        self.from * seconds + self.slope * ramped * ramped / 2.0
    }

    /// When so many have arrived in the mean.
    pub(crate) fn instant(&self, count: f64) -> Nanos {
        let before = self.from * self.start_s;
        let seconds = if count <= before {
            count / self.from
        } else {
            let n = count - before;
            // Beyond the end of a falling ramp the root may be of a negative number by a rounding.
            let root = (self.from * self.from + 2.0 * self.slope * n).max(0.0).sqrt();
            self.start_s + 2.0 * n / (self.from + root)
        };
        Nanos((seconds * 1e9) as u64)
    }

    /// The mean rate from the beginning to the end.
    pub(crate) fn mean(&self) -> Rate {
        Rate(self.count(Nanos(u64::MAX)) / self.end_s)
    }
}

/// Rates one after another: the first until `before` the window too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Steps {
    legs: Arc<[Leg]>,
    end_s: f64,
    /// Arrivals up to the end in the mean.
    all: f64,
}

/// A stretch of one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leg {
    start_s: f64,
    /// Arrivals before it in the mean.
    before: f64,
    rate: f64,
}

impl Steps {
    /// `steps` as multiples of `base`, the first of them for `before` longer.
    pub(crate) fn new(base: Rate, steps: &[Step], before: Nanos) -> Self {
        let (mut legs, mut start_s, mut all) = (Vec::new(), 0.0, 0.0);
        let mut lead = before.as_secs_f64();
        for step in steps {
            let rate = base.0 * step.times;
            legs.push(Leg { start_s, before: all, rate });
            let lasting_s = step.lasting.as_secs_f64() + std::mem::take(&mut lead);
            start_s += lasting_s;
            all += rate * lasting_s;
        }
        Self { legs: legs.into(), end_s: start_s, all }
    }

    /// Arrivals up to `instant` in the mean; beyond the end there are no more.
    fn count(&self, instant: Nanos) -> f64 {
        let seconds = instant.as_secs_f64().min(self.end_s);
        let leg = self.leg(|leg| leg.start_s <= seconds);
        leg.before + leg.rate * (seconds - leg.start_s)
    }

    /// When so many have arrived in the mean.
    fn instant(&self, count: f64) -> Nanos {
        let leg = self.leg(|leg| leg.before <= count);
        Nanos(((leg.start_s + (count - leg.before) / leg.rate) * 1e9) as u64)
    }

    /// The last leg of which `begun` is true; it is true of those before it too.
    fn leg(&self, begun: impl Fn(&Leg) -> bool) -> Leg {
        let next = self.legs.partition_point(begun);
        self.legs[next.saturating_sub(1)]
    }

    pub(crate) fn mean(&self) -> Rate {
        Rate(self.all / self.end_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(from: f64, to: f64) -> Ramp {
        Ramp::new(Rate(from), Rate(to), Nanos(2_000_000_000), Nanos(10_000_000_000))
    }

    #[test]
    fn a_ramp_is_its_integral() {
        let up = ramp(100.0, 300.0);
        assert_eq!(up.count(Nanos(2_000_000_000)), 200.0, "the warm-up has the first rate");
        assert_eq!(up.count(Nanos(12_000_000_000)), 2_200.0, "then 200/s in the mean for 10 s");
        assert_eq!(up.count(Nanos(7_000_000_000)), 200.0 + 500.0 + 250.0);
        assert_eq!(up.instant(950.0), Nanos(7_000_000_000));
        assert_eq!(ramp(50.0, 50.0).instant(300.0), Nanos(6_000_000_000), "no slope at all");
        assert_eq!(up.mean(), Rate(2_200.0 / 12.0));
    }

    /// Once, five times and twice 100/s, behind 2 s of the first.
    fn steps() -> Steps {
        let step = |times, ms: u64| Step { times, lasting: Nanos(ms * 1_000_000) };
        let steps = [step(1.0, 3_000), step(5.0, 500), step(2.0, 1_500)];
        Steps::new(Rate(100.0), &steps, Nanos(2_000_000_000))
    }

    #[test]
    fn steps_are_their_integral() {
        let steps = steps();
        let at = |ms: u64| steps.count(Nanos(ms * 1_000_000));
        assert_eq!([at(0), at(2_000), at(5_000)], [0.0, 200.0, 500.0], "the first comes before");
        assert_eq!([at(5_250), at(5_500), at(7_000)], [625.0, 750.0, 1_050.0]);
        assert_eq!(at(60_000), 1_050.0, "nothing comes after the end");
        assert_eq!(steps.mean(), Rate(150.0));
        assert_eq!(steps.instant(500.0), Nanos(5_000_000_000));
        assert_eq!(steps.instant(625.0), Nanos(5_250_000_000));
        assert!(steps.instant(2_000.0) > Nanos(7_000_000_000), "it never turns back");
    }

    proptest! {
        #[test]
        fn the_inverse_of_steps_is_their_inverse(at in 0.0..1.0_f64) {
            let instant = Nanos((at * 7e9) as u64);
            let steps = steps();
            let back = steps.instant(steps.count(instant));
            prop_assert!(back.0.abs_diff(instant.0) <= 1_000, "{back} and not {instant}");
        }

        #[test]
        fn the_inverse_is_the_inverse(
            from in 0.1..10_000.0_f64, to in 0.1..10_000.0_f64, at in 0.0..1.0_f64
        ) {
            let ramp = ramp(from, to);
            let instant = Nanos((at * 12e9) as u64);
            let back = ramp.instant(ramp.count(instant));
            let off = back.0.abs_diff(instant.0);
            prop_assert!(off <= 1_000, "{off} ns off at {instant}");
        }
    }
}
