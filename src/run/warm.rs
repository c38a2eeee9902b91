//! How much is sent before each window, so that no window is of a cold server.
//!
//! The built-in models are warm after a constant number of requests. For other programs and for a server given by URL a
//! `pilot` finds it out, once in a run, before the first trial at a rate; the rule is pure. Trials that were still
//! warming up are marked afterwards, also by the rule.

use crate::error::Result;
use crate::load::live::Live;
use crate::load::plan::{Amount, Arrivals, First, Plan, Shape, WarmUp as Before};
use crate::load::run_seen;
use crate::record::outcome::Outcome;
use crate::record::{LoopKind, Pilot, PilotSpan, Trial, TrialVerdict};
use crate::run::host::{Host, Watch};
use crate::run::trial;
use crate::run::trial::spec::{PreparedTrial, TrialSpec, Warming};
use crate::scenario::{
    Contender, Level, LoadKind, MODEL_REQUESTS, OF_CEILING, PILOT_REQUESTS, PILOT_TIME, SLOWEST,
    Scenario, WarmUp, counted,
};
use crate::stats::median;
use crate::units::{Nanos, Rate};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A closed loop that finds a ceiling before there is a pilot is warmed up for so long at most.
const PROBE_WARM_UP: Nanos = Nanos(10 * Nanos::SECOND.0);
/// The longest warm-up of so many requests: they were sent at its rate in a pilot, or the level is compared in memory.
const WITHIN: Nanos = Nanos(3_600 * Nanos::SECOND.0);

/// How long what comes before a window may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WarmUpLimits {
    /// A pilot.
    pub(crate) pilot: Nanos,
    /// The warm-up of a contender that its pilot did not see steady.
    pub(crate) unsteady: Nanos,
}

impl Default for WarmUpLimits {
    fn default() -> Self {
        Self { pilot: PILOT_TIME, unsteady: WITHIN }
    }
}

/// What is known of when contenders are warm.
#[derive(Debug, Default)]
pub(crate) struct Warmth {
    pub(crate) limits: WarmUpLimits,
    pilots: Vec<Pilot>,
    /// Closed ceilings, by scenario and contender.
    ceilings: Vec<(String, String, Rate)>,
    /// What a reader should know.
    notes: Vec<String>,
}

impl Warmth {
    /// With the pilots of a run that is gone on with.
    pub(crate) fn with(pilots: Vec<Pilot>) -> Self {
        Self { pilots, ..Self::default() }
    }

    pub(crate) fn pilots(&self) -> &[Pilot] {
        &self.pilots
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A trial does this before its window.
    pub(crate) fn does(&mut self, warming: &Warming) {
        let new = warming.note.iter().filter(|note| !self.notes.contains(note));
        let new: Vec<String> = new.cloned().collect();
        self.notes.extend(new);
    }

    /// A closed probe shows a ceiling.
    pub(crate) fn saw(&mut self, trial: &Trial) {
        let probe = trial.round == 0 && trial.load.kind == LoopKind::Closed;
        if probe && self.ceiling(&trial.scenario, &trial.contender).is_none() {
            let (scenario, contender) = (trial.scenario.clone(), trial.contender.clone());
            self.ceilings.push((scenario, contender, Rate(trial.achieved_rps)));
        }
    }

    /// The contenders whose pilots come before this trial, with their rates; nothing for a rate is a closed loop.
    pub(crate) fn due<'a>(&self, spec: &TrialSpec<'a>) -> Vec<(&'a Contender, Option<Rate>)> {
        let scenario = spec.scenario;
        let open = matches!(scenario.load.kind, LoadKind::Open(_));
        // A ceiling is looked for before its pilot, which is to stay below it.
        if open && spec.rate.is_none() {
            return Vec::new();
        }
        let rate = |contender: &Contender| open.then(|| self.pilot_rate(scenario, contender, spec));
        let unknown = |contender: &&Contender| self.pilot(scenario, contender).is_none();
        let all = scenario.piloted().filter(unknown).map(|contender| (contender, rate(contender)));
        all.filter(|(_, rate)| rate.is_none_or(|rate| rate >= SLOWEST)).collect()
    }

    /// About how long the pilots of a scenario will take that has not had any.
    pub(crate) fn to_come(&self, scenario: &Scenario) -> Nanos {
        match self.pilots.iter().any(|pilot| pilot.scenario == scenario.name) {
            true => Nanos(0),
            false => scenario.pilots_estimate(),
        }
    }

