//! Authorises a payment: what both twins read and answer, and in which order answers take precedence.
//!
//! 400 malformed, 422 out of range, 404 unknown user or merchant, 402 declined before the money is looked at,
//! 409 key reused, 402 insufficient funds, 200 replayed, 201 captured; 503 when a dependency does not answer.

pub(crate) mod event_loop;
pub(crate) mod threads;

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::backend::http::{Answer, parse, whole_number};
use crate::backend::memory::Capture;
use crate::backend::postgres::Question;
use crate::domain::dataset::{ComplianceLimits, Merchant, User};
use crate::domain::payment::{Decline, Payment, canonical, decide, fee_minor, is_key};
use crate::domain::signature::Key;
use crate::units::Nanos;

/// The body of `POST /payments`. Fields that it does not name are ignored.
#[derive(Deserialize)]
struct PaymentBody<'a> {
    #[serde(borrow)]
    idempotency_key: Cow<'a, str>,
    #[serde(deserialize_with = "whole_number")]
    user_id: u64,
    #[serde(deserialize_with = "whole_number")]
    merchant_id: u64,
    #[serde(deserialize_with = "whole_number")]
    amount_minor: u64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
}

/// A request that is well-formed and in range.
struct PaymentRequest<'a> {
    key: Cow<'a, str>,
    payment: Payment,
    signature: Cow<'a, str>,
}

/// The three rows that a decision needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaymentRows {
    pub(crate) user: User,
    pub(crate) merchant: Merchant,
    limits: ComplianceLimits,
}

#[derive(Serialize)]
struct Captured<'a> {
    payment_id: &'a str,
    status: &'a str,
    amount_minor: u64,
    fee_minor: u64,
}

#[derive(Serialize)]
struct Declined<'a> {
    status: &'a str,
    reason: &'a str,
}

impl PaymentRows {
    pub(crate) fn new(user: User, merchant: Merchant, limits: ComplianceLimits) -> Self {
        Self { user, merchant, limits }
    }
}

impl<'a> PaymentRequest<'a> {
    /// Reads a body, or gives the answer that says what is wrong with it.
    fn parse(body: &'a [u8]) -> Result<Self, Answer> {
        let body: PaymentBody<'a> = parse(body)?;
        let out_of_range = |why| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, why);
        if !is_key(&body.idempotency_key) {
            return Err(out_of_range(
                "idempotency_key must be 1 to 64 visible ASCII characters without quote or backslash",
            ));
        }
        let payment =
            Payment::new(body.user_id, body.merchant_id, body.amount_minor, &body.currency)
                .map_err(out_of_range)?;
        Ok(Self { key: body.idempotency_key, payment, signature: body.signature })
    }

    fn rows(
        user: Option<User>,
        merchant: Option<Merchant>,
        limits: Option<ComplianceLimits>,
    ) -> Result<PaymentRows, Answer> {
        let unknown =
            |what| Answer::error(StatusCode::NOT_FOUND, format_args!("there is no such {what}"));
        let user = user.ok_or_else(|| unknown("user"))?;
        let limits = limits.ok_or_else(|| unknown("user"))?;
        let merchant = merchant.ok_or_else(|| unknown("merchant"))?;
        Ok(PaymentRows::new(user, merchant, limits))
    }

    /// Checks the signature against the stretched key, and everything else that needs no balance.
    fn decide(&self, rows: PaymentRows, key: &Key) -> Result<(), Answer> {
        let holds = key.sign(canonical(&self.key, &self.payment)).is(&self.signature);
        decide(&self.payment, rows.user, rows.merchant, rows.limits, holds).map_err(declined)
    }

    /// What a database is asked.
    fn capture(&self, rows: PaymentRows) -> Question<'_> {
        let fee_minor = fee_minor(self.payment.amount_minor, rows.merchant);
        Question::Capture { key: &self.key, payment: &self.payment, fee_minor }
    }

    /// The answer to a payment that was to be captured.
    fn answer(&self, capture: Capture) -> Answer {
        let (status, fee_minor) = match capture {
            Capture::Done(fee) => (StatusCode::CREATED, fee),
            Capture::Replayed(fee) => (StatusCode::OK, fee),
            Capture::Conflict => {
                return Answer::error(StatusCode::CONFLICT, "the key belongs to another payment");
            }
            Capture::InsufficientFunds => return declined(Decline::InsufficientFunds),
        };
        let captured = Captured {
            payment_id: &format!("pay-{}", self.key),
            status: "captured",
            amount_minor: self.payment.amount_minor,
            fee_minor,
        };
        Answer::json(status, &captured)
    }
}

fn declined(decline: Decline) -> Answer {
    let declined = Declined { status: "declined", reason: decline.reason() };
    Answer::json(StatusCode::PAYMENT_REQUIRED, &declined)
}

/// Rounds that stand for a CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Digests that stretch the key.
    pub rounds: u32,
    /// The shortest time that so many took, when nothing else used the core.
    pub measured: Nanos,
}

/// Rounds of one sample of the search: about 100 us.
const SAMPLE_ROUNDS: u32 = 1_000;
/// Samples of the search, 2 to 20 ms in all. The best of so many meets no interruption.
const SAMPLES: u32 = 20;
/// Samples of the check, or fewer if they take longer than this together.
const CHECKS: u32 = 5;
const CHECK_MAX: Nanos = Nanos(200_000_000);

/// Finds the rounds that take `cpu` by measuring, for 30 ms and up to 0.2 s when `cpu` is long.
pub fn calibrate(cpu: Nanos) -> Calibration {
    let one = best(SAMPLES, || time(SAMPLE_ROUNDS)).0 as f64 / f64::from(SAMPLE_ROUNDS);
    let rounds = (cpu.0 as f64 / one).round() as u32;
    let checks = (CHECK_MAX.0 / cpu.0.max(1)).clamp(1, CHECKS.into()) as u32;
    let measured = if rounds == 0 { Nanos(0) } else { best(checks, || time(rounds)) };
    Calibration { rounds, measured }
}

/// What `rounds` rounds take, without what no rounds take.
fn time(rounds: u32) -> Nanos {
    let start = Instant::now();
    black_box(Key::stretch(black_box(42), black_box(1), black_box(rounds)));
    Nanos::from(start.elapsed())
}

fn best(samples: u32, measure: impl Fn() -> Nanos) -> Nanos {
    (0..samples).map(|_| measure()).min().expect("at least one sample")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_time_means_more_rounds() {
        assert_eq!(calibrate(Nanos(0)), Calibration { rounds: 0, measured: Nanos(0) });
        let (short, long) = (calibrate(Nanos(20_000)), calibrate(Nanos::MILLI));
        // Loose, since tests share their cores: the two calls may run at different speeds.
        assert!(long.rounds > 10 * short.rounds && short.rounds > 1, "{short:?} {long:?}");
        assert!(long.measured > Nanos(200_000), "{long:?}");
    }
}
