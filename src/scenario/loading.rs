//! The part of a file that says how the load is made, and where.

use std::ops::Range;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::quantity::{At, Quantity};
use super::raw::{Raw, RawLoad, RawOpen, RawPlacement, RawSlo, RawSteps};
use super::reading::required;
use super::{Level, WarmUp};
use crate::load::plan::{Arrivals, Names, Replay, Step, Traffic};
use crate::scenario::field::{steady, whole};
use crate::units::{Nanos, Rate, Share};
use crate::words::words;

/// Which cores the sides get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Apart, or all on the same cores.
    pub mode: PlacementMode,
    /// Cores of the contender; `None` takes METHOD's table for this machine.
    pub contender_cores: Option<usize>,
}

words! {
    "placement mode"
    /// Whether generator and contender share cores.
    #[derive(Default)]
    pub enum PlacementMode {
        /// Disjoint cores.
        #[default]
        Apart = "apart",
        /// All cores for the contender, the generator beside it; labelled co-located.
        Shared = "shared",
        /// On the hosts that are named.
        Hosts = "hosts",
    }
}

/// How the load of each trial is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Open loop at the experiment's levels, or closed at the ceiling.
    pub kind: LoadKind,
    /// Discarded before the window.
    pub warm_up: WarmUp,
    /// The measured window at least; [`Scenario::duration_at`](super::Scenario::duration_at) says how long it is at a rate.
    pub duration: Nanos,
    /// Rates one after another, in times the level's; empty keeps the level. They last as long as the window.
    pub steps: Vec<Step>,
    /// Bursts or a file of arrivals, in place of a steady rate.
    pub traffic: Option<Traffic>,
    /// Connections of the generator.
    pub connections: usize,
    /// When an answer is given up.
    pub timeout: Nanos,
    /// Requests that a window must hold at least, so that percentiles are supported; 0 for a smoke run.
    pub requests_min: u64,
}

impl Load {
    /// Whether its steps or its file of arrivals make its window and rates.
    pub(crate) fn says_its_rates(&self) -> bool {
        !self.steps.is_empty() || matches!(self.traffic, Some(Traffic::Replay(_)))
    }
}

/// Whether sending waits for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// Sends at intended instants, whatever comes back.
    Open(Arrivals),
    /// Each connection sends when its answer has come: finds a ceiling, has no response time.
    Closed,
}

/// What the service promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    /// The response time that 99 % must meet.
    pub p99: Nanos,
    /// The share of requests that may fail.
    pub error_rate: Share,
}

/// Connections of the generator: within the ports and descriptors that one process gets.
const CONNECTIONS_MAX: u64 = 16_384;
/// More cores than any machine that this runs on.
const CORES_MAX: u64 = 1_024;
/// Levels of one experiment.
const LEVELS_MAX: usize = 50;
/// The longest window, warm-up and timeout.
pub(super) const WINDOW_MAX: Nanos = Nanos(3_600 * Nanos::SECOND.0);
/// A window below this is shorter than the machine's own hiccups.
pub(super) const WINDOW_MIN: Nanos = Nanos(100 * Nanos::MILLI.0);

/// Steps of one load.
const STEPS_MAX: usize = 64;

/// The keys that both kinds of load have.
#[derive(Clone, Copy, Default)]
pub(super) struct Common<'a> {
    warm_up: Option<&'a At<Quantity<WarmUp>>>,
    duration: Option<&'a At<Quantity<Nanos>>>,
    pub(super) connections: Option<&'a At<u64>>,
    timeout: Option<&'a At<Quantity<Nanos>>>,
}

impl RawLoad {
    /// The keys that both kinds of load have.
    pub(super) fn common(&self) -> Common<'_> {
        match self {
            Self::Open(open) => Common {
                warm_up: open.warm_up.as_ref(),
                duration: open.duration.as_ref(),
                connections: open.connections.as_ref(),
                timeout: open.timeout.as_ref(),
            },
            Self::Closed(closed) => Common {
                warm_up: closed.warm_up.as_ref(),
                duration: closed.duration.as_ref(),
                connections: closed.connections.as_ref(),
                timeout: closed.timeout.as_ref(),
            },
        }
    }

    fn open(&self) -> Option<&RawOpen> {
        match self {
            Self::Open(open) => Some(open),
            Self::Closed(_) => None,
        }
    }
}

impl RawOpen {
    /// The keys that say how the rate goes, where they stand: at most one of them is given.
    fn courses(&self) -> impl Iterator<Item = (&'static str, &Range<usize>)> {
        let given = [
            ("steps", self.steps.as_ref().map(|at| &at.span)),
            ("spike", self.spike.as_ref().map(|at| &at.span)),
            ("bursts", self.bursts.as_ref().map(|at| &at.span)),
            ("replay", self.replay.as_ref().map(|at| &at.span)),
        ];
        given.into_iter().filter_map(|(key, span)| Some((key, span?)))
    }
}

