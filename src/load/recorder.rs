//! Turns the instants of requests into histograms, one set per kind, in constant memory.

use std::ops::Range;

use hdrhistogram::Histogram;

use super::check::Acknowledged;
use super::plan::{Operation, Plan, Shape};
use super::visit::{Past, whole};
use crate::load::connection::Instants;
use crate::record::outcome::{
    Breakdown, Kind, RequestError, SLO_BUCKET, Slice, SloBucket, Tally, Timed,
};
use crate::units::Nanos;

/// What one thread has recorded, or all of them once merged.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    window: Range<Nanos>,
    slice: Nanos,
    objective: Option<Nanos>,
    /// No response times, and a request belongs to the window by its end.
    closed: bool,
    kinds: Vec<Kind>,
    /// Right answers in the window, of whichever request.
    answered_in_window: u64,
    answered_in_first_half: u64,
    tally: Tally,
    /// Of right answers that were the first on their connections.
    first_service: Histogram<u64>,
}

/// A kind of request, or a step of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindPlace {
    kind: usize,
    step: Option<usize>,
}

impl From<usize> for KindPlace {
    fn from(kind: usize) -> Self {
        Self { kind, step: None }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FailedRequest {
    pub(crate) error: RequestError,
    /// Of its answer; 0 where there was none.
    pub(crate) status: u16,
    /// Whether it had been written.
    pub(crate) written: bool,
    /// In words; the first of each kind is kept.
    pub(crate) what: Option<String>,
}

impl From<RequestError> for FailedRequest {
    fn from(error: RequestError) -> Self {
        Self { error, status: 0, written: false, what: None }
    }
}

/// What of its plan a recorder has to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// No response times, and a request belongs to the window by its end.
    pub(crate) closed: bool,
    /// The longest of its sessions', whose times are in the same bounds as all others.
    pub(crate) timeout: Nanos,
    /// The plan's; nothing is kept of it in closed loop.
    pub(crate) objective: Option<Nanos>,
    pub(crate) timeline: bool,
}

impl From<&Plan> for Scope {
    fn from(plan: &Plan) -> Self {
        let Plan { objective, timeline, .. } = *plan;
        let timeout = plan.longest();
        Self { closed: plan.shape == Shape::Closed, timeout, objective, timeline }
    }
}

/// A minute: even a short timeout leaves room for the generator's own stalls.
const BOUND_MIN: Nanos = Nanos(60_000_000_000);
/// Three quarters of an hour.
const BOUND_MAX: Nanos = Nanos(45 * BOUND_MIN.0);
/// A window of this and longer is sliced by the second: then there are [`SLICES`] of them or more.
const BY_SECOND_FROM: Nanos = Nanos(SLICES * Nanos::SECOND.0);
/// Slices of a shorter one: as many as the windows of which a spread is made.
const SLICES: u64 = 30;
const TIMELINE: Nanos = Nanos(100_000_000);
/// Slices at most, some 15 KiB each: an hour of seconds.
const SLICES_MAX: u64 = 3_600;

/// Where a window's second half begins.
pub(crate) fn middle(window: &Range<Nanos>) -> Nanos {
    window.start + Nanos((window.end - window.start).0 / 2)
}

/// The slices into which a window's response times are put.
pub(crate) fn slice_of(window: Nanos, timeline: bool) -> Nanos {
    let least = Nanos(window.0.div_ceil(SLICES_MAX).max(1));
    if timeline {
        TIMELINE.max(least)
    } else if window >= BY_SECOND_FROM {
        Nanos::SECOND.max(least)
    } else {
        Nanos(window.0.div_ceil(SLICES).max(1))
    }
}

impl Recorder {
    /// Nothing recorded, for the requests of a plan.
    pub(crate) fn of(plan: &Plan, window: Range<Nanos>) -> Self {
        let names = plan.mix.iter().map(|(operation, _)| operation.name());
        let mut recorder = Self::new(names, window, plan.into());
        for (kind, (operation, _)) in recorder.kinds.iter_mut().zip(&plan.mix) {
            kind.timeout = plan.timeout;
            if let Operation::Session(session) = operation {
                kind.timeout.0 = kind.timeout.0.saturating_mul(session.steps.len() as u64);
                let own = |name: &str| empty(name, plan.longest(), 0);
                let step = |name: &str| Kind { timeout: plan.timeout, ..own(name) };
                kind.steps = session.steps.iter().map(|one| step(&one.name)).collect();
            }
        }
        recorder
    }

