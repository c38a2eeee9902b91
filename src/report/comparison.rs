//! One contender against another in words: ratio and difference with interval and n, and three outcomes always.

use super::reasons;
use crate::judge::cell::{CONFIDENCE, ends, exploratory, factor, headline, lost, range};
use crate::judge::races::{Entry, Race};
use crate::record::metric::label;
use crate::record::{Comparison, Direction, Exploratory, RunResult, TrialVerdict, Verdict};
use crate::report::format::{difference, figure, place};
use crate::text::{
    WITHHELD, capital, clean, counted, distinct, listed, or_withheld, percent, times,
};
use crate::units::{bytes, decimals, grouped, three_digits};

/// In place of a difference that the machine may hide.
pub(crate) const UNSEEN: &str = "could not be seen here";
pub(crate) const AT_FLOOR: &str = "is at the machine's floor";

/// A comparison as a row shows it, without its metric's name.
pub(crate) fn compared(race: &Race<'_>, c: &Comparison) -> String {
    let lost = reasons::of_comparison(race, c);
    match (c.ratio, lost) {
        (None, None) => format!("not compared: {}", why_not(race, c)),
        (None, Some(lost)) => match c.verdict {
            Direction::Inconclusive => format!("no clear difference: {lost}"),
            side => format!("{}: {lost}", side.name()),
        },
        (Some(ratio), None) => found(race, c, ratio),
        (Some(ratio), Some(lost)) => format!("{}; {lost}", found(race, c, ratio)),
    }
}

fn found(race: &Race<'_>, c: &Comparison, ratio: f64) -> String {
    let known = (c.low.is_some() && c.high.is_some()) || lost(c) > 0;
    if !known {
        return match range(race, c) {
            Some((low, high)) if c.n > 1 => format!(
                "{} to {} over {}, no interval (n = {})",
                times(low),
                times(high),
                counted(c.n as usize, "round"),
                c.n
            ),
            _ => format!("{}, no interval (n = {})", times(ratio), c.n),
        };
    }
    let (low, high) = ends(c);
    match c.verdict {
        Direction::Inconclusive => {
            let interval = format!("{} to {}, n = {}", times(low), times(high), c.n);
            match &c.at_floor {
                Some(name) => format!("{}: {} {AT_FLOOR} ({interval})", UNSEEN, clean(name)),
                None => format!("no clear difference ({interval})"),
            }
        }
        side => {
            let (low, high) =
                if side == Direction::Lower { (1.0 / high, 1.0 / low) } else { (low, high) };
            let difference = c.difference.map(|d| difference(&c.metric, d));
            let difference = difference.map_or_else(String::new, |d| format!(" ({d})"));
            format!(
                "{} {}{difference}, {} interval {} to {}, n = {}",
                times(factor(c)),
                side.name(),
                confidence(c),
                times(low),
                times(high),
                c.n
            )
        }
    }
}

/// `95 %`, and more of one of several that the run speaks of.
pub(crate) fn confidence(c: &Comparison) -> String {
    level(c.headline_confidence.unwrap_or(CONFIDENCE))
}

/// With more digits near 100 %: each of hundreds of comparisons is nearly certain, but not quite.
fn level(confidence: f64) -> String {
    percent(confidence, if confidence > 0.999 { 3 } else { 1 })
}

/// `Headline: 3 comparisons, each at 98.3 %, so that all hold at 95 %. Exploratory: 18 others, each at 95 %: 5 differ, and
/// 0.6 would by chance.`
pub(crate) fn families(comparisons: &[Comparison]) -> Option<String> {
    let compared = comparisons.iter().filter(|c| c.n > 0);
    let headline: Vec<f64> = compared.filter_map(|c| c.headline_confidence).collect();
    let first = headline.first().map(|confidence| match headline.len() {
        1 => format!("Headline: one comparison, at {}.", level(*confidence)),
        n => format!(
            "Headline: {n} comparisons, each at {}, so that all hold at 95 %.",
            level(*confidence)
        ),
    });
    let second = exploratory(comparisons).map(|Exploratory { compared, differ, by_chance }| {
        let others = if first.is_some() { "others" } else { "comparisons" };
        format!(
            "Exploratory: {compared} {others}, each at 95 %: {differ} {}, and {} would by chance.",
            if differ == 1 { "differs" } else { "differ" },
            decimals(by_chance, 1)
        )
    });
    let both: Vec<String> = first.into_iter().chain(second).collect();
    (!both.is_empty()).then(|| both.join(" "))
}

