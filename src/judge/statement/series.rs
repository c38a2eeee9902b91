//! A metric of a contender, round by round.

use crate::record::{Trial, TrialVerdict};
use crate::scenario::{Metric, Scenario};
use crate::stats;
use crate::stats::percentile::FAILED_NS;
use crate::stats::{Better, Estimate, LOST};

/// Where a statement or a comparison looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) level: &'a str,
    pub(crate) request: Option<&'a str>,
}

/// Which end of its interval a percentile stands for where over a quarter of it may be the generator's own lateness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Less that lateness.
    Low,
    /// As it was seen.
    High,
}

/// A contender's metric by round, [`LOST`] in rounds that it has lost.
pub(crate) type Series = Vec<(u32, f64)>;

/// A contender's metric in every round that counts.
pub(crate) fn series(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    contender: &str,
    end: End,
) -> Series {
    let here = trials.iter().filter(|trial| {
        trial.scenario == place.scenario.name
            && trial.level == place.level
            && trial.contender == contender
            && !trial.voided
    });
    let value = |trial: &Trial| match has_lost(trial, metric) {
        true => Some(LOST),
        false => metric_of(trial, metric, place.request, end),
    };
    here.filter_map(|trial| value(trial).map(|value| (trial.round, value))).collect()
}

/// Whether a trial is lost in a metric: in every one when the contender broke down, answered wrongly or failed too often; in
/// those of response time when it fell behind.
fn has_lost(trial: &Trial, metric: Metric) -> bool {
    let behind = metric.is_of_responses() && trial.saturated;
    let never_back = metric == Metric::Recovery
        && trial.recovery.is_some_and(|recovery| recovery.after_ns.is_none());
    trial.validity.lost || behind || never_back
}

/// Whether the memory of two contenders was read in one way: readings of two kinds are not compared.
pub(crate) fn alike_read(trials: &[Trial], place: Place<'_>, names: [&str; 2]) -> bool {
    let here = trials.iter().filter(|trial| {
        trial.scenario == place.scenario.name
            && trial.level == place.level
            && names.contains(&&*trial.contender)
            && !trial.voided
    });
    let mut kinds = here.filter_map(|trial| trial.server.memory_kind);
    kinds.next().is_none_or(|first| kinds.all(|kind| kind == first))
}

/// The values of the rounds that both have.
pub(crate) fn paired(a: &[(u32, f64)], b: &[(u32, f64)]) -> (Vec<f64>, Vec<f64>) {
    a.iter()
        .filter_map(|(round, a)| b.iter().find(|(other, _)| other == round).map(|(_, b)| (*a, *b)))
        .unzip()
}

/// How many times as much the first is as the second, over the rounds that both have; [`LOST`] counts for the worse.
pub(crate) fn ratio(
    a: &[(u32, f64)],
    b: &[(u32, f64)],
    better: Better,
    confidence: f64,
) -> Option<Estimate> {
    let (a, b) = paired(a, b);
    stats::ratio_of(&a, &b, better, confidence)?.ratio
}

/// A metric of a trial, infinite where a percentile fell on a failure; nothing when the trial or the figure may not be
/// used.
pub(crate) fn metric_of(
    trial: &Trial,
    metric: Metric,
    request: Option<&str>,
    end: End,
) -> Option<f64> {
    if trial.voided || trial.validity.verdict == TrialVerdict::Invalid {
        return None;
    }
    let response = |per_mille| {
        let (low, high) = trial.by_request.get(request?)?.response_ns.as_ref()?.ends(per_mille)?;
        Some(if end == End::Low { low } else { high })
    };
    let value = match metric {
        Metric::P50 | Metric::Completion => response(500)?,
        Metric::P90 => response(900)?,
        Metric::P99 => response(990)?,
        Metric::P99_9 => response(999)?,
        Metric::Achieved => trial.achieved_rps,
        Metric::Goodput => trial.goodput_rps?,
        Metric::CpuPerRequest => trial.server.cpu_us_per_request?,
        Metric::UserCpuPerRequest => trial.server.user_us_per_request?,
        Metric::SystemCpuPerRequest => trial.server.system_us_per_request?,
        Metric::RunQueuePerRequest => trial.server.run_queue_us_per_request?,
        Metric::SwitchesPerRequest => trial.server.switches_per_request()?,
        Metric::FaultsPerRequest => trial.server.faults_per_request()?,
        Metric::Memory => trial.server.memory_peak_bytes? as f64,
        Metric::Rss => trial.server.rss_peak_bytes? as f64,
        Metric::RssSpread => spread(&trial.server.rss_windows_bytes)?,
        Metric::P99Spread => spread(&trial.by_request.get(request?)?.p99_windows_ns)?,
        Metric::PoolWaitP99 => trial.pool_wait_ns.as_ref()?.p99? as f64,
        Metric::Recovery => trial.recovery?.after_ns? as f64,
        Metric::AccountsPerS => trial.accounts_per_s?,
        // Of no one trial.
        Metric::Capacity => return None,
        Metric::StartUp | Metric::RssIdle | Metric::Payload | Metric::Image => return None,
    };
    Some(value)
}

