//! Statements about footprints, which no load has a part in.

use super::comparison::levels;
use super::series::{End, metric_of};
use super::words::{figure, unit};
use super::{Found, Judged, against, alone, settled};
use crate::record::{Footprint, OverStarts, Trial};
use crate::scenario::{Metric, Scenario, Statement};
use crate::stats::{self, LOST};

/// Judges a statement whose metric is of a footprint. What is counted is settled without an interval.
pub(crate) fn judge(scenario: &Scenario, statement: &Statement, found: Found<'_>) -> Judged {
    let named = |name: &String| {
        let mut here =
            found.footprints.iter().filter(|one| one.workload == scenario.workload.name());
        here.find(|one| one.contender == *name)
    };
    let metric = statement.metric;
    let (of, versus) = (named(&statement.of), statement.versus.as_ref().map(named));
    if metric.is_exact() {
        let size = |one: Option<&Footprint>| one.and_then(|one| size(one, metric));
        let value = match (size(of), versus.map(size)) {
            (Some(of), None) => Some((of, figure(of, unit(metric)))),
            (Some(of), Some(Some(versus))) => Some((of / versus, format!("{:.2}x", of / versus))),
            _ => None,
        };
        return match value {
            Some((value, shown)) => {
                Judged::of(settled(statement.bound, value), None, format!("{shown}, counted"))
            }
            None => Judged::inconclusive("nothing was counted"),
        };
    }
    let series = |one: Option<&Footprint>| one.map(|one| by_start(one, metric)).unwrap_or_default();
    match versus {
        Some(versus) => against(statement, &series(of), &series(versus), scenario.confidence),
        None => alone(statement, &series(of), scenario.confidence),
    }
}

/// A footprint with what the trials of the first level say of the contender's memory.
pub(crate) fn under_load(
    mut footprint: Footprint,
    scenario: &Scenario,
    trials: &[Trial],
) -> Footprint {
    let level = levels(scenario).into_iter().next();
    let here = trials.iter().filter(|trial| {
        trial.scenario == scenario.name
            && trial.contender == footprint.contender
            && Some(&trial.level) == level.as_ref()
    });
    let peaks: Vec<f64> =
        here.filter_map(|trial| metric_of(trial, Metric::Rss, None, End::High)).collect();
    footprint.rss_load_bytes = stats::median(&peaks);
    footprint.load = level.filter(|_| footprint.rss_load_bytes.is_some());
    footprint
}

/// A size without a payload, or an image that could not be made, is no size.
fn size(one: &Footprint, metric: Metric) -> Option<f64> {
    let bytes = match metric {
        Metric::Image => one.image.as_ref().map(|image| image.compressed_bytes),
        _ => Some(one.payload.bytes),
    };
    bytes.filter(|bytes| *bytes > 0).map(|bytes| bytes as f64)
}

/// A figure of each start, [`LOST`] of those that were.
fn by_start(one: &Footprint, metric: Metric) -> Vec<(u32, f64)> {
    let mut values = starts(one, metric).into_iter().flat_map(|starts| starts.values.iter());
    let figure = |start: u32| match one.lost_starts.contains(&start) {
        true => Some((start, LOST)),
        false => values.next().map(|value| (start, *value)),
    };
    let all = starts(one, metric).map_or(0, |starts| starts.values.len()) + one.lost_starts.len();
    (1..=all as u32).filter_map(figure).collect()
}

