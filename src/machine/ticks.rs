//! Where the time of all cores went, as the kernel counts it: in ticks of a hundredth of a second, hence coarse.

use std::fs;

/// Ticks of all cores up to an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    idle: u64,
    stolen: u64,
    all: u64,
}

impl Ticks {
    /// So far; nothing where the kernel does not say.
    pub(crate) fn now() -> Option<Self> {
        Self::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Of the text of `/proc/stat`.
    fn of(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // Guest time, which follows, is inside user.
        let ticks = line.split_whitespace().take(8).map(|tick| tick.parse().ok());
        let ticks = ticks.collect::<Option<Vec<u64>>>()?;
        let [_user, _nice, _system, idle, io_wait, _irq, _soft_irq, stolen] = ticks[..] else {
            return None;
        };
        Some(Self { idle: idle + io_wait, stolen, all: ticks.iter().sum() })
    }

    /// The share that nobody wanted since `earlier`, waits for a disk among it.
    pub(crate) fn idle_since(self, earlier: Self) -> f64 {
        self.share(earlier, |ticks| ticks.idle)
    }

    /// The share that the hypervisor gave to others since `earlier`.
    pub(crate) fn stolen_since(self, earlier: Self) -> f64 {
        self.share(earlier, |ticks| ticks.stolen)
    }

    fn share(self, earlier: Self, of: fn(Self) -> u64) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        of(self).saturating_sub(of(earlier)) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_passed_between() {
        let before = Ticks::of("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1\n").unwrap();
        let after = Ticks::of("cpu  130 0 60 840 60 0 0 10 7 0\n").unwrap();
        assert_eq!((after.idle_since(before), after.stolen_since(before)), (0.5, 0.1));
        assert_eq!(after.stolen_since(after), 0.0);
        assert!(Ticks::now().is_some());
    }

    #[test]
    fn a_kernel_that_does_not_say_says_nothing() {
        for text in ["", "intr 1 2 3\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n"] {
            assert!(Ticks::of(text).is_none(), "{text}");
        }
    }
}
