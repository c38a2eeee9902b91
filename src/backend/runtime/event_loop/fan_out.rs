//! Fan-out on an event loop: tasks.

use std::sync::Arc;

use crate::backend::remote::{ClientError, WorkQueue};

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
