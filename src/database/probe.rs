//! One query, again and again, each time at its intended instant, whatever has come back.
//!
//! A thread for each connection. Whichever is free takes the next arrival in order and sleeps to its instant; when none
//! is free the arrival waits, and its time runs from the intended instant regardless.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::thread::set_current_timer_slack;

use crate::clock::now;
use crate::database::url::Url;
use crate::database::{connect, trouble};
use crate::error::{Context, Error, Result};
use crate::load::plan::Arrivals;
use crate::load::profile::Profile;
use crate::load::schedule::{Cursor, Schedule};
use crate::postgres::{Connection, ConnectionError, Refusal};
use crate::stats::backlog::grew;
use crate::stats::percentile::Failures;
use crate::units::{Nanos, Rate};

/// What is asked, and how often.
#[derive(Clone, Debug)]
pub struct ProbeQuestion {
    /// One statement without parameters.
    pub query: String,
    /// Mean arrivals per second.
    pub rate: Rate,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// How long they come; answers may come later.
    pub duration: Nanos,
    /// As many queries are under way at most.
    pub connections: u32,
    /// Sets the arrivals.
    pub seed: u64,
}

/// A query that takes longer, or finds no free connection for so long, is a timeout.
pub const TIMEOUT: Nanos = Nanos(10_000_000_000);
/// The name of that failure, beside the SQLSTATEs of others.
const TIMED_OUT: &str = "timeout";
/// A server that does not keep that bound by itself no longer answers.
const ANSWERS_WITHIN: Duration = Duration::from_nanos(TIMEOUT.0 + 5_000_000_000);
/// From here to the instant a thread polls: the system wakes it too late by up to so much.
const POLLED: Nanos = Nanos(100_000);
/// A stop is noticed within this.
const STOP_CHECK: Nanos = Nanos(100_000_000);
/// Between the last connection and the first instant.
const LEAD: Nanos = Nanos(5_000_000);

#[derive(Clone, Debug)]
pub struct Answers {
    /// From the intended instant to the last row, in ns, of what was answered.
    pub response: Histogram<u64>,
    /// The same without this program's own lateness.
    pub response_less_lag: Histogram<u64>,
    /// Arrivals that were due, answered or not.
    pub due: u64,
    /// Arrivals that found every connection busy.
    pub waited: u64,
    /// Arrivals that were answered, or had failed, within the window.
    pub done_in_window: u64,
    /// Arrivals under way at the end of the window's first quarter, when the first answers are long back.
    pub outstanding_early: u64,
    /// Arrivals under way at the end of the window.
    pub outstanding_late: u64,
    /// Arrivals under way at any instant of the window, on average.
    pub outstanding_mean: f64,
    /// Failures by SQLSTATE, timeouts by that name.
    pub errors: BTreeMap<String, u64>,
    pub first_error: Option<String>,
    /// How long arrivals came.
    pub window: Nanos,
}

/// Asks until the last answer or timeout, or until `stop` is true. Each connection asks once before, unmeasured: the first
/// time a server looks up what it keeps from then on.
///
/// # Errors
/// When the server refuses a connection or the query, or closes a connection on the way.
pub fn probe(url: &Url, question: &ProbeQuestion, stop: &AtomicBool) -> Result<Answers> {
    let ready = (0..question.connections).map(|_| Asker::ready(url, &question.query));
    let ready = ready.collect::<Result<Vec<_>>>()?;
    let span = question.duration;
    let schedule =
        Schedule::new(question.seed, 1, Profile::Steady(question.rate), question.arrivals, span);
    let queue = Mutex::new(schedule.part(0, 1));
    let origin = now() + LEAD;
    let parts = thread::scope(|scope| {
        let work = |asker: Asker| {
            let queue = &queue;
            scope.spawn(move || asker.ask(queue, origin, span, stop))
        };
        let threads: Vec<_> = ready.into_iter().map(work).collect();
        let parts = threads.into_iter().map(|it| it.join().expect("a probing thread panicked"));
        parts.collect::<Result<Vec<_>>>()
    })?;
    let mut all = Answers::new(span.min(now().saturating_sub(origin)));
    parts.into_iter().for_each(|part| all.add(part));
    Ok(all)
}

/// The SQLSTATE of a statement that has taken too long.
const CANCELED: &str = "57014";

struct Asker(Connection);

const QUERY: &str = "probe";

impl Asker {
    fn ready(url: &Url, query: &str) -> Result<Self> {
        let mut client = connect(url.server(), url)?;
        client.answers_within(ANSWERS_WITHIN).context(|| "cannot set a timeout".into())?;
        let bound = format!("SET statement_timeout = {}", TIMEOUT.0 / Nanos::MILLI.0);
        client.query(&bound).map_err(trouble("cannot set a timeout"))?;
        let refused = |error| Error::usage(format!("{url} refuses the query: {error}"));
        let prepared = client.prepare(QUERY, query).map_err(refused)?;
        if !prepared.parameters.is_empty() {
            return Err(Error::usage("the query has parameters").help("write values instead of $1"));
        }
        client.execute(QUERY).map_err(refused)?;
        Ok(Self(client))
    }