    /// Runs a pilot. Nothing where it was stopped.
    pub(crate) fn run(
        &mut self,
        host: &Host,
        prepared: &PreparedTrial<'_>,
        stop: &AtomicBool,
    ) -> Result<Option<Pilot>> {
        let mut pilot = run_pilot(host, prepared, self.limits.pilot, stop)?;
        let strained = pilot.as_ref().is_some_and(is_strained);
        if strained && prepared.spec.rate.is_some() && !stop.load(Ordering::Relaxed) {
            let spec = TrialSpec { rate: None, ..prepared.spec.clone() };
            let closed = PreparedTrial { spec, ..prepared.clone() };
            pilot = run_pilot(host, &closed, self.limits.pilot, stop)?;
        }
        self.pilots.extend(pilot.clone());
        Ok(pilot)
    }

    /// What comes before the window of a trial.
    pub(crate) fn before(&self, spec: &TrialSpec<'_>) -> Warming {
        let (scenario, contender) = (spec.scenario, spec.contender);
        if let Some(before) = scenario.load.warm_up.asked() {
            return Warming { before, doubt: None, note: None };
        }
        let pilot = self.pilot(scenario, contender);
        let doubt = pilot.and_then(doubt);
        let rate = spec.rate.map(|level| self.rate(scenario, contender, level));
        let mut note = None;
        let slow = |rate: &Rate| *rate < SLOWEST || pilot.is_none();
        let amount = if let Some(rate) = rate.filter(slow).filter(|_| contender.needs_pilot()) {
            note = Some(format!(
                "`{}` is warmed up for {PILOT_TIME} at {rate}: below {SLOWEST} no pilot has requests enough to say when it is warm",
                contender.name
            ));
            Amount::Time(PILOT_TIME)
        } else if contender.needs_pilot() && pilot.is_none() {
            Amount::Requests(PILOT_REQUESTS, PROBE_WARM_UP)
        } else {
            let own = |one: &Contender| self.requests(scenario, one);
            let requests = match scenario.compares_memory() {
                true => scenario.contenders.iter().map(own).max().unwrap_or(MODEL_REQUESTS),
                false => own(contender),
            };
            let within = if doubt.is_some() {
                self.limits.unsteady
            } else if contender.needs_pilot() || scenario.compares_memory() {
                WITHIN
            } else {
                PILOT_TIME
            };
            Amount::Requests(requests, within)
        };
        let closed = spec.rate.is_some()
            && !scenario.compares_memory()
            && pilot.is_some_and(|pilot| pilot.rate_rps.is_none() && pilot.failure.is_none());
        if closed {
            note = Some(format!(
                "`{}` fails at its rate while it is cold, and is warmed up in a closed loop",
                contender.name
            ));
        }
        Warming { before: Before::Led(First { amount, rate, closed }), doubt, note }
    }

    fn pilot(&self, scenario: &Scenario, contender: &Contender) -> Option<&Pilot> {
        let of = |one: &&Pilot| one.scenario == scenario.name && one.contender == contender.name;
        self.pilots.iter().find(of)
    }

    fn ceiling(&self, scenario: &str, contender: &str) -> Option<Rate> {
        let mut all = self.ceilings.iter();
        all.find(|(of, name, _)| of == scenario && name == contender).map(|(_, _, rate)| *rate)
    }

    /// What its ceiling lets a warm-up be as fast as.
    fn fastest(&self, scenario: &Scenario, contender: &Contender) -> Option<Rate> {
        let ceiling = self.ceiling(&scenario.name, &contender.name)?;
        Some(Rate(OF_CEILING * ceiling.0))
    }

    /// A pilot is as fast as the fastest level, or as its ceiling allows.
    fn pilot_rate(&self, scenario: &Scenario, contender: &Contender, spec: &TrialSpec<'_>) -> Rate {
        let levels = scenario.rates.iter().filter_map(|level| match level {
            Level::Rate(rate) => Some(*rate),
            Level::OfLowest(_) | Level::OfOwn(_) => None,
        });
        let fastest = levels.chain(spec.rate).fold(Rate(0.0), faster);
        self.fastest(scenario, contender).unwrap_or(fastest)
    }

    /// A warm-up at a level: as fast as its ceiling allows, or as its pilot was, and never slower than the level.
    fn rate(&self, scenario: &Scenario, contender: &Contender, level: Rate) -> Rate {
        if scenario.compares_memory() {
            return level;
        }
        let piloted = || self.pilot(scenario, contender)?.rate_rps.map(Rate);
        let fastest = self.fastest(scenario, contender).or_else(piloted);
        fastest.map_or(level, |fastest| faster(level, fastest))
    }

    fn requests(&self, scenario: &Scenario, contender: &Contender) -> u64 {
        self.pilot(scenario, contender).map_or(MODEL_REQUESTS, |pilot| pilot.warm_up_requests)
    }
}

/// Whether a contender fails under its load while it is cold. Each request that times out takes its time from one that could
/// be answered, so that it may never become warm.
fn is_strained(pilot: &Pilot) -> bool {
    pilot.failure.is_none() && pilot.failed as f64 > COLD_FAILURES * pilot.answered as f64
}

