//! What the functions of `contracts/schema.sql` do, in memory: each a single step that happens once for its key.
//!
//! It takes what PostgreSQL takes and no more thought than that: amounts may be negative, a merchant need not exist, and
//! a sum that leaves int8 is an error that changes nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::domain::dataset::{Dataset, POPULATION};

/// The tables of the schema, with the rows of the dataset behind them.
#[derive(Debug)]
pub(super) struct Ledger {
    data: Dataset,
    /// By user id; who has paid nothing is not in it.
    spent: HashMap<i32, i64>,
    payments: HashMap<Box<str>, (Payment, i64)>,
    distributions: HashMap<i64, Terms>,
    /// Points by distribution and account.
    credits: HashMap<(i64, i32), i64>,
    /// Points by account id. The system backs the pages that are written to.
    points: Box<[i64]>,
    webhooks: HashMap<Box<str>, Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) user_id: i32,
    pub(super) merchant_id: i32,
    pub(super) amount_minor: i64,
    pub(super) currency: Box<str>,
}

/// business_id, first_account, accounts, spend_minor.
pub(super) type Terms = [i64; 4];

/// A sum does not fit into int8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl Ledger {
    /// A ledger in which nothing has happened.
    pub(super) fn new(data: Dataset) -> Self {
        Self {
            data,
            spent: HashMap::new(),
            payments: HashMap::new(),
            distributions: HashMap::new(),
            credits: HashMap::new(),
            points: vec![0; POPULATION as usize + 1].into(),
            webhooks: HashMap::new(),
        }
    }

    /// Moves the money of a payment once for each key; gives the outcome and the fee of the first time.
    pub(super) fn capture(
        &mut self,
        key: Box<str>,
        payment: Payment,
        fee_minor: i64,
    ) -> Result<(&'static str, i64), OutOfRange> {
        let entry = match self.payments.entry(key) {
            Entry::Vacant(entry) => entry,
            Entry::Occupied(earlier) => {
                let (earlier, earlier_fee) = earlier.get();
                return Ok(match *earlier == payment {
                    true => ("replayed", *earlier_fee),
                    false => ("conflict", fee_minor),
                });
            }
        };
        let user = u32::try_from(payment.user_id).ok().and_then(|id| self.data.user(id));
        let Some(user) = user else {
            return Ok(("insufficient_funds", fee_minor));
        };
        let spent = self.spent.get(&payment.user_id).copied().unwrap_or(0);
        let spent = spent.checked_add(payment.amount_minor).ok_or(OutOfRange)?;
        if spent > user.opening_balance_minor as i64 {
            return Ok(("insufficient_funds", fee_minor));
        }
        self.spent.insert(payment.user_id, spent);
        entry.insert((payment, fee_minor));
        Ok(("captured", fee_minor))
    }

    /// Remembers a distribution's fields; false when its id came with others before.
    pub(super) fn begin(&mut self, id: i64, terms: Terms) -> bool {
        *self.distributions.entry(id).or_insert(terms) == terms
    }

    /// Credits an account once for each distribution; false when it had its points already.
    pub(super) fn credit(
        &mut self,
        distribution_id: i64,
        account_id: i32,
        points: i64,
    ) -> Result<bool, OutOfRange> {
        let Entry::Vacant(entry) = self.credits.entry((distribution_id, account_id)) else {
            return Ok(false);
        };
        // As in the schema, a credit may name an account that does not exist, which then holds nothing.
        if let Some(held) = account(account_id).map(|at| &mut self.points[at]) {
            *held = held.checked_add(points).ok_or(OutOfRange)?;
        }
        entry.insert(points);
        Ok(true)
    }

    /// Keeps an event once; false when it had come before.
    pub(super) fn receive(&mut self, event_id: Box<str>, body: Box<str>) -> bool {
        match self.webhooks.entry(event_id) {
            Entry::Vacant(entry) => {
                entry.insert(body);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub(super) fn points(&self, account_id: i32) -> i64 {
        account(account_id).map_or(0, |at| self.points[at])
    }

    /// The nine figures of the audit in the order of its columns. Each is summed over a table of its own.
    pub(super) fn audit(&self) -> Result<[i64; 9], OutOfRange> {
        let payments = || self.payments.values();
        Ok([
            sum(self.spent.values().copied())?,
            payments_out(payments())?,
            sum(payments().map(|(_, fee_minor)| *fee_minor))?,
            sum(self.credits.values().copied())?,
            sum(self.points.iter().copied())?,
            self.payments.len() as i64,
            self.distributions.len() as i64,
            self.credits.len() as i64,
            self.webhooks.len() as i64,
        ])
    }
}

/// The place of an account in the table, if it exists.
fn account(id: i32) -> Option<usize> {
    usize::try_from(id).ok().filter(|id| (1..=POPULATION as usize).contains(id))
}

fn sum(figures: impl Iterator<Item = i64>) -> Result<i64, OutOfRange> {
    i64::try_from(figures.map(i128::from).sum::<i128>()).map_err(|_| OutOfRange)
}

/// What merchants received after fees. Each difference must fit, as in PostgreSQL.
fn payments_out<'a>(payments: impl Iterator<Item = &'a (Payment, i64)>) -> Result<i64, OutOfRange> {
    let mut total = 0_i128;
    for (payment, fee_minor) in payments {
        total += i128::from(payment.amount_minor.checked_sub(*fee_minor).ok_or(OutOfRange)?);
    }
    i64::try_from(total).map_err(|_| OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payment(user_id: i32, amount_minor: i64) -> Payment {
        Payment { user_id, merchant_id: 7, amount_minor, currency: "EUR".into() }
    }

    #[test]
    fn a_key_goes_before_the_balance() {
        let mut ledger = Ledger::new(Dataset::new(42));
        let opening = Dataset::new(42).user(3).unwrap().opening_balance_minor as i64;
        let mut capture =
            |key: &str, amount, fee| ledger.capture(key.into(), payment(3, amount), fee);
        assert_eq!(capture("a", opening, 9), Ok(("captured", 9)));
        assert_eq!(
            capture("a", opening, 5),
            Ok(("replayed", 9)),
            "with nothing left on the account"
        );
        assert_eq!(capture("a", opening + 1, 5), Ok(("conflict", 5)));
        assert_eq!(capture("b", 1, 5), Ok(("insufficient_funds", 5)));
        assert_eq!(capture("b", -1, 5), Ok(("captured", 5)), "the key was still free");
        assert_eq!(capture("c", i64::MAX, 5), Err(OutOfRange));
        assert_eq!(ledger.capture("d".into(), payment(0, 1), 5), Ok(("insufficient_funds", 5)));
    }

    #[test]
    fn what_leaves_int8_changes_nothing() {
        let mut ledger = Ledger::new(Dataset::new(42));
        assert_eq!(ledger.credit(1, 5, i64::MAX), Ok(true));
        assert_eq!(ledger.credit(2, 5, 1), Err(OutOfRange));
        assert_eq!(
            ledger.credit(3, 0, 8),
            Ok(true),
            "an account that does not exist holds nothing"
        );
        assert_eq!(ledger.audit(), Err(OutOfRange));
        assert_eq!((ledger.points(5), ledger.points(0), ledger.credits.len()), (i64::MAX, 0, 2));
    }

    /// The same rules over plain lists, each figure found by walking them.
    #[derive(Default)]
    struct Naive {
        payments: Vec<(u8, Payment, i64)>,
        distributions: Vec<(i64, Terms)>,
        credits: Vec<(i64, i32, i64)>,
        webhooks: Vec<u8>,
    }

    impl Naive {
        fn capture(&mut self, key: u8, payment: Payment, fee: i64) -> (&'static str, i64) {
            let earlier = self.payments.iter().find(|(other, ..)| *other == key);
            if let Some((_, earlier, earlier_fee)) = earlier {
                return if *earlier == payment {
                    ("replayed", *earlier_fee)
                } else {
                    ("conflict", fee)
                };
            }
            let own = self.payments.iter().filter(|(_, other, _)| other.user_id == payment.user_id);
            let spent = own.map(|(_, other, _)| other.amount_minor).sum::<i64>();
            let opening = Dataset::new(42).user(payment.user_id as u32);
            if opening
                .is_none_or(|user| spent + payment.amount_minor > user.opening_balance_minor as i64)
            {
                return ("insufficient_funds", fee);
            }
            self.payments.push((key, payment, fee));
            ("captured", fee)
        }

        fn begin(&mut self, id: i64, terms: Terms) -> bool {
            match self.distributions.iter().find(|(other, _)| *other == id) {
                Some((_, earlier)) => *earlier == terms,
                None => {
                    self.distributions.push((id, terms));
                    true
                }
            }
        }

        fn credit(&mut self, id: i64, account: i32, points: i64) -> bool {
            let fresh = !self.credits.iter().any(|credit| (credit.0, credit.1) == (id, account));
            if fresh {
                self.credits.push((id, account, points));
            }
            fresh
        }

        fn receive(&mut self, event: u8) -> bool {
            let fresh = !self.webhooks.contains(&event);
            if fresh {
                self.webhooks.push(event);
            }
            fresh
        }

        fn points(&self, account: i32) -> i64 {
            let own = self.credits.iter().filter(|credit| credit.1 == account);
            own.map(|credit| credit.2).sum()
        }

        fn audit(&self) -> [i64; 9] {
            let money =
                self.payments.iter().map(|(_, payment, _)| payment.amount_minor).sum::<i64>();
            let fees = self.payments.iter().map(|(.., fee)| fee).sum::<i64>();
            let points = self.credits.iter().map(|credit| credit.2).sum::<i64>();
            [
                money,
                money - fees,
                fees,
                points,
                points,
                self.payments.len() as i64,
                self.distributions.len() as i64,
                self.credits.len() as i64,
                self.webhooks.len() as i64,
            ]
        }
    }

    /// Few keys, users and accounts, and amounts near a balance, so that everything meets everything.
    #[derive(Clone, Debug)]
    enum Step {
        Capture(u8, i32, i64, bool),
        Begin(i64, i64),
        Credit(i64, i32, i64),
        Receive(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..20_u8, 0..4_i32, 1..4_i64, any::<bool>()).prop_map(|(key, user, times, euro)| {
                Step::Capture(key, user, times * 900_000, euro)
            }),
            (0..4_i64, 1..3_i64).prop_map(|(id, spend)| Step::Begin(id, spend)),
            (0..4_i64, 1..6_i32, 1..99_i64)
                .prop_map(|(id, account, points)| Step::Credit(id, account, points)),
            (0..5_u8).prop_map(Step::Receive),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_plain_lists_do(steps in prop::collection::vec(step(), 1..120)) {
            let (mut ledger, mut naive) = (Ledger::new(Dataset::new(42)), Naive::default());
            for step in steps {
                match step {
                    Step::Capture(key, user, amount, euro) => {
                        let currency = if euro { "EUR" } else { "USD" }.into();
                        let payment = Payment { currency, ..payment(user, amount) };
                        let fee = amount / 100 + i64::from(key);
                        let got = ledger.capture(key.to_string().into(), payment.clone(), fee);
                        prop_assert_eq!(got, Ok(naive.capture(key, payment, fee)));
                    }
                    Step::Begin(id, spend) => {
                        let terms = [1, 2, 3, spend];
                        prop_assert_eq!(ledger.begin(id, terms), naive.begin(id, terms));
                    }
                    Step::Credit(id, account, points) => {
                        let fresh = naive.credit(id, account, points);
                        prop_assert_eq!(ledger.credit(id, account, points), Ok(fresh));
                        prop_assert_eq!(ledger.points(account), naive.points(account));
                    }
                    Step::Receive(event) => {
                        let got = ledger.receive(event.to_string().into(), "{}".into());
                        prop_assert_eq!(got, naive.receive(event));
                    }
                }
            }
            let audit = ledger.audit().unwrap();
            prop_assert_eq!(audit, naive.audit());
            prop_assert_eq!(audit[0], audit[1] + audit[2]);
        }
    }
}
