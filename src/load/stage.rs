//! The parts of a trial's load: the setup, which is sent once for the values that all requests share; a warm-up that is
//! drained, where the plan has one; and the window with what leads to it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::NEVER;
use super::dispatch::Dispatch;
use super::live::{Live, Seen};
use super::mix::Mix;
use super::plan::{Amount, Arrivals, Operation, Pace, Plan, Shape, Traffic, UserSession, WarmUp};
use super::pool::Pool;
use super::profile::{Profile, Ramp, Steps};
use super::recorder::Recorder;
use super::schedule::{Schedule, Share};
use super::sender::Sender;
use super::warm::{LEAD_IN_MAX, lead_in};
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};
use crate::record::outcome::LedIn;
use crate::units::Nanos;

/// A part of the load, for all threads.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) mix: Mix,
    /// When the requests are due, counted from its origin; nothing in a closed loop.
    pub(super) schedule: Option<Schedule>,
    /// From the origin to the window; of a warm-up, to its end.
    pub(super) before: Nanos,
    /// Requests of a closed loop at most.
    last: u64,
    warms: bool,
    shape: Shape,
}

/// What a sending thread is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Go {
    /// The zero of the stage's schedule on the clock.
    pub(super) origin: Nanos,
    /// Nothing that is due earlier than so long after it is sent.
    pub(super) skip: Nanos,
}

/// How a warm-up ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Warmed {
    /// The slowest of the last right answers.
    pub(super) slowest: Nanos,
    /// Nothing was under way.
    pub(super) ended: Nanos,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sending<'a> {
    pub(super) plan: &'a Plan,
    pub(super) thread: usize,
    pub(super) stop: &'a AtomicBool,
    pub(super) live: &'a Live,
}

/// Ids and streams of a warm-up's requests are not those of the window's, which are the same for every contender of a
/// round however long each one's warm-up is.
const OTHER_SALT: u32 = 1;
const OTHER_ROUND: u32 = 1 << 31;

impl Stage {
    /// The warm-up of a plan that has it drained.
    pub(super) fn warm_up(plan: &Plan, values: Arc<[Vec<u8>]>) -> Result<Option<Self>> {
        let WarmUp::Led(first) = plan.warm_up else { return Ok(None) };
        let own =
            Plan { salt: plan.salt ^ OTHER_SALT, round: plan.round ^ OTHER_ROUND, ..plan.clone() };
        let (requests, span) = match first.amount {
            Amount::Time(time) => (u64::MAX, time),
            Amount::Requests(requests, within) => (requests, within),
        };
        let shape = if first.closed { Shape::Closed } else { plan.shape };
        let open = match shape {
            Shape::Closed => None,
            Shape::Open { rate, arrivals } => Some((rate, arrivals)),
            Shape::Ramp { from, arrivals, .. } => Some((from, arrivals)),
        };
        let schedule = open.map(|(rate, arrivals)| {
            let profile = Profile::Steady(first.rate.unwrap_or(rate));
            let mut schedule = Schedule::new(own.seed, own.round, profile, arrivals, span);
            schedule.cut(requests);
            schedule
        });
        // Cut by their number, they end with the last one.
        let last = schedule.as_ref().filter(|all| all.len() == requests && requests > 0);
        let before = last.map_or(span, |all| all.intended(requests - 1));
        let mix = Mix::new(&own, values)?;
        Ok(Some(Self { mix, schedule, before, last: requests, warms: true, shape }))
    }

    /// The window, with what leads to it.
    pub(super) fn window(plan: &Plan, values: Arc<[Vec<u8>]>) -> Result<Self> {
        let before = match plan.warm_up {
            WarmUp::Through(time) => time,
            WarmUp::Led(_) => LEAD_IN_MAX,
        };
        let schedule = |profile, arrivals: Arrivals| {
            Schedule::new(plan.seed, plan.round, profile, arrivals, before + plan.duration)
        };
        let schedule = match plan.shape {
            Shape::Closed => None,
            Shape::Open { rate, arrivals } => Some(match &plan.traffic {
                Some(Traffic::Replay(replay)) => {
                    Schedule::replay(replay.clone(), before, before + plan.duration)
                }
                Some(Traffic::Bursts(bursts)) => {
                    let states = Stream::new(plan.seed, plan.round, Purpose::States);
                    let path = bursts.path(states, before + plan.duration);
                    let steps = Steps::new(bursts.calm_rate(rate), &path, Nanos(0));
                    schedule(Profile::Steps(steps), arrivals)
                }
                None if plan.steps.is_empty() => schedule(Profile::Steady(rate), arrivals),
                None => {
                    let steps = Steps::new(rate, &plan.steps, before);
                    schedule(Profile::Steps(steps), arrivals)
                }
            }),
            Shape::Ramp { from, to, arrivals } => {
                let ramp = Ramp::new(from, to, before, plan.duration);
                Some(schedule(Profile::Ramp(ramp), arrivals))
            }
        };
        let mix = Mix::new(plan, values)?;
        Ok(Self { mix, schedule, before, last: u64::MAX, warms: false, shape: plan.shape })
    }

