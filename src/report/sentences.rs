//! A run's findings as sentences, built from its verdicts alone.

use super::comparison::spoken;
use super::comparison::{UNSEEN, metric_of};
use super::{comparison, experiments, machines, reasons};
use crate::judge::cell::{self, belongs, factor};
use crate::judge::races::{Entry, Race, measured, middle};
use crate::record::metric::label;
use crate::record::{Comparison, Direction, LoopKind, PlacementKind, RunResult, Trial, Verdict};
use crate::report::format::{figure, load, place};
use crate::text::{WITHHELD, capital, clean, one_line, times};
use crate::units::{Rate, bytes, grouped, three_digits};

/// The lines that a person can repeat: one for each race, numbered as its column is where there are several, then what
/// experiments found.
pub(super) fn answer(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let broken = result.broken.iter().map(|broken| format!("{}.", one_line(broken)));
    if result.words.iter().any(|word| word == "--smoke") {
        return std::iter::once(smoke(result).to_owned()).chain(broken).collect();
    }
    let experiments = experiments::sentences(result);
    if races.is_empty() && experiments.is_empty() {
        return vec!["No trial was finished: there is nothing to say.".into()];
    }
    if result.verdict == Verdict::Invalid {
        let first =
            "This run is INVALID: a contender lacks valid rounds, so nothing is concluded from it.";
        return std::iter::once(first.to_owned()).chain(broken).collect();
    }
    let spoken = spoken(result, races);
    let several = spoken.len() > 1;
    let mut sentences: Vec<String> = broken.collect();
    for race in races {
        match spoken.iter().position(|one| std::ptr::eq(one.race, race)) {
            Some(place) if several => {
                sentences.push(format!("{} {}", place + 1, spoken[place].sentence()))
            }
            Some(place) => sentences.push(spoken[place].sentence()),
            None if race.entries.len() == 1 => sentences.extend(of_one(result, race)),
            None if races.len() <= UNSPOKEN_MAX => {
                let kinds = race.kinds();
                sentences.extend(kinds.iter().map(|kind| title(result, race, kind) + "."));
            }
            None => {}
        }
    }
    sentences.extend(comparison::disappearances(result, races));
    sentences.extend(experiments);
    let placed = |sentence| machines::placed(result, sentence);
    let mut sentences: Vec<String> = sentences.into_iter().map(placed).collect();
    if result.verdict == Verdict::Interrupted {
        let first = "The run was interrupted; this is what its finished rounds say.";
        sentences.insert(0, first.into());
    }
    sentences
}

/// Of more races without a headline only the tables speak.
const UNSPOKEN_MAX: usize = 3;

fn smoke(result: &RunResult) -> &'static str {
    match (result.broken.is_empty(), result.verdict) {
        (false, _) => "SMOKE: it does not work.",
        (true, Verdict::Invalid) => "SMOKE: a contender has no valid round.",
        (true, Verdict::Interrupted) => "SMOKE: interrupted.",
        (true, _) => "SMOKE: everything works. This is not a measurement: run it without --smoke.",
    }
}

/// The finding of one race and request kind as a chart's title.
pub(crate) fn title(result: &RunResult, race: &Race<'_>, kind: &str) -> String {
    title_of(result, race, "p99", Some(kind))
}

/// The finding of a race in `metric`, where that is what the run speaks of there.
pub(crate) fn finding_in(result: &RunResult, race: &Race<'_>, metric: &str) -> Option<String> {
    let (spoken, kind) = headline(result, race)?;
    (spoken == metric).then(|| MetricFindings::of(result, race, metric, kind).short())
}

/// The same of any metric; `kind` is `None` for one that has no request kind.
pub(crate) fn title_of(
    result: &RunResult,
    race: &Race<'_>,
    metric: &str,
    kind: Option<&str>,
) -> String {
    let place = capital(&place(race));
    let place = match kind.filter(|_| race.kinds().len() > 1) {
        Some(kind) => format!("{place}, {}", clean(kind)),
        None => place,
    };
    if result.verdict == Verdict::Invalid {
        return format!("{place}: this run is INVALID, nothing is concluded");
    }
    let found = MetricFindings::of(result, race, metric, kind);
    if let Some(alone) = alone(race, metric, kind).filter(|_| found.bears()) {
        return format!("{}: {alone} {}", clean(&result.title), load(race));
    }
    let exploratory = found.exploratory && !(found.lower.is_empty() && found.higher.is_empty());
    let mark = if exploratory { " (exploratory)" } else { "" };
    format!("{place}: {}{mark}", found.short())
}

