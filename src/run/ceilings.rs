//! What each contender can do at most, from one short closed loop: the measure of every level given in percent.

use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::record::{Ceiling, LostBy, Trial};
use crate::run::testbed::{Testbed, placement};
use crate::run::trial::spec::TrialSpec;
use crate::scenario::{Level, LoadKind, Scenario};
use crate::units::{Nanos, Rate};

/// How long a ceiling is probed.
const PROBE: Nanos = Nanos(3_000_000_000);
/// How often a contender is probed that loses its probe.
const PROBES: usize = 2;

/// Whether a scenario has levels that need its contenders' ceilings.
pub(crate) fn needed(scenario: &Scenario) -> bool {
    let relative = scenario.rates.iter().any(|level| !matches!(level, Level::Rate(_)));
    let searched = scenario.experiments.capacity.is_some();
    (relative || searched) && matches!(scenario.load.kind, LoadKind::Open(_))
}

/// Probes every contender of a scenario, and again each one that lost its probe; fewer when it is stopped. A contender
/// that loses both has no ceiling.
pub(crate) fn probe(
    testbed: &mut Testbed<'_>,
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<(Vec<Ceiling>, Vec<Trial>)> {
    let cores = placement(scenario)?.contender.len();
    let (mut ceilings, mut trials) = (Vec::new(), Vec::new());
    // A smoke run asks whether it works.
    let smoke = scenario.load.requests_min == 0;
    let duration = if smoke { scenario.load.duration } else { PROBE };
    for (place, contender) in scenario.contenders.iter().enumerate() {
        for _ in 0..PROBES {
            let spec = TrialSpec {
                scenario,
                contender,
                rate: None,
                level: "closed".into(),
                duration,
                round: 0,
                place: place as u32,
            };
            let Some(trial) = testbed.trial(&spec, stop)? else { return Ok((ceilings, trials)) };
            let found = ceiling(&trial, cores);
            trials.push(trial);
            if found.closed_rps.is_some() {
                ceilings.push(found);
                break;
            }
        }
    }
    match (ceilings.is_empty(), trials.first()) {
        (true, Some(trial)) => {
            let why = trial.validity.reasons.join("; ");
            let what =
                format!("no contender gave a right answer in a closed loop of {PROBE}: {why}");
            Err(Error::invalid(what).by_contender(trial.validity.wrote.clone()))
        }
        _ => Ok((ceilings, trials)),
    }
}

/// The ceiling that a closed trial shows; none of a lost one.
pub(crate) fn ceiling(trial: &Trial, cores: usize) -> Ceiling {
    let broke_down = trial.validity.lost_by == Some(LostBy::Crash);
    let busy = trial.server.cpu_share.is_some_and(|share| share > 0.9);
    Ceiling {
        workload: trial.workload.clone(),
        scenario: trial.scenario.clone(),
        contender: trial.contender.clone(),
        closed_rps: Some(trial.achieved_rps).filter(|rps| *rps > 0.0 && !broke_down),
        cpu_rps: trial.server.cpu_us_per_request.map(|us| cores as f64 * 1e6 / us),
        pool_rps: None,
        threads_rps: None,
        binds: if busy { "cpu".into() } else { "unknown".into() },
        dependency: trial.dependency.clone(),
    }
}

/// The rate that a level means for a contender; nothing where it is a share of a ceiling that is not known.
pub(crate) fn rate_at(
    level: Level,
    contender: &str,
    scenario: &str,
    ceilings: &[Ceiling],
) -> Option<Rate> {
    let here = || ceilings.iter().filter(|ceiling| ceiling.scenario == scenario);
    match level {
        Level::Rate(rate) => Some(rate),
        Level::OfLowest(share) => {
            let lowest = here().filter_map(|ceiling| ceiling.closed_rps).reduce(f64::min)?;
            Some(Rate(share.0 * lowest))
        }
        Level::OfOwn(share) => {
            let own = here().find(|ceiling| ceiling.contender == contender)?;
            Some(Rate(share.0 * own.closed_rps?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Share;

    #[test]
    fn a_percentage_is_of_the_lowest_unless_it_is_of_ones_own() {
        let ceiling = |contender: &str, scenario: &str, closed_rps| Ceiling {
            workload: "payment".into(),
            scenario: scenario.into(),
            contender: contender.into(),
            closed_rps: Some(closed_rps),
            cpu_rps: None,
            pool_rps: None,
            threads_rps: None,
            binds: "cpu".into(),
            dependency: None,
        };
        let ceilings =
            [ceiling("a", "slow", 10.0), ceiling("a", "fast", 900.0), ceiling("b", "fast", 600.0)];
        let at = |level| rate_at(level, "a", "fast", &ceilings).unwrap();
        assert_eq!(at(Level::Rate(Rate(7.0))), Rate(7.0));
        assert_eq!(at(Level::OfLowest(Share(0.5))), Rate(300.0));
        assert_eq!(at(Level::OfOwn(Share(0.5))), Rate(450.0), "its own, of this scenario");
        let unknown = rate_at(Level::OfOwn(Share(0.5)), "c", "fast", &ceilings);
        assert_eq!(unknown, None, "it lost its probe");
    }
}