/// Failures of a pilot over its answers.
const COLD_FAILURES: f64 = 0.01;

/// Why a pilot says nothing of when the contender is warm.
fn doubt(pilot: &Pilot) -> Option<String> {
    if pilot.warm_after.is_some() {
        return None;
    }
    let longer = WarmUp::Requests((3 * pilot.answered).max(2 * PILOT_REQUESTS));
    let what = match &pilot.failure {
        Some(failure) => format!("its pilot failed ({failure})"),
        None => {
            format!("its cost was not steady within the {} of its pilot", counted(pilot.answered))
        }
    };
    Some(format!(
        "may not be warm: {what}; warm_up = \"{longer}\" in the load, or --warm-up, gives it longer"
    ))
}

fn faster(a: Rate, b: Rate) -> Rate {
    if b > a { b } else { a }
}

/// What is said before a pilot.
pub(crate) fn announced(contender: &Contender, rate: Option<Rate>, most: Nanos) -> String {
    let at = rate.map_or("in closed loop".into(), |rate| format!("at {}", Rate(rate.0.round())));
    format!(
        "pilot of `{}`: {} or {most} {at}, to see when it is warm",
        contender.name,
        counted(PILOT_REQUESTS)
    )
}

/// What is said after it.
pub(crate) fn told(pilot: &Pilot) -> String {
    let name = &pilot.contender;
    match (pilot.warm_after, doubt(pilot)) {
        (Some(after), _) => format!(
            "`{name}` is warm after {}: its warm-ups have {}",
            counted(after),
            counted(pilot.warm_up_requests)
        ),
        (None, doubt) => format!("`{name}` {}", doubt.unwrap_or_default()),
    }
}

/// A pilot that takes so long ends where its cost has been level all the time: 20,000 requests at 500/s take 40 s.
const SLOW: Nanos = Nanos(10 * Nanos::SECOND.0);
/// How often a pilot is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Seen {
    samples: Vec<Sample>,
    /// Its CPU clock could be read each time.
    by_cpu: bool,
    elapsed: Nanos,
    answered: u64,
    failed: u64,
}

/// Nothing where it was stopped.
type Piloted = Result<Option<Pilot>>;

/// Runs a pilot. One that the contender breaks off has a `failure`.
fn run_pilot(host: &Host, prepared: &PreparedTrial<'_>, most: Nanos, stop: &AtomicBool) -> Piloted {
    let about = |seen: &Seen| Pilot {
        scenario: prepared.spec.scenario.name.clone(),
        contender: prepared.spec.contender.name.clone(),
        rate_rps: prepared.spec.rate.map(|rate| rate.0),
        answered: seen.answered,
        failed: seen.failed,
        duration_s: seen.elapsed.as_secs_f64(),
        cost: if seen.by_cpu { "cpu".into() } else { "response".into() },
        warm_up_requests: with_margin(seen.answered, MODEL_REQUESTS),
        ..Pilot::default()
    };
    let dependency = host.start_dependency(prepared)?;
    let mut contender = match trial::start(host, prepared, dependency.as_ref()) {
        Ok(contender) => contender,
        Err(error) if error.is_interrupt() => return Ok(None),
        Err(error) => {
            let failure = Some(error.message().to_owned());
            return Ok(Some(Pilot { failure, ..about(&Seen::default()) }));
        }
    };
    let plan = Plan {
        warm_up: Before::Through(Nanos(0)),
        duration: most,
        // At the first rate, whatever comes after it.
        steps: Vec::new(),
        traffic: None,
        timeline: true,
        ..trial::plan(prepared, contender.peer().clone())
    };
    let watch = contender.watch();
    let (live, enough) = (Live::new(plan.threads), AtomicBool::new(false));
    let (outcome, seen) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            Host::stay_on(&prepared.placement.generator);
            look(&watch, &live, &enough, stop)
        });
        let outcome = run_seen(&plan, &enough, None, &live);
        enough.store(true, Ordering::Relaxed);
        (outcome, looking.join().expect("looking at a process does not panic"))
    });
    let stopped = stop.load(Ordering::Relaxed);
    let broken = match contender.crashed(false)? {
        Some(status) => Some(format!("the contender crashed: {status}")),
        None => contender.stop().0.err().map(|error| error.message().to_owned()),
    };
    if let Some(dependency) = dependency {
        dependency.stop()?;
    }
    if stopped {
        return Ok(None);
    }
    let refused = outcome.as_ref().err().filter(|error| error.contender_wrote().is_some());
    let failure = broken.or_else(|| refused.map(|error| error.message().to_owned()));
    if failure.is_some() {
        return Ok(Some(Pilot { failure, ..about(&seen) }));
    }
    let outcome = outcome?;
    let spans = match seen.by_cpu {
        true => spans(seen.samples.iter().copied(), true),
        false => by_time(&plan, &outcome, &seen),
    };
    let warm_after = warm_after(&spans);
    let told = |span: &Span| PilotSpan { answered: span.answered, cost_us: span.cost / 1e3 };
    let warm_up_requests = with_margin(warm_after.unwrap_or(seen.answered), least(&spans));
    let spans = spans.iter().map(told).collect();
    Ok(Some(Pilot { spans, warm_after, warm_up_requests, ..about(&seen) }))
}

