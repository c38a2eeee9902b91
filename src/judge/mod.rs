//! From records to findings, as pure functions: whether a trial may be believed, whether a statement holds, who is better
//! and by how much, and whether a change is slower. Nothing here reads a clock, a file, a process or a socket.

pub(crate) mod audit;
pub(crate) mod best_size;
pub(crate) mod bisect;
pub(crate) mod bounds;
pub(crate) mod cell;
pub(crate) mod failures;
pub mod gate;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod races;
pub(crate) mod statement;
pub(crate) mod validity;
pub(crate) mod why;

use crate::error::Error;
use crate::exit;
use crate::record::{ContenderInfo, Judgement, RunResult, SloInfo, StatementVerdict, Verdict};
use crate::scenario::{Contender, LoadKind, Scenario, store};

/// The floor of the only scenario; several have several.
pub(crate) fn floor(scenarios: &[Scenario]) -> Option<u64> {
    let [only] = scenarios else { return None };
    Some(only.floor().0).filter(|ns| *ns > 0)
}

pub(crate) fn contenders(scenario: &Scenario) -> Vec<ContenderInfo> {
    let dependency = scenario.store.dependency();
    let of = |contender: &Contender| {
        let built_in = contender.built_in();
        ContenderInfo {
            workload: scenario.workload.name().into(),
            scenario: scenario.name.clone(),
            contender: contender.name.clone(),
            sweep: contender.sweep.clone(),
            memory_max_bytes: contender.sweep.as_ref().and(scenario.experiments.memory_max_bytes),
            label: contender.label.clone(),
            series: None,
            model: built_in.map(|built_in| built_in.model.name().into()),
            threads: built_in.and_then(|built_in| built_in.threads).map(|threads| threads as u32),
            processes: built_in.map(|built_in| built_in.processes as u32).filter(|n| *n > 1),
            pool: dependency.map(|one| store::pool(built_in, one) as u32),
        }
    };
    scenario.contenders.iter().map(of).collect()
}

/// What a scenario's service promises.
pub(crate) fn slo(scenario: &Scenario) -> Option<SloInfo> {
    scenario.slo.map(|slo| SloInfo {
        workload: scenario.workload.name().into(),
        scenario: scenario.name.clone(),
        p99_ns: slo.p99.0,
        error_rate: slo.error_rate.0,
    })
}

/// By how much the generator might be late in a scenario, ns; nothing in closed loop.
pub(crate) fn lag_limit(scenario: &Scenario) -> Option<(String, u64)> {
    let open = matches!(scenario.load.kind, LoadKind::Open(_));
    open.then(|| (scenario.name.clone(), validity::lag_limit(scenario).0))
}

/// What a reader should know about a contender.
pub(crate) fn remarks(contender: &Contender) -> impl Iterator<Item = String> {
    remark(contender).into_iter().chain(insecure(contender))
}

/// That a certificate is not verified.
pub(crate) fn insecure(contender: &Contender) -> Option<String> {
    let name = &contender.name;
    let said = || format!("the certificate of `{name}` is not verified (`insecure`)");
    contender.is_insecure().then(said)
}

fn remark(contender: &Contender) -> Option<String> {
    let name = &contender.name;
    let what = contender.label.as_ref().map(|label| format!("`{name}` is {label}"));
    if !contender.is_url() {
        return what;
    }
    let what = what.unwrap_or_else(|| format!("`{name}`"));
    Some(format!(
        "{what} is given by URL: it was not reset between trials, and its CPU time and memory are not known"
    ))
}

/// Marks a run that could not go on.
pub(crate) fn mark_broken_off(result: &mut RunResult, error: &Error) {
    result.verdict = Verdict::Invalid;
    result.exit_code = error.exit_code();
    result.notes.insert(0, format!("the run ended early: {error}"));
}

/// The run's verdict, by the method's precedence; `broken` are the contenders that do not work.
pub(crate) fn overall(
    expectations: &[Judgement],
    broken: &[String],
    enough: bool,
    interrupted: bool,
) -> Verdict {
    let any = |verdict| expectations.iter().any(|judgement| judgement.verdict == verdict);
    if interrupted {
        Verdict::Interrupted
    } else if !enough {
        Verdict::Invalid
    } else if any(StatementVerdict::Fails) || !broken.is_empty() {
        Verdict::Fail
    } else if any(StatementVerdict::Inconclusive) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

pub(crate) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass | Verdict::Inconclusive => exit::OK,
        Verdict::Fail => exit::FAILS,
        Verdict::Invalid => exit::INVALID,
        Verdict::Interrupted => exit::INTERRUPTED,
    }
}
