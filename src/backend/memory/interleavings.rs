//! The store's own code under a model checker: what happens once happens once, in whatever order its threads take turns.
//!
//! The file of the store is compiled a second time here, over locks and counters that hand the turn on. loom tries every
//! order of two or three threads in which a turn is taken away from one at most so many times, and with each every
//! write that a read may see on a machine that is weakly ordered. A section that waits for itself is a deadlock, and found.

#[path = "store.rs"]
#[allow(
    clippy::duplicate_mod,
    dead_code,
    reason = "the same file over other locks; a checked model needs less of it than a server"
)]
mod store;

/// The locks of a checked model.
mod sync {
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    use std::sync::atomic::Ordering::{Acquire, Release};

    /// What std's is to a reader of another thread: who sees the value sees what was written into it.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        filled: loom::sync::atomic::AtomicBool,
        turn: Mutex<()>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            let (filled, turn) = (loom::sync::atomic::AtomicBool::new(false), Mutex::new(()));
            Self { value: std::sync::OnceLock::new(), filled, turn }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.filled.load(Acquire).then(|| self.value.get()).flatten()
        }

        pub(crate) fn get_or_init(&self, new: impl FnOnce() -> T) -> &T {
            if let Some(value) = self.get() {
                return value;
            }
            let _turn = self.turn.lock().expect("nobody panics meanwhile");
            let value = self.value.get_or_init(new);
            self.filled.store(true, Release);
            value
        }
    }
}

use std::ops::Range;
use std::sync::Arc;

use loom::thread::{Builder, JoinHandle, spawn};
use store::{Capture, Memory, Terms, WORD};

use super::tests::{payment, rows};
use crate::domain::dataset::Dataset;
use crate::domain::loyalty::Distribution;

/// How often a turn is taken from a thread that could have gone on: mistakes of locking need one or two.
const PREEMPTIONS_MAX: usize = 3;
/// Steps of one order: an audit reads some thousands of counters.
const STEPS_MAX: usize = 100_000;
/// An empty store is put together on the stack of the thread that makes it.
const STACK_WORDS: usize = 1 << 17;

/// Runs a model in every order.
fn check(model: impl Fn() + Copy + Send + Sync + 'static) {
    let mut orders = loom::model::Builder::new();
    orders.preemption_bound = Some(PREEMPTIONS_MAX);
    orders.max_branches = STEPS_MAX;
    orders.check(move || {
        let thread = Builder::new().stack_size(STACK_WORDS).spawn(model);
        thread.expect("it starts").join().expect("it does not panic");
    });
}

fn terms(accounts: u32) -> Terms {
    Terms { business_id: 0, first_account: 1, accounts: accounts.into(), spend_minor: 10_000 }
}

/// Threads that each ask the one store for something of their own, and what they were told.
fn at_once<T: 'static, const N: usize>(
    memory: &Arc<Memory>,
    asked: [fn(&Memory) -> T; N],
) -> [T; N] {
    let threads: [JoinHandle<T>; N] = asked.map(|ask| {
        let memory = Arc::clone(memory);
        spawn(move || ask(&memory))
    });
    threads.map(|thread| thread.join().expect("it does not panic"))
}

/// The money that moved, once it is certain that none was made or lost.
fn moved(memory: &Memory) -> (u64, u64) {
    let audit = memory.audit();
    assert_eq!(audit.money_in_minor, audit.money_out_minor + audit.fees_minor);
    (audit.money_in_minor, audit.payments)
}

#[test]
fn a_key_is_captured_once_and_the_others_are_replays() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let ask = |memory: &Memory| memory.capture("key", &payment(3, 400), rows(1_000));
        let mut captures = at_once(&memory, [ask; 3]);
        captures.sort_by_key(|capture| *capture != Capture::Done(4));
        assert_eq!(captures, [Capture::Done(4), Capture::Replayed(4), Capture::Replayed(4)]);
        assert_eq!(moved(&memory), (400, 1));
    });
}

