//! The program and the library from outside, in one binary: each file is a topic. What is mounted on every model and
//! contender is in `tests/conformance`.
//!
//! Tests run side by side and beside whatever else the machine does. So none asserts how fast anything is, and none
//! needs a verdict that a busy machine could take away.

mod action;
mod answers;
mod contract;
mod drive;
mod experiments;
mod first_steps;
mod gate;
mod gate_recorded;
mod http;
mod kills;
mod mutations;
mod page;
mod postgres;
mod readme;
mod report_verbs;
mod run;
mod scenario_errors;
mod selftest;
mod serve_smoke;
mod standin;
mod tidy;
mod validity;
mod warm;
