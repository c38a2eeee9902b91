//! Authorising a payment on a thread: every wait blocks it, and the kernel runs another.

use super::{Answer, Request};
use crate::backend::cpu::signature;
use crate::backend::cpu::threads::Helpers;
use crate::backend::memory::Capture;
use crate::domain::dataset::{Limits, Merchant, User};
use crate::domain::signature::Key;

type App = crate::backend::App<Helpers>;

/// Looks up, verifies, decides, captures.
///
/// # Errors
/// The answer to a payment that does not get as far as its capture.
pub(in crate::backend) fn authorise(app: &App, body: &[u8]) -> Result<Answer, Answer> {
    let request = Request::parse(body)?;
    let (user_id, merchant_id) = (request.payment.user_id, request.payment.merchant_id);
    let (user, merchant, limits) =
        (user(app, user_id), merchant(app, merchant_id), limits(app, user_id));
    let rows = Request::rows(user, merchant, limits)?;
    let key = stretch(app, merchant_id);
    request.decide(rows, &key)?;
    let capture = capture(app, &request, rows.user, rows.merchant);
    Ok(request.answer(capture))
}

/// The payer's row.
fn user(app: &App, id: u32) -> Option<User> {
    app.data.user(id)
}

/// The payee's row.
fn merchant(app: &App, id: u32) -> Option<Merchant> {
    app.data.merchant(id)
}

/// The compliance limits of a user.
fn limits(app: &App, user_id: u32) -> Option<Limits> {
    app.data.limits(user_id)
}

/// The merchant's signing key: the work that a scenario dials, done afresh for each payment.
fn stretch(app: &App, merchant_id: u32) -> Key {
    let (seed, rounds) = (app.seed, app.signature_rounds);
    let work = move || Key::stretch(seed, merchant_id, rounds);
    app.helpers.whole(signature(rounds), work)
}

/// Moves the money, once for each key.
fn capture(app: &App, request: &Request<'_>, user: User, merchant: Merchant) -> Capture {
    app.memory.capture(&request.key, &request.payment, user, merchant)
}
