//! Progress of a running trial. Reading it costs the senders one cache miss.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one sending thread, alone on its cache lines: only that thread writes them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
}

/// Counts of all threads, warm-up included.
#[derive(Debug)]
pub struct Live(Box<[Counts]>);

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub answered: u64,
    /// Everything else that has come to an end.
    pub failed: u64,
}

impl Counts {
    pub(crate) fn answer(&self) {
        add_one(&self.answered);
    }

    pub(crate) fn failure(&self) {
        add_one(&self.failed);
    }
}

/// With one writer a load and a store are an addition, without the cost of a locked one.
fn add_one(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Live {
    /// Nothing yet, of so many sending threads.
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Counts::default()).collect())
    }

    /// All of them now.
    pub fn seen(&self) -> Seen {
        let sum = |count: fn(&Counts) -> &AtomicU64| {
            self.0.iter().map(|counts| count(counts).load(Ordering::Relaxed)).sum()
        };
        Seen { answered: sum(|counts| &counts.answered), failed: sum(|counts| &counts.failed) }
    }

    pub(crate) fn of(&self, thread: usize) -> &Counts {
        &self.0[thread]
    }
}
