//! A verdict in one line, and the reasons for it in sentences.

use super::failures::ERRORS;
use super::metric::{is_lost, label};
use crate::judge::gate::failures;
use crate::judge::gate::failures::{EXCESS_MIN, FailureAttribution};
use crate::judge::gate::sensitivity::{after, percent, signed};
use crate::record::gate::{
    FailureJudgement, GateResult, Intermittent, Judgement, Look, Metric, MetricJudgement, Outcome,
    Plan, Round, Verdict,
};
use crate::stats::{Interval, median, quantile_interval};
use crate::text::{WITHHELD, clean, one_line, or_withheld, truncated};
use crate::units::{Nanos, Rate, bytes, three_digits};

/// Characters of a verdict's line: a CI system shows no more.
const LINE_MAX: usize = 200;
/// Characters of the attributed failure in the line, since a server wrote them; the reasons have the whole.
const ATTRIBUTION_MAX: usize = 120;

/// Everything that a person must know, in one line: the verdict, which metrics it rests on, and which it does not.
///
/// `PASS (cpu/request, p50). p99 NOT GATED: detects +24 %, margin 10 %`
pub(crate) fn line(
    plan: &Plan,
    verdict: Verdict,
    finished: bool,
    attribution: Option<&FailureAttribution>,
    metrics: &[MetricJudgement],
    failures: &FailureJudgement,
) -> String {
    let mut parts = Vec::new();
    let errors = failures.outcome == Outcome::Regressed;
    let gated = |outcome: Outcome| {
        metrics.iter().filter(move |m| m.not_gated.is_none() && m.outcome == outcome)
    };
    match attribution {
        Some(attribution) => {
            let whose = truncated(
                &one_line(&shortened(&mid_sentence(&attribution.sentence()))),
                ATTRIBUTION_MAX,
            );
            parts.push(format!("{}: {whose}", verdict.word()));
        }
        None if finished && verdict == Verdict::Invalid => {
            parts.push(format!("{}: nothing left to gate", verdict.word()));
        }
        None if !finished => parts.push("so far".into()),
        None if verdict == Verdict::Regressed
            && !errors
            && gated(Outcome::Regressed).next().is_none() =>
        {
            parts.push(format!("{} intermittently", verdict.word()));
        }
        None => {}
    }
    for outcome in [Outcome::Regressed, Outcome::Inconclusive, Outcome::Pass, Outcome::Open] {
        let mut named: Vec<String> = gated(outcome).map(of_outcome).collect();
        let errors = errors && outcome == Outcome::Regressed;
        named.extend(errors.then(|| failures.change()));
        if !named.is_empty() {
            parts.push(format!("{} ({})", outcome.word(), named.join(", ")));
        }
    }
    parts.extend(metrics.iter().filter_map(not_gated));
    // Whatever the verdict, no failure is left unsaid.
    parts.extend((!errors && failures.are_any()).then(|| failures.change()));
    let found = metrics.iter().map(|metric| (name(metric), metric.intermittent));
    let found = found.chain([(ERRORS.to_owned(), failures.intermittent)]);
    parts.extend(found.filter_map(|(name, found)| bad_rounds(&name, found)));
    // What was cut ends in an ellipsis.
    let line = parts.join(". ").replace("....", "...");
    let line = match &plan.report_only {
        Some(why) => format!("REPORT ONLY ({why}): {line}"),
        None => line,
    };
    truncated(&one_line(&line), LINE_MAX)
}

/// A sentence without what a contender wrote but for its last line.
fn shortened(sentence: &str) -> String {
    match sentence.split_once("; it wrote: ") {
        Some((what, wrote)) => {
            format!("{what}; it wrote last: {}", wrote.lines().next_back().unwrap_or_default())
        }
        None => sentence.to_owned(),
    }
}

/// The line of a gate that ended before its last look: `INTERRUPTED after 3 rounds. OPEN (p50)`.
pub(crate) fn unfinished(judgement: &Judgement, why: &str) -> String {
    let so_far = judgement.line.trim_start_matches("so far").trim_start_matches(". ");
    let dot = if so_far.is_empty() { "" } else { ". " };
    let (word, rounds) = (judgement.verdict.word(), judgement.rounds);
    truncated(&format!("{word} after {rounds} rounds{why}{dot}{so_far}"), LINE_MAX)
}

