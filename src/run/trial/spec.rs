//! The specification of one trial, what the testbed adds to it, and which side runs on which cores.

use crate::backend::cpu::CpuMode;
use crate::error::{Error, Result};
use crate::load::plan::{Pace, WarmUp};
use crate::record::Hiccups;
use crate::scenario;
use crate::scenario::{Contender, PlacementMode, Scenario};
use crate::units::{Nanos, Rate};
use crate::why::Profiling;

#[derive(Clone, Debug)]
pub(crate) struct TrialSpec<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) contender: &'a Contender,
    /// Requests per second, or nothing for a closed loop.
    pub(crate) rate: Option<Rate>,
    /// The level as reports name it.
    pub(crate) level: String,
    pub(crate) duration: Nanos,
    /// Counted from 1; 0 is for probes, so that no key of theirs can meet a trial's.
    pub(crate) round: u32,
    /// Its position in the round's order.
    pub(crate) place: u32,
}

/// A trial with everything that the testbed adds: ready to run.
#[derive(Clone, Debug)]
pub(crate) struct PreparedTrial<'a> {
    pub(crate) spec: TrialSpec<'a>,
    /// Keeps this contender's keys apart from the others'.
    pub(crate) salt: u32,
    pub(crate) signature: Signature,
    pub(crate) warming: Warming,
    pub(crate) placement: &'a Placement,
    /// What the machine took from an idle core before the run.
    pub(crate) hiccups: Hiccups,
    /// Its profile, of a profiled trial.
    pub(crate) profiling: Option<&'a Profiling>,
}

/// The CPU work of a request, calibrated once by the orchestrator and the same in every trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    /// SHA-256 rounds of each payment.
    pub(crate) rounds: u32,
    /// Where it runs: decided by its measured time, where it was measured.
    pub(crate) cpu: CpuMode,
}

/// What a trial does before its window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Warming {
    pub(crate) before: WarmUp,
    /// Why the contender may still not be warm.
    pub(crate) doubt: Option<String>,
    /// What a reader should know of it.
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Whether the sides share cores.
    pub(crate) mode: PlacementMode,
    pub(crate) contender: Vec<usize>,
    /// The generator's, one thread for each.
    pub(crate) generator: Vec<usize>,
    /// The dependency's, where there is one; the generator's too where there are no more.
    pub(crate) dependency: Vec<usize>,
    /// How the generator waits.
    pub(crate) pace: Pace,
}

impl Placement {
    /// What the scenario asks for, on these cores. The contender gets the highest ones, because the lowest are where
    /// interrupts go; where they are shared, all.
    pub(crate) fn of(
        cores: Vec<usize>,
        wanted: scenario::Placement,
        dependency: bool,
    ) -> Result<Self> {
        let contender_cores = wanted.contender_cores.unwrap_or((cores.len() / 2).max(1));
        match wanted.mode {
            PlacementMode::Shared => Ok(Self {
                mode: PlacementMode::Shared,
                generator: cores[..1].to_vec(),
                dependency: if dependency { cores[..1].to_vec() } else { Vec::new() },
                contender: cores,
                pace: Pace::Sleep,
            }),
            PlacementMode::Apart if cores.len() > contender_cores => {
                let (generator, contender) = cores.split_at(cores.len() - contender_cores);
                // One thread drives some 150,000 requests/s; more of them only help against several cores.
                let threads = (contender_cores / 2).clamp(1, generator.len());
                let (generator, rest) = generator.split_at(threads);
                // Two that share a core must let each other run; one that has it to itself polls.
                let (dependency, pace) = match (dependency, rest) {
                    (false, _) => (&[][..], Pace::Spin),
                    (true, []) => (generator, Pace::Sleep),
                    (true, rest) => (rest, Pace::Spin),
                };
                Ok(Self {
                    mode: PlacementMode::Apart,
                    contender: contender.to_vec(),
                    generator: generator.to_vec(),
                    dependency: dependency.to_vec(),
                    pace,
                })
            }
            PlacementMode::Hosts => Err(Error::usage("runs on other hosts are not made here")),
            PlacementMode::Apart => Err(Error::usage(format!(
                "generator and contender cannot be apart: {contender_cores} of {} usable cores are the contender's",
                cores.len()
            ))
            .help("set `placement = { mode = \"shared\" }`, or let this process use more cores (taskset)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(cores: usize, mode: PlacementMode, contender_cores: Option<usize>) -> Result<Placement> {
        let wanted = scenario::Placement { mode, contender_cores };
        Placement::of((0..cores).collect(), wanted, false)
    }

    #[test]
    fn the_table_of_the_method() {
        for (cores, contender) in [(2, 1), (4, 2), (8, 4)] {
            let placement = on(cores, PlacementMode::Apart, None).unwrap();
            assert_eq!(placement.contender.len(), contender, "{cores} cores");
            assert!(placement.generator.iter().all(|core| !placement.contender.contains(core)));
            assert_eq!(placement.pace, Pace::Spin);
        }
    }

    #[test]
    fn a_dependency_has_a_core_of_its_own_or_the_generators() {
        let wanted = scenario::Placement { mode: PlacementMode::Apart, contender_cores: None };
        let two = Placement::of(vec![0, 1], wanted, true).unwrap();
        assert_eq!((&two.dependency, two.pace), (&vec![0], Pace::Sleep));
        assert_eq!(two.generator, two.dependency);
        let four = Placement::of(vec![0, 1, 2, 3], wanted, true).unwrap();
        assert_eq!((four.generator, four.dependency), (vec![0], vec![1]));
        assert_eq!((four.contender, four.pace), (vec![2, 3], Pace::Spin));
    }

    #[test]
    fn one_core_can_only_be_shared() {
        assert_eq!(on(1, PlacementMode::Apart, None).unwrap_err().exit_code(), 2);
        assert!(on(2, PlacementMode::Apart, Some(2)).is_err());
        let shared = on(1, PlacementMode::Shared, None).unwrap();
        assert_eq!((shared.contender, shared.pace), (vec![0], Pace::Sleep));
    }

    #[test]
    fn a_contender_that_shares_has_every_core() {
        let two = on(2, PlacementMode::Shared, None).unwrap();
        assert_eq!((two.contender, two.generator, two.pace), (vec![0, 1], vec![0], Pace::Sleep));
    }
}
