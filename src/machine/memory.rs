//! A contender's memory in the course of a trial: thirty samples of what is resident, ten a second of its control group, from
//! a core that is not the contender's.

use std::sync::mpsc;
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::machine::cgroup::Cgroup;
use crate::machine::cores::{Cores, stay_on};
use crate::machine::resources::Watch;
use crate::units::Nanos;

/// Samples in a window, one at the end of each of as many equal parts.
pub(crate) const SAMPLES: u32 = 30;
/// Between two samples of the group, the last of which is the window's end.
const GROUP_EVERY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Begins,
    Ends,
}

/// What was seen in a window, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MemorySamples {
    /// Resident at each sample; empty where that cannot be read.
    pub(crate) resident: Vec<u64>,
    /// The most that the group held.
    pub(crate) group_peak: Option<u64>,
}

/// A thread that looks, once it is told that the window has begun.
#[derive(Debug)]
pub(crate) struct Sampler<'scope> {
    moments: Sender<Window>,
    thread: ScopedJoinHandle<'scope, MemorySamples>,
}

impl<'scope> Sampler<'scope> {
    /// Looks at `watch` and `group` from one of `cores`, in a window of this length.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        watch: &'env Watch,
        group: Option<&'env Cgroup>,
        cores: &'env Cores,
        window: Nanos,
    ) -> Self {
        let (moments, told) = mpsc::channel();
        let thread = scope.spawn(move || {
            stay_on(cores);
            let mut seen = MemorySamples::default();
            // A trial that is stopped in its warm-up has no window.
            if told.recv() != Ok(Window::Begins) {
                return seen;
            }
            let window = Duration::from(window);
            let begun = Instant::now();
            let (mut sample, mut group_at) = (1, begun);
            while sample <= SAMPLES {
                let at = begun + window * sample / SAMPLES;
                let next = if group.is_some() { at.min(group_at) } else { at };
                let over = told.recv_timeout(next.saturating_duration_since(Instant::now()));
                let over = !matches!(over, Err(RecvTimeoutError::Timeout));
                if over || next == at {
                    seen.resident.extend(watch.rss_bytes());
                    sample += 1;
                }
                let last = over || sample > SAMPLES;
                if last || next == group_at {
                    seen.group_peak = seen.group_peak.max(group.and_then(Cgroup::bytes));
                    group_at += GROUP_EVERY;
                }
                if over {
                    break;
                }
            }
            seen
        });
        Self { moments, thread }
    }

    /// Says where the trial is: the window's start begins the looking and its end ends it.
    pub(crate) fn tell(&self, moment: Window) {
        // A sampler that has seen enough is gone.
        let _ = self.moments.send(moment);
    }

    pub(crate) fn seen(self) -> MemorySamples {
        drop(self.moments);
        self.thread.join().expect("looking at a process does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn resident(window: Nanos, moments: &[Window]) -> Vec<u64> {
        seen(None, window, moments).resident
    }

    fn seen(group: Option<&Cgroup>, window: Nanos, moments: &[Window]) -> MemorySamples {
        let (watch, cores) = (Watch::new(std::process::id()), vec![0]);
        thread::scope(|scope| {
            let sampler = Sampler::start(scope, &watch, group, &cores, window);
            for &moment in moments {
                sampler.tell(moment);
            }
            if moments.last() == Some(&Window::Begins) {
                thread::sleep(Duration::from(window) * 2);
            }
            sampler.seen()
        })
    }

    #[test]
    fn a_window_has_thirty_samples_and_one_cut_short_fewer() {
        let window = Nanos(60_000_000);
        let all = resident(window, &[Window::Begins]);
        assert_eq!(all.len(), 30);
        assert!(all.iter().all(|bytes| *bytes > 100_000), "{all:?}");
        let cut = resident(Nanos(3_000_000_000_000), &[Window::Begins, Window::Ends]);
        assert_eq!(cut.len(), 1);
        assert!(resident(window, &[]).is_empty(), "it never began");
    }

    #[test]
    fn a_group_is_looked_at_to_the_windows_end() {
        let Some(group) = Cgroup::make() else {
            eprintln!("SKIPPED: no control group can be made here, so that memory is read as PSS");
            return;
        };
        let whole = seen(Some(&group), Nanos(250_000_000), &[Window::Begins]);
        assert_eq!((whole.resident.len(), whole.group_peak), (30, Some(0)), "it has no process");
        let none = seen(None, Nanos(60_000_000), &[Window::Begins]);
        assert_eq!((none.resident.len(), none.group_peak), (30, None));
        let cut = seen(Some(&group), Nanos(60_000_000_000), &[Window::Begins, Window::Ends]);
        assert_eq!((cut.resident.len(), cut.group_peak), (1, Some(0)));
    }
}
