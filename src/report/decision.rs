//! The answer of `decide`: one table, one sentence, and what would change it.

use super::document::{Document, Element, Table};
use super::experiments::{cell_words, winner_rule};
use super::markdown::write_markdown;
use super::setting;
use super::terminal::write_text;
use crate::record::late::Late;
use crate::record::{Capacity, Decided, Decision, Meeting, late};
use crate::stats::percentile::{FAILED_NS, Quantile};
use crate::text::{WITHHELD, counted, or_withheld};
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

const COLUMNS: [&str; 7] =
    ["model", "size", "SLO kept", "p99", "CPU us/request", "memory", "closed/s"];
const PLACES: [&str; 3] = ["place", "maximum throughput", "in figures"];
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
    let models = Table::new("", COLUMNS, 3..7, decision.models.iter().map(model));
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
    if decision.meetings.first().is_some_and(|meeting| meeting.cell.winner.is_none()) {
        document.blocks.push(Element::Text(format!(
            "No clear difference: a winner is ahead by more than 5 %, all {} judged together (Benjamini-Hochberg at 5 %).",
            counted(decision.meetings.len(), "comparison")
        )));
    }
    let (few, others) = decision.notes.split_at(decision.notes.len().min(NOTES_MAX));
    document.add_list("Limitations", few.to_vec());
    document.fold("More limitations", vec![Element::List("", others.to_vec())]);
    let places = Table::new("", PLACES, 0..0, decision.meetings.iter().map(place))
        .noted([format!("{}.", winner_rule("place"))]);
    document.fold("What would change the answer", vec![Element::Table(places)]);
    let closed = decision.models.iter().map(|one| closed(one, decision)).collect();
    document.fold("Maximum throughput in closed loop", vec![Element::List("", closed)]);
    let mut before = vec![format!("Floor: {}: {}", Nanos(decision.floor_ns), decision.floor)];
    let ceilings = decision.ceilings.iter();
    before.extend(
        ceilings.map(|it| format!("Maximum by Little's law: {} ({})", Rate(it.rps), it.of)),
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

fn model(one: &Decided) -> [String; 7] {
    let p99 = match (one.saturated, one.p99_at_least_ns) {
        (true, _) => "saturated".into(),
        (_, Some(bound)) => Quantile::AtLeast(bound as u64).to_string(),
        _ => or_withheld(one.p99_ns, |ns| match ns as u64 {
            FAILED_NS => Quantile::Unbounded.to_string(),
            ns => late_time(ns as f64, one.p99_without_lateness_ns),
        }),
    };
    let keeps = match one.keeps_slo {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    [
        one.model.clone(),
        // Of which sizes it is the best is in a section.
        one.size.split(" (").next().filter(|size| !size.is_empty()).unwrap_or(WITHHELD).into(),
        keeps.into(),
        p99,
        or_withheld(one.cpu_us_per_request, three_digits),
        or_withheld(one.memory_peak_bytes, bytes),
        grouped(one.closed_rps),
    ]
}

/// `thread-pool with 7 threads (best of 7, 14, 28): 2,210/s, bound by contender`
fn closed(one: &Decided, decision: &Decision) -> String {
    let by = one.closed_bound_by.unwrap_or_default();
    let size = if one.size.is_empty() { String::new() } else { format!(" with {}", one.size) };
    format!("{}{size}: {}, bound by {by}", one.model, rate_and_core(one.closed_rps, decision))
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
        one.bound_by.map_or_else(String::new, |by| by.to_string()),
        one.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BoundBy;
    use crate::record::{Asked, DECISION_SCHEMA, Fingerprint, Limit, MapCell};

    fn decision() -> Decision {
        let model = |name: &str, size: &str, p99_ns: Option<f64>| Decided {
            model: name.into(),
            size: size.into(),
            closed_rps: 2_210.0,
            closed_bound_by: Some(BoundBy::Contender),
            p99_ns,
            p99_at_least_ns: None,
            p99_without_lateness_ns: None,
            failures: 0,
            requests: 13_500,
            cpu_us_per_request: Some(412.0),
            rss_peak_bytes: None,
            memory_peak_bytes: Some(14.5 * 1024.0 * 1024.0),
            rounds: 6,
            saturated: p99_ns.is_none(),
            keeps_slo: Some(p99_ns.is_some()),
        };
        let cell = MapCell {
            wait_ns: 0,
            cpu_ns: 0,
            ratio: Some(1.08),
            low: Some(1.02),
            high: Some(1.24),
            n: 9,
            reason: String::new(),
            sizes: Default::default(),
            rounds: Vec::new(),
            p: None,
            winner: None,
        };
        let meeting = |place: &str| Meeting {
            place: place.into(),
            figures: "CPU 300 us, wait p50=2ms,p99=9ms, pool 50".into(),
            cell: cell.clone(),
            of: "event-loop".into(),
            versus: "thread-pool".into(),
        };
        let sizes = "7 threads (best of 7, 14, 28)";
        Decision {
            schema: DECISION_SCHEMA.into(),
            asked: Asked {
                cpu_ns: 300_000,
                wait: "p50=2ms,p99=9ms".into(),
                lookups: 3,
                rate_rps: 1_500.0,
                slo_ns: 100_000_000,
                cores: 1,
                pool: 50,
            },
            started_utc: String::new(),
            fingerprint: Fingerprint::default(),
            floor_ns: 2_300_000,
            floor: "3 lookups at once and 300 us of CPU".into(),
            ceilings: vec![Limit { of: "CPU".into(), rps: 3_333.0 }],
            models: vec![
                model("event-loop", "", Some(13.4e6)),
                model("thread-pool", sizes, Some(9.87e6)),
                model("thread-per-connection", sizes, None),
            ],
            meetings: vec![meeting("as asked"), meeting("half the CPU")],
            finding: "Every model but thread-per-connection keeps the SLO.".into(),
            flips: "Nothing tested changes it.".into(),
            capacity: Vec::new(),
            notes: (1..=7).map(|n| format!("Limitation {n}.")).collect(),
            exit_code: 0,
        }
    }

    #[test]
    fn an_answer_is_one_table_and_the_rest_is_there_on_request() {
        let shown = |verbose| {
            let text = text(&decision(), Some("Report: a/index.html".into()), verbose);
            anstream::adapter::strip_str(&text).to_string()
        };
        insta::assert_snapshot!(shown(true));
        let short = shown(false);
        assert!(short.lines().count() <= 24, "{short}");
        assert!(!short.contains("half the CPU") && !short.contains("Limitation 6"), "{short}");
        for text in [short, shown(true)] {
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
        assert!(
            markdown(&decision()).contains("| as asked | no clear difference (1.02 to 1.24) |")
        );
    }
}
