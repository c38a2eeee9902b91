pub mod gateway;
pub mod loyalty;
pub mod payments;
pub mod plain;
pub mod webhooks;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::app::{App, Error};

type Shared = State<Arc<App>>;
type Answer = Result<Response, Error>;
