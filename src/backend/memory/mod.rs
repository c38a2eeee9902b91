//! The store `memory`: the services' state, shared by all models.

#[cfg(test)]
mod interleavings;
mod store;

pub(crate) use store::{Audit, Capture, Memory, Record, Terms, WORD};

/// The locks of a server that runs.
mod sync {
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::services::payment::PaymentRows;
    use crate::domain::dataset::{ComplianceLimits, Dataset, Merchant, User};
    use crate::domain::loyalty::Distribution;
    use crate::domain::payment::Payment;
    use std::sync::Barrier;
    use std::sync::atomic::Ordering::Relaxed;

    /// Those of a payer with so much, and of a merchant that pays a hundredth.
    pub(crate) fn rows(opening_balance_minor: u64) -> PaymentRows {
        PaymentRows::new(
            User { blocked: false, opening_balance_minor },
            Merchant { closed: false, fee_bps: 100 },
            ComplianceLimits { per_payment_minor: 0 },
        )
    }

    pub(crate) fn payment(user: u64, amount: u64) -> Payment {
        Payment::new(user, 7, amount, "EUR").unwrap()
    }

    fn terms(accounts: u64) -> Terms {
        Terms { business_id: 0, first_account: 1, accounts, spend_minor: 10_000 }
    }

    fn distribution(accounts: u64) -> Distribution {
        Distribution::new(Dataset::new(42), 1, 0, 1, accounts, 10_000).unwrap()
    }

    /// Runs `work` on eight threads that start together.
    fn hammer<T: Send>(work: impl Fn(u32) -> T + Sync) -> Vec<T> {
        let start = Barrier::new(8);
        // The tests are the one place outside `threads.rs` that starts threads: they are what is tested against.
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|index| {
                    let (start, work) = (&start, &work);
                    scope.spawn(move || {
                        start.wait();
                        work(index)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn a_key_is_captured_once_and_belongs_to_one_payment() {
        let memory = Memory::new();
        let (payer, first) = (rows(1_000), payment(3, 400));
        assert_eq!(memory.capture("k", &first, payer), Capture::Done(4));
        assert_eq!(memory.capture("k", &first, payer), Capture::Replayed(4));
        assert_eq!(memory.capture("k", &payment(3, 401), payer), Capture::Conflict);
        assert_eq!(memory.capture("k", &payment(4, 400), payer), Capture::Conflict);
        let audit = memory.audit();
        assert_eq!((audit.money_in_minor, audit.money_out_minor, audit.fees_minor), (400, 396, 4));
        assert_eq!(audit.payments, 1);
    }

    #[test]
    fn what_is_not_covered_is_not_remembered() {
        let memory = Memory::new();
        let poor = rows(500);
        let capture = |key, amount| memory.capture(key, &payment(3, amount), poor);
        assert_eq!(capture("a", 501), Capture::InsufficientFunds);
        assert_eq!(memory.audit(), Audit::default());
        assert_eq!(
            capture("a", 500),
            Capture::Done(5),
            "the key is still free, and the last is enough"
        );
        assert_eq!(capture("b", 1), Capture::InsufficientFunds);
    }

    #[test]
    fn the_same_keys_from_many_threads_move_money_once() {
        let memory = Memory::new();
        let done = hammer(|thread| {
            let mut done = 0;
            for i in 0..2_000_u64 {
                // Every thread goes through the same keys, each from another one on; few users, so that they collide.
                let key = (i + u64::from(thread) * 250) % 2_000;
                let payment = payment(1 + key % 5, 1 + key);
                let capture = memory.capture(&format!("k{key}"), &payment, rows(9_000_000));
                done += u32::from(matches!(capture, Capture::Done(_)));
            }
            done
        });
        assert_eq!(done.iter().sum::<u32>(), 2_000, "each key once");
        let audit = memory.audit();
        assert_eq!(audit.money_in_minor, (1..=2_000).sum::<u64>());
        assert_eq!(audit.money_in_minor, audit.money_out_minor + audit.fees_minor);
        assert_eq!(audit.payments, 2_000);
    }

    #[test]
    fn a_balance_is_never_overdrawn_by_many_threads() {
        let memory = Memory::new();
        let done = hammer(|thread| {
            (0..500)
                .filter(|i| {
                    let key = format!("{thread}-{i}");
                    memory.capture(&key, &payment(3, 10), rows(12_345)) == Capture::Done(1)
                })
                .count()
        });
        assert_eq!(done.iter().sum::<usize>(), 1_234);
        assert_eq!(memory.audit().money_in_minor, 12_340);
    }

    #[test]
    fn a_distribution_left_half_way_is_finished_by_its_replay() {
        let (memory, data) = (Memory::new(), Dataset::new(42));
        let whole = distribution(1_000);
        let record = memory.begin(1, terms(1_000)).unwrap();
        let part = memory.credit(data, &whole, &record, 128..300);
        assert_eq!((memory.audit().points_held, memory.audit().credits), (part, 172));
        assert_eq!(record.finished(), None);
        let replay = memory.begin(1, terms(1_000)).unwrap();
        let all = memory.credit(data, &whole, &replay, 0..1_000);
        let expected: u64 = (1..=1_000).map(|id| whole.points(data.account(id).unwrap())).sum();
        assert_eq!((all, replay.finished()), (expected, Some(expected)));
        assert_eq!(memory.credit(data, &whole, &replay, 0..1_000), expected, "once more");
        let audit = memory.audit();
        assert_eq!((audit.points_held, audit.points_issued), (expected, expected));
        assert_eq!((audit.credits, audit.distributions), (1_000, 1));
        assert_eq!(memory.points(1_000), whole.points(data.account(1_000).unwrap()));
        assert_eq!(memory.points(1_001), 0);
    }

    #[test]
    fn an_id_with_other_terms_is_refused() {
        let memory = Memory::new();
        assert!(memory.begin(1, terms(5)).is_some());
        assert!(memory.begin(1, terms(6)).is_none());
        assert!(memory.begin(1, Terms { first_account: 2, ..terms(5) }).is_none());
        assert!(memory.begin(2, terms(6)).is_some());
    }

    #[test]
    fn a_member_is_claimed_by_one_of_those_who_meet() {
        const ROUNDS: usize = 20_000;
        let record = Record::new(terms(64 * ROUNDS as u64));
        let arrived = std::sync::atomic::AtomicUsize::new(0);
        let claimed = hammer(|thread| {
            let mut claimed = 0;
            for round in 0..ROUNDS {
                // Two threads start each round in the same instant; the others would only be in their way.
                if thread < 2 {
                    arrived.fetch_add(1, Relaxed);
                    while arrived.load(Relaxed) < 2 * (round + 1) {
                        std::thread::yield_now();
                    }
                    claimed += record.claim(WORD * round as u32, WORD).count_ones();
                }
            }
            claimed
        });
        assert_eq!(claimed.iter().sum::<u32>(), WORD * ROUNDS as u32);
    }

    #[test]
    fn every_thread_is_told_the_points_of_all_members() {
        let (memory, data) = (Memory::new(), Dataset::new(42));
        let whole = distribution(10_000);
        let totals = hammer(|_| {
            let record = memory.begin(1, terms(10_000)).unwrap();
            let piece = |first: u32| first..(first + 640).min(10_000);
            let first = (0..10_000).step_by(640);
            first.map(|first| memory.credit(data, &whole, &record, piece(first))).sum::<u64>()
        });
        let audit = memory.audit();
        assert!(totals.iter().all(|total| *total == audit.points_held), "{totals:?}");
        assert_eq!((audit.points_issued, audit.credits), (audit.points_held, 10_000));
    }
}
