//! The part of a file that says what one request is: `[[route]]`, and the steps of sessions.

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::{RawOperation, RawRoute};
use super::{Server, Workload};
use crate::domain::dataset::POPULATION;
use crate::files;
use crate::load::plan::{
    BODIES_BYTES_MAX, Bodies, Body, BodyCheck, InvalidRequest, Operation, Route, Statuses,
    Template, check_header, check_method, check_path,
};
use crate::scenario::contender::Around;
use crate::scenario::field::{name, whole};

/// Members of a distribution, where the file leaves them out.
pub(super) const ACCOUNTS_DEFAULT: u32 = 1_000;
/// Headers of one route.
const HEADERS_MAX: usize = 50;

/// What a route sends.
pub(super) fn operation(route: &At<RawRoute>, around: Around<'_>) -> Result<Operation, Diagnostic> {
    let of_steps = [
        ("think", route.value.think.as_ref().map(|at| &at.span)),
        ("extract", route.value.extract.first().map(|(key, _)| &key.span)),
    ];
    if let Some((key, span)) = of_steps.into_iter().find_map(|(key, span)| Some((key, span?))) {
        return Err(Diagnostic::new(
            span,
            format!("`{key}` is of a step of a session"),
            "not here",
        )
        .help("write [[session]] with a name, and this as its [[session.step]]"));
    }
    if let (Some(name), true) = (&route.value.name, around.workload != Workload::Http) {
        return Err(of_anyones("name", &name.span, around));
    }
    step_operation(route, around)
}

/// What a step of a session sends; as a route, but that a built-in operation may have a name.
pub(super) fn step_operation(
    route: &At<RawRoute>,
    around: Around<'_>,
) -> Result<Operation, Diagnostic> {
    if around.workload == Workload::Http {
        return anyones(route, around).map(Operation::Route);
    }
    if let Some((key, span)) = key_of_anyones(&route.value) {
        return Err(of_anyones(key, span, around));
    }
    match &route.value.operation {
        Some(operation) => built_in(operation, &route.value, around),
        None => {
            Err(Diagnostic::new(&route.span, "`route` has no `operation`", "needs `operation`")
                .help("write for example: operation = \"payment\""))
        }
    }
}

fn of_anyones(key: &str, span: &Range<usize>, around: Around<'_>) -> Diagnostic {
    let title = format!("`{key}` is for routes of `workload = \"http\"`");
    Diagnostic::new(span, title, format!("not of {}", around.workload.name()))
        .help("write workload = \"http\", or `operation`")
}

/// The first key that the built-in operations do not have.
fn key_of_anyones(route: &RawRoute) -> Option<(&'static str, &Range<usize>)> {
    [
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
        let title = format!("`{key}` is only for the built-in services");
        return Err(Diagnostic::new(span, title, "not with workload = \"http\"")
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
        let template = Template::parse_with(&value.value, around.fields).map_err(|wrong| {
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
        let label = if of_lines { "one body per line" } else { "the body" };
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
    Template::parse_with(&at.value, around.fields)
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
