//! One sending thread: waits for intended instants, writes, reads, and stamps every step.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::check::{Acknowledged, Expect};
use super::clock;
use super::connection::{Phase, Received};
use super::dispatch::{Dispatch, Ticket};
use super::handshake::OPENED;
use super::live::Counts;
use super::mix::{Mix, Request};
use super::plan::{Pace, Shape};
use super::pool::{EVENTS, Pool};
use super::receipt::Sampler;
use super::recorder::{FailedRequest, Recorder};
use super::visit::{Past, Visits};
use super::warm::Tail;
use super::wire::SCRATCH_BYTES;
use crate::error::{Context, Result};
use crate::load::connection::Instants;
use crate::poll::{Event, WRITABLE};
use crate::record::outcome::{RequestError, STALE};
use crate::units::Nanos;

/// A stop is noticed within this.
const STOP_CHECK: Nanos = Nanos(100_000_000);

/// What a sending thread is made of.
pub(crate) struct Sender<'a> {
    pub(crate) mix: &'a Mix,
    pub(crate) pool: Pool,
    pub(crate) dispatch: Dispatch<'a>,
    pub(crate) recorder: Recorder,
    pub(crate) shape: Shape,
    pub(crate) pace: Pace,
    pub(crate) timeout: Nanos,
    pub(crate) window: Range<Nanos>,
    /// A warm-up ends with the answer to its last request, and has no window to wait for.
    pub(crate) warms: bool,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) live: &'a Counts,
}

/// What a thread brings home.
#[derive(Debug)]
pub(crate) struct ThreadResult {
    pub(crate) recorder: Recorder,
    pub(crate) meter: Meter,
    pub(crate) all_busy: Nanos,
    /// Its connections, for what is sent next over them, and open until the look at the window's end: a server's threads
    /// end with their connections.
    pub(crate) pool: Pool,
    /// The slowest of the last right answers.
    pub(crate) slowest: Nanos,
    /// When it was stopped, if it was.
    pub(crate) stopped: Option<Nanos>,
    /// What the first session captured.
    pub(crate) values: Vec<Vec<u8>>,
}

/// What a thread used and had under way at the window's ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) cpu: Nanos,
    pub(crate) spun: Nanos,
    pub(crate) held: Nanos,
    /// The time that `cpu`, `spun` and `held` are of: a thread that is late sees the end of the window late.
    pub(crate) metered: Nanos,
    pub(crate) outstanding_at_start: u64,
    pub(crate) outstanding_at_end: u64,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    cpu_at_start: Nanos,
    held_at_start: Nanos,
    started: Nanos,
    passed: Passed,
}

/// How far the window is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
enum Passed {
    #[default]
    Nothing,
    Start,
    End,
}

impl Sender<'_> {
    /// Sends the whole of its part, and waits for the last answer or its timeout.
    pub(crate) fn run(self) -> Result<ThreadResult> {
        Loop {
            sampler: Sampler::new(self.shape != Shape::Closed),
            sender: self,
            next: Request::default(),
            scratch: vec![0; SCRATCH_BYTES].into(),
            meter: Meter::default(),
            tail: Tail::default(),
            visits: Visits::default(),
        }
        .run()
    }
}

/// A sender at work.
struct Loop<'a> {
    sender: Sender<'a>,
    /// The request of the upcoming k, written while there was nothing else to do.
    next: Request,
    scratch: Box<[u8]>,
    meter: Meter,
    sampler: Sampler,
    tail: Tail,
    visits: Visits,
}

