//! From trials to comparisons and judged statements. Blind to how the trials were made.

mod broken;
pub(crate) mod capacity;
mod comparison;
mod footprint;
#[cfg(test)]
mod lost_tests;
mod machines;
pub(crate) mod series;
mod words;

use crate::record::CLOSED_LEVEL;
use crate::record::{Capacity, Ceiling, Footprint, Judgement, StatementVerdict, Trial};
use crate::scenario::{Bound, Metric, Scenario, Statement};
use crate::stats::{self, Better, Estimate, Interval, LOST};
use crate::text::{distinct, percent};

pub(crate) use broken::broken;
pub(crate) use comparison::comparisons;
pub(crate) use comparison::{Family, check_rounds};
pub(crate) use footprint::under_load;
pub(crate) use machines::across_machines;
use series::{End, Place, alike_read, behind_the_floor, paired, series};
use words::{absolute, asked, figure, lost_text, ratio_text, unit};

/// Every comparison is made with this confidence; a statement has its scenario's.
const CONFIDENCE: f64 = 0.95;

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

/// Judges one statement. One that decides a ledger's row fails only at the level that the row needs, and none is decided by
/// percentiles that this machine makes.
pub(crate) fn judge(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judgement {
    let judged = at_its_confidence(scenario, statement, found);
    if judged.verdict == StatementVerdict::Inconclusive {
        return judged;
    }
    let level = level_of(statement);
    let place = Place { scenario, level: &level, request: statement.request.as_deref() };
    let names = [Some(statement.of.as_str()), statement.versus.as_deref()].into_iter().flatten();
    let unseen = || behind_the_floor(found.trials, place, statement.metric, names);
    if !is_beyond_the_floor(statement, &judged)
        && let Some(name) = unseen()
    {
        let why =
            format!("could not be seen here: most trials of `{name}` are at the machine's floor");
        return open(judged, &why);
    }
    let strict = scenario.refutes_at;
    if statement.decides
        && judged.verdict == StatementVerdict::Fails
        && strict > scenario.confidence
    {
        let stricter = Scenario { confidence: strict, ..scenario.clone() };
        if at_its_confidence(&stricter, statement, found).verdict != StatementVerdict::Fails {
            let why =
                format!("no failure at {}, which its row of several needs", percent(strict, 2));
            return open(judged, &why);
        }
    }
    judged
}

/// Whether the verdict would be the same without the machine's floor: that hides a part of a difference and makes none, and
/// adds to a figure that stands alone.
fn is_beyond_the_floor(statement: &Statement, judged: &Judgement) -> bool {
    let equal = if matches!(statement.bound, Bound::WithinAbs(_)) { 0.0 } else { 1.0 };
    let low = judged.low.unwrap_or(f64::NEG_INFINITY);
    let high = judged.high.unwrap_or(f64::INFINITY);
    let (low, high) = match statement.versus {
        None => (f64::NEG_INFINITY, high),
        Some(_) if low >= equal => (low, f64::INFINITY),
        Some(_) if high <= equal => (f64::NEG_INFINITY, high),
        Some(_) => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let interval = Some(Interval { low, high });
    let possible =
        Estimate { value: judged.ratio.unwrap_or(equal), interval, n: judged.n as usize };
    inside(statement.bound, possible) == judged.verdict
}

/// The same, left undecided for a reason.
fn open(judged: Judgement, why: &str) -> Judgement {
    let reason = format!("{}; {why}", judged.reason);
    Judgement { verdict: StatementVerdict::Inconclusive, reason, ..judged }
}

fn at_its_confidence(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judgement {
    let Judged { verdict, estimate, figure, difference, lost } = match statement.metric {
        Metric::Capacity => capacity::judge(scenario, statement, found),
        metric if metric.is_of_a_footprint() => footprint::judge(scenario, statement, found),
        _ => of_trials(scenario, statement, found.trials),
    };
    let open = verdict == StatementVerdict::Inconclusive && statement.metric != Metric::Capacity;
    let needed = estimate
        .filter(|estimate| open && is_finite(estimate))
        .map(|estimate| words::rounds_needed(statement, &estimate, scenario.confidence));
    let mut figure = figure;
    figure += &difference.map_or_else(String::new, |d| words::more(d, statement));
    figure += &needed.map_or_else(String::new, words::said);
    // A search has its own rule and no level to choose.
    if scenario.confidence > CONFIDENCE && statement.metric != Metric::Capacity {
        figure += &format!("; at {}", percent(scenario.confidence, 2));
    }
    let unit = if statement.versus.is_some() { "ratio" } else { unit(statement.metric) };
    Judgement {
        text: statement.text.clone(),
        verdict,
        reason: format!("{figure}; asked: {}", asked(statement.bound, unit)),
        ratio: estimate.and_then(|estimate| finite(estimate.value)),
        low: estimate.and_then(|estimate| estimate.interval).and_then(|it| finite(it.low)),
        high: estimate.and_then(|estimate| estimate.interval).and_then(|it| finite(it.high)),
        n: estimate.map_or(0, |estimate| estimate.n as u32),
        lost_of: lost[0] as u32,
        lost_versus: lost[1] as u32,
        difference: difference.and_then(finite),
        rounds_to_decide: needed.flatten().map(|rounds| rounds as u32),
        tested_with: tested_with(scenario, statement, found.trials),
        decides: statement.decides,
    }
}

/// The verdict with the estimate behind it, and what both are about in words.
#[derive(Clone, Debug)]
struct Judged {
    verdict: StatementVerdict,
    estimate: Option<Estimate>,
    figure: String,
    /// Of two contenders, in the metric's unit.
    difference: Option<f64>,
    /// Rounds that the first has lost, and the second.
    lost: [usize; 2],
}

impl Judged {
    /// What no round was lost for, and has no difference.
    fn of(verdict: StatementVerdict, estimate: Option<Estimate>, figure: String) -> Self {
        Self { verdict, estimate, figure, difference: None, lost: [0; 2] }
    }

    fn inconclusive(why: impl Into<String>) -> Self {
        Self::of(StatementVerdict::Inconclusive, None, why.into())
    }
}

/// The level that a statement is about, as trials name it.
fn level_of(statement: &Statement) -> String {
    statement.at.map_or_else(|| CLOSED_LEVEL.to_owned(), |level| level.to_string())
}

/// The request kind that a statement is about, if its metric is of one.
fn request_of<'a>(scenario: &'a Scenario, statement: &'a Statement) -> Option<&'a str> {
    let only = scenario.mix.first().map(|(operation, _)| operation.name());
    match statement.metric {
        Metric::Completion => Some("distribution"),
        metric if metric.is_of_a_request() => statement.request.as_deref().or(only),
        _ => None,
    }
}

fn of_trials(scenario: &Scenario, statement: &Statement, trials: &[Trial]) -> Judged {
    let level = level_of(statement);
    let place = Place { scenario, level: &level, request: request_of(scenario, statement) };
    if let (Metric::Memory, Some(versus)) = (statement.metric, &statement.versus)
        && !alike_read(trials, place, [&statement.of, versus])
    {
        let why = "memory was read in two ways, by cgroup and as PSS, and these are not compared";
        return Judged::inconclusive(why);
    }
    let with = |end, other| {
        let of = series(trials, place, statement.metric, &statement.of, end);
        match &statement.versus {
            Some(versus) => {
                let versus_series = series(trials, place, statement.metric, versus, other);
                against(statement, &of, &versus_series, scenario.confidence)
            }
            None => alone(statement, &of, scenario.confidence),
        }
    };
    worse_end(statement.bound, with(End::Low, End::High), with(End::High, End::Low))
}

/// Where percentiles are bounds a figure has two ends, and the one that is worse for the statement is shown. It holds
/// where it holds at both, fails where it fails at both, and cannot be decided in between.
fn worse_end(bound: Bound, low: Judged, high: Judged) -> Judged {
    if low.verdict == high.verdict && low.estimate == high.estimate {
        return high;
    }
    let value = |judged: &Judged| judged.estimate.map(|estimate| estimate.value);
    let verdict = match low.verdict == high.verdict {
        true => high.verdict,
        false => StatementVerdict::Inconclusive,
    };
    let takes_low = match bound {
        Bound::AtLeast(_) => true,
        Bound::AtMost(_) => false,
        // Whichever is further from equal.
        Bound::Within(_) | Bound::WithinAbs(_) => {
            let far = |value: Option<f64>| match bound {
                Bound::Within(_) => value.map_or(0.0, |ratio| ratio.ln().abs()),
                _ => value.map_or(0.0, f64::abs),
            };
            far(value(&low)) > far(value(&high))
        }
    };
    let shown = if takes_low { low } else { high };
    Judged { verdict, figure: shown.figure + LATE, ..shown }
}

/// Said of a figure that rests on a bound.
const LATE: &str =
    ", at the worse end of percentiles over a quarter of which is the generator's own lateness";

/// What a statement was tested with: the systems, models and servers that it compares, and no others of its scenario;
/// with the version of each that said it in its trials.
fn tested_with(scenario: &Scenario, statement: &Statement, trials: &[Trial]) -> String {
    let named = [Some(&statement.of), statement.versus.as_ref()];
    let compared = scenario.contenders.iter().filter(|one| named.contains(&Some(&one.name)));
    let mut with: Vec<&str> = Vec::new();
    for contender in compared {
        let own = |t: &&Trial| t.scenario == scenario.name && t.contender == contender.name;
        let mut what: Vec<&str> =
            trials.iter().filter(own).filter_map(|trial| trial.runtime.as_deref()).collect();
        if what.is_empty() {
            what.push(match (&contender.system, contender.built_in()) {
                (Some(system), _) => system,
                (None, Some(_)) => "Rust models",
                (None, None) => "the contenders as given",
            });
        }
        with.extend(what);
    }
    distinct(with).join(" and ")
}

/// One contender against another.
fn against(
    statement: &Statement,
    of: &[(u32, f64)],
    versus: &[(u32, f64)],
    confidence: f64,
) -> Judged {
    let (a, b) = paired(of, versus);
    let better = better(statement.metric);
    let Some(comparison) = stats::ratio_of(&a, &b, better, confidence) else {
        return Judged::inconclusive("no rounds to compare");
    };
    let estimate = match statement.bound {
        Bound::WithinAbs(_) => Some(comparison.difference),
        _ => comparison.ratio,
    };
    let Some(estimate) = estimate else { return Judged::inconclusive("no rounds to compare") };
    let names = [Some(&statement.of), statement.versus.as_ref()];
    let mut parts = Vec::new();
    parts.extend(estimate.value.is_finite().then(|| match statement.bound {
        Bound::WithinAbs(_) => absolute(estimate, statement.metric),
        _ => ratio_text(estimate),
    }));
    let lost = names.into_iter().flatten().zip(comparison.lost);
    parts.extend(lost.filter_map(|(name, lost)| lost_text(name, lost, a.len())));
    let verdict = match everything_lost(comparison.lost, a.len()) {
        Some(side) => {
            let worst = if side == 0 { better.worst() } else { -better.worst() };
            // Of a ratio the other end is 0.
            settled(statement.bound, worst.max(0.0))
        }
        None => inside(statement.bound, estimate),
    };
    Judged {
        verdict,
        estimate: Some(estimate),
        figure: parts.join("; "),
        difference: Some(comparison.difference.value),
        lost: comparison.lost,
    }
}

/// One contender against an absolute bound.
fn alone(statement: &Statement, of: &[(u32, f64)], confidence: f64) -> Judged {
    let worst = better(statement.metric).worst();
    let value = |value: f64| if value == LOST { worst } else { value };
    let values: Vec<f64> = of.iter().map(|(_, figure)| value(*figure)).collect();
    let Some(estimate) = stats::hodges_lehmann(&values, confidence) else {
        return Judged::inconclusive("no valid rounds");
    };
    let lost = of.iter().filter(|(_, figure)| *figure == LOST).count();
    let mut parts = Vec::new();
    parts.extend(estimate.value.is_finite().then(|| absolute(estimate, statement.metric)));
    parts.extend(lost_text(&statement.of, lost, of.len()));
    let verdict = match everything_lost([lost, 0], of.len()) {
        Some(_) => settled(statement.bound, worst),
        None => inside(statement.bound, estimate),
    };
    let lost = [lost, 0];
    Judged { verdict, estimate: Some(estimate), figure: parts.join("; "), difference: None, lost }
}

/// Which of two contenders has lost each of `rounds` rounds and the other none: that needs no interval.
fn everything_lost(lost: [usize; 2], rounds: usize) -> Option<usize> {
    match lost {
        _ if rounds == 0 => None,
        [of, 0] if of == rounds => Some(0),
        [0, versus] if versus == rounds => Some(1),
        _ => None,
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

/// Which figures of a metric are better.
fn better(metric: Metric) -> Better {
    if metric.is_a_rate() { Better::More } else { Better::Less }
}

/// Nothing of what lost rounds leave without end: a file cannot hold it.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Whether no lost round has a part in an estimate.
fn is_finite(estimate: &Estimate) -> bool {
    let Interval { low, high } = estimate.interval.unwrap_or(Interval { low: 0.0, high: 0.0 });
    [estimate.value, low, high].iter().all(|end| end.is_finite())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::Direction;
    use crate::scenario::builtin;

    #[test]
    fn a_ratio_takes_the_end_that_is_worse_for_the_statement() {
        let mut scenario = crate::scenario::mocked();
        scenario.contenders.truncate(2);
        let shapes = [("event-loop", 100.0, 1.0), ("work-stealing", 110.0, 1.0)];
        let mut trials = mock::payments(6, &shapes).trials;
        trials.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
        let judged = |trials: &[Trial], bound, versus: Option<&str>| {
            let statement = Statement {
                text: String::new(),
                metric: Metric::P99,
                of: "work-stealing".into(),
                versus: versus.map(str::to_owned),
                at: scenario.rates.first().copied(),
                request: None,
                decides: false,
                bound,
            };
            let found = Found { trials, ceilings: &[], capacity: &[], footprints: &[] };
            let judged = judge(&scenario, &statement, found);
            (judged.verdict, judged.ratio.unwrap(), judged.reason)
        };
        use StatementVerdict::{Fails, Holds, Inconclusive};
        let versus = Some("event-loop");
        let (verdict, plain, reason) = judged(&trials, Bound::AtMost(1.3), versus);
        assert_eq!((verdict, (10.0 * plain).round()), (Holds, 11.0));
        assert!(!reason.contains("worse end"), "{reason}");
        let own = |name: &'static str| move |trial: &&mut Trial| trial.contender == name;
        trials.iter_mut().filter(own("event-loop")).for_each(|trial| mock::late(trial, 0.4));
        // Of the other one only 60 % may be its own: the ratio is 1.1 to 1.8.
        let (verdict, ratio, reason) = judged(&trials, Bound::AtMost(1.3), versus);
        assert_eq!(verdict, Inconclusive, "{reason}");
        assert!(
            (ratio * 0.6 / plain - 1.0).abs() < 1e-6 && reason.contains("worse end"),
            "{reason}"
        );
        let (verdict, ratio, _) = judged(&trials, Bound::AtLeast(1.05), versus);
        assert_eq!((verdict, ratio), (Holds, plain), "at either end");
        assert_eq!(judged(&trials, Bound::AtLeast(1.3), versus).0, Inconclusive);
        assert_eq!(judged(&trials, Bound::AtLeast(2.5), versus).0, Fails);
        assert_eq!(judged(&trials, Bound::Within(1.3), versus).0, Inconclusive);
        assert_eq!(judged(&trials, Bound::Within(2.5), versus).0, Holds);
        // And against a figure.
        trials.iter_mut().filter(own("work-stealing")).for_each(|trial| mock::late(trial, 0.4));
        let (_, high, _) = judged(&trials, Bound::AtMost(1e9), None);
        let (_, low, _) = judged(&trials, Bound::AtLeast(1.0), None);
        assert!((low / high - 0.6).abs() < 1e-6);
        assert_eq!(judged(&trials, Bound::AtMost(0.8 * high), None).0, Inconclusive);
        assert_eq!(judged(&trials, Bound::AtMost(0.5 * high), None).0, Fails);
        let ends = comparisons(Family::of(&[]), &scenario, &trials);
        let p99 = ends.iter().find(|c| c.metric == "p99").unwrap();
        assert_eq!(p99.verdict, Direction::Inconclusive, "0.66 to 1.8");
        assert!(p99.low < Some(0.7) && p99.high > Some(1.8), "{p99:?}");
    }

    #[test]
    fn a_statement_was_tested_with_what_it_compares() {
        let mut scenario = builtin("go-vs-node-payment").unwrap();
        let mut trials = mock::payments(2, &[("go", 100.0, 1.0), ("node", 200.0, 1.0)]).trials;
        trials.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
        let told = |scenario: &Scenario, of: &str, versus: Option<&str>, trials: &[Trial]| {
            let statement = scenario.claims[0].clone();
            let (of, versus) = (of.to_owned(), versus.map(str::to_owned));
            tested_with(scenario, &Statement { of, versus, ..statement }, trials)
        };
        let with = |scenario: &Scenario, of: &str, versus| told(scenario, of, versus, &trials);
        assert_eq!(with(&scenario, "node", Some("go")), "Go and Node");
        assert_eq!(with(&scenario, "express", Some("node")), "Node");
        assert_eq!(with(&scenario, "event-loop", Some("thread-pool")), "Rust models");
        assert_eq!(with(&scenario, "go", Some("event-loop")), "Go and Rust models");
        assert_eq!(with(&scenario, "go", None), "Go");
        scenario.contenders[0].system = None;
        assert_eq!(with(&scenario, "go", None), "the contenders as given");

        let mut said = trials.clone();
        said.iter_mut().for_each(|trial| {
            let runtime = if trial.contender == "go" { "Go 1.27.3" } else { "Node.js 24.22.3" };
            trial.runtime = Some(runtime.into());
        });
        let both = told(&scenario, "node", Some("go"), &said);
        assert_eq!(both, "Go 1.27.3 and Node.js 24.22.3");
        assert_eq!(told(&scenario, "express", Some("node"), &said), "Node.js 24.22.3 and Node");
        // Of another scenario they say nothing here.
        said.iter_mut().for_each(|trial| trial.scenario = "other".into());
        assert_eq!(told(&scenario, "node", None, &said), "Node");
    }

    /// The floor hides a part of a difference and makes none.
    #[test]
    fn only_what_the_floor_can_hide_is_left_open() {
        let statement = |versus: Option<&str>, bound| Statement {
            versus: versus.map(str::to_owned),
            bound,
            ..builtin("payment-50ms-query").unwrap().claims[0].clone()
        };
        let beyond = |versus, bound, low, high| {
            let statement = statement(versus, bound);
            let interval = Some(Interval { low, high });
            let verdict = inside(bound, Estimate { value: low, interval, n: 10 });
            let (low, high) = (Some(low), Some(high));
            is_beyond_the_floor(
                &statement,
                &Judgement { verdict, low, high, n: 10, ..Default::default() },
            )
        };
        let other = Some("other");
        assert!(!beyond(other, Bound::Within(1.25), 0.95, 1.05), "alike");
        assert!(beyond(other, Bound::Within(1.25), 1.3, 1.5), "they differ by that or more");
        assert!(beyond(other, Bound::AtLeast(1.25), 1.3, 1.5));
        assert!(!beyond(other, Bound::AtLeast(1.25), 1.0, 1.2), "it may be more");
        assert!(beyond(other, Bound::AtLeast(1.25), 0.6, 0.9), "it is less or even less");
        assert!(beyond(other, Bound::AtMost(1.0), 0.6, 0.9));
        assert!(!beyond(other, Bound::AtMost(1.1), 0.95, 1.05));
        assert!(
            beyond(None, Bound::AtMost(1e6), 8e5, 9e5),
            "it is less without the machine's part"
        );
        assert!(!beyond(None, Bound::AtMost(1e6), 2e6, 3e6));
        assert!(!beyond(None, Bound::AtLeast(1e6), 2e6, 3e6));
    }
}
