//! `drive --slo`: runs the trials that the search asks for, and says what it found.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::slo::{Interval, Search, Vote};
use super::{Args, closed_ceiling, show, trial, write_hgrm};
use crate::cli::{Format, INTERRUPTED, print};
use crate::error::{Failure, Result};
use crate::load::outcome::Outcome;
use crate::load::plan::{Fixed, Plan, Shape};
use crate::load::url::Url;
use crate::report::schema::{self, Capacity, Distribution, Trial, TrialVerdict};
use crate::run::resources::Taken;
use crate::units::{Nanos, Rate};

/// A promise: a percentile of the response time and its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slo {
    percentile: &'static str,
    /// Requests that support the percentile.
    needs: f64,
    bound: Nanos,
    read: Read,
}

/// Takes a percentile out of a distribution.
type Read = fn(&Distribution) -> Option<u64>;

/// The percentiles that can be promised, and the requests that each needs.
const PERCENTILES: [(&str, f64, Read); 4] = [
    ("p50", 100.0, |times| times.p50),
    ("p90", 200.0, |times| times.p90),
    ("p99", 1_000.0, |times| times.p99),
    ("p99.9", 10_000.0, |times| times.p99_9),
];

/// A trial of the search is so long, unless `--duration` says otherwise or its rate needs longer for the percentile.
const TRIAL: Nanos = Nanos(2_000_000_000);
/// A rate whose trial would be longer than so many times that is not looked at.
const LONGER_MAX: f64 = 15.0;
/// What a trial before may have left behind is over by then.
const SETTLE: Nanos = Nanos(300_000_000);
/// A Poisson window with a mean of 1,100 falls short of 1,000 once in a thousand times.
const SLACK: f64 = 1.1;
/// No rate above this is tried: more than this generator sends.
const RATE_MAX: f64 = 2e6;

/// `p99=100ms`
impl FromStr for Slo {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let example = "write it as p99=100ms";
        let (name, bound) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is no promise; {example}"))?;
        let known = PERCENTILES.iter().find(|(known, ..)| *known == name.trim());
        let (percentile, needs, read) = *known
            .ok_or_else(|| format!("`{name}` is none of p50, p90, p99 and p99.9; {example}"))?;
        let bound = bound.parse::<Nanos>()?;
        if bound == Nanos(0) {
            return Err("a promise of no time at all cannot be kept".into());
        }
        Ok(Self { percentile, needs, bound, read })
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
    url: &Url,
    request: &Fixed,
    stop: &AtomicBool,
) -> Result<u8> {
    args.quiet.say(format_args!("looking for the capacity: {slo}"));
    let ceiling = closed_ceiling(args, url, request, stop)?;
    let least = args.duration.unwrap_or(TRIAL);
    let floor = slo.needs * SLACK / (least.as_secs_f64() * LONGER_MAX);
    let mut search = Search::new(ceiling.0 / 4.0, floor..=RATE_MAX, args.seed);
    let (mut trials, mut best): (Vec<Trial>, Option<(usize, Plan, Outcome)>) = (Vec::new(), None);
    while let Some(rate) = search.next().filter(|_| !stop.load(Ordering::Relaxed)) {
        let plan = plan(args, slo, url, request, Rate(rate), search.trials());
        let taken = Taken::now();
        let outcome = args.load(&plan, stop)?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut trial = trial::of(&args.url, &plan, &outcome, &taken);
        trial.round = search.trials() as u32 + 1;
        let vote = vote(&trial, slo);
        args.quiet.say(said(&trial, slo, vote));
        search.record(rate, vote);
        let higher = best.as_ref().is_none_or(|(best, ..)| trials_rate(&trials[*best]) <= rate);
        if vote == Vote::Held && higher {
            best = Some((trials.len(), plan, outcome));
        }
        trials.push(trial);
    }
    if let (Some(path), Some((_, plan, outcome))) = (&args.hgrm, &best) {
        write_hgrm(path, plan, outcome)?;
    }
    let interval = search.interval();
    let best = best.map(|(index, ..)| index);
    print(&shown(args, slo, interval, trials, best))?;
    Ok(exit_code(interval, stop.load(Ordering::Relaxed)))
}

fn trials_rate(trial: &Trial) -> f64 {
    trial.load.rate.unwrap_or(0.0)
}