#[test]
fn a_balance_is_not_overdrawn_under_several_keys() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let captures = at_once(
            &memory,
            [
                |memory| memory.capture("a", &payment(3, 400), rows(1_000)),
                |memory| memory.capture("b", &payment(3, 400), rows(1_000)),
                |memory| memory.capture("c", &payment(3, 400), rows(1_000)),
            ],
        );
        let captured = captures.iter().filter(|one| **one == Capture::Done(4)).count();
        assert_eq!(captured, 2, "{captures:?}");
        assert_eq!(moved(&memory), (800, 2));
    });
}

#[test]
fn payers_and_keys_that_cross_do_not_wait_for_each_other() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let [first, second] = at_once(
            &memory,
            [
                |memory| {
                    let a = memory.capture("a", &payment(3, 300), rows(1_000));
                    (a, memory.capture("b", &payment(4, 500), rows(1_000)))
                },
                |memory| {
                    let b = memory.capture("b", &payment(4, 500), rows(1_000));
                    (b, memory.capture("a", &payment(3, 301), rows(1_000)))
                },
            ],
        );
        let (a, b) = (first.0, second.1);
        assert!(
            matches!((a, b), (Capture::Done(3), Capture::Conflict))
                || matches!((a, b), (Capture::Conflict, Capture::Done(3))),
            "a key belongs to one payment: {a:?} {b:?}"
        );
        let mut same = [first.1, second.0];
        same.sort_by_key(|capture| *capture != Capture::Done(5));
        assert_eq!(same, [Capture::Done(5), Capture::Replayed(5)]);
        let all = if a == Capture::Done(3) { 800 } else { 801 };
        assert_eq!(moved(&memory), (all, 2));
    });
}

/// Credits members of a distribution, as a part of it or as a replay, and gives their points.
fn credit(memory: &Memory, id: u64, accounts: u32, members: Range<u32>) -> u64 {
    let data = Dataset::new(42);
    let whole = Distribution::new(data, id, 0, 1, accounts.into(), 10_000).expect("in the rules");
    let record = memory.begin(id, terms(accounts)).expect("the same terms");
    let points = memory.credit(data, &whole, &record, members);
    if let Some(all) = record.finished() {
        let sum = |id| whole.points(data.account(id).expect("it exists"));
        assert_eq!(all, (1..=accounts).map(sum).sum::<u64>(), "who sees the last sees all");
    }
    points
}

#[test]
fn a_member_is_credited_once_by_those_who_finish_one_distribution() {
    const ACCOUNTS: u32 = WORD + 2;
    check(|| {
        let memory = Arc::new(Memory::new());
        let begun = credit(&memory, 1, ACCOUNTS, 0..WORD);
        let [all, rest] = at_once(
            &memory,
            [
                |memory| credit(memory, 1, ACCOUNTS, 0..ACCOUNTS),
                |memory| credit(memory, 1, ACCOUNTS, WORD..ACCOUNTS),
            ],
        );
        assert_eq!(all, begun + rest);
        let audit = memory.audit();
        assert_eq!((audit.points_issued, audit.points_held), (all, all));
        assert_eq!((audit.credits, audit.distributions), (ACCOUNTS.into(), 1));
    });
}

#[test]
fn an_account_keeps_the_points_of_all_distributions_from_its_first_on() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let points = at_once(
            &memory,
            [|memory| credit(memory, 1, 1, 0..1), |memory| credit(memory, 2, 1, 0..1)],
        );
        assert_eq!(memory.points(1), points[0] + points[1]);
        let audit = memory.audit();
        assert_eq!((audit.points_held, audit.points_issued), (memory.points(1), memory.points(1)));
        assert_eq!((audit.credits, audit.distributions), (2, 2));
    });
}

#[test]
fn an_id_and_an_event_belong_to_who_comes_first() {
    check(|| {
        let memory = Arc::new(Memory::new());
        let fresh = at_once(
            &memory,
            [
                |memory| (memory.begin(1, terms(5)).is_some(), memory.receive("event", "x")),
                |memory| (memory.begin(1, terms(6)).is_some(), memory.receive("event", "y")),
            ],
        );
        assert!(fresh[0].0 ^ fresh[1].0, "one of two terms");
        assert!(fresh[0].1 ^ fresh[1].1, "one of two events");
        let audit = memory.audit();
        assert_eq!((audit.distributions, audit.webhooks), (1, 1));
    });
}