    /// Nothing recorded, for requests of these kinds.
    pub(crate) fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        window: Range<Nanos>,
        scope: Scope,
    ) -> Self {
        let Scope { closed, timeout, objective, timeline } = scope;
        let objective = objective.filter(|_| !closed);
        let length = window.end - window.start;
        let slice = slice_of(length, timeline);
        let slices = if closed { 0 } else { length.0.div_ceil(slice.0) };
        let buckets = objective.map_or(0, |_| length.0.div_ceil(SLO_BUCKET.0)) as usize;
        let kind = |name| Kind {
            buckets: vec![SloBucket::default(); buckets],
            ..empty(name, timeout, slices)
        };
        let kinds = names.into_iter().map(kind).collect();
        Self {
            window,
            slice,
            objective,
            closed,
            kinds,
            answered_in_window: 0,
            answered_in_first_half: 0,
            tally: Tally::default(),
            first_service: times_within(timeout),
        }
    }

    /// A request, or a whole session, was answered rightly.
    pub(crate) fn success(&mut self, kind: usize, at: &Instants, acknowledged: Acknowledged) {
        self.acknowledge(acknowledged, at);
        self.answered_in_window += u64::from(self.window.contains(&at.done));
        let half = self.window.start..middle(&self.window);
        self.answered_in_first_half += u64::from(half.contains(&at.done));
        self.right(kind.into(), at);
    }

    /// An answer with this status, right or not.
    pub(crate) fn answered(&mut self, place: impl Into<KindPlace>, at: &Instants, status: u16) {
        if self.counts(at) {
            *self.kind(place.into()).answers.entry(status).or_default() += 1;
        }
    }

    /// A session came to its end with these steps behind it, the last of which failed if there is a failure.
    pub(crate) fn session(&mut self, kind: usize, past: &[Past], failure: Option<FailedRequest>) {
        let whole = whole(past);
        // The times of a step are its own, and the window that it belongs to is its session's.
        let closed = self.closed;
        let of_session = |at: &Instants| match closed {
            true => at.moved_to(whole.done - (at.done - at.intended)),
            false => at.moved_to(whole.intended),
        };
        for (step, one) in past.iter().enumerate() {
            let (place, at) = (KindPlace { kind, step: Some(step) }, of_session(&one.at));
            if one.status != 0 {
                self.answered(kind, &whole, one.status);
                self.answered(place, &at, one.status);
            }
            match &failure {
                Some(failure) if step + 1 == past.len() => self.failed(place, &at, failure),
                _ => self.right(place, &at),
            }
            if one.first {
                self.first_on_connection(&at);
            }
            if let Some(lag) = one.receive_lag {
                self.timed(place, &at, lag);
            }
        }
        let Some(mut failure) = failure else {
            let lags: Option<Vec<Nanos>> = past.iter().map(|one| one.receive_lag).collect();
            if let Some(lags) = lags {
                self.timed(kind, &whole, Nanos(lags.iter().map(|lag| lag.0).sum()));
            }
            return self.success(kind, &whole, Acknowledged::Nothing);
        };
        let rest = match failure.error {
            RequestError::Unfinished => RequestError::Unfinished,
            _ => RequestError::NotReached,
        };
        let instant = if closed { whole.done } else { whole.intended };
        let unsent = Instants::never_sent(instant, instant, instant);
        for step in past.len()..self.kinds[kind].steps.len() {
            self.failed(KindPlace { kind, step: Some(step) }, &unsent, &rest.into());
        }
        let step = &self.kinds[kind].steps[past.len() - 1].name;
        failure.what = failure.what.map(|what| format!("{step}: {what}"));
        self.failed(kind, &whole, &failure);
    }