    /// Takes arrivals and asks, as long as there are any.
    fn ask(
        mut self,
        queue: &Mutex<Cursor<'_>>,
        origin: Nanos,
        span: Nanos,
        stop: &AtomicBool,
    ) -> Result<Answers> {
        // The default slack of 50 us would come on top of every wait.
        set_current_timer_slack(NonZeroU64::new(1))
            .context(|| "cannot set the timer slack".into())?;
        let mut answers = Answers::new(span);
        while let Some(intended) = next(queue) {
            let due = origin + intended;
            let taken = now();
            if !wait_until(due, stop) {
                break;
            }
            let backlog = taken.saturating_sub(due);
            answers.waited += u64::from(backlog > Nanos(0));
            if backlog > TIMEOUT {
                answers.passed(intended, intended + backlog, span);
                answers.timed_out();
                continue;
            }
            let lag = if backlog > Nanos(0) { Nanos(0) } else { now() - due };
            let result = self.0.execute(QUERY);
            let response = now() - due;
            answers.passed(intended, intended + response, span);
            match result {
                Ok(_) => answers.record(response, lag),
                Err(ConnectionError::Refused(why)) if why.code == CANCELED => answers.timed_out(),
                Err(ConnectionError::Refused(why)) => answers.failed(why),
                Err(ConnectionError::Lost(why)) => {
                    return Err(Error::invalid(format!("the server went away: {why}")));
                }
            }
        }
        Ok(answers)
    }
}

/// The next arrival that no connection has taken.
fn next(queue: &Mutex<Cursor<'_>>) -> Option<Nanos> {
    // A cursor is whole between two calls.
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, intended) = queue.peek()?;
    queue.advance();
    Some(intended)
}

/// Sleeps, then polls. Gives whether the instant has come: it has not when `stop` is true.
fn wait_until(instant: Nanos, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        match instant.saturating_sub(now()) {
            Nanos(0) => return true,
            left if left > POLLED => {
                thread::sleep(Duration::from((left - POLLED).min(STOP_CHECK)));
            }
            _ => std::hint::spin_loop(),
        }
    }
}

impl Answers {
    fn new(window: Nanos) -> Self {
        // An hour: beyond every backlog of a probe that people wait for.
        let histogram = || {
            Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are in order")
        };
        Self {
            response: histogram(),
            response_less_lag: histogram(),
            due: 0,
            waited: 0,
            done_in_window: 0,
            outstanding_early: 0,
            outstanding_late: 0,
            outstanding_mean: 0.0,
            errors: BTreeMap::new(),
            first_error: None,
            window,
        }
    }

    /// The arrivals that left no time, which rank above all that did.
    pub fn failures(&self) -> Failures {
        Failures {
            all: self.errors.values().sum(),
            timeouts: self.errors.get(TIMED_OUT).copied().unwrap_or(0),
            timeout_ns: TIMEOUT.0,
        }
    }

    /// Outstanding work grew all along the window: the server does not keep up, and a percentile would say how long was
    /// asked.
    pub fn saturated(&self) -> bool {
        let [early, late] = [self.outstanding_early, self.outstanding_late].map(|n| n as f64);
        grew(early, late, self.outstanding_mean, self.due)
    }

    /// Counts an arrival by when it was due and when it was over, since the first instant of the window.
    fn passed(&mut self, due: Nanos, over: Nanos, span: Nanos) {
        let under_way = |at: Nanos| u64::from(due <= at && over > at);
        self.due += 1;
        self.done_in_window += u64::from(over <= span);
        self.outstanding_early += under_way(Nanos(span.0 / 4));
        self.outstanding_late += under_way(span);
        self.outstanding_mean += (over.min(span) - due).0 as f64 / span.0 as f64;
    }

    fn record(&mut self, response: Nanos, lag: Nanos) {
        self.response.saturating_record(response.0);
        self.response_less_lag.saturating_record((response - lag).0);
    }

    fn timed_out(&mut self) {
        *self.errors.entry(TIMED_OUT.into()).or_default() += 1;
    }

    fn failed(&mut self, refusal: Refusal) {
        self.first_error.get_or_insert_with(|| refusal.to_string());
        *self.errors.entry(refusal.code).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        let same = "both have the same bounds";
        self.response.add(other.response).expect(same);
        self.response_less_lag.add(other.response_less_lag).expect(same);
        self.due += other.due;
        self.waited += other.waited;
        self.done_in_window += other.done_in_window;
        self.outstanding_early += other.outstanding_early;
        self.outstanding_late += other.outstanding_late;
        self.outstanding_mean += other.outstanding_mean;
        for (name, count) in other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        self.first_error = self.first_error.take().or(other.first_error);
    }
}
