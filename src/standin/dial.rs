//! When a statement that begins now is due, and what becomes of it: latency and faults as a pure function of their order.

use super::Settings;
use crate::fault::{Effect, Fault};
use crate::latency::Latency;
use crate::random::Stream;
use crate::sql::Class;
use crate::units::Nanos;

/// Latencies and faults, and how far their streams have been drawn.
#[derive(Debug)]
pub(super) struct Dial {
    lookup: Latency,
    write: Latency,
    faults: Vec<Fault>,
    times: Stream,
    fates: Stream,
    /// Statements begun so far: the counter of both streams.
    begun: u64,
    /// What the instants of faults count from: the window's start, or the first statement before there is one.
    origin: Option<Nanos>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does its work and is answered.
    Answer,
    /// It does nothing and fails.
    Fail,
    /// It does its work, and the connection is closed.
    Drop,
}

/// A statement that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    /// When it does its work and is answered.
    pub(super) due: Nanos,
    pub(super) fate: Fate,
}

impl Dial {
    pub(super) fn new(settings: &Settings) -> Self {
        let streams = Stream::of(settings.seed);
        Self {
            lookup: settings.lookup.clone(),
            write: settings.write.clone(),
            faults: settings.faults.clone(),
            times: streams.child(0),
            fates: streams.child(1),
            begun: 0,
            origin: None,
        }
    }

    /// The window starts: the faults count from here, and the streams begin anew.
    pub(super) fn start_window(&mut self, now: Nanos) {
        (self.origin, self.begun) = (Some(now), 0);
    }

    /// A statement of `class` begins at `start`.
    pub(super) fn begin(&mut self, class: Class, start: Nanos) -> Promise {
        let law = match class {
            Class::Lookup => &self.lookup,
            Class::Write => &self.write,
            Class::Audit => return self.promise(Nanos(0), start, false),
        };
        let latency = law.draw(self.times.at(self.begun));
        self.promise(latency, start, true)
    }

    /// Something that takes `latency` whatever is configured begins at `start`. It is never made to fail.
    pub(super) fn begin_sleep(&mut self, latency: Nanos, start: Nanos) -> Promise {
        self.promise(latency, start, false)
    }

    fn promise(&mut self, latency: Nanos, start: Nanos, may_fail: bool) -> Promise {
        let origin = *self.origin.get_or_insert(start);
        let mut promise = Promise { due: start + latency, fate: Fate::Answer };
        if self.faults.is_empty() {
            self.begun += 1;
            return promise;
        }
        let began = start.saturating_sub(origin);
        let unlucky = |fault: usize, share: f64| {
            let luck = self.fates.child(fault as u64).unit(self.begun);
            may_fail && luck <= share
        };
        for (index, fault) in self.faults.iter().enumerate() {
            if !fault.range().contains(&began) {
                continue;
            }
            match fault.effect {
                Effect::Slow(factor) => {
                    let longer = latency.as_secs_f64() * factor;
                    promise.due = promise.due.max(start + Nanos::from_secs_f64(longer));
                }
                Effect::Errors(share) if unlucky(index, share.0) => promise.fate = Fate::Fail,
                Effect::Drop(share) if unlucky(index, share.0) => promise.fate = Fate::Drop,
                Effect::Stall | Effect::Errors(_) | Effect::Drop(_) => {}
            }
        }
        self.begun += 1;
        promise.due = self.stalled_until(promise.due).unwrap_or(promise.due);
        promise
    }

