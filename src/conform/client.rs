//! A client that reads HTTP/1.1 exactly and forgives nothing: what it accepts, any client accepts.

use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::server::{CAME, PATIENCE, TestedServer};

/// A request with the headers that every client sends. An empty `body` sends no length either.
pub fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n{body}").into_bytes()
}

/// One connection.
pub struct RawClient {
    stream: TcpStream,
    /// Bytes that have come and belong to no answer yet.
    buffer: Vec<u8>,
    /// Whether the server may close after a refusal; then the next request takes another connection.
    closes_after_refusals: bool,
    is_over: bool,
}

impl RawClient {
    /// Connects to `server`.
    pub fn to(server: &TestedServer) -> Self {
        let closes_after_refusals = server.closes_after_refusals;
        let stream = connect(server.address()).expect("the server accepts");
        Self { stream, buffer: Vec::new(), closes_after_refusals, is_over: false }
    }

    /// Sends `bytes` as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the server takes the bytes");
    }

    /// The same where the server may have closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.is_over {
            self.expect_closed();
            self.stream = connect(self.stream.peer_addr()?)?;
            self.is_over = false;
        }
        self.stream.write_all(bytes)
    }

    /// Keeps little of what comes, and lets [`Self::try_send`] fail when the server has taken nothing for `wait`.
    pub fn go_deaf(&self, wait: Duration) {
        rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, 4096)
            .expect("a small buffer");
        self.stream.set_write_timeout(Some(wait)).expect("a write timeout");
    }

    /// Whether the server has taken all that was sent: the kernel keeps nothing for it, on either side.
    pub fn is_taken(&self) -> bool {
        let socket = |address: std::io::Result<SocketAddr>| {
            format!("0100007F:{:04X}", address.expect("it is connected").port())
        };
        let (own, server) = (socket(self.stream.local_addr()), socket(self.stream.peer_addr()));
        // A server may listen with a socket that takes IPv6 as well.
        let table = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
        let table = table.map(Result::unwrap_or_default).concat();
        let table = table.replace("0000000000000000FFFF00000100007F", "0100007F");
        // A number, the local and the remote address, a state, bytes to send and bytes to read.
        let queues = |from: &str, to: &str| {
            let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let row = rows.find(|row| row.len() > 4 && (row[1], row[2]) == (from, to))?;
            Some(row[4].to_owned())
        };
        let sent = queues(&own, &server).is_some_and(|queues| queues.starts_with("00000000:"));
        sent && queues(&server, &own).is_some_and(|queues| queues.ends_with(":00000000"))
    }

    /// `GET path` and its answer.
    pub fn get(&mut self, path: &str) -> RawAnswer {
        self.ask("GET", path, "")
    }

    /// `POST path` with `body` and its answer.
    pub fn post(&mut self, path: &str, body: &str) -> RawAnswer {
        self.ask("POST", path, body)
    }

    /// A request and its answer, with nothing behind it.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> RawAnswer {
        self.send(&request(method, path, body));
        let answer = if method == "HEAD" { self.receive_bodiless() } else { self.receive() };
        assert!(self.buffer.is_empty(), "stray bytes: {:?}", self.buffered());
        answer
    }

    /// The next answer.
    pub fn receive(&mut self) -> RawAnswer {
        self.try_receive()
            .unwrap_or_else(|defect| panic!("{defect}; after {:?}", self.buffered()))
            .unwrap_or_else(|| panic!("closed without an answer"))
    }

    /// The next answer, which has no body whatever its headers say: that of a HEAD, or an interim one.
    pub fn receive_bodiless(&mut self) -> RawAnswer {
        loop {
            match head(&self.buffer) {
                Ok(Some((answer, length))) => {
                    self.buffer.drain(..length);
                    return answer;
                }
                Ok(None) => {
                    let read = self.fill().expect("the server answers");
                    assert!(read > 0, "closed without an answer");
                }
                Err(defect) => panic!("{defect}; after {:?}", self.buffered()),
            }
        }
    }

    /// The next answer, or `None` when the server closes before its first byte.
    ///
    /// # Errors
    /// Anything that is no exact HTTP/1.1 answer, such as one that breaks off.
    pub fn try_receive(&mut self) -> Result<Option<RawAnswer>, String> {
        loop {
            if let Some((answer, length)) = whole(&self.buffer)? {
                self.buffer.drain(..length);
                let closes = answer.status >= 400 && answer.header("connection") == Some("close");
                self.is_over = self.closes_after_refusals && closes;
                return Ok(Some(answer));
            }
            match self.fill() {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) => return self.last().map(Some),
                Ok(_) => {}
                Err(e) if is_reset(&e) && self.buffer.is_empty() => return Ok(None),
                Err(e) => return Err(format!("no answer: {e}")),
            }
        }
    }

    /// The answer that ends with the connection.
    fn last(&mut self) -> Result<RawAnswer, String> {
        match head(&self.buffer)? {
            Some((mut answer, start)) if answer.ends_with_close() => {
                answer.body = self.buffer.split_off(start);
                self.buffer.clear();
                Ok(answer)
            }
            _ => Err("an answer breaks off".into()),
        }
    }

    /// Waits until the server closes, with no further byte.
    pub fn expect_closed(&mut self) {
        match self.fill() {
            Ok(0) if self.buffer.is_empty() => {}
            Err(e) if is_reset(&e) && self.buffer.is_empty() => {}
            other => panic!("not closed: {other:?}, {:?}", self.buffered()),
        }
    }

    /// Whether the server has closed by now, which may be after a last answer.
    pub fn is_closed_within(&mut self, wait: Duration) -> bool {
        let start = Instant::now();
        self.stream.set_read_timeout(Some(wait)).expect("a read timeout");
        let closed = loop {
            match self.fill() {
                Ok(0) => break true,
                Ok(_) if start.elapsed() < PATIENCE => {}
                Ok(_) => break false,
                Err(e) => break is_reset(&e),
            }
        };
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        closed
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the sending half closes");
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))
            .expect("linger can be set");
    }

    fn fill(&mut self) -> std::io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let read = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read)
    }

    fn buffered(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(500)]).into_owned()
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn is_reset(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Fails a check: what the contract says, and what came.
pub fn differs(expected: impl Display, came: impl Display) -> ! {
    panic!("{expected}{CAME}{came}")
}

#[derive(Clone, Debug, PartialEq)]
pub struct RawAnswer {
    pub status: u16,
    /// In lower case, in their order.
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The value of the one header `name`, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| &**value);
        let value = values.next();
        assert!(values.next().is_none(), "two headers {name}: {:?}", self.headers);
        value
    }

    /// Whether its body ends with the connection: leave that a server has only when it refuses what is no HTTP.
    fn ends_with_close(&self) -> bool {
        matches!(self.status, 400 | 431 | 505)
            && self.header("connection") == Some("close")
            && self.header("content-length").is_none()
    }

    /// The JSON body.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "content-type {kind:?} of {text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }

    /// Checks the status and the whole JSON body.
    pub fn expect(&self, status: u16, body: Value) {
        let came = (self.status, self.json());
        if came != (status, body.clone()) {
            differs(format_args!("{status} {body}"), format_args!("{} {}", came.0, came.1));
        }
    }

    /// Checks that this is an error of `status` that says what is wrong.
    pub fn expect_error(&self, status: u16) {
        let body = self.json();
        let message = body["error"].as_str().unwrap_or_default();
        let fields = body.as_object().map_or(0, serde_json::Map::len);
        if self.status != status || message.is_empty() || fields != 1 {
            let came = format_args!("{} {body}", self.status);
            differs(format_args!("{status} {{\"error\":\"..\"}}"), came);
        }
    }
}

