//! What a load sends, and how much of each: the routes and the sessions of a file.

use std::ops::Range;

use super::Workload;
use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use super::raw::{Raw, RawRoute, RawSession};
use super::reading::required;
use super::routes::{ACCOUNTS_DEFAULT, operation};
use super::sessions::session;
use crate::load::plan::Operation;
use crate::scenario::contender::Around;
use crate::scenario::field::whole;
use crate::units::Rate;

/// Weights are shares of a whole; a million to one is beyond what a trial can show.
const WEIGHT_MAX: u64 = 1_000_000;
/// What the highest of the routes' own rates becomes as a weight: the others are exact to a billionth of it.
const WEIGHT_OF_HIGHEST: f64 = 1e9;
/// Kinds of request of one scenario.
const ROUTES_MAX: usize = 50;

/// What is sent, and how much of each.
pub(super) struct Routes {
    pub(super) mix: Vec<(Operation, u32)>,
    /// The sum of the routes' own rates, where they have them.
    pub(super) own: Option<Rate>,
}

/// The routes of a file, or what its workload sends where it has none.
pub(super) fn routes(raw: &Raw, around: Around<'_>) -> Result<Routes, Diagnostic> {
    let usual = |operation| Ok(Routes { mix: vec![(operation, 1)], own: None });
    if raw.route.is_empty() && raw.session.is_empty() {
        return match around.workload {
            Workload::Payment => usual(Operation::Payment { rounds: 0 }),
            Workload::Loyalty => usual(Operation::Distribution { accounts: ACCOUNTS_DEFAULT }),
            Workload::Http => Err(required(
                "route",
                "what is sent to this service?",
                "[[route]] and below it name = \"home\" and path = \"/\"",
            )),
        };
    }
    let sent: Vec<Sent<'_>> =
        raw.route.iter().map(Sent::route).chain(raw.session.iter().map(Sent::session)).collect();
    if let Some(one) = sent.get(ROUTES_MAX) {
        let title = format!("a scenario has at most {ROUTES_MAX} routes");
        return Err(Diagnostic::new(one.span, title, "one too many"));
    }
    let mut operations: Vec<Operation> = Vec::new();
    let routes = raw.route.iter().map(|route| operation(route, around));
    let sessions = raw.session.iter().map(|one| session(one, around));
    for (operation, one) in routes.chain(sessions).zip(&sent) {
        let operation = operation?;
        if operations.iter().any(|known| known.name() == operation.name()) {
            let title = format!("`{}` has two routes", operation.name());
            return Err(Diagnostic::new(one.named, title, "a second time").help(
                "make one of the two, with the sum of their weights, or give one another name",
            ));
        }
        operations.push(operation);
    }
    let of_payments = |one: &Operation| matches!(one, Operation::Payment { .. });
    if let Some(place) = operations.iter().position(|one| *one == Operation::Replay)
        && !operations.iter().any(of_payments)
    {
        return Err(Diagnostic::new(
            &raw.route[place].span,
            "no payments to repeat",
            "a replay of what?",
        )
        .help("write another [[route]] and below it operation = \"payment\""));
    }
    let (weights, own) = weights(&sent)?;
    Ok(Routes { mix: operations.into_iter().zip(weights).collect(), own })
}

/// The name under which the first route that says so wants its server called, unless that is filled in.
pub(super) fn host(raw: &Raw) -> Option<&str> {
    let steps = raw.session.iter().flat_map(|session| &session.value.step);
    let headers = raw.route.iter().chain(steps).flat_map(|route| &route.value.headers);
    let mut hosts = headers.filter(|(name, _)| name.value.eq_ignore_ascii_case("host"));
    hosts.next().map(|(_, value)| value.value.as_str()).filter(|value| !value.contains('{'))
}

/// The routes' weights, and the sum of their own rates where they have rates instead.
fn weights(sent: &[Sent<'_>]) -> Result<(Vec<u32>, Option<Rate>), Diagnostic> {
    let rates: Vec<_> = sent.iter().filter_map(|one| one.rate).collect();
    if rates.is_empty() {
        let weight = |one: &Sent<'_>| Ok(whole(one.weight, "weight", 1, 1..=WEIGHT_MAX)? as u32);
        return Ok((sent.iter().map(weight).collect::<Result<_, _>>()?, None));
    }
    if let Some(weight) = sent.iter().find_map(|one| one.weight) {
        return Err(Diagnostic::new(
            &weight.span,
            "routes have weights or rates, not both",
            "a weight",
        )
        .help("give every route its own `rate`, or every one a `weight`"));
    }
    if let Some(without) = sent.iter().find(|one| one.rate.is_none()) {
        let title = "another route has its own `rate`, and this one has none";
        return Err(Diagnostic::new(without.span, title, "how often?")
            .help("write rate = \"10/s\" here too, or weights everywhere"));
    }
    let highest = rates.iter().map(|rate| rate.value.0.0).fold(0.0, f64::max);
    let weight = |rate: f64| (rate / highest * WEIGHT_OF_HIGHEST).round().max(1.0) as u32;
    let sum = rates.iter().map(|rate| rate.value.0.0).sum();
    Ok((rates.iter().map(|rate| weight(rate.value.0.0)).collect(), Some(Rate(sum))))
}

/// A route or a session, for what both have.
struct Sent<'a> {
    span: &'a Range<usize>,
    /// Where its name stands, or what gives it one.
    named: &'a Range<usize>,
    weight: Option<&'a At<u64>>,
    rate: Option<&'a At<Quantity<Rate>>>,
}

impl<'a> Sent<'a> {
    fn route(route: &'a At<RawRoute>) -> Self {
        let RawRoute { operation, name, weight, rate, .. } = &route.value;
        let named = operation.as_ref().map(|at| &at.span).or(name.as_ref().map(|at| &at.span));
        let (weight, rate) = (weight.as_ref(), rate.as_ref());
        Self { span: &route.span, named: named.unwrap_or(&route.span), weight, rate }
    }

    fn session(session: &'a At<RawSession>) -> Self {
        let RawSession { name, weight, rate, .. } = &session.value;
        let (weight, rate) = (weight.as_ref(), rate.as_ref());
        Self { span: &session.span, named: &name.span, weight, rate }
    }
}
