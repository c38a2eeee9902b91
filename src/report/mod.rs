//! What people and programs read. Everything here is made from what [`crate::record`] holds, and nothing is judged.
//!
//! A report for people is a `document::Document`: `summary` describes a run, `decision`, `drive`, `side_by_side`, `ledger`
//! and `gate` the others. `terminal`, `markdown` and `html` write any of them.

mod across;
pub(crate) mod bisect;
pub mod charts;
pub(crate) mod comparison;
pub mod decision;
pub(crate) mod document;
pub mod drive;
mod experiments;
mod figures;
pub(crate) mod format;
pub(crate) mod gate;
pub mod hgrm;
mod html;
pub mod ledger;
mod machines;
pub(crate) mod markdown;
pub mod note;
pub mod openmetrics;
mod reasons;
mod sentences;
mod setting;
pub(crate) mod side_by_side;
mod sizes;
pub mod summary;
pub(crate) mod terminal;
#[cfg(test)]
pub(crate) mod tests;
mod why;
pub mod write;

pub(crate) use setting::quoted;
