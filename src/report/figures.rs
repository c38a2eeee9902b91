//! A race as a table: a row for each contender, what to know about them, and who differs from whom.

use std::collections::BTreeMap;
use std::ops::Range;

use super::comparison::{compared, metric_of};
use super::document::Table;
use super::drive::transfer;
use super::{reasons, sentences, setting};
use crate::judge::bounds::known;
use crate::judge::cell::belongs;
use crate::judge::races::{Entry, Figure, Race, median, middle, slo_of};
use crate::record::MemoryKind;
use crate::record::late::{LATE_NOTE, share};
use crate::record::{Ceiling, Comparison, RunResult, StepFigures, Transfer, Trial};
use crate::report::format::{figure, memory_words, place};
use crate::text::{capital, clean, listed, or_withheld, shortened};
use crate::units::{Nanos, Rate, bytes, grouped, three_digits};

/// The columns of a table of figures; validity and what bound the trials stand behind the others.
pub(super) const COLUMNS: [&str; 9] = [
    "contender",
    "p50",
    "p99",
    "achieved/s",
    "CPU us/request",
    "memory",
    "threads",
    "validity",
    "bound by",
];
const NUMBERS: Range<usize> = 1..7;

/// How the figures of a table were made.
pub(super) const NOTE: &str = "Response time from the intended start, failures ranked above every time; achieved/s and \
     CPU are of right answers; each figure is the median of the rounds that are not INVALID; validity is the worst verdict \
     and the valid rounds of all.";

/// The figures of each contender.
pub(super) fn few(race: &Race<'_>) -> Table {
    let rows = race.entries.iter().flat_map(|entry| rows(race, entry));
    let rows = rows.map(|row| row[..NUMBERS.end].to_vec());
    let columns = COLUMNS[..NUMBERS.end].iter().copied();
    Table::new(capital(&place(race)), columns, NUMBERS, rows)
}

/// The same with validity and what bound the trials.
pub(super) fn all(race: &Race<'_>) -> Table {
    let rows = race.entries.iter().flat_map(|entry| rows(race, entry));
    Table::new(capital(&place(race)), COLUMNS, NUMBERS, rows)
}

/// What went over the connections to each contender, of all its rounds: sums, means of what is per second, and the median of
/// the rounds for the first request on a connection.
pub(super) fn transfers(race: &Race<'_>) -> Vec<String> {
    let of = |entry: &Entry<'_>| {
        let all: Vec<_> = entry.trials.iter().filter_map(|trial| trial.transfer.as_ref()).collect();
        let mut sum = (*all.first()?).clone();
        for other in &all[1..] {
            for (status, n) in &other.answers {
                *sum.answers.entry(status.clone()).or_default() += n;
            }
            sum.reconnects += other.reconnects;
        }
        let mean = |of: &dyn Fn(&Transfer) -> f64| {
            all.iter().map(|one| of(one)).sum::<f64>() / all.len() as f64
        };
        sum.received_bytes_per_s = mean(&|it| it.received_bytes_per_s);
        sum.sent_bytes_per_s = mean(&|it| it.sent_bytes_per_s);
        // A round without a right answer has none.
        let reused: Vec<f64> = all.iter().filter_map(|it| it.reused_share).collect();
        sum.reused_share =
            (!reused.is_empty()).then(|| reused.iter().sum::<f64>() / reused.len() as f64);
        let first = all.iter().filter_map(|it| it.first_service_ns.p50).map(|ns| ns as f64);
        let first = middle(first.collect()).map_or_else(String::new, |ns| {
            format!("; first request on a connection: service p50 {}", Nanos(ns as u64))
        });
        Some(format!("{}: {}{first}", name(entry.name), transfer(&sum)))
    };
    race.entries.iter().filter_map(of).collect()
}

