//! The answer of `decide`: one table, one sentence, and what would change it.

use super::document::{Document, Element, Table};
use super::experiments::{cell_words, winner_rule};
use super::markdown::write_markdown;
use super::setting;
use super::terminal::write_text;
use crate::record::late::Late;
use crate::record::{Capacity, Decided, Decision, Meeting, late};
use crate::stats::percentile::{FAILED_NS, Quantile};
use crate::text::or_withheld;
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

const COLUMNS: [&str; 7] =
    ["model", "size", "SLO", "p99", "CPU us/request", "memory", "closed ceiling"];
const PLACES: [&str; 3] = ["place", "closed ceilings", "in figures"];
const SEARCHED: [&str; 5] = ["model", "at least", "below", "bound by", "remark"];

/// For a terminal; `files` is the report folder, where one was written.
pub fn text(decision: &Decision, files: Option<String>, verbose: bool) -> String {
    write_text(&Document { files, ..document(decision) }, verbose)
}

/// For a pull request or a design document.
pub fn markdown(decision: &Decision) -> String {
    write_markdown(&document(decision))
}

fn document(decision: &Decision) -> Document<'static> {
    let mut document = Document {
        title: heading(decision),
        answer: vec![decision.finding.clone(), decision.flips.clone()],
        ..Document::default()
    };
    let models =
        Table::new("", COLUMNS, 3..6, decision.models.iter().map(|one| model(one, decision)));
    document.blocks.push(Element::Table(models.noted(failures(decision))));
    if !decision.capacity.is_empty() {
        let rows = decision.capacity.iter().map(|one| searched(one, decision));
        document.blocks.push(Element::Table(Table::new(
            "Capacity within the SLO",
            SEARCHED,
            0..0,
            rows,
        )));
    }
    let (few, others) = decision.notes.split_at(decision.notes.len().min(NOTES_MAX));
    document.add_list("Limitations", few.to_vec());
    document.fold("More limitations", vec![Element::List("", others.to_vec())]);
    let places = Table::new("", PLACES, 0..0, decision.meetings.iter().map(place))
        .noted([format!("{}.", winner_rule("place"))]);
    document.fold("What would change the answer", vec![Element::Table(places)]);
    let mut before = vec![format!("Floor: {}: {}", Nanos(decision.floor_ns), decision.floor)];
    let ceilings = decision.ceilings.iter();
    before.extend(
        ceilings.map(|it| format!("Ceiling by Little's law: {} ({})", Rate(it.rps), it.of)),
    );
    document.fold("Before anything is measured", vec![Element::List("", before)]);
    document
}

/// Lines of limitations that the first screen has room for.
const NOTES_MAX: usize = 5;

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

/// With what it comes to per core, where there are several.
fn rate_and_core(rps: f64, decision: &Decision) -> String {
    let each = setting::per_core(rps, decision.asked.cores as usize);
    each.map_or_else(|| Rate(rps).to_string(), |each| format!("{}, {each}", Rate(rps)))
}

fn late_time(ns: f64, without: Option<f64>) -> String {
    let share = without.map_or(0.0, |without| late::share(ns, without));
    Late::of(share).shown(&Nanos(ns as u64).to_string())
}

fn model(one: &Decided, decision: &Decision) -> [String; 7] {
    let p99 = match (one.saturated, one.p99_at_least_ns) {
        (true, _) => "saturated".into(),
        (_, Some(bound)) => Quantile::AtLeast(bound as u64).to_string(),
        _ => or_withheld(one.p99_ns, |ns| match ns as u64 {
            FAILED_NS => Quantile::Unbounded.to_string(),
            ns => late_time(ns as f64, one.p99_without_lateness_ns),
        }),
    };
    let keeps = match one.keeps_slo {
        Some(true) => "kept",
        Some(false) => "NOT kept",
        None => "-",
    };
    let ceiling = rate_and_core(one.closed_rps, decision);
    [
        one.model.clone(),
        if one.size.is_empty() { "-".into() } else { one.size.clone() },
        keeps.into(),
        p99,
        or_withheld(one.cpu_us_per_request, three_digits),
        or_withheld(one.memory_peak_bytes, bytes),
        match one.closed_bound_by.as_str() {
            "" | "nothing" => ceiling,
            by => format!("{ceiling} ({by})"),
        },
    ]
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

fn place(meeting: &Meeting) -> [String; 3] {
    let words = cell_words(&meeting.cell, &meeting.of, &meeting.versus);
    [meeting.place.clone(), words, meeting.figures.clone()]
}

fn searched(one: &Capacity, decision: &Decision) -> [String; 5] {
    let rate = |rps: Option<f64>| or_withheld(rps, |rps| rate_and_core(rps, decision));
    [
        one.contender.clone(),
        rate(one.at_least_rps),
        rate(one.below_rps),
        one.bound_by.clone(),
        one.reason.clone(),
    ]
}
