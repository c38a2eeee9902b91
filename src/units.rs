//! Quantities that carry their unit: durations, rates and shares, as people write and read them.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;
use std::time::Duration;

/// A duration, or an instant since some named origin, in nanoseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Nanos(pub u64);

impl Nanos {
    pub const MICRO: Self = Self(1_000);
    pub const MILLI: Self = Self(1_000_000);
    pub const SECOND: Self = Self(1_000_000_000);

    /// `seconds` rounded to the nanosecond; negative and NaN become 0.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as u64)
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whole seconds, never less: to be written after `--budget`.
    pub fn whole_seconds(self) -> Self {
        Self(self.0.div_ceil(Self::SECOND.0) * Self::SECOND.0)
    }

    pub fn as_micros_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// As a scenario or a flag writes it, exact to the nanosecond: `50ms`, `1500us`.
    pub fn spelled(self) -> String {
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        let (scale, unit) = units
            .into_iter()
            .find(|(scale, _)| self.0.is_multiple_of(*scale))
            .expect("1 divides all");
        format!("{}{unit}", self.0 / scale)
    }

    /// `self - other`, or 0 when `other` is later.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

/// Three significant digits and the unit that fits: `87 us`, `1.25 ms`, `2 s`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => (ns, "ns"),
            1_000..1_000_000 => (ns / 1e3, "us"),
            1_000_000..1_000_000_000 => (ns / 1e6, "ms"),
            _ => (ns / 1e9, "s"),
        };
        f.pad(&format!("{} {unit}", three_digits(value)))
    }
}

/// A number as people write it in a scenario: `50ms`, `1.5s`, `1h30m`. A unit is required.
impl FromStr for Nanos {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut rest, mut sum, mut before) = (text.trim(), 0.0, f64::INFINITY);
        while before.is_infinite() || !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let scale = Self::scale(text.trim(), after[..end].trim())?;
            let number = number.parse::<f64>().ok().filter(|_| scale < before);
            let number = number.ok_or_else(|| {
                format!(
                    "`{}` is not a duration; write it as \"50ms\", \"1.5s\" or \"1h30m\"",
                    text.trim()
                )
            })?;
            (sum, before, rest) = (sum + number * scale, scale, &after[end..]);
        }
        if sum > MAX_DURATION_NS {
            return Err(format!("`{text}` is longer than a day"));
        }
        Ok(Self(sum.round() as u64))
    }
}

impl Nanos {
    /// Nanoseconds of a unit in `text`.
    fn scale(text: &str, unit: &str) -> Result<f64, String> {
        Ok(match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" | "min" => 60e9,
            "h" => 3_600e9,
            "" => {
                return Err(format!(
                    "`{text}` has no unit; write it as \"{text}ms\" or \"{text}s\""
                ));
            }
            _ => return Err(format!("`{unit}` is not a unit of time; use ns, us, ms, s, m or h")),
        })
    }
}

/// No trial, timeout or latency is longer than a day; the bound keeps every sum inside a u64.
const MAX_DURATION_NS: f64 = 86_400e9;

/// Requests per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize, serde::Deserialize)]
pub struct Rate(pub f64);

/// A Poisson window with a mean of 1,100 falls short of 1,000 once in a thousand times.
pub const POISSON_MARGIN: f64 = 1.1;

impl Rate {
    /// How long a window of Poisson arrivals has to be to hold so many.
    pub fn window_of(self, arrivals: f64) -> Nanos {
        Nanos::from_secs_f64(arrivals * POISSON_MARGIN / self.0)
    }

    /// The rate of which a window of so many seconds holds so many Poisson arrivals.
    pub fn for_window(arrivals: f64, seconds: f64) -> Self {
        Self(arrivals * POISSON_MARGIN / seconds)
    }
}

/// `20,000/s`, `2.5/s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", grouped(self.0)))
    }
}

/// `300/s`, `20k/s`, `90/min`.
impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}` is not a rate; write it as \"300/s\", \"20k/s\" or \"90/min\"");
        let (number, per) = text.trim().split_once('/').ok_or_else(bad)?;
        let seconds = match per.trim() {
            "s" => 1.0,
            "min" | "m" => 60.0,
            _ => return Err(bad()),
        };
        let (number, scale) = match number.trim().strip_suffix('k') {
            Some(thousands) => (thousands, 1e3),
            None => (number.trim(), 1.0),
        };
        let value =
            number.replace([',', '_'], "").parse::<f64>().map_err(|_| bad())? * scale / seconds;
        if value.is_finite() && value > 0.0 && value <= MAX_RATE {
            Ok(Self(value))
        } else {
            Err(format!("`{text}` must be above 0 and at most {}/s", grouped(MAX_RATE)))
        }
    }
}

/// One generator thread sends about 200,000/s; ten million is beyond any machine this runs on.
const MAX_RATE: f64 = 1e7;

/// A part of a whole, 0.5 for `50%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize, serde::Deserialize)]
pub struct Share(pub f64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", trimmed(decimals(self.0 * 100.0, 2))))
    }
}

