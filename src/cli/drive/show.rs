//! A trial of `drive` for people: at a terminal and in a pull request.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use crate::judge::failures::{error_counts, firsts};
use crate::record::late::{LATE_NOTE, Late};
use crate::record::{Distribution, Trial};
use crate::report::markdown::escaped;
use crate::units::{Nanos, Rate, Share, grouped};

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
