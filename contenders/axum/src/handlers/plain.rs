use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::{Answer, Shared};
use crate::json::answer;

#[derive(Serialize)]
struct Health<'a> {
    ready: bool,
    contender: &'static str,
    runtime: &'a str,
}

pub async fn health(State(app): Shared) -> Answer {
    let body = Health { ready: true, contender: app.name, runtime: &app.runtime };
    Ok(answer(StatusCode::OK, body))
}

#[derive(Serialize)]
struct Null {
    ok: bool,
}

/// Does nothing: what HTTP alone costs.
pub async fn null() -> Answer {
    Ok(answer(StatusCode::OK, Null { ok: true }))
}

pub async fn audit(State(app): Shared) -> Answer {
    Ok(answer(StatusCode::OK, app.store.audit().await?))
}
