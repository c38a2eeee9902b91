//! How much is sent before the window, as a file or a flag says it.

use std::fmt;
use std::str::FromStr;

use super::loading::WINDOW_MAX;
use super::quantity::Unit;
use super::{Contender, Level, Metric, Scenario};
use crate::load::plan::{Amount, First, WarmUp as Before};
use crate::units::{Nanos, Rate, grouped};

/// What is sent before the window and not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum WarmUp {
    /// Until the contender is warm: a pilot finds out for a server that is not built in.
    #[default]
    Auto,
    /// For so long.
    Time(Nanos),
    /// So many requests.
    Requests(u64),
    /// Nothing: the result is of a cold server, and is titled so.
    None,
    /// The window's load for so long, without a drain and a lead-in. In no file: a smoke run and the blocks of a map.
    Through(Nanos),
}

/// Requests after which the built-in models are warm, whatever the scenario: a test looks.
pub(crate) const MODEL_REQUESTS: u64 = 1_000;
/// A pilot: so many requests or so long, at most such a share of the ceiling.
pub(crate) const PILOT_REQUESTS: u64 = 20_000;
/// The longest pilot, and the longest warm-up that nobody asked for.
pub(crate) const PILOT_TIME: Nanos = Nanos(60 * Nanos::SECOND.0);
/// A warm-up need not wait for the level's own rate, but it must not drown its contender.
pub(crate) const OF_CEILING: f64 = 0.6;
/// Below this rate a pilot has too few requests to be judged, and a warm-up is as long as the longest pilot.
pub(crate) const SLOWEST: Rate = Rate(33.0);
/// Requests that a pilot is taken to find, where the time is told beforehand.
const USUAL_REQUESTS: u64 = 5_000;
/// The rate that a level is taken for, where its time is told before its ceiling is known.
const USUAL_RATE: Rate = Rate(1_000.0);
/// The time from a warm-up's end to the window, as it usually is.
const LEAD_IN: Nanos = Nanos(500 * Nanos::MILLI.0);
/// Requests of a warm-up at most: a day of the highest rate has more than anyone waits for.
const REQUESTS_MAX: u64 = 100_000_000;

impl WarmUp {
    /// What the generator is to do where the scenario itself says how much; nothing where a pilot or the constant of the
    /// models has to.
    pub(crate) fn asked(self) -> Option<Before> {
        let led = |amount| Some(Before::Led(First { amount, rate: None, closed: false }));
        match self {
            Self::Auto => None,
            Self::Time(time) => led(Amount::Time(time)),
            Self::Requests(requests) => led(Amount::Requests(requests, WINDOW_MAX)),
            Self::None => Some(Before::Through(Nanos(0))),
            Self::Through(time) => Some(Before::Through(time)),
        }
    }

    /// Whether it is no longer than a window may be.
    pub(crate) fn fits(self) -> bool {
        match self {
            Self::Time(time) | Self::Through(time) => time <= WINDOW_MAX,
            Self::Requests(requests) => requests <= REQUESTS_MAX,
            Self::Auto | Self::None => true,
        }
    }
}

impl Unit for WarmUp {
    const EXPECTED: &'static str =
        "a warm-up such as \"auto\", \"10s\", \"20000 requests\" or \"none\"";
    fn spelled(number: &str) -> String {
        format!("\"{number}s\" or \"{number} requests\"")
    }
}

/// `auto`, `none`, `10s`, `20000 requests`. No time and no requests are none.
impl FromStr for WarmUp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "auto" => return Ok(Self::Auto),
            "none" => return Ok(Self::None),
            _ => {}
        }
        if let Some(number) = text.strip_suffix("requests").or(text.strip_suffix("request")) {
            let number = number.trim().replace([',', '_'], "");
            return match number.parse() {
                Ok(0) => Ok(Self::None),
                Ok(requests) => Ok(Self::Requests(requests)),
                Err(_) => Err(format!(
                    "`{text}` is not a number of requests; write it as \"20000 requests\""
                )),
            };
        }
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(format!(
                "`{text}` is not a warm-up; write auto, none, 10s or \"20000 requests\""
            ));
        }
        match text.parse() {
            Ok(Nanos(0)) => Ok(Self::None),
            time => time.map(Self::Time),
        }
    }
}

