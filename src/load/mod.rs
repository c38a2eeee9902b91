//! The measuring side: an open-loop HTTP load generator on pinned OS threads and epoll, whatever it measures.
//!
//! - [`plan`] says what a trial sends, [`outcome`] what came of it; everything between is private.
//! - `schedule` says when a request is due and `mix` what it is, both as pure functions of the plan and k.
//! - `dispatch` hands requests out, `pool` connections, `sender` brings them together and stamps six `instants`;
//!   `answer` reads HTTP, `check` judges it, `recorder` keeps histograms.
//!
//! The three rules that everything here serves: no request is skipped or put off because of what comes back; a time
//! says whose it is (the generator's lag, the backlog for a connection, the service); nothing that is sent is forgotten.

mod answer;
#[doc(hidden)]
pub mod bench;
mod breakdown;
mod check;
mod connection;
mod dispatch;
mod fixed;
mod flight;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod ids;
mod instants;
pub mod live;
mod mix;
pub mod outcome;
pub mod plan;
mod poisson;
mod pool;
pub(crate) mod profile;
mod receipt;
mod recorder;
mod route;
pub(crate) mod schedule;
mod sender;
mod template;
pub mod url;

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender as Channel};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};

use self::dispatch::Dispatch;
use self::live::Live;
use self::mix::Mix;
use self::outcome::{Fault, Kind, Outcome, Outstanding};
use self::plan::{Plan, Shape};
use self::pool::Pool;
use self::profile::{Profile, Ramp};
use self::recorder::{Recorder, times_within};
use self::schedule::Schedule;
use self::sender::{Part, Sender};
use crate::clock;
use crate::error::{Context, Error, Result};
use crate::poll::raise_descriptor_limit;
use crate::random;
use crate::units::Nanos;

/// The ends of the measured window, for whoever samples the contender's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The warm-up is over.
    WindowStart,
    /// The last request has fallen due; answers may still come.
    WindowEnd,
}

/// Between the last connection and the first intended instant: every thread is awake by then.
const LEAD: Nanos = Nanos(5_000_000);
/// The digest covers so many requests: 40 ms of work at most.
const DIGEST_LEN: u64 = 1 << 20;
/// Descriptors beside those of the connections.
const DESCRIPTORS_ASIDE: u64 = 64;

/// Runs one trial and blocks until its last answer or timeout. `at` is called at the window's ends from the calling
/// thread, which sleeps otherwise and never sends. Once `stop` is true the trial ends within about 100 ms with what it
/// has; a window that has begun then still gets its [`Moment::WindowEnd`].
///
/// # Errors
/// A plan that cannot be run, a target that is not on this machine or accepts no connection, a core that does not exist.
pub fn run(plan: &Plan, stop: &AtomicBool, at: &dyn Fn(Moment)) -> Result<Outcome> {
    run_seen(plan, stop, at, &Live::new(plan.threads))
}

/// The same, with `live` saying how far it is.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// When `live` is of fewer threads than the plan.
pub fn run_seen(
    plan: &Plan,
    stop: &AtomicBool,
    at: &dyn Fn(Moment),
    live: &Live,
) -> Result<Outcome> {
    check(plan)?;
    raise_descriptor_limit(plan.connections as u64 + DESCRIPTORS_ASIDE);
    let mix = Mix::new(plan)?;
    let schedule = schedule(plan);
    let digest = schedule.as_ref().map_or(0, |schedule| digest(schedule, &mix));
    let (parts, window) = thread::scope(|scope| {
        let (ready, readiness) = mpsc::channel();
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (go, start) = mpsc::channel();
                let (ready, mix, schedule) = (ready.clone(), &mix, schedule.as_ref());
                let work = move || send(plan, thread, mix, schedule, stop, live, &ready, &start);
                (scope.spawn(work), go)
            })
            .collect();
        drop(ready);
        // A thread that could not start leaves the others without a go, and they end.
        for _ in 0..plan.threads {
            readiness.recv().context(|| "a sending thread died".into())??;
        }
        let origin = clock::now() + LEAD;
        let start = origin + plan.warm_up;
        let window = start..start + plan.duration;
        let threads: Vec<_> = threads
            .into_iter()
            .map(|(thread, go)| {
                // One that has died says why when it is joined.
                let _ = go.send(origin);
                thread
            })
            .collect();
        coordinate(&window, stop, at, &readiness);
        let parts =
            threads.into_iter().map(|thread| thread.join().expect("a sending thread panicked"));
        Ok((parts.collect::<Result<Vec<_>>>()?, window))
    })?;
    Ok(gather(plan, schedule.as_ref(), digest, parts, window))
}

