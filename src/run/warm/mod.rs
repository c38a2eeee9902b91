//! How much is sent before each window, so that no window is of a cold server.
//!
//! The built-in models are warm after a constant number of requests. For other programs and for a server given by URL a
//! `pilot` finds it out, once in a run, before the first trial at a rate; the `rule` is pure. Trials that were still
//! warming up are marked afterwards, also by `rule`.

mod pilot;
mod rule;

pub(crate) use rule::mark;

/// A closed loop that finds a ceiling before there is a pilot is warmed up for so long at most.
const PROBE_WARM_UP: Nanos = Nanos(10 * Nanos::SECOND.0);
/// The longest warm-up of so many requests: they were sent at its rate in a pilot, or the level is compared in memory.
const WITHIN: Nanos = Nanos(3_600 * Nanos::SECOND.0);

/// What is known of when contenders are warm.
#[derive(Debug, Default)]
pub(crate) struct Warmth {
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
        let probe = trial.round == 0 && trial.load.kind == "closed";
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
    ///
    /// # Errors
    /// When what the contender waits for cannot be started, or the generator cannot run.
    pub(crate) fn run(
        &mut self,
        prepared: &PreparedTrial<'_>,
        stop: &AtomicBool,
    ) -> Result<Option<Pilot>> {
        let pilot = pilot::run(prepared, stop)?;
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
            let within = if contender.needs_pilot() || scenario.compares_memory() {
                WITHIN
            } else {
                PILOT_TIME
            };
            Amount::Requests(requests, within)
        };
        Warming { before: Before::Led(First { amount, rate }), doubt, note }
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
pub(crate) fn announced(contender: &Contender, rate: Option<Rate>) -> String {
    let at = rate.map_or("in closed loop".into(), |rate| format!("at {}", Rate(rate.0.round())));
    format!(
        "pilot of `{}`: {} or {PILOT_TIME} {at}, to see when it is warm",
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

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;

use crate::error::Result;
use crate::load::plan::{Amount, First, WarmUp as Before};
use crate::record::{Pilot, Trial};
use crate::run::trial::spec::{PreparedTrial, TrialSpec, Warming};
use crate::scenario::{
    Contender, Level, LoadKind, MODEL_REQUESTS, OF_CEILING, PILOT_REQUESTS, PILOT_TIME, SLOWEST,
    Scenario, WarmUp, counted,
};
use crate::units::{Nanos, Rate};
