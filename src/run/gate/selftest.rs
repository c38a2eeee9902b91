//! Checks that the gate detects a planted regression and raises no false alarm. Two gates of a payment server: against itself, and
//! against one that computes for longer in each request.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::record::gate::{GateResult, Metric, Purpose, Verdict};
use crate::run::Progress;
use crate::run::gate::{Ended, GateRequest, Pair, run};
use crate::scenario::{self, Gate, Kind, Level, Scenario, WarmUp};
use crate::units::{Nanos, Share};

/// What a payment computes: most of its CPU time, even in a debug build.
const WORK: Nanos = Nanos(200 * Nanos::MICRO.0);
/// What the slow one does: far more than the margin, whatever the rest of the request costs.
const SPIN: Nanos = Nanos(300 * Nanos::MICRO.0);

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: &'static str,
    /// What must come out.
    pub(crate) expected: &'static str,
    /// Whether it did; nothing where the machine was too restless for a verdict.
    pub(crate) holds: Option<bool>,
    pub(crate) result: GateResult,
}

/// Runs both gates; an interrupted one ends the test.
pub(crate) fn selftest(
    quick: bool,
    out: &Path,
    mut progress: impl FnMut() -> Progress,
    stop: &AtomicBool,
) -> Result<Vec<Check>> {
    let scenario = scenario(quick);
    let same = Pair::same(&scenario.contenders[0]);
    let mut slow = same.clone();
    if let Kind::BuiltIn(built_in) = &mut slow.candidate.kind {
        built_in.request_cpu = Some(SPIN);
    }
    let mut checks = Vec::new();
    for (name, what, expected, pair) in [
        ("same", "a build against itself", "not REGRESSED", same),
        ("slow", "a build that computes for half as long again", "REGRESSED", slow),
    ] {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let request = GateRequest {
            gate: gate(quick),
            scenario: scenario.clone(),
            pair,
            purpose: Purpose::Gate,
            prove_margin: false,
            fail_intermittent: false,
            commit: None,
            order_seed: None,
            out: out.join(name),
            history: None,
            yes: false,
            why: false,
        };
        let Ended { result, unwritten } = run(&request, &mut progress(), stop)?;
        unwritten.into_iter().try_for_each(Err)?;
        let regressed = result.judgement.verdict == Verdict::Regressed;
        let verdict = result.judgement.verdict;
        let decided = !matches!(verdict, Verdict::Invalid | Verdict::Interrupted);
        let holds = decided.then_some(regressed == (expected == "REGRESSED"));
        checks.push(Check { what, expected, holds, result });
    }
    Ok(checks)
}

/// Payments in memory under the event loop.
fn scenario(quick: bool) -> Scenario {
    let mut scenario = scenario::builtin("payment-memory").expect("it is built in");
    scenario.name = "gate-selftest".into();
    scenario.contenders.truncate(1);
    scenario.request_cpu = WORK;
    scenario.expectations.clear();
    scenario.claims.clear();
    let milliseconds = |ms: u64| Nanos(ms * Nanos::MILLI.0);
    let (warm_up, duration) = if quick { (100, 300) } else { (500, 1_000) };
    scenario.load.warm_up = WarmUp::Through(milliseconds(warm_up));
    scenario.load.duration = milliseconds(duration);
    scenario
}

/// CPU time alone: what is spun is CPU time, and a restless machine blurs it least.
fn gate(quick: bool) -> Gate {
    let gate = Gate::usual(&[]);
    let metrics = gate.metrics.into_iter();
    // Light load: the slower build must not drown, or it would be found for that.
    let rate = Level::OfLowest(Share(0.3));
    let budget = quick.then_some(Nanos(50 * Nanos::SECOND.0));
    let metrics = metrics.filter(|metric| metric.figure == Metric::CpuPerRequest).collect();
    Gate { rate, budget, metrics, ..gate }
}
