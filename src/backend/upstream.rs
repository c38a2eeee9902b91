//! `GET /upstream/{id}` over HTTP/1.1 as a state machine: bytes in, bytes out, and no socket.

use std::fmt::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};

use serde::Deserialize;

use super::runtime::{Buffers, ClientError, Protocol};
use crate::error::{Error, Result};

const HEADERS_MAX: usize = 32;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What an upstream answers. Fields that it does not name are ignored.
#[derive(Deserialize)]
struct Upstream {
    value: u64,
}

#[derive(Debug)]
pub(crate) struct Exchange {
    buffers: Buffers,
    host: Host,
}

#[derive(Clone, Debug)]
pub(crate) struct Host(String);

/// The address of an upstream and its name, from its URL.
///
/// # Errors
/// No `http://` URL, or a host without an address.
pub(crate) fn host(text: &str) -> Result<(SocketAddr, Host)> {
    let wrong = |what: &str| {
        Error::usage(format!("the upstream's URL `{text}` {what}"))
            .help("write it as http://127.0.0.1:PORT")
    };
    let name = text.strip_prefix("http://").ok_or_else(|| wrong("does not start with http://"))?;
    let name = name.trim_end_matches('/');
    let mut addresses = name
        .to_socket_addrs()
        .map_err(|error| wrong(&format!("names no host and port: {error}")))?;
    let address = addresses.next().ok_or_else(|| wrong("names a host without an address"))?;
    Ok((address, Host(name.to_owned())))
}

impl Protocol for Exchange {
    type Target = Host;
    type Question<'a> = u64;
    type Answer = u64;

    fn begin(host: &Host) -> Self {
        Self { buffers: Buffers::default(), host: host.clone() }
    }

    fn greet(&mut self) -> std::result::Result<bool, ClientError> {
        Ok(true)
    }

    fn ask(&mut self, id: u64) {
        let host = &self.host.0;
        write!(self.buffers.outgoing, "GET /upstream/{id} HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .expect("a buffer grows");
    }

    fn answer(&mut self) -> std::result::Result<Option<u64>, ClientError> {
        let incoming = &mut self.buffers.incoming;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let head = response.parse(incoming).map_err(|_| ClientError::garbled("this is no HTTP"))?;
        let httparse::Status::Complete(head) = head else {
            return bounded(incoming.len());
        };
        let length = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
            .filter(|length| *length <= ANSWER_BYTES_MAX)
            .ok_or_else(|| ClientError::garbled("an answer without a length, or too long"))?;
        let status = response.code.unwrap_or_default();
        if incoming.len() < head + length {
            return bounded(incoming.len());
        }
        let answer = incoming.split_to(head + length);
        if status != 200 {
            return Err(ClientError::Refused(format!("it answered {status}")));
        }
        let upstream: Upstream = serde_json::from_slice(&answer[head..])
            .map_err(|_| ClientError::garbled("an answer that is not the contract's"))?;
        Ok(Some(upstream.value))
    }

    fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }
}

/// Not whole yet, unless it never can be.
fn bounded(so_far: usize) -> std::result::Result<Option<u64>, ClientError> {
    if so_far > ANSWER_BYTES_MAX + 8 * 1024 {
        return Err(ClientError::garbled("an answer without end"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_come_in_pieces_and_the_next_behind_it() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"id\":7,\"value\":9}";
        let mut twice = text.to_vec();
        twice[33..35].copy_from_slice(b"18");
        let whole = twice.clone();
        twice.extend_from_slice(&whole);
        let mut exchange = Exchange::begin(&Host("x".into()));
        for (at, byte) in twice.iter().enumerate() {
            exchange.buffers.incoming.extend_from_slice(&[*byte]);
            let answer = exchange.answer().unwrap();
            assert_eq!(answer, ((at + 1) % whole.len() == 0).then_some(9), "byte {at}");
        }
    }

    #[test]
    fn another_status_is_a_refusal_and_garbage_ends_the_connection() {
        let mut exchange = Exchange::begin(&Host("x".into()));
        let mut after = |text: &str| {
            exchange.buffers.incoming.clear();
            exchange.buffers.incoming.extend_from_slice(text.as_bytes());
            exchange.answer()
        };
        let refused = after("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
        assert!(matches!(refused, Err(ClientError::Refused(why)) if why.contains("503")));
        for garbage in ["no HTTP at all\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(matches!(after(garbage), Err(ClientError::Lost(_))), "{garbage}");
        }
    }
}
