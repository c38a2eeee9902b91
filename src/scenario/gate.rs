//! `[gate]`: how two builds of a contender are compared.

use std::fmt;

use super::diagnostic::{Diagnostic, listed, nearest};
use super::quantity::{At, Quantity};
use super::raw::{RawGate, RawOnInconclusive};
use super::{Contender, Level, LoadKind};
use crate::load::plan::Operation;
use crate::record::gate::Metric;
use crate::units::{Nanos, Share};

/// Of the baseline's ceiling, where nothing else is said.
const RATE: Level = Level::OfLowest(Share(0.6));
/// The longest gate.
const BUDGET_MAX: Nanos = Nanos(6 * 3_600 * Nanos::SECOND.0);
/// What is twice as bad needs no gate to be seen.
const MARGIN_MAX: Share = Share(1.0);

/// What a gate does with two contenders.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The contender whose model is started from two binaries; `None` takes the first one with a model.
    pub contender: Option<String>,
    /// The load, the same for both: a rate, or a share of the baseline's ceiling.
    pub rate: Level,
    /// How long it may take; `None` has room for the most rounds.
    pub budget: Option<Nanos>,
    /// What is gated, at least one, in the file's order.
    pub metrics: Vec<GateMetric>,
    /// A metric that stays undecided fails the gate.
    pub fail_inconclusive: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GateMetric {
    /// What is measured.
    pub figure: Metric,
    /// Of which request, where there are several.
    pub request: Option<String>,
    /// A change for the worse that is tolerated; `None` takes the metric's own.
    pub margin: Option<Share>,
    /// When it cannot be gated, the gate is not passed.
    pub required: bool,
}

impl Gate {
    /// The gate of a scenario that says nothing about it: every metric that costs no block of its own, memory once.
    pub fn usual(mix: &[(Operation, u32)]) -> Self {
        let most = mix.iter().max_by_key(|(_, weight)| *weight).map(|(kind, _)| kind.name());
        let request = most.filter(|_| mix.len() > 1).map(str::to_owned);
        let usual = |one: &Metric| !matches!(one, Metric::Throughput | Metric::Rss);
        let metrics = Metric::ALL.into_iter().filter(usual);
        let metrics = metrics.map(|figure| GateMetric {
            figure,
            request: request.clone().filter(|_| figure.is_a_response_time()),
            margin: None,
            required: false,
        });
        Self {
            contender: None,
            rate: RATE,
            budget: None,
            metrics: metrics.collect(),
            fail_inconclusive: false,
        }
    }
}

/// `p99`, `p99 of charge`: as a scenario writes it.
impl fmt::Display for GateMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Some(request) => write!(f, "{} of {request}", self.figure.name()),
            None => f.write_str(self.figure.name()),
        }
    }
}

/// What the rest of the file says about a gate.
pub(super) struct Around<'a> {
    pub(super) contenders: &'a [Contender],
    pub(super) mix: &'a [(Operation, u32)],
    pub(super) kind: LoadKind,
}

/// The load level of a `[gate]`.
pub(super) fn rate(raw: &RawGate) -> Result<Level, Diagnostic> {
    match &raw.rate {
        None => Ok(RATE),
        Some(At { span, value: Quantity(Level::OfOwn(_)) }) => Err(Diagnostic::new(
            span,
            "a gate offers both contenders the same rate",
            "not a share of its own",
        )
        .help("write rate = \"60%\", a share of the baseline's maximum throughput, or \"300/s\"")),
        Some(at) => crate::scenario::field::steady(at).map(|()| at.value.0),
    }
}

