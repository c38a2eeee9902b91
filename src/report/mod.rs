//! What people and programs read. Everything here is made from a [`schema::RunResult`] and nothing else.

pub mod charts;
mod comparison;
pub mod distribution;
mod findings;
pub mod gate;
pub mod hgrm;
pub mod markdown;
#[cfg(test)]
mod mock;
mod race;
pub mod schema;
mod sentences;
pub mod terminal;
pub(crate) mod words;
pub mod write;
