//! The services, each with twin handlers: what a request means is in `mod.rs`, how it waits in `event_loop.rs` and
//! `threads.rs`. Compare the twins with `diff`: their difference is what bakeoff measures.

pub(crate) mod app;
pub(crate) mod gateway;
pub(crate) mod loyalty;
pub mod payment;
pub(crate) mod webhook;
