//! What a CI system and the tools around it read: each format a pure function of the gate's result.
//!
//! - [`shown`]: a terminal, a step summary, or a comment on a pull request.
//! - [`ci`]: GitHub's workflow commands and step outputs, and a JUnit test report.
//! - [`dashboards`]: Bencher Metric Format, and the two formats of github-action-benchmark.
//! - [`history`]: one line per gate, for those who follow a metric over months; it is also shown again.

pub(crate) mod ci;
pub(crate) mod dashboards;
pub(crate) mod history;
#[cfg(test)]
pub(crate) mod sample_tests;
pub(crate) mod shown;
