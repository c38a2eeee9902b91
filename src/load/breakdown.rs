//! Where response times went, by how long they were: sums in constant memory, from which the requests around any percentile
//! can be averaged.

use crate::units::Nanos;

/// Steps of an octave of the response time are 2^this: 6 % apart at most.
const STEP_BITS: u32 = 4;
/// From 0 to the longest time that a `u64` of ns holds.
const STEPS: usize = (64 - STEP_BITS as usize + 1) << STEP_BITS;
/// Around a percentile lie so many per mille of the requests on either side.
const NEAR_PER_MILLE: f64 = 5.0;
/// Fewer requests than that have no mean.
const NEAR_MIN: u64 = 10;

/// Sums over requests of like response times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    steps: Vec<Sums>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    n: u64,
    response: u64,
    lag: u64,
    backlog: u64,
}

/// Means over requests around a percentile of the response time, ns. What is left of the response is the service time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    pub n: u64,
    /// From the intended instant to the answer.
    pub response_ns: f64,
    /// The generator's own lateness.
    pub lag_ns: f64,
    /// Waiting for a free connection.
    pub backlog_ns: f64,
}

impl Breakdown {
    pub fn new() -> Self {
        Self { steps: vec![Sums::default(); STEPS] }
    }

    pub(super) fn record(&mut self, response: Nanos, lag: Nanos, backlog: Nanos) {
        let sums = &mut self.steps[step(response.0)];
        sums.n += 1;
        sums.response += response.0;
        sums.lag += lag.0;
        sums.backlog += backlog.0;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (own, others) in self.steps.iter_mut().zip(&other.steps) {
            own.add(others);
        }
    }

    /// Those of so many `requests` within half a percent of them around a percentile, in tenths of a percent, and those
    /// whose response times are like theirs; what failed and is not here ranks above all. Nothing of too few.
    pub fn near(&self, per_mille: u32, requests: u64) -> Option<Means> {
        let rank = |per_mille: f64| requests as f64 * per_mille / 1_000.0;
        let middle = f64::from(per_mille);
        let (low, high) = (rank(middle - NEAR_PER_MILLE), rank(middle + NEAR_PER_MILLE));
        let (mut before, mut near) = (0, Sums::default());
        for sums in &self.steps {
            if (before as f64) < high && (before + sums.n) as f64 > low {
                near.add(sums);
            }
            before += sums.n;
        }
        let mean = |sum: u64| sum as f64 / near.n as f64;
        (near.n >= NEAR_MIN).then(|| Means {
            n: near.n,
            response_ns: mean(near.response),
            lag_ns: mean(near.lag),
            backlog_ns: mean(near.backlog),
        })
    }
}

impl Default for Breakdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.response += other.response;
        self.lag += other.lag;
        self.backlog += other.backlog;
    }
}

/// The place of a response time: its leading bit and the few behind it.
fn step(ns: u64) -> usize {
    match ns.checked_ilog2().and_then(|octave| octave.checked_sub(STEP_BITS)) {
        None => ns as usize,
        Some(shift) => {
            let behind = (ns >> shift) & ((1 << STEP_BITS) - 1);
            (((shift + 1) as usize) << STEP_BITS) + behind as usize
        }
    }
}

/// When each step of one request happened, on CLOCK_MONOTONIC. In this order, each at or after the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instants {
    /// When the schedule wants it sent. In closed loop the same as `written`.
    pub(crate) intended: Nanos,
    /// When the sender saw that it was due: the first look at the clock after `intended`. While every connection is
    /// busy a request is seen as it falls due, since there is nothing that the sender could have done for it.
    pub(crate) woken: Nanos,
    /// When it got a connection.
    pub(crate) acquired: Nanos,
    /// When its write began: the bytes leave during the call.
    pub(crate) written: Nanos,
    /// When the first bytes of its answer had been read.
    pub(crate) first_byte: Nanos,
    /// When its whole answer had been read, or it was given up.
    pub(crate) done: Nanos,
}