/// The figures of a contender that is compared with none: `At 510/s: p99 of mine is 10.1 ms (p50 2.1 ms).`
fn of_one(result: &RunResult, race: &Race<'_>) -> Vec<String> {
    let [entry] = &race.entries[..] else { return Vec::new() };
    let kinds = race.kinds();
    let found = MetricFindings::of(result, race, "p99", None);
    if !found.bears() {
        return vec![format!("{}: {}.", capital(&place(race)), found.short())];
    }
    let sentence = |kind: &str| {
        let of = if kinds.len() > 1 { format!(", {}", clean(kind)) } else { String::new() };
        let [p99, p50] = [990, 500].map(|per_mille| figure(entry.response(kind, per_mille)));
        let (place, name) = (capital(&place(race)), clean(entry.name));
        match p99 == WITHHELD {
            true => format!("{place}{of}: p50 of {name} is {p50}; a p99 needs 1,000 requests."),
            false => format!("{place}{of}: p99 of {name} is {p99} (p50 {p50})."),
        }
    };
    kinds.iter().map(|kind| sentence(kind)).collect()
}

/// The same of one metric, for a title: `p99 10.1 ms`.
fn alone(race: &Race<'_>, name: &str, kind: Option<&str>) -> Option<String> {
    let [entry] = &race.entries[..] else { return None };
    let kind = kind.or(race.kinds().first().copied());
    let value = match name {
        "p99" => match figure(entry.response(kind?, 990)) {
            p99 if p99 == WITHHELD => {
                return Some(format!("p50 {}", figure(entry.response(kind?, 500))));
            }
            p99 => p99,
        },
        "cpu_per_request" => {
            let cpu = entry.middle(|trial| trial.server.cpu_us_per_request)?;
            format!("{} us", three_digits(cpu))
        }
        "memory" => bytes(entry.memory()?),
        "rss" => bytes(entry.rss()?),
        _ => return None,
    };
    Some(format!("{} {value}", label(name)))
}

/// What the run's sentences do not say.
pub(super) fn limits(result: &RunResult) -> Vec<&'static str> {
    let trials = || measured(result).iter().filter(|trial| !trial.voided);
    let any = |what: fn(&Trial) -> bool| trials().any(what);
    let ours = any(|t| t.workload != "http");
    let modelled = result.contenders.iter().filter(|one| one.model.is_some()).count();
    let each = [
        (
            ours && !any(|t| t.workload != "http" && t.dependency.is_some()),
            "a service that waits (state is in memory)",
        ),
        (
            any(|t| t.placement.contender_cores.len() == 1),
            "parallelism (one core for the contender)",
        ),
        (
            any(|t| t.placement.mode == PlacementKind::Shared),
            "a contender undisturbed by the generator (shared cores)",
        ),
        (any(|t| t.load.kind == LoopKind::Closed), "response times in closed loop"),
        (
            modelled > 0 && modelled < result.contenders.len(),
            "Go or Node.js by the models (those are Rust, without GC or JIT)",
        ),
        (
            modelled == result.contenders.len() && ours,
            "Go and Node.js (the models are Rust, without GC or JIT)",
        ),
        (result.machines.is_empty(), "a network (loopback on one machine)"),
        (!result.machines.is_empty(), "a network (loopback on each machine)"),
        (result.fingerprint.debug_build, "the speed of a release build (this is a debug build)"),
    ];
    each.into_iter().filter(|(applies, _)| *applies).map(|(_, limit)| limit).collect()
}

/// What the run compares and speaks of in this race: a metric, and the kind of request where it has one.
fn headline<'a>(result: &'a RunResult, race: &Race<'_>) -> Option<(&'a str, Option<&'a str>)> {
    let first = cell::headline(result, race).next()?;
    Some((&first.metric, first.request.as_deref()))
}

/// One metric of every contender against the first.
struct MetricFindings {
    /// `p99`, `p99 of account-read`
    what: String,
    base: String,
    higher: Vec<Comparison>,
    lower: Vec<Comparison>,
    unclear: Vec<Comparison>,
    /// Unclear too, and hidden by the machine's floor.
    unseen: Vec<Comparison>,
    undecided: Vec<Comparison>,
    /// `thread-pool (3,180 of 4,000/s)`
    saturated: Vec<String>,
    /// `thread-pool lost 4 of 10 rounds`
    lost: Vec<String>,
    /// None of these comparisons is the headline.
    exploratory: bool,
}