/// Looks until there are enough requests, or it is told to end.
fn look(watch: &Watch, live: &Live, enough: &AtomicBool, stop: &AtomicBool) -> Seen {
    let begun = Instant::now();
    let mut seen = Seen { by_cpu: true, ..Seen::default() };
    let mut before = watch.tick();
    let mut since = Instant::now();
    loop {
        thread::sleep(LOOK_EVERY);
        let now = live.seen();
        let answered = now.answered - seen.answered;
        let over = enough.load(Ordering::Relaxed);
        let elapsed = since.elapsed().into();
        let tick = (over || (answered >= LARGE_ANSWERS_MIN && elapsed >= SPAN_MIN))
            .then(|| watch.tick())
            .map(|tick| (tick, tick.since(before)))
            .filter(|(_, used)| over || suffice(answered, elapsed, used.cpu));
        if let Some((tick, used)) = tick {
            seen.by_cpu &= used.cpu.is_some() || over;
            // The time of a generator that has ended is no time of the load.
            if !over {
                let (elapsed, cost) = (used.elapsed, used.cpu.unwrap_or(Nanos(0)));
                seen.samples.push(Sample { answered, elapsed, cost });
            }
            (before, since, seen.answered) = (tick, Instant::now(), now.answered);
        }
        seen.failed = now.failed;
        seen.elapsed = begun.elapsed().into();
        let requests = now.answered + now.failed;
        let level = || seen.by_cpu && was_warm(&spans(seen.samples.iter().copied(), true));
        let over = over || (seen.elapsed >= SLOW && level());
        if over || requests >= PILOT_REQUESTS || stop.load(Ordering::Relaxed) {
            seen.answered = now.answered;
            enough.store(true, Ordering::Relaxed);
            return seen;
        }
    }
}

/// Without a CPU clock: the median response time; in a closed loop the mean one, which is that of all connections over
/// the answers.
fn by_time(plan: &Plan, outcome: &Outcome, seen: &Seen) -> Vec<Span> {
    if plan.shape == Shape::Closed {
        let spent = |sample: &Sample| Sample {
            cost: Nanos(sample.elapsed.0 * plan.connections as u64),
            ..*sample
        };
        return spans(seen.samples.iter().map(spent), false);
    }
    let mut spans = Vec::new();
    let mut times: Histogram<u32> = Histogram::new(2).expect("two digits are possible");
    let mut elapsed = Nanos(0);
    let slices = outcome.kinds.iter().map(|kind| kind.slices.len()).max().unwrap_or(0);
    for slice in 0..slices {
        for kind in &outcome.kinds {
            let slice = kind.slices.get(slice);
            slice.into_iter().for_each(|slice| times += &slice.times);
        }
        elapsed += outcome.slice;
        if suffice(times.len(), elapsed, None) {
            let median = times.value_at_quantile(0.5) as f64;
            spans.push(Span { answered: times.len(), cost: median });
            times.reset();
            elapsed = Nanos(0);
        }
    }
    spans
}

/// What was seen between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) answered: u64,
    pub(crate) elapsed: Nanos,
    /// What they cost, all together.
    pub(crate) cost: Nanos,
}

/// Samples together that are enough for a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) answered: u64,
    /// Of each, ns.
    pub(crate) cost: f64,
}

/// A span has so many answers and lasts so long at least.
const ANSWERS_MIN: u64 = 500;
const SPAN_MIN: Nanos = Nanos(100 * Nanos::MILLI.0);
/// So many are enough if they took so much CPU: a request that writes 1,000 rows is work for a JIT compiler like many small
/// ones, and 500 of them would take minutes.
const LARGE_ANSWERS_MIN: u64 = 20;
const LARGE_CPU_MIN: Nanos = Nanos(500 * Nanos::MILLI.0);
/// Spans that are looked at together.
const TOGETHER: usize = 4;
/// What costs no more than this much of the end's cost is as warm as the end.
pub(crate) const MORE_EXPENSIVE: f64 = 1.10;
/// A warm-up has so many times the requests after which the pilot was warm.
const MARGIN: f64 = 1.5;

/// Whether so many answers give a figure; without a CPU time their number alone tells.
fn suffice(answered: u64, elapsed: Nanos, cpu: Option<Nanos>) -> bool {
    let large = answered >= LARGE_ANSWERS_MIN && cpu.is_some_and(|cpu| cpu >= LARGE_CPU_MIN);
    (answered >= ANSWERS_MIN || large) && elapsed >= SPAN_MIN
}