impl Raw {
    fn open(&self) -> Option<&RawOpen> {
        self.load.as_ref()?.open()
    }

    /// The rates of the `compare` experiment, if the file has any.
    pub(super) fn rates(&self) -> Option<&At<Vec<At<Quantity<Level>>>>> {
        self.experiment.as_ref()?.compare.as_ref()?.rates.as_ref()
    }

    /// The rates of the `curve` experiment, if the file has any.
    pub(super) fn curve(&self) -> Option<&At<Vec<At<Quantity<Level>>>>> {
        self.experiment.as_ref()?.curve.as_ref()?.rates.as_ref()
    }

    /// Whether there is an experiment that chooses its rates itself.
    fn finds_rates(&self) -> bool {
        let experiment = self.experiment.as_ref();
        experiment.is_some_and(|one| one.capacity.is_some() || one.map.is_some())
    }
}

/// How the load is made; `requests_min` is left at 0 until the mix and the statements are known.
pub(super) fn load(raw: Option<&RawLoad>, folder: &Path) -> Result<Load, Diagnostic> {
    let common = raw.map(RawLoad::common).unwrap_or_default();
    let open = raw.and_then(RawLoad::open);
    let mut courses = open.into_iter().flat_map(RawOpen::courses);
    if let (Some((first, _)), Some((second, span))) = (courses.next(), courses.next()) {
        let title = format!("a load has `{first}` or `{second}`, not both");
        return Err(Diagnostic::new(span, title, format!("and `{first}`")));
    }
    let mut steps =
        open.and_then(|open| open.steps.as_ref()).map(steps).transpose()?.unwrap_or_default();
    if let (Some(at), false) = (common.duration, steps.is_empty()) {
        return Err(Diagnostic::new(
            &at.span,
            "`steps` of the load has its own duration",
            "not beside `steps`",
        )
        .help("remove `duration`"));
    }
    let traffic = open.map(|open| traffic(open, folder)).transpose()?.flatten();
    let lasting = match &traffic {
        Some(Traffic::Replay(replay)) => replay.lasting().clamp(WINDOW_MIN, WINDOW_MAX),
        _ => Nanos(5 * Nanos::SECOND.0),
    };
    let window = match steps.is_empty() {
        true => duration(common.duration, "duration", lasting, WINDOW_MIN)?,
        false => Nanos(steps.iter().map(|step| step.lasting.0).sum()),
    };
    if let Some(spike) = open.and_then(|open| open.spike.as_ref()) {
        let made = spike.value.0.steps(window);
        steps = made.map_err(|why| Diagnostic::new(&spike.span, why, "outside of the window"))?;
    }
    let connections = whole(common.connections, "connections", 64, 1..=CONNECTIONS_MAX)?;
    Ok(Load {
        kind: match raw {
            Some(RawLoad::Closed(_)) => LoadKind::Closed,
            Some(RawLoad::Open(open)) => LoadKind::Open(open.arrivals.unwrap_or_default()),
            None => LoadKind::Open(Arrivals::Poisson),
        },
        warm_up: warm_up(common.warm_up)?,
        duration: window,
        steps,
        traffic,
        connections: connections as usize,
        timeout: duration(common.timeout, "timeout", Nanos(2 * Nanos::SECOND.0), Nanos::MILLI)?,
        requests_min: 0,
    })
}

fn traffic(open: &RawOpen, folder: &Path) -> Result<Option<Traffic>, Diagnostic> {
    if let Some(bursts) = &open.bursts {
        return Ok(Some(Traffic::Bursts(bursts.value.0)));
    }
    let Some(at) = &open.replay else { return Ok(None) };
    let names = Names { time: open.replay_time.clone(), duration: open.replay_duration.clone() };
    let replay = Replay::read(&folder.join(&at.value), &names).map_err(|why| {
        Diagnostic::new(&at.span, why, "no arrivals").help(
            "write one time in seconds per line, or name an access log; with JSON lines also `replay_time`",
        )
    })?;
    Ok(Some(Traffic::Replay(replay)))
}

