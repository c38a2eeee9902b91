//! From trials to comparisons and judged statements. Blind to how the trials were made.

mod capacity;
mod footprint;
mod undecided;

use crate::report::schema::{
    Capacity, Ceiling, Comparison, Footprint, Judgement, StatementVerdict, Trial, TrialVerdict,
};
use crate::scenario::{Bound, LoadKind, Metric, Scenario, Statement, Unit};
use crate::stats::{self, Estimate};

pub(crate) use footprint::under_load;

/// Every comparison is made with this confidence; a statement has its scenario's.
const CONFIDENCE: f64 = 0.95;

/// Where a statement or a comparison looks.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    scenario: &'a Scenario,
    level: &'a str,
    request: Option<&'a str>,
}

/// A contender's metric over the rounds, or the fact that it was beaten by the load.
#[derive(Clone, Debug, PartialEq)]
enum Series {
    /// By round.
    Values(Vec<(u32, f64)>),
    /// It was saturated, crashed or answered wrongly in most rounds: worse than any figure.
    Lost,
}

/// What a statement is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) trials: &'a [Trial],
    pub(crate) ceilings: &'a [Ceiling],
    /// Empty where no experiment looked for it.
    pub(crate) capacity: &'a [Capacity],
    /// Empty where no experiment looked at them.
    pub(crate) footprints: &'a [Footprint],
}

/// Every contender against the first one, at every level, for every request kind.
pub(crate) fn comparisons(scenario: &Scenario, trials: &[Trial]) -> Vec<Comparison> {
    let levels = levels(scenario);
    let Some((first, others)) = scenario.contenders.split_first() else { return Vec::new() };
    let mut comparisons = Vec::new();
    for level in &levels {
        for (request, metric) in compared(scenario) {
            let place = Place { scenario, level, request };
            for other in others {
                comparisons.push(compare(trials, place, metric, &other.name, &first.name));
            }
        }
    }
    comparisons
}

