//! The part of a file that says what is expected: `[[expect]]` and `[[claim]]`.

use std::ops::Range;

use super::diagnostic::{Diagnostic, listed};
use super::quantity::{At, Figure};
use super::raw::{RawHeadline, RawStatement};
use super::reading::list_of;
use super::{Contender, Level, LoadKind, Metric, Server, Slo, Store, Unit};
use crate::load::plan::{Operation, Step};
use crate::scenario::field::sentence;
use crate::units::{Nanos, Rate};

/// A statement that a run judges: `metric` of one contender against another's, or against a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// As people read it.
    pub text: String,
    /// What is compared.
    pub metric: Metric,
    /// The contender that it is about.
    pub of: String,
    /// The contender that it is compared with; `None` for an absolute bound.
    pub versus: Option<String>,
    /// The level, always one of the scenario's; `None` only under a closed load.
    pub at: Option<Level>,
    /// The request kind, when the mix has several.
    pub request: Option<String>,
    /// What must hold.
    pub bound: Bound,
    /// The statement that a ledger's row makes needs it.
    pub decides: bool,
}

/// What must hold of a ratio (with `versus`) or of a value (without), in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The ratio lies inside [1/r, r].
    Within(f64),
    /// Differs by at most this; ns.
    WithinAbs(Nanos),
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

/// Statements of one file.
const STATEMENTS_MAX: usize = 200;

/// What a statement can speak of.
pub(super) struct Known<'a> {
    pub(super) contenders: &'a [Contender],
    pub(super) rates: &'a [Level],
    pub(super) mix: &'a [(Operation, u32)],
    pub(super) kind: LoadKind,
    pub(super) store: &'a Store,
    pub(super) slo: Option<&'a Slo>,
    pub(super) footprint: bool,
    /// Rates one after another, in times the level's.
    pub(super) steps: &'a [Step],
}

/// A recovery is of the first second after a fault that is within the SLO, and so many requests make a second that counts.
const RECOVERY_PER_SECOND: f64 = 1_000.0;

/// The statements in the file's order.
pub(super) fn statements(
    raw: &[RawStatement],
    known: &Known<'_>,
) -> Result<Vec<Statement>, Diagnostic> {
    if let Some(raw) = raw.get(STATEMENTS_MAX) {
        let title = format!("a scenario makes at most {STATEMENTS_MAX} statements of a kind");
        return Err(Diagnostic::new(&raw.text.span, title, "one too many"));
    }
    raw.iter().map(|raw| statement(raw, known)).collect()
}

fn statement(raw: &RawStatement, known: &Known<'_>) -> Result<Statement, Diagnostic> {
    let metric = metric(raw, known)?;
    let of = contender(&raw.of, metric, known)?;
    let versus = raw.versus.as_ref().map(|versus| contender(versus, metric, known)).transpose()?;
    if let Some(versus) = raw.versus.as_ref().filter(|versus| versus.value == of) {
        let title = format!("`{of}` is compared with itself");
        return Err(Diagnostic::new(&versus.span, title, "the same as `of`"));
    }
    Ok(Statement {
        text: sentence(&raw.text, "text")?,
        metric,
        of,
        at: level(raw, metric, known)?,
        request: request(raw, metric, known)?,
        bound: bound(raw, metric, versus.is_some())?,
        versus,
        decides: raw.decides,
    })
}

/// The metric, which the load, the store and the promise must have.
fn metric(raw: &RawStatement, known: &Known<'_>) -> Result<Metric, Diagnostic> {
    possible(raw.metric.value, &raw.metric.span, known)
}

/// What the run itself speaks of: what the file says, else its tail or its ceiling.
pub(super) fn headline(
    given: Option<&At<RawHeadline>>,
    known: &Known<'_>,
) -> Result<Option<Metric>, Diagnostic> {
    let Some(at) = given else {
        return Ok(Some(match known.kind {
            LoadKind::Open(_) => Metric::P99,
            LoadKind::Closed => Metric::Achieved,
        }));
    };
    let Some(metric) = at.value.metric() else { return Ok(None) };
    if let Some(contender) = known.contenders.iter().find(|one| one.is_url()) {
        of_a_url(&contender.name, metric, &at.span)?;
    }
    if let (Metric::Recovery, Some(level)) = (metric, known.rates.first()) {
        can_recover(*level, &at.span, known)?;
    }
    possible(metric, &at.span, known).map(Some)
}