    /// When it is measured, where its origin is there.
    pub(super) fn measured(&self, plan: &Plan, origin: Nanos) -> Range<Nanos> {
        let start = if self.warms { NEVER } else { origin + self.before };
        start..start + plan.duration
    }

    /// A thread's part of it, over connections that are open.
    pub(super) fn sender<'a>(&'a self, of: &Sending<'a>, pool: Pool, go: Go) -> Sender<'a> {
        let Sending { plan, thread, stop, live } = *of;
        let (first, stride) = (thread as u64, plan.threads as u64);
        let window = self.measured(plan, go.origin);
        Sender {
            mix: &self.mix,
            pool,
            dispatch: match &self.schedule {
                Some(schedule) => {
                    let part = schedule.part(schedule.rank(go.skip) + first, stride);
                    let part = part.shared(Share::of(plan));
                    Dispatch::open(part, go.origin, window.clone())
                }
                None => {
                    let end = if self.warms { go.origin + self.before } else { window.end };
                    // No two generators have a number in common, however many threads each has.
                    let (index, of) = (u64::from(plan.part.index), u64::from(plan.part.of));
                    let first = first * of + index;
                    let users = plan.connections / plan.threads;
                    let users = users + usize::from(thread < plan.connections % plan.threads);
                    let closed = Dispatch::closed(first, stride * of, end, self.last);
                    closed.spread(users, go.origin + go.skip, plan.thinking())
                }
            },
            recorder: Recorder::of(plan, window.clone()),
            shape: self.shape,
            pace: plan.pace,
            timeout: plan.timeout,
            window,
            warms: self.warms,
            stop,
            live: live.of(thread),
        }
    }

    /// What came of it as a warm-up that began at `origin`.
    pub(super) fn led_in(&self, origin: Nanos, warmed: Warmed, seen: Seen) -> LedIn {
        let whole = warmed.ended.saturating_sub(origin);
        let warm_up = whole.min(self.before);
        LedIn {
            answered: seen.answered,
            failed: seen.failed,
            warm_up,
            drain: whole - warm_up,
            slowest: warmed.slowest,
            lead_in: lead_in(warmed.slowest),
        }
    }
}

impl Go {
    /// For the window's stage, whose load begins at `now` and whose window opens after `lead_in`.
    pub(super) fn window(now: Nanos, lead_in: Nanos) -> Self {
        let skip = LEAD_IN_MAX - lead_in;
        Self { origin: now.saturating_sub(skip), skip }
    }
}

/// Requests of the setup have the keys and draws of this k, which no load reaches.
const SETUP_K: u64 = (1 << 40) - 1;

/// How the message begins of a setup that failed by `error`.
pub(crate) fn setup_failed(error: &str) -> String {
    format!("the setup failed ({error})")
}

/// Sends the setup of `plan` over a connection of its own; gives what was captured.
///
/// # Errors
/// The contender's: the step that failed, and what came. Interrupted.
pub(super) fn set_up(plan: &Plan, stop: &AtomicBool) -> Result<Arc<[Vec<u8>]>> {
    if plan.setup.is_empty() {
        return Ok(Arc::default());
    }
    let session = UserSession { name: "setup".into(), steps: plan.setup.clone() };
    let own = Plan {
        mix: vec![(Operation::Session(session), 1)],
        shape: Shape::Closed,
        pace: Pace::Sleep,
        objective: None,
        ..plan.clone()
    };
    let mix = Mix::new(&own, Arc::default())?;
    let live = Live::new(1);
    let ever = Nanos(0)..NEVER;
    let sender = Sender {
        mix: &mix,
        pool: Pool::open(&own, 1, stop)?,
        dispatch: Dispatch::closed(SETUP_K, 1, NEVER, SETUP_K + 1),
        recorder: Recorder::of(&own, ever.clone()),
        shape: own.shape,
        pace: own.pace,
        timeout: own.timeout,
        window: ever,
        warms: true,
        stop,
        live: live.of(0),
    };
    let result = sender.run()?;
    if result.stopped.is_some() {
        return Err(Error::interrupted());
    }
    let (kinds, ..) = result.recorder.into_parts();
    let Some((&error, _)) = kinds[0].errors.first_key_value() else {
        return Ok(result.values.into());
    };
    let failed = kinds[0].steps.iter().find(|step| step.errors.contains_key(&error));
    let step = failed.map_or("a step", |step| &step.name);
    let what = kinds[0].firsts.get(&error).map_or_else(String::new, |what| format!(": {what}"));
    Err(Error::invalid(format!("{} at {step}{what}", setup_failed(error)))
        .help("the load is sent only when all of [[setup]] has been answered rightly")
        .by_contender(""))
}
