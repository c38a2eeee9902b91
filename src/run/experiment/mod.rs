//! What a scenario does beside comparing at its levels: one file an experiment.
//!
//! `compare` and `curve` are rounds of trials at levels, which `session` runs; a curve's levels are in another order in
//! each round. [`capacity`] and [`map`] choose their trials by what the last ones came to.

pub(crate) mod capacity;
pub(crate) mod map;
pub(crate) mod paired;

use std::sync::atomic::AtomicBool;

use crate::run::rounds::Budget;
use crate::run::testbed::Testbed;

/// What every experiment needs.
pub(crate) struct ExperimentContext<'a, 'b> {
    pub(crate) testbed: &'a mut Testbed<'b>,
    pub(crate) order_seed: u64,
    pub(crate) budget: Budget,
    pub(crate) stop: &'a AtomicBool,
}
