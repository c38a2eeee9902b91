//! Hands of an event loop: tasks.

use std::sync::Arc;

use crate::backend::fan_out::Pile;
use crate::backend::remote::Trouble;

/// As many as may wait at once.
#[derive(Debug)]
pub(crate) struct Hands {
    size: usize,
}

impl Hands {
    /// At most `size` at once. They cost nothing until they are first needed.
    pub(crate) fn new(size: usize) -> Self {
        Self { size }
    }

    /// Does `work` on each of `count` things, and adds up what it gives.
    ///
    /// # Errors
    /// The trouble of one of them; the others may have been done.
    pub(crate) async fn each<F, W>(&self, count: u32, work: W) -> Result<u64, Trouble>
    where
        F: Future<Output = Result<u64, Trouble>> + Send,
        W: Fn(u32) -> F + Send + Sync + 'static,
    {
        let pile = Arc::new(Pile::of(count, work));
        let mut hands = Vec::new();
        for _ in 0..self.size.min(count as usize) {
            let pile = Arc::clone(&pile);
            hands.push(tokio::spawn(async move { through(&pile).await }));
        }
        let mut total = 0;
        for hand in hands {
            total += hand.await.expect("waiting does not panic")?;
        }
        Ok(total)
    }
}

/// What one hand does.
async fn through<F, W>(pile: &Pile<W>) -> Result<u64, Trouble>
where
    F: Future<Output = Result<u64, Trouble>>,
    W: Fn(u32) -> F,
{
    let mut total = 0;
    while let Some(thing) = pile.take() {
        match (pile.work)(thing).await {
            Ok(value) => total += value,
            Err(trouble) => {
                pile.leave();
                return Err(trouble);
            }
        }
    }
    Ok(total)
}
