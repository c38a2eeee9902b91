//! A contender's memory in the course of a trial: thirty looks, from a core that is not the contender's.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::load::Moment;
use crate::run::placement::Cores;
use crate::run::resources::Watch;
use crate::units::Nanos;

/// Looks in a window, one at the end of each of as many equal parts.
pub(crate) const LOOKS: u32 = 30;

/// A thread that looks, once it is told that the window has begun.
#[derive(Debug)]
pub(crate) struct Sampler<'scope> {
    moments: Sender<Moment>,
    thread: ScopedJoinHandle<'scope, Vec<u64>>,
}

impl<'scope> Sampler<'scope> {
    /// Looks at `watch` from one of `cores`, in a window of this length.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        watch: &'env Watch,
        cores: &'env Cores,
        window: Nanos,
    ) -> Self {
        let (moments, told) = mpsc::channel();
        let thread = scope.spawn(move || {
            stay_on(cores);
            let mut looks = Vec::new();
            // A trial that is stopped in its warm-up has no window.
            if told.recv() != Ok(Moment::WindowStart) {
                return looks;
            }
            let begun = Instant::now();
            for look in 1..=LOOKS {
                let at = begun + Duration::from(window) * look / LOOKS;
                let over = told.recv_timeout(at.saturating_duration_since(Instant::now()));
                looks.extend(watch.rss_bytes());
                if !matches!(over, Err(RecvTimeoutError::Timeout)) {
                    break;
                }
            }
            looks
        });
        Self { moments, thread }
    }

    /// Says where the trial is: the window's start begins the looking and its end ends it.
    pub(crate) fn tell(&self, moment: Moment) {
        // A sampler that has seen enough is gone.
        let _ = self.moments.send(moment);
    }

    /// What was seen, in bytes; nothing where memory cannot be read.
    pub(crate) fn seen(self) -> Vec<u64> {
        drop(self.moments);
        self.thread.join().expect("looking at a process does not panic")
    }
}

/// Away from the contender's cores. Where that is not allowed the looks come from anywhere.
pub(super) fn stay_on(cores: &Cores) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    let _ = sched_setaffinity(None, &set);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn looks(window: Nanos, moments: &[Moment]) -> Vec<u64> {
        let (watch, cores) = (Watch::new(std::process::id()), vec![0]);
        thread::scope(|scope| {
            let sampler = Sampler::start(scope, &watch, &cores, window);
            for &moment in moments {
                sampler.tell(moment);
            }
            if moments == [Moment::WindowStart] {
                thread::sleep(Duration::from(window) * 2);
            }
            sampler.seen()
        })
    }

    #[test]
    fn a_window_has_thirty_looks_and_one_cut_short_fewer() {
        let window = Nanos(60_000_000);
        let all = looks(window, &[Moment::WindowStart]);
        assert_eq!(all.len(), 30);
        assert!(all.iter().all(|bytes| *bytes > 100_000), "{all:?}");
        let cut = looks(Nanos(3_000_000_000_000), &[Moment::WindowStart, Moment::WindowEnd]);
        assert_eq!(cut.len(), 1);
        assert!(looks(window, &[]).is_empty(), "it never began");
    }
}
