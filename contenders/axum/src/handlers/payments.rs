use axum::extract::State;
use axum::http::StatusCode;
use futures_util::future::try_join3;
use serde::{Deserialize, Serialize};

use super::{Answer, Shared};
use crate::app::Error;
use crate::json::{Object, Whole, answer};
use crate::rules::payment::Payment;
use crate::rules::signature::Key;
use crate::store::Outcome;

#[derive(Deserialize)]
pub struct Body {
    idempotency_key: String,
    user_id: Whole,
    merchant_id: Whole,
    amount_minor: Whole,
    currency: String,
    signature: String,
}

#[derive(Serialize)]
struct Captured {
    payment_id: String,
    status: &'static str,
    amount_minor: i64,
    fee_minor: i64,
}

#[derive(Serialize)]
struct Declined {
    status: &'static str,
    reason: &'static str,
}

/// Looks up at once, verifies, decides, captures.
pub async fn pay(State(app): Shared, Object(body): Object<Body>) -> Answer {
    let Body { idempotency_key, user_id, merchant_id, amount_minor, currency, signature } = body;
    let payment =
        Payment::new(idempotency_key, user_id.0, merchant_id.0, amount_minor.0, currency)
            .map_err(Error::unprocessable)?;

    let (user, merchant, limits) = try_join3(
        app.store.user(payment.user_id),
        app.store.merchant(payment.merchant_id),
        app.store.limits(payment.user_id),
    )
    .await?;
    let (Some(user), Some(merchant), Some(limits)) = (user, merchant, limits) else {
        return Err(Error::not_found("there is no such user or merchant"));
    };

    let key = Key::stretch(app.seed, payment.merchant_id, app.signature_rounds);
    let signed = key.signed(&payment, &signature);
    if let Some(reason) = payment.decline(user, merchant, limits, signed) {
        return Ok(declined(reason));
    }
    let amount_minor = payment.amount_minor;
    let payment_id = format!("pay-{}", payment.key);
    let outcome = app.store.capture(payment, user, merchant.fee(amount_minor)).await?;
    let captured = |status, fee_minor| {
        answer(status, Captured { payment_id, status: "captured", amount_minor, fee_minor })
    };
    match outcome {
        Outcome::Captured(fee_minor) => Ok(captured(StatusCode::CREATED, fee_minor)),
        Outcome::Replayed(fee_minor) => Ok(captured(StatusCode::OK, fee_minor)),
        Outcome::InsufficientFunds => Ok(declined("insufficient_funds")),
        Outcome::Conflict => {
            Err(Error::new(StatusCode::CONFLICT, "the key belongs to another payment"))
        }
    }
}

fn declined(reason: &'static str) -> axum::response::Response {
    answer(StatusCode::PAYMENT_REQUIRED, Declined { status: "declined", reason })
}
