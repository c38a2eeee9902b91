//! The store `memory`: what the services remember, shared by all models and belonging to neither colour.
//!
//! A critical section here is a few table operations and never waits for anything but another such section, so a plain
//! mutex serves an event loop as well as threads. Rows that are pure functions of their id are not stored: only what a
//! trial changes is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::hash::{BuildMix, shard};
use super::payment::Rows;
use crate::domain::dataset::{BUSINESSES, Dataset, POPULATION, User};
use crate::domain::loyalty::Distribution;
use crate::domain::payment::{Payment, fee_minor};

/// Tables are split into so many, each with its own lock. Two payments meet in one by chance about once in 64.
const SHARDS: usize = 64;
/// Accounts whose points are allocated together: 32 KiB.
const BLOCK: usize = 4_096;
/// Members that one word of a record's bitmap stands for. Work is divided at its multiples.
pub(super) const WORD: u32 = u64::BITS;

type Table<K, V> = [Mutex<HashMap<K, V, BuildMix>>; SHARDS];

/// Balances, captured payments, points and distributions.
#[derive(Debug)]
pub(super) struct Memory {
    /// By idempotency key. A key's shard is locked before the payer's, never the other way round.
    payments: Table<Box<str>, Captured>,
    /// What each user has paid since the start, in minor units.
    spent: Table<u32, u64>,
    /// By merchant id.
    takings: Box<[Takings]>,
    distributions: Table<u64, Arc<Record>>,
    /// By account id, in blocks that exist once one of their accounts was credited.
    points: Box<[OnceLock<Box<[AtomicU64]>>]>,
    points_issued: AtomicU64,
    credits: AtomicU64,
    /// By event id.
    webhooks: Table<Box<str>, Box<str>>,
}

/// A payment that was captured, and what it cost the merchant.
#[derive(Clone, Copy, Debug)]
struct Captured {
    payment: Payment,
    fee_minor: u64,
}

/// What a merchant received and what it paid for that, in minor units.
#[derive(Debug, Default)]
struct Takings {
    received: AtomicU64,
    fees: AtomicU64,
}

/// What became of a payment that was to be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// It is done now, for this fee.
    Done(u64),
    /// It had been done before, for this fee.
    Replayed(u64),
    /// The key belongs to another payment.
    Conflict,
    /// The balance does not cover it.
    InsufficientFunds,
}

/// The fields of a distribution as they were sent: what a replay must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) business_id: u64,
    pub(super) first_account: u64,
    pub(super) accounts: u64,
    pub(super) spend_minor: u64,
}

/// A distribution that was begun, with the members that have been credited.
#[derive(Debug)]
pub(super) struct Record {
    terms: Terms,
    /// Bit `i % 64` of word `i / 64` is set by whoever credits the member `i`.
    claimed: Box<[AtomicU64]>,
    credited: AtomicU64,
    points: AtomicU64,
}

/// Everything that moved, for the conservation audit. Each figure is counted apart from the ones it must agree with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    pub(super) money_in_minor: u64,
    pub(super) money_out_minor: u64,
    pub(super) fees_minor: u64,
    pub(super) points_issued: u64,
    pub(super) points_held: u64,
    pub(super) payments: u64,
    pub(super) distributions: u64,
    pub(super) credits: u64,
    pub(super) webhooks: u64,
}

impl Memory {
    /// A store in which nothing has happened yet. It takes next to no memory.
    pub(super) fn new() -> Self {
        let blocks = (POPULATION as usize + 1).div_ceil(BLOCK);
        Self {
            payments: table(),
            spent: table(),
            takings: (0..=BUSINESSES).map(|_| Takings::default()).collect(),
            distributions: table(),
            points: (0..blocks).map(|_| OnceLock::new()).collect(),
            points_issued: AtomicU64::new(0),
            credits: AtomicU64::new(0),
            webhooks: table(),
        }
    }

    /// Moves the money of `payment` once, however often and from wherever `key` comes.
    ///
    /// The payer's and the merchant's rows are passed in, since the caller has looked them up to decide.
    pub(super) fn capture(&self, key: &str, payment: &Payment, rows: Rows) -> Capture {
        let mut payments = lock(&self.payments[shard(key, SHARDS)]);
        if let Some(earlier) = payments.get(key) {
            return match earlier.payment == *payment {
                true => Capture::Replayed(earlier.fee_minor),
                false => Capture::Conflict,
            };
        }
        if !self.debit(payment, rows.user) {
            return Capture::InsufficientFunds;
        }
        let fee_minor = fee_minor(payment.amount_minor, rows.merchant);
        payments.insert(key.into(), Captured { payment: *payment, fee_minor });
        let takings = &self.takings[payment.merchant_id as usize];
        takings.received.fetch_add(payment.amount_minor - fee_minor, Relaxed);
        takings.fees.fetch_add(fee_minor, Relaxed);
        Capture::Done(fee_minor)
    }

    /// Takes the amount from the payer, unless the balance does not cover it.
    fn debit(&self, payment: &Payment, user: User) -> bool {
        let mut spent = lock(&self.spent[shard(&payment.user_id, SHARDS)]);
        let spent = spent.entry(payment.user_id).or_default();
        let covered = *spent + payment.amount_minor <= user.opening_balance_minor;
        if covered {
            *spent += payment.amount_minor;
        }
        covered
    }

