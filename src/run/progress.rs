//! How far a run is, on stderr: a bar at a terminal, plain lines elsewhere, nothing when asked to be quiet.
//!
//! A run draws nothing while a trial is measured, only between trials. A `drive` shows how its one trial goes.

use crate::load::live::{Live, Seen};
use crate::load::plan::Plan;
use crate::record::{Trial, TrialVerdict};
use crate::text::{alike, harmless};
use crate::units::{Nanos, grouped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

/// A plain line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    started: Instant,
    last_line: Instant,
    done: u64,
    total: u64,
    /// Why trials were invalid, each kind of reason once, and how many were.
    invalid: Vec<(String, u32)>,
}

impl Progress {
    /// Nothing is shown until the first trial is expected; nothing at all when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr_with_hz(4),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:28} {pos}/{len} trials, {msg}")
            .expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style);
        let now = Instant::now();
        let plain = !terminal && !quiet;
        let invalid = Vec::new();
        Self { bar, plain, started: now, last_line: now, done: 0, total: 0, invalid }
    }

    /// A sentence about what happens next.
    pub(crate) fn say(&self, what: &str) {
        let what = harmless(what);
        if self.plain {
            line(&what);
        } else {
            self.bar.println(what);
        }
    }

    /// A sentence that is said to the quiet too.
    pub(crate) fn warn(&self, what: &str) {
        self.bar.suspend(|| line(&format!("warning: {}", harmless(what))));
    }

    /// So many more trials are to come.
    pub(crate) fn expect(&mut self, trials: u64) {
        self.total += trials;
        self.bar.set_length(self.total);
    }

    /// A trial starts. Of the first one, and of one in ten seconds, plain lines say which: what it waits for may take long.
    pub(crate) fn starts(&mut self, contender: &str, level: &str) {
        let level = match level.strip_prefix("closed") {
            Some(place) => format!("in closed loop{place}"),
            None => format!("at {level}"),
        };
        let what = format!("{}: {contender} {level}", self.left());
        self.bar.set_message(what.clone());
        if self.plain && (self.done == 0 || self.last_line.elapsed() >= LINE_EVERY) {
            self.last_line = Instant::now();
            line(&format!("{}/{} trials, {what}", self.done, self.total));
        }
    }

    /// A start of many is next; the one before the first is not counted.
    pub(crate) fn starting(&self, contender: &str, start: u32, starts: u32) {
        self.bar.set_message(format!("start {start} of {starts}: {contender}"));
    }

    pub(crate) fn finished(&mut self, trial: &Trial) {
        self.done += 1;
        self.bar.set_position(self.done);
        if trial.validity.verdict == TrialVerdict::Invalid {
            self.invalid(trial);
        }
    }

    /// Says why a trial is invalid, the first time that one is so for such a reason.
    fn invalid(&mut self, trial: &Trial) {
        let why = trial.validity.reasons.join("; ");
        match self.invalid.iter_mut().find(|(known, _)| alike(known) == alike(&why)) {
            Some((_, trials)) => *trials += 1,
            None => {
                let Trial { contender, round, validity, .. } = trial;
                let what = if validity.lost { "lost" } else { "invalid" };
                let wrote = match validity.wrote.as_str() {
                    "" => String::new(),
                    wrote => format!("; it wrote:\n{wrote}"),
                };
                self.say(&format!("{contender} in round {round}: {what}: {why}{wrote}"));
                self.invalid.push((why, 1));
            }
        }
    }

    /// The bar is taken away, and how many trials were invalid for what was said is counted.
    pub(crate) fn end(&mut self) {
        self.bar.finish_and_clear();
        for (why, trials) in std::mem::take(&mut self.invalid) {
            if trials > 1 {
                self.say(&format!(
                    "{trials} trials were invalid or lost, the first of them: {why}"
                ));
            }
        }
    }

    /// From the mean of the trials so far: they are all about equally long.
    fn left(&self) -> String {
        if self.done == 0 {
            return "starting".into();
        }
        let each = self.started.elapsed().as_secs_f64() / self.done as f64;
        format!("about {:.0} s left", each * self.total.saturating_sub(self.done) as f64)
    }
}

/// A terminal that is gone, or a full disk behind stderr, ends no run.
fn line(what: &str) {
    let _ = writeln!(anstream::stderr(), "{what}");
}

// The status of `drive` on stderr while it runs.

/// Four times a second.
const EVERY: Duration = Duration::from_millis(250);

/// Runs `work`, which sends `plan`, with its status shown. Who looks on sleeps between two looks.
pub(crate) fn while_shown<T>(plan: &Plan, live: &Live, quiet: bool, work: impl FnOnce() -> T) -> T {
    if quiet {
        return work();
    }
    let terminal = std::io::stderr().is_terminal();
    let every = if terminal { EVERY } else { LINE_EVERY };
    let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
    let target = match terminal {
        true => ProgressDrawTarget::stderr_with_hz(8),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target).with_style(style);
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let bar = &bar;
        scope.spawn(move || {
            let (began, mut before) = (Instant::now(), Seen::default());
            while is_done.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let now = live.seen();
                let status = status_line(plan, began.elapsed(), (before, now), every);
                if terminal {
                    bar.set_message(status);
                    bar.tick();
                } else {
                    line(&status);
                }
                before = now;
            }
            bar.finish_and_clear();
        });
        let value = work();
        drop(done);
        value
    })
}

/// `3.2 s of 10 s: 1,000/s answered, 3,210 in all, no failures`
fn status_line(
    plan: &Plan,
    elapsed: Duration,
    (before, now): (Seen, Seen),
    every: Duration,
) -> String {
    let whole = plan.expected().as_secs_f64();
    let elapsed = Nanos::from(elapsed).as_secs_f64().min(whole);
    let rate = now.answered.saturating_sub(before.answered) as f64 / every.as_secs_f64();
    let failures = match now.failed {
        0 => "no failures".to_owned(),
        failed => format!("{} failures", grouped(failed as f64)),
    };
    format!(
        "{elapsed:.1} s of {whole:.1} s: {}/s answered, {} in all, {failures}",
        grouped(rate),
        grouped(now.answered as f64)
    )
}
