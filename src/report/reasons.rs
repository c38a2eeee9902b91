//! Why trials are not valid and rounds are lost: each reason once, with whom it concerns.

use crate::judge::races::{Entry, Race};
use crate::record::metric::label;
use crate::record::{Comparison, DriftVerdict, RunResult, Trial};
use crate::report::format::place;
use crate::text::{alike, clean, counted, listed, one_line, truncated};
use std::collections::{BTreeMap, BTreeSet};

/// A reason that made trials suspect or invalid, or a round void.
pub(crate) struct Reason {
    /// `SUSPECT`, `INVALID` or `VOID`; empty where others are counted.
    pub(crate) verdict: &'static str,
    pub(crate) text: String,
    /// `thread-pool (payment at 4,000/s) in 2 rounds`
    pub(crate) whose: String,
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
pub(super) fn reasons(result: &RunResult, races: &[Race<'_>]) -> Vec<Reason> {
    let mut found: Vec<Alike> = Vec::new();
    // Why a round was lost stands with the contender that lost it.
    for trial in result.trials.iter().filter(|trial| trial.voided || !trial.validity.lost) {
        let verdict = if trial.voided { "VOID" } else { trial.validity.verdict.word() };
        for text in trial.validity.reasons.iter().map(|reason| clean(reason)) {
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
        Some(race) if races.len() > 1 => format!("{name} ({})", place(race)),
        _ => name,
    }
}

/// Sentences on drift and on percentiles that are the machine's.
pub(crate) fn marks(result: &RunResult) -> Vec<String> {
    let usable: Vec<&Trial> = result.trials.iter().filter(|trial| !trial.voided).collect();
    drift(&usable).into_iter().chain(at_floor(&usable)).collect()
}

/// Nothing for trials of an earlier version, which do not say.
fn drift(trials: &[&Trial]) -> Option<String> {
    let untested =
        trials.iter().filter(|trial| trial.validity.drift == DriftVerdict::NotTested).count();
    match untested {
        0 => None,
        n if n == trials.len() => Some(
            "Drift: not tested; it takes an open load of 20 s with ten answers in most seconds."
                .into(),
        ),
        n => Some(format!("Drift: not tested in {} of {}.", counted(n, "trial"), trials.len())),
    }
}

/// `At the machine's floor: p99.9 of payment of event-loop in 3 trials.`
fn at_floor(trials: &[&Trial]) -> Option<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for trial in trials {
        let here: BTreeSet<String> = trial
            .validity
            .at_floor
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)))
            .map(|(kind, name)| {
                format!("{} of {} of {}", label(name), clean(kind), clean(&trial.contender))
            })
            .collect();
        here.into_iter().for_each(|what| *found.entry(what).or_default() += 1);
    }
    let found: Vec<String> =
        found.into_iter().map(|(what, n)| format!("{what} in {}", counted(n, "trial"))).collect();
    (!found.is_empty()).then(|| format!("At the machine's floor: {}.", listed(&found)))
}

// Lost rounds. Every output for people shows these.

/// More reasons than this are counted.
const REASONS_MAX: usize = 3;
/// So much of what a contender wrote last is shown; the rest is in result.json.
const WROTE_MAX: usize = 160;

/// `thread-pool lost 4 of 10 rounds`; nothing where it lost none.
pub(crate) fn lost_rounds(entry: &Entry<'_>) -> Option<String> {
    let lost = entry.lost().count();
    (lost > 0).then(|| format!("{} lost {lost} of {} rounds", clean(entry.name), all(entry)))
}

/// The same with the reasons: `thread-pool lost 4 of 10 rounds: the contender crashed: signal: 9 (SIGKILL); it wrote last:
/// no database`.
pub(crate) fn lost_mark(entry: &Entry<'_>) -> Option<String> {
    let rounds = lost_rounds(entry)?;
    Some(format!("{rounds}: {}", why_lost(&entry.lost().collect::<Vec<_>>())))
}

/// What two contenders lost of the rounds of a comparison, and whether it was by saturation.
pub(crate) fn of_comparison(race: &Race<'_>, c: &Comparison) -> Option<String> {
    let of = |name: &str, lost: u32| {
        let entry = race.entry(name);
        let behind = c.metric.starts_with('p')
            && entry.is_some_and(|it| it.saturated_rounds() > 0 && it.lost().next().is_none());
        let how = if behind { " (saturated)" } else { "" };
        (lost > 0).then(|| format!("{} lost {lost} of {} rounds{how}", clean(name), c.n))
    };
    let both = [of(&c.of, c.lost_of), of(&c.versus, c.lost_versus)];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then(|| listed(&both))
}

