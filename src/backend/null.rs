//! The control: a server that does nothing, through no HTTP library. What remains is the floor below every contender.
//!
//! One thread, one epoll set, one read and one write for whatever has come. It knows where a request ends
//! (`content-length` only) and answers each with a constant; nothing is checked and nothing has a deadline.

use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};

use memchr::memmem;

use crate::error::{Context as _, Result};
use crate::poll::{EVENTS, Events, LISTENER, Pace, Reactor, SIGNAL};
use crate::poll::{Event, EventFlags, Poll, READABLE, WRITABLE};

/// Bytes of one read. A request that does not fit is no request that the generator sends, and ends its connection.
const READ_BYTES: usize = 64 * 1024;

/// Answers everything until the process is told to stop.
pub(crate) fn serve(name: &str, listener: TcpListener, ready: impl FnOnce()) -> Result<()> {
    let reactor = Reactor::new(listener, Pace::Sleep)?;
    ready();
    NullServer { reactor, answers: Answers::new(name), peers: Vec::new(), free: Vec::new() }
        .run()
        .context(|| "the epoll set failed".into())
}

struct NullServer {
    reactor: Reactor,
    answers: Answers,
    peers: Vec<Option<Caller>>,
    free: Vec<usize>,
}

/// A connection, with what the last read and write left over.
struct Caller {
    stream: TcpStream,
    /// The start of a request whose end has not come.
    half: Vec<u8>,
    /// Bytes of a body that are still to be thrown away.
    skip: usize,
    /// Answers that the peer has no room for yet. Nothing is read while there are any.
    unsent: Vec<u8>,
}

/// Whether a connection goes on.
type Alive = bool;

