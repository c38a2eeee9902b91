//! Bodies. `axum::Json` insists on a content-type and takes an array for a struct, which the contract does not.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header::CONTENT_LENGTH};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::app::{App, Error};

const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a body may take to come.
const BODY_MAX: Duration = Duration::from_secs(10);

pub fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, Json(body)).into_response()
}

/// A body that is a JSON object in UTF-8.
pub struct Object<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Object<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|text| text.to_str().ok());
        // Refused before a client is told to continue.
        if length.and_then(|text| text.parse().ok()).is_some_and(|n: u64| n > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        let bytes = read(request.into_body(), app).await?;
        let text = std::str::from_utf8(&bytes).map_err(|e| Error::malformed(e.to_string()))?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(Error::malformed("a body is a JSON object"));
        }
        serde_json::from_str(text).map(Self).map_err(|e| Error::malformed(e.to_string()))
    }
}

async fn read(body: Body, app: &App) -> Result<axum::body::Bytes, Error> {
    let whole = pin!(Limited::new(body, BODY_BYTES_MAX).collect());
    match select(whole, app.timer.sleep(BODY_MAX)).await {
        Either::Left((Ok(body), _)) => Ok(body.to_bytes()),
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => Err(too_large()),
        Either::Left((Err(error), _)) => Err(Error::malformed(error.to_string())),
        Either::Right(_) => Err(Error::new(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly")),
    }
}

fn too_large() -> Error {
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 65536 bytes")
}

/// A number judged by its value, so that 5.0 is 5. One too large for 64 bits is the largest, which is out of every range.
#[derive(Clone, Copy, Debug)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number from 0")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Whole, E> {
                if value < 0.0 || value.fract() != 0.0 {
                    return Err(E::invalid_value(serde::de::Unexpected::Float(value), &self));
                }
                Ok(Whole(value as u64))
            }
        }
        from.deserialize_u64(Number)
    }
}
