//! The specification of one trial, and what the testbed adds to it.

use crate::backend::cpu::CpuMode;
use crate::database::Database;
use crate::load::plan::WarmUp;
use crate::record::Hiccups;
use crate::run::placement::Placement;
use crate::scenario::{Contender, Scenario};
use crate::units::{Nanos, Rate};

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
    /// The scenario's PostgreSQL, if it names one.
    pub(crate) database: Option<&'a Database>,
    /// What the machine took from an idle core before the run.
    pub(crate) hiccups: Hiccups,
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