/// The steps of each contender's sessions, where there are sessions: counts of all rounds, and medians of the rounds.
pub(super) fn steps(race: &Race<'_>) -> Option<Table> {
    let columns =
        ["contender", "session", "step", "sessions", "failed", "not reached", "p50", "p99"];
    let mut rows = Vec::new();
    for (entry, kind) in
        race.entries.iter().flat_map(|it| race.kinds().into_iter().map(move |kind| (it, kind)))
    {
        let of = |trial: &Trial| trial.by_request.get(kind).map_or(0, |it| it.steps.len());
        for place in 0..entry.trials.iter().map(|trial| of(trial)).max().unwrap_or(0) {
            rows.extend(step(entry, kind, place));
        }
    }
    (!rows.is_empty()).then(|| Table::new("Steps of the sessions", columns, 3..8, rows))
}

fn step(entry: &Entry<'_>, kind: &str, place: usize) -> Option<[String; 8]> {
    let all: Vec<_> =
        entry.usable().filter_map(|trial| trial.by_request.get(kind)?.steps.get(place)).collect();
    let sum =
        |of: &dyn Fn(&StepFigures) -> u64| all.iter().map(|step| of(step)).sum::<u64>() as f64;
    let unreached = |step: &StepFigures| step.errors.get("not_reached").copied().unwrap_or(0);
    let failed = |step: &StepFigures| step.errors.values().sum::<u64>() - unreached(step);
    let time = |per_mille| {
        let of = |step: &&StepFigures| {
            Figure::of(step.response_ns.as_ref().unwrap_or(&step.service_ns).at(per_mille))
        };
        figure(median(all.iter().map(of).collect()))
    };
    Some([
        name(entry.name),
        name(kind),
        name(&all.first()?.name),
        grouped(sum(&|step| step.requests)),
        grouped(sum(&failed)),
        grouped(sum(&unreached)),
        time(500),
        time(990),
    ])
}

/// Lost rounds, saturation, failures and ceilings: one line each.
pub(super) fn marks(result: &RunResult, race: &Race<'_>) -> Vec<String> {
    let mut marks: Vec<String> = race.entries.iter().filter_map(reasons::lost_mark).collect();
    marks.extend(race.entries.iter().filter_map(saturation));
    marks.extend(race.entries.iter().filter_map(failures));
    marks.extend(late(race));
    marks.extend(memory(race));
    marks.extend(kept(result, race));
    marks.extend(setting::per_core_mark(result, race));
    marks.extend(ceilings(result, race));
    marks
}

/// Who differs from the first contender in which metric; nothing where none is compared.
pub(super) fn comparisons(result: &RunResult, race: &Race<'_>) -> Option<Table> {
    let all = || result.comparisons.iter().filter(|c| belongs(race, c));
    let versus = clean(&all().next()?.versus);
    let mut rows: Vec<[String; 3]> =
        all().map(|c| [clean(&c.of), named(race, c), compared(race, c)]).collect();
    // They come by metric; a reader asks about a contender.
    let order: Vec<String> = rows.iter().map(|[of, ..]| of.clone()).collect();
    rows.sort_by_key(|[of, ..]| order.iter().position(|other| other == of));
    let against = format!("against {versus}");
    Some(Table::new("", [against.as_str(), "metric", "finding"], 0..0, rows))
}

/// `p99 (headline)`
fn named(race: &Race<'_>, c: &Comparison) -> String {
    let headline = if c.headline_confidence.is_some() { " (headline)" } else { "" };
    metric_of(race, c) + headline
}

/// One row; with several request kinds one for the contender and one below it for each kind.
pub(super) fn rows(race: &Race<'_>, entry: &Entry<'_>) -> Vec<[String; COLUMNS.len()]> {
    let kinds = race.kinds();
    let one = if kinds.len() == 1 { Some(kinds[0]) } else { None };
    let latency = |kind: &str| [500, 990].map(|per_mille| figure(entry.response(kind, per_mille)));
    let [p50, p99] = one.map_or_else(Default::default, latency);
    let mut rows = vec![[
        name(entry.name),
        p50,
        p99,
        or_withheld(entry.middle(|t| Some(t.achieved_rps)), grouped),
        or_withheld(entry.middle(|t| t.server.cpu_us_per_request), three_digits),
        or_withheld(entry.memory(), bytes),
        or_withheld(entry.middle(|t| t.server.threads_max.map(|n| n as f64)), grouped),
        entry.validity().to_string(),
        clean(entry.bound_by()),
    ]];
    for kind in kinds.into_iter().filter(|_| one.is_none()) {
        let [p50, p99] = latency(kind);
        let mut row: [String; COLUMNS.len()] = Default::default();
        row[..3].clone_from_slice(&[format!("{KIND_INDENT}{}", name(kind)), p50, p99]);
        rows.push(row);
    }
    rows
}

