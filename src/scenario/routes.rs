//! The part of a file that says what is sent: `[[route]]`.

use super::contenders::Around;
use super::convert::{name, whole};
use super::diagnostic::Fault;
use super::quantity::At;
use super::raw::{Raw, RawRoute};
use super::reading::required;
use super::spelling::RawOperation;
use super::{Server, Workload};
use crate::domain::dataset::POPULATION;
use crate::files;
use crate::load::plan::{
    BODIES_BYTES_MAX, Bodies, Body, Operation, Route, Statuses, Template, Wrong, check_header,
    check_method, check_path,
};
use crate::units::Rate;

/// Weights are shares of a whole; a million to one is beyond what a trial can show.
const WEIGHT_MAX: u64 = 1_000_000;
/// What the highest of the routes' own rates becomes as a weight: the others are exact to a billionth of it.
const WEIGHT_OF_HIGHEST: f64 = 1e9;
/// Members of a distribution, where the file leaves them out.
const ACCOUNTS_DEFAULT: u32 = 1_000;
/// Kinds of request of one scenario.
const ROUTES_MAX: usize = 50;
/// Headers of one route.
const HEADERS_MAX: usize = 50;

/// What is sent, and how much of each.
pub(super) struct Routes {
    pub(super) mix: Vec<(Operation, u32)>,
    /// The sum of the routes' own rates, where they have them.
    pub(super) own: Option<Rate>,
}

