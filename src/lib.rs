//! bakeoff compares async and threaded backends: how much better or worse is one than the other for a given service?
//!
//! It implements a payment and a loyalty service under four concurrency models, loads them with an open-loop generator
//! that records HDR histograms, and turns the trials into verdicts and charts.
//!
//! ```text
//! cli      reads arguments, prints
//! run      measures: rounds of trials; starts backend/ as a child process and sends requests with load/
//! report   shows: text, Markdown, HTML, charts
//! judge    judges: records in, findings out; no clock, file or process
//! database, process, machine, doctor     PostgreSQL, child processes, cores and noise of the computer
//! scenario what to measure              record   what is stored
//! backend <--- TCP ---> load            they do not import each other; standin is the mock dependency
//! domain, stats, units, error           pure ground
//! ```
//!
//! A folder imports only folders below it: measure -> record -> judge -> show. Three ways through the code:
//!
//! **One request.** [`domain`] says what a payment is. `load/plan` and `load/sender` decide when each request is due and
//! record the instants of its life. [`backend`] serves it, twice: `payment/event_loop.rs` beside `payment/threads.rs`,
//! whose difference is what is measured. [`standin`] or a PostgreSQL of [`database`] responds to its lookups.
//!
//! **One scenario value.** A key of a TOML file is read in `scenario/raw.rs`, checked and converted in [`scenario`], used by
//! [`run`] to start a trial, and stored in [`record`] with the result.
//!
//! **One verdict.** A trial of [`run`] becomes a record. [`judge`] decides whether it is valid, compares contenders in
//! pairs by round with [`stats`], and states a finding. The finding is stored, and [`report`] shows the stored one.
//!
//! `ARCHITECTURE.md` has the map, the invariants and the glossary.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "bakeoff needs Linux: epoll, schedstat, /proc and CPU affinity are what its numbers are made with"
);

pub mod backend;
pub mod cli;
mod clock;
pub mod conform;
pub mod database;
pub mod doctor;
pub mod domain;
pub mod error;
mod exit;
pub mod fault;
mod files;
mod hosts;
mod interrupt;
pub mod judge;
pub mod latency;
mod listen;
pub mod load;
mod machine;
pub mod poll;
pub mod postgres;
mod process;
mod random;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sql;
pub mod standin;
pub mod stats;
pub mod text;
pub mod units;
mod why;
mod words;