/// `p99`, or `p99 of account-read` where a race has several request kinds.
pub(crate) fn metric_of(race: &Race<'_>, c: &Comparison) -> String {
    let several = race.kinds().len() > 1;
    match c.request.as_deref().filter(|_| several) {
        Some(kind) => format!("{} of {}", label(&c.metric), clean(kind)),
        None => label(&c.metric).into_owned(),
    }
}

/// Why there is no ratio.
fn why_not(race: &Race<'_>, c: &Comparison) -> String {
    let latency = c.metric.starts_with('p');
    let saturated: Vec<String> = [&c.versus, &c.of]
        .into_iter()
        .filter(|name| latency && race.entry(name).is_some_and(Entry::is_saturated))
        .map(|name| clean(name))
        .collect();
    if saturated.is_empty() {
        return "no round in which both have this figure".into();
    }
    format!("{} saturated", listed(&saturated) + if saturated.len() == 1 { " is" } else { " are" })
}

// A race with the comparisons that the run speaks of there, in one sentence and in one figure of each contender.

pub(super) struct Spoken<'r> {
    pub(super) race: &'r Race<'r>,
    result: &'r RunResult,
    comparisons: Vec<&'r Comparison>,
}

/// The races of which the run speaks; none of a run that is INVALID.
pub(super) fn spoken<'r>(result: &'r RunResult, races: &'r [Race<'r>]) -> Vec<Spoken<'r>> {
    let races = races.iter().filter(|_| result.verdict != Verdict::Invalid);
    let of = |race| Spoken { race, result, comparisons: headline(result, race).collect() };
    races.map(of).filter(|one| !one.comparisons.is_empty()).collect()
}

impl Spoken<'_> {
    fn metric(&self) -> &str {
        &self.comparisons[0].metric
    }

    /// `Payment at 1,500/s: CPU/request against event-loop: work-stealing no clear difference (0.98x to 1.03x), thread-pool
    /// 1.26x (1.20x to 1.31x).`
    pub(super) fn sentence(&self) -> String {
        let against = self.race.sized(self.result, &self.comparisons[0].versus);
        let found: Vec<String> = self.comparisons.iter().map(|c| self.spoken_of(c)).collect();
        let suspect = match self.race.trials().any(|t| t.validity.verdict == TrialVerdict::Suspect)
        {
            true => " (some rounds are SUSPECT)",
            false => "",
        };
        format!(
            "{}: {} against {against}: {}{suspect}.",
            capital(&place(self.race)),
            label(self.metric()),
            found.join(", ")
        )
    }

    fn spoken_of(&self, c: &Comparison) -> String {
        let of = self.race.sized(self.result, &c.of);
        let (low, high) = ends(c);
        let interval = format!("({} to {})", times(low), times(high));
        match (c.ratio, c.verdict, reasons::of_comparison(self.race, c)) {
            (_, _, Some(lost)) => lost,
            (None, ..) => format!("{of} not compared"),
            (Some(_), ..) if c.low.is_none() => format!("{of} too few rounds (n = {})", c.n),
            (Some(_), Direction::Inconclusive, _) if c.at_floor.is_some() => {
                format!("{of} {UNSEEN} {interval}: it {AT_FLOOR}")
            }
            (Some(_), Direction::Inconclusive, _) => format!("{of} no clear difference {interval}"),
            (Some(ratio), ..) => format!("{of} {} {interval}", times(ratio)),
        }
    }

    /// The head of [`Self::figure`], with the unit that it lacks.
    pub(super) fn head(&self) -> String {
        match self.metric() {
            metric @ ("goodput" | "achieved") => format!("{}/s", label(metric)),
            metric => label(metric).into_owned(),
        }
    }

    /// The headline of one contender, the median of its rounds.
    pub(super) fn figure(&self, name: &str) -> String {
        let Some(entry) = self.race.entry(name) else { return WITHHELD.into() };
        let kind = self.comparisons[0].request.as_deref().unwrap_or(self.race.kinds()[0]);
        let response = |per_mille| figure(entry.response(kind, per_mille));
        match self.metric() {
            "p50" | "completion" => response(500),
            "p90" => response(900),
            "p99" => response(990),
            "p99_9" => response(999),
            "cpu_per_request" => {
                let cpu = entry.middle(|trial| trial.server.cpu_us_per_request);
                or_withheld(cpu, |us| format!("{} us", three_digits(us)))
            }
            "memory" => or_withheld(entry.memory(), bytes),
            "goodput" => or_withheld(entry.middle(|trial| trial.goodput_rps), grouped),
            "achieved" => or_withheld(entry.middle(|trial| Some(trial.achieved_rps)), grouped),
            _ => WITHHELD.into(),
        }
    }
}

