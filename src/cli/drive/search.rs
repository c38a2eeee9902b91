//! `drive --slo`: runs the trials that `stats::capacity`'s search asks for, and says what it found.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Args, closed_ceiling, failing, write_hgrm};
use crate::cli::{Format, drive, print};
use crate::error::Result;
use crate::judge::failures::error_counts;
use crate::judge::validity::limit_of;
use crate::load::plan::{Fixed, Peer, Plan, Shape, WarmUp};
use crate::machine::interference::Interference;
use crate::record::outcome::Outcome;
use crate::record::{BoundBy, Capacity, Trial, TrialVerdict, late};
use crate::stats::Quantile;
use crate::stats::capacity::{self, Search};
use crate::units::{Nanos, Rate, Share};
use crate::{exit, record, report};

/// A promise: a percentile of the response time and its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slo {
    percentile: &'static str,
    /// Requests that support the percentile.
    needs: f64,
    bound: Nanos,
    per_mille: u64,
}

/// The percentiles that can be promised, in tenths of a percent, and the requests that each needs.
const PERCENTILES: [(&str, f64, u64); 4] =
    [("p50", 100.0, 500), ("p90", 200.0, 900), ("p99", 1_000.0, 990), ("p99.9", 10_000.0, 999)];

/// A trial of the search is so long, unless `--duration` says otherwise or its rate needs longer for the percentile.
const TRIAL: Nanos = Nanos(2_000_000_000);
/// A rate whose trial would be longer than so many times that is not looked at.
const LONGER_MAX: f64 = 15.0;
/// What a trial before may have left behind is over by then.
const SETTLE: Nanos = Nanos(300_000_000);
/// No rate above this is tried: more than this generator sends.
const RATE_MAX: f64 = 2e6;

/// `p99=100ms`
impl FromStr for Slo {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let example = "write it as p99=100ms";
        let (name, bound) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not an objective; {example}"))?;
        let known = PERCENTILES.iter().find(|(known, ..)| *known == name.trim());
        let (percentile, needs, per_mille) = *known
            .ok_or_else(|| format!("`{name}` is not one of p50, p90, p99 and p99.9; {example}"))?;
        let bound = bound.parse::<Nanos>()?;
        if bound == Nanos(0) {
            return Err("an objective of 0 cannot be met".into());
        }
        Ok(Self { percentile, needs, bound, per_mille })
    }
}

impl std::fmt::Display for Slo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} within {}", self.percentile, self.bound)
    }
}

/// Looks for the capacity and gives the exit code.
pub(super) fn run(
    args: &Args,
    slo: Slo,
    peer: &Peer,
    request: &Fixed,
    stop: &AtomicBool,
) -> Result<u8> {
    args.quiet.say(format_args!("looking for the capacity: {slo}"));
    let Some(ceiling) = closed_ceiling(args, peer, request, stop)? else {
        return Ok(exit::INTERRUPTED);
    };
    let mut search = Search::new(places(args, slo, ceiling));
    let mut trials: Vec<Trial> = Vec::new();
    let mut kept: Vec<Kept> = Vec::new();
    while let Some(step) = search.next() {
        let plan = plan(args, slo, peer, request, step.rate, trials.len());
        let taken = Interference::now();
        let outcome = args.load(&plan, stop)?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let trial = drive::trial(
            &args.url,
            &plan,
            &outcome,
            &taken,
            Some(limit_of(slo.bound)),
            args.error_rate,
        );
        let answer = keeps(&trial, slo, args.error_rate);
        args.quiet.say(said(&trial, slo, answer));
        if answer == Some(true) {
            kept.retain(|one| one.rate != step.rate);
            kept.push(Kept { rate: step.rate, index: trials.len(), plan, outcome });
        }
        search.record(step.rate, answer);
        trials.push(trial);
    }
    let found = search.answer();
    // Shown is a trial of the rate that was decided to be kept, or, without one, of the highest that was kept once.
    let best = found.at_least.and_then(|rate| kept.iter().find(|one| one.rate == rate));
    let best = best.or_else(|| kept.iter().max_by(|a, b| a.rate.0.total_cmp(&b.rate.0)));
    if let (Some(path), Some(best)) = (&args.hgrm, best) {
        write_hgrm(path, &best.plan, &best.outcome, args.force)?;
    }
    let best = best.map(|best| best.index);
    print(&shown(args, slo, found, trials, best))?;
    Ok(exit_code(found, stop.load(Ordering::Relaxed)))
}

/// A trial that kept the promise, the last one of its rate.
struct Kept {
    rate: Rate,
    /// Among all trials.
    index: usize,
    plan: Plan,
    outcome: Outcome,
}

/// Where the search looks: no rate whose window would be too long for the percentile.
fn places(args: &Args, slo: Slo, ceiling: Rate) -> capacity::SearchPlan {
    let longest = args.duration.unwrap_or(TRIAL).as_secs_f64() * LONGER_MAX;
    let lowest = Rate::for_window(slo.needs, longest).0.min(RATE_MAX);
    capacity::SearchPlan::around(ceiling, Rate(lowest), Rate(RATE_MAX), args.seed)
}

fn trials_rate(trial: &Trial) -> f64 {
    trial.load.rate.unwrap_or(0.0)
}

