//! What bound a trial, in the method's order: generator, connections, dependency, pool, contender, or nothing.

use crate::judge::failures;
use crate::judge::failures::over_the_error_bound;
use crate::record::BoundBy;
use crate::record::outcome::{Kind, Outcome, RequestError};
use crate::stats::percentile::percentile;
use crate::text::percent;
use crate::units::{Nanos, grouped};

use super::{Evidence, Finding, lateness};

/// A generator core busier than this, polling left out, may have been late by itself.
const GENERATOR_BUSY: f64 = 0.90;
/// A generator that was kept from its core for more than this share of the time reads and writes late, and the late
/// reads can pass for a lack of connections.
const GENERATOR_HELD: f64 = 0.25;
/// A generator that is punctual gives a request up after one timeout without a connection and another without an answer. A
/// right answer that took so many timeouts was seen that late.
const TIMEOUTS_MAX: u64 = 4;
/// A generator that reads later than this share of the timeout holds its connections up itself.
const READ_LATE: f64 = 0.10;
/// Contender's cores busier than this bind.
const CONTENDER_BUSY: f64 = 0.90;
/// A dependency's core busier than this binds.
const DEPENDENCY_BUSY: f64 = 0.70;
/// A pool with more than this share of its connections busy binds.
const POOL_BUSY: f64 = 0.80;
/// A pool whose wait is more than this share of the response time, p99 against p99, binds.
const POOL_WAIT: f64 = 0.10;

/// So many connections that had to be opened again are what uses up local ports: the range has tens of thousands, and a
/// closed one keeps its own for a minute.
const CLOSES_MIN: u64 = 1_000;

/// The first that applies. A closed loop with a full contender found what it was looking for, however busy its own core.
pub(crate) fn by(evidence: &Evidence<'_>, saturated: bool) -> BoundBy {
    if generator_full(evidence).is_some() && (evidence.open || !contender_full(evidence)) {
        BoundBy::Generator
    } else if connections_full(evidence) {
        BoundBy::Connections
    } else if dependency_full(evidence) {
        BoundBy::Dependency
    } else if pool_full(evidence) {
        BoundBy::Pool
    } else if contender_full(evidence) || saturated {
        BoundBy::Contender
    } else {
        BoundBy::Nothing
    }
}

/// An open loop that the generator bound says nothing about the contender.
pub(crate) fn generator(evidence: &Evidence<'_>) -> Option<Finding> {
    generator_full(evidence).filter(|_| evidence.open).map(Finding::invalid)
}

/// More failures than the error bound allows, and what the server did; else an open loop that wanted for connections.
pub(crate) fn connections(evidence: &Evidence<'_>) -> Option<Finding> {
    if generator_full(evidence).is_some() {
        return None;
    }
    let failing = || failed_by_server(evidence, evidence.error_bound.0);
    if let Some(failing) = held_by_failures(evidence).or_else(failing) {
        return Some(Finding::suspect(failing));
    }
    let held_up = connections_full(evidence);
    held_up.then(|| {
        let busy = evidence.outcome.all_busy;
        Finding::suspect(match evidence.contender_share {
            Some(_) => format!(
                "all connections were busy for {busy} while the contender had room: more connections are needed"
            ),
            None => format!(
                "all connections were busy for {busy}: more connections are needed, or the server was full"
            ),
        })
    })
}

/// Busy share of the generator's cores, polling for an instant left out.
pub(crate) fn generator_share(outcome: &Outcome) -> f64 {
    share_of_generator(outcome, outcome.cpu.saturating_sub(outcome.spun))
}

fn share_of_generator(outcome: &Outcome, time: Nanos) -> f64 {
    time.0 as f64 / outcome.metered.0.max(1) as f64
}

/// Why the generator could not keep up, if it could not.
fn generator_full(evidence: &Evidence<'_>) -> Option<String> {
    let refused = &evidence.outcome.refused;
    let ours = |what: &&str| *what != "ports" || !closed_away(evidence.outcome);
    let gone =
        ["descriptors", "ports"].into_iter().filter(ours).find(|what| refused.contains_key(what));
    if let Some(what) = gone {
        return Some(format!("the generator ran out of {what}"));
    }
    let held = share_of_generator(evidence.outcome, evidence.outcome.held);
    if held > GENERATOR_HELD {
        let held = percent(held, 0);
        return Some(format!(
            "others had the generator's core for {held} of the window while it was ready to run"
        ));
    }
    let share = generator_share(evidence.outcome);
    if share > GENERATOR_BUSY {
        let share = percent(share, 0);
        return Some(format!(
            "the generator's core was {share} busy: it may have been late by itself"
        ));
    }
    behind(evidence)
}

