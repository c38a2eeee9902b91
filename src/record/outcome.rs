//! What one trial's load came to, as the generator saw it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize};

use super::carried;
use crate::units::Nanos;

/// Everything the generator learned in one trial. Counts are of the measured window only: a request belongs to it when
/// its *intended* instant does (open loop) or when its answer came inside it (closed loop).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// A digest of the intended instants and of what each sends; 0 in closed loop.
    pub schedule_hash: u64,
    /// The measured window: the planned duration, or less when it was stopped early.
    pub window: Nanos,
    /// The length of each of a kind's `slices`; the last one may be shorter.
    pub slice: Nanos,
    /// Requests that were due in the window, sent or not (open), or whose answer or failure came in it (closed). Each of
    /// them is in `kinds` as a success or an error.
    pub offered: u64,
    /// Requests due in the window that an early stop left without an end; 0 when the trial ran to its end.
    pub unfinished: u64,
    /// Right answers that came in the window, of whichever request: what makes the throughput. A failure is no work.
    pub answered_in_window: u64,
    /// The part of them that came in the window's first half.
    pub answered_in_first_half: u64,
    /// One for each operation of the mix, in its order.
    pub kinds: Vec<Kind>,
    /// Requests sent and not yet answered, or due and not yet sent.
    pub outstanding: Outstanding,
    /// How long every connection was busy while a request was due.
    pub all_busy: Nanos,
    /// The time that `cpu`, `spun` and `held` are of, all threads together: the window, and how late each saw its end.
    pub metered: Nanos,
    /// The generator's threads in the window: CPU time used, all of them together.
    pub cpu: Nanos,
    /// The part of `cpu` spent polling for an instant with nothing to do.
    pub spun: Nanos,
    /// How long in the window the generator's threads were ready to run and others had their cores, all together.
    pub held: Nanos,
    /// Connections that could not be opened, by reason (`connect`, `descriptors`, `ports`, `handshake`).
    #[serde(deserialize_with = "by_name")]
    pub refused: BTreeMap<&'static str, u64>,
    /// Connections opened again over the whole trial: the server closed them, or an exchange failed on them.
    pub reconnects: u64,
    /// From the start of each connect that succeeded to the open connection, over the whole trial and its beginning.
    #[serde(with = "carried::times")]
    pub connect: Histogram<u64>,
    /// From there to the end of the TLS handshake; empty without TLS.
    #[serde(with = "carried::times")]
    pub handshake: Histogram<u64>,
    /// Service times of right answers that were the first on their connections.
    #[serde(with = "carried::times")]
    pub first_service: Histogram<u64>,
    /// Bytes of HTTP that came in the window, and that were written.
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// The window's first request met an idle server: nothing was sent before it.
    pub began_empty: bool,
    /// What came before the window, where the plan has it drained and led in.
    pub led_in: Option<LedIn>,
    /// What the servers acknowledged over the *whole* trial, warm-up and drain included, for the audit.
    pub tally: Tally,
}

impl Outcome {
    /// The requests that were recorded, of all kinds.
    pub(crate) fn requests(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.requests).sum()
    }

    /// Adds another generator's part of the same load. Nothing is lost: counts add up, and so do histograms.
    pub(crate) fn merge(&mut self, other: Self) {
        self.window = self.window.min(other.window);
        self.offered += other.offered;
        self.unfinished += other.unfinished;
        self.answered_in_window += other.answered_in_window;
        self.answered_in_first_half += other.answered_in_first_half;
        self.kinds.iter_mut().zip(&other.kinds).for_each(|(own, other)| own.merge(other));
        self.outstanding.at_start += other.outstanding.at_start;
        self.outstanding.at_end += other.outstanding.at_end;
        self.outstanding.mean += other.outstanding.mean;
        // Busy on one generator alone is busy too, as it is on one thread.
        self.all_busy = self.all_busy.max(other.all_busy);
        self.metered += other.metered;
        self.cpu += other.cpu;
        self.spun += other.spun;
        self.held += other.held;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.reconnects += other.reconnects;
        for (own, other) in [
            (&mut self.connect, &other.connect),
            (&mut self.handshake, &other.handshake),
            (&mut self.first_service, &other.first_service),
        ] {
            own.add(other).expect("histograms of one plan have the same bounds");
        }
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.began_empty &= other.began_empty;
        self.led_in = self.led_in.zip(other.led_in).map(|(own, other)| LedIn {
            answered: own.answered + other.answered,
            failed: own.failed + other.failed,
            warm_up: own.warm_up.max(other.warm_up),
            drain: own.drain.max(other.drain),
            slowest: own.slowest.max(other.slowest),
            lead_in: own.lead_in.max(other.lead_in),
        });
        self.tally += other.tally;
    }
}