/// Puts samples together; what is left at the end is too little for a span.
pub(crate) fn spans(samples: impl IntoIterator<Item = Sample>, by_cpu: bool) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut sum = Sample { answered: 0, elapsed: Nanos(0), cost: Nanos(0) };
    for sample in samples {
        sum.answered += sample.answered;
        sum.elapsed += sample.elapsed;
        sum.cost += sample.cost;
        if suffice(sum.answered, sum.elapsed, by_cpu.then_some(sum.cost)) {
            spans.push(Span {
                answered: sum.answered,
                cost: sum.cost.0 as f64 / sum.answered as f64,
            });
            sum = Sample { answered: 0, elapsed: Nanos(0), cost: Nanos(0) };
        }
    }
    spans
}

/// Right answers after which no four spans in a row cost over 10 % more than the last third of all. Nothing where four
/// that reach into the last third do: that was not steady. Nothing either of fewer than four.
pub(crate) fn warm_after(spans: &[Span]) -> Option<u64> {
    if spans.len() < TOGETHER {
        return None;
    }
    let last = spans.len() - spans.len().div_ceil(3);
    let limit = MORE_EXPENSIVE * mean(&spans[last..]);
    let expensive = spans.windows(TOGETHER).rposition(|four| mean(four) > limit);
    let warm = expensive.map_or(0, |first| first + 1);
    let steady = expensive.is_none_or(|first| first + TOGETHER <= last);
    steady.then(|| spans[..warm].iter().map(|span| span.answered).sum())
}

/// Whether a contender was warm from its first request: no four spans in a row cost over 10 % more than the rest, in
/// twice as many at least.
pub(crate) fn was_warm(spans: &[Span]) -> bool {
    spans.len() >= 2 * TOGETHER && warm_after(spans) == Some(0)
}

/// The shortest warm-up: that of a built-in model, or what four spans have of large requests.
fn least(spans: &[Span]) -> u64 {
    match spans.get(..TOGETHER) {
        Some(four) => four.iter().map(|span| span.answered).sum::<u64>().min(MODEL_REQUESTS),
        None => MODEL_REQUESTS,
    }
}

/// Requests of a warm-up where a pilot was warm after so many.
pub(crate) fn with_margin(warm_after: u64, least: u64) -> u64 {
    ((MARGIN * warm_after as f64).ceil() as u64).max(least)
}

/// What an answer of these costs.
fn mean(spans: &[Span]) -> f64 {
    let answers: f64 = spans.iter().map(|span| span.answered as f64).sum();
    spans.iter().map(|span| span.cost * span.answered as f64).sum::<f64>() / answers.max(1.0)
}

/// Marks the trials of contenders and levels whose first halves were over 10 % more expensive than their second ones, in the
/// median over the rounds that count. Only of a constant load of one kind: nothing else is alike in both halves.
pub(crate) fn mark(scenario: &Scenario, trials: &mut [Trial]) {
    let constant =
        matches!(scenario.load.kind, LoadKind::Open(Arrivals::Poisson | Arrivals::Constant))
            && scenario.mix.len() == 1
            && scenario.disturbance().is_none();
    if !constant {
        return;
    }
    let levels = (0..scenario.rates.len()).map(|place| scenario.level_name(place));
    for level in levels {
        for contender in &scenario.contenders {
            let of = |trial: &Trial| {
                trial.scenario == scenario.name
                    && trial.contender == contender.name
                    && trial.level == level
            };
            let Some(excess) = excess(trials.iter().filter(|trial| of(trial))) else { continue };
            let reason = format!(
                "still warming up: over the rounds the first half of the window cost {:.0} % more CPU per correct response than the second one; a longer warm_up in the load, or --warm-up, ends it before the window",
                100.0 * (excess - 1.0)
            );
            for trial in trials.iter_mut().filter(|trial| of(trial)) {
                trial.validity.verdict = trial.validity.verdict.max(TrialVerdict::Suspect);
                trial.validity.reasons.push(reason.clone());
            }
        }
    }
}

/// First half over second, in the median over the rounds, where that is too much.
fn excess<'a>(trials: impl Iterator<Item = &'a Trial>) -> Option<f64> {
    let ratios: Vec<f64> = trials.filter(|trial| !trial.voided).filter_map(ratio).collect();
    median(&ratios).filter(|ratio| *ratio > MORE_EXPENSIVE)
}