fn spread(windows: &[u64]) -> Option<f64> {
    stats::spread(&windows.iter().map(|&window| worth(window)).collect::<Vec<_>>())
}

/// A percentile of a window as a file has it.
fn worth(written: u64) -> f64 {
    if written == FAILED_NS { LOST } else { written as f64 }
}

/// The first of `names` of which more than half of the trials that count are at the machine's floor in a percentile; nothing
/// of a metric that is none.
pub(crate) fn behind_the_floor<'n>(
    trials: &[Trial],
    place: Place<'_>,
    metric: Metric,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let percentile = match metric {
        // A distribution's median.
        Metric::Completion => "p50",
        metric => metric.name(),
    };
    names.into_iter().find(|name| {
        let own = trials.iter().filter(|trial| {
            trial.scenario == place.scenario.name
                && trial.contender == *name
                && trial.level == place.level
                && !trial.voided
        });
        let marked = |trial: &&Trial| {
            let of = |marks: &Vec<String>| marks.iter().any(|mark| mark == percentile);
            match place.request {
                Some(kind) => trial.validity.at_floor.get(kind).is_some_and(of),
                None => trial.validity.at_floor.values().any(of),
            }
        };
        let (all, marked) = (own.clone().count(), own.filter(marked).count());
        2 * marked > all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::record::MemoryKind;

    fn kind_of(trial: &mut Trial) -> &mut crate::record::ByRequest {
        trial.by_request.get_mut("payment").expect("its only kind")
    }

    #[test]
    fn a_percentile_that_fell_on_a_failure_is_worse_than_any_time() {
        let mut trial = mock::payments(1, &mock::MODELS).trials.remove(0);
        mock::fail(&mut trial, 60);
        assert_eq!(metric_of(&trial, Metric::P99, Some("payment"), End::High), Some(f64::INFINITY));
        assert!(
            metric_of(&trial, Metric::P90, Some("payment"), End::High).is_some_and(f64::is_finite)
        );
    }

    #[test]
    fn a_late_percentile_has_two_ends_from_a_quarter_on() {
        let mut trial = mock::payments(1, &mock::MODELS).trials.remove(0);
        let ends = |trial: &Trial| {
            [End::Low, End::High]
                .map(|end| metric_of(trial, Metric::P99, Some("payment"), end).unwrap())
        };
        let [_, whole] = ends(&trial);
        mock::late(&mut trial, 0.25);
        assert_eq!(ends(&trial), [whole, whole]);
        mock::late(&mut trial, 0.4);
        assert!((ends(&trial)[0] / whole - 0.6).abs() < 1e-9 && ends(&trial)[1] == whole);
    }

    #[test]
    fn memory_that_was_read_in_two_ways_is_not_compared() {
        let scenario = crate::scenario::mocked();
        let mut trials = mock::payments(6, &mock::MODELS).trials;
        trials.iter_mut().for_each(|trial| trial.scenario = scenario.name.clone());
        let level = trials[0].level.clone();
        let place = Place { scenario: &scenario, level: &level, request: None };
        let names = ["event-loop", "work-stealing"];
        assert!(alike_read(&trials, place, names));
        let other = trials.iter_mut().find(|trial| trial.contender == names[1]).unwrap();
        other.server.memory_kind = Some(MemoryKind::Pss);
        assert!(!alike_read(&trials, place, names));
        assert!(alike_read(&trials, place, ["event-loop", "thread-pool"]), "of the others");
        let of = |all: &[crate::record::Comparison]| {
            let memory = all.iter().filter(|c| c.metric == "memory");
            memory.map(|c| (c.of.clone(), c.ratio.is_some())).collect::<Vec<_>>()
        };
        let compared = of(&crate::judge::statement::comparisons(
            crate::judge::statement::Family::of(&[]),
            &scenario,
            &trials,
        ));
        assert!(compared.iter().all(|(of, is)| *is == (of != names[1])), "{compared:?}");
    }

    #[test]
    fn a_spread_is_of_the_windows_of_its_trial_and_of_its_kind() {
        let mut trial = mock::payments(1, &mock::MODELS).trials.remove(0);
        trial.server.rss_windows_bytes = vec![100, 100, 130];
        kind_of(&mut trial).p99_windows_ns = vec![2, 4, 12];
        assert_eq!(metric_of(&trial, Metric::RssSpread, None, End::High), Some(1.3));
        assert_eq!(metric_of(&trial, Metric::P99Spread, Some("payment"), End::High), Some(3.0));
        assert_eq!(metric_of(&trial, Metric::P99Spread, Some("webhook"), End::High), None);
        kind_of(&mut trial).p99_windows_ns = vec![2, 4, FAILED_NS];
        assert_eq!(
            metric_of(&trial, Metric::P99Spread, Some("payment"), End::High),
            Some(f64::INFINITY)
        );
        trial.server.rss_windows_bytes.clear();
        assert_eq!(metric_of(&trial, Metric::RssSpread, None, End::High), None);
        trial.voided = true;
        assert_eq!(metric_of(&trial, Metric::P99Spread, Some("payment"), End::High), None);
    }
}