impl Loop<'_> {
    fn run(mut self) -> Result<ThreadResult> {
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let mut polling_since = None;
        let stopped = loop {
            let now = clock::now();
            if let Some(since) = polling_since.take() {
                self.spun(since, now);
            }
            self.pass(now);
            if self.sender.stop.load(Ordering::Relaxed) {
                break Some(now);
            }
            self.sender.pool.retry(now);
            let now = self.send_due(now);
            if self.is_over(now) {
                break None;
            }
            self.prepare();
            let asked = clock::now();
            let patience = self.patience(asked);
            let ready = self.sender.pool.poll.wait(&mut events, Some(patience));
            let ready = ready.context(|| "cannot wait for events".into())?;
            if ready.is_empty() {
                polling_since = (patience == Nanos(0)).then_some(now);
            } else {
                self.on_events(ready);
            }
            // Only what had not come although there was time to read it: this thread may have been away for longer than
            // the timeout, with the answers waiting in the sockets.
            if ready.len() < EVENTS {
                self.give_up(asked);
            }
        };
        Ok(self.finish(stopped))
    }

    /// Sends everything that is due and can be sent; gives a recent instant.
    fn send_due(&mut self, mut now: Nanos) -> Nanos {
        loop {
            self.sender.dispatch.has_free(self.sender.pool.free());
            if !self.sender.dispatch.is_due(now) {
                break;
            }
            let Some(index) = self.sender.pool.acquire() else { break };
            let ticket = self.sender.dispatch.take(now);
            now = self.send(index, ticket, now);
        }
        if self.sender.pool.has_free() {
            self.sender.dispatch.pool_available();
        } else {
            self.sender.dispatch.pool_exhausted(now);
        }
        now
    }

    fn send(&mut self, index: usize, ticket: Ticket, acquired: Nanos) -> Nanos {
        let Self { sender, next, visits, .. } = self;
        let connection = &mut sender.pool.connections[index];
        if let Some(visit) = ticket.visit {
            let own = visits.get(visit);
            sender.mix.write_step(own.turn, &own.values, &mut connection.request);
            connection.request.visit = Some(visit);
        } else {
            if next.k != Some(ticket.k) {
                sender.mix.write(ticket.k, next);
            }
            std::mem::swap(&mut connection.request, next);
            next.k = None;
            let operation = connection.request.operation;
            if sender.mix.is_session(operation) {
                connection.request.visit = Some(visits.begin(ticket.k, operation));
            }
        }
        if sender.pool.keep_alive {
            connection.seal(sender.mix);
        }
        let written = clock::now();
        let (intended, woken, acquired) = match sender.shape {
            Shape::Closed => (written, written, written),
            _ => (ticket.intended, ticket.woken, acquired),
        };
        let (first_byte, received, done) = (Nanos(0), Nanos(0), Nanos(0));
        connection.at = Instants {
            intended,
            woken,
            acquired,
            written,
            first_byte,
            received,
            done,
            paused: Nanos(0),
        };
        let sent = if sender.pool.keep_alive {
            connection.send(sender.mix, index, &sender.pool.poll)
        } else {
            sender.pool.open_for_request(index, written)
        };
        sender.pool.depart(index, written);
        if let Err(error) = sent {
            self.fail(index, error, clock::now());
        }
        written
    }

    fn on_events(&mut self, events: &[Event]) {
        // A close that is known by now is found before anything is written to its connection.
        events.iter().for_each(|event| self.sender.pool.withdraw(event));
        // What fell due while this thread slept goes first: reading can wait, an intended instant cannot.
        self.send_due(clock::now());
        for event in events {
            if event.data.u64() == OPENED {
                while let Some((index, opened)) = self.sender.pool.handshaken() {
                    self.send_first(index, opened);
                }
            } else if let Some(index) = self.sender.pool.route(event) {
                let flags = event.flags;
                if self.sender.pool.connections[index].phase == Phase::Opening {
                    let opened = self.sender.pool.opened_for_request(index, clock::now());
                    self.send_first(index, opened);
                } else if flags.contains(WRITABLE) {
                    self.send_rest(index);
                }
                if flags.intersects(!WRITABLE) {
                    self.receive(index);
                }
            }
        }
    }

    /// The connection that was opened for a request is open, or never will be.
    fn send_first(&mut self, index: usize, opened: std::result::Result<(), RequestError>) {
        let Sender { mix, pool, .. } = &mut self.sender;
        let sent = opened.and_then(|()| {
            pool.connections[index].seal(mix);
            pool.connections[index].send(mix, index, &pool.poll)
        });
        if let Err(error) = sent {
            self.fail(index, error, clock::now());
        }
    }

    fn send_rest(&mut self, index: usize) {
        let Sender { mix, pool, .. } = &mut self.sender;
        let sent = pool.connections[index].send_rest(mix, index, &pool.poll);
        if let Err(error) = sent {
            self.fail(index, error, clock::now());
        }
    }

    fn receive(&mut self, index: usize) {
        let connection = &mut self.sender.pool.connections[index];
        if connection.phase != Phase::Busy {
            return;
        }
        // A session is timed as a whole: its first step decides.
        let visit = connection.request.visit.map(|visit| self.visits.get(visit));
        let asks = match visit.and_then(|visit| visit.past.first()) {
            Some(first) => first.receive_lag.is_some(),
            None => self.sampler.asks(),
        };
        let (received, receive_lag) = connection.receive(self.sender.mix, &mut self.scratch, asks);
        let done = connection.at.done;
        match received {
            Received::Partial => return,
            Received::Broken(error) => self.fail(index, error, done),
            Received::Answer { verdict, status, reusable } => {
                match verdict {
                    Ok(acknowledged) => self.right(index, acknowledged, status, receive_lag),
                    Err(error) => self.wrong(index, error, status),
                }
                if reusable {
                    self.sender.pool.release(index);
                } else {
                    self.sender.pool.replace(index, true, done);
                }
            }
        }
        self.send_due(done);
    }

    fn right(&mut self, index: usize, acknowledged: Acknowledged, status: u16, lag: Option<Nanos>) {
        let connection = &mut self.sender.pool.connections[index];
        let (kind, at, visit) =
            (connection.request.operation, connection.at, connection.request.visit);
        let recorder = &mut self.sender.recorder;
        let first = !connection.proven;
        if let Some(visit) = visit {
            recorder.acknowledge(acknowledged, &at);
            let past = Past { at, status, receive_lag: lag, first };
            let turn = self.visits.passed(visit, past, &mut connection.request.values).turn;
            if let Some(think) = self.sender.mix.think(turn) {
                self.sender.dispatch.follow(at.done + think, visit, turn.k);
                return;
            }
            let past = &self.visits.end(visit).past;
            self.tail.answer(at.done, at.done - past[0].at.intended);
            recorder.session(kind, past, None);
        } else {
            self.tail.answer(at.done, at.response());
            if first {
                recorder.first_on_connection(&at);
            }
            recorder.answered(kind, &at, status);
            recorder.success(kind, &at, acknowledged);
            if let Some(lag) = lag {
                recorder.timed(kind, &at, lag);
            }
        }
        self.sender.live.answer();
    }

    fn wrong(&mut self, index: usize, error: RequestError, status: u16) {
        // What a server refuses with 4xx it has not done.
        if !(400..500).contains(&status) {
            self.unknown(index);
        }
        let connection = &mut self.sender.pool.connections[index];
        let (kind, at, visit) =
            (connection.request.operation, connection.at, connection.request.visit);
        let what = connection.first.take();
        self.sender.live.failure();
        if visit.is_none() {
            self.sender.recorder.answered(kind, &at, status);
        }
        self.failed(kind, visit, &at, FailedRequest { error, status, written: true, what });
    }

    /// A request, or a step and with it its session, has failed.
    fn failed(&mut self, kind: usize, visit: Option<u32>, at: &Instants, failure: FailedRequest) {
        let Some(visit) = visit else { return self.sender.recorder.failed(kind, at, &failure) };
        let past = Past { at: *at, status: failure.status, ..Past::default() };
        self.visits.passed(visit, past, &mut Vec::new());
        let past = &self.visits.end(visit).past;
        self.sender.recorder.session(kind, past, Some(failure));
    }

    /// Gives up requests that have been on their way, or have waited for a connection, for longer than the timeout.
    fn give_up(&mut self, now: Nanos) {
        while let Some(index) = self.sender.pool.overdue(now) {
            let written = self.sender.pool.connections[index].at.written;
            self.fail(index, RequestError::Timeout, written + self.sender.timeout);
        }
        if !self.sender.pool.has_free() {
            self.expire_unsent(now);
        }
    }

    fn expire_unsent(&mut self, now: Nanos) {
        let timeout = self.sender.timeout;
        let error =
            if self.sender.pool.is_down() { RequestError::Connect } else { RequestError::Timeout };
        while let Some(ticket) = self.sender.dispatch.give_up(now, timeout) {
            let Ticket { intended, woken, .. } = ticket;
            let at = Instants::never_sent(intended, woken, (intended + timeout).max(woken));
            self.sender.live.failure();
            self.unsent(ticket, &at, error);
        }
    }

    /// A request that was due is not sent any more.
    fn unsent(&mut self, Ticket { k, visit, .. }: Ticket, at: &Instants, error: RequestError) {
        let kind = self.sender.mix.operation(k);
        let visit =
            visit.or_else(|| self.sender.mix.is_session(kind).then(|| self.visits.begin(k, kind)));
        self.failed(kind, visit, at, error.into());
    }

    /// The exchange on `index` came to nothing, at `done`.
    fn fail(&mut self, index: usize, error: RequestError, done: Nanos) {
        self.unknown(index);
        let kept = self.sender.pool.keep_alive;
        let connection = &mut self.sender.pool.connections[index];
        (connection.at.received, connection.at.done) = (done, done);
        let (kind, at, visit) =
            (connection.request.operation, connection.at, connection.request.visit);
        let what = connection.first.take();
        let crossed = kept && at.first_byte < at.written && at.service() <= STALE;
        let error = match error {
            RequestError::Reset | RequestError::Closed if crossed => RequestError::Stale,
            error => error,
        };
        // A peer that breaks new connections is not hammered with more of them.
        let proven = connection.proven || error == RequestError::Timeout;
        self.sender.live.failure();
        self.failed(kind, visit, &at, FailedRequest { error, status: 0, written: true, what });
        self.sender.pool.replace(index, proven, clock::now());
    }

    /// Whether the request on `index` was carried out is not known.
    fn unknown(&mut self, index: usize) {
        match self.sender.pool.connections[index].request.expect {
            Expect::Payment { amount_minor, .. } => {
                self.sender.recorder.payment_unknown(amount_minor);
            }
            Expect::Distribution { accounts, .. } => {
                self.sender.recorder.distribution_unknown(accounts);
            }
            Expect::Webhook { .. } => self.sender.recorder.webhook_unknown(),
            Expect::Status(_)
            | Expect::Body(..)
            | Expect::Account { .. }
            | Expect::Gateway { .. } => {}
        }
    }

    /// Writes the upcoming request ahead of its instant.
    fn prepare(&mut self) {
        if self.next.k.is_none()
            && let Some(k) = self.sender.dispatch.upcoming()
        {
            self.sender.mix.write(k, &mut self.next);
        }
    }

    /// How long to sleep at most; 0 to poll.
    fn patience(&self, now: Nanos) -> Nanos {
        let Sender { pool, dispatch, shape, pace, timeout, window, .. } = &self.sender;
        // A core that has gone to sleep is woken late, a virtual one up to milliseconds late.
        if *shape != Shape::Closed && *pace == Pace::Spin {
            return Nanos(0);
        }
        let edge = match self.meter.passed {
            Passed::Nothing => Some(window.start),
            Passed::Start => Some(window.end),
            Passed::End => None,
        };
        let wake = edge.into_iter().chain(pool.deadline()).min();
        let patience = wake.map_or(STOP_CHECK, |at| at.saturating_sub(now).min(STOP_CHECK));
        match dispatch.next_instant(now) {
            None => patience,
            Some(due) if pool.has_free() => patience.min(due.saturating_sub(now)),
            // With no free connection the next thing to do is to turn the request away.
            Some(due) => patience.min((due + *timeout).saturating_sub(now)),
        }
    }

    fn is_over(&self, now: Nanos) -> bool {
        (self.sender.warms || self.meter.passed == Passed::End)
            && self.sender.pool.under_way() == 0
            && self.sender.dispatch.next_instant(now).is_none()
    }

    /// Notes the window's ends as they pass.
    fn pass(&mut self, now: Nanos) {
        let Range { start, end } = self.sender.window;
        if self.meter.passed == Passed::Nothing && now >= start {
            self.meter.passed = Passed::Start;
            self.meter.started = now;
            self.meter.outstanding_at_start = self.outstanding(start);
            (self.meter.received_bytes, self.meter.sent_bytes) = self.sender.pool.bytes();
            self.meter.cpu_at_start = clock::thread_cpu();
            self.meter.held_at_start = clock::thread_held();
        }
        if self.meter.passed == Passed::Start && now >= end {
            self.pass_end(end, now);
        }
    }

    /// `end` is the window's, seen at `now`.
    fn pass_end(&mut self, end: Nanos, now: Nanos) {
        self.meter.passed = Passed::End;
        self.meter.metered = now.saturating_sub(self.meter.started);
        self.meter.outstanding_at_end = self.outstanding(end);
        let (received, sent) = self.sender.pool.bytes();
        self.meter.received_bytes = received - self.meter.received_bytes;
        self.meter.sent_bytes = sent - self.meter.sent_bytes;
        self.meter.cpu = clock::thread_cpu() - self.meter.cpu_at_start;
        self.meter.held = clock::thread_held().saturating_sub(self.meter.held_at_start);
        // Polling is timed by the wall: what it was preempted for is not its CPU time.
        self.meter.spun = self.meter.spun.min(self.meter.cpu);
    }

    fn outstanding(&self, now: Nanos) -> u64 {
        self.sender.dispatch.waiting(now) + self.sender.pool.under_way() as u64
    }

    fn spun(&mut self, since: Nanos, now: Nanos) {
        if self.meter.passed == Passed::Start {
            self.meter.spun += now - since;
        }
    }

    fn finish(mut self, stopped: Option<Nanos>) -> ThreadResult {
        if let Some(now) = stopped {
            self.sender.dispatch.stop(now);
            if self.meter.passed == Passed::Start {
                self.pass_end(now, now);
            }
            self.break_off(now);
        }
        let Sender { pool, dispatch, recorder, .. } = self.sender;
        let (all_busy, slowest) = (dispatch.all_busy(), self.tail.slowest());
        let values = self.visits.into_values();
        ThreadResult { recorder, meter: self.meter, all_busy, pool, slowest, stopped, values }
    }

    /// What is under way or due at a stop has no end. What was sent may or may not have been carried out.
    fn break_off(&mut self, now: Nanos) {
        for index in 0..self.sender.pool.connections.len() {
            let connection = &mut self.sender.pool.connections[index];
            let phase = connection.phase;
            if matches!(phase, Phase::Busy | Phase::Opening) {
                (connection.at.received, connection.at.done) = (now, now);
                let (kind, at, visit) =
                    (connection.request.operation, connection.at, connection.request.visit);
                if phase == Phase::Busy {
                    self.unknown(index);
                }
                // In closed loop a request is of the window when it ends.
                if self.sender.shape != Shape::Closed {
                    self.failed(kind, visit, &at, RequestError::Unfinished.into());
                }
            }
        }
        if self.sender.shape == Shape::Closed {
            return;
        }
        while let Some(ticket) = self.sender.dispatch.give_up(now, Nanos(0)) {
            let at = Instants::never_sent(ticket.intended, ticket.woken, now);
            self.unsent(ticket, &at, RequestError::Unfinished);
        }
        // Whose users think.
        while let Some(ticket) = self.sender.dispatch.drop_step() {
            let at = Instants::never_sent(ticket.intended, ticket.intended, ticket.intended);
            self.unsent(ticket, &at, RequestError::Unfinished);
        }
    }
}
