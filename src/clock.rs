//! The clocks of the generator and of the stand-in. What decides anything takes its `now` as a parameter; only what waits
//! reads.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::units::Nanos;

/// CLOCK_MONOTONIC, through the vDSO: about 20 ns a read.
pub(crate) fn now() -> Nanos {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// CLOCK_REALTIME, which the kernel stamps packets with.
pub(crate) fn realtime() -> Nanos {
    nanos(clock_gettime(ClockId::Realtime))
}

/// CPU time of the calling thread so far. A system call, so read at the window's ends only.
pub(crate) fn thread_cpu() -> Nanos {
    nanos(clock_gettime(ClockId::ThreadCPUTime))
}

/// For how long so far the calling thread has been ready to run while others had its core (the second figure of
/// schedstat). Reads a file, so at the window's ends only; 0 where the kernel does not say.
pub(crate) fn thread_held() -> Nanos {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Nanos(text.split_whitespace().nth(1).and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn nanos(time: Timespec) -> Nanos {
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
