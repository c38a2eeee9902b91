//! What the machine takes away from a thread that only reads the clock: time lost to a hypervisor, a neighbour or
//! an interrupt shows here, also where the kernel's own count of stolen time does not.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::machine::cores;
use crate::record::hiccups::Hiccups;
use crate::stats::percentile::RANKS;
use crate::units::{Nanos, Share};

/// How long each core is watched at most.
pub(crate) const WATCH: Duration = Duration::from_millis(1_000);
/// A pause between two readings that is no longer the cost of reading.
const PAUSE: Duration = Duration::from_micros(100);

/// A watch sees no more pauses than fit into it.
const PAUSES_KEPT_MAX: usize = (WATCH.as_micros() / PAUSE.as_micros()) as usize + 1;

/// Watches `cores`, all at once, for `time` or [`WATCH`] where that is less, and gives the worst of what was seen.
pub(crate) fn watch(cores: &[usize], time: Duration) -> Result<Hiccups> {
    let none = Hiccups { worst: Nanos(0), lost: Share(0.0), floor: [Nanos(0); RANKS.len()] };
    thread::scope(|scope| {
        let watchers: Vec<_> = cores
            .iter()
            .map(|&core| {
                scope.spawn(move || cores::on_cores(&vec![core], || read(time.min(WATCH))))
            })
            .collect();
        watchers.into_iter().try_fold(none, |worst, watcher| {
            let one = watcher.join().expect("reading a clock does not panic")?;
            Ok(Hiccups {
                worst: worst.worst.max(one.worst),
                lost: Share(worst.lost.0.max(one.lost.0)),
                floor: std::array::from_fn(|rank| worst.floor[rank].max(one.floor[rank])),
            })
        })
    })
}

/// Reads the clock until the time is over.
fn read(time: Duration) -> Hiccups {
    let start = Instant::now();
    let (mut last, mut pauses) = (start, Vec::with_capacity(PAUSES_KEPT_MAX));
    while last.duration_since(start) < time {
        let now = Instant::now();
        let pause = now.duration_since(last);
        if pause > PAUSE && pauses.len() < PAUSES_KEPT_MAX {
            pauses.push(Nanos::from(pause));
        }
        last = now;
    }
    of(&mut pauses, last.duration_since(start).into())
}

/// What `pauses` in the time `watched` come to.
fn of(pauses: &mut [Nanos], watched: Nanos) -> Hiccups {
    pauses.sort_unstable_by(|a, b| b.cmp(a));
    let lost: u64 = pauses.iter().map(|pause| pause.0).sum();
    Hiccups {
        worst: pauses.first().copied().unwrap_or_default(),
        lost: Share(lost as f64 / watched.0.max(1) as f64),
        floor: RANKS.map(|(_, rank)| floor(pauses, (1.0 - rank) * watched.0 as f64)),
    }
}

/// The x for which the instants that are put off by more than x, those further than x from the end of their pause, come
/// to `beyond_ns` in all: the sum over `pauses` (longest first) of max(0, pause - x).
fn floor(pauses: &[Nanos], beyond_ns: f64) -> Nanos {
    let mut sum = 0.0;
    for (longer, pause) in (1..).zip(pauses) {
        sum += pause.0 as f64;
        let x = (sum - beyond_ns) / f64::from(longer);
        let next = pauses.get(longer as usize).map_or(0.0, |next| next.0 as f64);
        if x >= next {
            return Nanos(x as u64);
        }
    }
    Nanos(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stop_makes_the_floor_that_the_method_gives_for_a_stall() {
        let second = 1_000_000_000;
        // S = 1 s of T = 10 s: p95 is 0.5 s, p99 0.9 s.
        let one = of(&mut [Nanos(second)], Nanos(10 * second));
        let [p50, p90, p99, p99_9] = one.floor.map(|floor| floor.0.div_ceil(1_000_000));
        assert_eq!([p50, p90, p99, p99_9], [0, 0, 900, 990]);
        assert!((one.lost.0 - 0.1).abs() < 1e-9 && one.worst == Nanos(second));
        // Two of half a second: of each a tenth of a second lies beyond 0.45 s at p99.
        let two = of(&mut [Nanos(second / 2); 2], Nanos(10 * second));
        assert_eq!(two.floor[2].0.div_ceil(1_000_000), 450);
        // A short one counts only below itself.
        let mixed = of(&mut [Nanos(1_000), Nanos(second)], Nanos(10 * second));
        assert_eq!(mixed.floor[2], one.floor[2]);
        assert_eq!(of(&mut [], Nanos(second)).floor, [Nanos(0); 4]);
    }

    #[test]
    fn a_core_that_is_shared_with_a_busy_thread_is_noticed() {
        let core = cores::allowed().unwrap()[0];
        // Two watchers on one core: each is the other's hiccup.
        let shared = watch(&[core, core], WATCH).unwrap();
        assert!(shared.lost.0 > 0.2, "{shared:?}");
        assert!(shared.worst > Nanos::MILLI, "{shared:?}");
    }
}
