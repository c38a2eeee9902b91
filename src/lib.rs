//! bakeoff answers, with numbers that hold: *for a service like mine, how much better or worse is an async backend than
//! a threaded one?*
//!
//! It implements a payment and a loyalty service under four concurrency models, drives them with an open-loop load
//! generator that records HDR histograms, and turns the trials into verdicts and charts.
//!
//! ```text
//!         main -> cli -> run             the only folder that runs both sides
//!          +-----------+------------+------------------+
//!          v                        v                  v
//!      backend/ <--- TCP ---> load/            report/, verdicts
//!          |                        |   +-----> stats/ <---+
//!          v                        v
//!       domain/ ------------------> units       forbidden: backend <-> load; backend -> stats, report
//! ```
//!
//! A reading order, along one request and one number:
//!
//! 1. [`domain`]: what a payment and a distribution are, as pure functions.
//! 2. [`backend`]: the same two services, twice: `payment/event_loop.rs` beside `payment/threads.rs`. Their difference
//!    is what is measured.
//! 3. [`load`]: when each request is due, what it says, and the six instants of its life.
//! 4. [`run`]: child processes, rounds in coin order, whether a trial may be believed, and who won.
//! 5. [`stats`] and [`report`]: intervals, and how they are shown.
//! 6. [`gate`]: from rounds of two builds to one verdict, with what it can and cannot see.
//!
//! [`scenario`] reads what is to be measured. `ARCHITECTURE.md` has the map and the invariants.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "bakeoff needs Linux: epoll, schedstat, /proc and CPU affinity are what its numbers are made with"
);

pub mod backend;
pub mod cli;
mod clock;
pub mod database;
pub mod doctor;
pub mod domain;
pub mod error;
mod exit;
pub mod fault;
mod files;
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
mod reactor;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sql;
pub mod standin;
pub mod stats;
pub mod text;
pub mod units;
mod words;
