//! What people and programs read. Everything here is made from what [`schema`] holds, a run's result first, and from
//! nothing else.

pub mod charts;
pub(crate) mod comparison;
mod cores;
pub mod decision;
mod disappears;
mod experiments;
mod findings;
mod footprint;
pub(crate) mod gate;
pub(crate) mod grid;
pub mod hgrm;
#[cfg(test)]
mod hostile;
pub mod html;
#[cfg(test)]
pub(crate) mod json_schema;
pub mod ledger;
mod losses;
pub mod markdown;
mod marks;
pub mod note;
pub(crate) mod place;
mod reasons;
mod reproduce;
pub mod screen;
mod sentences;
mod setting;
pub(crate) mod side_by_side;
mod sizes;
mod table;
pub mod terminal;
pub(crate) mod words;
pub mod write;

pub(crate) use reproduce::quoted;
