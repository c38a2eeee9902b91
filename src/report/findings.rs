//! Everything a report says, as text without a format: the terminal and Markdown print this and cannot disagree.

use std::collections::BTreeMap;

use super::comparison::{belongs, compared, metric_of};
use super::experiments::{Grid, grids};
use super::marks::marks;
use super::race::{Entry, Race, measured, races};
use super::schema::{
    Ceiling, Judgement, RunResult, StatementVerdict, Trial, TrialVerdict, Verdict,
};
use super::words::{alike, bytes, capital, clean, counted, figure, listed, or_withheld, truncated};
use super::{cores, sentences, sizes};
use crate::units::{Nanos, Rate, grouped, three_digits};

/// A run in words and figures.
pub(crate) struct Findings {
    /// `tour: Both services, all four models`
    pub(crate) title: String,
    /// Machine, placement, load and build: one line each.
    pub(crate) about: Vec<String>,
    /// Each at its best size, where sizes are swept.
    pub(crate) headline: Vec<Grid>,
    /// A table for each workload and level.
    pub(crate) tables: Vec<Table>,
    /// Capacities, and the map.
    pub(crate) grids: Vec<Grid>,
    /// Judged statements that decide the exit code.
    pub(crate) expectations: Vec<Judged>,
    /// Judged statements that do not.
    pub(crate) claims: Vec<Judged>,
    /// Sentences that a person can repeat.
    pub(crate) closing: Vec<String>,
    /// What those sentences do not say.
    pub(crate) limits: Vec<String>,
    /// Why trials are not valid.
    pub(crate) reasons: Vec<Reason>,
    /// Voided rounds, notes, rules that are not checked.
    pub(crate) remarks: Vec<String>,
    /// `PASS`
    pub(crate) verdict: &'static str,
    /// What the verdict means, with the exit code.
    pub(crate) verdict_gloss: String,
}

/// One race.
pub(crate) struct Table {
    /// `Payment at 4,000/s`
    pub(crate) heading: String,
    /// In the order of [`COLUMNS`].
    pub(crate) rows: Vec<[String; COLUMNS.len()]>,
    /// Saturation, failures and ceilings: one line each.
    pub(crate) marks: Vec<String>,
    /// The contender that others are compared with.
    pub(crate) versus: String,
    /// Contender, metric, finding.
    pub(crate) comparisons: Vec<[String; 3]>,
}

/// The columns of a table of figures.
pub(crate) const COLUMNS: [&str; 9] = [
    "contender",
    "p50",
    "p99",
    "achieved/s",
    "CPU us/request",
    "peak RSS",
    "threads",
    "validity",
    "bound by",
];

/// How the figures of a table were made.
pub(crate) const TABLE_NOTE: &str = "Response time from the intended start; each figure is the median of the rounds that are not \
     INVALID; validity is the worst verdict and the valid rounds of all.";

/// A statement with what was found.
pub(crate) struct Judged {
    /// `holds`, `fails` or `inconclusive`
    pub(crate) verdict: &'static str,
    /// The statement.
    pub(crate) text: String,
    /// In a sentence.
    pub(crate) reason: String,
}

/// A reason that made trials suspect or invalid, or a round void.
pub(crate) struct Reason {
    /// `SUSPECT`, `INVALID` or `VOID`
    pub(crate) verdict: &'static str,
    /// The sentence.
    pub(crate) text: String,
    /// `thread-pool 2 of 6 rounds (payment at 4,000/s)`
    pub(crate) whose: String,
}

impl Findings {
    /// Reads a result.
    pub(crate) fn of(result: &RunResult) -> Self {
        let races = races(result);
        Self {
            title: format!("{}: {}", clean(&result.scenario), clean(&result.title)),
            about: about(result, &races),
            headline: sizes::grids(result, &races),
            tables: races.iter().map(|race| table(result, race)).collect(),
            grids: grids(result),
            expectations: result.expectations.iter().map(judged).collect(),
            claims: result.claims.iter().map(judged).collect(),
            closing: sentences::closing(result, &races),
            limits: sentences::limits(result),
            reasons: reasons(result, &races),
            remarks: remarks(result),
            verdict: verdict(result.verdict),
            verdict_gloss: verdict_gloss(result),
        }
    }
}