fn possible(metric: Metric, span: &Range<usize>, known: &Known<'_>) -> Result<Metric, Diagnostic> {
    let closed = known.kind == LoadKind::Closed;
    let distributes =
        |(operation, _): &(Operation, u32)| matches!(operation, Operation::Distribution { .. });
    let diagnostic = |title: &str, help: &str| {
        Err(Diagnostic::new(span, title, "not of this scenario").help(help))
    };
    match metric {
        metric if closed && (metric.is_of_responses() || metric == Metric::Goodput) => diagnostic(
            "a closed load has no response time",
            "use `achieved` or `cpu_per_request`, or write [load.open]",
        ),
        Metric::Achieved if !closed => diagnostic(
            "`achieved` is the maximum throughput, which a closed load finds",
            "an open load is answered at its own rate; write [load.closed]",
        ),
        Metric::Completion | Metric::AccountsPerS if !known.mix.iter().any(distributes) => {
            diagnostic(
                "no distributions are sent",
                "use `p50`, or write [[route]] and below it operation = \"distribution\"",
            )
        }
        Metric::PoolWaitP99 if *known.store == Store::Memory => diagnostic(
            "there is no pool of connections in memory",
            "write [store.standin] or [store.postgres]",
        ),
        Metric::Recovery if known.steps.is_empty() && !has_faults(known.store) => diagnostic(
            "there is no fault and no burst to recover from",
            "write [store.standin] and below it for example faults = [\"stall=1s@3s\"], or `steps` or a `spike` of the load",
        ),
        Metric::Recovery | Metric::Goodput if known.slo.is_none() => diagnostic(
            "there is no objective to be within",
            "write [slo] and below it for example p99 = \"100ms\"",
        ),
        metric if metric.is_of_a_footprint() && !known.footprint => diagnostic(
            "nothing is looked at but the load",
            "write footprint = { starts = 10 } into the experiment",
        ),
        metric => Ok(metric),
    }
}

fn has_faults(store: &Store) -> bool {
    let server = store.dependency().map(|dependency| &dependency.server);
    matches!(server, Some(Server::Standin { faults }) if !faults.is_empty())
}

/// A server that is not ours has no figure of its process.
fn of_a_url(name: &str, metric: Metric, span: &Range<usize>) -> Result<(), Diagnostic> {
    match metric {
        metric if metric.is_of_a_process() => {
            let title =
                format!("`{}` of `{name}`, a contender by URL, cannot be measured", metric.name());
            Err(Diagnostic::new(span, title, "not started by bakeoff")
                .help("give it as a `command`, or use a response time"))
        }
        _ => Ok(()),
    }
}

/// A contender of the file that has such a figure.
fn contender(at: &At<String>, metric: Metric, known: &Known<'_>) -> Result<String, Diagnostic> {
    let names = known.contenders.iter().map(|contender| contender.name.as_str());
    if let Some(contender) = known.contenders.iter().find(|one| one.name == at.value) {
        if contender.is_url() {
            of_a_url(&contender.name, metric, &at.span)?;
        }
        return Ok(at.value.clone());
    }
    let swept = known.contenders.iter().filter(|one| one.sweep.as_ref() == Some(&at.value));
    let sizes: Vec<&str> = swept.map(|one| one.name.as_str()).collect();
    if !sizes.is_empty() {
        let title = format!("`{}` has several sizes", at.value);
        return Err(Diagnostic::new(&at.span, title, "which of them?")
            .help(format!("name one: {}", listed(sizes))));
    }
    let title = format!("there is no contender `{}`", at.value.escape_debug());
    Err(Diagnostic::new(&at.span, title, "not known").suggest(&at.value, names))
}