/// The gate that `raw` describes.
pub(super) fn gate(raw: &At<RawGate>, around: &Around<'_>) -> Result<Gate, Diagnostic> {
    let At { span, value: raw } = raw;
    if around.kind == LoadKind::Closed {
        return Err(Diagnostic::new(
            span,
            "a gate offers a rate, and a closed load has none",
            "a gate",
        )
        .help("write [load.open]; `throughput` among the gate's metrics has closed blocks"));
    }
    let mut gate = Gate {
        contender: raw.contender.as_ref().map(|at| contender(at, around)).transpose()?,
        rate: rate(raw)?,
        budget: raw.budget.as_ref().map(budget).transpose()?,
        fail_inconclusive: raw
            .on_inconclusive
            .as_ref()
            .is_some_and(|at| matches!(at.value, RawOnInconclusive::Fail)),
        ..Gate::usual(around.mix)
    };
    if let Some(metrics) = &raw.metrics {
        gate.metrics = chosen(metrics, around)?;
    }
    for at in &raw.required {
        named(at, &mut gate.metrics, "required")?.for_each(|metric| metric.required = true);
    }
    for (key, margin) in &raw.margin {
        let share = self::margin(margin)?;
        named(key, &mut gate.metrics, "margin")?.for_each(|metric| metric.margin = Some(share));
    }
    Ok(gate)
}

/// The contender whose model is started from two binaries.
fn contender(at: &At<String>, around: &Around<'_>) -> Result<String, Diagnostic> {
    let models = || around.contenders.iter().filter(|one| one.built_in().is_some());
    if models().any(|one| one.name == at.value) {
        return Ok(at.value.clone());
    }
    let (title, label) = match around.contenders.iter().any(|one| one.name == at.value) {
        true => (format!("`{}` has no model", at.value), "is not started by `bakeoff serve`"),
        false => (format!("there is no contender `{}`", at.value.escape_debug()), "not known"),
    };
    let diagnostic = Diagnostic::new(&at.span, title, label);
    Err(match models().next() {
        None => diagnostic.help(
            "remove `contender`: it is for --baseline-bin; gate these with --baseline and --candidate",
        ),
        Some(_) => diagnostic.suggest(&at.value, models().map(|one| one.name.as_str()).collect::<Vec<_>>()),
    })
}

fn budget(at: &At<Quantity<Nanos>>) -> Result<Nanos, Diagnostic> {
    match at.value.0 {
        budget if budget > BUDGET_MAX => {
            Err(Diagnostic::new(&at.span, "`budget` must be at most 6 hours", "too long"))
        }
        Nanos(0) => Err(Diagnostic::new(&at.span, "`budget` must be above 0", "no time at all")),
        budget => Ok(budget),
    }
}

fn margin(at: &At<Quantity<Share>>) -> Result<Share, Diagnostic> {
    let share = at.value.0;
    if share.0 > 0.0 && share.0 <= MARGIN_MAX.0 {
        return Ok(share);
    }
    let title = format!("a margin must be above 0% and at most {MARGIN_MAX}");
    Err(Diagnostic::new(&at.span, title, "out of range").help(
        "a true regression equal to the margin is caught half the time; \"10%\" is usual for p99",
    ))
}

/// The metrics that a file chooses.
fn chosen(at: &At<Vec<At<String>>>, around: &Around<'_>) -> Result<Vec<GateMetric>, Diagnostic> {
    if at.value.is_empty() {
        return Err(Diagnostic::new(&at.span, "a gate needs at least one metric", "none")
            .help(format!("there are {}", listed(Metric::ALL.map(Metric::name)))));
    }
    let mut metrics: Vec<GateMetric> = Vec::new();
    for one in &at.value {
        let metric = metric(one, around)?;
        if metrics.contains(&metric) {
            let title = format!("the metric `{metric}` is given twice");
            return Err(Diagnostic::new(&one.span, title, "a second time"));
        }
        metrics.push(metric);
    }
    Ok(metrics)
}