/// The steps as multiples of the first one.
fn steps(raw: &RawSteps) -> Result<Vec<Step>, Diagnostic> {
    if !(2..=STEPS_MAX).contains(&raw.value.len()) {
        let title = format!("`steps` must be 2 to {STEPS_MAX}");
        return Err(Diagnostic::new(&raw.span, title, format!("{} steps", raw.value.len())));
    }
    let first = raw.value[0].0.value.0;
    let mut steps = Vec::new();
    for (level, lasting) in &raw.value {
        let Some(times) = level.value.0.times(first).filter(|times| *times > 0.0) else {
            let title = format!("`steps` cannot have both {first} and {}", level.value.0);
            return Err(Diagnostic::new(&level.span, title, "another kind of rate")
                .help("write all of them as rates, or all as shares of one maximum throughput"));
        };
        let lasting = duration(Some(lasting), "a step", WINDOW_MIN, WINDOW_MIN)?;
        steps.push(Step { times, lasting });
    }
    let all: u64 = steps.iter().map(|step| step.lasting.0).sum();
    if all > WINDOW_MAX.0 {
        return Err(Diagnostic::new(&raw.span, "`steps` must last at most an hour", "too long"));
    }
    Ok(steps)
}

fn warm_up(given: Option<&At<Quantity<WarmUp>>>) -> Result<WarmUp, Diagnostic> {
    match given {
        None => Ok(WarmUp::default()),
        Some(at) if at.value.0.fits() => Ok(at.value.0),
        Some(at) => {
            let title = "`warm_up` must be at most an hour or 100,000,000 requests";
            Err(Diagnostic::new(&at.span, title, "too long"))
        }
    }
}

fn duration(
    given: Option<&At<Quantity<Nanos>>>,
    key: &str,
    default: Nanos,
    least: Nanos,
) -> Result<Nanos, Diagnostic> {
    match given {
        None => Ok(default),
        Some(at) if (least..=WINDOW_MAX).contains(&at.value.0) => Ok(at.value.0),
        Some(at) if at.value.0 < least => {
            Err(Diagnostic::new(&at.span, format!("`{key}` must be at least {least}"), "too short"))
        }
        Some(at) => {
            Err(Diagnostic::new(&at.span, format!("`{key}` must be at most an hour"), "too long"))
        }
    }
}

/// The levels, those of `compare` and then those of `curve`: some under an open load unless an experiment finds its own,
/// none under a closed one. Beside them, how many are of `compare`.
///
/// `own` is the sum of the routes' own rates, where they have them.
pub(super) fn rates(
    raw: &Raw,
    load: &Load,
    own: Option<Rate>,
) -> Result<(Vec<Level>, usize), Diagnostic> {
    let (open, kind) = (raw.open(), load.kind);
    if let Some(steps) = open.and_then(|open| open.steps.as_ref()) {
        refuse_other_rates(raw, ("steps", &steps.span), own)?;
        return Ok((vec![steps.value[0].0.value.0], 1));
    }
    if let (Some(Traffic::Replay(replay)), Some(at)) =
        (&load.traffic, open.and_then(|open| open.replay.as_ref()))
    {
        refuse_other_rates(raw, ("replay", &at.span), own)?;
        return Ok((vec![Level::Rate(replay.rate())], 1));
    }
    if open.is_some_and(|open| open.spike.is_some()) {
        refuse_searches(raw, "spike")?;
    }
    if let Some(sum) = own {
        return of_routes(raw, kind, sum).map(|levels| (levels, 1));
    }
    let mut levels = Vec::new();
    if let Some(rates) = raw.rates() {
        add_levels(&mut levels, rates, kind)?;
    }
    let compared = levels.len();
    if let Some(rates) = raw.curve() {
        add_levels(&mut levels, rates, kind)?;
    }
    if levels.is_empty() && kind != LoadKind::Closed && !raw.finds_rates() {
        // A scenario for the gate alone can be run as well: at the gate's rate.
        if let Some(gate) = &raw.gate {
            return Ok((vec![super::gate::rate(&gate.value)?], 1));
        }
        return Err(required(
            "rates",
            "an open load needs its rates",
            "experiment = { compare = { rates = [\"20%\", \"50%\", \"80%\"] } }, or for `bakeoff gate` alone an empty [gate]",
        ));
    }
    Ok((levels, compared))
}

/// The levels of one experiment, which are no other's.
fn add_levels(
    levels: &mut Vec<Level>,
    rates: &At<Vec<At<Quantity<Level>>>>,
    kind: LoadKind,
) -> Result<(), Diagnostic> {
    if kind == LoadKind::Closed {
        return Err(Diagnostic::new(
            &rates.span,
            "a closed load has no rates",
            "not under [load.closed]",
        )
        .help("it sends as fast as the answers come; remove `rates`, or use [load.open]"));
    }
    if rates.value.is_empty() || rates.value.len() > LEVELS_MAX {
        let title = format!("`rates` must have 1 to {LEVELS_MAX} levels");
        return Err(Diagnostic::new(&rates.span, title, format!("{} levels", rates.value.len())));
    }
    for level in &rates.value {
        steady(level)?;
        if levels.contains(&level.value.0) {
            let title = format!("the level {} is given twice", level.value.0);
            return Err(Diagnostic::new(&level.span, title, "a second time"));
        }
        levels.push(level.value.0);
    }
    Ok(())
}