/// Judges one statement.
pub(crate) fn judge(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judgement {
    let ((verdict, estimate, figure), difference) = match statement.metric {
        Metric::Capacity => (
            capacity::judge(scenario, statement, found),
            capacity::difference(scenario, statement, found.capacity),
        ),
        metric if metric.is_of_a_footprint() => footprint::judge(scenario, statement, found),
        _ => of_trials(scenario, statement, found.trials),
    };
    let open = verdict == StatementVerdict::Inconclusive && statement.metric != Metric::Capacity;
    let needed = estimate
        .filter(|_| open)
        .map(|estimate| undecided::rounds_needed(statement, &estimate, scenario.confidence));
    let mut figure = figure;
    figure += &difference.map_or_else(String::new, |d| undecided::more(d, statement));
    figure += &needed.map_or_else(String::new, undecided::said);
    // A search has its own rule and no level to choose.
    if scenario.confidence > CONFIDENCE && statement.metric != Metric::Capacity {
        figure += &format!("; at {:.0} %", 100.0 * scenario.confidence);
    }
    let unit = if statement.versus.is_some() { "ratio" } else { unit(statement.metric) };
    Judgement {
        text: statement.text.clone(),
        verdict,
        reason: format!("{figure}; asked: {}", asked(statement.bound, unit)),
        ratio: estimate.map(|estimate| estimate.value),
        low: estimate.and_then(|estimate| estimate.interval).map(|interval| interval.low),
        high: estimate.and_then(|estimate| estimate.interval).map(|interval| interval.high),
        n: estimate.map_or(0, |estimate| estimate.n as u32),
        difference,
        rounds_to_decide: needed.flatten().map(|rounds| rounds as u32),
        tested_with: tested_with(scenario, statement),
    }
}

/// The verdict, the estimate behind it and what both are about in words.
type Judged = (StatementVerdict, Option<Estimate>, String);

/// Judges a metric of trials; beside it the difference of two contenders in the metric's unit.
fn of_trials(
    scenario: &Scenario,
    statement: &Statement,
    trials: &[Trial],
) -> (Judged, Option<f64>) {
    let level = statement.at.map_or_else(|| "closed".to_owned(), |level| level.to_string());
    let only = scenario.mix.first().map(|(operation, _)| operation.name());
    let request = match statement.metric {
        Metric::Completion => Some("distribution"),
        metric if metric.is_of_a_request() => statement.request.as_deref().or(only),
        _ => None,
    };
    let place = Place { scenario, level: &level, request };
    let of = series(trials, place, statement.metric, &statement.of);
    match &statement.versus {
        Some(versus) => {
            let versus_series = series(trials, place, statement.metric, versus);
            against(statement, &of, &versus_series, scenario.confidence)
        }
        None => (alone(statement, &of, scenario.confidence), None),
    }
}

/// What a statement was tested with: the systems, models and servers that it compares, and no others of its scenario.
fn tested_with(scenario: &Scenario, statement: &Statement) -> String {
    let named = [Some(&statement.of), statement.versus.as_ref()];
    let compared = scenario.contenders.iter().filter(|one| named.contains(&Some(&one.name)));
    let mut with: Vec<&str> = Vec::new();
    for contender in compared {
        let what = match (&contender.system, contender.built_in()) {
            (Some(system), _) => system,
            (None, Some(_)) => "Rust models",
            (None, None) => "the contenders as given",
        };
        if !with.contains(&what) {
            with.push(what);
        }
    }
    with.join(" and ")
}

/// A metric of a trial: nothing when the trial or the figure may not be used.
pub(crate) fn metric_of(trial: &Trial, metric: Metric, request: Option<&str>) -> Option<f64> {
    if trial.voided || trial.validity.verdict == TrialVerdict::Invalid {
        return None;
    }
    let response = || trial.by_request.get(request?)?.response_ns.as_ref();
    let value = match metric {
        Metric::P50 => response()?.p50? as f64,
        Metric::P90 => response()?.p90? as f64,
        Metric::P99 => response()?.p99? as f64,
        Metric::P99_9 => response()?.p99_9? as f64,
        Metric::Achieved => trial.achieved_rps,
        Metric::CpuPerRequest => trial.server.cpu_us_per_request?,
        Metric::Rss => trial.server.rss_peak_bytes? as f64,
        Metric::RssSpread => spread(&trial.server.rss_windows_bytes)?,
        Metric::P99Spread => spread(&trial.by_request.get(request?)?.p99_windows_ns)?,
        Metric::PoolWaitP99 => trial.pool_wait_ns.as_ref()?.p99? as f64,
        Metric::Recovery => trial.recovery?.after_ns? as f64,
        Metric::Completion => response()?.p50? as f64,
        Metric::AccountsPerS => trial.accounts_per_s?,
        // Of no one trial.
        Metric::Capacity => return None,
        Metric::StartUp | Metric::RssIdle | Metric::Payload | Metric::Image => return None,
    };
    Some(value)
}

fn spread(windows: &[u64]) -> Option<f64> {
    stats::spread(&windows.iter().map(|&window| window as f64).collect::<Vec<_>>())
}

/// The levels as trials name them.
fn levels(scenario: &Scenario) -> Vec<String> {
    match scenario.load.kind {
        LoadKind::Open(_) => scenario.rates.iter().map(ToString::to_string).collect(),
        LoadKind::Closed => vec!["closed".into()],
    }
}

/// What is compared without being asked: latency for each request kind, and what it cost.
fn compared(scenario: &Scenario) -> Vec<(Option<&str>, Metric)> {
    let latency: &[Metric] = match scenario.load.kind {
        LoadKind::Open(_) => &[Metric::P50, Metric::P99],
        LoadKind::Closed => &[],
    };
    let kinds = scenario.mix.iter().map(|(operation, _)| operation.name());
    let mut compared: Vec<_> =
        kinds.flat_map(|kind| latency.iter().map(move |&metric| (Some(kind), metric))).collect();
    if matches!(scenario.load.kind, LoadKind::Closed) {
        compared.push((None, Metric::Achieved));
    }
    compared.extend([(None, Metric::CpuPerRequest), (None, Metric::Rss)]);
    compared
}

fn compare(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    of: &str,
    versus: &str,
) -> Comparison {
    let (a, b) = (series(trials, place, metric, of), series(trials, place, metric, versus));
    let paired = match (&a, &b) {
        (Series::Values(a), Series::Values(b)) => paired(a, b),
        _ => (Vec::new(), Vec::new()),
    };
    let comparison = stats::ratio_of(&paired.0, &paired.1, CONFIDENCE);
    let ratio = comparison.and_then(|comparison| comparison.ratio);
    let interval = ratio.and_then(|ratio| ratio.interval);
    let verdict = match (&a, &b, interval) {
        (Series::Lost, Series::Values(_), _) if worst(metric) > 0.0 => "higher",
        (Series::Values(_), Series::Lost, _) if worst(metric) == 0.0 => "higher",
        (Series::Lost, Series::Values(_), _) | (Series::Values(_), Series::Lost, _) => "lower",
        (_, _, Some(interval)) if interval.low > 1.0 => "higher",
        (_, _, Some(interval)) if interval.high < 1.0 => "lower",
        _ => "inconclusive",
    };
    Comparison {
        workload: place.scenario.workload.name().into(),
        scenario: place.scenario.name.clone(),
        metric: metric.name().into(),
        request: place.request.map(Into::into),
        at: place.level.into(),
        of: of.into(),
        versus: versus.into(),
        ratio: ratio.map(|ratio| ratio.value),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        difference: comparison.map(|comparison| comparison.difference.value),
        n: paired.0.len() as u32,
        verdict: verdict.into(),
    }
}

/// A contender's metric in every round that counts.
fn series(trials: &[Trial], place: Place<'_>, metric: Metric, contender: &str) -> Series {
    let here = trials.iter().filter(|trial| {
        trial.scenario == place.scenario.name
            && trial.level == place.level
            && trial.contender == contender
            && !trial.voided
    });
    let (mut all, mut lost, mut values) = (0, 0, Vec::new());
    for trial in here {
        all += 1;
        let behind = metric.is_of_responses() && trial.saturated;
        let never_back = metric == Metric::Recovery
            && trial.recovery.is_some_and(|recovery| recovery.after_ns.is_none());
        lost += usize::from(behind || never_back || trial.validity.lost);
        values.extend(metric_of(trial, metric, place.request).map(|value| (trial.round, value)));
    }
    if 2 * lost > all { Series::Lost } else { Series::Values(values) }
}

/// The values of the rounds that both have.
fn paired(a: &[(u32, f64)], b: &[(u32, f64)]) -> (Vec<f64>, Vec<f64>) {
    a.iter()
        .filter_map(|(round, a)| b.iter().find(|(other, _)| other == round).map(|(_, b)| (*a, *b)))
        .unzip()
}

/// One contender against another.
fn against(
    statement: &Statement,
    of: &Series,
    versus: &Series,
    confidence: f64,
) -> (Judged, Option<f64>) {
    let versus_name = statement.versus.as_deref().unwrap_or_default();
    let (a, b) = match (of, versus) {
        (Series::Values(a), Series::Values(b)) => paired(a, b),
        // What fell behind without end is worse than any bound; what both lost cannot be told apart.
        (Series::Lost, Series::Values(_)) => {
            let verdict = settled(statement.bound, worst(statement.metric));
            let told = format!("{} {BEATEN}, {versus_name} did not", statement.of);
            return ((verdict, None, told), None);
        }
        (Series::Values(_), Series::Lost) => {
            let verdict = settled(statement.bound, worst(statement.metric).recip());
            let told = format!("{versus_name} {BEATEN}, {} did not", statement.of);
            return ((verdict, None, told), None);
        }
        (Series::Lost, Series::Lost) => {
            return ((StatementVerdict::Inconclusive, None, format!("both {BEATEN}")), None);
        }
    };
    let comparison = stats::ratio_of(&a, &b, confidence);
    let (judged, shown) =
        match (statement.bound, comparison.and_then(|comparison| comparison.ratio)) {
            (Bound::WithinAbs(_), _) => {
                let difference = comparison.map(|comparison| comparison.difference);
                (difference, difference.map(|difference| absolute(difference, statement.metric)))
            }
            (_, ratio) => (ratio, ratio.map(ratio_text)),
        };
    let difference = comparison.map(|comparison| comparison.difference.value);
    let judged = match judged {
        Some(estimate) => (inside(statement.bound, estimate), judged, shown.unwrap_or_default()),
        None => (StatementVerdict::Inconclusive, None, "no rounds to compare".into()),
    };
    (judged, difference)
}

/// One contender against an absolute bound.
fn alone(statement: &Statement, of: &Series, confidence: f64) -> Judged {
    match of {
        Series::Lost => {
            let verdict = settled(statement.bound, worst(statement.metric));
            (verdict, None, format!("{} {BEATEN}", statement.of))
        }
        Series::Values(values) => {
            let values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
            match stats::hodges_lehmann(&values, confidence) {
                Some(estimate) => {
                    let shown = absolute(estimate, statement.metric);
                    (inside(statement.bound, estimate), Some(estimate), shown)
                }
                None => (StatementVerdict::Inconclusive, None, "no valid rounds".into()),
            }
        }
    }
}

/// Holds when the whole interval lies inside the bound, fails when it lies wholly outside.
fn inside(bound: Bound, estimate: Estimate) -> StatementVerdict {
    let Some(interval) = estimate.interval else { return StatementVerdict::Inconclusive };
    let (low, high) = limits(bound);
    if interval.low >= low && interval.high <= high {
        StatementVerdict::Holds
    } else if interval.high < low || interval.low > high {
        StatementVerdict::Fails
    } else {
        StatementVerdict::Inconclusive
    }
}

/// What became of a contender that has lost.
const BEATEN: &str = "saturated, crashed or answered wrongly";

/// What a contender that has lost comes to: no throughput, and of everything else without end.
fn worst(metric: Metric) -> f64 {
    if metric.is_a_rate() { 0.0 } else { f64::INFINITY }
}

/// The verdict on a figure that is known without an interval.
fn settled(bound: Bound, value: f64) -> StatementVerdict {
    let (low, high) = limits(bound);
    if (low..=high).contains(&value) { StatementVerdict::Holds } else { StatementVerdict::Fails }
}

/// The closed range that a bound allows.
fn limits(bound: Bound) -> (f64, f64) {
    match bound {
        Bound::Within(ratio) => (1.0 / ratio, ratio),
        Bound::WithinAbs(difference) => (-(difference.0 as f64), difference.0 as f64),
        Bound::AtLeast(least) => (least, f64::INFINITY),
        Bound::AtMost(most) => (f64::NEG_INFINITY, most),
    }
}

fn asked(bound: Bound, unit: &str) -> String {
    match bound {
        Bound::Within(ratio) => format!("within {ratio}x either way"),
        Bound::WithinAbs(difference) => format!("a difference of at most {difference}"),
        Bound::AtLeast(least) => format!("at least {}", figure(least, unit)),
        Bound::AtMost(most) => format!("at most {}", figure(most, unit)),
    }
}

fn ratio_text(estimate: Estimate) -> String {
    with_interval(estimate, |value| format!("{value:.2}x"))
}

fn absolute(estimate: Estimate, metric: Metric) -> String {
    with_interval(estimate, |value| figure(value, unit(metric)))
}

fn with_interval(estimate: Estimate, show: impl Fn(f64) -> String) -> String {
    match estimate.interval {
        Some(interval) => format!(
            "{} ({} to {}, n = {})",
            show(estimate.value),
            show(interval.low),
            show(interval.high),
            estimate.n
        ),
        None => format!("{} and no interval (n = {})", show(estimate.value), estimate.n),
    }
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Nanos => "ns",
        Unit::PerSecond => "/s",
        Unit::Micros => "us",
        Unit::Bytes => "bytes",
        Unit::Times => "times",
    }
}

