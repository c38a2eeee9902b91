//! OS threads that block: one for each connection, or a fixed pool.

pub(crate) mod cpu;
pub(crate) mod fan_out;
mod pool;
pub(crate) mod remote;
pub(crate) mod serve;
mod socket;