/// Before a request kind that stands below its contender. Not spaces: tables drop those.
pub(crate) const KIND_INDENT: &str = "\u{b7} ";

/// A name that leaves room for figures beside it.
fn name(text: &str) -> String {
    shortened(&clean(text), 28)
}

/// `thread-pool saturated: 3,180 of 4,000/s, in 4 of 6 rounds`
fn saturation(entry: &Entry<'_>) -> Option<String> {
    let rates = sentences::saturated(entry)?;
    let (n, all) = (entry.saturated_rounds(), entry.counted().count());
    let rounds = if n == all { String::new() } else { format!(", in {n} of {all} rounds") };
    Some(format!("{} saturated: {rates}{rounds}", clean(entry.name)))
}

/// `thread-pool failed 15 of 24,000 requests: 12 timeout, 3 bad_status (404: 1, 503: 2)`
fn failures(entry: &Entry<'_>) -> Option<String> {
    let mut by_kind: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in entry.trials.iter().flat_map(|trial| &trial.errors) {
        *by_kind.entry(kind).or_default() += count;
    }
    let (failed, requests) = entry.failures();
    let mut by_status: BTreeMap<&str, u64> = BTreeMap::new();
    for (status, count) in entry.trials.iter().flat_map(|trial| &trial.statuses) {
        *by_status.entry(status).or_default() += count;
    }
    let statuses: Vec<String> = by_status
        .iter()
        .map(|(status, n)| format!("{}: {}", clean(status), grouped(*n as f64)))
        .collect();
    let statuses = match statuses.is_empty() {
        true => String::new(),
        false => format!(" ({})", statuses.join(", ")),
    };
    let kinds: Vec<String> = by_kind
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(kind, n)| {
            let codes = if *kind == "bad_status" { statuses.as_str() } else { "" };
            format!("{} {}{codes}", grouped(*n as f64), clean(kind))
        })
        .collect();
    (failed > 0).then(|| {
        let (failed, requests) = (grouped(failed as f64), grouped(requests as f64));
        format!(
            "{} failed {failed} of {requests} requests: {}",
            clean(entry.name),
            kinds.join(", ")
        )
    })
}

/// `* over 10 %, <= over 25 % the generator's own lateness: p99 of event-loop 34 %`
fn late(race: &Race<'_>) -> Option<String> {
    let kinds = race.kinds();
    let several = kinds.len() > 1;
    let mut told = Vec::new();
    for entry in &race.entries {
        for kind in &kinds {
            for (name, per_mille) in [("p50", 500), ("p99", 990)] {
                let Figure::Late { ns, without } = entry.response(kind, per_mille) else {
                    continue;
                };
                let of_kind = if several { format!(" ({})", clean(kind)) } else { String::new() };
                let percent = three_digits(100.0 * share(ns, without));
                told.push(format!("{name} of {}{of_kind} {percent} %", clean(entry.name)));
            }
        }
    }
    (!told.is_empty()).then(|| format!("{LATE_NOTE}: {}", told.join(", ")))
}