fn figure(value: f64, unit: &str) -> String {
    use crate::units::{Nanos, grouped, three_digits};
    let sign = if value < 0.0 { "-" } else { "" };
    match unit {
        "ratio" => format!("{value}x"),
        "times" => format!("{}x its median", three_digits(value)),
        "ns" => format!("{sign}{}", Nanos(value.abs().round() as u64)),
        "bytes" => format!("{} MiB", three_digits(value / f64::from(1 << 20))),
        "/s" => format!("{}/s", grouped(value)),
        unit => format!("{} {unit}", three_digits(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::builtin;

    #[test]
    fn a_statement_was_tested_with_what_it_compares() {
        let mut scenario = builtin("go-vs-node-payment").unwrap();
        let with = |scenario: &Scenario, of: &str, versus: Option<&str>| {
            let statement = scenario.claims[0].clone();
            let (of, versus) = (of.to_owned(), versus.map(str::to_owned));
            tested_with(scenario, &Statement { of, versus, ..statement })
        };
        assert_eq!(with(&scenario, "node", Some("go")), "Go and Node");
        assert_eq!(with(&scenario, "express", Some("node")), "Node");
        assert_eq!(with(&scenario, "event-loop", Some("thread-pool")), "Rust models");
        assert_eq!(with(&scenario, "go", Some("event-loop")), "Go and Rust models");
        assert_eq!(with(&scenario, "go", None), "Go");
        scenario.contenders[0].system = None;
        assert_eq!(with(&scenario, "go", None), "the contenders as given");
    }

    #[test]
    fn scenarios_of_one_run_are_compared_each_with_itself() {
        let mut here = builtin("tour-payment").unwrap();
        here.contenders.truncate(2);
        let elsewhere = Scenario { name: "elsewhere".into(), ..here.clone() };
        let mut trials = Vec::new();
        for (scenario, second) in [(&elsewhere, 400.0), (&here, 110.0)] {
            let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", second, 1.0)];
            let mut all = crate::report::mock::payments(6, &shapes).trials;
            all.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
            trials.extend(all);
        }
        let p99 = |scenario: &Scenario| {
            let all = comparisons(scenario, &trials);
            let found = all.into_iter().find(|c| c.metric == "p99").unwrap();
            (found.scenario, (10.0 * found.ratio.unwrap()).round(), found.n)
        };
        assert_eq!(p99(&here), ("tour-payment".into(), 11.0, 6));
        assert_eq!(p99(&elsewhere), ("elsewhere".into(), 40.0, 6));
    }
}
