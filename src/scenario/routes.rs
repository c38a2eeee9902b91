//! The part of a file that says what is sent: `[[route]]`.

use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::{Raw, RawOperation, RawRoute};
use super::reading::required;
use super::{Server, Workload};
use crate::domain::dataset::POPULATION;
use crate::files;
use crate::load::plan::{
    BODIES_BYTES_MAX, Bodies, Body, BodyCheck, InvalidRequest, Operation, Route, Statuses,
    Template, check_header, check_method, check_path,
};
use crate::scenario::around::Around;
use crate::scenario::field::{name, whole};
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
pub(super) fn routes(raw: &Raw, around: Around<'_>) -> Result<Routes, Diagnostic> {
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
        return Err(Diagnostic::new(&route.span, title, "one too many"));
    }
    let mut operations: Vec<Operation> = Vec::new();
    for route in &raw.route {
        let operation = operation(route, around)?;
        if operations.iter().any(|known| known.name() == operation.name()) {
            let title = format!("`{}` has two routes", operation.name());
            let named = route.value.name.as_ref().map(|at| &at.span);
            let span = route.value.operation.as_ref().map(|at| &at.span).or(named);
            return Err(Diagnostic::new(span.unwrap_or(&route.span), title, "a second time").help(
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
    let (weights, own) = weights(&raw.route)?;
    Ok(Routes { mix: operations.into_iter().zip(weights).collect(), own })
}

/// The name under which the first route that says so wants its server called, unless that is filled in.
pub(super) fn host(raw: &Raw) -> Option<&str> {
    let headers = raw.route.iter().flat_map(|route| &route.value.headers);
    let mut hosts = headers.filter(|(name, _)| name.value.eq_ignore_ascii_case("host"));
    hosts.next().map(|(_, value)| value.value.as_str()).filter(|value| !value.contains('{'))
}

/// The routes' weights, and the sum of their own rates where they have rates instead.
fn weights(routes: &[At<RawRoute>]) -> Result<(Vec<u32>, Option<Rate>), Diagnostic> {
    let rates: Vec<_> = routes.iter().filter_map(|route| route.value.rate.as_ref()).collect();
    if rates.is_empty() {
        let weight = |route: &At<RawRoute>| {
            Ok(whole(route.value.weight.as_ref(), "weight", 1, 1..=WEIGHT_MAX)? as u32)
        };
        return Ok((routes.iter().map(weight).collect::<Result<_, _>>()?, None));
    }
    if let Some(weight) = routes.iter().find_map(|route| route.value.weight.as_ref()) {
        return Err(Diagnostic::new(
            &weight.span,
            "routes have weights or rates, not both",
            "a weight",
        )
        .help("give every route its own `rate`, or every one a `weight`"));
    }
    if let Some(without) = routes.iter().find(|route| route.value.rate.is_none()) {
        let title = "another route has its own `rate`, and this one has none";
        return Err(Diagnostic::new(&without.span, title, "how often?")
            .help("write rate = \"10/s\" here too, or weights everywhere"));
    }
    let highest = rates.iter().map(|rate| rate.value.0.0).fold(0.0, f64::max);
    let weight = |rate: f64| (rate / highest * WEIGHT_OF_HIGHEST).round().max(1.0) as u32;
    let sum = rates.iter().map(|rate| rate.value.0.0).sum();
    Ok((rates.iter().map(|rate| weight(rate.value.0.0)).collect(), Some(Rate(sum))))
}

fn operation(route: &At<RawRoute>, around: Around<'_>) -> Result<Operation, Diagnostic> {
    if around.workload == Workload::Http {
        return anyones(route, around).map(Operation::Route);
    }
    if let Some((key, span)) = key_of_anyones(&route.value) {
        let title = format!("`{key}` is of routes to anyone's service");
        return Err(Diagnostic::new(span, title, format!("not of {}", around.workload.name()))
            .help("write workload = \"http\", or `operation`"));
    }
    match &route.value.operation {
        Some(operation) => built_in(operation, &route.value, around),
        None => {
            Err(Diagnostic::new(&route.span, "`route` has no `operation`", "needs `operation`")
                .help("write for example: operation = \"payment\""))
        }
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
        ("body_lines", route.body_lines.as_ref().map(|at| &at.span)),
        ("status", route.status.as_ref().map(|at| &at.span)),
        ("expect_body", route.expect_body.as_ref().map(|at| &at.span)),
    ]
    .into_iter()
    .find_map(|(key, span)| Some((key, span?)))
}

fn built_in(
    operation: &At<RawOperation>,
    route: &RawRoute,
    around: Around<'_>,
) -> Result<Operation, Diagnostic> {
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
            return Err(Diagnostic::new(span, "there is no upstream to ask", "asks a stand-in")
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
        return Err(Diagnostic::new(span, title, format!("an operation of {}", of.name())));
    }
    match accounts {
        Some(at) if !matches!(operation, Operation::Distribution { .. }) => {
            let title = format!("`{}` has no `accounts`", operation.name());
            Err(Diagnostic::new(&at.span, title, "only of a distribution"))
        }
        _ => Ok(operation),
    }
}

/// A route to anyone's service.
fn anyones(route: &At<RawRoute>, around: Around<'_>) -> Result<Route, Diagnostic> {
    let raw = &route.value;
    let of_ours = [
        ("operation", raw.operation.as_ref().map(|at| &at.span)),
        ("accounts", raw.accounts.as_ref().map(|at| &at.span)),
    ];
    if let Some((key, span)) = of_ours.into_iter().find_map(|(key, span)| Some((key, span?))) {
        let title = format!("`{key}` is of the built-in services");
        return Err(Diagnostic::new(span, title, "not of workload = \"http\"")
            .help("write `name`, `method`, `path`, `body` and `status`"));
    }
    let missing = |key: &str, example: &str| {
        Diagnostic::new(&route.span, format!("this route has no `{key}`"), format!("needs `{key}`"))
            .help(format!("write for example: {example}"))
    };
    let named = raw.name.as_ref().ok_or_else(|| missing("name", "name = \"charge\""))?;
    let path = raw.path.as_ref().ok_or_else(|| missing("path", "path = \"/v1/charge\""))?;
    let body = body(raw, around)?;
    let with_body = raw.body.is_some() || raw.body_file.is_some() || raw.body_lines.is_some();
    let method = raw.method.as_ref();
    if let Some(at) = method {
        check_method(&at.value).map_err(|wrong| diagnostic(at, wrong, "not a method"))?;
    }
    let template = template(path, around)?;
    check_path(&template, &path.value).map_err(|wrong| diagnostic(path, wrong, "not a path"))?;
    Ok(Route {
        name: name(named, "route's name")?,
        method: method.map_or(if with_body { "POST" } else { "GET" }, |at| &at.value).into(),
        path: template,
        headers: headers(raw, around)?,
        body,
        status: raw.status.as_ref().map_or_else(Statuses::default, |at| at.value),
        expect_body: raw.expect_body.as_ref().map(body_check).transpose()?,
    })
}

fn headers(raw: &RawRoute, around: Around<'_>) -> Result<Vec<(String, Template)>, Diagnostic> {
    if let Some((key, _)) = raw.headers.get(HEADERS_MAX) {
        let title = format!("a route has at most {HEADERS_MAX} headers");
        return Err(Diagnostic::new(&key.span, title, "one too many"));
    }
    let mut names: Vec<String> = Vec::new();
    let header = |(key, value): &(At<String>, At<String>)| {
        // Its words may be a secret, and so may a field that is none.
        let template = Template::parse_with(&value.value, around.tables).map_err(|wrong| {
            let title = format!(
                "the value of the header `{}` cannot be filled in",
                key.value.escape_debug()
            );
            diagnostic(value, InvalidRequest { what: title, ..wrong }, "a field of it is wrong")
        })?;
        check_header(&key.value, &template)
            .map_err(|wrong| diagnostic(key, wrong, "not to be sent"))?;
        let name = key.value.to_ascii_lowercase();
        if name == "host" && names.contains(&name) {
            return Err(Diagnostic::new(&key.span, "a request has one host", "a second one"));
        }
        names.push(name);
        Ok((key.value.clone(), template))
    };
    raw.headers.iter().map(header).collect()
}

fn body(raw: &RawRoute, around: Around<'_>) -> Result<Body, Diagnostic> {
    let file = raw.body_file.as_ref().map(|at| ("body_file", at));
    let lines = raw.body_lines.as_ref().map(|at| ("body_lines", at));
    let text = raw.body.as_ref().map(|at| ("body", at));
    let given: Vec<_> = text.into_iter().chain(file).chain(lines).collect();
    match given[..] {
        [] => Ok(Body::Template(Template::default())),
        [("body", text)] => template(text, around).map(Body::Template),
        [(key, file)] => bodies(key, file, around).map(Body::OneOf),
        [(first, _), (second, at), ..] => {
            let title = format!("a route has a `{first}` or a `{second}`, not both");
            Err(Diagnostic::new(&at.span, title, format!("and a `{first}` above or below")))
        }
    }
}

/// What is in a file: one body, or one a line.
fn bodies(key: &str, file: &At<String>, around: Around<'_>) -> Result<Bodies, Diagnostic> {
    let (path, of_lines) = (around.folder.join(&file.value), key == "body_lines");
    let unread = |why: String| {
        let title = format!("cannot read {}: {why}", file.value.escape_debug());
        let label = if of_lines { "one body a line" } else { "the body" };
        Diagnostic::new(&file.span, title, label)
            .help("a relative path is taken from the scenario's folder")
    };
    let text = files::read(&path, BODIES_BYTES_MAX as u64);
    let text = text.map_err(|error| unread(error.to_string()))?;
    let read = if of_lines { Bodies::read(&text) } else { Bodies::whole(&text) };
    read.map_err(|wrong| diagnostic(file, wrong, "not to be sent"))
}

fn body_check(at: &At<String>) -> Result<BodyCheck, Diagnostic> {
    at.value.parse().map_err(|why: String| Diagnostic::new(&at.span, why, "not a check"))
}

fn template(at: &At<String>, around: Around<'_>) -> Result<Template, Diagnostic> {
    Template::parse_with(&at.value, around.tables)
        .map_err(|wrong| diagnostic(at, wrong, "a field of it is wrong"))
}

/// What the load refuses, where it stands.
pub(crate) fn diagnostic(at: &At<String>, wrong: InvalidRequest, label: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(&at.span, wrong.what, label);
    match wrong.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
