//! How long a dependency takes: a law, and a pure function from a random number to a time.

use std::f64::consts::TAU;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{self, Context, Error};
use crate::files;
use crate::units::Nanos;

/// A law of waiting times.
///
/// On the command line: `50ms`, `uniform=1ms..3ms`, `p50=2ms,p99=9ms`, `trace=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Constant(Nanos),
    /// Anything from `min` to `max`, all alike.
    Uniform {
        min: Nanos,
        /// The most, not below `min`.
        max: Nanos,
    },
    /// A lognormal law by two of its percentiles: half are below `p50`, one in a hundred is above `p99`.
    Lognormal {
        /// The median, above 0.
        p50: Nanos,
        /// The 99th percentile, not below `p50`.
        p99: Nanos,
    },
    /// One of the times of a file, each as likely as it is frequent there.
    Trace(Trace),
}

/// Times that were measured elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    path: PathBuf,
    times: Arc<[Nanos]>,
}

impl Trace {
    /// The times in the file's order; at least one.
    pub fn times(&self) -> &[Nanos] {
        &self.times
    }
}

/// The most times that a trace may hold; more say nothing new.
pub const TRACE_TIMES_MAX: usize = 1_000_000;
/// A trace has no longer file.
const TRACE_BYTES_MAX: u64 = 32 << 20;
/// No lognormal time is longer: 10 minutes. It bounds the law's endless tail.
const LOGNORMAL_MAX: Nanos = Nanos(600_000_000_000);
/// The 99th percentile of the standard normal law.
const Z_99: f64 = 2.326_347_874_040_840_8;

impl Latency {
    pub const ZERO: Self = Self::Constant(Nanos(0));

    /// A uniform law.
    ///
    /// # Errors
    /// When `max` is below `min`.
    pub fn uniform(min: Nanos, max: Nanos) -> Result<Self, String> {
        match min <= max {
            true => Ok(Self::Uniform { min, max }),
            false => Err(format!("`{}` ends before it begins", Self::Uniform { min, max })),
        }
    }

    /// A lognormal law.
    ///
    /// # Errors
    /// When `p50` is 0 or `p99` below it.
    pub fn lognormal(p50: Nanos, p99: Nanos) -> Result<Self, String> {
        if p50.0 == 0 {
            return Err("a p50 of 0 has no lognormal law; write the constant 0ms".into());
        }
        match p50 <= p99 {
            true => Ok(Self::Lognormal { p50, p99 }),
            false => Err(format!("a p99 of {p99} is below its p50 of {p50}")),
        }
    }

