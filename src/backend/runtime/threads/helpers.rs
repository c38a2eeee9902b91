//! What helps a request on a thread: a fixed pool of threads that fan out, and CPU work in place or on one rayon pool.

use crate::backend::cpu::{CpuMode, Pieces};
use crate::backend::runtime::{ClientError, WorkQueue};
use crate::units::Nanos;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::{fmt, thread};

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

pub(crate) struct FanOutPool {
    size: usize,
    shared: Arc<Shared>,
}

impl FanOutPool {
    /// At most `size` workers, started when they are first needed.
    pub(crate) fn new(size: usize) -> Self {
        Self { size, shared: Arc::default() }
    }

    /// Does `work` on each of `count` things, and adds up what it gives.
    ///
    /// # Errors
    /// The error of one of them; the others may have been done.
    pub(crate) fn each<W>(&self, count: u32, work: W) -> Result<u64, ClientError>
    where
        W: Fn(u32) -> Result<u64, ClientError> + Send + Sync + 'static,
    {
        let queue = Arc::new(WorkQueue::of(count, work));
        let mut workers = Vec::new();
        for _ in 0..self.size.min(count as usize) {
            let queue = Arc::clone(&queue);
            workers.push(self.submit(move || drain(&queue)));
        }
        let mut total = 0;
        for worker in workers {
            total += worker.recv().expect("waiting does not panic")?;
        }
        Ok(total)
    }

    /// Differs: a task is started for its work; a thread is there already, or is started if there may be one more.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (done, result) = mpsc::sync_channel(1);
        // The caller may have given up.
        let job: Job = Box::new(move || drop(done.send(work())));
        let mut queue = self.shared.queue();
        queue.jobs.push_back(job);
        if queue.idle >= queue.jobs.len() || queue.threads >= self.size {
            drop(queue);
            self.shared.bell.notify_one();
        } else {
            queue.threads += 1;
            drop(queue);
            let shared = Arc::clone(&self.shared);
            let worker = thread::Builder::new().name("fan-out".into()).stack_size(STACK_BYTES);
            if worker.spawn(move || shared.work()).is_err() {
                self.do_without();
            }
        }
        result
    }

    /// Differs: there may be no other thread to be had. Then those that are there do it, or the caller itself.
    fn do_without(&self) {
        let mut queue = self.shared.queue();
        queue.threads -= 1;
        if queue.threads == 0 {
            let jobs = std::mem::take(&mut queue.jobs);
            drop(queue);
            jobs.into_iter().for_each(|job| job());
        }
    }
}

/// Takes work until there is none left.
fn drain<W>(queue: &WorkQueue<W>) -> Result<u64, ClientError>
where
    W: Fn(u32) -> Result<u64, ClientError>,
{
    let mut total = 0;
    while let Some(thing) = queue.take() {
        match (queue.work)(thing) {
            Ok(value) => total += value,
            Err(error) => {
                queue.abandon();
                return Err(error);
            }
        }
    }
    Ok(total)
}

/// Differs: a thread has a stack. A worker asks and waits, which takes a few kilobytes beside its read buffer.
const STACK_BYTES: usize = 64 * 1024;

/// Differs: what the runtime is for tasks.
type Job = Box<dyn FnOnce() + Send>;

/// Differs: see [`Job`].
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    bell: Condvar,
}

/// Differs: see [`Job`]. A request in hand has at most as many jobs as there are connections.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

/// Differs: see [`Job`].
impl Shared {
    /// Does one job after the other, for ever.
    fn work(&self) {
        let mut queue = self.queue();
        loop {
            match queue.jobs.pop_front() {
                Some(job) => {
                    drop(queue);
                    job();
                    queue = self.queue();
                }
                None => {
                    queue.idle += 1;
                    queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }

    /// Nothing panics while the queue is locked.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Differs: jobs cannot be shown.
impl fmt::Debug for FanOutPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FanOutPool({})", self.size)
    }
}