    /// A success was the first on its connection.
    pub(crate) fn first_on_connection(&mut self, at: &Instants) {
        if self.counts(at) {
            self.first_service.saturating_record(at.service().0);
        }
    }

    /// A request failed and leaves no response time. What it waited for before it was written is known all the same.
    pub(crate) fn failed(
        &mut self,
        place: impl Into<KindPlace>,
        at: &Instants,
        failure: &FailedRequest,
    ) {
        let (place, error) = (place.into(), failure.error);
        if let Some(what) = &failure.what {
            let firsts = &mut self.kind(place).firsts;
            firsts.entry(error.name()).or_insert_with(|| what.clone());
        }
        if !self.counts(at) {
            return;
        }
        let (closed, slice) = (self.closed, self.slice(at));
        let counted = self.kind(place);
        counted.requests += 1;
        *counted.errors.entry(error.name()).or_default() += 1;
        match error {
            RequestError::Timeout => counted.unanswered += u64::from(failure.written),
            RequestError::BadStatus => {
                *counted.statuses.entry(failure.status).or_default() += 1;
            }
            _ => {}
        }
        counted.failed_for += if closed { at.service() } else { at.response() };
        if let Some(slice) = slice {
            counted.backlog.saturating_record(at.backlog().0);
            counted.generator_lag.saturating_record(at.generator_lag().0);
            if let Some(slice) = counted.slices.get_mut(slice) {
                let count = match error {
                    RequestError::Timeout => &mut slice.timeouts,
                    _ => &mut slice.others,
                };
                *count += 1;
            }
        }
        self.bucket(place, at, true);
    }

    /// The answer of a success had been in the kernel for `receive_lag` when it was read. Open loop only.
    pub(crate) fn timed(&mut self, place: impl Into<KindPlace>, at: &Instants, receive_lag: Nanos) {
        // An answer does not come before its request: the clock was set meanwhile.
        if !self.counts(at) || receive_lag > at.service() {
            return;
        }
        let timed = &mut self.kind(place.into()).timed;
        timed.receive_lag.saturating_record(receive_lag.0);
        let less_lag = at.response() - at.generator_lag();
        timed.less_lag.saturating_record(less_lag.0);
        timed.less_both.saturating_record((less_lag - receive_lag).0);
    }

    /// A payment was written and whether it was captured is not known.
    pub(crate) fn payment_unknown(&mut self, amount_minor: u64) {
        self.tally.payments_unknown += 1;
        self.tally.money_unknown_minor += amount_minor;
    }

    /// A distribution was written and how much of it was credited is not known.
    pub(crate) fn distribution_unknown(&mut self, accounts: u32) {
        self.tally.distributions_unknown += 1;
        self.tally.credits_unknown += u64::from(accounts);
    }

    /// An event was written and whether it was kept is not known.
    pub(crate) fn webhook_unknown(&mut self) {
        self.tally.webhooks_unknown += 1;
    }

