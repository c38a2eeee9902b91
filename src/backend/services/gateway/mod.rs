//! A gateway: what both twins ask two upstream servers, or one twice, and what they answer.
//!
//! 404 for what is no id and without an upstream, 502 when that does not answer, 200.

pub(crate) mod event_loop;
pub(crate) mod threads;

use hyper::StatusCode;
use serde::Serialize;

use crate::backend::http::Answer;
use crate::backend::runtime::ClientError;

#[derive(Serialize)]
struct Joined {
    id: u64,
    values: [u64; 2],
}

/// The two ids that a request for `id` asks for.
fn both(id: Option<u64>) -> Result<(u64, [u64; 2]), Answer> {
    // What JavaScript can count to, with room for the next one.
    let id = id.filter(|id| *id < (1 << 53) - 1);
    let id = id.ok_or_else(|| Answer::error(StatusCode::NOT_FOUND, "there is no such id"))?;
    Ok((id, [id, id + 1]))
}

/// The answer to a request whose two answers are there.
fn joined(id: u64, values: [u64; 2]) -> Answer {
    Answer::json(StatusCode::OK, &Joined { id, values })
}

/// The answer of a server that was told of no upstream.
fn no_upstream() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, "BAKEOFF_UPSTREAM_URL is not set")
}

/// The answer to a request that an upstream failed.
fn failed(error: ClientError) -> Answer {
    Answer::error(StatusCode::BAD_GATEWAY, format_args!("the upstream: {error}"))
}