/// How a generator that was neither busy nor held was too late for its own connections, which were waited for: with more of
/// them it would have been later still.
fn behind(evidence: &Evidence<'_>) -> Option<String> {
    if !waited_for(evidence) {
        return None;
    }
    let requests = || lateness::requests(evidence.outcome);
    let times = |kind: &Kind| (Nanos(kind.response.max()), kind.timeout);
    let slow =
        requests().map(times).find(|(slowest, timeout)| slowest.0 > TIMEOUTS_MAX * timeout.0);
    if let Some((slowest, timeout)) = slow {
        return Some(format!(
            "the generator could not keep up: a correct response took {slowest}, and requests time out after {timeout}"
        ));
    }
    let (name, late) = lateness::tail(&lateness::receive_lag(evidence.outcome)?)?;
    let timeout = requests().map(|kind| kind.timeout).max()?;
    (late.0 as f64 > READ_LATE * timeout.0 as f64).then(|| {
        format!(
            "the generator could not keep up: it read responses {late} late at {name}, and requests time out after {timeout}"
        )
    })
}

/// Whether no local port was left because of connections that did not last: the requests that wanted one are the
/// contender's failures, and count among them.
fn closed_away(outcome: &Outcome) -> bool {
    outcome.refused.contains_key("ports") && outcome.reconnects >= CLOSES_MIN
}

/// A contender whose closes used up the local ports.
pub(crate) fn closes(evidence: &Evidence<'_>) -> Option<Finding> {
    closed_away(evidence.outcome).then(|| {
        let closes = grouped(evidence.outcome.reconnects as f64);
        Finding::suspect(format!(
            "no local port was left after {closes} connections did not last: what failed for it is the contender's"
        ))
    })
}

fn connections_full(evidence: &Evidence<'_>) -> bool {
    // In a burst the contender may have been full for that long, whatever its share of the whole window.
    waited_for(evidence)
        && evidence.in_steps.is_none()
        && !contender_full(evidence)
        && held_by_failures(evidence).is_none()
}

fn waited_for(evidence: &Evidence<'_>) -> bool {
    evidence.open && evidence.outcome.all_busy > Nanos(0)
}

/// What the server did to the connections that were waited for, where more requests failed by that than the usual bound:
/// more connections would have failed as well.
fn held_by_failures(evidence: &Evidence<'_>) -> Option<String> {
    waited_for(evidence).then(|| failed_by_server(evidence, failures::USUAL))?
}

/// What the server did, where more requests than the share `bound` failed by it.
fn failed_by_server(evidence: &Evidence<'_>, bound: f64) -> Option<String> {
    let kinds = || evidence.outcome.kinds.iter();
    let of = |faults: &[RequestError]| -> u64 {
        let counts =
            |kind: &Kind| faults.iter().filter_map(|it| kind.errors.get(it.name())).sum::<u64>();
        kinds().map(counts).sum()
    };
    let unanswered = kinds().map(|kind| kind.unanswered).sum();
    let down = of(&[RequestError::Connect]);
    let closed = of(&[RequestError::Reset, RequestError::Closed, RequestError::Stale]);
    let malformed = of(&[RequestError::Malformed]);
    let requests = kinds().map(|kind| kind.requests).sum();
    let failed = unanswered + down + closed + malformed;
    if !over_the_error_bound(failed, requests, bound) {
        return None;
    }
    let timeout =
        kinds().map(|kind| kind.steps.first().unwrap_or(kind).timeout).max().unwrap_or_default();
    let ways = [
        (down, "could not connect: the server was down".to_owned()),
        (unanswered, format!("had no answer within {timeout}: the server hung or was too slow")),
        (closed, "were cut off: the server closed their connections".to_owned()),
        (malformed, "had an answer that is not HTTP/1.1".to_owned()),
    ];
    let (n, what) = ways.into_iter().max_by_key(|(n, _)| *n)?;
    Some(format!("{} of {} requests {what}", grouped(n as f64), grouped(requests as f64)))
}

fn dependency_full(evidence: &Evidence<'_>) -> bool {
    evidence.dependency_share.is_some_and(|share| share > DEPENDENCY_BUSY)
}

fn pool_full(evidence: &Evidence<'_>) -> bool {
    evidence.pool_share.is_some_and(|share| share > POOL_BUSY) || pool_waits(evidence) == Some(true)
}

/// Whether the pool's wait is a sizeable part of the slowest kind's p99: of the service time in closed loop. Nothing
/// without enough samples of either.
fn pool_waits(evidence: &Evidence<'_>) -> Option<bool> {
    let wait = percentile(evidence.pool_wait?, 0.99)?;
    let p99 = |kind: &Kind| {
        let times = if evidence.open { &kind.response } else { &kind.service };
        failures::percentile(kind, times, 0.99).worth()
    };
    let p99 = evidence.outcome.kinds.iter().filter_map(p99).reduce(f64::max)?;
    Some(wait as f64 > POOL_WAIT * p99)
}

fn contender_full(evidence: &Evidence<'_>) -> bool {
    evidence.contender_share.is_some_and(|share| share > CONTENDER_BUSY)
}
