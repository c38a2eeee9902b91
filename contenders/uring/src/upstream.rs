//! Calls of the upstream: hyper's client on compio, with the idle connections of each thread.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header::HOST};
use axum_contender::{BoxFuture, Upstream};
use compio::net::TcpStream;
use compio::time::timeout;
use cyper_core::HyperStream;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use send_wrapper::SendWrapper;
use tokio::sync::Semaphore;

/// For a whole answer.
const UPSTREAM_MAX: Duration = Duration::from_secs(10);
const UPSTREAM_BYTES_MAX: usize = 64 << 10;

type Connection = SendRequest<Empty<Bytes>>;
type Answer = Result<(StatusCode, Vec<u8>), String>;

thread_local! {
    static IDLE: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
    /// As many permits as this thread may have connections, once it has called.
    static FREE: RefCell<Option<&'static Semaphore>> = const { RefCell::new(None) };
}

/// The upstream at a URL, which each thread calls over at most so many connections.
pub fn to(url: &str, connections: usize) -> Result<(String, Box<Upstream>), String> {
    let url = url.trim_end_matches('/').to_owned();
    let uri: Uri = url.parse().map_err(|error| format!("BAKEOFF_UPSTREAM_URL: {error}"))?;
    let address: SocketAddr = uri
        .authority()
        .and_then(|authority| authority.as_str().parse().ok())
        .ok_or_else(|| format!("BAKEOFF_UPSTREAM_URL must be http://ADDRESS:PORT, not {url}"))?;
    let get = move |url: String| -> BoxFuture<Answer> {
        // It is polled by the thread that called it, as everything here.
        Box::pin(SendWrapper::new(async move {
            let answer = timeout(UPSTREAM_MAX, get(address, connections, url)).await;
            answer.unwrap_or_else(|_| Err("the upstream does not answer".into()))
        }))
    };
    Ok((url, Box::new(get)))
}

async fn get(address: SocketAddr, connections: usize, url: String) -> Answer {
    let free = FREE.with_borrow_mut(|free| {
        *free.get_or_insert_with(|| Box::leak(Box::new(Semaphore::new(connections))))
    });
    let _free = free.acquire().await.map_err(|error| error.to_string())?;
    let said = |error: hyper::Error| error.to_string();
    let mut connection = connect(address).await?;
    let path = url.parse::<Uri>().map_err(|error| error.to_string())?;
    let path = path.path().to_owned();
    let request = Request::get(path).header(HOST, address.to_string()).body(Empty::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = connection.send_request(request).await.map_err(said)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), UPSTREAM_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes().to_vec();
    IDLE.with_borrow_mut(|idle| idle.push(connection));
    Ok((status, body))
}

/// An idle connection, or a new one.
async fn connect(address: SocketAddr) -> Result<Connection, String> {
    while let Some(mut connection) = IDLE.with_borrow_mut(Vec::pop) {
        if connection.ready().await.is_ok() {
            return Ok(connection);
        }
    }
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) =
        handshake(HyperStream::new_plain(stream)).await.map_err(|error| error.to_string())?;
    compio::runtime::spawn(async move { _ = connection.await }).detach();
    Ok(sender)
}
