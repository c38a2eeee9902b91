//! A pilot: the load that shows when a contender is warm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::error::Result;
use crate::load::live::Live;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Shape, WarmUp};
use crate::load::run_seen;
use crate::machine::cores;
use crate::machine::resources::{Used, Watch};
use crate::record::{Pilot, PilotSpan};
use crate::run::trial;
use crate::run::trial::spec::PreparedTrial;
use crate::run::warm::rule;
use crate::run::warm::rule::{Sample, Span};
use crate::scenario::{MODEL_REQUESTS, PILOT_REQUESTS, PILOT_TIME};
use crate::units::Nanos;

/// A pilot that takes so long ends where its cost has been level all the time: 20,000 requests at 500/s take 40 s.
const SLOW: Nanos = Nanos(10 * Nanos::SECOND.0);
/// How often a pilot is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Seen {
    samples: Vec<Sample>,
    /// Its CPU clock could be read each time.
    by_cpu: bool,
    elapsed: Nanos,
    answered: u64,
    failed: u64,
}

/// Runs a pilot. One that the contender breaks off has a `failure`; nothing where it was stopped.
///
/// # Errors
/// When what the contender waits for cannot be started, or the generator cannot run.
pub(super) fn run(prepared: &PreparedTrial<'_>, stop: &AtomicBool) -> Result<Option<Pilot>> {
    let about = |seen: &Seen| Pilot {
        scenario: prepared.spec.scenario.name.clone(),
        contender: prepared.spec.contender.name.clone(),
        rate_rps: prepared.spec.rate.map(|rate| rate.0),
        answered: seen.answered,
        failed: seen.failed,
        duration_s: seen.elapsed.as_secs_f64(),
        cost: if seen.by_cpu { "cpu".into() } else { "response".into() },
        warm_up_requests: rule::with_margin(seen.answered, MODEL_REQUESTS),
        ..Pilot::default()
    };
    let dependency = trial::start_dependency(prepared)?;
    let mut contender = match trial::start(prepared, dependency.as_ref()) {
        Ok(contender) => contender,
        Err(error) if error.is_interrupt() => return Ok(None),
        Err(error) => {
            let failure = Some(error.message().to_owned());
            return Ok(Some(Pilot { failure, ..about(&Seen::default()) }));
        }
    };
    let watch = contender.watch();
    let plan = Plan {
        warm_up: WarmUp::Through(Nanos(0)),
        duration: PILOT_TIME,
        // At the first rate, whatever comes after it.
        steps: Vec::new(),
        timeline: true,
        ..trial::plan(prepared, contender.address())
    };
    let (live, enough) = (Live::new(plan.threads), AtomicBool::new(false));
    let (outcome, seen) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            cores::stay_on(&prepared.placement.generator);
            look(&watch, &live, &enough, stop)
        });
        let outcome = run_seen(&plan, &enough, &|_| (), &live);
        enough.store(true, Ordering::Relaxed);
        (outcome, looking.join().expect("looking at a process does not panic"))
    });
    let stopped = stop.load(Ordering::Relaxed);
    let broken = match contender.crashed() {
        Some(status) => Some(format!("the contender crashed: {status}")),
        None => contender.stop().err().map(|error| error.message().to_owned()),
    };
    if let Some(dependency) = dependency {
        dependency.stop()?;
    }
    if stopped {
        return Ok(None);
    }
    let outcome = match (outcome, broken) {
        (_, failure @ Some(_)) => return Ok(Some(Pilot { failure, ..about(&seen) })),
        (outcome, None) => outcome?,
    };
    let spans = match seen.by_cpu {
        true => rule::spans(seen.samples.iter().copied()),
        false => by_time(&plan, &outcome, &seen),
    };
    let warm_after = rule::warm_after(&spans);
    let told = |span: &Span| PilotSpan { answered: span.answered, cost_us: span.cost / 1e3 };
    let warm_up_requests = rule::with_margin(warm_after.unwrap_or(seen.answered), MODEL_REQUESTS);
    let spans = spans.iter().map(told).collect();
    Ok(Some(Pilot { spans, warm_after, warm_up_requests, ..about(&seen) }))
}

/// Looks until there are enough requests, or it is told to end.
fn look(watch: &Watch, live: &Live, enough: &AtomicBool, stop: &AtomicBool) -> Seen {
    let begun = Instant::now();
    let mut seen = Seen { by_cpu: true, ..Seen::default() };
    let mut before = watch.tick();
    let mut since = Instant::now();
    loop {
        thread::sleep(LOOK_EVERY);
        let now = live.seen();
        let answered = now.answered - seen.answered;
        let over = enough.load(Ordering::Relaxed);
        if over || (answered >= rule::ANSWERS_MIN && Nanos::from(since.elapsed()) >= rule::SPAN_MIN)
        {
            let tick = watch.tick();
            let used = Used::between(before, tick);
            seen.by_cpu &= used.cpu.is_some() || over;
            // The time of a generator that has ended is no time of the load.
            if !over {
                let (elapsed, cost) = (used.elapsed, used.cpu.unwrap_or(Nanos(0)));
                seen.samples.push(Sample { answered, elapsed, cost });
            }
            (before, since, seen.answered) = (tick, Instant::now(), now.answered);
        }
        seen.failed = now.failed;
        seen.elapsed = begun.elapsed().into();
        let requests = now.answered + now.failed;
        let level = || seen.by_cpu && rule::was_warm(&rule::spans(seen.samples.iter().copied()));
        let over = over || (seen.elapsed >= SLOW && level());
        if over || requests >= PILOT_REQUESTS || stop.load(Ordering::Relaxed) {
            seen.answered = now.answered;
            enough.store(true, Ordering::Relaxed);
            return seen;
        }
    }
}

/// Without a CPU clock: the median response time; in a closed loop the mean one, which is that of all connections over
/// the answers.
fn by_time(plan: &Plan, outcome: &Outcome, seen: &Seen) -> Vec<Span> {
    if plan.shape == Shape::Closed {
        let spent = |sample: &Sample| Sample {
            cost: Nanos(sample.elapsed.0 * plan.connections as u64),
            ..*sample
        };
        return rule::spans(seen.samples.iter().map(spent));
    }
    let mut spans = Vec::new();
    let mut times: Histogram<u32> = Histogram::new(2).expect("two digits are possible");
    let mut elapsed = Nanos(0);
    let slices = outcome.kinds.iter().map(|kind| kind.slices.len()).max().unwrap_or(0);
    for slice in 0..slices {
        for kind in &outcome.kinds {
            let slice = kind.slices.get(slice);
            slice.into_iter().for_each(|slice| times += &slice.times);
        }
        elapsed += outcome.slice;
        if times.len() >= rule::ANSWERS_MIN && elapsed >= rule::SPAN_MIN {
            let median = times.value_at_quantile(0.5) as f64;
            spans.push(Span { answered: times.len(), cost: median });
            times.reset();
            elapsed = Nanos(0);
        }
    }
    spans
}