    /// Adds what another thread recorded under the same plan.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (kind, other) in self.kinds.iter_mut().zip(&other.kinds) {
            kind.merge(other);
        }
        self.answered_in_window += other.answered_in_window;
        self.answered_in_first_half += other.answered_in_first_half;
        self.tally += other.tally;
        let same = "histograms of one plan have the same bounds";
        self.first_service.add(&other.first_service).expect(same);
    }

    /// Takes over what was acknowledged before.
    pub(crate) fn carry(&mut self, earlier: &Self) {
        self.tally += earlier.tally;
    }

    /// Right answers in the window's first half.
    pub(crate) fn answered_in_first_half(&self) -> u64 {
        self.answered_in_first_half
    }

    pub(crate) fn first_service(&self) -> &Histogram<u64> {
        &self.first_service
    }

    /// Gives up what it holds: the kinds, the answers in the window, the tally.
    pub(crate) fn into_parts(self) -> (Vec<Kind>, u64, Tally) {
        (self.kinds, self.answered_in_window, self.tally)
    }

    fn kind(&mut self, KindPlace { kind, step }: KindPlace) -> &mut Kind {
        let kind = &mut self.kinds[kind];
        match step {
            Some(step) => &mut kind.steps[step],
            None => kind,
        }
    }

    fn right(&mut self, place: KindPlace, at: &Instants) {
        if self.counts(at) {
            self.kind(place).requests += 1;
            self.times(place, at);
            self.bucket(place, at, false);
        }
    }

    fn counts(&self, at: &Instants) -> bool {
        self.window.contains(if self.closed { &at.done } else { &at.intended })
    }

    fn times(&mut self, place: KindPlace, at: &Instants) {
        let slice = self.slice(at);
        let kind = self.kind(place);
        kind.service.saturating_record(at.service().0);
        if let Some(slice) = slice {
            let (response, lag) = (at.response(), at.generator_lag());
            kind.response.saturating_record(response.0);
            kind.response_less_lag.saturating_record((response - lag).0);
            kind.backlog.saturating_record(at.backlog().0);
            kind.generator_lag.saturating_record(lag.0);
            kind.breakdown.record(response, lag, at.backlog());
            if let Some(slice) = kind.slices.get_mut(slice) {
                slice.times.saturating_record(response.0);
            }
        }
    }

    /// The slice of what was intended in the window; none in closed loop.
    fn slice(&self, at: &Instants) -> Option<usize> {
        (!self.closed).then(|| ((at.intended - self.window.start).0 / self.slice.0) as usize)
    }

    /// Whether the objective was kept. Only of what was intended inside the window.
    fn bucket(&mut self, place: KindPlace, at: &Instants, failed: bool) {
        if let Some(objective) = self.objective {
            let bucket = (at.intended - self.window.start).0 / SLO_BUCKET.0;
            let Some(bucket) = self.kind(place).buckets.get_mut(bucket as usize) else { return };
            bucket.due += 1;
            bucket.late += u32::from(failed || at.response() > objective);
        }
    }

    /// A right answer acknowledged this.
    pub(crate) fn acknowledge(&mut self, acknowledged: Acknowledged, at: &Instants) {
        let in_window = self.window.contains(&at.done);
        let tally = &mut self.tally;
        match acknowledged {
            Acknowledged::Nothing => {}
            Acknowledged::Payment { amount_minor, fee_minor } => {
                tally.payments += 1;
                tally.money_minor += amount_minor;
                tally.fees_minor += fee_minor;
            }
            Acknowledged::Distribution { accounts, points } => {
                tally.distributions += 1;
                tally.credits += u64::from(accounts);
                tally.credits_in_window += if in_window { u64::from(accounts) } else { 0 };
                tally.points += points;
            }
            Acknowledged::Webhook => tally.webhooks += 1,
        }
    }
}

/// Three significant digits from 1 ns to four timeouts or a minute, whichever is longer: 216 KiB a histogram for the
/// usual timeouts, of which only the pages that are written to count.
pub(crate) fn times_within(timeout: Nanos) -> Histogram<u64> {
    Histogram::new_with_bounds(1, highest(timeout), 3).expect("the bounds are two apart or more")
}

/// Below an hour, where files have their failures.
fn highest(timeout: Nanos) -> u64 {
    timeout.0.saturating_mul(4).clamp(BOUND_MIN.0, BOUND_MAX.0)
}