    /// The times in the file at `path`: milliseconds, one a line; empty lines and those that start with `#` are skipped.
    ///
    /// # Errors
    /// A file that cannot be read, holds no times or too many, or has a line that is no time; with the line's number.
    pub fn trace(path: &Path) -> error::Result<Self> {
        let name = path.display();
        let text =
            files::read_text(path, TRACE_BYTES_MAX).usage(|| format!("cannot read {name}"))?;
        let mut times = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let time = line.parse::<f64>().ok().filter(|ms| (0.0..=TRACE_MS_MAX).contains(ms));
            let time = time.ok_or_else(|| {
                Error::usage(format!("{name}:{number}: `{line}` is not a time in milliseconds"))
                    .help(format!("write one number from 0 to {TRACE_MS_MAX} per line: 2.5"))
            })?;
            times.push(Nanos::from_secs_f64(time / 1e3));
        }
        if times.is_empty() || times.len() > TRACE_TIMES_MAX {
            return Err(Error::usage(format!("{name} holds {} times", times.len()))
                .help(format!("a trace has 1 to {TRACE_TIMES_MAX} lines")));
        }
        Ok(Self::Trace(Trace { path: path.into(), times: times.into() }))
    }

    /// The time that the random number `random` stands for: all of its 64 bits uniform, all numbers independent.
    pub fn draw(&self, random: u64) -> Nanos {
        match *self {
            Self::Constant(time) => time,
            Self::Uniform { min, max } => Nanos(min.0 + below(random, max.0 - min.0 + 1)),
            Self::Lognormal { p50, p99 } => {
                let sigma = (p99.0 as f64 / p50.0 as f64).ln() / Z_99;
                let time = p50.as_secs_f64() * (sigma * normal(random)).exp();
                Nanos::from_secs_f64(time).min(LOGNORMAL_MAX)
            }
            Self::Trace(Trace { ref times, .. }) => {
                times[below(random, times.len() as u64) as usize]
            }
        }
    }

    /// Half of all times are below this.
    pub fn median(&self) -> Nanos {
        match *self {
            Self::Constant(time) => time,
            Self::Uniform { min, max } => Nanos(min.0.midpoint(max.0)),
            Self::Lognormal { p50, .. } => p50,
            Self::Trace(Trace { ref times, .. }) => {
                let mut times = times.to_vec();
                times.sort_unstable();
                times[times.len() / 2]
            }
        }
    }

    /// The same law with every time multiplied by `factor`; a trace keeps its own.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let times = |time: &Nanos| Nanos((time.0 as f64 * factor).round() as u64);
        match self {
            Self::Constant(time) => Self::Constant(times(time)),
            Self::Uniform { min, max } => Self::Uniform { min: times(min), max: times(max) },
            Self::Lognormal { p50, p99 } => {
                Self::Lognormal { p50: times(p50).max(Nanos(1)), p99: times(p99).max(Nanos(1)) }
            }
            Self::Trace(_) => self.clone(),
        }
    }

    /// The mean of the law: what a connection is busy for.
    pub fn mean(&self) -> Nanos {
        match *self {
            Self::Constant(time) => time,
            Self::Uniform { min, max } => Nanos(min.0.midpoint(max.0)),
            Self::Lognormal { p50, p99 } => {
                let sigma = (p99.0 as f64 / p50.0 as f64).ln() / Z_99;
                Nanos::from_secs_f64(p50.as_secs_f64() * (sigma * sigma / 2.0).exp())
            }
            Self::Trace(Trace { ref times, .. }) => {
                let sum = times.iter().map(|time| u128::from(time.0)).sum::<u128>();
                Nanos((sum / times.len() as u128) as u64)
            }
        }
    }
}

/// A day.
const TRACE_MS_MAX: f64 = 86_400_000.0;

/// `random` as one of `0..bound`.
fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

/// `random` as a standard normal number, by the transform of Box and Muller (1958). It lies within 6.7 of 0.
fn normal(random: u64) -> f64 {
    let unit = |half: u32| (f64::from(half) + 1.0) / (f64::from(u32::MAX) + 1.0);
    let (radius, angle) = (unit((random >> 32) as u32), unit(random as u32));
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// As it is read, to the nanosecond.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(time) => f.write_str(&time.spelled()),
            Self::Uniform { min, max } => {
                write!(f, "uniform={}..{}", min.spelled(), max.spelled())
            }
            Self::Lognormal { p50, p99 } => {
                write!(f, "p50={},p99={}", p50.spelled(), p99.spelled())
            }
            Self::Trace(trace) => write!(f, "trace={}", trace.path.display()),
        }
    }
}

