//! What people and programs read. Everything here is made from what [`crate::record`] holds, a run's result first, and from
//! nothing else.

pub mod charts;
pub(crate) mod comparison;
pub mod decision;
mod disappears;
mod experiments;
mod findings;
mod footprint;
pub(crate) mod format;
pub(crate) mod gate;
pub mod hgrm;
#[cfg(test)]
pub(crate) mod hostile_tests;
pub mod html;
#[cfg(test)]
pub(crate) mod json_schema_tests;
pub mod ledger;
mod losses;
pub mod markdown;
pub mod note;
mod reasons;
mod reproduce;
pub mod screen;
mod sentences;
mod setting;
pub(crate) mod side_by_side;
mod sizes;
mod table;
pub mod terminal;
pub mod write;

pub(crate) use reproduce::quoted;
