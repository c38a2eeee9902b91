use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Answer, Shared};
use crate::app::Error;
use crate::json::{Object, answer};
use crate::rules::payment::is_key;

#[derive(Deserialize)]
pub struct Body {
    event_id: String,
    body: String,
}

#[derive(Serialize)]
struct Received {
    event_id: String,
    status: &'static str,
}

/// Keeps an event once, however often it is delivered.
pub async fn receive(State(app): Shared, Object(Body { event_id, body }): Object<Body>) -> Answer {
    if !is_key(&event_id) {
        let message = "event_id must be 1 to 64 visible ASCII characters without quote or backslash";
        return Err(Error::malformed(message));
    }
    if body.contains('\0') {
        return Err(Error::malformed("body must be text without NUL, which a database cannot keep"));
    }
    let fresh = app.store.receive(event_id.clone(), body).await?;
    let status = if fresh { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(answer(status, Received { event_id, status: "received" }))
}
