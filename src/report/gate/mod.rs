//! What a CI system and the tools around it read: each format a pure function of the gate's result.
//!
//! - [`shown`]: a terminal, a step summary, or a comment on a pull request.
//! - [`annotations`]: workflow commands that GitHub shows beside the run, and its step outputs.
//! - [`junit`]: a test report.
//! - [`bencher`]: Bencher Metric Format.
//! - [`benchmark_action`]: the two custom formats of github-action-benchmark.
//! - [`history`]: one line per gate, for those who follow a metric over months; `past` and `series` show it again.

pub(crate) mod annotations;
pub(crate) mod dashboards;
pub(crate) mod history;
pub(crate) mod junit;
pub(crate) mod past;
#[cfg(test)]
pub(crate) mod sample_tests;
mod series;
pub(crate) mod shown;
