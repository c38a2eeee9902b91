//! Request bodies, and rows of the dataset that lead to each answer.

use bakeoff::domain::dataset::{BUSINESSES, Dataset, POPULATION};
use bakeoff::domain::payment::{self, canonical};
use bakeoff::domain::signature::Key;
use serde_json::{Value, json};

use crate::server::SEED;

/// The rows that the servers know.
pub(crate) fn data() -> Dataset {
    Dataset::new(SEED)
}

/// Users who may pay, in ascending order.
pub(crate) fn payers() -> impl Iterator<Item = u32> {
    (1..=POPULATION).filter(|&id| !data().user(id).unwrap().blocked)
}

/// Merchants who may be paid, in ascending order.
pub(crate) fn merchants() -> impl Iterator<Item = u32> {
    (1..=BUSINESSES).filter(|&id| !data().merchant(id).unwrap().closed)
}

/// The first user who may not pay.
pub(crate) fn blocked_user() -> u32 {
    (1..=POPULATION).find(|&id| data().user(id).unwrap().blocked).unwrap()
}

/// The first merchant who may not be paid.
pub(crate) fn closed_merchant() -> u32 {
    (1..=BUSINESSES).find(|&id| data().merchant(id).unwrap().closed).unwrap()
}

/// A payment as a client asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) key: String,
    pub(crate) user: u32,
    pub(crate) merchant: u32,
    pub(crate) amount: u64,
    /// The signature rounds that the server was started with.
    pub(crate) rounds: u32,
}

impl Payment {
    /// 12.34 from the first payer to the first merchant.
    pub(crate) fn new(key: impl Into<String>) -> Self {
        let (user, merchant) = (payers().next().unwrap(), merchants().next().unwrap());
        Self { key: key.into(), user, merchant, amount: 1_234, rounds: 0 }
    }

    /// The fields with the right signature.
    pub(crate) fn fields(&self) -> Value {
        let Self { key, user, merchant, amount, rounds } = self;
        // The rules refuse to build a payment that is out of range; what is signed then does not matter.
        let signature = payment::Payment::new((*user).into(), (*merchant).into(), *amount, "EUR")
            .map(|p| Key::stretch(SEED, *merchant, *rounds).sign(canonical(key, &p)))
            .map_or_else(|_| "0".repeat(64), |s| String::from_utf8(s.as_bytes().to_vec()).unwrap());
        json!({
            "idempotency_key": key, "user_id": user, "merchant_id": merchant,
            "amount_minor": amount, "currency": "EUR", "signature": signature,
        })
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        self.fields().to_string()
    }

    /// The body with one field replaced, or removed by `None`.
    pub(crate) fn body_with(&self, field: &str, value: Option<Value>) -> String {
        with(self.fields(), field, value)
    }

    /// What a capture answers, and each replay of it.
    pub(crate) fn captured(&self) -> Value {
        json!({
            "payment_id": format!("pay-{}", self.key), "status": "captured",
            "amount_minor": self.amount, "fee_minor": self.fee(),
        })
    }

    /// What the merchant pays for it.
    pub(crate) fn fee(&self) -> u64 {
        payment::fee_minor(self.amount, data().merchant(self.merchant).unwrap())
    }
}

/// What a refused payment answers.
pub(crate) fn declined(reason: &str) -> Value {
    json!({"status": "declined", "reason": reason})
}

/// A distribution as a client asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distribution {
    pub(crate) id: u64,
    pub(crate) business: u32,
    pub(crate) first: u32,
    pub(crate) accounts: u32,
    pub(crate) spend: u64,
}

impl Distribution {
    /// 100.00 to the first three members of business 7.
    pub(crate) fn new(id: u64) -> Self {
        Self { id, business: 7, first: 1, accounts: 3, spend: 10_000 }
    }

    /// The fields.
    pub(crate) fn fields(&self) -> Value {
        json!({
            "distribution_id": self.id, "business_id": self.business,
            "first_account": self.first, "accounts": self.accounts, "spend_minor": self.spend,
        })
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        self.fields().to_string()
    }

    /// The body with one field replaced, or removed by `None`.
    pub(crate) fn body_with(&self, field: &str, value: Option<Value>) -> String {
        with(self.fields(), field, value)
    }

    /// Its accounts and the points of each.
    pub(crate) fn credits(&self) -> Vec<(u32, u64)> {
        use bakeoff::domain::loyalty::Distribution as Rules;
        let Self { id, business, first, accounts, spend } = *self;
        let rules =
            Rules::new(data(), id, business.into(), first.into(), accounts.into(), spend).unwrap();
        let ids = (0..accounts).map(|index| rules.members.id(index));
        ids.map(|id| (id, rules.points(data().account(id).unwrap()))).collect()
    }

    /// The points of all its accounts.
    pub(crate) fn points(&self) -> u64 {
        self.credits().iter().map(|(_, points)| points).sum()
    }

    /// What it answers, first and on each replay.
    pub(crate) fn credited(&self) -> Value {
        json!({"credited": self.accounts, "points": self.points()})
    }
}

/// What `/loyalty/accounts/{id}` answers.
pub(crate) fn account(id: u32, points: u64) -> Value {
    let tier = data().account(id).unwrap().tier.name();
    json!({"account_id": id, "tier": tier, "points": points})
}

/// What `/audit` must add up to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Books {
    pub(crate) money_in: u64,
    pub(crate) fees: u64,
    pub(crate) payments: u64,
    pub(crate) points: u64,
    pub(crate) distributions: u64,
    pub(crate) credits: u64,
}

impl Books {
    /// Books a payment that was acknowledged as new.
    pub(crate) fn captured(&mut self, payment: &Payment) {
        self.money_in += payment.amount;
        self.fees += payment.fee();
        self.payments += 1;
    }

    /// Books a distribution that was acknowledged for the first time.
    pub(crate) fn credited(&mut self, distribution: &Distribution) {
        self.points += distribution.points();
        self.distributions += 1;
        self.credits += u64::from(distribution.accounts);
    }

    /// The whole answer.
    pub(crate) fn json(&self) -> Value {
        json!({
            "money_in_minor": self.money_in, "money_out_minor": self.money_in - self.fees,
            "fees_minor": self.fees, "points_issued": self.points, "points_held": self.points,
            "applied": {
                "payments": self.payments, "distributions": self.distributions,
                "credits": self.credits, "webhooks": 0,
            },
        })
    }
}

fn with(mut fields: Value, field: &str, value: Option<Value>) -> String {
    let object = fields.as_object_mut().unwrap();
    let _ = match value {
        Some(value) => object.insert(field.into(), value),
        None => object.remove(field),
    };
    fields.to_string()
}