fn starts(one: &Footprint, metric: Metric) -> Option<&OverStarts> {
    match metric {
        Metric::StartUp => one.start_ns.as_ref(),
        _ => one.rss_idle_bytes.as_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FileSet, Judgement, StatementVerdict};
    use crate::scenario::{Bound, builtin};

    fn footprint(contender: &str, payload: u64, start_ms: f64) -> Footprint {
        let values: Vec<f64> = (0..10).map(|n| (start_ms + f64::from(n) / 100.0) * 1e6).collect();
        Footprint {
            workload: "payment".into(),
            contender: contender.into(),
            start_ns: Some(OverStarts { n: 10, median: values[5], low: None, high: None, values }),
            rss_idle_bytes: None,
            rss_load_bytes: None,
            load: None,
            payload: FileSet { files: 1, bytes: payload },
            runtime: FileSet::default(),
            base: None,
            image: None,
            note: String::new(),
            lost_starts: Vec::new(),
            lost_reason: String::new(),
        }
    }

    fn judged(metric: Metric, versus: Option<&str>, bound: Bound) -> Judgement {
        let scenario = builtin("footprint").unwrap();
        let footprints = [footprint("go", 6 << 20, 5.0), footprint("node", 24 << 20, 50.0)];
        let statement = Statement {
            text: "so".into(),
            metric,
            of: "go".into(),
            versus: versus.map(str::to_owned),
            at: None,
            request: None,
            bound,
            decides: false,
        };
        let found = Found { trials: &[], ceilings: &[], capacity: &[], footprints: &footprints };
        crate::judge::statement::judge(&scenario, &statement, found)
    }

    #[test]
    fn what_is_counted_is_settled_and_what_is_measured_has_an_interval() {
        let payload = judged(Metric::Payload, Some("node"), Bound::AtMost(0.3));
        assert_eq!(payload.verdict, StatementVerdict::Holds);
        assert!(payload.reason.starts_with("0.25x, counted; asked: at most 0.3x"), "{payload:?}");
        let alone = judged(Metric::Payload, None, Bound::AtMost(5e6));
        assert_eq!(alone.verdict, StatementVerdict::Fails);
        assert!(alone.reason.starts_with("6 MiB, counted"), "{alone:?}");

        let start = judged(Metric::StartUp, Some("node"), Bound::AtMost(0.5));
        assert_eq!((start.verdict, start.n), (StatementVerdict::Holds, 10));
        assert!(start.low.unwrap() <= 0.11 && start.high.unwrap() >= 0.1, "{start:?}");
        assert_eq!(start.tested_with, "Go and Node");
    }

    #[test]
    fn a_lost_start_is_worse_than_any_other() {
        let mut go = footprint("go", 6 << 20, 5.0);
        go.lost_starts = vec![2];
        let times: Vec<f64> = by_start(&go, Metric::StartUp).iter().map(|(_, ns)| *ns).collect();
        assert_eq!((times.len(), times[1]), (11, LOST));
        let scenario = builtin("footprint").unwrap();
        let statement = Statement {
            text: "so".into(),
            metric: Metric::StartUp,
            of: "go".into(),
            versus: None,
            at: None,
            request: None,
            bound: Bound::AtMost(100e6),
            decides: false,
        };
        let found = |one: &Footprint| {
            let footprints = [one.clone()];
            let found =
                Found { trials: &[], ceilings: &[], capacity: &[], footprints: &footprints };
            crate::judge::statement::judge(&scenario, &statement, found)
        };
        let one = found(&go);
        assert_eq!((one.verdict, one.n), (StatementVerdict::Inconclusive, 11), "{one:?}");
        assert!(one.reason.contains("go lost 1 of 11 rounds"), "{one:?}");
        go.start_ns = None;
        go.lost_starts = (1..=10).collect();
        let all = found(&go);
        assert_eq!(all.verdict, StatementVerdict::Fails, "{all:?}");
    }

    #[test]
    fn what_is_not_there_is_inconclusive() {
        let gone = judged(Metric::Payload, Some("express"), Bound::AtMost(1.0));
        assert_eq!(gone.verdict, StatementVerdict::Inconclusive);
        assert_eq!(judged(Metric::Image, None, Bound::AtMost(1.0)).ratio, None);
        let idle = judged(Metric::RssIdle, Some("node"), Bound::AtMost(1.0));
        assert_eq!((idle.verdict, idle.n), (StatementVerdict::Inconclusive, 0));
    }
}