/// `p99`, or `p99 of charge`.
fn metric(at: &At<String>, around: &Around<'_>) -> Result<GateMetric, Diagnostic> {
    let (name, request) = split(&at.value);
    let Ok(figure) = name.parse::<Metric>() else {
        let title = format!("a gate has no metric `{}`", name.escape_debug());
        return Err(Diagnostic::new(&at.span, title, "not known")
            .suggest(name, Metric::ALL.map(Metric::name)));
    };
    let kinds = || around.mix.iter().map(|(operation, _)| operation.name());
    let diagnostic = |title: String, label: &str| Diagnostic::new(&at.span, title, label);
    match request {
        Some(_) if !figure.is_a_response_time() => {
            let title = format!("`{name}` belongs to a block, not to one kind of request");
            return Err(diagnostic(title, "not of a request").help(format!("write \"{name}\"")));
        }
        Some(request) if !kinds().any(|kind| kind == request) => {
            let title = format!("this load has no request `{}`", request.escape_debug());
            return Err(diagnostic(title, "not sent").suggest(request, kinds().collect::<Vec<_>>()));
        }
        None if figure.is_a_response_time() && around.mix.len() > 1 => {
            let title = "several kinds of request are sent, and this does not say which".to_owned();
            let first = kinds().next().unwrap_or_default();
            let help = format!("write \"{name} of {first}\", or of another of {}", listed(kinds()));
            return Err(diagnostic(title, "of which request?").help(help));
        }
        _ => {}
    }
    let request = request.filter(|_| around.mix.len() > 1).map(str::to_owned);
    Ok(GateMetric { figure, request, margin: None, required: false })
}

/// The chosen metrics that `at` names: `p99` stands for that of every request.
fn named<'a>(
    at: &At<String>,
    metrics: &'a mut [GateMetric],
    key: &str,
) -> Result<impl Iterator<Item = &'a mut GateMetric>, Diagnostic> {
    let (name, request) = split(&at.value);
    let (name, request) = (name.to_owned(), request.map(str::to_owned));
    let is = move |metric: &GateMetric| {
        let every = request.is_none() || metric.request.is_none();
        metric.figure.name() == name && (every || metric.request == request)
    };
    if metrics.iter().any(&is) {
        return Ok(metrics.iter_mut().filter(move |metric| is(metric)));
    }
    let title = format!("`{key}` names `{}`, which is not gated", at.value.escape_debug());
    let spelled: Vec<String> = metrics.iter().map(ToString::to_string).collect();
    let help = match nearest(&at.value, spelled.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the gate's metrics are {}", listed(spelled.iter().map(String::as_str))),
    };
    Err(Diagnostic::new(&at.span, title, "not among the metrics").help(help))
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" of ") {
        Some((name, request)) => (name.trim(), Some(request.trim())),
        None => (text.trim(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{fingerprint, parse};

    const TEXT: &str = "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"payment\"\n\
                        contender.a.model = \"event-loop\"\n[gate]\n";

    fn gate_of(text: &str) -> Gate {
        parse("a.toml", &format!("{TEXT}{text}")).unwrap().gate.unwrap()
    }

    #[test]
    fn what_is_left_out_is_usual() {
        let gate = gate_of("");
        assert_eq!(gate, Gate::usual(&[]));
        assert_eq!(gate.rate, Level::OfLowest(Share(0.6)));
        let names: Vec<String> = gate.metrics.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["p99", "cpu_per_request", "p50", "memory"]);
        assert!(!gate.fail_inconclusive && gate.budget.is_none());
    }

    #[test]
    fn a_gate_alone_is_a_scenario_that_runs_at_its_rate_and_its_settings_change_no_figure() {
        let scenario = parse("a.toml", &format!("{TEXT}rate = \"300/s\"\n")).unwrap();
        assert_eq!(scenario.rates, [scenario.gate.as_ref().unwrap().rate]);
        let budget =
            parse("a.toml", &format!("{TEXT}rate = \"300/s\"\nbudget = \"6m\"\n")).unwrap();
        assert_eq!(fingerprint(&budget), fingerprint(&scenario));
    }

    #[test]
    fn settings_find_their_metrics() {
        let gate = gate_of(
            "metrics = [\"p99\", \"rss\"]\nrequired = [\"rss\"]\nmargin = { p99 = \"20%\" }\n\
             on_inconclusive = \"fail\"\n",
        );
        assert_eq!((gate.metrics[0].margin, gate.metrics[0].required), (Some(Share(0.2)), false));
        assert_eq!((gate.metrics[1].margin, gate.metrics[1].required), (None, true));
        assert!(gate.fail_inconclusive);
    }
}