impl MetricFindings {
    fn of(result: &RunResult, race: &Race<'_>, name: &str, kind: Option<&str>) -> Self {
        let named = |c: &Comparison| Comparison {
            of: race.sized(result, &c.of),
            versus: race.sized(result, &c.versus),
            ..c.clone()
        };
        let all: Vec<Comparison> = result
            .comparisons
            .iter()
            .filter(|c| belongs(race, c) && c.metric == name)
            .filter(|c| c.request.is_none() || c.request.as_deref() == kind)
            .map(named)
            .collect();
        let latency = name.starts_with('p');
        let saturated = race.entries.iter().filter(|entry| latency && entry.is_saturated());
        let leading = || race.entries.first().map(|entry| race.sized(result, entry.name));
        let base = all.first().map(|c| c.versus.clone()).or_else(leading).unwrap_or_default();
        let mut found = Self {
            what: all.first().map_or_else(|| label(name).into(), |c| metric_of(race, c)),
            base,
            higher: Vec::new(),
            lower: Vec::new(),
            unclear: Vec::new(),
            unseen: Vec::new(),
            undecided: Vec::new(),
            saturated: saturated.map(saturation).collect(),
            lost: race.entries.iter().filter_map(reasons::lost_rounds).collect(),
            exploratory: all.iter().all(|c| c.headline_confidence.is_none()),
        };
        for c in all.into_iter().filter(|c| c.ratio.is_some()) {
            match c.verdict {
                Direction::Inconclusive if c.low.is_none() && c.high.is_none() => {
                    found.undecided.push(c)
                }
                Direction::Higher => found.higher.push(c),
                Direction::Lower => found.lower.push(c),
                Direction::Inconclusive if c.at_floor.is_some() => found.unseen.push(c),
                Direction::Inconclusive => found.unclear.push(c),
            }
        }
        found.higher.sort_by(|a, b| b.ratio.partial_cmp(&a.ratio).expect("ratios are finite"));
        found.lower.sort_by(|a, b| a.ratio.partial_cmp(&b.ratio).expect("ratios are finite"));
        found
    }

    /// Whether every contender had figures in all rounds: none was lost and none saturated.
    fn bears(&self) -> bool {
        self.lost.is_empty() && self.saturated.is_empty()
    }

    /// The one thing to know, for a title.
    fn short(&self) -> String {
        let (what, base) = (&self.metric_alone(), &self.base);
        if let Some(first) = self.saturated.first() {
            return match self.saturated.len() {
                1 => format!("{first} is saturated"),
                n => format!("{n} contenders are saturated"),
            };
        }
        if let Some(first) = self.lost.first() {
            return match self.lost.len() {
                1 => first.clone(),
                n => format!("{n} contenders lost rounds"),
            };
        }
        // Of several differences a title has the greatest.
        let (lower, higher) = match (self.lower.first(), self.higher.first()) {
            (Some(l), Some(h)) if factor(h) > factor(l) => (None, Some(h)),
            (Some(l), _) => (Some(l), None),
            (None, h) => (None, h),
        };
        match (lower, higher) {
            (Some(c), _) => {
                format!("{what} of {} is {} lower than that of {base}", c.of, times(factor(c)))
            }
            (None, Some(c)) if self.is_lowest() => {
                format!(
                    "{base} has the lowest {what}, that of {} is {} higher",
                    c.of,
                    times(factor(c))
                )
            }
            (None, Some(c)) => {
                format!("{what} of {} is {} higher than that of {base}", c.of, times(factor(c)))
            }
            (None, None) if !self.unclear.is_empty() => format!("no clear difference in {what}"),
            (None, None) if !self.unseen.is_empty() => format!("{what} {UNSEEN}"),
            (None, None) => match self.undecided.iter().map(|c| c.n).max() {
                Some(n) => format!("too few rounds to compare {what} (n = {n})"),
                None => format!("{what} is not compared"),
            },
        }
    }

    /// Every other contender is clearly higher.
    fn is_lowest(&self) -> bool {
        !self.higher.is_empty()
            && self.lower.is_empty()
            && self.unclear.is_empty()
            && self.unseen.is_empty()
            && self.undecided.is_empty()
    }

