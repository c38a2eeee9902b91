//! What people and programs read. Everything here is made from what [`schema`] holds, a run's result first, and from
//! nothing else.

pub(crate) mod cell;
pub mod charts;
pub(crate) mod comparison;
mod cores;
pub mod decision;
mod disappears;
pub mod distribution;
mod experiments;
pub(crate) mod failures;
mod findings;
mod footprint;
pub mod gate;
pub mod hgrm;
#[cfg(test)]
mod hostile;
pub mod html;
#[cfg(test)]
mod json_schema;
pub(crate) mod late;
pub mod ledger;
mod losses;
pub mod markdown;
mod marks;
#[cfg(test)]
pub(crate) mod mock;
pub mod note;
pub(crate) mod race;
mod reasons;
mod reproduce;
pub mod schema;
pub mod screen;
mod sentences;
mod setting;
pub(crate) mod side_by_side;
mod sizes;
pub(crate) mod slim;
mod table;
pub mod terminal;
pub(crate) mod words;
pub mod write;

pub(crate) use reproduce::quoted;