fn level(
    raw: &RawStatement,
    metric: Metric,
    known: &Known<'_>,
) -> Result<Option<Level>, Diagnostic> {
    let level = match (&raw.at, known.rates) {
        (None, _) if metric == Metric::Capacity || metric.is_of_a_footprint() => Ok(None),
        (Some(at), _) if metric.is_of_a_footprint() => {
            let title = format!("`{}` does not depend on the rate", metric.name());
            Err(Diagnostic::new(&at.span, title, "not with this metric").help("remove `at`"))
        }
        (Some(at), _) if metric == Metric::Capacity => {
            let title = "a capacity does not belong to one rate";
            Err(Diagnostic::new(&at.span, title, "not with this metric").help("remove `at`"))
        }
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(*only)),
        (None, rates) => {
            let title = "several rates run, and this statement does not say at which it holds";
            Err(Diagnostic::new(&raw.metric.span, title, "at which rate?").help(format!(
                "write at = \"{}\", or another of {}",
                rates[0],
                list_of(rates)
            )))
        }
        (Some(at), []) => {
            Err(Diagnostic::new(&at.span, "a closed load has no rates", "not under [load.closed]")
                .help("remove `at`"))
        }
        (Some(at), rates) if rates.contains(&at.value.0) => Ok(Some(at.value.0)),
        (Some(at), rates) => {
            let title = format!("{} is not one of the rates", at.value.0);
            Err(Diagnostic::new(&at.span, title, "not run")
                .help(format!("the rates are {}", list_of(rates))))
        }
    }?;
    if let Some(level) = level.filter(|_| metric == Metric::Recovery) {
        can_recover(level, &raw.metric.span, known)?;
    }
    Ok(level)
}

/// Whether what comes after the fault or the burst has requests enough to say when a second is kept again.
fn can_recover(level: Level, span: &Range<usize>, known: &Known<'_>) -> Result<(), Diagnostic> {
    let after = known.steps.last().map_or(1.0, |step| step.times);
    match level {
        Level::Rate(rate) if rate.0 * after < RECOVERY_PER_SECOND => {
            let title = format!("{} is too little to see a recovery", Rate(rate.0 * after));
            Err(Diagnostic::new(span, title, "not at this rate")
                .help("a second counts from 1,000 requests on; write a rate of 1,100/s or more"))
        }
        _ => Ok(()),
    }
}

/// The request kind, `None` where there is one kind or the metric is of the whole trial.
fn request(
    raw: &RawStatement,
    metric: Metric,
    known: &Known<'_>,
) -> Result<Option<String>, Diagnostic> {
    let kinds = || known.mix.iter().map(|(operation, _)| operation.name());
    match &raw.request {
        Some(at) if !metric.is_of_a_request() => {
            let title =
                format!("`{}` belongs to a trial, not to one kind of request", metric.name());
            Err(Diagnostic::new(&at.span, title, "not with this metric").help("remove `request`"))
        }
        Some(at) if !kinds().any(|kind| kind == at.value) => {
            let title = format!("this load has no request `{}`", at.value.escape_debug());
            Err(Diagnostic::new(&at.span, title, "not sent").suggest(&at.value, kinds()))
        }
        None if metric.is_of_a_request() && known.mix.len() > 1 => {
            let title = "several kinds of request are sent, and this statement does not say which";
            Err(Diagnostic::new(&raw.metric.span, title, "of which request?")
                .help(format!("write request = with one of {}", listed(kinds()))))
        }
        Some(at) if known.mix.len() > 1 => Ok(Some(at.value.clone())),
        _ => Ok(None),
    }
}

fn bound(raw: &RawStatement, metric: Metric, paired: bool) -> Result<Bound, Diagnostic> {
    let given = [
        raw.within.as_ref().map(|at| ("within", &at.span)),
        raw.within_abs.as_ref().map(|at| ("within_abs", &at.span)),
        raw.at_least.as_ref().map(|at| ("at_least", &at.span)),
        raw.at_most.as_ref().map(|at| ("at_most", &at.span)),
    ];
    let mut given = given.into_iter().flatten();
    let Some((first, span)) = given.next() else {
        return Err(Diagnostic::new(
            &raw.text.span,
            "this statement has no bound",
            "needs a bound",
        )
        .help("write one of within = 1.10, within_abs, at_least and at_most"));
    };
    if let Some((second, span)) = given.next() {
        let title = format!("a statement has one bound, and this has `{first}` and `{second}`");
        return Err(Diagnostic::new(span, title, "a second bound")
            .help("make two statements of it, so that each is judged"));
    }
    if let (true, false) = (first.starts_with("within"), paired) {
        let title = format!("`{first}` compares two contenders, and there is no `versus`");
        return Err(Diagnostic::new(span, title, "compared with what?")
            .help("write versus = \"..\", or use at_least or at_most"));
    }
    if let Some(at) = &raw.within {
        return within(at);
    }
    if let Some(at) = &raw.within_abs {
        return match metric.unit() {
            Unit::Nanos => Ok(Bound::WithinAbs(at.value.0)),
            _ => Err(no_duration(metric, &at.span)),
        };
    }
    if let Some(at) = &raw.at_least {
        return figure(at, metric, paired).map(Bound::AtLeast);
    }
    let at = raw.at_most.as_ref().expect("one of the four bounds is given");
    figure(at, metric, paired).map(Bound::AtMost)
}

