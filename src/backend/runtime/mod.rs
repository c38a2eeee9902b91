//! What the services run on: serving, sockets, clients, fan-out and CPU work, in two designs behind one interface.
//!
//! Read one style at a time: `event_loop/` is tokio throughout, `threads/` is OS threads that block.

pub(crate) mod event_loop;
pub(crate) mod threads;
