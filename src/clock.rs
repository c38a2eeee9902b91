//! The clocks of the generator and of the stand-in, and the date. What decides anything takes its `now` as a parameter;
//! only what waits reads.

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

/// The date and the time of day: `2026-11-28T09:05:01Z`.
pub(crate) fn utc() -> String {
    date(realtime().0 / 1_000_000_000)
}

/// So many seconds after 1970, by Howard Hinnant's `civil_from_days`: years begin in March, so that a leap day is the
/// last of its year, and 400 of them are an era of 146,097 days.
pub(crate) fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn nanos(time: Timespec) -> Nanos {
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_764_471_845, "2025-11-30T03:04:05Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
        assert!(utc().as_str() > "2026");
    }
}
