//! What a server on this router does on whatever runtime: its process begins, and serves connections.

use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use futures_util::future::{Either, select};
use hyper::rt::{Read, Timer, Write};
use hyper::server::conn::http1::Builder;
use hyper_util::service::TowerToHyperService;

use crate::config::Config;

/// How long a client may take from a response, or from the start, to the end of its next head.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// How long requests in progress may take once the server is told to stop.
pub const STOP_MAX: Duration = Duration::from_secs(5);
/// Beyond it a head is answered with 431.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Runs `server` as the environment says, and gives the exit code of its process.
pub fn process(server: impl FnOnce(Config) -> Result<(), String>) -> ExitCode {
    match Config::from_env().and_then(server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Says where the server listens.
pub fn announce(address: SocketAddr) {
    // A reader of stdout may go away.
    let _ = std::io::stdout().write_all(format!("listening {address}\n").as_bytes());
}

/// Serves a connection to its end, or until its last response after `stop`.
pub async fn connection(
    io: impl Read + Write + Unpin,
    router: Router,
    timer: impl Timer + Send + Sync + 'static,
    stop: impl Future,
) {
    let mut builder = Builder::new();
    builder.timer(timer).header_read_timeout(IDLE_MAX);
    builder.half_close(true).max_header_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(router)));
    // An error is the client's: it has gone, or sent what is no HTTP and was told so.
    match select(connection.as_mut(), pin!(stop)).await {
        Either::Left(_) => {}
        Either::Right(_) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
