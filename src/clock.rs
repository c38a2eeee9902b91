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

fn nanos(time: Timespec) -> Nanos {
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
