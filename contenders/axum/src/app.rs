//! The router, and what its handlers share.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::rt::Timer;
use serde::Serialize;

use crate::handlers::{gateway, loyalty, payments, plain, webhooks};
use crate::json;
use crate::rules::dataset::Dataset;
use crate::store::{Failed, Store};

pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Gets the status and the body of a URL.
pub type Upstream = dyn Fn(String) -> BoxFuture<Result<(StatusCode, Vec<u8>), String>> + Send + Sync;

pub struct App {
    pub name: &'static str,
    /// What runs the server, with versions.
    pub runtime: String,
    pub data: Dataset,
    pub seed: u64,
    pub signature_rounds: u32,
    pub store: Store,
    /// How many accounts of a distribution are credited at a time.
    pub fan_out: usize,
    /// Its URL, and who calls it.
    pub upstream: Option<(String, Box<Upstream>)>,
    pub timer: Arc<dyn Timer + Send + Sync>,
}

pub fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(plain::health))
        .route("/null", get(plain::null))
        .route("/audit", get(plain::audit))
        .route("/payments", post(payments::pay))
        .route("/loyalty/distributions", post(loyalty::distribute))
        .route("/loyalty/accounts/{id}", get(loyalty::account))
        .route("/webhooks", post(webhooks::receive))
        .route("/gateway/{id}", get(gateway::get))
        .method_not_allowed_fallback(async || {
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes other methods")
        })
        .fallback(async || Error::not_found("there is no such route"))
        .with_state(Arc::new(app))
}

/// An error as its client gets it.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    message: String,
}

impl Error {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn unprocessable(message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        eprintln!("the store failed: {failed}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        json::answer(self.status, Body { error: self.message })
    }
}