/// One request kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kind {
    pub name: String,
    /// Requests of this kind due in the window (open), or answered in it (closed).
    pub requests: u64,
    /// Failures by the names of [`RequestError`]. None of them has a time in `response`, `response_less_lag`, `service` or
    /// `slices`: percentiles must rank them above every time.
    #[serde(deserialize_with = "by_name")]
    pub errors: BTreeMap<&'static str, u64>,
    /// The statuses of the `bad_status` ones.
    pub statuses: BTreeMap<u16, u64>,
    /// The statuses of all answers.
    pub answers: BTreeMap<u16, u64>,
    /// What the first failure of a kind was, in words: the status and the body's first line, what was malformed, where an
    /// answer broke off.
    #[serde(deserialize_with = "by_name")]
    pub firsts: BTreeMap<&'static str, String>,
    /// The timeouts of requests that had been written; the others waited for a connection.
    pub unanswered: u64,
    /// How long a timeout took at least.
    pub timeout: Nanos,
    /// How long the failures were under way, all together.
    pub failed_for: Nanos,
    /// done - intended. Empty in closed loop, like the other three but `service`.
    #[serde(with = "carried::times")]
    pub response: Histogram<u64>,
    /// The same less the generator's lag, request by request.
    #[serde(with = "carried::times")]
    pub response_less_lag: Histogram<u64>,
    /// received - written.
    #[serde(with = "carried::times")]
    pub service: Histogram<u64>,
    /// acquired - woken: waiting for a free connection. Of failures too, some of which waited for nothing else.
    #[serde(with = "carried::times")]
    pub backlog: Histogram<u64>,
    /// (woken - intended) + (written - acquired) + (done - received), of failures too.
    #[serde(with = "carried::times")]
    pub generator_lag: Histogram<u64>,
    /// The one read in a hundred that was timed at both its ends.
    pub timed: Timed,
    /// The response time once more, by the part of the window in which a request was intended, with two digits: seconds
    /// where the window has at least thirty, else thirty equal ones; tenths of a second where the plan wants a timeline.
    /// Empty in closed loop.
    pub slices: Vec<Slice>,
    /// Where the response times went. Empty in closed loop.
    pub breakdown: Breakdown,
    /// How the plan's objective was kept, in buckets of [`SLO_BUCKET`] from the window's start. Empty without an objective.
    pub buckets: Vec<SloBucket>,
    /// Of sessions: the same of each step, in order, without `slices` and `buckets`. A step belongs to the window if its
    /// session does.
    pub steps: Vec<Self>,
}

impl Kind {
    /// Adds what another recorder has of the same load.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.failed_for += other.failed_for;
        for (name, count) in &other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        for (name, what) in &other.firsts {
            self.firsts.entry(name).or_insert_with(|| what.clone());
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
        for (own, others) in [
            (&mut self.response, &other.response),
            (&mut self.response_less_lag, &other.response_less_lag),
            (&mut self.service, &other.service),
            (&mut self.backlog, &other.backlog),
            (&mut self.generator_lag, &other.generator_lag),
            (&mut self.timed.receive_lag, &other.timed.receive_lag),
            (&mut self.timed.less_lag, &other.timed.less_lag),
            (&mut self.timed.less_both, &other.timed.less_both),
        ] {
            own.add(others).expect("histograms of one plan have the same bounds");
        }
        self.breakdown.merge(&other.breakdown);
        for (own, others) in self.buckets.iter_mut().zip(&other.buckets) {
            own.due += others.due;
            own.late += others.late;
        }
        for (own, others) in self.slices.iter_mut().zip(&other.slices) {
            own.times.add(&others.times).expect("histograms of one plan have the same bounds");
            own.timeouts += others.timeouts;
            own.others += others.others;
        }
        for (own, others) in self.steps.iter_mut().zip(&other.steps) {
            own.merge(others);
        }
    }
}

/// The requests of a kind that were due in one part of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Response times of right answers, in ns.
    #[serde(with = "carried::times")]
    pub times: Histogram<u32>,
    pub timeouts: u32,
    pub others: u32,
}

/// How the objective was kept by the requests that were due in a short stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SloBucket {
    pub due: u32,
    /// Those that failed, or exceeded it.
    pub late: u32,
}

/// The length of a bucket: what a recovery is exact to.
pub const SLO_BUCKET: Nanos = Nanos(10 * Nanos::MILLI.0);

/// Requests whose last read was timed at the kernel's end too. None in closed loop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timed {
    /// From the kernel's receipt of an answer's last bytes to the instant at which the generator had read them.
    #[serde(with = "carried::times")]
    pub receive_lag: Histogram<u64>,
    /// Of the same requests, the response time less the generator's lag.
    #[serde(with = "carried::times")]
    pub less_lag: Histogram<u64>,
    /// That less the receive lag.
    #[serde(with = "carried::times")]
    pub less_both: Histogram<u64>,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestError {
    /// No answer within the timeout of the write, or no free connection within it of the intended instant.
    Timeout,
    /// No connection could be had within the timeout because none was open.
    Connect,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was whole.
    Closed,
    /// The connection was closed within [`STALE`] of the write, before a byte of an answer: the server gave up an idle
    /// connection as the request was on its way. It is never sent again, for it may have been carried out.
    Stale,
    /// What came is no HTTP answer, or more than one.
    Malformed,
    /// Another status than the expected one.
    BadStatus,
    /// The expected status with a wrong body.
    WrongAnswer,
    /// A step that was not sent: one before it had failed. Only of steps.
    NotReached,
    /// An early stop left it without an end.
    Unfinished,
}