    /// The end of the stall in which `now` lies.
    pub(super) fn stalled_until(&self, now: Nanos) -> Option<Nanos> {
        let origin = self.origin?;
        let stalls = self.faults.iter().filter(|fault| fault.effect == Effect::Stall);
        let mut until = None;
        // One stall may end inside another.
        for _ in stalls.clone() {
            let at = until.unwrap_or(now).saturating_sub(origin);
            let ends = stalls.clone().filter(|stall| stall.range().contains(&at));
            until = ends.map(|stall| origin + stall.range().end).max().or(until);
        }
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(latency: &str, faults: &[&str]) -> Dial {
        Dial::new(&Settings {
            lookup: latency.parse().unwrap(),
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..Settings::default()
        })
    }

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// What becomes of lookups that begin each millisecond, since a window that starts at 1 s.
    fn walk(dial: &mut Dial, span_ms: u64) -> Vec<(Nanos, Fate)> {
        let origin = Nanos::SECOND;
        dial.start_window(origin);
        let begun = (0..span_ms).map(|at| dial.begin(Class::Lookup, origin + ms(at)));
        begun.map(|promise| (promise.due - origin, promise.fate)).collect()
    }

    #[test]
    fn the_same_window_gives_the_same_times() {
        let mut one = dial("p50=2ms,p99=9ms", &["errors=30%@0s+1s"]);
        let first = walk(&mut one, 1_000);
        assert_eq!(walk(&mut one, 1_000), first, "a window starts its streams again");
        let mut other = dial("p50=2ms,p99=9ms", &["errors=30%@0s+1s"]);
        assert_eq!(walk(&mut other, 1_000), first);
        let settings = Settings {
            seed: 43,
            lookup: "p50=2ms,p99=9ms".parse().unwrap(),
            ..Settings::default()
        };
        assert_ne!(walk(&mut Dial::new(&settings), 1_000), first);
    }

    #[test]
    fn a_stall_puts_off_what_falls_due_in_it() {
        let mut dial = dial("5ms", &["stall=20ms@10ms", "stall=10ms@25ms"]);
        for (begun, (due, fate)) in walk(&mut dial, 50).into_iter().enumerate() {
            let usual = ms(begun as u64 + 5);
            let inside = (ms(10)..ms(35)).contains(&usual);
            assert_eq!(due, if inside { ms(35) } else { usual }, "begun at {begun} ms");
            assert_eq!(fate, Fate::Answer);
        }
        assert_eq!(dial.stalled_until(Nanos::SECOND + ms(12)), Some(Nanos::SECOND + ms(35)));
        assert_eq!(dial.stalled_until(Nanos::SECOND + ms(35)), None);
    }

    #[test]
    fn the_other_faults_meet_what_begins_in_them() {
        let mut slow = dial("4ms", &["slow=x5@10ms+10ms"]);
        for (begun, (due, _)) in walk(&mut slow, 30).into_iter().enumerate() {
            let taken = due - ms(begun as u64);
            assert_eq!(taken, ms(if (10..20).contains(&begun) { 20 } else { 4 }), "{begun}");
        }
        for (fault, fate) in [("errors=20%@1s+8s", Fate::Fail), ("drop=20%@1s+8s", Fate::Drop)] {
            let fates = walk(&mut dial("0ms", &[fault]), 10_000);
            let met: Vec<_> = (0..10_000).filter(|&at| fates[at].1 == fate).collect();
            assert!((1_500..1_700).contains(&met.len()), "{fault}: {}", met.len());
            assert!(met.iter().all(|at| (1_000..9_000).contains(at)));
        }
        let mut all = dial("0ms", &["errors=100%@0s+1s"]);
        assert_eq!(all.begin(Class::Audit, ms(3)).fate, Fate::Answer, "the books are not touched");
        assert_eq!(all.begin(Class::Write, ms(3)).fate, Fate::Fail);
    }

    #[test]
    fn without_a_window_the_first_statement_starts_the_clock() {
        let mut dial = dial("1ms", &["stall=10ms@5ms"]);
        assert_eq!(dial.stalled_until(ms(105)), None);
        assert_eq!(dial.begin(Class::Lookup, ms(100)).due, ms(101));
        assert_eq!(dial.stalled_until(ms(105)), Some(ms(115)));
        assert_eq!(dial.begin(Class::Lookup, ms(104)).due, ms(115));
    }
}
