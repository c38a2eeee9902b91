//! Reads a server's books when it is at rest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::outcome::Tally;
use crate::record::Audit;

/// How soon books that do not balance are read again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What `judged` says of the books. Requests that the load left unfinished may still be worked on, and books that are read
/// in the middle of one do not balance: then they are read again, for `within` at most or until `stop`.
pub(crate) fn at_rest(
    tally: &Tally,
    within: Duration,
    stop: &AtomicBool,
    mut judged: impl FnMut() -> Audit,
) -> Audit {
    let unknown = tally.payments_unknown + tally.distributions_unknown + tally.webhooks_unknown;
    let deadline = Instant::now() + within;
    loop {
        let audit = judged();
        let over = Instant::now() >= deadline || stop.load(Ordering::Relaxed);
        if audit.verdict != "unbalanced" || unknown == 0 || over {
            return audit;
        }
        thread::sleep(AGAIN_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_read_again_while_an_unfinished_request_may_be_worked_on() {
        let read = |unknown: u64, whole_after: u32, within: u64| {
            let tally = Tally { distributions_unknown: unknown, ..Tally::default() };
            let (mut times, within) = (0, Duration::from_millis(within));
            let audit = at_rest(&tally, within, &AtomicBool::new(false), || {
                times += 1;
                let verdict = if times > whole_after { "balanced" } else { "unbalanced" };
                Audit { verdict: verdict.into(), reasons: Vec::new() }
            });
            (audit.verdict, times)
        };
        assert_eq!(read(1, 2, 60_000), ("balanced".into(), 3));
        assert_eq!(read(0, 2, 60_000), ("unbalanced".into(), 1), "everything was answered");
        assert_eq!(read(1, u32::MAX, 60).0, "unbalanced", "it never balances");
    }
}