/// The verdict as every output writes it.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Invalid => "INVALID",
        Verdict::Interrupted => "INTERRUPTED",
    }
}

/// A trial's verdict as every output writes it.
pub(crate) fn trial_verdict(verdict: TrialVerdict) -> &'static str {
    match verdict {
        TrialVerdict::Valid => "VALID",
        TrialVerdict::Suspect => "SUSPECT",
        TrialVerdict::Invalid => "INVALID",
    }
}

/// `contender on core 1, generator on core 0 (apart, spin)`, each placement of the trials once.
pub(crate) fn placements<'a>(trials: impl Iterator<Item = &'a Trial>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for trial in trials {
        let p = &trial.placement;
        let cores = |cores: &[u32]| {
            let list: Vec<String> = cores.iter().map(u32::to_string).collect();
            format!("core{} {}", if cores.len() == 1 { "" } else { "s" }, list.join(", "))
        };
        let how = if p.mode == "shared" { "co-located" } else { p.mode.as_str() };
        let text = format!(
            "contender on {}, {} ({}, {})",
            cores(&p.contender_cores),
            match p.dependency_cores.as_slice() {
                [] => format!("generator on {}", cores(&p.generator_cores)),
                own if own == p.generator_cores => {
                    format!("generator and dependency on {}", cores(own))
                }
                own => format!(
                    "generator on {}, dependency on {}",
                    cores(&p.generator_cores),
                    cores(own)
                ),
            },
            clean(how),
            clean(&p.pace)
        );
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

/// `open loop, Poisson arrivals, 64 connections, 1.3 s a trial`, each way of the trials once.
pub(crate) fn loads<'a>(trials: impl Iterator<Item = &'a Trial>) -> Vec<String> {
    let mut seen: Vec<(String, f64, f64)> = Vec::new();
    for trial in trials {
        let load = &trial.load;
        let arrivals = match load.arrivals.as_deref() {
            None => String::new(),
            Some("poisson") => ", Poisson arrivals".into(),
            Some(arrivals) => format!(", {} arrivals", clean(arrivals)),
        };
        let connections = counted(load.connections as usize, "connection");
        let way = format!("{} loop{arrivals}, {connections}", clean(&load.kind));
        match seen.iter_mut().find(|(text, ..)| *text == way) {
            Some((_, low, high)) => {
                *low = low.min(load.duration_s);
                *high = high.max(load.duration_s);
            }
            None => seen.push((way, load.duration_s, load.duration_s)),
        }
    }
    seen.into_iter()
        .map(|(way, low, high)| match (three_digits(low), three_digits(high)) {
            (low, high) if low == high => format!("{way}, {low} s a trial"),
            (low, high) => format!("{way}, {low} to {high} s a trial"),
        })
        .collect()
}

