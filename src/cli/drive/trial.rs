//! An outcome as a trial of result.json, with what can be judged about a contender of which only the URL is known.

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::judge::validity;
use crate::judge::validity::Evidence;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Shape};
use crate::machine::interference::Interference;
use crate::record::{Audit, Placement, Trial};
use crate::run::trial::figures;
use crate::units::Nanos;

/// The trial that `plan` and `outcome` make; `taken` is of its start, `lag_limit` what the generator may be late by.
pub(super) fn of(
    url: &str,
    plan: &Plan,
    outcome: &Outcome,
    taken: &Interference,
    lag_limit: Option<Nanos>,
) -> Trial {
    let open = plan.shape != Shape::Closed;
    let judged = validity::judge(&Evidence {
        steal_share: taken.steal_share(),
        throttled_share: taken.throttled_share(),
        lag_limit,
        ..Evidence::of(outcome, open, plan.threads)
    });
    let audit = Audit {
        verdict: "unavailable".into(),
        reasons: vec!["a server given by URL has no books to look at".into()],
    };
    Trial {
        workload: "http".into(),
        contender: url.into(),
        level: level(plan),
        placement: placement(plan),
        ..figures::seen(plan, outcome, judged, audit)
    }
}

fn level(plan: &Plan) -> String {
    match plan.shape {
        Shape::Open { rate, .. } => rate.to_string(),
        Shape::Ramp { from, to, .. } => format!("{from}..{to}"),
        Shape::Closed => "closed".into(),
    }
}

/// The cores that this process inherited; the contender's are not known.
fn placement(plan: &Plan) -> Placement {
    let mask = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).map(|core| core as u32);
    Placement {
        mode: "unknown".into(),
        contender_cores: Vec::new(),
        generator_cores: cores.collect(),
        pace: plan.pace.name().into(),
        dependency_cores: Vec::new(),
    }
}
