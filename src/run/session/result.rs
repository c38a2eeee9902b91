//! What a run has found so far, judged.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Part, Session};
use crate::judge::comparison::exploratory;
use crate::judge::{statement, whole};
use crate::record;
use crate::record::slim::drop_all_but_response_times;
use crate::record::{Ceiling, Comparison, Judgement, RunResult, TrialVerdict};
use crate::run::Request;
use crate::run::experiment::capacity;
use crate::run::testbed::placement;
use crate::run::warm::halves;
use crate::scenario::{PlacementMode, Scenario, Statement};

/// The request's, and that its contenders were cold where nothing was sent before the windows.
fn title(request: &Request) -> String {
    match request.scenarios.iter().any(Scenario::is_cold) {
        true => format!("{} (cold)", request.title),
        false => request.title.clone(),
    }
}

impl Session<'_> {
    /// What has been found so far, judged.
    pub(crate) fn result(mut self, stop: &AtomicBool) -> RunResult {
        let request = self.request;
        self.probes.iter_mut().for_each(drop_all_but_response_times);
        request.scenarios.iter().for_each(|scenario| halves::mark(scenario, &mut self.trials));
        let ran = if self.trials.is_empty() { &self.probes } else { &self.trials };
        let ceilings: Vec<Ceiling> =
            request.scenarios.iter().flat_map(|scenario| self.bounds(scenario, ran)).collect();
        let found = statement::Found {
            trials: &self.trials,
            ceilings: &ceilings,
            capacity: &self.capacity,
            footprints: &self.footprints,
        };
        let judged = |statements: fn(&Scenario) -> &Vec<Statement>| -> Vec<Judgement> {
            let of = |scenario| {
                let judge = |statement| statement::judge(scenario, statement, found);
                statements(scenario).iter().map(judge).collect::<Vec<_>>()
            };
            request.scenarios.iter().flat_map(of).collect()
        };
        let expectations = judged(|scenario| &scenario.expectations);
        let claims = judged(|scenario| &scenario.claims);
        let broken = |scenario| statement::broken(scenario, &self.trials);
        let broken: Vec<String> = request.scenarios.iter().flat_map(broken).collect();
        // A canary rings by a statement that fails, and not by breaking down.
        let rings_falsely = request.scenarios[0].self_check && !broken.is_empty();
        let enough = self.lacks_rounds().is_none() && !rings_falsely;
        let interrupted = stop.load(Ordering::Relaxed);
        let verdict = whole::overall(&expectations, &broken, enough, interrupted);
        let (notes, comparisons) = (self.notes(), self.comparisons(&ceilings));
        let first = &request.scenarios[0];
        let calibration = self.testbed.calibration(first.request_cpu);
        RunResult {
            schema: record::SCHEMA.into(),
            scenario: request.name.clone(),
            title: title(request),
            seed: first.seed,
            order_seed: self.order_seed,
            started_utc: self.started_utc.clone(),
            fingerprint: self.fingerprint.clone(),
            verdict,
            exit_code: whole::exit_code(verdict),
            voided_rounds: self.voided_rounds,
            rounds: self.rounds(),
            self_check: first.self_check,
            request_cpu_ns: first.request_cpu.0,
            request_cpu_measured_ns: calibration.map_or(0, |calibration| calibration.measured.0),
            signature_rounds: calibration.map_or(0, |calibration| calibration.rounds),
            floor_ns: whole::floor(&request.scenarios),
            exploratory: exploratory(&comparisons),
            comparisons,
            capacity: self.capacity,
            expectations,
            claims,
            not_checked: Vec::new(),
            notes,
            broken,
            ceilings,
            trials: self.trials,
            probes: self.probes,
            contenders: request.scenarios.iter().flat_map(whole::contenders).collect(),
            lag_limits_ns: request.scenarios.iter().filter_map(whole::lag_limit).collect(),
            slos: request.scenarios.iter().filter_map(whole::slo).collect(),
            map: self.map,
            gate_history: Vec::new(),
            words: request.words.clone(),
            footprints: self.footprints,
            pilots: self.testbed.warmth.pilots().to_vec(),
        }
    }

    /// Each contender against the first one, at every level and in capacity.
    fn comparisons(&self, ceilings: &[Ceiling]) -> Vec<Comparison> {
        let scenarios = &self.request.scenarios;
        let family = statement::Family::of(scenarios);
        let levels =
            scenarios.iter().flat_map(|one| statement::comparisons(family, one, &self.trials));
        let capacity = self.capacity.chunk_by(|a, b| a.scenario == b.scenario);
        let capacities = capacity.flat_map(|all| capacity::comparisons(all, ceilings));
        levels.chain(capacities).collect()
    }

    /// The first contender and level without the required valid rounds.
    fn lacks_rounds(&self) -> Option<String> {
        let parts = [Part::Compare, Part::Curve].into_iter();
        let heats =
            parts.flat_map(|part| self.heats(part, 1..=1).into_iter().map(move |h| (part, h)));
        for (part, heat) in heats {
            let scenario = &self.request.scenarios[heat.scenario];
            let level = scenario.level_name(heat.level);
            for contender in &scenario.contenders {
                let valid = self.trials.iter().filter(|trial| {
                    trial.scenario == scenario.name
                        && trial.contender == contender.name
                        && trial.level == level
                        && !trial.voided
                        // A lost trial is a result, and a smoke asks for no figures.
                        && (scenario.smoke
                            || trial.validity.lost
                            || trial.validity.verdict != TrialVerdict::Invalid)
                });
                let valid = valid.count() as u32;
                let asked = self.cut[part as usize]
                    .map_or(scenario.rounds, |cut| cut.clamp(1, scenario.rounds));
                if valid < asked {
                    return Some(format!(
                        "`{}` at {level} has {valid} rounds that count of the {asked} asked for",
                        contender.name
                    ));
                }
            }
        }
        None
    }

    /// What a reader should know.
    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.lacks_rounds().into_iter().collect();
        for (what, cut) in ["compare", "curve"].into_iter().zip(self.cut) {
            let all = self.rounds();
            notes.extend(
                cut.map(|cut| format!("the budget ended `{what}` after {cut} of {all} rounds")),
            );
        }
        notes.extend(self.testbed.neighbours.note());
        notes.extend(self.left.iter().chain(self.testbed.warmth.notes()).cloned());
        let scenarios = &self.request.scenarios;
        if scenarios.iter().any(|scenario| scenario.placement.mode == PlacementMode::Shared) {
            notes.push("co-located: generator and contenders share cores".into());
        }
        let one_core = |scenario: &Scenario| {
            placement(scenario).is_ok_and(|placement| placement.contender.len() == 1)
        };
        if scenarios.iter().any(one_core) {
            notes.push(
                "each contender has one core: models of several threads are not tested here on CPU parallelism".into(),
            );
        }
        notes.extend(
            scenarios
                .iter()
                .flat_map(|scenario| scenario.contenders.iter())
                .filter_map(whole::remark),
        );
        if self.fingerprint.debug_build {
            notes.push("a debug build: its figures say nothing about a release build".into());
        }
        notes
    }
}