/// Nothing where a half has too few answers for a figure.
fn ratio(trial: &Trial) -> Option<f64> {
    let [first, second] = trial.server.cpu_us_per_request_halves[..] else { return None };
    let answered = trial.achieved_rps * trial.load.duration_s;
    (answered >= 2.0 * ANSWERS_MIN as f64 && second > 0.0).then(|| first / second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock::payments;
    use crate::scenario::{Kind, Metric, Statement, builtin, parse};

    /// Two models and, by a command, `node`, at the levels that are given.
    fn scenario(rates: &str, load: &str) -> Scenario {
        let text = format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
             experiment = {{ compare = {{ rates = {rates} }} }}\n\
             [[route]]\nname = \"get\"\npath = \"/\"\n\
             [contender.model]\nmodel = \"event-loop\"\n[contender.node]\ncommand = [\"node\", \"{{port}}\"]\n\
             [load.open]\nconnections = 64\n{load}\n"
        );
        parse("a.toml", &text).unwrap()
    }

    fn spec_of<'a>(scenario: &'a Scenario, contender: usize, rate: Option<f64>) -> TrialSpec<'a> {
        TrialSpec {
            scenario,
            contender: &scenario.contenders[contender],
            rate: rate.map(Rate),
            level: String::new(),
            duration: Nanos::SECOND,
            round: 1,
            place: 0,
        }
    }

    fn pilot(warm_after: Option<u64>, warm_up_requests: u64) -> Pilot {
        Pilot {
            scenario: "a".into(),
            contender: "node".into(),
            rate_rps: Some(1_500.0),
            answered: 20_000,
            warm_after,
            warm_up_requests,
            ..Pilot::default()
        }
    }

    fn requests(warming: &Warming) -> (u64, Option<f64>) {
        let Before::Led(First { amount: Amount::Requests(requests, _), rate, .. }) = warming.before
        else {
            panic!("{warming:?}")
        };
        (requests, rate.map(|rate| rate.0))
    }

    #[test]
    fn a_model_has_a_constant_and_a_foreign_server_what_its_pilot_found() {
        let scenario = scenario("[\"500/s\"]", "");
        let warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
        let model = warmth.before(&spec_of(&scenario, 0, Some(500.0)));
        assert_eq!((requests(&model), model.doubt), ((1_000, Some(500.0)), None));
        let node = warmth.before(&spec_of(&scenario, 1, Some(500.0)));
        assert_eq!(requests(&node), (4_500, Some(1_500.0)), "as fast as its pilot");
        assert_eq!(node.doubt, None);
        // A faster level is not slowed down.
        assert_eq!(
            requests(&warmth.before(&spec_of(&scenario, 1, Some(1_800.0)))).1,
            Some(1_800.0)
        );
    }

    #[test]
    fn a_warm_up_is_as_fast_as_the_ceiling_allows() {
        let scenario = scenario("[\"500/s\"]", "");
        let mut warmth = Warmth::default();
        let mut probe = crate::judge::mock::payments(1, &[("node", 100.0, 1.0)]).trials.remove(0);
        (probe.scenario, probe.achieved_rps) = ("a".into(), 4_000.0);
        (probe.load.kind, probe.round) = (LoopKind::Closed, 0);
        warmth.saw(&probe);
        let due = warmth.due(&spec_of(&scenario, 0, Some(500.0)));
        assert_eq!(due.len(), 1, "the model has none");
        assert_eq!((due[0].0.name.as_str(), due[0].1), ("node", Some(Rate(2_400.0))));
        let mut warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
        warmth.saw(&probe);
        assert_eq!(requests(&warmth.before(&spec_of(&scenario, 1, Some(500.0)))).1, Some(2_400.0));
        probe.achieved_rps = 50.0;
        let mut slow = Warmth::default();
        slow.saw(&probe);
        let node = spec_of(&scenario, 1, Some(40.0));
        assert!(slow.due(&node).is_empty(), "60 % of its ceiling are too few for a pilot");
        let before = slow.before(&node).before;
        assert!(matches!(before, Before::Led(First { amount: Amount::Time(PILOT_TIME), .. })));
    }

    #[test]
    fn a_ceiling_comes_before_its_pilot_and_a_pilot_comes_once() {
        let scenario = scenario("[\"500/s\", \"900/s\"]", "");
        let mut warmth = Warmth::default();
        assert!(warmth.due(&spec_of(&scenario, 1, None)).is_empty(), "the probe of a ceiling");
        assert_eq!(requests(&warmth.before(&spec_of(&scenario, 1, None))), (20_000, None));
        let due = warmth.due(&spec_of(&scenario, 1, Some(500.0)));
        assert_eq!(due[0].1, Some(Rate(900.0)), "at the fastest level");
        warmth = Warmth::with(vec![pilot(Some(0), 1_000)]);
        assert!(warmth.due(&spec_of(&scenario, 1, Some(500.0))).is_empty());
    }

    #[test]
    fn what_was_not_steady_is_doubted_with_what_to_write() {
        let scenario = scenario("[\"500/s\"]", "");
        let warmth = Warmth::with(vec![pilot(None, 30_000)]);
        let node = warmth.before(&spec_of(&scenario, 1, Some(500.0)));
        assert_eq!(requests(&node).0, 30_000);
        let doubt = node.doubt.unwrap();
        assert!(
            doubt.contains("not steady") && doubt.contains("warm_up = \"60000 requests\""),
            "{doubt}"
        );
        assert_eq!(
            warmth.before(&spec_of(&scenario, 0, Some(500.0))).doubt,
            None,
            "it is not the model's"
        );
        let mut hurried = Warmth::with(vec![pilot(None, 30_000)]);
        hurried.limits.unsteady = Nanos(2_000_000_000);
        let first = |amount| First { amount, rate: Some(Rate(1_500.0)), closed: false };
        assert_eq!(
            hurried.before(&spec_of(&scenario, 1, Some(500.0))).before,
            Before::Led(first(Amount::Requests(30_000, Nanos(2_000_000_000))))
        );
        let failed = Pilot { failure: Some("it crashed".into()), ..pilot(None, 1_000) };
        let warmth = Warmth::with(vec![failed]);
        let doubt = warmth.before(&spec_of(&scenario, 1, Some(500.0))).doubt.unwrap();
        assert!(doubt.contains("it crashed"), "{doubt}");
    }

    #[test]
    fn below_33_a_second_a_warm_up_is_a_minute_and_said() {
        let scenario = scenario("[\"20/s\"]", "");
        let mut warmth = Warmth::default();
        let node = spec_of(&scenario, 1, Some(20.0));
        assert!(warmth.due(&node).is_empty(), "a pilot would say nothing");
        let minute = Amount::Time(Nanos(60_000_000_000));
        let expected = Before::Led(First { amount: minute, rate: Some(Rate(20.0)), closed: false });
        let warming = warmth.before(&node);
        assert_eq!(warming.before, expected);
        warmth.does(&warming);
        warmth.does(&warming);
        assert_eq!(warmth.notes().len(), 1, "said once");
        assert!(warmth.notes()[0].contains("below 33/s"), "{:?}", warmth.notes());
        assert_eq!(requests(&warmth.before(&spec_of(&scenario, 0, Some(20.0)))).0, 1_000);
    }

    #[test]
    fn what_the_scenario_says_needs_no_pilot() {
        for (load, expected) in [
            ("warm_up = \"none\"", Before::Through(Nanos(0))),
            (
                "warm_up = \"2s\"",
                Before::Led(First {
                    amount: Amount::Time(Nanos(2_000_000_000)),
                    rate: None,
                    closed: false,
                }),
            ),
        ] {
            let scenario = scenario("[\"500/s\"]", load);
            let warmth = Warmth::default();
            let node = spec_of(&scenario, 1, Some(500.0));
            assert!(warmth.due(&node).is_empty() && scenario.piloted().next().is_none());
            assert_eq!(warmth.before(&node), Warming { before: expected, doubt: None, note: None });
        }
        let own = scenario("[\"500/s\"]", "warm_up = \"7 requests\"");
        assert_eq!(requests(&Warmth::default().before(&spec_of(&own, 1, Some(500.0)))), (7, None));
    }

    #[test]
    fn where_memory_is_compared_all_have_equal_warm_ups_at_the_level() {
        let mut scenario = scenario("[\"500/s\"]", "");
        let of_p50 = builtin("canary").unwrap().expectations.remove(0);
        scenario.claims.push(Statement { metric: Metric::Rss, ..of_p50 });
        let warmth = Warmth::with(vec![pilot(Some(3_000), 4_500)]);
        for contender in [0, 1] {
            let before = warmth.before(&spec_of(&scenario, contender, Some(500.0)));
            assert_eq!(requests(&before), (4_500, Some(500.0)));
        }
    }

    #[test]
    fn a_contender_by_url_has_a_pilot_and_a_model_of_another_build_has_none() {
        let scenario = scenario("[\"500/s\"]", "");
        let names: Vec<&str> = scenario.piloted().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["node"]);
        assert!(matches!(scenario.contenders[1].kind, Kind::Command { .. }));
    }

    fn spans_of(costs: impl IntoIterator<Item = f64>) -> Vec<Span> {
        costs.into_iter().map(|cost| Span { answered: 500, cost }).collect()
    }

    #[test]
    fn a_span_has_enough_answers_and_enough_time() {
        let sample = |answered, ms: u64| Sample {
            answered,
            elapsed: Nanos(ms * 1_000_000),
            cost: Nanos(answered * 1_000),
        };
        let all = spans([sample(300, 60), sample(300, 60), sample(5_000, 50), sample(1, 50)], true);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((all[0].answered, all[1].answered), (600, 5_001));
        assert!(all.iter().all(|span| span.cost == 1_000.0));
        assert!(spans([sample(499, 1_000)], true).is_empty());
    }

    /// A distribution to 1,000 accounts cost Node.js 100 ms of CPU at 7/s: 500 of them take longer than a pilot.
    #[test]
    fn large_requests_are_enough_by_their_cpu_time() {
        let large = |answered| Sample {
            answered,
            elapsed: Nanos(answered * 140_000_000),
            cost: Nanos(answered * 100_000_000),
        };
        assert_eq!(spans([large(20), large(19), large(1), large(3)], true).len(), 2);
        assert!(spans([large(499)], false).is_empty());
        let small = Sample { cost: Nanos(100_000_000), ..large(400) };
        assert!(spans([small], true).is_empty());
    }

    #[test]
    fn what_is_level_is_warm_at_once() {
        assert_eq!(warm_after(&spans_of([200.0; 40])), Some(0));
        let noisy = (0..40).map(|i| 200.0 * (1.0 + 0.05 * f64::from(i % 2)));
        assert_eq!(warm_after(&spans_of(noisy)), Some(0));
    }

    #[test]
    fn what_was_level_all_the_time_needs_no_longer_look() {
        assert!(was_warm(&spans_of([200.0; 8])) && !was_warm(&spans_of([200.0; 7])));
        assert!(!was_warm(&spans_of((0..8).map(|i| 200.0 - 10.0 * f64::from(i)))));
    }

    /// Node.js at 1,300/s: 913 us of CPU fell to 235 over the first 3,000 requests.
    #[test]
    fn a_jit_is_warm_when_its_cost_has_fallen() {
        let falling = (0..40).map(|i| if i < 6 { 913.0 - 113.0 * f64::from(i) } else { 235.0 });
        let warm = warm_after(&spans_of(falling)).unwrap();
        assert!((2_500..=3_500).contains(&warm), "{warm}");
        assert_eq!(with_margin(warm, 1_000), warm + warm / 2);
        assert_eq!(with_margin(0, 1_000), 1_000);
    }

    #[test]
    fn a_late_hump_makes_the_warm_up_longer() {
        let hump = (0..40).map(|i| if i == 20 { 400.0 } else { 200.0 });
        assert_eq!(warm_after(&spans_of(hump)), Some(21 * 500));
    }

    #[test]
    fn what_still_falls_or_rests_on_too_little_is_not_steady() {
        assert_eq!(warm_after(&spans_of((1..=40).map(|i| 1e6 / f64::from(i)))), None);
        assert_eq!(warm_after(&spans_of([4.0, 3.0, 2.0, 1.0])), None);
        assert_eq!(warm_after(&spans_of([1.0; 3])), None);
        assert_eq!(warm_after(&[]), None);
        // A hump in the last third.
        assert_eq!(
            warm_after(&spans_of((0..40).map(|i| if i == 35 { 400.0 } else { 200.0 }))),
            None
        );
    }

    fn marked(change: impl Fn(&mut Scenario), halves: &[[f64; 2]]) -> usize {
        let mut scenario = crate::scenario::mocked();
        scenario.mix.truncate(1);
        change(&mut scenario);
        let name = scenario.contenders[0].name.clone();
        let mut trials = payments(halves.len() as u32, &[(name.as_str(), 100.0, 1.0)]).trials;
        for (trial, halves) in trials.iter_mut().zip(halves) {
            trial.scenario = scenario.name.clone();
            trial.level = scenario.level_name(0);
            (trial.achieved_rps, trial.load.duration_s) = (1_000.0, 1.0);
            trial.server.cpu_us_per_request_halves = halves.to_vec();
        }
        mark(&scenario, &mut trials);
        let marks = trials.iter().filter(|trial| {
            let reasons = &trial.validity.reasons;
            let told = reasons.iter().any(|reason| reason.starts_with("still warming up"));
            assert_eq!(told, trial.validity.verdict == TrialVerdict::Suspect, "{reasons:?}");
            told
        });
        marks.count()
    }

    #[test]
    fn the_median_round_decides() {
        let (warm, cold) = ([100.0, 100.0], [112.0, 100.0]);
        assert_eq!(marked(|_| (), &[cold, cold, warm]), 3);
        assert_eq!(marked(|_| (), &[cold, warm, warm]), 0);
        assert_eq!(marked(|_| (), &[[109.0, 100.0]; 3]), 0);
        assert_eq!(
            marked(|_| (), &[[100.0, 200.0]; 3]),
            0,
            "a more expensive end has another cause"
        );
    }

    #[test]
    fn only_a_constant_load_of_one_kind_is_looked_at() {
        let cold = [[150.0, 100.0]; 3];
        assert_eq!(marked(|_| (), &cold), 3);
        assert_eq!(marked(|one| one.load.kind = LoadKind::Closed, &cold), 0);
        assert_eq!(marked(|one| one.mix.push((one.mix[0].0.clone(), 1)), &cold), 0);
    }
}
