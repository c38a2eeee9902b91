//! The measuring side: an open-loop HTTP load generator on pinned OS threads and epoll, whatever it measures.
//!
//! - [`plan`] says what a trial sends, [`crate::record::outcome`] what came of it; everything between is private.
//! - `stage` has the parts of a trial, `warm` what comes before the window.
//! - `schedule` says when a request is due and `mix` what it is, both as pure functions of the plan and k.
//! - `dispatch` hands requests out, `pool` connections, `sender` brings them together and stamps seven instants;
//!   `answer` reads HTTP, `check` judges it, `recorder` keeps histograms.
//! - `visit` has the sessions under way, `extract` what their steps take from answers.
//! - `peer` is the server, `wire` the bytes to it (TCP, a unix socket, TLS), `handshake` the thread that opens those of TLS.
//!
//! The three rules that everything here serves: no request is skipped or put off because of what comes back; a time
//! says whose it is (the generator's lag, the backlog for a connection, the service); nothing that is sent is forgotten.

pub(crate) mod answer;
mod check;
mod connection;
mod dispatch;
mod extract;
mod flight;
mod handshake;
#[doc(hidden)]
pub mod harness;
mod ids;
pub mod live;
mod mix;
#[cfg(test)]
mod parts_tests;
pub mod peer;
pub mod plan;
mod poisson;
mod pool;
pub(crate) mod profile;
mod receipt;
mod recorder;
mod replay;
mod route;
pub(crate) mod schedule;
mod sender;
mod stage;
mod table;
mod template;
pub mod tls;
pub mod url;
mod visit;
mod warm;
mod wire;

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender as Channel, SyncSender};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};

use self::live::Live;
use self::mix::Mix;
use self::peer::Address;
use self::plan::{Part, Plan, WarmUp};
use self::pool::Pool;
use self::recorder::{Recorder, times_within};
use self::schedule::{Schedule, Share};
use self::sender::ThreadResult;
pub(crate) use self::stage::setup_failed;
use self::stage::{Go, Sending, Stage, Warmed, set_up};
use crate::error::{Context, Error, Result};
use crate::poll::raise_descriptor_limit;
use crate::record::outcome::{Kind, Outcome, Outstanding, RequestError};
use crate::units::Nanos;
use crate::{clock, random};

/// When the measured window is, on CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The warm-up is over.
    pub start: Nanos,
    /// The second half begins.
    pub middle: Nanos,
    /// The last request has fallen due; answers may still come.
    pub end: Nanos,
}

/// Between the last connection and the first intended instant: every thread is awake by then.
const LEAD: Nanos = Nanos(5_000_000);
/// The digest covers so many requests: 40 ms of work at most.
const DIGEST_LEN: u64 = 1 << 20;
/// Descriptors beside those of the connections.
const DESCRIPTORS_ASIDE: u64 = 64;
/// How soon the end of a thread is noticed.
const STEP: Nanos = Nanos(50_000_000);
/// Where the window of a trial lies that has none: it was stopped in its warm-up.
const NEVER: Nanos = Nanos(1 << 62);

/// Runs one trial and blocks until its last answer or timeout. Once `stop` is true it ends within about 100 ms with what
/// it has.
///
/// `tell` gets the window before it begins, and once more when the load has ended. Who samples at the window's end uses a
/// channel without capacity: the connections stay open until the second message is taken or the receiver is gone.
///
/// # Errors
/// A plan that cannot be run, a target that is not on this machine or accepts no connection, a core that does not exist.
pub fn run(plan: &Plan, stop: &AtomicBool, tell: Option<&SyncSender<Window>>) -> Result<Outcome> {
    run_seen(plan, stop, tell, &Live::new(plan.threads))
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
    tell: Option<&SyncSender<Window>>,
    live: &Live,
) -> Result<Outcome> {
    let alone = |slowest| Some(Begin { at: clock::now() + LEAD, slowest });
    run_together(plan, stop, tell, live, &alone)
}

/// When a part of a load begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Begin {
    pub at: Nanos,
    /// The slowest of the last right answers of the warm-up, of all generators.
    pub slowest: Nanos,
}

