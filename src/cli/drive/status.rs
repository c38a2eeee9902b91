//! How far a trial of `drive` is: a line on stderr at a terminal, four times a second, and nothing elsewhere.

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

/// Runs `work`, which sends `plan`, with its status shown. Who looks on sleeps between two looks.
pub(super) fn shown<T>(plan: &Plan, live: &Live, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
    let target = ProgressDrawTarget::stderr_with_hz(8);
    let bar = ProgressBar::with_draw_target(None, target).with_style(style);
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let bar = &bar;
        scope.spawn(move || {
            let (began, mut before) = (Instant::now(), Seen::default());
            while is_done.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let now = live.seen();
                bar.set_message(line(plan, began.elapsed(), before, now));
                bar.tick();
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
fn line(plan: &Plan, elapsed: Duration, before: Seen, now: Seen) -> String {
    let whole = (plan.warm_up + plan.duration).as_secs_f64();
    let elapsed = Nanos::from(elapsed).as_secs_f64().min(whole);
    let rate = now.answered.saturating_sub(before.answered) as f64 / EVERY.as_secs_f64();
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
