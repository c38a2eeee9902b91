//! The status of `drive` on stderr while it runs.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::live::{Live, Seen};
use crate::load::plan::Plan;
use crate::units::{Nanos, grouped};

/// Four times a second.
const EVERY: Duration = Duration::from_millis(250);
/// A plain line so often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Runs `work`, which sends `plan`, with its status shown. Who looks on sleeps between two looks.
pub(super) fn while_shown<T>(plan: &Plan, live: &Live, quiet: bool, work: impl FnOnce() -> T) -> T {
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
                let line = line(plan, began.elapsed(), (before, now), every);
                if terminal {
                    bar.set_message(line);
                    bar.tick();
                } else {
                    eprintln!("{line}");
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
fn line(plan: &Plan, elapsed: Duration, (before, now): (Seen, Seen), every: Duration) -> String {
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
