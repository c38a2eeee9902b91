//! How late the generator was: what of each percentile is its own, and whether it was too late to say anything.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::judge::failures;
use crate::record::late;
use crate::record::late::Late;
use crate::record::outcome::{Kind, Outcome};
use crate::scenario::Scenario;
use crate::stats::percentile::{RANKS, percentile};
use crate::units::Nanos;

use super::{Evidence, Finding};
use crate::text::percent;

/// No limit on the generator's lag is lower: a core that is shared, or wakes up, is late by so much.
const LAG_LIMIT_LEAST: Nanos = Nanos(100_000);
/// The part of the promise, or of the floor, that the lag may be: a tenth.
const LAG_LIMIT_PART: u64 = 10;

/// The generator lag p99 over which a round is void: one limit for all contenders, known before the first round.
pub(crate) fn lag_limit(scenario: &Scenario) -> Nanos {
    let promised = scenario.slo.map(|slo| slo.p99).or(scenario.baseline_p99);
    limit_of(promised.unwrap_or_else(|| scenario.floor()))
}

/// The same of a promise, or of a time that no answer can be faster than.
pub(crate) fn limit_of(time: Nanos) -> Nanos {
    LAG_LIMIT_LEAST.max(Nanos(time.0 / LAG_LIMIT_PART))
}

/// What was found of all kinds.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    /// The generator's share of each percentile, by kind.
    pub(crate) ours: BTreeMap<String, BTreeMap<String, f64>>,
    /// About the headline percentile alone: the others are marked by themselves.
    pub(crate) marked: Vec<Finding>,
    /// It was too late for the round to count.
    pub(crate) void: Option<Finding>,
}

/// Every percentile of every kind; nothing in closed loop, which has no response time.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Lateness {
    let mut lateness = Lateness::default();
    if !evidence.open {
        return lateness;
    }
    for kind in &evidence.outcome.kinds {
        let mut ours = BTreeMap::new();
        for (name, rank) in RANKS {
            let Some((whole, theirs)) = ends(kind, rank) else { continue };
            let share = late::share(whole as f64, theirs as f64);
            if name == evidence.headline && Late::of(share) != Late::No {
                lateness.marked.push(Finding::suspect(format!(
                    "{} ({}) of the {name} of {} is the generator's own lateness",
                    percent(share, 0),
                    Nanos(whole - theirs),
                    kind.name
                )));
            }
            ours.insert(name.to_owned(), share);
        }
        lateness.ours.insert(kind.name.clone(), ours);
    }
    lateness.void = too_late(evidence);
    lateness
}

impl Lateness {
    /// The worst kind's share of each percentile.
    pub(crate) fn worst(&self) -> BTreeMap<String, f64> {
        let mut worst = BTreeMap::new();
        for (name, share) in self.ours.values().flatten() {
            let most = worst.entry(name.clone()).or_insert(0.0_f64);
            *most = most.max(*share);
        }
        worst
    }
}

/// Q(response) and Q(response - lag), where the lag is that of both ends: of the writes as it was in each request, of the
/// reads as the one in a hundred says that was timed. Nothing where there are too few samples, or the percentile is a
/// failure, of which nothing is ours.
fn ends(kind: &Kind, rank: f64) -> Option<(u64, u64)> {
    let whole = failures::percentile(kind, &kind.response, rank).time()?;
    let theirs = failures::percentile(kind, &kind.response_less_lag, rank).time()?.min(whole);
    Some((whole, theirs.saturating_sub(received_late(kind, rank))))
}

/// Each request by itself: a session's lag is the sum of its steps'.
pub(crate) fn requests(outcome: &Outcome) -> impl Iterator<Item = &Kind> {
    outcome.kinds.iter().flat_map(|kind| match kind.steps.is_empty() {
        true => std::slice::from_ref(kind),
        false => &kind.steps,
    })
}

/// Whether p99 of the generator's lag, of all requests together, is over the limit. It looks at no contender's times.
fn too_late(evidence: &Evidence<'_>) -> Option<Finding> {
    let lag = merged(requests(evidence.outcome).map(|kind| &kind.generator_lag))?;
    let ((name, late), limit) = (tail(&lag)?, evidence.lag_limit?);
    (late > limit).then(|| {
        Finding::invalid(format!(
            "the generator was {late} late at {name}, over the limit of {limit}"
        ))
    })
}

/// p99 and its name. Fewer than 1,000 requests have none; then the highest percentile that they support stands for it, which
/// is no higher.
pub(crate) fn tail(lag: &Histogram<u64>) -> Option<(&'static str, Nanos)> {
    let mut ranks = RANKS.iter().rev().filter(|&&(_, rank)| rank <= 0.99);
    ranks.find_map(|&(name, rank)| Some((name, Nanos(percentile(lag, rank)?))))
}

/// What late reads add to the percentile `rank`, ns: by how much it is lower in the timed requests without their receive
/// lag. Where a hundredth of the requests is too few for that rank, the highest lower one that they support stands for
/// it; none at all is 0. Timed were right answers alone, among which the same request has a higher rank.
fn received_late(kind: &Kind, rank: f64) -> u64 {
    let timed = &kind.timed;
    let all_to_right = kind.requests as f64 / kind.response.len().max(1) as f64;
    let ranks = RANKS.iter().rev().map(|&(_, rank)| rank).filter(|&lower| lower <= rank);
    let at = |rank: f64| {
        let rank = rank * all_to_right;
        Some((percentile(&timed.less_lag, rank)?, percentile(&timed.less_both, rank)?))
    };
    ranks.into_iter().find_map(at).map_or(0, |(with, without)| with.saturating_sub(without))
}

/// How late the generator read, all requests together; nothing where no read was timed.
pub(crate) fn receive_lag(outcome: &Outcome) -> Option<Histogram<u64>> {
    merged(requests(outcome).map(|kind| &kind.timed.receive_lag)).filter(|all| !all.is_empty())
}

fn merged<'a>(mut kinds: impl Iterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    let mut all = kinds.next()?.clone();
    for other in kinds {
        all.add(other).expect("histograms of one plan have the same bounds");
    }
    Some(all)
}