fn about(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let print = &result.fingerprint;
    let mut machine = format!(
        "{}, {}, {}, Linux {}",
        counted(print.cores as usize, "core"),
        clean(&print.cpu_model),
        bytes(print.memory_bytes as f64),
        clean(&print.kernel)
    );
    if let Some(governor) = &print.governor {
        machine += &format!(", governor {}", clean(governor));
    }
    if let Some(quota) = print.cpu_quota {
        machine += &format!(", quota of {} cores", three_digits(quota));
    }
    let mut lines = vec![machine];
    lines.extend(placements(measured(result).iter()).iter().map(|text| capital(text)));
    let contenders = races.iter().map(|race| race.entries.len()).max().unwrap_or(0);
    let rounds = counted(result.rounds as usize, "round");
    let load = listed(&loads(result.trials.iter()));
    if !races.is_empty() {
        lines.push(format!("{rounds} of {}, {load}", counted(contenders, "contender")));
    } else if !result.probes.is_empty() {
        let trials = counted(result.probes.len(), "trial");
        lines.push(format!("A search of {trials}: {}", loads(result.probes.iter()).join("; ")));
    }
    let mut dials = format!("Seed {}, order seed {}", result.seed, result.order_seed);
    if result.request_cpu_ns > 0 {
        dials += &format!(
            "; signature dialled to {}, measured {} ({} SHA-256 rounds)",
            Nanos(result.request_cpu_ns),
            Nanos(result.request_cpu_measured_ns),
            grouped(f64::from(result.signature_rounds))
        );
    }
    if let Some(floor) = result.floor_ns {
        dials += &format!("; floor {}", Nanos(floor));
    }
    lines.push(dials);
    lines.push(format!(
        "bakeoff {}{}, binary {}, scenario {}, {}",
        clean(&print.bakeoff),
        if print.debug_build { " (debug build)" } else { "" },
        clean(&print.binary),
        clean(&print.scenario),
        clean(&result.started_utc)
    ));
    lines
}

fn table(result: &RunResult, race: &Race<'_>) -> Table {
    let comparisons = || result.comparisons.iter().filter(|c| belongs(race, c));
    let versus = comparisons().next().map(|c| clean(&c.versus)).unwrap_or_default();
    let mut compared: Vec<[String; 3]> =
        comparisons().map(|c| [clean(&c.of), metric_of(race, c), compared(race, c)]).collect();
    // They come by metric; a reader asks about a contender.
    let order: Vec<String> = compared.iter().map(|[of, ..]| of.clone()).collect();
    compared.sort_by_key(|[of, ..]| order.iter().position(|other| other == of));
    let mut marks: Vec<String> = race.entries.iter().filter_map(saturation).collect();
    marks.extend(race.entries.iter().filter_map(failures));
    marks.extend(cores::mark(result, race));
    marks.extend(ceilings(result, race));
    Table {
        heading: capital(&sentences::place(race)),
        rows: race.entries.iter().flat_map(|entry| rows(race, entry)).collect(),
        marks,
        versus,
        comparisons: compared,
    }
}

/// One row; with several request kinds one for the contender and one below it for each kind.
fn rows(race: &Race<'_>, entry: &Entry<'_>) -> Vec<[String; COLUMNS.len()]> {
    let kinds = race.kinds();
    let one = if kinds.len() == 1 { Some(kinds[0]) } else { None };
    let latency = |kind: &str| [500, 990].map(|per_mille| figure(entry.response(kind, per_mille)));
    let [p50, p99] = one.map_or_else(Default::default, latency);
    let standing = entry.standing();
    let mut rows = vec![[
        name(entry.name),
        p50,
        p99,
        or_withheld(entry.middle(|t| Some(t.achieved_rps)), grouped),
        or_withheld(entry.middle(|t| t.server.cpu_us_per_request), three_digits),
        or_withheld(entry.middle(|t| t.server.rss_peak_bytes.map(|b| b as f64)), bytes),
        or_withheld(entry.middle(|t| t.server.threads_max.map(|n| n as f64)), grouped),
        format!("{} {}/{}", trial_verdict(standing.worst), standing.valid, standing.rounds),
        clean(entry.bound_by()),
    ]];
    for kind in kinds.into_iter().filter(|_| one.is_none()) {
        let [p50, p99] = latency(kind);
        let mut row: [String; COLUMNS.len()] = Default::default();
        row[..3].clone_from_slice(&[format!("{KIND_INDENT}{}", name(kind)), p50, p99]);
        rows.push(row);
    }
    rows
}

/// Before a request kind that stands below its contender. Not spaces: tables drop those.
pub(crate) const KIND_INDENT: &str = "\u{b7} ";

/// A name that leaves room for figures beside it.
fn name(text: &str) -> String {
    truncated(&clean(text), 28)
}

