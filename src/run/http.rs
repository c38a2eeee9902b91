//! One small GET at a time: readiness and the audit. Never part of a measurement.

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
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match get_once(address, path, left) {
            Ok(body) => return Ok(body),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn get_once(address: SocketAddr, path: &str, within: Duration) -> Result<Vec<u8>, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address, within).map_err(text)?;
    stream.set_read_timeout(Some(within)).map_err(text)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
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
