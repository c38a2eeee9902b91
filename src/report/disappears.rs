//! Where a difference disappears: two contenders that differ in memory, and what is left of it behind a dependency.

use super::comparison::UNSEEN;
use crate::judge::cell::{factor, headline};
use crate::judge::races::Race;
use crate::record::metric::label;
use crate::record::{Comparison, Direction, RunResult};
use crate::text::{clean, times};

/// One sentence for each workload that was run both in memory and behind a dependency:
/// `Where the difference disappears: in memory p99 of thread-pool is 1.40x that of event-loop; behind a stand-in (lookup
/// 50 ms, write 1 ms) no clear difference in p99.`
pub(super) fn sentences(result: &RunResult, races: &[Race<'_>]) -> Vec<String> {
    let mut workloads: Vec<&str> = Vec::new();
    for race in races {
        if !workloads.contains(&race.workload) {
            workloads.push(race.workload);
        }
    }
    workloads.iter().filter_map(|workload| sentence(result, races, workload)).collect()
}

fn sentence(result: &RunResult, races: &[Race<'_>], workload: &str) -> Option<String> {
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
        let said = sentences(&result, &races(&result));
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("Where the difference disappears: in memory "), "{said:?}");
        assert!(said[0].contains("p99 of thread-per-connection is 1.78x"), "{said:?}");
        let end = "behind a stand-in (lookup 50 ms, write 1 ms) no clear difference in p99.";
        assert!(said[0].ends_with(end), "{said:?}");
    }

    #[test]
    fn what_is_left_is_said_too() {
        let result = behind((1.2, 1.4));
        let said = sentences(&result, &races(&result));
        assert!(said[0].starts_with("Where a difference is left: "), "{said:?}");
        assert!(said[0].contains("p99 of") && said[0].contains("is 1.30x that of"), "{said:?}");
        let mut another = behind((1.2, 1.4));
        for c in another.comparisons.iter_mut().filter(|c| c.at == "800/s") {
            c.headline_confidence = (c.metric == "cpu_per_request").then_some(0.99);
        }
        assert!(sentences(&another, &races(&another)).is_empty(), "another metric is no answer");
        let alone = mock::payments(6, &mock::MODELS);
        assert!(sentences(&alone, &races(&alone)).is_empty(), "nothing waited");
    }
}