/// A close so soon after a write crossed it on its way.
pub const STALE: Nanos = Nanos(5 * Nanos::MILLI.0);

/// Why a connection could not be opened.
pub(crate) const REFUSALS: [&str; 4] = ["connect", "descriptors", "ports", "handshake"];

impl RequestError {
    pub(crate) const ALL: [Self; 10] = [
        Self::Timeout,
        Self::Connect,
        Self::Reset,
        Self::Closed,
        Self::Stale,
        Self::Malformed,
        Self::BadStatus,
        Self::WrongAnswer,
        Self::NotReached,
        Self::Unfinished,
    ];

    pub(crate) fn bit(self) -> u16 {
        1 << self as u16
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
            Self::BadStatus => "bad_status",
            Self::WrongAnswer => "wrong_answer",
            Self::NotReached => "not_reached",
            Self::Unfinished => "unfinished",
        }
    }
}

/// Counts whose names are words of this program. One that is not known is an error: it would be lost.
fn by_name<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<&'static str, T>, D::Error> {
    let read = BTreeMap::<String, T>::deserialize(from)?;
    let known = || RequestError::ALL.map(RequestError::name).into_iter().chain(REFUSALS);
    let named = |(name, value): (String, T)| {
        let word = known().find(|word| *word == name);
        let unknown = || serde::de::Error::custom(format!("`{name}` is not a kind of failure"));
        word.map(|word| (word, value)).ok_or_else(unknown)
    };
    read.into_iter().map(named).collect()
}

/// How much was under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outstanding {
    /// At the window's start.
    pub at_start: u64,
    pub at_end: u64,
    /// Its mean over the window, by Little's law from what was recorded.
    pub mean: f64,
}

/// What was acknowledged, and what may or may not have happened: every request that was written and not answered
/// rightly counts as unknown, be it a timeout, a reset or a 500. An answer of 4xx counts as nothing done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Payments answered 201: the first time, be it to a replay that came before its payment.
    pub payments: u64,
    pub money_minor: u64,
    /// Their fees, as answered.
    pub fees_minor: u64,
    /// Distributions answered 200.
    pub distributions: u64,
    /// The `credited` of those.
    pub credits: u64,
    /// The part of them that was acknowledged inside the window.
    pub credits_in_window: u64,
    /// The `points` of those.
    pub points: u64,
    /// Payments sent without a right answer: each may have been captured.
    pub payments_unknown: u64,
    pub money_unknown_minor: u64,
    /// Distributions sent without a right answer.
    pub distributions_unknown: u64,
    pub credits_unknown: u64,
    /// Events answered 202.
    pub webhooks: u64,
    /// Events sent without a right answer: each may have been kept.
    pub webhooks_unknown: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.payments += other.payments;
        self.money_minor += other.money_minor;
        self.fees_minor += other.fees_minor;
        self.distributions += other.distributions;
        self.credits += other.credits;
        self.credits_in_window += other.credits_in_window;
        self.points += other.points;
        self.payments_unknown += other.payments_unknown;
        self.money_unknown_minor += other.money_unknown_minor;
        self.distributions_unknown += other.distributions_unknown;
        self.credits_unknown += other.credits_unknown;
        self.webhooks += other.webhooks;
        self.webhooks_unknown += other.webhooks_unknown;
    }
}

/// What came of a warm-up with a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedIn {
    /// Right answers of the warm-up.
    pub answered: u64,
    pub failed: u64,
    /// Its length, to the last request.
    pub warm_up: Nanos,
    /// From then until nothing was under way.
    pub drain: Nanos,
    /// The slowest right answer of its last one to two seconds.
    pub slowest: Nanos,
    /// The window's load before the window.
    pub lead_in: Nanos,
}

/// Steps of an octave of the response time are 2^this: 6 % apart at most.
const STEP_BITS: u32 = 4;
/// From 0 to the longest time that a `u64` of ns holds.
const STEPS: usize = (64 - STEP_BITS as usize + 1) << STEP_BITS;
/// Around a percentile lie so many per mille of the requests on either side.
const NEAR_PER_MILLE: f64 = 5.0;
/// Fewer requests than that have no mean.
const NEAR_MIN: u64 = 10;

/// Sums over requests of like response times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    steps: Vec<Sums>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    pub(crate) fn record(&mut self, response: Nanos, lag: Nanos, backlog: Nanos) {
        let sums = &mut self.steps[step(response.0)];
        sums.n += 1;
        sums.response += response.0;
        sums.lag += lag.0;
        sums.backlog += backlog.0;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
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
}