    /// The metric without the request kind, which a title has in its place.
    fn metric_alone(&self) -> String {
        self.what.split(" of ").next().unwrap_or(&self.what).to_owned()
    }
}

/// `thread-pool (3,180 of 4,000/s)`
fn saturation(entry: &Entry<'_>) -> String {
    let name = clean(entry.name);
    saturated(entry).map_or_else(|| name.clone(), |rates| format!("{name} ({rates})"))
}

/// `3,180 of 4,000/s`: what a saturated contender answered of what was due.
pub(crate) fn saturated(entry: &Entry<'_>) -> Option<String> {
    let middle = |figure: fn(&Trial) -> f64| {
        middle(entry.counted().filter(|trial| trial.saturated).map(figure).collect())
    };
    let (achieved, offered) = (middle(|t| t.achieved_rps)?, middle(|t| t.offered_rps)?);
    Some(format!("{} of {}", grouped(achieved), Rate(offered)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::ContenderInfo;

    #[test]
    fn what_could_not_be_seen_is_no_missing_difference() {
        let mut result = mock::payments(6, &[("go", 100.0, 1.0), ("node", 100.0, 1.0)]);
        let told = |result: &RunResult| {
            let races = crate::judge::races::races(result);
            (answer(result, &races).join(" "), title(result, &races[0], "payment"))
        };
        let (sentences, short) = told(&result);
        assert!(sentences.contains("p99 against go: node no clear difference ("), "{sentences}");
        assert!(short.ends_with("no clear difference in p99"), "{short}");
        for c in result.comparisons.iter_mut().filter(|c| c.metric == "p99") {
            c.at_floor = Some("go".into());
        }
        let (sentences, short) = told(&result);
        assert!(sentences.contains("p99 against go: node could not be seen here ("), "{sentences}");
        assert!(sentences.contains("): it is at the machine's floor."), "{sentences}");
        assert!(short.ends_with("p99 could not be seen here"), "{short}");
    }

    #[test]
    fn a_contender_alone_has_a_finding() {
        let mut result = mock::payments(6, &mock::MODELS[..1]);
        result.comparisons.clear();
        let races = crate::judge::races::races(&result);
        let (sentences, title) = (answer(&result, &races), title(&result, &races[0], "payment"));
        assert!(
            sentences[0].starts_with("Payment at 4,000/s: p99 of event-loop is "),
            "{sentences:?}"
        );
        let start = format!("{}: p99 ", result.title);
        assert!(title.starts_with(&start) && title.ends_with(" at 4,000/s"), "{title}");
        assert!(!sentences.join(" ").contains("not compared"), "{sentences:?}");
    }

    #[test]
    fn a_chart_of_a_burst_says_what_the_run_speaks_of() {
        let mut result = mock::payments(6, &[("go", 100.0, 1.0), ("node", 200.0, 1.0)]);
        for c in &mut result.comparisons {
            c.headline_confidence = None;
        }
        let races = crate::judge::races::races(&result);
        assert_eq!(finding_in(&result, &races[0], "goodput"), None, "it speaks of nothing");
        let mut spoken = result.clone();
        let c = spoken.comparisons.iter_mut().find(|c| c.metric == "p99").unwrap();
        (c.metric, c.headline_confidence) = ("goodput".into(), Some(0.95));
        let races = crate::judge::races::races(&spoken);
        let found = finding_in(&spoken, &races[0], "goodput").unwrap();
        assert!(found.contains("go has the lowest goodput, that of node is 2.00x"), "{found}");
        assert_eq!(finding_in(&spoken, &races[0], "p99"), None, "not of this");
    }

    #[test]
    fn nothing_that_was_measured_is_said_not_to_be() {
        let mut result = mock::payments(2, &[("go", 100.0, 1.0), ("node", 200.0, 1.0)]);
        let unmeasured = |result: &RunResult| {
            limits(result).iter().any(|limit| limit.starts_with("Go and Node.js"))
        };
        let model = Some("event-loop".to_owned());
        result.contenders = vec![ContenderInfo { model, ..Default::default() }; 2];
        assert!(unmeasured(&result));
        result.contenders[0].model = None;
        assert!(!unmeasured(&result), "one is Go");
        result.contenders.iter_mut().for_each(|one| one.model = None);
        assert!(!unmeasured(&result), "both are the real ones");
    }
}