/// A short trial at `rate`, each with other arrivals.
fn plan(args: &Args, slo: Slo, peer: &Peer, request: &Fixed, rate: Rate, trial: usize) -> Plan {
    let shape = Shape::Open { rate, arrivals: args.arrivals };
    let least = args.duration.unwrap_or(TRIAL);
    let window = least.max(rate.window_of(slo.needs));
    let warm_up = WarmUp::Through(args.warm_up.max(SETTLE));
    let plan = args.plan(peer, request.clone(), shape, window, warm_up);
    Plan { round: trial as u32 + 1, ..plan }
}

/// Whether a trial kept the promise; nothing when its numbers do not hold.
fn keeps(trial: &Trial, slo: Slo, error_rate: Share) -> Option<bool> {
    if trial.validity.verdict == TrialVerdict::Invalid {
        return None;
    }
    if trial.saturated || failing(trial, error_rate).is_some() {
        return Some(false);
    }
    let (low, high) = trial.response_ns.as_ref()?.ends(slo.per_mille)?;
    late::at_most(low, high, slo.bound.0 as f64)
}

/// The promised percentile.
fn at(trial: &Trial, slo: Slo) -> Quantile {
    trial.response_ns.as_ref().map_or(Quantile::Withheld, |times| times.at(slo.per_mille))
}

fn said(trial: &Trial, slo: Slo, kept: Option<bool>) -> String {
    let value = match at(trial, slo) {
        Quantile::Withheld if trial.saturated => "saturated".into(),
        Quantile::Withheld => format!("{} withheld", slo.percentile),
        value => format!("{} {value}", slo.percentile),
    };
    let failed = match trial.errors.is_empty() {
        true => String::new(),
        false => format!(" ({})", error_counts(trial)),
    };
    let verdict = match kept {
        Some(true) => "kept",
        Some(false) => "broken",
        None => "void",
    };
    format!("  {}: {value}{failed}, {verdict}", Rate(trials_rate(trial)))
}

fn shown(
    args: &Args,
    slo: Slo,
    found: capacity::Capacity,
    trials: Vec<Trial>,
    best: Option<usize>,
) -> String {
    let capacity = Capacity {
        contender: args.url.clone(),
        at_least_rps: found.at_least.map(|rate| rate.0),
        below_rps: found.below.map(|rate| rate.0),
        trials: trials.len() as u32,
        ..Capacity::default()
    };
    if args.format == Format::Json {
        let slo = format!("{}={}ns", slo.percentile, slo.bound.0);
        return record::json::on_one_line(&record::Search { slo, capacity, trials }) + "\n";
    }
    let sentence = sentence(slo, found, &trials);
    match (best.map(|best| &trials[best]), args.format) {
        (Some(trial), Format::Markdown) => report::drive::markdown(trial, Some(&sentence)),
        (Some(trial), _) => report::drive::text(trial, Some(&sentence)),
        (None, _) => {
            let tls = trials.first().map_or("", report::drive::tls);
            format!("{}{tls}\n{sentence}\n", args.url)
        }
    }
}

/// `capacity: at least 12,000/s, below 13,100/s (p99 within 100 ms; 21 trials)`
fn sentence(slo: Slo, found: capacity::Capacity, trials: &[Trial]) -> String {
    let found = match (found.at_least, found.below) {
        (Some(low), Some(high)) => format!("at least {low}, below {high}"),
        (Some(low), None) => format!("at least {low}, and no limit was found"),
        (None, Some(high)) => format!("below {high}, and no rate that holds was found"),
        (None, None) => "not found: the trials did not settle it".into(),
    };
    let busy = |trial: &&Trial| trial.bound_by == BoundBy::Connections;
    let connections = trials.iter().find(busy).map_or(String::new(), |trial| {
        format!(
            "\nall {} connections were busy in some trials: with more of them it may be higher",
            trial.load.connections
        )
    });
    format!("capacity: {found} ({slo}; {} trials){connections}", trials.len())
}

/// 3 when the promise is not kept at any rate that can be looked at.
fn exit_code(found: capacity::Capacity, interrupted: bool) -> u8 {
    match found {
        _ if interrupted => exit::INTERRUPTED,
        capacity::Capacity { at_least: Some(_), .. } => exit::OK,
        capacity::Capacity { below: Some(_), .. } => exit::FAILS,
        _ => exit::INVALID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_broken_by_failures_at_its_rank_and_by_too_many() {
        let mut trial = crate::judge::mock::payments(1, &[("mine", 100.0, 1.0)]).trials.remove(0);
        let kept = |trial: &Trial, promise: &str, percent: f64| {
            keeps(trial, promise.parse().unwrap(), Share(percent / 100.0))
        };
        assert_eq!(kept(&trial, "p99=10ms", 1.0), Some(true));
        crate::judge::mock::fail(&mut trial, 60);
        assert_eq!(kept(&trial, "p99=10ms", 100.0), Some(false), "60 of 5,260 have no time");
        assert_eq!(kept(&trial, "p50=10ms", 100.0), Some(true));
        assert_eq!(kept(&trial, "p50=10ms", 1.0), Some(false), "more than 1 % and five");
        assert_eq!(kept(&trial, "p99.9=1s", 100.0), None, "5 lie beyond");
    }

    #[test]
    fn promises_are_read() {
        let slo: Slo = "p99=100ms".parse().unwrap();
        assert_eq!((slo.percentile, slo.bound), ("p99", Nanos(100_000_000)));
        assert_eq!("p99.9=1s".parse::<Slo>().unwrap().to_string(), "p99.9 within 1 s");
        for (bad, why) in [
            ("p99", "p99=100ms"),
            ("p98=1s", "not one of"),
            ("p99=5", "unit"),
            ("p99=0s", "cannot be met"),
        ] {
            let error = bad.parse::<Slo>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
