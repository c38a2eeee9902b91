//! The state itself. Its locks come from the module above, so that a model checker can put its own in their place.
//!
//! A critical section here is a few table operations and never waits for anything but another such section, so a plain
//! mutex serves an event loop as well as threads. Rows that are pure functions of their id are not stored: only what a
//! trial changes is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, PoisonError};

use super::sync::{AtomicU64, Mutex, MutexGuard, OnceLock};
use crate::backend::hash::{BuildMix, shard};
use crate::backend::services::payment::PaymentRows;
use crate::domain::dataset::{BUSINESSES, Dataset, POPULATION, User};
use crate::domain::loyalty::Distribution;
use crate::domain::payment::{Payment, fee_minor};

/// Tables are split into so many, each with its own lock. Two payments meet in one by chance about once in 64.
const SHARDS: usize = 64;
/// Accounts whose points are allocated together: 32 KiB.
const BLOCK: usize = 4_096;
/// Members that one word of a record's bitmap stands for. Work is divided at its multiples.
pub(crate) const WORD: u32 = u64::BITS;

type KeyedTable<K, V> = [Mutex<HashMap<K, V, BuildMix>>; SHARDS];

/// Balances, captured payments, points and distributions.
#[derive(Debug)]
pub(crate) struct Memory {
    /// By idempotency key. A key's shard is locked before the payer's, never the other way round.
    payments: KeyedTable<Box<str>, Captured>,
    /// What each user has paid since the start, in minor units.
    spent: KeyedTable<u32, u64>,
    /// By merchant id.
    takings: Box<[Takings]>,
    distributions: KeyedTable<u64, Arc<Record>>,
    /// By account id, in blocks that exist once one of their accounts was credited.
    points: Box<[OnceLock<Box<[AtomicU64]>>]>,
    points_issued: AtomicU64,
    credits: AtomicU64,
    /// By event id.
    webhooks: KeyedTable<Box<str>, Box<str>>,
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
pub(crate) enum Capture {
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
pub(crate) struct Terms {
    pub(crate) business_id: u64,
    pub(crate) first_account: u64,
    pub(crate) accounts: u64,
    pub(crate) spend_minor: u64,
}

/// A distribution that was begun, with the members that have been credited.
#[derive(Debug)]
pub(crate) struct Record {
    terms: Terms,
    /// Bit `i % 64` of word `i / 64` is set when the member `i` is credited.
    claimed: Box<[AtomicU64]>,
    credited: AtomicU64,
    points: AtomicU64,
}

/// Everything that moved, for the conservation audit. Each figure is counted apart from the ones it must agree with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) money_in_minor: u64,
    pub(crate) money_out_minor: u64,
    pub(crate) fees_minor: u64,
    pub(crate) points_issued: u64,
    pub(crate) points_held: u64,
    pub(crate) payments: u64,
    pub(crate) distributions: u64,
    pub(crate) credits: u64,
    pub(crate) webhooks: u64,
}

impl Memory {
    /// A store in which nothing has happened yet. It takes next to no memory.
    pub(crate) fn new() -> Self {
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
    pub(crate) fn capture(&self, key: &str, payment: &Payment, rows: PaymentRows) -> Capture {
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
    pub(crate) fn begin(&self, id: u64, terms: Terms) -> Option<Arc<Record>> {
        let mut distributions = lock(&self.distributions[shard(&id, SHARDS)]);
        let record = match distributions.entry(id) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => Arc::clone(entry.insert(Arc::new(Record::new(terms)))),
        };
        (record.terms == terms).then_some(record)
    }

    /// Credits the members `range` of a distribution, each once in its life, and gives the points of all of them.
    ///
    /// Several threads may work on one record, on the same members too. `range` begins at a multiple of [`WORD`]. Never
    /// inlined, so that all models run the same machine code.
    #[inline(never)]
    pub(crate) fn credit(
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

    pub(crate) fn points(&self, account: u32) -> u64 {
        let (block, offset) = (account as usize / BLOCK, account as usize % BLOCK);
        self.points[block].get().map_or(0, |points| points[offset].load(Relaxed))
    }

    fn held(&self, account: u32) -> &AtomicU64 {
        let (block, offset) = (account as usize / BLOCK, account as usize % BLOCK);
        let new_block = || (0..BLOCK).map(|_| AtomicU64::new(0)).collect();
        &self.points[block].get_or_init(new_block)[offset]
    }

    /// Keeps an event once; false when it had come before.
    pub(crate) fn receive(&self, event_id: &str, body: &str) -> bool {
        let mut webhooks = lock(&self.webhooks[shard(event_id, SHARDS)]);
        let fresh = !webhooks.contains_key(event_id);
        if fresh {
            webhooks.insert(event_id.into(), body.into());
        }
        fresh
    }

    /// Adds up what moved. It is exact when nothing moves meanwhile.
    pub(crate) fn audit(&self) -> Audit {
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
    pub(crate) fn new(terms: Terms) -> Self {
        let words = terms.accounts.div_ceil(u64::from(WORD));
        Self {
            terms,
            claimed: (0..words).map(|_| AtomicU64::new(0)).collect(),
            credited: AtomicU64::new(0),
            points: AtomicU64::new(0),
        }
    }

    /// The points of the whole distribution, once every member has been credited.
    pub(crate) fn finished(&self) -> Option<u64> {
        (self.credited.load(Acquire) == self.terms.accounts).then(|| self.points.load(Relaxed))
    }

    /// Takes the `len` members from `first` on, and gives the bits of those that were free.
    pub(crate) fn claim(&self, first: u32, len: u32) -> u64 {
        let wanted = u64::MAX >> (WORD - len);
        wanted & !self.claimed[(first / WORD) as usize].fetch_or(wanted, Relaxed)
    }
}

fn table<K, V>() -> KeyedTable<K, V> {
    std::array::from_fn(|_| Mutex::default())
}

/// No section panics half-way through a change, so what a poisoned lock guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
