//! Starts, supervises and ends other programs, and asks them over HTTP.

pub(crate) mod child;
pub(crate) mod held;
pub(crate) mod http;
pub(crate) mod programs;
pub(crate) mod said;
pub(crate) mod supervise;
