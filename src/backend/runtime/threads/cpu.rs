//! CPU work beside threads: in place, or on one rayon pool that all of them share.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::backend::cpu::{CpuMode, Pieces};
use crate::units::Nanos;

#[derive(Debug)]
pub(crate) struct Helpers {
    mode: CpuMode,
    cores: usize,
    pool: OnceLock<ThreadPool>,
}

impl Helpers {
    /// Helpers that keep at most `cores` cores busy. They cost nothing until they are first needed.
    pub(crate) fn new(mode: CpuMode, cores: usize) -> Self {
        Self { mode, cores, pool: OnceLock::new() }
    }

    /// Does work that cannot be divided.
    pub(crate) fn whole<T: Send + 'static>(
        &self,
        estimate: Nanos,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if !self.mode.offloads(estimate) {
            return work();
        }
        self.pool().install(work)
    }

    /// Does work on `members` members in pieces that may run at once, and adds up what they give.
    pub(crate) fn divided(
        &self,
        members: u32,
        work: impl Fn(Range<u32>) -> u64 + Send + Sync + 'static,
    ) -> u64 {
        let pieces = Pieces::of(members);
        if !self.mode.offloads(pieces.estimate()) {
            return work(0..members);
        }
        self.split(pieces, work)
    }

    /// Differs: rayon splits the pieces among its threads as they fall idle, and the caller sleeps until the last is done.
    fn split(
        &self,
        pieces: Pieces,
        work: impl Fn(Range<u32>) -> u64 + Send + Sync + 'static,
    ) -> u64 {
        self.pool().install(|| {
            (0..pieces.count()).into_par_iter().map(|index| work(pieces.get(index))).sum()
        })
    }

    /// Differs: the pitfall `blocking-on-rayon`. The whole request runs, and waits, on a thread that is there to compute.
    pub(crate) fn block<T: Send>(&self, request: impl FnOnce() -> T + Send) -> T {
        self.pool().install(request)
    }

    /// Differs: a thread has no runtime to ask, so the pool is started by the first who needs it.
    fn pool(&self) -> &ThreadPool {
        self.pool.get_or_init(|| {
            ThreadPoolBuilder::new()
                .num_threads(self.cores)
                .thread_name(|index| format!("cpu-{index}"))
                .build()
                .expect("a machine that serves can start a thread for each of its cores")
        })
    }
}