/// Why the verdict is what it is: the attributed failure first, then metric by metric with ratio, difference, limits and n, and what
/// could be seen.
pub(crate) fn reasons(
    attribution: Option<&FailureAttribution>,
    metrics: &[MetricJudgement],
    failures: &FailureJudgement,
    counted: &[&Round],
) -> Vec<String> {
    let mut reasons: Vec<String> =
        attribution.map(|attribution| format!("{}.", attribution.sentence())).into_iter().collect();
    reasons.extend(lost(counted));
    reasons.extend(failures.are_any().then(|| failures.sentence(counted.len())));
    if metrics.iter().any(|it| it.not_gated.is_none() && it.outcome == Outcome::Open) {
        reasons.push(
            "OPEN: the gate ended before this was decided; that says neither better nor worse."
                .into(),
        );
    }
    for metric in metrics {
        reasons.extend(metric.looks.last().map(|look| found(metric, look)));
        if metric.sight_after.is_some() {
            reasons.push(format!("{}.", after(metric).trim_end_matches('.')));
        }
    }
    reasons
}

/// `The candidate alone did not bear the load in 2 of 12 rounds (was saturated).`, and the same of the baseline and of both.
pub(crate) fn lost(counted: &[&Round]) -> Vec<String> {
    let of = |who: &str, loses: [bool; 2]| {
        let lost = |round: &&&Round| [is_lost(&round.baseline), is_lost(&round.candidate)] == loses;
        let rounds: Vec<&&Round> = counted.iter().filter(lost).collect();
        let first = *rounds.first()?;
        let faults = first.candidate.faults.iter().chain(&first.baseline.faults);
        let why = faults.map(|fault| fault.kind.verb()).next().unwrap_or_default();
        let (n, all) = (rounds.len(), counted.len());
        Some(format!("{who} did not sustain the load in {n} of {all} rounds ({why})."))
    };
    let who = [("The candidate alone", [false, true]), ("The baseline alone", [true, false])];
    who.into_iter().chain([("Both", [true, true])]).filter_map(|(who, it)| of(who, it)).collect()
}

/// A sentence that follows a colon.
pub(crate) fn mid_sentence(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `p99`, `p99 +25 %`
fn of_outcome(metric: &MetricJudgement) -> String {
    let name = name(metric);
    match (metric.outcome, metric.looks.last().and_then(|look| look.ratio)) {
        (Outcome::Regressed, Some(ratio)) => format!("{name} {}", signed(ratio - 1.0)),
        (Outcome::Pass, Some(ratio)) if metric.improved => {
            format!("{name} IMPROVED {}", signed(ratio - 1.0))
        }
        _ => name,
    }
}

/// `p99 NOT GATED: detects +24 %, margin 10 %`
fn not_gated(metric: &MetricJudgement) -> Option<String> {
    let why = metric.not_gated.as_ref()?;
    // Report-only, yet never silent about what was found all the same.
    let worse = metric.outcome == Outcome::Regressed;
    let but = if worse { format!(", yet found {}", of_outcome(metric)) } else { String::new() };
    Some(format!("{} NOT GATED: {why}{but}", name(metric)))
}

/// `p99 INTERMITTENT: far worse in 8 rounds, far better in 0`
fn bad_rounds(name: &str, found: Option<Intermittent>) -> Option<String> {
    let Intermittent { worse, better, .. } = found.filter(|found| found.found)?;
    Some(format!("{name} INTERMITTENT: far worse in {worse} rounds, far better in {better}"))
}

/// `p99: 1.25 times as bad (1.12 to 1.39, n = 20), +1.2 ms; the margin is 10 %: REGRESSED.`
fn found(metric: &MetricJudgement, look: &Look) -> String {
    let n = look.pairs;
    let limits = match (look.low, look.high) {
        (Some(low), Some(high)) => format!("{low:.3} to {high:.3}, n = {n}"),
        (Some(low), None) => format!("at least {low:.3}, n = {n}"),
        (None, Some(high)) => format!("at most {high:.3}, n = {n}"),
        (None, None) => format!("no limits yet, n = {n}"),
    };
    let size = match look.ratio {
        Some(ratio) => format!("{ratio:.3} times as bad ({limits})"),
        None => format!("no estimate from {n} rounds"),
    };
    let difference = metric.difference.filter(|_| look.ratio.is_some());
    let difference = difference.map_or_else(String::new, |difference| {
        let sign = if difference < 0.0 { '-' } else { '+' };
        format!(", {sign}{}", shown(metric.metric, difference.abs()))
    });
    format!(
        "{}: {size}{difference}; the margin is {}: {}.",
        name(metric),
        percent(metric.margin),
        metric.outcome.word(),
    )
}

fn name(metric: &MetricJudgement) -> String {
    label(metric.metric, metric.request.as_deref())
}

impl FailureAttribution {
    /// `The candidate crashed in round 3 (exit status 139)`
    pub fn sentence(&self) -> String {
        match self {
            Self::Baseline(what) => format!("The baseline is broken: it {what}"),
            Self::Candidate(what) => format!("The candidate {what}"),
            Self::Machine(what) => what.clone(),
        }
    }
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Regressed => "REGRESSED",
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Regressed => "REGRESSED",
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Open => "OPEN",
        }
    }
}