/// A short trial at `rate`, each with other arrivals.
fn plan(args: &Args, slo: Slo, url: &Url, request: &Fixed, rate: Rate, trial: u64) -> Plan {
    let shape = Shape::Open { rate, arrivals: args.arrivals };
    let least = args.duration.unwrap_or(TRIAL);
    let window = least.max(Nanos::from_secs_f64(slo.needs * SLACK / rate.0));
    let warm_up = args.warm_up.max(SETTLE);
    let plan = args.plan(url, request.clone(), shape, window, warm_up);
    Plan { round: trial as u32 + 1, ..plan }
}

/// What a trial says about the promise.
fn vote(trial: &Trial, slo: Slo) -> Vote {
    let value = trial.response_ns.as_ref().and_then(slo.read);
    let failures: u64 = trial.errors.values().sum();
    match value {
        _ if trial.validity.verdict == TrialVerdict::Invalid => Vote::Void,
        _ if trial.saturated => Vote::Broke,
        Some(value) if value <= slo.bound.0 => Vote::Held,
        Some(_) => Vote::Broke,
        // Withheld: either so many failed that it has no bound, or there are too few to say.
        None if failures as f64 * slo.needs > trial.requests as f64 * 10.0 => Vote::Broke,
        None => Vote::Void,
    }
}

fn said(trial: &Trial, slo: Slo, vote: Vote) -> String {
    let value = trial.response_ns.as_ref().and_then(slo.read);
    let value = match value {
        Some(ns) => format!("{} {}", slo.percentile, Nanos(ns)),
        None if trial.saturated => "saturated".into(),
        None => format!("{} withheld", slo.percentile),
    };
    let verdict = match vote {
        Vote::Held => "kept",
        Vote::Broke => "broken",
        Vote::Void => "void",
    };
    format!("  {}: {value}, {verdict}", Rate(trials_rate(trial)))
}

fn shown(
    args: &Args,
    slo: Slo,
    interval: Interval,
    trials: Vec<Trial>,
    best: Option<usize>,
) -> String {
    let capacity = Capacity {
        contender: args.url.clone(),
        at_least_rps: interval.at_least,
        below_rps: interval.below,
        trials: trials.len() as u32,
        ..Capacity::default()
    };
    if args.format == Format::Json {
        let slo = format!("{}={}ns", slo.percentile, slo.bound.0);
        return schema::search_json(&schema::Search { slo, capacity, trials }) + "\n";
    }
    let sentence = sentence(slo, interval, &trials);
    match (best.map(|best| &trials[best]), args.format) {
        (Some(trial), Format::Markdown) => format!("{}\n{sentence}\n", show::markdown(trial)),
        (Some(trial), _) => format!("{}\n{sentence}\n", show::text(trial)),
        (None, _) => format!("{}\n{sentence}\n", args.url),
    }
}

/// `capacity: at least 12,000/s, below 13,100/s (p99 within 100 ms; 21 trials)`
fn sentence(slo: Slo, interval: Interval, trials: &[Trial]) -> String {
    let found = match (interval.at_least, interval.below) {
        (Some(low), Some(high)) => format!("at least {}, below {}", Rate(low), Rate(high)),
        (Some(low), None) => format!("at least {}, and no limit was found", Rate(low)),
        (None, Some(high)) => format!("below {}, and no rate that holds was found", Rate(high)),
        (None, None) => "not found: the trials did not settle it".into(),
    };
    let busy = |trial: &&Trial| trial.bound_by == "connections";
    let connections = trials.iter().find(busy).map_or(String::new(), |trial| {
        format!(
            "\nall {} connections were busy in some trials: with more of them it may be higher",
            trial.load.connections
        )
    });
    format!("capacity: {found} ({slo}; {} trials){connections}", trials.len())
}

/// 3 when the promise is not kept at any rate that can be looked at.
fn exit_code(interval: Interval, interrupted: bool) -> u8 {
    match interval {
        _ if interrupted => INTERRUPTED as u8,
        Interval { at_least: Some(_), .. } => 0,
        Interval { below: Some(_), .. } => NOT_KEPT,
        _ => Failure::Invalid as u8,
    }
}

/// An SLO that fails.
const NOT_KEPT: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_read() {
        let slo: Slo = "p99=100ms".parse().unwrap();
        assert_eq!((slo.percentile, slo.bound), ("p99", Nanos(100_000_000)));
        assert_eq!("p99.9=1s".parse::<Slo>().unwrap().to_string(), "p99.9 within 1 s");
        for (bad, why) in
            [("p99", "p99=100ms"), ("p98=1s", "none of"), ("p99=5", "unit"), ("p99=0s", "no time")]
        {
            let error = bad.parse::<Slo>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
