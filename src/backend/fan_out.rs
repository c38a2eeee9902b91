//! The queue of a fan-out: one request waits for many things at once, with as many workers as there are connections.
//!
//! A worker waits and does not compute: CPU work has its own helpers.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Numbered pieces of work, which workers take in order.
#[derive(Debug)]
pub(crate) struct WorkQueue<W> {
    pub(crate) work: W,
    next: AtomicU32,
    count: u32,
}

impl<W> WorkQueue<W> {
    pub(crate) fn of(count: u32, work: W) -> Self {
        Self { work, next: AtomicU32::new(0), count }
    }

    pub(crate) fn take(&self) -> Option<u32> {
        // Workers are few, so the number cannot overflow.
        let next = self.next.fetch_add(1, Relaxed);
        (next < self.count).then_some(next)
    }

    /// Nothing more is taken, since one piece has failed.
    pub(crate) fn abandon(&self) {
        self.next.store(self.count, Relaxed);
    }
}
