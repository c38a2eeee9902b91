//! What each contender can do at most, from one short closed loop: the measure of every level given in percent.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::report::schema::{Ceiling, Trial};
use crate::run::testbed::{Ask, Testbed, placement};
use crate::scenario::{Level, LoadKind, Scenario};
use crate::units::{Nanos, Rate};

/// How long a ceiling is probed.
const PROBE: Nanos = Nanos(3_000_000_000);

/// Whether a scenario has levels that need its contenders' ceilings.
pub(crate) fn needed(scenario: &Scenario) -> bool {
    let relative = scenario.rates.iter().any(|level| !matches!(level, Level::Rate(_)));
    let searched = scenario.experiments.capacity.is_some();
    (relative || searched) && matches!(scenario.load.kind, LoadKind::Open(_))
}

/// Probes every contender of a scenario once; fewer when it is stopped.
///
/// # Errors
/// When a contender cannot be started or answers nothing.
pub(crate) fn probe(
    testbed: &mut Testbed<'_>,
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<Vec<(Ceiling, Trial)>> {
    let cores = placement(scenario)?.contender.len();
    let mut ceilings = Vec::new();
    for (place, contender) in scenario.contenders.iter().enumerate() {
        let ask = Ask {
            scenario,
            contender,
            rate: None,
            level: "closed".into(),
            duration: PROBE,
            round: 0,
            place: place as u32,
        };
        let trial = testbed.trial(&ask, stop)?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if trial.achieved_rps <= 0.0 {
            return Err(Error::invalid(format!(
                "contender `{}` gave no right answer in a closed loop of {PROBE}",
                contender.name
            )));
        }
        ceilings.push((ceiling(&trial, cores), trial));
    }
    Ok(ceilings)
}

/// The ceiling that a closed trial shows.
pub(crate) fn ceiling(trial: &Trial, cores: usize) -> Ceiling {
    let busy = trial.server.cpu_share.is_some_and(|share| share > 0.9);
    Ceiling {
        workload: trial.workload.clone(),
        scenario: trial.scenario.clone(),
        contender: trial.contender.clone(),
        closed_rps: Some(trial.achieved_rps),
        cpu_rps: trial.server.cpu_us_per_request.map(|us| cores as f64 * 1e6 / us),
        pool_rps: None,
        threads_rps: None,
        binds: if busy { "cpu".into() } else { "unknown".into() },
        dependency: trial.dependency.clone(),
    }
}

/// The rate that a level means for a contender.
///
/// # Panics
/// When a relative level is asked for and there is no ceiling: they are probed first.
pub(crate) fn rate_at(level: Level, contender: &str, scenario: &str, ceilings: &[Ceiling]) -> Rate {
    let here = || ceilings.iter().filter(|ceiling| ceiling.scenario == scenario);
    let lowest = here().filter_map(|ceiling| ceiling.closed_rps).fold(f64::INFINITY, f64::min);
    let own = here().find(|ceiling| ceiling.contender == contender);
    let own = own.and_then(|ceiling| ceiling.closed_rps);
    match level {
        Level::Rate(rate) => rate,
        Level::OfLowest(share) => {
            Rate(share.0 * Some(lowest).filter(|r| r.is_finite()).expect("was probed"))
        }
        Level::OfOwn(share) => Rate(share.0 * own.expect("was probed")),
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
        let at = |level| rate_at(level, "a", "fast", &ceilings);
        assert_eq!(at(Level::Rate(Rate(7.0))), Rate(7.0));
        assert_eq!(at(Level::OfLowest(Share(0.5))), Rate(300.0));
        assert_eq!(at(Level::OfOwn(Share(0.5))), Rate(450.0), "its own, of this scenario");
    }
}
