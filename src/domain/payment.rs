//! What a payment is, whether it is allowed, and what it costs.

use std::fmt;

use super::dataset::{ComplianceLimits, Merchant, User};

/// One payment moves at most this much, in minor units.
pub const AMOUNT_MAX_MINOR: u64 = 10_000_000;
/// The longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 64;

/// Money of these three kinds can be moved; amounts are in hundredths of it.
///
/// It is part of what is signed and of what a key stands for, and nothing else: a balance or a limit is a number of
/// minor units of whichever money, and nothing is ever exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    Eur,
    Usd,
    Gbp,
}

impl Currency {
    /// The currency of an ISO 4217 code, if it is one of the three.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Eur, Self::Usd, Self::Gbp].into_iter().find(|currency| currency.code() == code)
    }

    /// Its ISO 4217 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
            Self::Gbp => "GBP",
        }
    }
}

/// A payment whose fields are in range. That it exists says nothing about whether it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    pub user_id: u32,
    pub merchant_id: u32,
    /// How much, in minor units, `1..=AMOUNT_MAX_MINOR`.
    pub amount_minor: u64,
    pub currency: Currency,
}

impl Payment {
    /// Checks the ranges of the fields as they came; an id too large for any table is unknown, not out of range.
    ///
    /// # Errors
    /// The name and the bounds of the field that is out of range.
    pub fn new(
        user: u64,
        merchant: u64,
        amount: u64,
        currency: &str,
    ) -> Result<Self, &'static str> {
        if !(1..=AMOUNT_MAX_MINOR).contains(&amount) {
            return Err("amount_minor must be 1 to 10000000");
        }
        Ok(Self {
            user_id: u32::try_from(user).unwrap_or(u32::MAX),
            merchant_id: u32::try_from(merchant).unwrap_or(u32::MAX),
            amount_minor: amount,
            currency: Currency::from_code(currency).ok_or("currency must be EUR, USD or GBP")?,
        })
    }
}

/// Whether `key` can be an idempotency key: 1 to [`KEY_BYTES_MAX`] visible ASCII characters without quote or backslash.
pub fn is_key(key: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// The text that a payer signs: `key|user|merchant|amount|currency`.
pub fn canonical(key: &str, payment: &Payment) -> impl fmt::Display {
    let Payment { user_id, merchant_id, amount_minor, currency } = *payment;
    fmt::from_fn(move |f| {
        write!(f, "{key}|{user_id}|{merchant_id}|{amount_minor}|{}", currency.code())
    })
}

/// Why a payment is declined, in the order in which the reasons are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decline {
    /// The signature is not the payer's.
    BadSignature,
    UserBlocked,
    MerchantClosed,
    /// The amount is above the user's limit for one payment.
    LimitExceeded,
    /// The balance does not cover the amount. Only the store that holds the balance can say so.
    InsufficientFunds,
}

impl Decline {
    /// The reason as the contract spells it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::UserBlocked => "user_blocked",
            Self::MerchantClosed => "merchant_closed",
            Self::LimitExceeded => "limit_exceeded",
            Self::InsufficientFunds => "insufficient_funds",
        }
    }
}

/// Everything that can be decided without the balance.
///
/// # Errors
/// The first reason to decline.
pub fn decide(
    payment: &Payment,
    user: User,
    merchant: Merchant,
    limits: ComplianceLimits,
    signature_holds: bool,
) -> Result<(), Decline> {
    if !signature_holds {
        Err(Decline::BadSignature)
    } else if user.blocked {
        Err(Decline::UserBlocked)
    } else if merchant.closed {
        Err(Decline::MerchantClosed)
    } else if payment.amount_minor > limits.per_payment_minor {
        Err(Decline::LimitExceeded)
    } else {
        Ok(())
    }
}

/// What the merchant pays of `amount_minor`: its share rounded half up, at least 1 minor unit and so never more than the
/// amount.
pub fn fee_minor(amount_minor: u64, merchant: Merchant) -> u64 {
    ((amount_minor * merchant.fee_bps + 5_000) / 10_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: User = User { blocked: false, opening_balance_minor: 1_000_000 };
    const MERCHANT: Merchant = Merchant { closed: false, fee_bps: 150 };
    const LIMITS: ComplianceLimits = ComplianceLimits { per_payment_minor: 500_000 };

    fn payment(amount: u64) -> Payment {
        Payment::new(1, 2, amount, "EUR").unwrap()
    }

    #[test]
    fn fees_round_half_up_and_are_never_nothing() {
        assert_eq!(fee_minor(10_000, MERCHANT), 150);
        assert_eq!(fee_minor(33, MERCHANT), 1, "0.495");
        assert_eq!(fee_minor(1, MERCHANT), 1, "0.015, the least");
        assert_eq!(fee_minor(1_300, Merchant { fee_bps: 150, closed: false }), 20, "19.5");
    }

    #[test]
    fn reasons_come_in_their_order() {
        let blocked = User { blocked: true, ..USER };
        let closed = Merchant { closed: true, ..MERCHANT };
        let p = payment(600_000);
        assert_eq!(decide(&p, blocked, closed, LIMITS, false), Err(Decline::BadSignature));
        assert_eq!(decide(&p, blocked, closed, LIMITS, true), Err(Decline::UserBlocked));
        assert_eq!(decide(&p, USER, closed, LIMITS, true), Err(Decline::MerchantClosed));
        assert_eq!(decide(&p, USER, MERCHANT, LIMITS, true), Err(Decline::LimitExceeded));
        assert_eq!(decide(&payment(500_000), USER, MERCHANT, LIMITS, true), Ok(()));
    }

    #[test]
    fn fields_out_of_range_are_named() {
        assert!(Payment::new(1, 1, 0, "EUR").unwrap_err().contains("amount_minor"));
        assert!(
            Payment::new(1, 1, AMOUNT_MAX_MINOR + 1, "EUR").unwrap_err().contains("amount_minor")
        );
        assert!(Payment::new(1, 1, 5, "CHF").unwrap_err().contains("currency"));
        assert_eq!(Payment::new(1 << 40, 1, 5, "EUR").unwrap().user_id, u32::MAX);
    }

    #[test]
    fn keys_and_the_signed_text() {
        assert!(is_key("r1-0-17") && is_key(&"x".repeat(64)));
        assert!(!is_key("") && !is_key(&"x".repeat(65)) && !is_key("a b") && !is_key("a\"b"));
        assert_eq!(canonical("k", &payment(5)).to_string(), "k|1|2|5|EUR");
    }
}