/// `Memory: by a cgroup of its own, kernel memory included. Peak RSS: event-loop 21.4 MiB, ..`
fn memory(race: &Race<'_>) -> Option<String> {
    let mut kinds: Vec<MemoryKind> = race.entries.iter().filter_map(Entry::memory_kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let kinds: Vec<String> = kinds.into_iter().map(|kind| memory_words(kind).into()).collect();
    let rss = race.entries.iter().filter_map(|one| Some((clean(one.name), bytes(one.rss()?))));
    let rss: Vec<String> = rss.map(|(name, rss)| format!("{name} {rss}")).collect();
    let given = (!kinds.is_empty()).then(|| format!("Memory: {}", listed(&kinds)));
    let rss = (!rss.is_empty()).then(|| format!("Peak RSS: {}", rss.join(", ")));
    let parts: Vec<String> = given.into_iter().chain(rss).collect();
    (!parts.is_empty()).then(|| parts.join(". "))
}

/// `Within 100 ms: event-loop 1,420/s, back 1.31 s after the load of 300%; ..`, of races with a fault or a burst.
fn kept(result: &RunResult, race: &Race<'_>) -> Option<String> {
    let slo = slo_of(result, race.workload, race.scenario)?;
    let fault = race.trials().find_map(|trial| trial.timeline.as_ref()?.fault.as_ref())?;
    let of = |entry: &Entry<'_>| {
        let goodput = entry.middle(|trial| trial.goodput_rps)?;
        let after =
            |trial: &Trial| Some(trial.recovery?.after_ns.map_or(f64::INFINITY, |ns| ns as f64));
        let back = entry.middle(after).map(|ns| match ns.is_finite() {
            true => format!(", back after {}", Nanos(ns as u64)),
            false => ", not back within the window".into(),
        });
        let back = back.unwrap_or_default();
        Some(format!("{} {}/s{back}", clean(entry.name), grouped(goodput)))
    };
    let each: Vec<String> = race.entries.iter().filter_map(of).collect();
    let what = clean(&fault.what);
    let slo = Nanos(slo.p99_ns);
    (!each.is_empty()).then(|| format!("Answered within {slo} ({what}): {}", each.join("; ")))
}

/// `Ceilings: event-loop 20,100/s measured in closed loop, computed cpu 21,300/s (binds), pool 40,000/s; ..`
fn ceilings(result: &RunResult, race: &Race<'_>) -> Option<String> {
    let here = |ceiling: &&Ceiling| {
        ceiling.workload == race.workload
            && ceiling.scenario == race.scenario
            && ceiling.dependency.as_deref() == race.dependency()
    };
    let cores = race.cores();
    let ceilings = result.ceilings.iter().filter(here);
    let each: Vec<String> = ceilings.filter_map(|one| ceiling(one, cores)).collect();
    let share = race.level.strip_suffix('%');
    let share = share.map_or_else(String::new, |share| {
        format!(". {}% is of the lowest measured one", clean(share))
    });
    (!each.is_empty()).then(|| format!("Ceilings: {}{share}", each.join("; ")))
}

