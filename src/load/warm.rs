//! What comes before the window: a warm-up, the drain of what it left, and the window's own load, led in.

use crate::units::{Nanos, Rate};

/// Before the window.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum WarmUp {
    /// The window's load for so long, and the window opens without a stop. Nought: the first request is of the window.
    Through(Nanos),
    /// First this; then all that is under way is awaited, and the window's load runs unrecorded for half a second or more
    /// until the window opens without a stop.
    Led(First),
}

/// The load before the drain.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct First {
    pub amount: Amount,
    /// Its rate, where it is not the window's. A closed loop has none.
    pub rate: Option<Rate>,
    /// In a closed loop, whatever the window's load is: for who cannot bear the rate while it is cold. `rate` is then what it
    /// is expected to answer.
    pub closed: bool,
}

/// Until when a warm-up sends.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Amount {
    Time(Nanos),
    /// So many requests, unless the time is over before.
    Requests(u64, Nanos),
}

/// No lead-in is shorter.
const LEAD_IN_MIN: Nanos = Nanos(500 * Nanos::MILLI.0);
/// No lead-in is longer. The window's schedule begins so long before the window, of which a lead-in is the last part:
/// then the window's own arrivals do not depend on its length.
pub(crate) const LEAD_IN_MAX: Nanos = Nanos(10 * Nanos::SECOND.0);

impl WarmUp {
    /// About how long it takes to the window, whose rate is given; a closed loop has none, and its requests are taken to
    /// need all the time that they have.
    pub(crate) fn expected(&self, rate: Option<Rate>) -> Nanos {
        match *self {
            Self::Through(time) => time,
            Self::Led(First { amount: Amount::Time(time), .. }) => time + LEAD_IN_MIN,
            Self::Led(First { amount: Amount::Requests(requests, within), rate: own, .. }) => {
                let lasting =
                    |rate: Rate| Nanos::from_secs_f64(requests as f64 / rate.0).min(within);
                own.or(rate).map_or(within, lasting) + LEAD_IN_MIN
            }
        }
    }
}

/// How long the window's load runs before the window: long enough for a request to come and go twice.
pub(crate) fn lead_in(slowest: Nanos) -> Nanos {
    Nanos(slowest.0.saturating_mul(2)).clamp(LEAD_IN_MIN, LEAD_IN_MAX)
}

/// The slowest right answer of the last one to two seconds in which there was one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    second: u64,
    slowest: Nanos,
    before: Nanos,
}

impl Tail {
    /// A right answer came at `done` and had taken so long. Answers come in the order of `done`.
    pub(crate) fn answer(&mut self, done: Nanos, took: Nanos) {
        let second = done.0 / Nanos::SECOND.0;
        if second != self.second {
            (self.second, self.before, self.slowest) = (second, self.slowest, Nanos(0));
        }
        self.slowest = self.slowest.max(took);
    }

    pub(crate) fn slowest(&self) -> Nanos {
        self.slowest.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    #[test]
    fn a_lead_in_is_twice_the_slowest_answer_within_bounds() {
        for (slowest, expected) in [(0, 500), (250, 500), (251, 502), (3_000, 6_000)] {
            assert_eq!(lead_in(ms(slowest)), ms(expected));
        }
        assert_eq!((lead_in(ms(7_000)), lead_in(Nanos(u64::MAX))), (ms(10_000), ms(10_000)));
    }

    #[test]
    fn the_tail_forgets_what_is_two_seconds_old() {
        let mut tail = Tail::default();
        assert_eq!(tail.slowest(), Nanos(0));
        tail.answer(ms(900), ms(700));
        tail.answer(ms(1_100), ms(5));
        assert_eq!(tail.slowest(), ms(700), "of the second before");
        tail.answer(ms(2_100), ms(6));
        assert_eq!(tail.slowest(), ms(6));
        // Without an answer in between, the last ones that came count.
        tail.answer(ms(60_000), ms(1));
        assert_eq!(tail.slowest(), ms(6));
    }
}
