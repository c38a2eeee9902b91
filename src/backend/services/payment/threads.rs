//! Authorising a payment on a thread: every wait blocks it, and the kernel runs another.

use super::{Answer, PaymentRequest, PaymentRows};
use crate::backend::cpu::signature;
use crate::backend::memory::Capture;
use crate::backend::postgres::Question;
use crate::backend::services::Store;
use crate::backend::services::threads::App;
use crate::domain::signature::Key;

/// Looks up, verifies, decides, captures.
///
/// # Errors
/// The answer to a payment that does not get as far as its capture.
pub(crate) fn authorise(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let request = PaymentRequest::parse(body)?;
    let rows = look_up(app, &request)?;
    let key = stretch(app, request.payment.merchant_id);
    request.decide(rows, &key)?;
    let capture = capture(app, &request, rows)?;
    Ok(request.answer(capture))
}

/// The payer, the payee and the payer's limits, all at once.
fn look_up(app: &App, request: &PaymentRequest<'_>) -> Result<PaymentRows, Answer> {
    let (user_id, merchant_id) = (request.payment.user_id, request.payment.merchant_id);
    let (user, merchant, limits) = match &app.store {
        Store::Memory(_) => {
            let data = app.common.data;
            (data.user(user_id), data.merchant(merchant_id), data.limits(user_id))
        }
        Store::Postgres(pool) => {
            use Question::{Limits, Merchant, User};
            let questions = [User(user_id), Merchant(merchant_id), Limits(user_id)];
            let [user, merchant, limits] = pool.ask_all(questions)?;
            (user.user()?, merchant.merchant()?, limits.limits()?)
        }
    };
    PaymentRequest::rows(user, merchant, limits)
}

/// The merchant's signing key: the work that a scenario dials, done afresh for each payment.
fn stretch(app: &App, merchant_id: u32) -> Key {
    let (seed, rounds) = (app.common.seed, app.common.signature_rounds);
    let work = move || Key::stretch(seed, merchant_id, rounds);
    app.helpers.whole(signature(rounds), work)
}

/// Moves the money, once for each key.
fn capture(app: &App, request: &PaymentRequest<'_>, rows: PaymentRows) -> Result<Capture, Answer> {
    match &app.store {
        Store::Memory(memory) => Ok(memory.capture(&request.key, &request.payment, rows)),
        Store::Postgres(pool) => Ok(pool.ask(request.capture(rows))?.capture()?),
    }
}
