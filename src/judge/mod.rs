//! From records to findings, as pure functions: whether a trial may be believed, whether a statement holds, who is better
//! and by how much, and whether a change is slower. Nothing here reads a clock, a file, a process or a socket.

pub(crate) mod audit;
pub(crate) mod best_size;
pub(crate) mod bounds;
pub(crate) mod cell;
pub(crate) mod comparison;
pub(crate) mod failures;
pub mod gate;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod races;
pub(crate) mod rank;
pub(crate) mod statement;
pub(crate) mod validity;
pub(crate) mod voids;
pub(crate) mod whole;