/// `thread-pool saturated: 3,180 of 4,000/s, in 4 of 6 rounds`
fn saturation(entry: &Entry<'_>) -> Option<String> {
    let rates = sentences::saturated(entry)?;
    let (n, all) = (entry.saturated_rounds(), entry.usable().count());
    let rounds = if n == all { String::new() } else { format!(", in {n} of {all} rounds") };
    Some(format!("{} saturated: {rates}{rounds}", clean(entry.name)))
}

/// `thread-pool failed 15 of 24,000 requests: 12 timeout, 3 bad_status`
fn failures(entry: &Entry<'_>) -> Option<String> {
    let mut by_kind: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in entry.usable().flat_map(|trial| &trial.errors) {
        *by_kind.entry(kind).or_default() += count;
    }
    let failed: u64 = by_kind.values().sum();
    let requests: u64 = entry.usable().map(|trial| trial.requests).sum();
    let kinds: Vec<String> = by_kind
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(kind, n)| format!("{} {}", grouped(*n as f64), clean(kind)))
        .collect();
    (failed > 0).then(|| {
        let (failed, requests) = (grouped(failed as f64), grouped(requests as f64));
        format!(
            "{} failed {failed} of {requests} requests: {}",
            clean(entry.name),
            kinds.join(", ")
        )
    })
}

/// `Ceilings: event-loop cpu 21,300/s binds, pool 40,000/s, 20,100/s in closed loop; ..`
fn ceilings(result: &RunResult, race: &Race<'_>) -> Option<String> {
    let here = |ceiling: &&Ceiling| {
        ceiling.workload == race.workload
            && ceiling.scenario == race.scenario
            && ceiling.dependency.as_deref() == race.dependency()
    };
    let cores = race.cores();
    let ceilings = result.ceilings.iter().filter(here);
    let each: Vec<String> = ceilings.filter_map(|one| ceiling(one, cores)).collect();
    (!each.is_empty()).then(|| format!("Ceilings: {}", each.join("; ")))
}

fn ceiling(of: &Ceiling, cores: usize) -> Option<String> {
    let bounds = [("cpu", of.cpu_rps), ("pool", of.pool_rps), ("threads", of.threads_rps)];
    let mut parts: Vec<(String, f64)> = bounds
        .into_iter()
        .filter_map(|(what, rps)| {
            let binds = if of.binds == what { " binds" } else { "" };
            Some((format!("{what} {}{binds}", Rate(rps?)), rps?))
        })
        .collect();
    parts.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let closed = of.closed_rps.map(|rps| {
        let each = cores::each(rps, cores).map_or_else(String::new, |each| format!(" ({each})"));
        (format!("{} in closed loop{each}", Rate(rps)), rps)
    });
    let parts: Vec<String> = parts.into_iter().chain(closed).map(|(text, _)| text).collect();
    (!parts.is_empty()).then(|| format!("{} {}", clean(&of.contender), parts.join(", ")))
}

fn judged(judgement: &Judgement) -> Judged {
    let mut reason = clean(&judgement.reason);
    if !judgement.tested_with.is_empty() {
        reason += &format!(" (tested with {})", clean(&judgement.tested_with));
    }
    Judged {
        verdict: match judgement.verdict {
            StatementVerdict::Holds => "holds",
            StatementVerdict::Fails => "fails",
            StatementVerdict::Inconclusive => "inconclusive",
        },
        text: clean(&judgement.text),
        reason,
    }
}

/// Reasons that differ in their figures alone, as one.
struct Alike {
    verdict: &'static str,
    /// The first of them.
    text: String,
    trials: usize,
    whose: BTreeMap<String, usize>,
}

