//! Many things to wait for at once, for one request: as many hands as there are connections, each taking the next thing.
//!
//! A hand waits, it does not compute: CPU work has helpers of its own in `cpu/`.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Things that hands take one after the other.
#[derive(Debug)]
pub(crate) struct Pile<W> {
    pub(crate) work: W,
    next: AtomicU32,
    count: u32,
}

impl<W> Pile<W> {
    pub(crate) fn of(count: u32, work: W) -> Self {
        Self { work, next: AtomicU32::new(0), count }
    }

    /// The next thing, if there is one.
    pub(crate) fn take(&self) -> Option<u32> {
        // Hands are few, so the number cannot run over.
        let next = self.next.fetch_add(1, Relaxed);
        (next < self.count).then_some(next)
    }

    /// One has failed: nobody need go on.
    pub(crate) fn leave(&self) {
        self.next.store(self.count, Relaxed);
    }
}