/// Reads the file of a trace too, so that a law that exists can be drawn from.
impl FromStr for Latency {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("trace=") {
            return Self::trace(Path::new(path)).map_err(|error| error.message().to_owned());
        }
        if let Some(range) = text.strip_prefix("uniform=") {
            let (min, max) = range
                .split_once("..")
                .ok_or_else(|| format!("`{range}` is not a range; write it as uniform=1ms..3ms"))?;
            return Self::uniform(min.parse()?, max.parse()?);
        }
        if let Some((p50, p99)) = text.strip_prefix("p50=").and_then(|rest| rest.split_once(',')) {
            let p99 =
                p99.trim().strip_prefix("p99=").ok_or("after p50 comes p99: p50=2ms,p99=9ms")?;
            return Self::lognormal(p50.parse()?, p99.parse()?);
        }
        if text.contains('=') {
            return Err(format!(
                "`{text}` is not a latency; write 50ms, uniform=1ms..3ms, p50=2ms,p99=9ms or trace=FILE"
            ));
        }
        text.parse().map(Self::Constant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    const N: u64 = 100_000;

    fn drawn(latency: &Latency) -> Vec<Nanos> {
        let mut times: Vec<_> = (0..N).map(|n| latency.draw(Stream::of(7).at(n))).collect();
        times.sort();
        times
    }

    #[test]
    fn what_is_printed_can_be_read() {
        for text in [
            "50ms",
            "0s",
            "1500us",
            "7ns",
            "uniform=1ms..3ms",
            "p50=2ms,p99=9ms",
            "uniform=2ms..2ms",
        ] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        assert_eq!(" p50=2ms, p99=9ms ".parse::<Latency>().unwrap().to_string(), "p50=2ms,p99=9ms");
    }

    #[test]
    fn what_is_no_law_is_refused_with_the_spelling() {
        for (text, says) in [
            ("50", "\"50ms\""),
            ("uniform=1ms", "uniform=1ms..3ms"),
            ("uniform=3ms..1ms", "ends before it begins"),
            ("p50=2ms,p90=3ms", "p50=2ms,p99=9ms"),
            ("p50=0ms,p99=3ms", "no lognormal law"),
            ("p50=9ms,p99=2ms", "below its p50"),
            ("normal=3ms", "not a latency"),
            ("trace=/nowhere/at.all", "cannot read /nowhere/at.all"),
        ] {
            let error = text.parse::<Latency>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn uniform_times_reach_both_ends() {
        let latency = Latency::uniform(Nanos(10), Nanos(13)).unwrap();
        let times = drawn(&latency);
        for ns in 10..=13 {
            let share = times.iter().filter(|time| time.0 == ns).count() as f64 / N as f64;
            assert!((0.24..0.26).contains(&share), "{ns}: {share}");
        }
        assert_eq!((times[0], *times.last().unwrap()), (Nanos(10), Nanos(13)));
        assert_eq!(Latency::uniform(Nanos(0), Nanos(u64::MAX - 1)).unwrap().draw(0), Nanos(0));
    }

    #[test]
    fn lognormal_times_have_their_percentiles_and_their_mean() {
        let latency: Latency = "p50=2ms,p99=9ms".parse().unwrap();
        let times = drawn(&latency);
        let near = |time: Nanos, ms: f64| (time.as_secs_f64() * 1e3 / ms - 1.0).abs() < 0.03;
        assert!(near(times[N as usize / 2], 2.0), "{}", times[N as usize / 2]);
        assert!(near(times[N as usize * 99 / 100], 9.0), "{}", times[N as usize * 99 / 100]);
        let mean = times.iter().map(|time| time.as_secs_f64()).sum::<f64>() / N as f64;
        assert!(near(latency.mean(), mean * 1e3), "{} {mean}", latency.mean());
        assert_eq!(latency.draw(u64::MAX), latency.draw(u64::MAX), "pure");
        assert_eq!("p50=2ms,p99=2ms".parse::<Latency>().unwrap().draw(9), Nanos(2_000_000));
    }

    #[test]
    fn a_trace_gives_its_own_times_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ms.txt");
        std::fs::write(&path, "# measured\n1\n\n2.5\n2.5\n 40 \n").unwrap();
        let latency: Latency = format!("trace={}", path.display()).parse().unwrap();
        let times = drawn(&latency);
        let share = |ns| times.iter().filter(|time| time.0 == ns).count() as f64 / N as f64;
        assert!(
            (0.24..0.26).contains(&share(1_000_000)) && (0.49..0.51).contains(&share(2_500_000))
        );
        assert_eq!((times[0].0, times[N as usize - 1].0), (1_000_000, 40_000_000));
        assert_eq!(latency.mean(), Nanos(11_500_000));
        for (text, says) in [("1\n2ms\n", ":2: `2ms`"), ("-1\n", ":1: `-1`"), ("#\n", "0 times")] {
            std::fs::write(&path, text).unwrap();
            let error = Latency::trace(&path).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
