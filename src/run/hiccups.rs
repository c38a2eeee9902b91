//! What the machine takes away from a thread that only reads the clock. Whoever takes it (a hypervisor, a neighbour,
//! an interrupt), it shows here, also where the kernel's own count of stolen time does not.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::run::placement;
use crate::units::{Nanos, Share};

/// How long each core is watched.
const WATCH: Duration = Duration::from_millis(500);
/// A pause between two readings that is no longer the cost of reading.
const PAUSE: Duration = Duration::from_micros(100);

/// What one core lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hiccups {
    /// The longest pause.
    pub(crate) worst: Nanos,
    /// All pauses over the time watched.
    pub(crate) lost: Share,
}

/// Watches `cores`, all at once, and gives the worst of what was seen.
///
/// # Errors
/// When a thread cannot be moved to its core.
pub(crate) fn watch(cores: &[usize]) -> Result<Hiccups> {
    let none = Hiccups { worst: Nanos(0), lost: Share(0.0) };
    thread::scope(|scope| {
        let watchers: Vec<_> = cores
            .iter()
            .map(|&core| scope.spawn(move || placement::on_cores(&vec![core], read)))
            .collect();
        watchers.into_iter().try_fold(none, |worst, watcher| {
            let one = watcher.join().expect("reading a clock does not panic")?;
            Ok(Hiccups {
                worst: worst.worst.max(one.worst),
                lost: Share(worst.lost.0.max(one.lost.0)),
            })
        })
    })
}

/// Reads the clock until the time is over.
fn read() -> Hiccups {
    let start = Instant::now();
    let (mut last, mut worst, mut lost) = (start, Duration::ZERO, Duration::ZERO);
    while last.duration_since(start) < WATCH {
        let now = Instant::now();
        let pause = now.duration_since(last);
        if pause > PAUSE {
            worst = worst.max(pause);
            lost += pause;
        }
        last = now;
    }
    let watched = last.duration_since(start).as_secs_f64();
    Hiccups { worst: worst.into(), lost: Share(lost.as_secs_f64() / watched) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_is_shared_with_a_busy_thread_is_noticed() {
        let core = placement::allowed().unwrap()[0];
        // Two watchers on one core: each is the other's hiccup.
        let shared = watch(&[core, core]).unwrap();
        assert!(shared.lost.0 > 0.2, "{shared:?}");
        assert!(shared.worst > Nanos::MILLI, "{shared:?}");
    }
}