/// When the requests are due; nothing in a closed loop.
fn schedule(plan: &Plan) -> Option<Schedule> {
    let (profile, arrivals) = match plan.shape {
        Shape::Closed => return None,
        Shape::Open { rate, arrivals } => (Profile::Steady(rate), arrivals),
        Shape::Ramp { from, to, arrivals } => {
            (Profile::Ramp(Ramp::new(from, to, plan.warm_up, plan.duration)), arrivals)
        }
    };
    let span = plan.warm_up + plan.duration;
    Some(Schedule::new(plan.seed, plan.round, profile, arrivals, span))
}

fn check(plan: &Plan) -> Result<()> {
    if !plan.target.ip().is_loopback() {
        return Err(Error::usage(format!("{} is not on this machine", plan.target))
            .help("bakeoff sends load to 127.0.0.1 and [::1] only"));
    }
    if plan.threads == 0 || plan.connections < plan.threads {
        return Err(Error::usage(format!(
            "{} connections cannot be spread over {} threads",
            plan.connections, plan.threads
        ))
        .help("every thread needs at least one connection"));
    }
    if plan.duration == Nanos(0) || plan.timeout == Nanos(0) {
        return Err(Error::usage("duration and timeout must be above 0"));
    }
    if plan.salt >= 1 << 20 {
        return Err(Error::internal(format!("the salt {} is not below 2^20", plan.salt)));
    }
    Ok(())
}

/// Of the number of requests and, for the first 2^20, their instants and operations. The salt has no part in it.
fn digest(schedule: &Schedule, mix: &Mix) -> u64 {
    let mut cursor = schedule.part(0, 1);
    let mut digest = random::mix(schedule.len());
    while let Some((k, intended)) = cursor.peek().filter(|(k, _)| *k < DIGEST_LEN) {
        let operation = mix.operation(k) as u64;
        digest = random::mix(digest.wrapping_add(random::mix(intended.0 ^ (operation << 56))));
        cursor.advance();
    }
    digest
}