impl Instants {
    /// The generator's own lateness.
    pub(crate) fn generator_lag(&self) -> Nanos {
        (self.woken - self.intended) + (self.written - self.acquired)
    }

    /// Waiting for a free connection.
    pub(crate) fn backlog(&self) -> Nanos {
        self.acquired - self.woken
    }

    /// From the write to the answer.
    pub(crate) fn service(&self) -> Nanos {
        self.done - self.written
    }

    /// What a user who came at the intended instant waited: the sum of the three.
    pub(crate) fn response(&self) -> Nanos {
        self.done - self.intended
    }

    /// A request that was given up at `done` while it waited for a connection: all of its time is backlog and lag.
    pub(crate) fn never_sent(intended: Nanos, woken: Nanos, done: Nanos) -> Self {
        Self { intended, woken, acquired: done, written: done, first_byte: done, done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn steps_rise_with_the_time_and_are_narrow(ns: u64) {
            let here = step(ns);
            prop_assert!(here < STEPS);
            prop_assert!(step(ns.saturating_add(1)) >= here);
            prop_assert!(ns > u64::MAX / 2 || step(ns + ns / 15 + 1) > here);
        }
    }

    #[test]
    fn the_requests_around_a_percentile_are_averaged_and_no_others() {
        let mut breakdown = Breakdown::new();
        // Nine in ten take 100 us, most of it service; the others wait 900 us for a connection.
        for n in 0..10_000_u64 {
            let backlog = if n % 10 == 0 { 900_000 } else { 0 };
            breakdown.record(Nanos(100_000 + backlog), Nanos(1_000), Nanos(backlog));
        }
        let near = |per_mille| breakdown.near(per_mille, 10_000).unwrap();
        let middle = near(500);
        assert_eq!((middle.n, middle.response_ns, middle.backlog_ns), (9_000, 100_000.0, 0.0));
        let tail = near(990);
        assert_eq!((tail.n, tail.response_ns, tail.backlog_ns), (1_000, 1_000_000.0, 900_000.0));
        assert_eq!((middle.lag_ns, tail.lag_ns), (1_000.0, 1_000.0));
        // Half of twice as many failed: the median is among the slow answers, and p99 has no time.
        assert_eq!(breakdown.near(495, 20_000).unwrap().response_ns, 1_000_000.0);
        assert_eq!(breakdown.near(990, 20_000), None);
    }

    #[test]
    fn halves_that_are_merged_are_the_whole_and_a_few_have_no_mean() {
        let (mut whole, mut left, mut right) =
            (Breakdown::new(), Breakdown::new(), Breakdown::new());
        assert_eq!(whole.near(500, 0), None);
        for n in 0..1_000_u64 {
            let half = if n % 3 == 0 { &mut left } else { &mut right };
            for breakdown in [&mut whole, half] {
                breakdown.record(Nanos(n * n), Nanos(n), Nanos(2 * n));
            }
            assert!(n > 8 || whole.near(500, n + 1).is_none(), "{n}");
        }
        assert!(whole.near(500, 1_000).is_some_and(|near| near.n >= NEAR_MIN));
        left.merge(&right);
        assert_eq!(left, whole);
    }

    #[test]
    fn lag_backlog_and_service_add_up_to_the_response() {
        let instants = Instants {
            intended: Nanos(100),
            woken: Nanos(103),
            acquired: Nanos(110),
            written: Nanos(111),
            first_byte: Nanos(140),
            done: Nanos(150),
        };
        assert_eq!(instants.generator_lag(), Nanos(4));
        assert_eq!(instants.backlog(), Nanos(7));
        assert_eq!(instants.service(), Nanos(39));
        assert_eq!(
            instants.generator_lag() + instants.backlog() + instants.service(),
            instants.response()
        );
        let unsent = Instants::never_sent(Nanos(5), Nanos(6), Nanos(20));
        assert_eq!((unsent.service(), unsent.backlog()), (Nanos(0), Nanos(14)));
    }
}