/// The candidate's figures of a metric over the rounds that count.
pub(crate) struct Figures {
    pub(crate) median: f64,
    /// Of that median, 95 %, where there are enough rounds.
    pub(crate) interval: Option<Interval>,
    pub(crate) n: usize,
}

/// Of the `index`-th metric; `None` when no round has a figure.
pub(crate) fn candidate(result: &GateResult, index: usize) -> Option<Figures> {
    let values: Vec<f64> = result
        .rounds
        .iter()
        .filter(|round| round.void.is_none())
        .filter_map(|round| round.candidate.values.get(index).copied().flatten())
        .filter(|value| value.is_finite())
        .collect();
    let interval = quantile_interval(&values, 0.5, 0.95);
    Some(Figures { median: median(&values)?, interval, n: values.len() })
}

/// Metric, verdict, baseline, candidate, worse by, at least, at most, rounds and margin: a row for each metric, and one for
/// the failed requests.
pub(crate) fn rows(judgement: &Judgement) -> Vec<[String; 9]> {
    let metrics = judgement.metrics.iter().map(of_metric);
    metrics.chain(judgement.failures.iter().map(of_failures)).collect()
}

fn of_metric(metric: &MetricJudgement) -> [String; 9] {
    let value = |value: Option<f64>| or_withheld(value, |value| shown(metric.metric, value));
    let [baseline, candidate] = metric.medians.map(value);
    let look = metric.looks.last();
    let of = |end: fn(&Look) -> Option<f64>| {
        or_withheld(look.and_then(end), |ratio| signed(ratio - 1.0))
    };
    [
        clean_name(metric),
        word(metric).into(),
        baseline,
        candidate,
        of(|look| look.ratio),
        of(|look| look.low),
        of(|look| look.high),
        look.map_or_else(|| WITHHELD.into(), |look| look.pairs.to_string()),
        percent(metric.margin),
    ]
}

/// Of shares, whose differences are percentage points.
fn of_failures(failures: &FailureJudgement) -> [String; 9] {
    let share = |side| or_withheld(failures.share(side), failures::percent);
    let look = failures.looks.last();
    let points = |points: f64| failures::percent(points).replace('%', "pp");
    let more = |share: f64| format!("{}{}", if share < 0.0 { "" } else { "+" }, points(share));
    [
        ERRORS.into(),
        failures.outcome.word().into(),
        share(0),
        share(1),
        or_withheld(look.and_then(|look| look.excess), more),
        or_withheld(look.and_then(|look| look.low), more),
        WITHHELD.into(),
        look.map_or_else(|| WITHHELD.into(), |look| look.pairs.to_string()),
        points(EXCESS_MIN),
    ]
}

/// `812 us`, `3.1 us`, `12.3 MiB`, `4,000/s`
pub(crate) fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::P99 | Metric::P50 => Nanos(value as u64).to_string(),
        Metric::CpuPerRequest => format!("{} us", three_digits(value)),
        Metric::Throughput => Rate(value).to_string(),
        Metric::Memory | Metric::Rss => bytes(value),
    }
}

/// `p99`, `p99 of charge`
pub(crate) fn clean_name(metric: &MetricJudgement) -> String {
    clean(&name(metric))
}

/// `REGRESSED`, `NOT GATED`: what a reader must know first.
pub(crate) fn word(metric: &MetricJudgement) -> &'static str {
    if metric.not_gated.is_some() { "NOT GATED" } else { metric.outcome.word() }
}