/// The life of a sending thread.
#[expect(clippy::too_many_arguments, reason = "everything that a thread is born with")]
fn send(
    plan: &Plan,
    thread: usize,
    mix: &Mix,
    schedule: Option<&Schedule>,
    stop: &AtomicBool,
    live: &Live,
    ready: &Channel<Result<()>>,
    start: &Receiver<Nanos>,
) -> Result<Part> {
    let pool = prepare_thread(plan, thread);
    let (pool, readiness) = match pool {
        Ok(pool) => (Some(pool), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let _ = ready.send(readiness);
    let (Some(pool), Ok(origin)) = (pool, start.recv()) else {
        return Err(Error::internal("a sending thread was not started"));
    };
    let window_start = origin + plan.warm_up;
    let window = window_start..window_start + plan.duration;
    let (first, stride) = (thread as u64, plan.threads as u64);
    let names = plan.mix.iter().map(|(operation, _)| operation.name());
    Sender {
        mix,
        pool,
        dispatch: match schedule {
            Some(schedule) => Dispatch::open(schedule.part(first, stride), origin, window.clone()),
            None => Dispatch::closed(first, stride, window.end),
        },
        recorder: Recorder::new(names, window.clone(), plan.into()),
        shape: plan.shape,
        pace: plan.pace,
        timeout: plan.timeout,
        window,
        stop,
        live: live.of(thread),
    }
    .run()
}

/// Pins the thread, makes its timers exact and opens its share of the connections.
fn prepare_thread(plan: &Plan, thread: usize) -> Result<Pool> {
    if !plan.cores.is_empty() {
        let core = plan.cores[thread % plan.cores.len()];
        let mut only = CpuSet::new();
        if core < CpuSet::MAX_CPU {
            only.set(core);
        }
        sched_setaffinity(None, &only).usage(|| format!("cannot run on core {core}"))?;
    }
    // The default slack of 50 us would come on top of every wait.
    set_current_timer_slack(NonZeroU64::new(1)).context(|| "cannot set the timer slack".into())?;
    let (count, rest) = (plan.connections / plan.threads, plan.connections % plan.threads);
    let count = count + usize::from(thread < rest);
    let stamped = plan.shape != Shape::Closed;
    Pool::open(plan.target, count, plan.timeout, plan.keep_alive, stamped)
}

/// Sleeps through the trial and calls `at` at the window's ends. Ends early on a stop or when every thread has ended.
fn coordinate(
    window: &Range<Nanos>,
    stop: &AtomicBool,
    at: &dyn Fn(Moment),
    threads: &Receiver<Result<()>>,
) {
    if wait_until(window.start, stop, threads) {
        at(Moment::WindowStart);
        wait_until(window.end, stop, threads);
        at(Moment::WindowEnd);
    }
}

/// Whether the instant came.
fn wait_until(instant: Nanos, stop: &AtomicBool, threads: &Receiver<Result<()>>) -> bool {
    /// How soon a stop is noticed.
    const STEP: Nanos = Nanos(50_000_000);
    loop {
        let left = instant.saturating_sub(clock::now());
        if left == Nanos(0) {
            return true;
        }
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        // Threads say nothing more; they only hang up when they end, which before the window's end is a failure.
        let hung_up = threads.recv_timeout(Duration::from(left.min(STEP)));
        if matches!(hung_up, Err(RecvTimeoutError::Disconnected)) {
            return false;
        }
    }
}

/// Adds up what the threads have brought.
fn gather(
    plan: &Plan,
    schedule: Option<&Schedule>,
    schedule_hash: u64,
    parts: Vec<Part>,
    window: Range<Nanos>,
) -> Outcome {
    let stopped = parts.iter().filter_map(|part| part.stopped).max();
    let end = stopped.map_or(window.end, |stopped| stopped.clamp(window.start, window.end));
    let length = end - window.start;
    let mut outcome = Outcome {
        schedule_hash,
        window: length,
        slice: recorder::slice_of(plan.duration, plan.timeline),
        offered: 0,
        unfinished: 0,
        answered_in_window: 0,
        kinds: Vec::new(),
        outstanding: Outstanding::default(),
        all_busy: Nanos(0),
        cpu: Nanos(0),
        spun: Nanos(0),
        held: Nanos(0),
        refused: Default::default(),
        reconnects: 0,
        connect: times_within(plan.timeout),
        tally: Default::default(),
    };
    let mut merged: Option<Recorder> = None;
    for part in parts {
        outcome.outstanding.at_start += part.meter.outstanding_at_start;
        outcome.outstanding.at_end += part.meter.outstanding_at_end;
        outcome.cpu += part.meter.cpu;
        outcome.spun += part.meter.spun;
        outcome.held += part.meter.held.min(length);
        // Busy on one thread alone is busy too: a request waits for its own thread's connections.
        outcome.all_busy = outcome.all_busy.max(part.all_busy);
        outcome.reconnects += part.reconnects;
        // The look at the window's end is over.
        drop(part.open);
        outcome.connect.add(&part.connect).expect("histograms of one plan have the same bounds");
        for (reason, count) in part.refused {
            *outcome.refused.entry(reason).or_default() += count;
        }
        match &mut merged {
            Some(merged) => merged.merge(&part.recorder),
            None => merged = Some(part.recorder),
        }
    }
    let merged = merged.expect("a plan has at least one thread");
    (outcome.kinds, outcome.answered_in_window, outcome.tally) = merged.into_parts();
    let ended = outcome.kinds.iter().map(|kind| kind.requests).sum();
    outcome.offered = schedule.map_or(ended, |schedule| {
        let offset = |instant| schedule.rank(instant);
        offset(plan.warm_up + length) - offset(plan.warm_up)
    });
    let unfinished = |kind: &Kind| kind.errors.get(Fault::Unfinished.name()).copied();
    outcome.unfinished = outcome.kinds.iter().filter_map(unfinished).sum();
    outcome.outstanding.mean = mean_outstanding(&outcome, schedule.is_none());
    outcome
}

/// Little's law: the time that requests spent in the system, over the time that was looked at.
fn mean_outstanding(outcome: &Outcome, closed: bool) -> f64 {
    let spent = |kind: &Kind| {
        let times = if closed { &kind.service } else { &kind.response };
        times.mean() * times.len() as f64 + kind.failed_for.0 as f64
    };
    let spent_ns: f64 = outcome.kinds.iter().map(spent).sum();
    if outcome.window == Nanos(0) { 0.0 } else { spent_ns / outcome.window.0 as f64 }
}