/// `50%`, `0.1%`.
impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a share; write it as \"50%\"");
        let percent: f64 =
            text.trim().strip_suffix('%').ok_or_else(bad)?.trim().parse().map_err(|_| bad())?;
        if percent.is_finite() && percent >= 0.0 { Ok(Self(percent / 100.0)) } else { Err(bad()) }
    }
}

/// `value` with three significant digits and no trailing zeros: 0.123, 1.23, 12.3, 123, 1234.
pub fn three_digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    trimmed(decimals(value, places))
}

/// `value` with so many decimals; with an exponent where a file has a figure that nothing measured can reach.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    match value.abs() {
        v if v.is_finite() && v >= EXPONENT_FROM => format!("{value:.2e}"),
        _ => format!("{value:.places$}"),
    }
}

const EXPONENT_FROM: f64 = 1e15;

/// `value` with thousands separated by commas; one decimal below 100, none above.
pub fn grouped(value: f64) -> String {
    let text = match value.abs() {
        v if v < 100.0 => trimmed(decimals(value, 1)),
        _ => decimals(value, 0),
    };
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn trimmed(text: String) -> String {
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `12.3 MiB`
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        b if b.abs() < 1024.0 * 1024.0 => format!("{} KiB", three_digits(b / 1024.0)),
        b if b.abs() < 1024.0 * 1024.0 * 1024.0 => {
            format!("{} MiB", three_digits(b / (1024.0 * 1024.0)))
        }
        b => format!("{} GiB", three_digits(b / (1024.0 * 1024.0 * 1024.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ns, shown) in [
            ("50ms", 50_000_000, "50 ms"),
            ("1.5s", 1_500_000_000, "1.5 s"),
            ("40us", 40_000, "40 us"),
            ("2m", 120_000_000_000, "120 s"),
            ("999ns", 999, "999 ns"),
            ("1h30m", 5_400_000_000_000, "5400 s"),
            ("1m 2.5s", 62_500_000_000, "62.5 s"),
        ] {
            assert_eq!(text.parse::<Nanos>(), Ok(Nanos(ns)), "{text}");
            assert_eq!(Nanos(ns).to_string(), shown);
        }
        assert_eq!(Nanos(87_456).to_string(), "87.5 us");
    }

    #[test]
    fn a_spelling_loses_nothing() {
        for ns in [0, 1, 1_500, 50_000_000, 1_234_567_891, 60_000_000_000] {
            assert_eq!(Nanos(ns).spelled().parse(), Ok(Nanos(ns)));
        }
        assert_eq!(Nanos(1_500_000).spelled(), "1500us");
    }

    #[test]
    fn a_missing_unit_is_explained() {
        let error = "50".parse::<Nanos>().unwrap_err();
        assert!(error.contains("\"50ms\""), "{error}");
        for bad in [
            "",
            "ms",
            "5 weeks",
            "-5ms",
            "1.2.3s",
            "1s1h",
            "1m30",
            "1h1h",
            "NaNs",
            "1e99s",
            "99999999m",
        ] {
            assert!(bad.parse::<Nanos>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_and_shares_read_and_print() {
        assert_eq!("20k/s".parse::<Rate>(), Ok(Rate(20_000.0)));
        assert_eq!("90/min".parse::<Rate>(), Ok(Rate(1.5)));
        assert_eq!(Rate(20_000.0).to_string(), "20,000/s");
        assert_eq!("0.1%".parse::<Share>(), Ok(Share(0.001)));
        assert_eq!(Share(0.5).to_string(), "50%");
        for bad in ["0/s", "-1/s", "inf/s", "NaN/s", "5", "5/h", "/s", "1e9/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        for bad in ["50", "-1%", "inf%", "%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digits_and_groups() {
        assert_eq!(three_digits(0.1234), "0.123");
        assert_eq!(three_digits(99.96), "100");
        assert_eq!(three_digits(1_234.0), "1234");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(-1_234.0), "-1,234");
        assert_eq!(grouped(2.5), "2.5");
        for (value, shown) in [(1e300, "1.00e300"), (-2.5e15, "-2.50e15"), (f64::MAX, "1.80e308")] {
            assert_eq!((&*three_digits(value), &*grouped(value)), (shown, shown));
        }
        assert_eq!(grouped(999_999_999_999_999.0), "999,999,999,999,999");
        assert_eq!(
            (Rate(1e300).to_string(), Share(1e300).to_string().len()),
            ("1.00e300/s".into(), 9)
        );
        assert_eq!(bytes(1e300), "9.31e290 GiB");
        assert_eq!(decimals(f64::INFINITY, 2), "inf");
    }
}
