//! What `decide` measured at the rate, as the result of a run: for `report`, `chart` and whoever it is shown to.

use std::collections::BTreeMap;

use crate::backend::payment::Calibration;
use crate::exit;
use crate::judge::comparison::exploratory;
use crate::judge::statement;
use crate::judge::statement::Family;
use crate::judge::whole;
use crate::record;
use crate::record::{Ceiling, Decision, RunResult, Trial, Verdict};
use crate::scenario::Scenario;

/// What was measured.
pub(super) struct Ran {
    pub(super) started_utc: String,
    /// What the CPU time that was asked for came to.
    pub(super) calibration: Option<Calibration>,
    pub(super) order_seed: u64,
    /// Of each model at its best size.
    pub(super) ceilings: Vec<Ceiling>,
    /// At the rate.
    pub(super) trials: Vec<Trial>,
}

/// The result of the rounds at the rate, with the answer among its notes.
pub(super) fn result(scenario: &Scenario, decision: &Decision, ran: Ran) -> RunResult {
    let rounds = ran.trials.iter().map(|trial| trial.round).max().unwrap_or(0);
    let answer = [&decision.finding, &decision.flips].into_iter().chain(&decision.notes);
    let exit_code = decision.exit_code;
    // What `decide` says is in its own sentences: none of these comparisons is a headline.
    let told = Scenario { headline: None, ..scenario.clone() };
    let family = Family::of(std::slice::from_ref(&told));
    let comparisons = statement::comparisons(family, &told, &ran.trials);
    RunResult {
        schema: record::SCHEMA.into(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        order_seed: ran.order_seed,
        started_utc: ran.started_utc,
        fingerprint: decision.fingerprint.clone(),
        verdict: match exit_code {
            exit::INTERRUPTED => Verdict::Interrupted,
            exit::FAILS => Verdict::Fail,
            exit::INVALID => Verdict::Invalid,
            _ => Verdict::Pass,
        },
        exit_code,
        voided_rounds: 0,
        rounds,
        self_check: scenario.self_check,
        request_cpu_ns: scenario.request_cpu.0,
        request_cpu_measured_ns: ran.calibration.map_or(0, |it| it.measured.0),
        signature_rounds: ran.calibration.map_or(0, |it| it.rounds),
        floor_ns: whole::floor(std::slice::from_ref(scenario)),
        exploratory: exploratory(&comparisons),
        comparisons,
        capacity: decision.capacity.clone(),
        expectations: Vec::new(),
        claims: Vec::new(),
        not_checked: Vec::new(),
        notes: answer.cloned().collect(),
        broken: Vec::new(),
        ceilings: ran.ceilings,
        trials: ran.trials,
        probes: Vec::new(),
        contenders: whole::contenders(scenario),
        lag_limits_ns: whole::lag_limit(scenario).into_iter().collect::<BTreeMap<_, _>>(),
        slos: whole::slo(scenario).into_iter().collect(),
        map: None,
        gate_history: Vec::new(),
        words: Vec::new(),
        footprints: Vec::new(),
        pilots: Vec::new(),
    }
}
