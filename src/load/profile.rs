//! The rate over time: steady, in a straight line from one value to another, or in steps.
//!
//! The arrivals up to t are the integral of the rate, and the instant of a count is the integral's inverse, both in
//! closed form: `a t + s t^2 / 2 = n` gives `t = 2 n / (a + sqrt(a^2 + 2 s n))`, in the form that loses no digits when
//! the slope s is small, 0 or negative. Nothing is added up, so nothing drifts.

use crate::random::Stream;
use crate::units::{Nanos, Rate};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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

// Loads that rise and fall: a spike at a given instant, and bursts at random ones.

/// No wave is so many times its calm.
const TIMES_MAX: f64 = 1_000.0;
/// The shortest stretch, so that an hour has at most some hundred thousand of them.
const STRETCH_MIN: Nanos = Nanos(10 * Nanos::MILLI.0);

/// A stretch of the window with a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// The rate, in times the plan's; above 0.
    pub times: f64,
    pub lasting: Nanos,
}

/// `x5@3s+2s`: five times the rate from 3 s after the window's start on, for 2 s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    pub times: f64,
    pub at: Nanos,
    pub lasting: Nanos,
}

/// `x5@200ms/800ms`: bursts of 200 ms in the mean with five times the rate of the calm between them, which lasts 800 ms in
/// the mean. Both are exponential, so the arrivals are a Markov-modulated Poisson process of two states; their long-run mean
/// is the rate that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bursts {
    pub times: f64,
    /// Mean length of a burst.
    pub burst: Nanos,
    /// Mean length of the calm between two.
    pub calm: Nanos,
}

impl Spike {
    /// The steps of a window with it.
    ///
    /// # Errors
    /// When it does not end within the window, or begins with it.
    pub fn steps(self, window: Nanos) -> Result<Vec<Step>, String> {
        let Self { times, at, lasting } = self;
        if at == Nanos(0) || at + lasting >= window {
            return Err(format!(
                "the spike {self} must begin and end within the window of {window}"
            ));
        }
        let step = |times, lasting| Step { times, lasting };
        Ok(vec![step(1.0, at), step(times, lasting), step(1.0, window - at - lasting)])
    }
}

impl Bursts {
    /// The rate of the calm, where the mean is `mean`.
    pub(super) fn calm_rate(self, mean: Rate) -> Rate {
        let [burst, calm] = [self.burst, self.calm].map(Nanos::as_secs_f64);
        Rate(mean.0 * (burst + calm) / (self.times * burst + calm))
    }

    /// The path of states over `span`, as multiples of the calm rate: drawn whole from a stream, whatever comes back.
    pub(super) fn path(self, stream: Stream, span: Nanos) -> Vec<Step> {
        let share = self.burst.as_secs_f64() / (self.burst + self.calm).as_secs_f64();
        let mut bursting = stream.unit(0) <= share;
        let (mut path, mut left, mut n) = (Vec::new(), span, 0);
        while left > Nanos(0) {
            n += 1;
            let (mean, times) = if bursting { (self.burst, self.times) } else { (self.calm, 1.0) };
            // Without memory: the first stretch, which began before, is no shorter.
            let drawn = -stream.unit(n).ln() * mean.0 as f64;
            let lasting = Nanos((drawn as u64).max(1)).min(left);
            path.push(Step { times, lasting });
            (left, bursting) = (left - lasting, !bursting);
        }
        path
    }
}

impl fmt::Display for Spike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}@{}+{}", self.times, self.at.spelled(), self.lasting.spelled())
    }
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}@{}/{}", self.times, self.burst.spelled(), self.calm.spelled())
    }
}

impl FromStr for Spike {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (times, at, lasting) = parts(text, '+', "x5@3s+2s")?;
        Ok(Self { times, at, lasting })
    }
}

impl FromStr for Bursts {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (times, burst, calm) = parts(text, '/', "x5@200ms/800ms")?;
        match burst.min(calm) < STRETCH_MIN {
            true => Err(format!("bursts and the calm between must last {STRETCH_MIN} or more")),
            false => Ok(Self { times, burst, calm }),
        }
    }
}

/// `xTIMES@ONE<sep>OTHER`
fn parts(text: &str, separator: char, example: &str) -> Result<(f64, Nanos, Nanos), String> {
    let wrong = || format!("`{text}` is not written as {example}");
    let (times, rest) =
        text.strip_prefix('x').and_then(|it| it.split_once('@')).ok_or_else(wrong)?;
    let (one, other) = rest.split_once(separator).ok_or_else(wrong)?;
    let times: f64 = times.parse().map_err(|_| wrong())?;
    if !(times > 0.0 && times <= TIMES_MAX && times != 1.0) {
        return Err(format!("x{times} must be above 0, at most {TIMES_MAX}, and not 1"));
    }
    let (one, other) = (one.parse()?, other.parse()?);
    if other == Nanos(0) {
        return Err(wrong());
    }
    Ok((times, one, other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Share;
    use proptest::prelude::*;

    fn ramp(from: f64, to: f64) -> Ramp {
        Ramp::new(Rate(from), Rate(to), Nanos(2_000_000_000), Nanos(10_000_000_000))
    }

    #[test]
    fn a_ramp_is_its_integral() {
        let up = ramp(100.0, 300.0);
        assert_eq!(up.count(Nanos(2_000_000_000)), 200.0, "the warm-up has the first rate");
        assert_eq!(up.count(Nanos(12_000_000_000)), 2_200.0, "then 200/s on average for 10 s");
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

    const SECOND: Nanos = Nanos::SECOND;

    /// How much of the time a path bursts.
    fn share(path: &[Step]) -> Share {
        let sum =
            |steps: &mut dyn Iterator<Item = &Step>| steps.map(|it| it.lasting.0).sum::<u64>();
        let bursting = sum(&mut path.iter().filter(|step| step.times != 1.0));
        Share(bursting as f64 / sum(&mut path.iter()) as f64)
    }

    #[test]
    fn a_spike_is_three_steps() {
        let spike: Spike = "x5@3s+500ms".parse().unwrap();
        let steps = spike.steps(Nanos(10 * SECOND.0)).unwrap();
        let all: Vec<(f64, u64)> =
            steps.iter().map(|it| (it.times, it.lasting.0 / 1_000_000)).collect();
        assert_eq!(all, [(1.0, 3_000), (5.0, 500), (1.0, 6_500)]);
        assert!(spike.steps(Nanos(3 * SECOND.0)).is_err());
        for bad in ["5@3s+1s", "x5@3s", "x1@3s+1s", "x0@3s+1s", "x5@3s+0s", "x5@3+1s", "xNaN@1s+1s"]
        {
            assert!(bad.parse::<Spike>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_states_of_bursts_are_drawn_whole_and_have_their_means() {
        let bursts: Bursts = "x5@200ms/800ms".parse().unwrap();
        let span = Nanos(2_000 * SECOND.0);
        let path = bursts.path(Stream::of(1), span);
        assert_eq!(path, bursts.path(Stream::of(1), span));
        assert_ne!(path, bursts.path(Stream::of(2), span));
        assert_eq!(path.iter().map(|it| it.lasting.0).sum::<u64>(), span.0);
        // 2,000 cycles: the share of bursts is 0.2, with a standard error of some 0.005.
        assert!((share(&path).0 - 0.2).abs() < 0.025, "{:?}", share(&path));
        // 5 r 0.2 + r 0.8 = 1.8 r
        assert!((bursts.calm_rate(Rate(180.0)).0 - 100.0).abs() < 1e-9);
        assert!("x5@1ms/1s".parse::<Bursts>().is_err());
    }
}
