//! Loads that rise and fall: a spike at a given instant, and bursts at random ones.

use std::fmt;
use std::str::FromStr;

use crate::random::Stream;
use crate::units::{Nanos, Rate};

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
