//! The rules of both services as pure functions: no clock, no socket, no lock, no waiting.
//!
//! `CONTRACT.md` says the same in words, and `contracts/vectors.json` in examples, for servers in other languages.

pub mod dataset;
pub mod loyalty;
pub mod payment;
pub mod signature;
