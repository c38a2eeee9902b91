use axum::extract::{Path, State};
use axum::http::StatusCode;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::{Answer, Shared};
use crate::app::{Error, Upstream};
use crate::json::{Whole, answer};

/// The next one is asked for as well.
const ID_MAX: u64 = (1 << 53) - 2;

#[derive(Serialize)]
struct Joined {
    id: u64,
    values: [u64; 2],
}

#[derive(Deserialize)]
struct Value {
    value: Whole,
}

/// Asks the upstream for two values at once and joins them.
pub async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let digits = id.bytes().all(|b| b.is_ascii_digit());
    let id = id.parse().ok().filter(|id| digits && *id <= ID_MAX);
    let id = id.ok_or_else(|| Error::not_found("there is no such id"))?;
    let (url, upstream) = app.upstream.as_ref().ok_or_else(|| {
        Error::not_found("there is no upstream: BAKEOFF_UPSTREAM_URL is not set")
    })?;
    let (first, second) = try_join(value(upstream, url, id), value(upstream, url, id + 1))
        .await
        .map_err(|message| Error::new(StatusCode::BAD_GATEWAY, message))?;
    Ok(answer(StatusCode::OK, Joined { id, values: [first, second] }))
}

async fn value(upstream: &Upstream, url: &str, id: u64) -> Result<u64, String> {
    let (status, body) = upstream(format!("{url}/upstream/{id}")).await?;
    if status != StatusCode::OK {
        return Err(format!("the upstream answered {status}"));
    }
    let body: Value = serde_json::from_slice(&body)
        .map_err(|_| "the upstream answered without a value".to_owned())?;
    Ok(body.value.0)
}