/// The same as one of several generators. Each gives `meet` the slowest of its last right answers, before the warm-up and
/// again before the window, and begins when it says so; nothing ends the load.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// As [`run_seen`].
pub fn run_together(
    plan: &Plan,
    stop: &AtomicBool,
    tell: Option<&SyncSender<Window>>,
    live: &Live,
    meet: &dyn Fn(Nanos) -> Option<Begin>,
) -> Result<Outcome> {
    check(plan)?;
    raise_descriptor_limit(plan.connections as u64 + DESCRIPTORS_ASIDE);
    let values = set_up(plan, stop)?;
    let (first, main) = (Stage::warm_up(plan, values.clone())?, Stage::window(plan, values)?);
    let schedule = main.schedule.as_ref();
    let digest = schedule.map_or(0, |schedule| digest(schedule, &main.mix));
    let (parts, window, led_in) = thread::scope(|scope| {
        let (ready, readiness) = mpsc::channel();
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (go, start) = mpsc::channel();
                let (ready, first, main) = (ready.clone(), first.as_ref(), &main);
                let work = move || {
                    let sending = Sending { plan, thread, stop, live };
                    send(&sending, first, main, &ready, &start)
                };
                (scope.spawn(work), go)
            })
            .collect();
        drop(ready);
        // A thread that could not start leaves the others without a go, and they end.
        for _ in 0..plan.threads {
            readiness.recv().context(|| "a sending thread died".into())??;
        }
        // One that has died says why when it is joined.
        let all = |go: Go| threads.iter().for_each(|(_, thread)| _ = thread.send(go));
        let begin = meet(Nanos(0)).ok_or_else(Error::interrupted)?;
        let mut go = Go { origin: begin.at, skip: Nanos(0) };
        all(go);
        let mut led_in = None;
        let ready = first.as_ref().is_none_or(|first| {
            let ended = || threads.iter().any(|(thread, _)| thread.is_finished());
            let Some(mut warmed) = all_warm(plan.threads, &readiness, ended) else { return false };
            let Some(begin) = meet(warmed.slowest) else { return false };
            warmed.slowest = begin.slowest;
            let led = first.led_in(go.origin, warmed, live.seen());
            go = Go::window(begin.at, led.lead_in);
            led_in = Some(led);
            all(go);
            true
        });
        let window =
            if ready { main.measured(plan, go.origin) } else { NEVER..NEVER + plan.duration };
        let middle = recorder::middle(&window);
        let told = Window { start: window.start, middle, end: window.end };
        let tell = tell.filter(|_| ready);
        // Who samples may have gone.
        let _ = tell.map(|tell| tell.send(told));
        // Without another go, what has warmed up ends.
        let threads: Vec<_> = threads.into_iter().map(|(thread, _)| thread).collect();
        let parts =
            threads.into_iter().map(|thread| thread.join().expect("a sending thread panicked"));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let _ = tell.map(|tell| tell.send(told));
        Ok((parts, window, led_in))
    })?;
    let mut outcome = gather(plan, &main, digest, parts, window);
    outcome.led_in = led_in;
    Ok(outcome)
}