    /// The record of the distribution `id`, begun now if there is none; nothing when `id` has other terms.
    pub(super) fn begin(&self, id: u64, terms: Terms) -> Option<Arc<Record>> {
        let mut distributions = lock(&self.distributions[shard(&id, SHARDS)]);
        let record = match distributions.entry(id) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => Arc::clone(entry.insert(Arc::new(Record::new(terms)))),
        };
        (record.terms == terms).then_some(record)
    }

    /// Credits the members `range` of a distribution, each once in its life, and gives the points of all of them.
    ///
    /// Several threads may work on one record, on the same members too. `range` begins at a multiple of [`WORD`].
    pub(super) fn credit(
        &self,
        data: Dataset,
        distribution: &Distribution,
        record: &Record,
        range: Range<u32>,
    ) -> u64 {
        let (mut total, mut issued, mut credits) = (0, 0, 0);
        for first in range.clone().step_by(WORD as usize) {
            let len = (range.end - first).min(WORD);
            let fresh = record.claim(first, len);
            for bit in 0..len {
                let id = distribution.members.id(first + bit);
                let account = data.account(id).expect("members are accounts");
                let points = distribution.points(account);
                total += points;
                if fresh >> bit & 1 == 1 {
                    self.held(id).fetch_add(points, Relaxed);
                    issued += points;
                }
            }
            credits += u64::from(fresh.count_ones());
        }
        self.points_issued.fetch_add(issued, Relaxed);
        self.credits.fetch_add(credits, Relaxed);
        record.points.fetch_add(issued, Relaxed);
        // After the points, so that who sees the last member credited sees all points.
        record.credited.fetch_add(credits, Release);
        total
    }

    /// The points that `account` holds.
    pub(super) fn points(&self, account: u32) -> u64 {
        let (block, offset) = (account as usize / BLOCK, account as usize % BLOCK);
        self.points[block].get().map_or(0, |points| points[offset].load(Relaxed))
    }

    fn held(&self, account: u32) -> &AtomicU64 {
        let (block, offset) = (account as usize / BLOCK, account as usize % BLOCK);
        let new_block = || (0..BLOCK).map(|_| AtomicU64::new(0)).collect();
        &self.points[block].get_or_init(new_block)[offset]
    }

    /// Keeps an event once; false when it had come before.
    pub(super) fn receive(&self, event_id: &str, body: &str) -> bool {
        let mut webhooks = lock(&self.webhooks[shard(event_id, SHARDS)]);
        let fresh = !webhooks.contains_key(event_id);
        if fresh {
            webhooks.insert(event_id.into(), body.into());
        }
        fresh
    }

    /// Adds up what moved. It is exact when nothing moves meanwhile.
    pub(super) fn audit(&self) -> Audit {
        let sum = |of: fn(&Takings) -> &AtomicU64| -> u64 {
            self.takings.iter().map(|takings| of(takings).load(Relaxed)).sum()
        };
        let held = self.points.iter().filter_map(OnceLock::get).flatten();
        Audit {
            money_in_minor: self.spent.iter().map(|t| lock(t).values().sum::<u64>()).sum(),
            money_out_minor: sum(|takings| &takings.received),
            fees_minor: sum(|takings| &takings.fees),
            points_issued: self.points_issued.load(Relaxed),
            points_held: held.map(|points| points.load(Relaxed)).sum(),
            payments: self.payments.iter().map(|t| lock(t).len() as u64).sum(),
            distributions: self.distributions.iter().map(|t| lock(t).len() as u64).sum(),
            credits: self.credits.load(Relaxed),
            webhooks: self.webhooks.iter().map(|t| lock(t).len() as u64).sum(),
        }
    }
}

impl Record {
    fn new(terms: Terms) -> Self {
        let words = terms.accounts.div_ceil(u64::from(WORD));
        Self {
            terms,
            claimed: (0..words).map(|_| AtomicU64::new(0)).collect(),
            credited: AtomicU64::new(0),
            points: AtomicU64::new(0),
        }
    }

    /// The points of the whole distribution, once every member has been credited.
    pub(super) fn finished(&self) -> Option<u64> {
        (self.credited.load(Acquire) == self.terms.accounts).then(|| self.points.load(Relaxed))
    }

    /// Takes the `len` members from `first` on, and gives the bits of those that nobody had taken.
    fn claim(&self, first: u32, len: u32) -> u64 {
        let wanted = u64::MAX >> (WORD - len);
        wanted & !self.claimed[(first / WORD) as usize].fetch_or(wanted, Relaxed)
    }
}

fn table<K, V>() -> Table<K, V> {
    std::array::from_fn(|_| Mutex::default())
}

/// No section panics half-way through a change, so what a poisoned lock guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dataset::{Limits, Merchant};
    use std::sync::Barrier;

    /// Those of a payer with so much, and of a merchant that pays a hundredth.
    fn rows(opening_balance_minor: u64) -> Rows {
        Rows::new(
            User { blocked: false, opening_balance_minor },
            Merchant { closed: false, fee_bps: 100 },
            Limits { per_payment_minor: 0 },
        )
    }

    fn payment(user: u64, amount: u64) -> Payment {
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
