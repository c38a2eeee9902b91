//! Lost rounds in words: how many, of whom and why, each reason once. Every output for people shows these.

use crate::judge::races::{Entry, Race};
use crate::record::{Comparison, Trial};
use crate::text::{alike, clean, counted, listed, one_line, truncated};

/// More reasons than this are counted.
const REASONS_MAX: usize = 3;
/// So much of what a contender wrote last is shown; the rest is in result.json.
const WROTE_MAX: usize = 160;

/// `thread-pool lost 4 of 10 rounds`; nothing where it lost none.
pub(crate) fn rounds(entry: &Entry<'_>) -> Option<String> {
    let lost = entry.lost().count();
    (lost > 0).then(|| format!("{} lost {lost} of {} rounds", clean(entry.name), all(entry)))
}

/// The same with the reasons: `thread-pool lost 4 of 10 rounds: the contender crashed: signal: 9 (SIGKILL); it wrote last:
/// no database`.
pub(crate) fn mark(entry: &Entry<'_>) -> Option<String> {
    let rounds = rounds(entry)?;
    Some(format!("{rounds}: {}", why(&entry.lost().collect::<Vec<_>>())))
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
fn why(lost: &[&Trial]) -> String {
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
    use crate::record::Direction;
    use crate::record::{LostBy, RunResult, TrialVerdict};
    use crate::report::summary;

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
            mark(entry).as_deref(),
            Some(
                "thread-pool lost 4 of 10 rounds: the contender crashed: signal: 9 (SIGKILL); it wrote last: no \
                 database, no service"
            )
        );
        assert_eq!(rounds(race.entry("event-loop").unwrap()), None);
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
