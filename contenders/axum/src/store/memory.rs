//! What a trial changes, in memory. The rows are computed when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use dashmap::{DashMap, Entry};

use super::{Applied, Audit, Outcome};
use crate::rules::dataset::{Account, BUSINESSES, Dataset, Limits, Merchant, User};
use crate::rules::loyalty::{Distribution, Terms};
use crate::rules::payment::Payment;

pub struct Memory {
    data: Dataset,
    /// Each payment with its fee, by key.
    payments: DashMap<String, (Payment, i64)>,
    /// What each user has paid.
    spent: DashMap<u32, i64>,
    /// What each merchant received and what it paid for that, by id.
    takings: Vec<(AtomicI64, AtomicI64)>,
    /// What each account holds.
    points: DashMap<u32, i64>,
    points_issued: AtomicI64,
    credits: AtomicI64,
    distributions: DashMap<u64, Arc<Begun>>,
    webhooks: DashMap<String, String>,
}

struct Begun {
    terms: Terms,
    /// Bit i % 64 of word i / 64 is set by whoever credits the member i.
    credited: Vec<AtomicU64>,
}

impl Memory {
    pub fn new(data: Dataset) -> Self {
        Self {
            data,
            payments: DashMap::new(),
            spent: DashMap::new(),
            takings: (0..=BUSINESSES).map(|_| Default::default()).collect(),
            points: DashMap::new(),
            points_issued: AtomicI64::new(0),
            credits: AtomicI64::new(0),
            distributions: DashMap::new(),
            webhooks: DashMap::new(),
        }
    }

    pub fn user(&self, id: u32) -> Option<User> {
        self.data.user(id)
    }

    pub fn limits(&self, user_id: u32) -> Option<Limits> {
        self.data.limits(user_id)
    }

    pub fn merchant(&self, id: u32) -> Option<Merchant> {
        self.data.merchant(id)
    }

    pub fn account(&self, id: u32) -> Option<(Account, i64)> {
        Some((self.data.account(id)?, self.points.get(&id).map_or(0, |points| *points)))
    }

    /// The key stays locked throughout, so that rivals for it see the outcome.
    pub fn capture(&self, payment: Payment, user: User, fee_minor: i64) -> Outcome {
        let vacant = match self.payments.entry(payment.key.clone()) {
            Entry::Occupied(earlier) => {
                let (earlier, fee) = earlier.get();
                return if *earlier == payment { Outcome::Replayed(*fee) } else { Outcome::Conflict };
            }
            Entry::Vacant(vacant) => vacant,
        };
        let amount = payment.amount_minor;
        {
            let mut spent = self.spent.entry(payment.user_id).or_default();
            if *spent + amount > user.opening_balance_minor {
                return Outcome::InsufficientFunds;
            }
            *spent += amount;
        }
        let (received, fees) = &self.takings[payment.merchant_id as usize];
        received.fetch_add(amount - fee_minor, Relaxed);
        fees.fetch_add(fee_minor, Relaxed);
        vacant.insert((payment, fee_minor));
        Outcome::Captured(fee_minor)
    }

    pub fn begin(&self, distribution: &Distribution) -> bool {
        let begun = self.distributions.entry(distribution.terms.id).or_insert_with(|| {
            let words = distribution.members.count().div_ceil(64);
            let credited = (0..words).map(|_| AtomicU64::new(0)).collect();
            Arc::new(Begun { terms: distribution.terms, credited })
        });
        begun.terms == distribution.terms
    }

    pub fn credit(&self, distribution: &Distribution, account: u32, points: i64) {
        let begun = self.distributions.get(&distribution.terms.id).map(|begun| Arc::clone(&begun));
        let begun = begun.expect("a distribution is begun before it credits");
        let index = distribution.members.index(account);
        let bit = 1 << (index % 64);
        if begun.credited[index as usize / 64].fetch_or(bit, Relaxed) & bit == 0 {
            *self.points.entry(account).or_default() += points;
            self.points_issued.fetch_add(points, Relaxed);
            self.credits.fetch_add(1, Relaxed);
        }
    }

    pub fn receive(&self, event_id: String, body: String) -> bool {
        match self.webhooks.entry(event_id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(body);
                true
            }
        }
    }

    pub fn audit(&self) -> Audit {
        Audit {
            money_in_minor: self.spent.iter().map(|one| *one).sum(),
            money_out_minor: self.takings.iter().map(|(received, _)| received.load(Relaxed)).sum(),
            fees_minor: self.takings.iter().map(|(_, fees)| fees.load(Relaxed)).sum(),
            points_issued: self.points_issued.load(Relaxed),
            points_held: self.points.iter().map(|one| *one).sum(),
            applied: Applied {
                payments: self.payments.len() as i64,
                distributions: self.distributions.len() as i64,
                credits: self.credits.load(Relaxed),
                webhooks: self.webhooks.len() as i64,
            },
        }
    }
}