/// The routes of a file, or what its workload sends where it has none.
pub(super) fn routes(raw: &Raw, around: Around<'_>) -> Result<Routes, Fault> {
    let usual = |operation| Ok(Routes { mix: vec![(operation, 1)], own: None });
    if raw.route.is_empty() {
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
    if let Some(route) = raw.route.get(ROUTES_MAX) {
        let title = format!("a scenario has at most {ROUTES_MAX} routes");
        return Err(Fault::new(&route.span, title, "one too many"));
    }
    let mut operations: Vec<Operation> = Vec::new();
    for route in &raw.route {
        let operation = operation(route, around)?;
        if operations.iter().any(|known| known.name() == operation.name()) {
            let title = format!("`{}` has two routes", operation.name());
            let named = route.value.name.as_ref().map(|at| &at.span);
            let span = route.value.operation.as_ref().map(|at| &at.span).or(named);
            return Err(Fault::new(span.unwrap_or(&route.span), title, "a second time").help(
                "make one of the two, with the sum of their weights, or give one another name",
            ));
        }
        operations.push(operation);
    }
    let of_payments = |one: &Operation| matches!(one, Operation::Payment { .. });
    if let Some(place) = operations.iter().position(|one| *one == Operation::Replay)
        && !operations.iter().any(of_payments)
    {
        return Err(Fault::new(
            &raw.route[place].span,
            "no payments to repeat",
            "a replay of what?",
        )
        .help("write another [[route]] and below it operation = \"payment\""));
    }
    let (weights, own) = weights(&raw.route)?;
    Ok(Routes { mix: operations.into_iter().zip(weights).collect(), own })
}

/// The routes' weights, and the sum of their own rates where they have rates instead.
fn weights(routes: &[At<RawRoute>]) -> Result<(Vec<u32>, Option<Rate>), Fault> {
    let rates: Vec<_> = routes.iter().filter_map(|route| route.value.rate.as_ref()).collect();
    if rates.is_empty() {
        let weight = |route: &At<RawRoute>| {
            Ok(whole(route.value.weight.as_ref(), "weight", 1, 1..=WEIGHT_MAX)? as u32)
        };
        return Ok((routes.iter().map(weight).collect::<Result<_, _>>()?, None));
    }
    if let Some(weight) = routes.iter().find_map(|route| route.value.weight.as_ref()) {
        return Err(Fault::new(&weight.span, "routes have weights or rates, not both", "a weight")
            .help("give every route its own `rate`, or every one a `weight`"));
    }
    if let Some(without) = routes.iter().find(|route| route.value.rate.is_none()) {
        let title = "another route has its own `rate`, and this one has none";
        return Err(Fault::new(&without.span, title, "how often?")
            .help("write rate = \"10/s\" here too, or weights everywhere"));
    }
    let highest = rates.iter().map(|rate| rate.value.0.0).fold(0.0, f64::max);
    let weight = |rate: f64| (rate / highest * WEIGHT_OF_HIGHEST).round().max(1.0) as u32;
    let sum = rates.iter().map(|rate| rate.value.0.0).sum();
    Ok((rates.iter().map(|rate| weight(rate.value.0.0)).collect(), Some(Rate(sum))))
}

fn operation(route: &At<RawRoute>, around: Around<'_>) -> Result<Operation, Fault> {
    if around.workload == Workload::Http {
        return anyones(route, around).map(Operation::Route);
    }
    if let Some((key, span)) = key_of_anyones(&route.value) {
        let title = format!("`{key}` is of routes to anyone's service");
        return Err(Fault::new(span, title, format!("not of {}", around.workload.name()))
            .help("write workload = \"http\", or `operation`"));
    }
    match &route.value.operation {
        Some(operation) => built_in(operation, &route.value, around),
        None => Err(Fault::new(&route.span, "`route` has no `operation`", "needs `operation`")
            .help("write for example: operation = \"payment\"")),
    }
}

/// The first key that the built-in operations do not have.
fn key_of_anyones(route: &RawRoute) -> Option<(&'static str, &std::ops::Range<usize>)> {
    [
        ("name", route.name.as_ref().map(|at| &at.span)),
        ("method", route.method.as_ref().map(|at| &at.span)),
        ("path", route.path.as_ref().map(|at| &at.span)),
        ("headers", route.headers.first().map(|(key, _)| &key.span)),
        ("body", route.body.as_ref().map(|at| &at.span)),
        ("body_file", route.body_file.as_ref().map(|at| &at.span)),
        ("status", route.status.as_ref().map(|at| &at.span)),
    ]
    .into_iter()
    .find_map(|(key, span)| Some((key, span?)))
}

fn built_in(
    operation: &At<RawOperation>,
    route: &RawRoute,
    around: Around<'_>,
) -> Result<Operation, Fault> {
    let (span, workload) = (&operation.span, around.workload);
    let server = around.store.dependency().map(|dependency| &dependency.server);
    let accounts = route.accounts.as_ref();
    let (operation, of) = match operation.value {
        RawOperation::Payment => (Operation::Payment { rounds: 0 }, Workload::Payment),
        RawOperation::AccountRead => (Operation::AccountRead, Workload::Loyalty),
        RawOperation::Replay => (Operation::Replay, Workload::Payment),
        RawOperation::Webhook => (Operation::Webhook, workload),
        RawOperation::Gateway if matches!(server, Some(Server::Standin { .. })) => {
            (Operation::Gateway, workload)
        }
        RawOperation::Gateway => {
            return Err(Fault::new(span, "there is no upstream to ask", "asks a stand-in")
                .help("write [store.standin], which answers HTTP too"));
        }
        RawOperation::Distribution => {
            let default = u64::from(ACCOUNTS_DEFAULT);
            let accounts = whole(accounts, "accounts", default, 1..=u64::from(POPULATION))?;
            (Operation::Distribution { accounts: accounts as u32 }, Workload::Loyalty)
        }
    };
    if of != workload {
        let title = format!("the {} service has no `{}`", workload.name(), operation.name());
        return Err(Fault::new(span, title, format!("an operation of {}", of.name())));
    }
    match accounts {
        Some(at) if !matches!(operation, Operation::Distribution { .. }) => {
            let title = format!("`{}` has no `accounts`", operation.name());
            Err(Fault::new(&at.span, title, "only of a distribution"))
        }
        _ => Ok(operation),
    }
}

/// A route to anyone's service.
fn anyones(route: &At<RawRoute>, around: Around<'_>) -> Result<Route, Fault> {
    let raw = &route.value;
    let of_ours = [
        ("operation", raw.operation.as_ref().map(|at| &at.span)),
        ("accounts", raw.accounts.as_ref().map(|at| &at.span)),
    ];
    if let Some((key, span)) = of_ours.into_iter().find_map(|(key, span)| Some((key, span?))) {
        let title = format!("`{key}` is of the built-in services");
        return Err(Fault::new(span, title, "not of workload = \"http\"")
            .help("write `name`, `method`, `path`, `body` and `status`"));
    }
    let missing = |key: &str, example: &str| {
        Fault::new(&route.span, format!("this route has no `{key}`"), format!("needs `{key}`"))
            .help(format!("write for example: {example}"))
    };
    let named = raw.name.as_ref().ok_or_else(|| missing("name", "name = \"charge\""))?;
    let path = raw.path.as_ref().ok_or_else(|| missing("path", "path = \"/v1/charge\""))?;
    let body = body(raw, around)?;
    let with_body = raw.body.is_some() || raw.body_file.is_some();
    let method = raw.method.as_ref();
    if let Some(at) = method {
        check_method(&at.value).map_err(|wrong| fault(at, wrong, "not a method"))?;
    }
    let template = template(path)?;
    check_path(&template, &path.value).map_err(|wrong| fault(path, wrong, "not a path"))?;
    Ok(Route {
        name: name(named, "route's name")?,
        method: method.map_or(if with_body { "POST" } else { "GET" }, |at| &at.value).into(),
        path: template,
        headers: headers(raw)?,
        body,
        status: status(raw)?,
    })
}

fn headers(raw: &RawRoute) -> Result<Vec<(String, Template)>, Fault> {
    if let Some((key, _)) = raw.headers.get(HEADERS_MAX) {
        let title = format!("a route has at most {HEADERS_MAX} headers");
        return Err(Fault::new(&key.span, title, "one too many"));
    }
    let header = |(key, value): &(At<String>, At<String>)| {
        let template = template(value)?;
        check_header(&key.value, &template).map_err(|wrong| fault(key, wrong, "not to be sent"))?;
        Ok((key.value.clone(), template))
    };
    raw.headers.iter().map(header).collect()
}

fn body(raw: &RawRoute, around: Around<'_>) -> Result<Body, Fault> {
    match (&raw.body, &raw.body_file) {
        (Some(_), Some(file)) => Err(Fault::new(
            &file.span,
            "a route has a `body` or a `body_file`, not both",
            "and a `body` above or below",
        )),
        (None, None) => Ok(Body::Template(Template::default())),
        (Some(text), None) => template(text).map(Body::Template),
        (None, Some(file)) => {
            let path = around.folder.join(&file.value);
            let unread = |why: String| {
                let title = format!("cannot read {}: {why}", file.value.escape_debug());
                Fault::new(&file.span, title, "one body a line")
                    .help("a relative path is taken from the scenario's folder")
            };
            let text = files::read(&path, BODIES_BYTES_MAX as u64);
            let text = text.map_err(|error| unread(error.to_string()))?;
            let bodies = Bodies::read(&text).map_err(|wrong| fault(file, wrong, "not bodies"))?;
            Ok(Body::OneOf(bodies))
        }
    }
}

fn status(raw: &RawRoute) -> Result<Statuses, Fault> {
    let Some(at) = &raw.status else { return Ok(Statuses::default()) };
    let known = |status: &At<u64>| u16::try_from(status.value).ok();
    let statuses: Vec<u16> = at.value.iter().map(|status| known(status).unwrap_or(0)).collect();
    Statuses::of(&statuses).ok_or_else(|| {
        let title = format!("`status` must be 1 to {} of 200 to 599", Statuses::MAX);
        Fault::new(&at.span, title, "no such statuses").help("write for example [200, 201]")
    })
}

fn template(at: &At<String>) -> Result<Template, Fault> {
    Template::parse(&at.value).map_err(|wrong| fault(at, wrong, "a field of it is wrong"))
}

fn fault(at: &At<String>, wrong: Wrong, label: &str) -> Fault {
    let fault = Fault::new(&at.span, wrong.what, label);
    match wrong.help {
        Some(help) => fault.help(help),
        None => fault,
    }
}