/// A load whose course has the rates in it has no others.
fn refuse_other_rates(
    raw: &Raw,
    (key, span): (&str, &Range<usize>),
    own: Option<Rate>,
) -> Result<(), Diagnostic> {
    if let Some(rates) = raw.rates().or(raw.curve()) {
        return Err(chooses_others(&rates.span, "`rates`", key));
    }
    if own.is_some() {
        let title = format!("the routes have rates of their own, and the load has `{key}`");
        return Err(Diagnostic::new(span, title, "which of them?")
            .help(format!("give the routes weights, or remove `{key}`")));
    }
    refuse_searches(raw, key)
}

/// A search, a map and a gate choose their own rates and windows.
fn refuse_searches(raw: &Raw, key: &str) -> Result<(), Diagnostic> {
    let experiment = raw.experiment.as_ref();
    let capacity = experiment.and_then(|one| one.capacity.as_ref()).map(|at| &at.span);
    let map = experiment.and_then(|one| one.map.as_ref()).map(|at| &at.span);
    let gate = raw.gate.as_ref().map(|at| &at.span);
    let named = [(capacity, "`capacity`"), (map, "`map`"), (gate, "[gate]")];
    match named.into_iter().find_map(|(span, name)| Some((span?, name))) {
        Some((span, name)) => Err(chooses_others(span, name, key)),
        None => Ok(()),
    }
}

fn chooses_others(span: &Range<usize>, name: &str, key: &str) -> Diagnostic {
    let title = format!("{name} and `{key}` of the load cannot be used together");
    Diagnostic::new(span, title, "chooses other rates")
        .help(format!("remove {name}, or `{key}` of the load"))
}

/// The one level of routes that have rates: their sum.
fn of_routes(raw: &Raw, kind: LoadKind, sum: Rate) -> Result<Vec<Level>, Diagnostic> {
    let rate = raw.route.iter().find_map(|route| route.value.rate.as_ref());
    let span = rate.map_or(0..0, |rate| rate.span.clone());
    if let Some(rates) = raw.rates().or(raw.curve()) {
        return Err(Diagnostic::new(
            &rates.span,
            "the routes have their own rates",
            "and these too",
        )
        .help("remove these, or give the routes weights"));
    }
    match kind {
        LoadKind::Open(Arrivals::Poisson) => Ok(vec![Level::Rate(sum)]),
        LoadKind::Open(Arrivals::Constant) => Err(Diagnostic::new(
            &span,
            "routes with rates are independent of each other",
            "and so random",
        )
        .help("write arrivals = \"poisson\", or weights in place of the rates")),
        LoadKind::Closed => {
            Err(Diagnostic::new(&span, "a closed load has no rates", "not under [load.closed]")
                .help("write weights in place of the rates, or use [load.open]"))
        }
    }
}

/// Who runs on which cores.
pub(super) fn placement(raw: Option<&RawPlacement>) -> Result<Placement, Diagnostic> {
    let mode =
        raw.and_then(|raw| raw.mode.as_ref()).map_or(PlacementMode::Apart, |mode| mode.value);
    let cores = raw.and_then(|raw| raw.contender_cores.as_ref());
    if let (PlacementMode::Shared, Some(at)) = (mode, cores) {
        let title = "a shared placement gives the contender every core";
        return Err(Diagnostic::new(&at.span, title, "not with mode = \"shared\"")
            .help("remove `contender_cores`, or write mode = \"apart\""));
    }
    let contender_cores = match cores {
        None => None,
        Some(_) => Some(whole(cores, "contender_cores", 1, 1..=CORES_MAX)? as usize),
    };
    Ok(Placement { mode, contender_cores })
}

/// What the service promises under `load`.
pub(super) fn objective(raw: &RawSlo, load: &Load) -> Result<Slo, Diagnostic> {
    let p99 = raw.p99.value.0;
    if load.kind == LoadKind::Closed {
        return Err(Diagnostic::new(
            &raw.p99.span,
            "a closed load has no response time to promise",
            "not under [load.closed]",
        )
        .help("remove [slo], or use [load.open]"));
    }
    if p99 > load.timeout {
        let title = format!("the timeout of {} is shorter than this SLO", load.timeout);
        return Err(Diagnostic::new(&raw.p99.span, title, "longer than `timeout`")
            .help(format!("write a `timeout` of at least {p99} into [load.open]")));
    }
    let error_rate = match &raw.error_rate {
        None => Share(0.0),
        Some(at) if at.value.0.0 <= 1.0 => at.value.0,
        Some(at) => {
            return Err(Diagnostic::new(
                &at.span,
                "`error_rate` must be at most 100%",
                "out of range",
            ));
        }
    };
    Ok(Slo { p99, error_rate })
}
