//! The memory store against a naive one: whatever is asked in whatever order, both say and hold the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::memory::{Capture, Memory, Terms, WORD};
use crate::backend::services::payment::PaymentRows;
use crate::domain::dataset::{ComplianceLimits, Dataset, Merchant, User};
use crate::domain::loyalty::Distribution;
use crate::domain::payment::{Payment, fee_minor};

const SEED: u64 = 42;
const MERCHANT: Merchant = Merchant { closed: false, fee_bps: 250 };
/// Little, so that payers run out.
const OPENING_MINOR: u64 = 3_000;

/// What may be asked. Few keys, users and ids, so that they meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Capture {
        key: u8,
        user: u8,
        amount: u64,
    },
    /// Some words of the members, as a helper that got so far; all of them, as a replay.
    Credit {
        id: u8,
        accounts: u32,
        from: u32,
        words: u32,
    },
    Webhook {
        id: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..8_u8, 1..4_u8, 1..1_500_u64).prop_map(|(key, user, amount)| Step::Capture {
            key,
            user,
            amount
        }),
        (0..4_u8, prop_oneof![Just(150_u32), Just(200)], 0..4_u32, 0..5_u32)
            .prop_map(|(id, accounts, from, words)| Step::Credit { id, accounts, from, words }),
        (0..5_u8).prop_map(|id| Step::Webhook { id }),
    ]
}

/// The same by lists and sums.
#[derive(Default)]
struct Naive {
    captured: BTreeMap<u8, (Payment, u64)>,
    begun: BTreeMap<u8, u32>,
    credited: BTreeSet<(u8, u32)>,
    points: BTreeMap<u32, u64>,
    webhooks: BTreeSet<u8>,
}

impl Naive {
    fn capture(&mut self, key: u8, payment: Payment) -> Capture {
        if let Some((earlier, fee)) = self.captured.get(&key) {
            return if *earlier == payment { Capture::Replayed(*fee) } else { Capture::Conflict };
        }
        let paid = self.captured.values().filter(|(other, _)| other.user_id == payment.user_id);
        let spent: u64 = paid.map(|(other, _)| other.amount_minor).sum();
        if spent + payment.amount_minor > OPENING_MINOR {
            return Capture::InsufficientFunds;
        }
        let fee = fee_minor(payment.amount_minor, MERCHANT);
        self.captured.insert(key, (payment, fee));
        Capture::Done(fee)
    }
}

fn distribution(id: u8, accounts: u32) -> Distribution {
    Distribution::new(Dataset::new(SEED), id.into(), 0, 1, accounts.into(), 12_345).unwrap()
}

fn terms(accounts: u32) -> Terms {
    Terms { business_id: 0, first_account: 1, accounts: accounts.into(), spend_minor: 12_345 }
}

/// Does a step in both, and compares what they say.
fn both(memory: &Memory, naive: &mut Naive, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Capture { key, user, amount } => {
            let payment = Payment::new(user.into(), 7, amount, "EUR").unwrap();
            let user = User { blocked: false, opening_balance_minor: OPENING_MINOR };
            let rows = PaymentRows::new(user, MERCHANT, ComplianceLimits { per_payment_minor: 0 });
            let said = memory.capture(&format!("k{key}"), &payment, rows);
            prop_assert_eq!(said, naive.capture(key, payment));
        }
        Step::Credit { id, accounts, from, words } => {
            let same = *naive.begun.entry(id).or_insert(accounts) == accounts;
            let record = memory.begin(id.into(), terms(accounts));
            prop_assert_eq!(record.is_some(), same, "an id belongs to one distribution");
            let Some(record) = record else { return Ok(()) };
            let whole = distribution(id, accounts);
            let range = (from * WORD).min(accounts)..((from + words) * WORD).min(accounts);
            let said = memory.credit(Dataset::new(SEED), &whole, &record, range.clone());
            let mut sum = 0;
            for member in range {
                let account = whole.members.id(member);
                let points = whole.points(Dataset::new(SEED).account(account).unwrap());
                sum += points;
                if naive.credited.insert((id, account)) {
                    *naive.points.entry(account).or_default() += points;
                }
            }
            prop_assert_eq!(said, sum, "the points of all of them, whoever credited them");
            let done = naive.credited.iter().filter(|(of, _)| *of == id).count() as u32 == accounts;
            prop_assert_eq!(record.finished().is_some(), done);
        }
        Step::Webhook { id } => {
            prop_assert_eq!(memory.receive(&format!("e{id}"), "body"), naive.webhooks.insert(id));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_says_and_holds_what_a_naive_store_does(steps in prop::collection::vec(step(), 0..60)) {
        let (memory, mut naive) = (Memory::new(), Naive::default());
        for step in steps {
            both(&memory, &mut naive, step)?;
        }
        let audit = memory.audit();
        let money: u64 = naive.captured.values().map(|(payment, _)| payment.amount_minor).sum();
        let fees: u64 = naive.captured.values().map(|(_, fee)| *fee).sum();
        prop_assert_eq!((audit.money_in_minor, audit.fees_minor), (money, fees));
        prop_assert_eq!(audit.money_in_minor, audit.money_out_minor + audit.fees_minor);
        let points: u64 = naive.points.values().sum();
        prop_assert_eq!((audit.points_issued, audit.points_held), (points, points));
        let counts = (audit.payments, audit.distributions, audit.credits, audit.webhooks);
        let naive_counts = (naive.captured.len(), naive.begun.len(), naive.credited.len(), naive.webhooks.len());
        prop_assert_eq!(
            counts,
            (naive_counts.0 as u64, naive_counts.1 as u64, naive_counts.2 as u64, naive_counts.3 as u64)
        );
        for (account, points) in naive.points {
            prop_assert_eq!(memory.points(account), points);
        }
    }
}
