//! Starts, supervises and ends other programs, and asks them over HTTP.

pub(crate) mod builds;
pub(crate) mod child;
pub(crate) mod http;
pub(crate) mod supervise;