impl NullServer {
    fn run(mut self) -> io::Result<()> {
        let mut events: Events = [MaybeUninit::uninit(); EVENTS];
        let mut bytes = vec![0; READ_BYTES];
        let mut out = Vec::new();
        loop {
            let ready = self.reactor.wait(&mut events)?;
            for &Event { flags, data } in ready {
                match data.u64() {
                    LISTENER => self.accept(),
                    SIGNAL => return Ok(()),
                    token => self.serve(token as usize, flags, &mut bytes, &mut out),
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Some(stream) = self.reactor.accept() {
            let index = self.free.pop().unwrap_or(self.peers.len());
            let added = self.reactor.poll.add(&stream, index as u64, READABLE);
            let peer = Caller { stream, half: Vec::new(), skip: 0, unsent: Vec::new() };
            if index == self.peers.len() {
                self.peers.push(None);
            }
            match added {
                Ok(()) => self.peers[index] = Some(peer),
                Err(_) => self.free.push(index),
            }
        }
    }

    fn serve(&mut self, index: usize, flags: EventFlags, bytes: &mut [u8], out: &mut Vec<u8>) {
        let Some(peer) = &mut self.peers[index] else {
            return;
        };
        let (poll, token) = (&self.reactor.poll, index as u64);
        let alive = match flags.contains(WRITABLE) && !peer.unsent.is_empty() {
            true => peer.send_rest(poll, token),
            false => peer.answer(&self.answers, poll, token, bytes, out),
        };
        if !alive {
            self.peers[index] = None;
            self.free.push(index);
            self.reactor.closed();
        }
    }
}

impl Caller {
    /// Reads once, and writes once for all the requests that were complete.
    fn answer(
        &mut self,
        answers: &Answers,
        poll: &Poll,
        token: u64,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Alive {
        let kept = self.half.len();
        bytes[..kept].copy_from_slice(&self.half);
        let len = match self.stream.read(&mut bytes[kept..]) {
            Ok(0) => return false,
            Ok(len) => kept + len,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        out.clear();
        let rest = answers.to(&bytes[..len], &mut self.skip, out);
        self.half.clear();
        self.half.extend_from_slice(rest);
        rest.len() < bytes.len() && self.send(out, poll, token)
    }

    fn send(&mut self, out: &[u8], poll: &Poll, token: u64) -> Alive {
        if out.is_empty() {
            return true;
        }
        let sent = match self.stream.write(out) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        if sent == out.len() {
            return true;
        }
        self.unsent.extend_from_slice(&out[sent..]);
        poll.modify(&self.stream, token, WRITABLE).is_ok()
    }

    fn send_rest(&mut self, poll: &Poll, token: u64) -> Alive {
        match self.stream.write(&self.unsent) {
            Ok(sent) => drop(self.unsent.drain(..sent)),
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
        !self.unsent.is_empty() || poll.modify(&self.stream, token, READABLE).is_ok()
    }
}

struct Answers {
    end: memmem::Finder<'static>,
    any: Vec<u8>,
    health: Vec<u8>,
    audit: Vec<u8>,
}

impl Answers {
    fn new(name: &str) -> Self {
        let name = serde_json::to_string(name).expect("a string is JSON");
        let audit = r#"{"money_in_minor":0,"money_out_minor":0,"fees_minor":0,"points_issued":0,"points_held":0,"applied":{"payments":0,"distributions":0,"credits":0,"webhooks":0}}"#;
        Self {
            end: memmem::Finder::new(b"\r\n\r\n"),
            any: ok(r#"{"ok":true}"#),
            health: ok(&format!("{{\"ready\":true,\"contender\":{name}}}")),
            audit: ok(audit),
        }
    }

    /// Puts the answers to the complete requests in `bytes` into `out`, and gives the rest.
    ///
    /// `skip` is how much of a body is still to come.
    fn to<'a>(&self, mut bytes: &'a [u8], skip: &mut usize, out: &mut Vec<u8>) -> &'a [u8] {
        loop {
            let skipped = bytes.len().min(*skip);
            (bytes, *skip) = (&bytes[skipped..], *skip - skipped);
            let Some(end) = self.end.find(bytes) else {
                return bytes;
            };
            let (head, rest) = bytes.split_at(end + 4);
            (bytes, *skip) = (rest, if head[0] == b'G' { 0 } else { content_length(head) });
            out.extend_from_slice(match head {
                [b'G', b'E', b'T', b' ', b'/', b'h', ..] if head.starts_with(b"GET /healthz ") => {
                    &self.health
                }
                [b'G', b'E', b'T', b' ', b'/', b'a', ..] if head.starts_with(b"GET /audit ") => {
                    &self.audit
                }
                _ => &self.any,
            });
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    let len = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The length of the body that follows `head`: 0 when it does not say.
fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    for colon in memchr::memchr_iter(b':', head) {
        let name = &head[(colon + 1).saturating_sub(NAME.len())..=colon];
        if name.eq_ignore_ascii_case(NAME) {
            let value = head[colon + 1..].trim_ascii_start();
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
            return digits.fold(0_usize, |length, digit| {
                length.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
            });
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers to `parts`, fed one after the other as a connection would.
    fn answered(parts: &[&[u8]]) -> String {
        let answers = Answers::new("c");
        let (mut half, mut skip, mut out) = (Vec::new(), 0, Vec::new());
        for part in parts {
            half.extend_from_slice(part);
            half = answers.to(&half, &mut skip, &mut out).to_vec();
        }
        assert!(half.is_empty() && skip == 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_complete_request_is_answered_wherever_it_is_cut() {
        let two = b"POST /payments HTTP/1.1\r\nContent-Length: 5\r\n\r\n\r\n\r\n!GET /healthz HTTP/1.1\r\n\r\n";
        let whole = answered(&[two]);
        assert!(
            whole.contains("{\"ok\":true}") && whole.contains("\"contender\":\"c\""),
            "{whole}"
        );
        assert_eq!(whole.matches("HTTP/1.1 200 OK").count(), 2);
        for cut in 0..two.len() {
            assert_eq!(answered(&[&two[..cut], &two[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn lengths_are_found_in_any_case_and_never_overflow() {
        assert_eq!(
            content_length(b"POST / HTTP/1.1\r\nHost: a:1\r\ncOnTent-LENGTH:  12\r\n\r\n"),
            12
        );
        assert_eq!(content_length(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
        let huge = [b"content-length: ".as_slice(), &[b'9'; 40], b"\r\n\r\n"].concat();
        assert_eq!(content_length(&huge), usize::MAX);
    }
}