/// Rounds of which the lost ones are some.
fn all(entry: &Entry<'_>) -> usize {
    entry.counted().count()
}

/// Each reason once, with how often where there are several, and what was written last.
fn why_lost(lost: &[&Trial]) -> String {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for trial in lost {
        // The contender's own doing comes first.
        let reason = clean(trial.validity.reasons.first().map_or("", String::as_str));
        match reasons.iter_mut().find(|(known, _)| alike(known) == alike(&reason)) {
            Some((_, times)) => *times += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let several = reasons.len() > 1;
    let more = reasons.len().saturating_sub(REASONS_MAX);
    reasons.truncate(REASONS_MAX);
    let mut parts: Vec<String> = reasons
        .into_iter()
        .map(|(reason, times)| match several {
            true => format!("{reason} (in {times})"),
            false => reason,
        })
        .collect();
    parts.extend((more > 0).then(|| format!("{} more in result.json", counted(more, "reason"))));
    let wrote = lost.iter().find_map(|trial| trial.validity.wrote.lines().next_back());
    parts.extend(wrote.map(|it| format!("it wrote last: {}", truncated(&one_line(it), WROTE_MAX))));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;
    use crate::record::{Direction, LostBy, RunResult, TrialVerdict};
    use crate::report::summary;

    #[test]
    fn what_was_not_tested_and_what_is_the_machines_is_said() {
        let mut result = mock::payments(2, &mock::MODELS[..2]);
        assert_eq!(
            marks(&result),
            ["Drift: not tested; it takes an open load of 20 s with ten answers in most seconds."]
        );
        result.trials[0].validity.drift = DriftVerdict::None;
        let name = result.trials[0].contender.clone();
        let marked = BTreeMap::from([("payment".into(), vec!["p99_9".into()])]);
        result.trials[0].validity.at_floor = marked;
        assert_eq!(
            marks(&result),
            [
                "Drift: not tested in 3 trials of 4.".to_owned(),
                format!("At the machine's floor: p99.9 of payment of {name} in 1 trial.")
            ]
        );
        result.trials.iter_mut().for_each(|trial| trial.voided = true);
        assert!(marks(&result).is_empty());
    }

    /// The thread pool lost four rounds of ten.
    fn run() -> RunResult {
        let mut result = mock::payments(10, &mock::MODELS);
        let own = result.trials.iter_mut().filter(|trial| trial.contender == "thread-pool");
        for trial in own.filter(|trial| trial.round <= 4) {
            trial.validity.verdict = TrialVerdict::Invalid;
            (trial.validity.lost, trial.validity.lost_by) = (true, Some(LostBy::Crash));
            trial.validity.reasons = vec!["the contender crashed: signal: 9 (SIGKILL)".into()];
            trial.validity.wrote = "up\nno database, no service\n".into();
        }
        for c in result.comparisons.iter_mut().filter(|c| c.of == "thread-pool") {
            (c.ratio, c.high, c.difference, c.lost_of) = (None, None, None, 4);
            c.verdict = Direction::Inconclusive;
        }
        result
    }

    #[test]
    fn lost_rounds_are_told_with_their_reason() {
        let result = run();
        let race = &races(&result)[0];
        let entry = race.entry("thread-pool").unwrap();
        assert_eq!(
            lost_mark(entry).as_deref(),
            Some(
                "thread-pool lost 4 of 10 rounds: the contender crashed: signal: 9 (SIGKILL); it wrote last: no \
                 database, no service"
            )
        );
        assert_eq!(lost_rounds(race.entry("event-loop").unwrap()), None);
    }

    #[test]
    fn every_output_shows_them_and_the_reason_once() {
        let result = run();
        let text = summary::text(&result, None, true);
        let text = anstream::adapter::strip_str(&text).to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, shown) in [
            ("text", text),
            ("markdown", summary::markdown(&result)),
            ("page", summary::html(&result)),
        ] {
            // The page has the whole result at its end.
            let shown = shown.split("id=\"result\"").next().unwrap_or_default();
            let (lost, reason) =
                ("thread-pool lost 4 of 10 rounds", "the contender crashed: signal: 9");
            assert!(shown.contains(lost), "{name}: {shown}");
            assert_eq!(shown.matches(reason).count(), 1, "{name}: {shown}");
        }
        let charts = crate::report::charts::pictures(&result);
        assert!(charts.iter().any(|chart| chart.alt.contains("lost 4 of 10 rounds")), "charts");
    }
}
