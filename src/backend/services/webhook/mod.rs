//! Receives webhooks: what both twins read and answer.
//!
//! 400 malformed, 200 replayed, 202 kept; 503 when a dependency does not answer. The write is the only thing that waits.

pub(crate) mod event_loop;
pub(crate) mod threads;

use std::borrow::Cow;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::backend::http::{Answer, parse};
use crate::domain::payment::is_key;

/// The body of `POST /webhooks`. Fields that it does not name are ignored.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

#[derive(Serialize)]
struct Received<'a> {
    event_id: &'a str,
    status: &'a str,
}

impl<'a> Event<'a> {
    /// Reads a body, or gives the answer that says what is wrong with it.
    fn parse(body: &'a [u8]) -> Result<Self, Answer> {
        let event: Self = parse(body)?;
        if is_key(&event.event_id) && !event.body.contains('\0') {
            return Ok(event);
        }
        let why = "event_id must be 1 to 64 visible ASCII characters without quote or backslash, and body without \\u0000";
        Err(Answer::malformed(why))
    }

    /// The answer to an event that is kept.
    fn answer(&self, fresh: bool) -> Answer {
        let status = if fresh { StatusCode::ACCEPTED } else { StatusCode::OK };
        Answer::json(status, &Received { event_id: &self.event_id, status: "received" })
    }
}