fn within(at: &At<f64>) -> Result<Bound, Diagnostic> {
    if at.value.is_finite() && at.value >= 1.0 {
        return Ok(Bound::Within(at.value));
    }
    Err(Diagnostic::new(&at.span, "`within` must be 1 or more", "no such ratio")
        .help("1.10 lets the ratio lie between 1/1.10 and 1.10"))
}

fn no_duration(metric: Metric, span: &Range<usize>) -> Diagnostic {
    let title = format!("`within_abs` is for response times, and `{}` is not one", metric.name());
    Diagnostic::new(span, title, "not with this metric").help("write a ratio: within = 1.10")
}

/// A ratio when two are compared; else a value in the metric's unit: ns, requests per second, us, bytes.
fn figure(at: &At<Figure>, metric: Metric, paired: bool) -> Result<f64, Diagnostic> {
    let diagnostic = |title: String, help: String| {
        Err(Diagnostic::new(&at.span, title, "not a bound of this statement").help(help))
    };
    let example = example(metric);
    match (&at.value, paired) {
        (Figure::Number(ratio), true) if ratio.is_finite() && *ratio > 0.0 => Ok(*ratio),
        (Figure::Number(ratio), true) => diagnostic(
            format!("`{ratio}` is not a ratio"),
            "a ratio is above 0, such as 1.5".to_owned(),
        ),
        (Figure::Text(_), true) => diagnostic(
            "two contenders are compared by a ratio".to_owned(),
            "write a bare number such as 1.5, or remove `versus` for an absolute bound".to_owned(),
        ),
        (Figure::Number(times), false) if metric.unit() == Unit::Times && *times >= 1.0 => {
            Ok(*times)
        }
        (_, false) if metric.unit() == Unit::Times => diagnostic(
            "a spread is the largest value over the median, so at least 1".to_owned(),
            "write a bare number from 1 on, such as 1.5".to_owned(),
        ),
        (Figure::Number(count), false) if metric.unit() == Unit::Count && *count >= 0.0 => {
            Ok(*count)
        }
        (_, false) if metric.unit() == Unit::Count => diagnostic(
            "a number for each request has no unit".to_owned(),
            "write a bare number from 0 on, such as 2.5".to_owned(),
        ),
        (Figure::Number(number), false) => diagnostic(
            format!("`{number}` has no unit, and there is no `versus` to make it a ratio"),
            format!("write a value such as \"{example}\", or `versus`"),
        ),
        (Figure::Text(text), false) => match value(text, metric) {
            Ok(value) => Ok(value),
            Err(why) => diagnostic(why, format!("write `{}` such as \"{example}\"", metric.name())),
        },
    }
}

fn example(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Nanos => "5ms",
        Unit::PerSecond => "5000/s",
        Unit::Micros => "60us",
        Unit::Bytes => "16MiB",
        Unit::Times | Unit::Count => "1.5",
    }
}

fn value(text: &str, metric: Metric) -> Result<f64, String> {
    match metric.unit() {
        Unit::Nanos => text.parse::<Nanos>().map(|time| time.0 as f64),
        Unit::PerSecond => text.parse::<Rate>().map(|rate| rate.0),
        Unit::Micros => text.parse::<Nanos>().map(Nanos::as_micros_f64),
        Unit::Bytes => bytes(text),
        Unit::Times | Unit::Count => Err(format!("`{text}` is a number and needs no unit")),
    }
}

/// `16MiB`, `1.5GiB`, `512KiB`.
pub(super) fn bytes(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let scale = match text[digits..].trim() {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "" => return Err(format!("`{text}` has no unit")),
        unit => return Err(format!("`{unit}` is not a unit of memory; use KiB, MiB or GiB")),
    };
    let number: f64 = text[..digits].parse().map_err(|_| format!("`{text}` is not a size"))?;
    Ok(number * scale)
}
