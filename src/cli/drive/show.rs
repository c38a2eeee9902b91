//! A trial of `drive` for people: its status on stderr while it runs, and its result at a terminal and in a pull request.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::judge::failures::{error_counts, firsts};
use crate::load::live::{Live, Seen};
use crate::load::plan::Plan;
use crate::record::late::{LATE_NOTE, Late};
use crate::record::{Distribution, Trial};
use crate::report::markdown::escaped;
use crate::units::{Nanos, Rate, Share, grouped};

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

/// A few lines and a table.
pub(super) fn text(trial: &Trial) -> String {
    let mut table = times(trial);
    table.load_style(presets::NOTHING);
    let mut out = format!("{}\n{}\n{}\n\n", answer(trial), trial.contender, headline(trial));
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.extend(firsts(trial).iter().map(|first| format!("\n{first}")));
    let _ = writeln!(out, "\n{}\n{}", generator(trial), verdict(trial));
    out
}

/// The same with a Markdown table.
pub(super) fn markdown(trial: &Trial) -> String {
    let mut table = times(trial);
    table.load_style(presets::ASCII_MARKDOWN);
    let (headline, generator, verdict) = (headline(trial), generator(trial), verdict(trial));
    let answer = answer(trial);
    let firsts: String =
        firsts(trial).iter().map(|first| format!("{}  \n", escaped(first))).collect();
    format!(
        "### {}\n\n{answer}\n\n{headline}\n\n{table}\n\n{firsts}{generator}  \n{verdict}\n",
        trial.contender
    )
}

/// What a person could repeat: `500/s answered: p50 20.2 us, p99 570 us, no errors`.
fn answer(trial: &Trial) -> String {
    let rate = Rate(trial.achieved_rps);
    let mut said = match (&trial.load.arrivals, trial.saturated) {
        (Some(_), true) => format!("Saturated at {rate}"),
        (Some(_), false) => format!("{rate} answered"),
        (None, _) => format!("At most {rate} on {} connections", trial.load.connections),
    };
    let mut kinds = trial.by_request.values();
    if let (Some(only), None) = (kinds.next(), kinds.next())
        && let Some(times) = only.response_ns.as_ref().or(only.service_ns.as_ref())
    {
        said += &format!(": p50 {}, p99 {}", times.shown(500), times.shown(990));
    }
    said + &errors(trial) + "."
}

fn headline(trial: &Trial) -> String {
    load(trial) + tls(trial)
}

/// Whether TLS was spoken, and to whom.
pub(super) fn tls(trial: &Trial) -> &'static str {
    match trial.load.tls.as_deref() {
        None => "",
        Some("insecure") => ", TLS, certificate NOT verified (--insecure)",
        Some(_) => ", TLS",
    }
}

fn load(trial: &Trial) -> String {
    let load = &trial.load;
    let seconds = Nanos::from_secs_f64(load.duration_s);
    let achieved = Rate(trial.achieved_rps);
    let level = match &load.arrivals {
        Some(arrivals) if trial.saturated => {
            let offered = Rate(trial.offered_rps);
            return format!(
                "saturated: {achieved} of {offered} ({arrivals}) for {seconds} on {} connections",
                load.connections
            );
        }
        Some(arrivals) => {
            format!("open, {arrivals}: {} offered, {achieved} achieved", Rate(trial.offered_rps))
        }
        None => format!("closed: {achieved}"),
    };
    let level = match (load.rate, load.rate_to) {
        (Some(from), Some(to)) => format!("{level}, from {} to {}", Rate(from), Rate(to)),
        _ => level,
    };
    format!(
        "{level} for {seconds} on {} connections, {} requests",
        load.connections,
        grouped(trial.requests as f64)
    )
}

fn errors(trial: &Trial) -> String {
    if trial.errors.is_empty() {
        return ", no errors".into();
    }
    format!(", errors: {}", error_counts(trial))
}

/// One row for each kind of time. Closed loop has a service time only.
fn times(trial: &Trial) -> Table {
    let mut table = Table::new();
    table.set_header(["", "p50", "p90", "p99", "p99.9", "max", "n"]);
    for (name, request) in &trial.by_request {
        for (what, times) in [
            ("response", &request.response_ns),
            ("service", &request.service_ns),
            ("backlog", &request.backlog_ns),
            ("generator lag", &request.generator_lag_ns),
        ] {
            if let Some(times) = times {
                table.add_row(row(&format!("{name} {what}"), times));
            }
        }
    }
    if let Some(times) = &trial.connect_ns {
        table.add_row(row("connect", times));
    }
    if let Some(times) = &trial.handshake_ns {
        table.add_row(row("TLS handshake", times));
    }
    if let Some(times) = &trial.generator.receive_lag_ns {
        table.add_row(row("receive lag, one read in 100", times));
    }
    table
        .column_iter_mut()
        .skip(1)
        .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// `-` where a percentile is withheld, `*` and `<=` where the generator was late; `max` is of right answers.
fn row(name: &str, times: &Distribution) -> [String; 7] {
    let [p50, p90, p99, p99_9] = [500, 900, 990, 999].map(|it| times.shown(it));
    let max = times.max.map_or("-".into(), |ns| Nanos(ns).to_string());
    [name.into(), p50, p90, p99, p99_9, max, times.n.to_string()]
}

fn generator(trial: &Trial) -> String {
    let share = (trial.generator.cpu_share * 1e3).round() / 1e3;
    let late =
        |times: &Distribution| [500, 900, 990, 999].iter().any(|it| times.late(*it) != Late::No);
    let mut kinds = trial.by_request.values().filter_map(|kind| kind.response_ns.as_ref());
    let late = if kinds.any(late) { format!("{LATE_NOTE}\n") } else { String::new() };
    format!(
        "{late}generator: {} of {} core(s) busy, polling left out; bound by {}; drift: {}",
        Share(share),
        trial.generator.threads,
        trial.bound_by,
        trial.validity.drift
    )
}

fn verdict(trial: &Trial) -> String {
    let name = trial.validity.verdict.word();
    match trial.validity.reasons.as_slice() {
        [] => name.into(),
        reasons => format!("{name}: {}", reasons.join("; ")),
    }
}