/// `Ratios of paired rounds (n = 9), intervals at 99.4 %, all 8 together at 95 %. No clear difference: the interval reaches
/// 1.00.`
pub(super) fn rule(spoken: &[Spoken<'_>]) -> Option<String> {
    let all: Vec<&Comparison> = spoken.iter().flat_map(|one| &one.comparisons).copied().collect();
    let n = all.iter().map(|c| c.n).min()?;
    let level = confidence(all[0]);
    let rule = match all.len() {
        1 => format!("Ratio of paired rounds (n = {n}), interval at {level}."),
        all => format!(
            "Ratios of paired rounds (n = {n}), intervals at {level}, all {all} together at 95 %."
        ),
    };
    let unclear = all
        .iter()
        .any(|c| c.ratio.is_some() && c.low.is_some() && c.verdict == Direction::Inconclusive);
    Some(rule + if unclear { " No clear difference: the interval reaches 1.00." } else { "" })
}

// Where a difference disappears: two contenders that differ in memory, and what is left of it behind a dependency.

/// One sentence for each workload that was run both in memory and behind a dependency:
/// `Where the difference disappears: in memory p99 of thread-pool is 1.40x that of event-loop; behind a stand-in (lookup
/// 50 ms, write 1 ms) no clear difference in p99.`
pub(super) fn disappearances(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let workloads = distinct(races.iter().map(|race| race.workload));
    workloads.iter().filter_map(|workload| disappearance(result, races, workload)).collect()
}

fn disappearance(result: &RunResult, races: &[Race<'_>], workload: &str) -> Option<String> {
    let here = || races.iter().filter(|race| race.workload == workload);
    let memory = here().find(|race| race.dependency().is_none())?;
    let behind: Vec<&Race<'_>> = here().filter(|race| race.dependency().is_some()).collect();
    if behind.is_empty() {
        return None;
    }
    let Some(largest) = largest(result, memory) else {
        let first = headline(result, memory).next()?;
        // Without an interval nothing is known, and what is left out by a lost round may be a difference.
        let known = |c: &Comparison| {
            c.low.is_some() && c.high.is_some() && c.verdict == Direction::Inconclusive
        };
        if !headline(result, memory).all(known) {
            return None;
        }
        let what = label(&first.metric);
        return Some(match headline(result, memory).any(|c| c.at_floor.is_some()) {
            true => format!("Already in memory {what} of {workload} {UNSEEN}."),
            false => format!("Already in memory {workload} shows no clear difference in {what}."),
        });
    };
    let mut left = Vec::new();
    let mut gone = false;
    for race in behind {
        let dependency = clean(race.dependency().unwrap_or_default());
        let pair = |c: &&Comparison| {
            (&c.of, &c.versus, &c.metric) == (&largest.of, &largest.versus, &largest.metric)
        };
        let Some(found) = headline(result, race).find(pair) else { continue };
        let known = found.low.is_some() && found.high.is_some();
        gone |= known && found.verdict == Direction::Inconclusive && found.at_floor.is_none();
        left.push(format!("behind {dependency} {}", in_words(found)));
    }
    if left.is_empty() {
        return None;
    }
    let start = match gone {
        true => "Where the difference disappears",
        false => "Where a difference is left",
    };
    let first = in_words(largest);
    Some(format!("{start}: in memory {first}; {}.", left.join("; ")))
}

/// The clearest difference of a race.
fn largest<'a>(result: &'a RunResult, race: &Race<'_>) -> Option<&'a Comparison> {
    let clear =
        headline(result, race).filter(|c| c.verdict != Direction::Inconclusive && c.low.is_some());
    clear.max_by(|a, b| factor(a).total_cmp(&factor(b)))
}

fn in_words(c: &Comparison) -> String {
    let what = label(&c.metric);
    let Some(ratio) = c.ratio.filter(|_| c.low.is_some() && c.high.is_some()) else {
        return format!("{what} could not be compared");
    };
    let (of, versus) = (clean(&c.of), clean(&c.versus));
    // The one that has more comes first.
    let (more, less, ratio) = match ratio >= 1.0 {
        true => (of, versus, ratio),
        false => (versus, of, ratio.recip()),
    };
    match (c.verdict, &*c.metric) {
        (Direction::Inconclusive, _) if c.at_floor.is_some() => format!("{what} {UNSEEN}"),
        (Direction::Inconclusive, _) => format!("no clear difference in {what}"),
        (_, "cpu_per_request") => format!("{more} uses {} the CPU of {less}", times(ratio)),
        _ => format!("{what} of {more} is {} that of {less}", times(ratio)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;

    #[test]
    fn forty_eight_comparisons_of_six_rounds_find_one_and_a_half_by_chance() {
        let one = Comparison {
            metric: "p50".into(),
            low: Some(0.9),
            high: Some(1.1),
            n: 6,
            verdict: Direction::Inconclusive,
            ..Comparison::default()
        };
        let differs = Comparison { verdict: Direction::Higher, ..one.clone() };
        let headline = Comparison { headline_confidence: Some(0.99), ..differs.clone() };
        let capacity = Comparison { metric: "capacity".into(), ..differs.clone() };
        let mut all = vec![one; 47];
        all.extend([differs, headline, capacity]);
        let found = exploratory(&all).unwrap();
        assert_eq!(found, Exploratory { compared: 48, differ: 1, by_chance: 1.5 });
        assert_eq!(exploratory(&all[48..]), None);
        all.truncate(49);
        let said = families(&all).unwrap();
        assert_eq!(
            said,
            "Headline: one comparison, at 99 %. Exploratory: 48 others, each at 95 %: 1 differs, and 1.5 would by chance."
        );
        all.push(all[48].clone());
        assert!(families(&all).unwrap().starts_with("Headline: 2 comparisons, each at 99 %, so"));
    }

    /// The mock's payments, and the same behind a stand-in, where every p99 is within `range` of the first one's.
    fn behind(range: (f64, f64)) -> RunResult {
        let mut result = mock::payments(6, &mock::MODELS);
        let mut trials = result.trials.clone();
        for trial in &mut trials {
            trial.level = "800/s".into();
            trial.dependency = Some("a stand-in (lookup 50 ms, write 1 ms)".into());
        }
        let mut comparisons = result.comparisons.clone();
        for c in &mut comparisons {
            c.at = "800/s".into();
            (c.low, c.high) = (Some(range.0), Some(range.1));
            c.ratio = Some(f64::midpoint(range.0, range.1));
            c.verdict = if range.0 > 1.0 { Direction::Higher } else { Direction::Inconclusive };
        }
        result.trials.extend(trials);
        result.comparisons.extend(comparisons);
        result
    }

    #[test]
    fn what_waiting_hides_is_said_with_where() {
        let result = behind((0.98, 1.03));
        let said = disappearances(&result, &races(&result));
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("Where the difference disappears: in memory "), "{said:?}");
        assert!(said[0].contains("p99 of thread-per-connection is 1.78x"), "{said:?}");
        let end = "behind a stand-in (lookup 50 ms, write 1 ms) no clear difference in p99.";
        assert!(said[0].ends_with(end), "{said:?}");
    }

    #[test]
    fn what_is_left_is_said_too() {
        let result = behind((1.2, 1.4));
        let said = disappearances(&result, &races(&result));
        assert!(said[0].starts_with("Where a difference is left: "), "{said:?}");
        assert!(said[0].contains("p99 of") && said[0].contains("is 1.30x that of"), "{said:?}");
        let mut another = behind((1.2, 1.4));
        for c in another.comparisons.iter_mut().filter(|c| c.at == "800/s") {
            c.headline_confidence = (c.metric == "cpu_per_request").then_some(0.99);
        }
        assert!(
            disappearances(&another, &races(&another)).is_empty(),
            "another metric is no answer"
        );
        let alone = mock::payments(6, &mock::MODELS);
        assert!(disappearances(&alone, &races(&alone)).is_empty(), "nothing waited");
    }
}
