//! `decide` for people: one table, one sentence, and what would turn it round.

use std::fmt::Write;

use super::experiments::cell_words;
use super::markdown::{escaped, grid, list};
use super::setting;
use super::terminal::{plain_table, wrapped};
use crate::record::late::Late;
use crate::record::{Capacity, Decided, Decision, Meeting, late};
use crate::stats::percentile::{FAILED_NS, Quantile};
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

const COLUMNS: [&str; 7] = ["model", "size", "p99", "SLO", "CPU us", "memory", "closed ceiling"];
const PLACES: [&str; 3] = ["place", "closed ceilings", "in figures"];
const SEARCHED: [&str; 5] = ["model", "at least", "below", "bound by", "remark"];

pub fn text(decision: &Decision) -> String {
    let mut out = format!("{}\n", wrapped(&decision.finding, ""));
    let _ = writeln!(out, "{}\n", wrapped(&decision.flips, ""));
    let _ = writeln!(out, "{}\n{}", wrapped(&heading(decision), ""), floor(decision));
    for line in ceilings(decision) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "\n{}", plain_table(&COLUMNS, &models(decision)));
    for line in failures(decision) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "\n{}", plain_table(&PLACES, &places(decision)));
    if !decision.capacity.is_empty() {
        let _ = writeln!(
            out,
            "\nCapacity within the SLO\n{}",
            plain_table(&SEARCHED, &searched(decision))
        );
    }
    out.push('\n');
    for note in &decision.notes {
        let _ = writeln!(out, "{}", wrapped(&format!("  - {note}"), "    "));
    }
    out
}

/// For a pull request or a design document.
pub fn markdown(decision: &Decision) -> String {
    let mut out = format!("# {}\n\n", escaped(&heading(decision)));
    let _ = writeln!(out, "**{}**\n\n{}\n", escaped(&decision.finding), escaped(&decision.flips));
    let mut lines = vec![floor(decision)];
    lines.extend(ceilings(decision));
    list(&mut out, "Before anything is measured", &lines);
    let _ = writeln!(out, "## At the rate\n");
    grid(&mut out, &COLUMNS, 2..3, &mut models(decision).into_iter().map(|row| row.to_vec()));
    list(&mut out, "Failures", &failures(decision));
    let _ = writeln!(out, "## What would turn it round\n");
    grid(&mut out, &PLACES, 0..0, &mut places(decision).into_iter().map(|row| row.to_vec()));
    if !decision.capacity.is_empty() {
        let _ = writeln!(out, "## Capacity within the SLO\n");
        grid(
            &mut out,
            &SEARCHED,
            0..0,
            &mut searched(decision).into_iter().map(|row| row.to_vec()),
        );
    }
    list(&mut out, "Limitations", &decision.notes);
    out
}

fn heading(decision: &Decision) -> String {
    let asked = &decision.asked;
    let wait = match asked.lookups {
        0 => "no wait".to_owned(),
        n => format!("{n} lookups of {} at once, pool {}", asked.wait, asked.pool),
    };
    format!(
        "CPU {} a request, {wait}: {} within a p99 of {} on {} core{}",
        Nanos(asked.cpu_ns),
        Rate(asked.rate_rps),
        Nanos(asked.slo_ns),
        asked.cores,
        if asked.cores == 1 { "" } else { "s" }
    )
}

fn floor(decision: &Decision) -> String {
    format!("Floor: {}: {}", Nanos(decision.floor_ns), decision.floor)
}

fn ceilings(decision: &Decision) -> Vec<String> {
    let limit = |limit: &crate::record::Limit| {
        format!("Ceiling by Little's law: {} ({})", Rate(limit.rps), limit.of)
    };
    decision.ceilings.iter().map(limit).collect()
}

/// With what it comes to per core, where there are several.
fn rate_and_core(rps: f64, decision: &Decision) -> String {
    let each = setting::per_core(rps, decision.asked.cores as usize);
    each.map_or_else(|| Rate(rps).to_string(), |each| format!("{}, {each}", Rate(rps)))
}

fn late_time(ns: f64, without: Option<f64>) -> String {
    let share = without.map_or(0.0, |without| late::share(ns, without));
    Late::of(share).shown(&Nanos(ns as u64).to_string())
}

fn models(decision: &Decision) -> Vec<[String; 7]> {
    let row = |one: &Decided| {
        let known = |value: Option<f64>, show: &dyn Fn(f64) -> String| {
            value.map_or_else(|| "-".to_owned(), show)
        };
        [
            one.model.clone(),
            if one.size.is_empty() { "-".into() } else { one.size.clone() },
            match (one.saturated, one.p99_at_least_ns) {
                (true, _) => "saturated".into(),
                (_, Some(bound)) => Quantile::AtLeast(bound as u64).to_string(),
                _ => known(one.p99_ns, &|ns| match ns as u64 {
                    FAILED_NS => Quantile::Unbounded.to_string(),
                    ns => late_time(ns as f64, one.p99_without_lateness_ns),
                }),
            },
            match one.keeps_slo {
                Some(true) => "kept".into(),
                Some(false) => "NOT kept".into(),
                None => "-".into(),
            },
            known(one.cpu_us_per_request, &three_digits),
            known(one.memory_peak_bytes, &bytes),
            match one.closed_bound_by.as_str() {
                "" | "nothing" => rate_and_core(one.closed_rps, decision),
                by => format!("{} ({by})", rate_and_core(one.closed_rps, decision)),
            },
        ]
    };
    decision.models.iter().map(row).collect()
}

/// `event-loop failed 12 of 6,000 requests`, of each that did.
fn failures(decision: &Decision) -> Vec<String> {
    let failing = decision.models.iter().filter(|one| one.failures > 0);
    let line = |one: &Decided| {
        let [failures, requests] = [one.failures, one.requests].map(|n| grouped(n as f64));
        format!("{} failed {failures} of {requests} requests", one.model)
    };
    failing.map(line).collect()
}

fn places(decision: &Decision) -> Vec<[String; 3]> {
    let row = |meeting: &Meeting| {
        let words = cell_words(&meeting.cell, &meeting.of, &meeting.versus);
        [meeting.place.clone(), words, meeting.figures.clone()]
    };
    decision.meetings.iter().map(row).collect()
}

fn searched(decision: &Decision) -> Vec<[String; 5]> {
    let rate =
        |rps: Option<f64>| rps.map_or_else(|| "-".to_owned(), |rps| rate_and_core(rps, decision));
    let row = |one: &Capacity| {
        [
            one.contender.clone(),
            rate(one.at_least_rps),
            rate(one.below_rps),
            one.bound_by.clone(),
            one.reason.clone(),
        ]
    };
    decision.capacity.iter().map(row).collect()
}
