//! Request bodies, and rows of the dataset that lead to each answer.

use crate::domain::dataset::{BUSINESSES, Dataset, POPULATION};
use crate::domain::payment::{self, canonical};
use crate::domain::signature::Key;
use serde_json::{Value, json};

use super::server::SEED;

/// The rows that the servers know.
pub fn data() -> Dataset {
    Dataset::new(SEED)
}

/// Users who may pay, in ascending order.
pub fn payers() -> impl Iterator<Item = u32> {
    (1..=POPULATION).filter(|&id| !data().user(id).unwrap().blocked)
}

/// Merchants who may be paid, in ascending order.
pub fn merchants() -> impl Iterator<Item = u32> {
    (1..=BUSINESSES).filter(|&id| !data().merchant(id).unwrap().closed)
}

/// The first user who may not pay.
pub fn blocked_user() -> u32 {
    (1..=POPULATION).find(|&id| data().user(id).unwrap().blocked).unwrap()
}

/// The first merchant who may not be paid.
pub fn closed_merchant() -> u32 {
    (1..=BUSINESSES).find(|&id| data().merchant(id).unwrap().closed).unwrap()
}

/// A payment as a client asks for it.
#[derive(Clone, Debug)]
pub struct PaymentBody {
    pub key: String,
    pub user: u32,
    pub merchant: u32,
    pub amount: u64,
    /// The signature rounds that the server was started with.
    pub rounds: u32,
}

impl PaymentBody {
    /// 12.34 from the first payer to the first merchant.
    pub fn new(key: impl Into<String>) -> Self {
        let (user, merchant) = (payers().next().unwrap(), merchants().next().unwrap());
        Self { key: key.into(), user, merchant, amount: 1_234, rounds: 0 }
    }

    /// The fields with the right signature.
    pub fn fields(&self) -> Value {
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

    pub fn body(&self) -> String {
        self.fields().to_string()
    }

    /// The body with one field replaced, or removed by `None`.
    pub fn body_with(&self, field: &str, value: Option<Value>) -> String {
        with(self.fields(), field, value)
    }

    /// What a capture answers, and each replay of it.
    pub fn captured(&self) -> Value {
        json!({
            "payment_id": format!("pay-{}", self.key), "status": "captured",
            "amount_minor": self.amount, "fee_minor": self.fee(),
        })
    }

    /// What the merchant pays for it.
    pub fn fee(&self) -> u64 {
        payment::fee_minor(self.amount, data().merchant(self.merchant).unwrap())
    }
}

/// What a refused payment answers.
pub fn declined(reason: &str) -> Value {
    json!({"status": "declined", "reason": reason})
}

/// A distribution as a client asks for it.
#[derive(Clone, Copy, Debug)]
pub struct DistributionBody {
    pub id: u64,
    pub business: u32,
    pub first: u32,
    pub accounts: u32,
    pub spend: u64,
}

impl DistributionBody {
    /// 100.00 to the first three members of business 7.
    pub fn new(id: u64) -> Self {
        Self { id, business: 7, first: 1, accounts: 3, spend: 10_000 }
    }

    pub fn fields(&self) -> Value {
        json!({
            "distribution_id": self.id, "business_id": self.business,
            "first_account": self.first, "accounts": self.accounts, "spend_minor": self.spend,
        })
    }

    pub fn body(&self) -> String {
        self.fields().to_string()
    }

    /// The body with one field replaced, or removed by `None`.
    pub fn body_with(&self, field: &str, value: Option<Value>) -> String {
        with(self.fields(), field, value)
    }

    /// Its accounts and the points of each.
    pub fn credits(&self) -> Vec<(u32, u64)> {
        use crate::domain::loyalty::Distribution as Rules;
        let Self { id, business, first, accounts, spend } = *self;
        let rules =
            Rules::new(data(), id, business.into(), first.into(), accounts.into(), spend).unwrap();
        let ids = (0..accounts).map(|index| rules.members.id(index));
        ids.map(|id| (id, rules.points(data().account(id).unwrap()))).collect()
    }

    /// The points of all its accounts.
    pub fn points(&self) -> u64 {
        self.credits().iter().map(|(_, points)| points).sum()
    }

    /// What it answers, first and on each replay.
    pub fn credited(&self) -> Value {
        json!({"credited": self.accounts, "points": self.points()})
    }
}

/// What `/loyalty/accounts/{id}` answers.
pub fn account(id: u32, points: u64) -> Value {
    let tier = data().account(id).unwrap().tier.name();
    json!({"account_id": id, "tier": tier, "points": points})
}

/// What `/audit` must add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Books {
    pub money_in: u64,
    pub fees: u64,
    pub payments: u64,
    pub points: u64,
    pub distributions: u64,
    pub credits: u64,
}

impl Books {
    /// Books a payment that was acknowledged as new.
    pub fn captured(&mut self, payment: &PaymentBody) {
        self.money_in += payment.amount;
        self.fees += payment.fee();
        self.payments += 1;
    }

    /// Books a distribution that was acknowledged for the first time.
    pub fn credited(&mut self, distribution: &DistributionBody) {
        self.points += distribution.points();
        self.distributions += 1;
        self.credits += u64::from(distribution.accounts);
    }

    /// The whole answer.
    pub fn json(&self) -> Value {
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
