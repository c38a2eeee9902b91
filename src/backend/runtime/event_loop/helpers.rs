//! What helps a request on an event loop: tasks that fan out, and CPU work in place, on blocking threads or as tasks
//! that yield.

use crate::backend::cpu::{CpuMode, Pieces};
use crate::backend::runtime::{ClientError, WorkQueue};
use crate::units::Nanos;
use std::ops::Range;
use std::sync::Arc;
use tokio::task;

#[derive(Debug)]
pub(crate) struct Helpers {
    mode: CpuMode,
    cores: usize,
    place: Place,
}

/// Differs: an event loop has to get the work off its one thread; workers that steal only have to let others in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The runtime's blocking threads, of which there are as many as cores.
    BlockingThreads,
    /// Tasks on the workers themselves.
    Tasks,
}

impl Helpers {
    /// Helpers that keep at most `cores` cores busy. They cost nothing until they are first needed.
    pub(crate) fn new(mode: CpuMode, cores: usize, place: Place) -> Self {
        Self { mode, cores, place }
    }

    /// Does work that cannot be divided.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        estimate: Nanos,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if !self.mode.offloads(estimate) {
            return work();
        }
        match self.place {
            Place::BlockingThreads => finish(task::spawn_blocking(work)).await,
            Place::Tasks => {
                task::yield_now().await;
                work()
            }
        }
    }

    /// Does work on `members` members in pieces that may run at once, and adds up what they give.
    pub(crate) async fn divided(
        &self,
        members: u32,
        work: impl Fn(Range<u32>) -> u64 + Send + Sync + 'static,
    ) -> u64 {
        let pieces = Pieces::of(members);
        if !self.mode.offloads(pieces.estimate()) {
            return work(0..members);
        }
        self.split(pieces, work).await
    }

    /// Differs: a task is cheap to start and expensive to interrupt, so each helper gets one run of pieces.
    async fn split(
        &self,
        pieces: Pieces,
        work: impl Fn(Range<u32>) -> u64 + Send + Sync + 'static,
    ) -> u64 {
        let work = Arc::new(work);
        let workers: Vec<_> = pieces
            .deal(self.cores)
            .map(|share| {
                let work = Arc::clone(&work);
                match self.place {
                    Place::BlockingThreads => task::spawn_blocking(move || {
                        share.map(|index| work(pieces.get(index))).sum()
                    }),
                    Place::Tasks => {
                        task::spawn(yielding(share, move |index| work(pieces.get(index))))
                    }
                }
            })
            .collect();
        let mut total = 0;
        for share in workers {
            total += finish(share).await;
        }
        total
    }
}

/// Differs: a task lets others in between its pieces, where a thread is interrupted.
async fn yielding(share: Range<u32>, work: impl Fn(u32) -> u64) -> u64 {
    let mut total: u64 = 0;
    for index in share {
        total += work(index);
        task::yield_now().await;
    }
    total
}

/// Differs: what a task gave is handed on by share, its panic too.
async fn finish<T>(helper: task::JoinHandle<T>) -> T {
    match helper.await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[derive(Debug)]
pub(crate) struct FanOutPool {
    size: usize,
}

impl FanOutPool {
    /// At most `size` workers, started when they are first needed.
    pub(crate) fn new(size: usize) -> Self {
        Self { size }
    }

    /// Does `work` on each of `count` things, and adds up what it gives.
    ///
    /// # Errors
    /// The error of one of them; the others may have been done.
    pub(crate) async fn each<F, W>(&self, count: u32, work: W) -> Result<u64, ClientError>
    where
        F: Future<Output = Result<u64, ClientError>> + Send,
        W: Fn(u32) -> F + Send + Sync + 'static,
    {
        let queue = Arc::new(WorkQueue::of(count, work));
        let mut workers = Vec::new();
        for _ in 0..self.size.min(count as usize) {
            let queue = Arc::clone(&queue);
            workers.push(tokio::spawn(async move { drain(&queue).await }));
        }
        let mut total = 0;
        for worker in workers {
            total += worker.await.expect("waiting does not panic")?;
        }
        Ok(total)
    }
}

/// Takes work until there is none left.
async fn drain<F, W>(queue: &WorkQueue<W>) -> Result<u64, ClientError>
where
    F: Future<Output = Result<u64, ClientError>>,
    W: Fn(u32) -> F,
{
    let mut total = 0;
    while let Some(thing) = queue.take() {
        match (queue.work)(thing).await {
            Ok(value) => total += value,
            Err(error) => {
                queue.abandon();
                return Err(error);
            }
        }
    }
    Ok(total)
}