fn empty(name: &str, timeout: Nanos, slices: u64) -> Kind {
    let histogram = || times_within(timeout);
    let slice = |_| Slice {
        times: Histogram::new_with_bounds(1, highest(timeout), 2)
            .expect("the bounds are two apart or more"),
        timeouts: 0,
        others: 0,
    };
    Kind {
        name: name.to_owned(),
        requests: 0,
        errors: Default::default(),
        statuses: Default::default(),
        answers: Default::default(),
        firsts: Default::default(),
        unanswered: 0,
        timeout,
        failed_for: Nanos(0),
        response: histogram(),
        response_less_lag: histogram(),
        service: histogram(),
        backlog: histogram(),
        generator_lag: histogram(),
        timed: Timed { receive_lag: histogram(), less_lag: histogram(), less_both: histogram() },
        slices: (0..slices).map(slice).collect(),
        breakdown: Breakdown::new(),
        buckets: Vec::new(),
        steps: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::load::plan::{SessionStep, UserSession};

    const WINDOW: Range<Nanos> = Nanos(1_000)..Nanos(20_000_000_000);

    const OPEN: Scope =
        Scope { closed: false, timeout: Nanos::SECOND, objective: None, timeline: false };

    fn recorder() -> Recorder {
        let scope = Scope { objective: Some(Nanos(500_000)), ..OPEN };
        Recorder::new(["payment", "account-read"], WINDOW, scope)
    }

    fn instants(intended: u64, lag: u64, backlog: u64, service: u64) -> Instants {
        let woken = Nanos(intended + lag);
        let acquired = woken + Nanos(backlog);
        let done = acquired + Nanos(service);
        let intended = Nanos(intended);
        let (written, first_byte, received) = (acquired, done, done);
        let paused = Nanos(0);
        Instants { intended, woken, acquired, written, first_byte, received, done, paused }
    }

    fn status(status: u16) -> FailedRequest {
        FailedRequest { status, written: true, ..RequestError::BadStatus.into() }
    }

    #[test]
    fn merged_recorders_equal_one() {
        let (mut one, mut left, mut right) = (recorder(), recorder(), recorder());
        for n in 0..2_000_u64 {
            let at = instants(2_000 + n, n % 50, n * 7 % 1_000, 1_000 + n * 7919 % 900_000);
            let half = if n % 3 == 0 { &mut left } else { &mut right };
            for recorder in [&mut one, half] {
                match n % 10 {
                    0 => recorder.failed(0, &at, &RequestError::Timeout.into()),
                    1 => recorder.failed(1, &at, &RequestError::Reset.into()),
                    5 => recorder.failed(1, &at, &status(500 + (n % 4) as u16)),
                    2 => recorder.success(
                        0,
                        &at,
                        Acknowledged::Payment { amount_minor: n, fee_minor: 1 },
                    ),
                    _ => recorder.success(1, &at, Acknowledged::Nothing),
                }
            }
        }
        left.merge(&right);
        let (a, b) = (one.into_parts(), left.into_parts());
        assert_eq!((a.1, a.2), (b.1, b.2));
        for (a, b) in a.0.iter().zip(&b.0) {
            assert_eq!((a.requests, &a.errors), (b.requests, &b.errors));
            assert_eq!((&a.statuses, a.failed_for), (&b.statuses, b.failed_for));
            assert!(a.response == b.response && a.response_less_lag == b.response_less_lag);
            assert!(a.service == b.service && a.backlog == b.backlog);
            assert!(a.generator_lag == b.generator_lag && a.slices == b.slices);
            assert_eq!(a.breakdown, b.breakdown);
            assert_eq!(
                a.slices.iter().map(|slice| slice.times.len()).sum::<u64>(),
                a.response.len()
            );
        }
        let (payment, read) = (&a.0[0], &a.0[1]);
        assert_eq!((payment.requests, payment.errors["timeout"]), (400, 200));
        assert_eq!(
            (read.requests, read.errors["reset"], read.errors["bad_status"]),
            (1_600, 200, 200)
        );
        assert_eq!(read.statuses, [(501, 100), (503, 100)].into());
        assert_eq!(
            (payment.response.len(), payment.service.len()),
            (200, 200),
            "no failure has a time"
        );
        assert_eq!(payment.generator_lag.len(), 400, "but each was late by something");
        let failed = |slices: &[Slice]| -> (u32, u32) {
            (slices.iter().map(|s| s.timeouts).sum(), slices.iter().map(|s| s.others).sum())
        };
        assert_eq!((failed(&payment.slices), failed(&read.slices)), ((200, 0), (0, 400)));
    }

    /// METHOD section 5: frozen S = 1 s in a run of T = 10 s, the true percentile p of the tail is S - (1 - p/100) T.
    #[test]
    fn a_known_stall_shows_in_the_response_and_not_in_the_service_time() {
        let mut recorder = recorder();
        let (period, stall) = (Nanos::MILLI, 5_000_000_000..6_000_000_000_u64);
        for k in 0..10_000 {
            let intended = 1_000 + k * period.0;
            // One request is caught in the stall on its connection; the others wait for that connection.
            let stalled = stall.contains(&intended);
            let waits = if stalled { stall.end - intended } else { 0 };
            recorder.success(0, &instants(intended, 0, waits, 100_000), Acknowledged::Nothing);
        }
        let (kinds, ..) = recorder.into_parts();
        let response = |p| kinds[0].response.value_at_percentile(p) as f64 / 1e9;
        assert!((response(95.0) - 0.5).abs() < 0.005, "{}", response(95.0));
        assert!((response(99.0) - 0.9).abs() < 0.005, "{}", response(99.0));
        assert!(kinds[0].service.max() < 101_000, "the lie");
    }

    #[test]
    fn only_requests_of_the_window_are_recorded_but_all_are_acknowledged() {
        let mut recorder = recorder();
        let payment = Acknowledged::Payment { amount_minor: 5, fee_minor: 1 };
        recorder.success(0, &instants(999, 0, 0, 10), payment);
        recorder.success(0, &instants(1_000, 0, 0, 10), payment);
        recorder.success(0, &instants(19_999_999_999, 0, 0, 10), payment);
        recorder.success(0, &instants(20_000_000_000, 0, 0, 10), payment);
        let (kinds, answered, tally) = recorder.into_parts();
        assert_eq!((kinds[0].requests, kinds[0].response.len()), (2, 2));
        assert_eq!(answered, 2, "the first two came inside");
        assert_eq!((tally.payments, tally.money_minor, tally.fees_minor), (4, 20, 4));
    }

    #[test]
    fn a_timed_read_is_taken_off_its_own_request() {
        let mut recorder = recorder();
        let at = instants(2_000, 1_000, 0, 500_000);
        recorder.timed(0, &at, Nanos(200_000));
        recorder.timed(0, &at, Nanos(500_001));
        let (kinds, ..) = recorder.into_parts();
        let timed = &kinds[0].timed;
        assert_eq!(timed.receive_lag.len(), 1, "longer than the request: the clock was set");
        assert!(timed.less_lag.max().abs_diff(500_000) < 500);
        assert!(timed.less_both.max().abs_diff(300_000) < 500);
    }

    #[test]
    fn the_window_is_sliced_by_the_second_or_into_thirty() {
        let seconds = |s: u64| Nanos(s * 1_000_000_000);
        assert_eq!(slice_of(seconds(20), false), Nanos(666_666_667));
        assert_eq!(slice_of(seconds(30), false), Nanos::SECOND);
        assert_eq!(slice_of(seconds(15), false), Nanos(500_000_000));
        assert_eq!(slice_of(seconds(3_600), false), Nanos::SECOND);
        assert_eq!(slice_of(seconds(36_000), false), seconds(10));
        assert_eq!(slice_of(seconds(8), true), Nanos(100_000_000));
        assert_eq!(slice_of(seconds(3_600), true), Nanos::SECOND);
        let mut recorder = Recorder::new(["x"], seconds(5)..seconds(35), OPEN);
        for intended in [5_000_000_000, 5_999_999_999, 6_000_000_000, 34_999_999_999] {
            recorder.success(0, &instants(intended, 0, 0, 10), Acknowledged::Nothing);
        }
        let (kinds, ..) = recorder.into_parts();
        let counts: Vec<u64> = kinds[0].slices.iter().map(|slice| slice.times.len()).collect();
        assert_eq!((counts.len(), counts[0], counts[1], counts[29]), (30, 2, 1, 1));
    }

    #[test]
    fn beats_say_how_the_objective_was_kept() {
        let mut recorder = recorder();
        let at = |intended: u64, service| instants(1_000 + intended, 0, 0, service);
        recorder.success(0, &at(0, 500_000), Acknowledged::Nothing);
        recorder.success(0, &at(1, 500_001), Acknowledged::Nothing);
        recorder.failed(0, &at(9_999_999, 10), &RequestError::Reset.into());
        recorder.success(1, &at(10_000_000, 10), Acknowledged::Nothing);
        let mut other = recorder.clone();
        other.merge(&recorder);
        let (kinds, ..) = other.into_parts();
        assert_eq!(kinds[0].buckets.len(), 2_000, "twenty seconds, less a microsecond");
        assert_eq!(kinds[0].buckets[0], SloBucket { due: 6, late: 4 });
        assert_eq!(kinds[1].buckets[1], SloBucket { due: 2, late: 0 });
    }

    #[test]
    fn credits_of_the_window_are_those_acknowledged_inside_it() {
        let mut recorder = recorder();
        let credited = Acknowledged::Distribution { accounts: 7, points: 70 };
        recorder.success(0, &instants(1_500, 0, 0, 10), credited);
        recorder.success(0, &instants(19_999_999_999, 0, 0, 10), credited);
        let (_, _, tally) = recorder.into_parts();
        assert_eq!((tally.credits, tally.credits_in_window), (14, 7));
    }

    #[test]
    fn only_right_answers_are_work() {
        let mut recorder = recorder();
        let at = instants(2_000, 0, 0, 10);
        recorder.success(0, &at, Acknowledged::Nothing);
        recorder.failed(0, &at, &RequestError::WrongAnswer.into());
        recorder.failed(0, &at, &status(500));
        let (kinds, answered, _) = recorder.into_parts();
        assert_eq!((kinds[0].requests, answered), (3, 1));
        assert_eq!((kinds[0].service.len(), kinds[0].failed_for), (1, Nanos(20)));
    }

    #[test]
    fn late_reads_and_first_answers_of_a_session_are_of_its_window() {
        let mut recorder = recorder();
        let step = |name| empty(name, Nanos::SECOND, 0);
        recorder.kinds[0].steps = ["login", "pay"].map(step).into();
        let past = |intended, receive_lag| Past {
            at: instants(intended, 1, 0, 100),
            status: 200,
            receive_lag,
            first: true,
        };
        // Due after the window's end, and of it all the same.
        let lag = |ns| Some(Nanos(ns));
        let end = WINDOW.end.0;
        recorder.session(0, &[past(end - 10, lag(30)), past(end + 500, lag(40))], None);
        recorder.session(0, &[past(end - 10, None), past(end + 500, None)], None);
        recorder.session(0, &[past(500, lag(1)), past(2_000, lag(1))], None);
        assert_eq!(recorder.first_service().len(), 4, "those of the second one too");
        let (kinds, ..) = recorder.into_parts();
        let timed = |kind: &Kind| (kind.timed.receive_lag.len(), kind.timed.receive_lag.max());
        assert_eq!(timed(&kinds[0]), (1, 70));
        assert_eq!((timed(&kinds[0].steps[0]), timed(&kinds[0].steps[1])), ((1, 30), (1, 40)));
        assert_eq!((kinds[0].timed.less_lag.max(), kinds[0].timed.less_both.max()), (200, 130));
    }

    #[test]
    fn a_sessions_times_may_be_those_of_all_its_steps() {
        let step = |name: &str| SessionStep {
            name: name.into(),
            operation: Operation::AccountRead,
            think: Nanos(0),
            extract: Vec::new(),
        };
        let steps = ["login", "basket", "pay"].map(step).into();
        let session = Operation::Session(UserSession { name: "buy".into(), steps });
        let mut plan =
            crate::load::mix::tests::plan(vec![(session, 1), (Operation::AccountRead, 1)]);
        plan.timeout = Nanos(30 * Nanos::SECOND.0);
        let (kinds, ..) = Recorder::of(&plan, WINDOW).into_parts();
        let timeouts = [&kinds[0], &kinds[0].steps[2], &kinds[1]].map(|kind| kind.timeout.0);
        assert_eq!(timeouts, [90, 30, 30].map(|s| s * Nanos::SECOND.0));
        let most = [&kinds[0], &kinds[0].steps[2], &kinds[1]].map(|kind| kind.response.high());
        assert_eq!(most, [4 * 90 * Nanos::SECOND.0; 3], "which can be added up");
    }

    #[test]
    fn a_session_counts_once_and_takes_its_steps_along() {
        let mut recorder = recorder();
        let step = |name| empty(name, Nanos::SECOND, 0);
        recorder.kinds[0].steps = ["login", "basket", "pay"].map(step).into();
        let end = WINDOW.end.0;
        let past =
            |intended| Past { at: instants(intended, 1, 0, 100), status: 200, ..Past::default() };
        // Its second and third steps are due after the window's end, and are of it all the same.
        recorder.session(0, &[past(end - 10), past(end + 500), past(end + 900)], None);
        let what = Some("401: no".to_owned());
        let failure = FailedRequest { status: 401, what, ..status(401) };
        let refused = Past { at: instants(5_000, 1, 0, 50), status: 401, ..Past::default() };
        recorder.session(0, &[refused], Some(failure));
        // One that began before the window is no part of it, whenever it ends.
        recorder.session(0, &[past(500), past(2_000), past(3_000)], None);
        let (kinds, answered, _) = recorder.into_parts();
        let all = &kinds[0];
        assert_eq!((all.requests, all.errors["bad_status"], all.response.len()), (2, 1, 1));
        assert_eq!(all.response.max(), 303, "three times 101");
        assert_eq!((all.answers[&200], all.answers[&401]), (3, 1));
        assert_eq!(all.firsts["bad_status"], "login: 401: no");
        assert_eq!(answered, 1, "the last one, whose end was in the window");
        let errors = |step: usize| all.steps[step].errors.keys().copied().collect::<Vec<_>>();
        assert_eq!([errors(0), errors(1)], [["bad_status"], ["not_reached"]]);
        assert!(all.steps.iter().all(|step| (step.requests, step.response.len()) == (2, 1)));
    }

    #[test]
    fn a_closed_loop_has_service_times_only() {
        let mut recorder = Recorder::new(["x"], WINDOW, Scope { closed: true, ..OPEN });
        recorder.success(0, &instants(990, 0, 0, 20), Acknowledged::Nothing);
        recorder.success(0, &instants(19_999_999_999, 0, 0, 20), Acknowledged::Nothing);
        let (kinds, answered, _) = recorder.into_parts();
        assert_eq!((kinds[0].requests, answered), (1, 1), "the one that ended inside");
        assert_eq!((kinds[0].service.len(), kinds[0].response.len()), (1, 0));
    }

    #[test]
    fn memory_is_bounded_and_long_times_saturate() {
        let mut recorder = recorder();
        recorder.success(0, &instants(2_000, 0, 0, 10_000_000_000_000), Acknowledged::Nothing);
        let (kinds, ..) = recorder.into_parts();
        assert_eq!(kinds[0].service.len(), 1);
        let bytes = kinds[0].service.distinct_values() * 8;
        assert!(bytes < 256 * 1024, "{bytes}");
    }
}