fn ceiling(of: &Ceiling, cores: usize) -> Option<String> {
    let mut computed: Vec<(String, f64)> = known(of)
        .into_iter()
        .map(|(what, rps)| {
            // What a closed loop has passed binds nothing there: a request costs more under this load.
            let passed = of.closed_rps.is_some_and(|closed| closed > rps);
            let binds = match of.binds == what {
                true if passed => " by what a request costs under this load",
                true => " (binds)",
                false => "",
            };
            (format!("{what} {}{binds}", Rate(rps)), rps)
        })
        .collect();
    computed.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let computed: Vec<String> = computed.into_iter().map(|(text, _)| text).collect();
    let computed = (!computed.is_empty()).then(|| format!("computed {}", computed.join(", ")));
    let closed = of.closed_rps.map(|rps| {
        let each =
            setting::per_core(rps, cores).map_or_else(String::new, |each| format!(" ({each})"));
        format!("{} measured in closed loop{each}", Rate(rps))
    });
    let parts: Vec<String> = closed.into_iter().chain(computed).collect();
    (!parts.is_empty()).then(|| format!("{} {}", clean(&of.contender), parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;
    use crate::judge::races::races;
    use crate::record::Resource;
    use crate::record::histogram::distribution;
    use hdrhistogram::Histogram;

    #[test]
    fn a_late_percentile_is_marked_or_a_bound_and_never_missing() {
        let mut result = mock::payments(6, &mock::MODELS);
        for (name, share) in [("event-loop", 0.05), ("work-stealing", 0.2), ("thread-pool", 0.3)] {
            let own = result.trials.iter_mut().filter(|trial| trial.contender == name);
            own.for_each(|trial| mock::late(trial, share));
        }
        let races = races(&result);
        let table = few(&races[0]);
        let p99 = |name: &str| table.rows.iter().find(|row| row[0] == name).unwrap()[2].clone();
        assert_eq!(table.columns[2], "p99 us");
        assert!(p99("event-loop").ends_with(|c: char| c.is_ascii_digit()));
        assert!(p99("work-stealing").ends_with('*'), "{}", p99("work-stealing"));
        assert!(p99("thread-pool").starts_with("<= "), "{}", p99("thread-pool"));
        let marks = marks(&result, &races[0]).join("; ");
        assert!(marks.contains("own lateness: p50 of work-stealing 20 %"), "{marks}");
    }

    #[test]
    fn what_was_measured_and_what_was_computed_are_told_apart() {
        let mut of = Ceiling {
            workload: "http".into(),
            scenario: "mine".into(),
            contender: "mine".into(),
            closed_rps: Some(1_033.0),
            cpu_rps: Some(800.0),
            binds: Resource::Cpu,
            ..Ceiling::default()
        };
        let told = ceiling(&of, 1).unwrap();
        assert_eq!(
            told,
            "mine 1,033/s measured in closed loop, computed cpu 800/s by what a request costs under this load"
        );
        of.cpu_rps = Some(1_100.0);
        assert!(ceiling(&of, 1).unwrap().ends_with("computed cpu 1,100/s (binds)"));
    }

    #[test]
    fn a_percentile_that_is_a_failure_is_said_and_so_are_the_failures() {
        let mut result = mock::payments(6, &mock::MODELS[..2]);
        let timed_out = |trial: &mut crate::record::Trial| {
            mock::fail(trial, 60);
            let response = trial.by_request.get_mut("payment").unwrap().response_ns.as_mut();
            let response = response.unwrap();
            (response.timeouts, response.timeout_ns) = (60, Some(5_000_000_000));
        };
        let own = |name: &'static str| move |trial: &&mut _| is(trial, name);
        fn is(trial: &crate::record::Trial, name: &str) -> bool {
            trial.contender == name
        }
        result.trials.iter_mut().filter(own("event-loop")).for_each(timed_out);
        result.trials.iter_mut().filter(own("work-stealing")).for_each(|it| mock::fail(it, 60));
        for trial in result.trials.iter_mut().filter(own("event-loop")) {
            trial.errors.insert("bad_status".into(), 3);
            trial.statuses = [("404".into(), 1), ("503".into(), 2)].into();
        }
        let races = races(&result);
        let table = few(&races[0]);
        let p99: Vec<&str> = table.rows.iter().map(|row| row[2].as_str()).collect();
        assert_eq!((table.columns[2].as_str(), p99), ("p99 ms", vec![">= 5,000", "unbounded"]));
        let marks = marks(&result, &races[0]).join("; ");
        let failed =
            "event-loop failed 378 of 31,560 requests: 18 bad_status (404: 6, 503: 12), 360 reset";
        assert!(marks.contains(failed), "{marks}");
        assert_eq!(table.columns[1], "p50 ms", "one unit for both");
    }

    #[test]
    fn what_went_over_the_connections_is_told_of_all_rounds() {
        let mut result = mock::payments(3, &mock::MODELS[..1]);
        assert_eq!(transfers(&races(&result)[0]), [""; 0]);
        for (round, trial) in result.trials.iter_mut().enumerate() {
            let n = round as u64;
            let mut first = Histogram::<u64>::new(3).unwrap();
            // Nothing was right in the last round.
            first.record_n(1_000_000 * (n + 1), if n < 2 { 30 } else { 0 }).unwrap();
            trial.transfer = Some(Transfer {
                received_bytes_per_s: 1_024.0 * (n + 1) as f64,
                sent_bytes_per_s: 1_024.0,
                answers: [("201".into(), 1_000), ("503".into(), n)].into(),
                reused_share: (n < 2).then_some(0.9),
                first_service_ns: distribution(&first),
                reconnects: n,
            });
        }
        let told = "event-loop: responses: 3,000 of 201 and 3 of 503; received 2 KiB/s, sent 1 KiB/s; 90% on a connection \
                    used before; 3 connections opened again; first request on a connection: service p50 1.5 ms";
        assert_eq!(transfers(&races(&result)[0]), [told]);
        assert!(super::super::summary::html(&result).contains(told));
    }
}
