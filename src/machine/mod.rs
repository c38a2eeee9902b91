//! What this computer is and what it does while something is measured: cores, stolen time, throttling, memory, sockets.

pub(crate) mod cgroup;
pub(crate) mod cores;
pub(crate) mod fingerprint;
pub(crate) mod hiccups;
pub(crate) mod interference;
pub(crate) mod memory;
pub(crate) mod neighbours;
pub(crate) mod proc;
pub(crate) mod resources;