/// The answer at the start of `bytes` and its length, once it is all there.
fn whole(bytes: &[u8]) -> Result<Option<(RawAnswer, usize)>, String> {
    let Some((mut answer, start)) = head(bytes)? else { return Ok(None) };
    if answer.header("transfer-encoding").is_some() {
        return Err("a small JSON answer needs no transfer coding".into());
    }
    if answer.ends_with_close() {
        return Ok(None);
    }
    let length = answer.header("content-length").ok_or("no content-length")?;
    if !length.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("content-length {length:?}"));
    }
    let end = start + length.parse::<usize>().map_err(|e| format!("{length:?}: {e}"))?;
    if bytes.len() < end {
        return Ok(None);
    }
    answer.body = bytes[start..end].to_vec();
    Ok(Some((answer, end)))
}

/// The status line and headers at the start of `bytes` and their length, once they are all there.
fn head(bytes: &[u8]) -> Result<Option<(RawAnswer, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|e| e.to_string())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(status).ok_or_else(|| format!("status line of {text:?}"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("header {line:?}"))?;
        let odd = |c: char| !c.is_ascii_alphanumeric() && c != '-';
        if name.is_empty() || name.contains(odd) || value.contains(['\r', '\n']) {
            return Err(format!("header {line:?}"));
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(Some((RawAnswer { status, headers, body: Vec::new() }, end + 4)))
}

/// `HTTP/1.1 200 OK`: version, three digits, a reason.
fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let (code, _reason) = rest.split_once(' ')?;
    (code.len() == 3).then(|| code.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reader itself must refuse what is not exact, or every test that uses it is worth nothing.
    #[test]
    fn the_reader_forgives_nothing() {
        let good = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1";
        let (answer, length) = whole(good).unwrap().unwrap();
        assert_eq!((answer.status, &*answer.body, length), (200, &b"ok"[..], good.len() - 8));
        assert_eq!(whole(&good[..good.len() - 9]), Ok(None));
        for bad in [
            "HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ncontent length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(whole(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
