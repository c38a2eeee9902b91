//! What people and programs read. Everything here is made from what [`crate::record`] holds, and nothing is judged.
//!
//! A report for people is a `document::Document`: `summary` describes a run, `decision`, `drive`, `side_by_side`, `ledger`
//! and `gate` the others. `terminal`, `markdown` and `html` write any of them.

pub(crate) mod bisect;
pub mod charts;
pub(crate) mod comparison;
pub mod decision;
mod disappears;
pub(crate) mod document;
pub mod drive;
mod experiments;
mod figures;
mod footprint;
pub(crate) mod format;
pub(crate) mod gate;
pub mod hgrm;
#[cfg(test)]
pub(crate) mod hostile_tests;
mod html;
#[cfg(test)]
pub(crate) mod json_schema_tests;
pub mod ledger;
mod losses;
pub(crate) mod markdown;
pub mod note;
pub mod openmetrics;
mod reasons;
mod reproduce;
mod sentences;
mod setting;
pub(crate) mod side_by_side;
mod sizes;
mod spoken;
pub mod summary;
pub(crate) mod terminal;
mod why;
pub mod write;

pub(crate) use reproduce::quoted;
