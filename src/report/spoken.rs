//! A race with the comparisons that the run speaks of there, in one sentence and in one figure of each contender.

use super::comparison::{AT_FLOOR, UNSEEN, confidence};
use super::format::{figure, place};
use super::losses;
use crate::judge::cell::{ends, headline};
use crate::judge::races::Race;
use crate::record::metric::label;
use crate::record::{Comparison, Direction, RunResult, TrialVerdict, Verdict};
use crate::text::{WITHHELD, capital, or_withheld, times};
use crate::units::{bytes, grouped, three_digits};

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
        let found: Vec<String> = self.comparisons.iter().map(|c| self.found(c)).collect();
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

    fn found(&self, c: &Comparison) -> String {
        let of = self.race.sized(self.result, &c.of);
        let (low, high) = ends(c);
        let interval = format!("({} to {})", times(low), times(high));
        match (c.ratio, c.verdict, losses::of_comparison(self.race, c)) {
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
