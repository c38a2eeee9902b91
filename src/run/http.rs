//! One small question at a time: readiness, the audit, what a server says of itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// No answer read here is longer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The body of a 200 answer. Tries again until `within` is over, for a server that is about to listen.
///
/// # Errors
/// The last reason why there was no such answer.
pub(crate) fn get(address: SocketAddr, path: &str, within: Duration) -> Result<Vec<u8>, String> {
    ask("GET", address, path, within)
}

/// The same with another method and no body.
///
/// # Errors
/// The last reason why there was no such answer.
pub(crate) fn ask(
    method: &str,
    address: SocketAddr,
    path: &str,
    within: Duration,
) -> Result<Vec<u8>, String> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match once(method, address, path, left) {
            Ok(body) => return Ok(body),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The same, asked once: of a server that is there, and may not know `path`.
///
/// # Errors
/// Why there was no such answer.
pub(crate) fn once(
    method: &str,
    address: SocketAddr,
    path: &str,
    within: Duration,
) -> Result<Vec<u8>, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address, within).map_err(text)?;
    stream.set_read_timeout(Some(within)).map_err(text)?;
    // A length, for a method that usually has a body.
    let length = if method == "GET" { "" } else { "content-length: 0\r\n" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{length}connection: close\r\n\r\n"
    )
    .map_err(text)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(text)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(&answer) {
        Ok(httparse::Status::Complete(length)) if head.code == Some(200) => {
            Ok(answer.split_off(length))
        }
        Ok(httparse::Status::Complete(_)) => {
            Err(format!("{path} answers {}", head.code.unwrap_or(0)))
        }
        _ => Err(format!("{path} answers no HTTP")),
    }
}
