use super::clamp_id;
use super::dataset::{Limits, Merchant, User};

const AMOUNT_MAX_MINOR: u64 = 10_000_000;
const KEY_BYTES_MAX: usize = 64;

/// A payment whose fields are in range. That it exists says nothing about whether it is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    pub key: String,
    pub user_id: u32,
    pub merchant_id: u32,
    pub amount_minor: i64,
    pub currency: String,
}

impl Payment {
    /// # Errors
    /// Which field is out of range. An id too large for any table is unknown, not out of range.
    pub fn new(
        key: String,
        user_id: u64,
        merchant_id: u64,
        amount_minor: u64,
        currency: String,
    ) -> Result<Self, &'static str> {
        if !is_key(&key) {
            return Err("idempotency_key must be 1 to 64 visible ASCII characters without quote or backslash");
        }
        if !(1..=AMOUNT_MAX_MINOR).contains(&amount_minor) {
            return Err("amount_minor must be 1 to 10000000");
        }
        if !matches!(&*currency, "EUR" | "USD" | "GBP") {
            return Err("currency must be EUR, USD or GBP");
        }
        Ok(Self {
            key,
            user_id: clamp_id(user_id),
            merchant_id: clamp_id(merchant_id),
            amount_minor: amount_minor as i64,
            currency,
        })
    }

    /// The text that a payer signs.
    pub fn canonical(&self) -> String {
        let Self { key, user_id, merchant_id, amount_minor, currency } = self;
        format!("{key}|{user_id}|{merchant_id}|{amount_minor}|{currency}")
    }

    /// The first reason to decline that needs no balance.
    pub fn decline(
        &self,
        user: User,
        merchant: Merchant,
        limits: Limits,
        signed: bool,
    ) -> Option<&'static str> {
        if !signed {
            Some("bad_signature")
        } else if user.blocked {
            Some("user_blocked")
        } else if merchant.closed {
            Some("merchant_closed")
        } else if self.amount_minor > limits.per_payment_minor {
            Some("limit_exceeded")
        } else {
            None
        }
    }
}

impl Merchant {
    /// Its share of an amount, rounded half up, at least 1.
    pub fn fee(self, amount_minor: i64) -> i64 {
        ((amount_minor * self.fee_bps + 5_000) / 10_000).max(1)
    }
}

/// Whether `key` can name a payment or an event.
pub fn is_key(key: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}