/// Each distinct reason once, the worst first.
fn reasons(result: &RunResult, races: &[Race<'_>]) -> Vec<Reason> {
    let mut found: Vec<Alike> = Vec::new();
    for trial in &result.trials {
        let verdict = if trial.voided { "VOID" } else { trial_verdict(trial.validity.verdict) };
        let unbalanced = (trial.audit.verdict == "unbalanced").then_some(&trial.audit.reasons);
        let mut reasons: Vec<&String> = trial.validity.reasons.iter().collect();
        reasons.extend(unbalanced.into_iter().flatten());
        reasons.dedup();
        for text in reasons.into_iter().map(|reason| clean(reason)) {
            let same = |one: &Alike| one.verdict == verdict && alike(&one.text) == alike(&text);
            let place = found.iter().position(same).unwrap_or_else(|| {
                found.push(Alike { verdict, text, trials: 0, whose: BTreeMap::new() });
                found.len() - 1
            });
            found[place].trials += 1;
            *found[place].whose.entry(whose(trial, races)).or_default() += 1;
        }
    }
    let badness =
        |verdict: &str| ["INVALID", "SUSPECT", "VOID", "VALID"].iter().position(|v| *v == verdict);
    found.sort_by_key(|one| badness(one.verdict));
    let hidden = found.len().saturating_sub(MAX_REASONS);
    found.truncate(MAX_REASONS);
    let mut reasons: Vec<Reason> = found.into_iter().map(Reason::from).collect();
    if hidden > 0 {
        let text = format!("{} more in result.json", counted(hidden, "reason"));
        reasons.push(Reason { verdict: "", text, whose: String::new() });
    }
    reasons
}

impl From<Alike> for Reason {
    fn from(alike: Alike) -> Self {
        let whose = alike.whose.iter();
        let mut whose: Vec<String> =
            whose.map(|(name, n)| format!("{name} in {}", counted(*n, "round"))).collect();
        if whose.len() > MAX_WHOSE {
            let others = whose.split_off(MAX_WHOSE).len();
            whose.push(format!("and {}", counted(others, "other")));
        }
        let text = match alike.trials {
            1 => alike.text,
            n => format!("{} (the first of {n} alike)", alike.text),
        };
        Self { verdict: alike.verdict, text, whose: whose.join(", ") }
    }
}

/// More of those whom a reason concerns are counted.
const MAX_WHOSE: usize = 4;
/// More kinds of reasons than this are read in result.json.
const MAX_REASONS: usize = 12;

/// The contender, with its race where there are several.
fn whose(trial: &Trial, races: &[Race<'_>]) -> String {
    let name = clean(&trial.contender);
    match races.iter().find(|race| race.is_of(trial)) {
        Some(race) if races.len() > 1 => format!("{name} ({})", sentences::place(race)),
        _ => name,
    }
}

fn remarks(result: &RunResult) -> Vec<String> {
    let voided = result.voided_rounds as usize;
    let mut remarks = vec![match voided {
        0 => "Voided rounds: 0.".to_owned(),
        n => format!(
            "Voided rounds: {n}. The machine or the generator spoilt {}; {} run again.",
            if n == 1 { "it" } else { "them" },
            if n == 1 { "it was" } else { "they were" }
        ),
    }];
    remarks.extend(result.notes.iter().map(|note| clean(note)));
    remarks.extend(marks(result));
    if !result.not_checked.is_empty() {
        let rules: Vec<String> = result.not_checked.iter().map(|rule| clean(rule)).collect();
        remarks.push(format!("Not checked: {}.", rules.join(", ")));
    }
    remarks
}

fn verdict_gloss(result: &RunResult) -> String {
    let code = result.exit_code;
    let text = match (result.verdict, result.self_check) {
        (Verdict::Fail, true) => "the canary fails, as it must: the alarm rings",
        (Verdict::Pass, true) => "the canary did not fail: the alarm is broken",
        (Verdict::Pass, false) if result.expectations.is_empty() => {
            "nothing was expected of this run"
        }
        (Verdict::Pass, false) => "every expectation holds",
        (Verdict::Fail, false) => "an expectation fails",
        (Verdict::Inconclusive, _) => "an expectation could not be decided",
        (Verdict::Invalid, _) => "a contender lacks valid rounds",
        (Verdict::Interrupted, _) => "stopped by a signal; what was finished is here",
    };
    format!("{text} (exit code {code})")
}