fn check(plan: &Plan) -> Result<()> {
    if let Address::Tcp(at) = &plan.target.at
        && !plan.beyond
        && !url::is_of_this_machine(at.ip())
    {
        return Err(Error::usage(format!("{at} is not on this machine"))
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
    let steps: u64 = plan.steps.iter().map(|step| step.lasting.0).sum();
    if !plan.steps.is_empty() && steps != plan.duration.0 {
        return Err(Error::internal(format!(
            "steps of {steps} ns in a window of {}",
            plan.duration
        )));
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

/// How many requests of all generators of a plan are due in its window; nothing in closed loop.
///
/// # Errors
/// A plan that cannot be run.
pub(crate) fn offered(plan: &Plan) -> Result<Option<u64>> {
    let whole = Plan { part: Part::WHOLE, ..plan.clone() };
    let main = Stage::window(&whole, Arc::default())?;
    let (from, to) = (main.before, main.before + plan.duration);
    Ok(main.schedule.map(|schedule| schedule.count(Share::of(&whole), from, to)))
}

/// The life of a sending thread.
fn send(
    sending: &Sending<'_>,
    first: Option<&Stage>,
    main: &Stage,
    ready: &Channel<Result<Warmed>>,
    start: &Receiver<Go>,
) -> Result<ThreadResult> {
    let pool = prepare_thread(sending.plan, sending.thread, sending.stop);
    let (pool, readiness) = match pool {
        Ok(pool) => (Some(pool), Ok(Warmed::default())),
        Err(error) => (None, Err(error)),
    };
    let _ = ready.send(readiness);
    let (Some(pool), Ok(go)) = (pool, start.recv()) else {
        return Err(Error::internal("a sending thread was not started"));
    };
    let Some(first) = first else { return main.sender(sending, pool, go).run() };
    let mut warmed = first.sender(sending, pool, go).run()?;
    if warmed.stopped.is_some() {
        return Ok(warmed);
    }
    let _ = ready.send(Ok(Warmed { slowest: warmed.slowest, ended: clock::now() }));
    let Ok(go) = start.recv() else {
        warmed.stopped = Some(clock::now());
        return Ok(warmed);
    };
    let mut part = main.sender(sending, warmed.pool, go).run()?;
    part.recorder.carry(&warmed.recorder);
    Ok(part)
}

/// The slowest and the last of all threads, once each has nothing under way; nothing when one of them has ended.
fn all_warm(
    threads: usize,
    said: &Receiver<Result<Warmed>>,
    ended: impl Fn() -> bool,
) -> Option<Warmed> {
    let mut all = Warmed::default();
    for _ in 0..threads {
        let one = loop {
            match said.recv_timeout(Duration::from(STEP)) {
                Ok(one) => break one.ok()?,
                Err(RecvTimeoutError::Timeout) if !ended() => {}
                Err(_) => return None,
            }
        };
        all.slowest = all.slowest.max(one.slowest);
        all.ended = all.ended.max(one.ended);
    }
    Some(all)
}

/// Pins the thread, makes its timers exact and opens its share of the connections.
fn prepare_thread(plan: &Plan, thread: usize, stop: &AtomicBool) -> Result<Pool> {
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
    Pool::open(plan, count, stop)
}

/// Nothing sent yet.
fn empty(plan: &Plan, schedule_hash: u64, window: Nanos) -> Outcome {
    Outcome {
        schedule_hash,
        window,
        slice: recorder::slice_of(plan.duration, plan.timeline),
        offered: 0,
        unfinished: 0,
        answered_in_window: 0,
        answered_in_first_half: 0,
        kinds: Vec::new(),
        outstanding: Outstanding::default(),
        all_busy: Nanos(0),
        metered: Nanos(0),
        cpu: Nanos(0),
        spun: Nanos(0),
        held: Nanos(0),
        refused: Default::default(),
        reconnects: 0,
        connect: times_within(plan.timeout),
        handshake: times_within(plan.timeout),
        first_service: times_within(plan.timeout),
        received_bytes: 0,
        sent_bytes: 0,
        began_empty: plan.warm_up == WarmUp::Through(Nanos(0)),
        led_in: None,
        tally: Default::default(),
    }
}

/// Adds up what the threads have brought.
fn gather(
    plan: &Plan,
    main: &Stage,
    schedule_hash: u64,
    parts: Vec<ThreadResult>,
    window: Range<Nanos>,
) -> Outcome {
    let schedule = main.schedule.as_ref();
    let stopped = parts.iter().filter_map(|part| part.stopped).max();
    let end = stopped.map_or(window.end, |stopped| stopped.clamp(window.start, window.end));
    let length = end - window.start;
    let mut outcome = empty(plan, schedule_hash, length);
    let mut merged: Option<Recorder> = None;
    for part in parts {
        outcome.outstanding.at_start += part.meter.outstanding_at_start;
        outcome.outstanding.at_end += part.meter.outstanding_at_end;
        outcome.metered += part.meter.metered;
        outcome.received_bytes += part.meter.received_bytes;
        outcome.sent_bytes += part.meter.sent_bytes;
        outcome.cpu += part.meter.cpu;
        outcome.spun += part.meter.spun;
        outcome.held += part.meter.held;
        // Busy on one thread alone is busy too: a request waits for its own thread's connections.
        outcome.all_busy = outcome.all_busy.max(part.all_busy);
        outcome.reconnects += part.pool.reconnects;
        let connect = &part.pool.connect;
        let same = "histograms of one plan have the same bounds";
        outcome.connect.add(connect).expect(same);
        outcome.handshake.add(&part.pool.handshake).expect(same);
        for (reason, count) in part.pool.refused {
            *outcome.refused.entry(reason).or_default() += count;
        }
        match &mut merged {
            Some(merged) => merged.merge(&part.recorder),
            None => merged = Some(part.recorder),
        }
    }
    let merged = merged.expect("a plan has at least one thread");
    outcome.answered_in_first_half = merged.answered_in_first_half();
    outcome.first_service = merged.first_service().clone();
    (outcome.kinds, outcome.answered_in_window, outcome.tally) = merged.into_parts();
    outcome.offered = schedule.map_or_else(
        || outcome.requests(),
        |schedule| schedule.count(Share::of(plan), main.before, main.before + length),
    );
    let unfinished = |kind: &Kind| kind.errors.get(RequestError::Unfinished.name()).copied();
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