/// As it can be written.
impl fmt::Display for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Time(time) | Self::Through(time) => f.write_str(&time.spelled()),
            Self::Requests(requests) => write!(f, "{requests} requests"),
        }
    }
}

impl Contender {
    /// Whether only a pilot can say when it is warm: it is not one of the built-in models.
    pub(crate) fn needs_pilot(&self) -> bool {
        self.built_in().is_none()
    }
}

impl Scenario {
    /// Whether its result is of cold servers.
    pub fn is_cold(&self) -> bool {
        self.load.warm_up == WarmUp::None
    }

    /// The contenders that have a pilot.
    pub fn piloted(&self) -> impl Iterator<Item = &Contender> {
        let auto = self.load.warm_up == WarmUp::Auto;
        self.contenders.iter().filter(move |one| auto && one.needs_pilot())
    }

    /// Whether memory is compared: then all contenders have an equal warm-up, at the level.
    pub(crate) fn compares_memory(&self) -> bool {
        let statements = self.statements().map(|one| one.metric);
        statements
            .chain(self.headline)
            .any(|metric| matches!(metric, Metric::Memory | Metric::Rss | Metric::RssSpread))
    }

    /// About how long a contender's warm-up takes, with the drain and the lead-in, at a rate that may not be known yet.
    pub(crate) fn warm_up_estimate(&self, contender: &Contender, rate: Option<Rate>) -> Nanos {
        let requests = match contender.needs_pilot() {
            true => USUAL_REQUESTS,
            false => MODEL_REQUESTS,
        };
        let rate = rate.unwrap_or(USUAL_RATE).0;
        let lasting = |requests: u64| Nanos::from_secs_f64(requests as f64 / rate);
        match self.load.warm_up {
            WarmUp::Auto => lasting(requests).min(PILOT_TIME) + LEAD_IN,
            WarmUp::Time(time) => time + LEAD_IN,
            WarmUp::Requests(requests) => lasting(requests) + LEAD_IN,
            WarmUp::None => Nanos(0),
            WarmUp::Through(time) => time,
        }
    }

    /// About how long the pilots take.
    pub fn pilots_estimate(&self) -> Nanos {
        let fastest = self.rates.iter().filter_map(|level| match level {
            Level::Rate(rate) => Some(rate.0),
            Level::OfLowest(_) | Level::OfOwn(_) => None,
        });
        let rate = fastest.reduce(f64::max).unwrap_or(USUAL_RATE.0);
        let one = Nanos::from_secs_f64(PILOT_REQUESTS as f64 / rate).min(PILOT_TIME);
        Nanos(self.piloted().count() as u64 * one.0)
    }
}

/// `20,000 requests`
pub(crate) fn counted(requests: u64) -> String {
    format!("{} requests", grouped(requests as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_is_read_and_written() {
        for (text, read, shown) in [
            ("auto", WarmUp::Auto, "auto"),
            (" none ", WarmUp::None, "none"),
            ("10s", WarmUp::Time(Nanos(10_000_000_000)), "10s"),
            ("250ms", WarmUp::Time(Nanos(250_000_000)), "250ms"),
            ("20000 requests", WarmUp::Requests(20_000), "20000 requests"),
            ("20,000 requests", WarmUp::Requests(20_000), "20000 requests"),
            ("1 request", WarmUp::Requests(1), "1 requests"),
            ("0s", WarmUp::None, "none"),
            ("0 requests", WarmUp::None, "none"),
        ] {
            assert_eq!(text.parse(), Ok(read), "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(shown.parse(), Ok(read), "what is written can be read");
        }
        for wrong in ["", "warm", "10", "requests", "-5 requests", "1.5 requests", "10 s requests"]
        {
            assert!(wrong.parse::<WarmUp>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_nobody_waits_for_does_not_fit() {
        let fits = |text: &str| text.parse::<WarmUp>().unwrap().fits();
        assert!(fits("1h".replace('h', "m").as_str()) && fits("3600s") && fits("1000000 requests"));
        assert!(!fits("3601s") && !fits("100000001 requests"));
    }
}
