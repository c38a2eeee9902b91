//! HTTP/1.1 on the same port: the upstream service of a gateway, and the stand-in's own controls.

use std::io::Write as _;

use httparse::{EMPTY_HEADER, Request, Status};
use serde_json::{Value, json};

use super::dial::{Fate, Promise};
use super::stats::StatementKind;
use super::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, OUTPUT_BYTES_MAX, World};
use crate::sql::Class;
use crate::standin::step::{ConnectionRefusal, Input, Step};
use crate::units::Nanos;

/// A connection that speaks HTTP.
#[derive(Debug)]
pub(super) struct HttpConversation {
    waiting: Option<WaitingRequest>,
    /// Bytes of a body that are still to be thrown away.
    skip: usize,
    /// When the answer before was due.
    free: Nanos,
    refused: Option<ConnectionRefusal>,
}

/// A lookup that has begun.
#[derive(Clone, Copy, Debug)]
struct WaitingRequest {
    promise: Promise,
    id: u32,
    last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Upstream(u32),
    Health,
    Stats,
    Window,
}

/// A head as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    asked: Result<Asked, u16>,
    /// Bytes of the body that follows.
    body: usize,
    /// Whether the client wants no other answer on this connection.
    last: bool,
}

impl HttpConversation {
    pub(super) fn new(refused: Option<ConnectionRefusal>) -> Self {
        Self { waiting: None, skip: 0, free: Nanos(0), refused }
    }

    /// Answers whatever can be answered by `now`; one request at a time, in their order.
    pub(super) fn advance(
        &mut self,
        input: &mut Input,
        now: Nanos,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Step {
        loop {
            if out.len() > OUTPUT_BYTES_MAX {
                return Step::Write;
            }
            if let Some(waiting) = self.waiting {
                if waiting.promise.due > now {
                    return Step::Wait { until: waiting.promise.due, flush: !out.is_empty() };
                }
                self.waiting = None;
                self.free = waiting.promise.due;
                if waiting.finish(world, out) {
                    return Step::Close;
                }
            }
            let skipped = self.skip.min(input.rest().len());
            input.take(skipped);
            self.skip -= skipped;
            let head = match parse(input) {
                Ok(None) => return Step::Read,
                Ok(Some(head)) => head,
                Err(status) => {
                    refuse(out, status, true);
                    return Step::Close;
                }
            };
            self.skip = head.body;
            if self.answer(&head, input.arrived(), world, out) && self.waiting.is_none() {
                return Step::Close;
            }
        }
    }

    /// Answers a head, or begins to; gives whether the connection ends with it.
    fn answer(
        &mut self,
        head: &Head,
        arrived: Nanos,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> bool {
        let asked = match self.refused {
            None => head.asked,
            Some(ConnectionRefusal::TooMany) => Err(503),
            Some(ConnectionRefusal::NoTarget) => Err(502),
        };
        let last = head.last || self.refused.is_some();
        match asked {
            Ok(Asked::Upstream(id)) => {
                world.stats.count(StatementKind::Upstream);
                let promise = world.dial.begin(Class::Lookup, self.free.max(arrived));
                self.waiting = Some(WaitingRequest { promise, id, last });
            }
            Ok(Asked::Health) => {
                respond(out, 200, &json!({"ready": true, "name": world.name}), last)
            }
            Ok(Asked::Stats) => respond(out, 200, &world.stats.json(world.connections), last),
            Ok(Asked::Window) => {
                world.start_window(arrived);
                respond(out, 200, &json!({"ok": true}), last);
            }
            Err(status) => refuse(out, status, last),
        }
        last
    }
}

impl WaitingRequest {
    /// Answers the lookup; gives whether the connection ends with it.
    fn finish(self, world: &mut World, out: &mut Vec<u8>) -> bool {
        if self.promise.fate == Fate::Drop {
            return true;
        }
        world.stats.answers(self.promise.due);
        match self.promise.fate {
            Fate::Fail => refuse(out, 503, self.last),
            // By hand, since it is written for every request of a trial.
            _ => {
                let (mut body, value) = ([0; BODY_BYTES], world.data.upstream_value(self.id));
                let mut rest = &mut body[..];
                write!(rest, "{{\"id\":{},\"value\":{value}}}", self.id).expect("two numbers fit");
                let left = rest.len();
                head(out, 200, BODY_BYTES - left, self.last);
                out.extend_from_slice(&body[..BODY_BYTES - left]);
            }
        }
        self.last
    }
}

/// Two numbers of ten digits, and what stands around them.
const BODY_BYTES: usize = 48;

/// Reads one head. `None` when it has not come whole.
///
/// # Errors
/// The status of the last answer on this connection.
fn parse(input: &mut Input) -> Result<Option<Head>, u16> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let rest = input.rest();
    let len = match request.parse(&rest[..rest.len().min(HEAD_BYTES_MAX)]) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if rest.len() >= HEAD_BYTES_MAX => return Err(431),
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    let mut head = Head {
        asked: asked(request.method.unwrap_or_default(), request.path.unwrap_or_default()),
        body: 0,
        last: request.version == Some(0),
    };
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
            head.body = length.ok_or(400_u16)?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(411);
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.last |= header.value.eq_ignore_ascii_case(b"close");
        }
    }
    if head.body > BODY_BYTES_MAX {
        return Err(413);
    }
    input.take(len);
    Ok(Some(head))
}

fn asked(method: &str, path: &str) -> Result<Asked, u16> {
    let (asked, allowed) = match path {
        "/healthz" => (Asked::Health, "GET"),
        "/stats" => (Asked::Stats, "GET"),
        "/window" => (Asked::Window, "POST"),
        _ => {
            let id = path.strip_prefix("/upstream/").filter(|id| !id.starts_with('+'));
            (Asked::Upstream(id.and_then(|id| id.parse().ok()).ok_or(404_u16)?), "GET")
        }
    };
    if method == allowed { Ok(asked) } else { Err(405) }
}

fn refuse(out: &mut Vec<u8>, status: u16, last: bool) {
    let why = match status {
        400 => "this is no HTTP/1.1 request",
        404 => "there is GET /upstream/{id}, GET /healthz, GET /stats and POST /window",
        405 => "this route takes another method",
        411 => "a body needs a content-length",
        413 => "the body is too long",
        431 => "the head is too long",
        502 => ConnectionRefusal::NO_TARGET,
        _ => "the stand-in refuses this, because of a fault or of too many connections",
    };
    respond(out, status, &json!({"error": why}), last);
}

fn respond(out: &mut Vec<u8>, status: u16, body: &Value, last: bool) {
    let body = body.to_string();
    head(out, status, body.len(), last);
    out.extend_from_slice(body.as_bytes());
}

fn head(out: &mut Vec<u8>, status: u16, length: usize, last: bool) {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    };
    let close = if last { "connection: close\r\n" } else { "" };
    write!(
        out,
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{close}\r\n"
    )
    .expect("memory takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::Settings;
    use crate::standin::server::Conversation as Any;
    use crate::standin::step::Key;

    /// Feeds `parts` at 1 ms each to a world whose lookups take 50 ms; gives what came out and the instants of it.
    fn talk(parts: &[&[u8]], faults: &[&str]) -> (String, Vec<(u64, usize)>, Step) {
        let mut world = World::new(&Settings {
            lookup: "50ms".parse().unwrap(),
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..Settings::default()
        });
        let (mut session, mut out, mut writes) =
            (Any::new(Key { id: 1, secret: 0 }, None), Vec::new(), Vec::new());
        let mut step = Step::Read;
        for (at, part) in (1..).zip(parts) {
            session.receive(part, Nanos(at * 1_000_000));
            step = session.advance(Nanos(at * 1_000_000), &mut world, &mut out);
        }
        while let Step::Wait { until, .. } = step {
            let before = out.len();
            step = session.advance(until, &mut world, &mut out);
            writes.push((until.0 / 1_000_000, out.len() - before));
        }
        (String::from_utf8(out).unwrap(), writes, step)
    }

    #[test]
    fn pipelined_lookups_wait_one_after_the_other_wherever_they_are_cut() {
        let two = b"GET /upstream/7 HTTP/1.1\r\n\r\nGET /upstream/8 HTTP/1.1\r\nhost: a\r\n\r\n";
        let (whole, writes, step) = talk(&[two], &[]);
        assert_eq!(writes.iter().map(|write| write.0).collect::<Vec<_>>(), [51, 101]);
        assert_eq!((whole.matches("200 OK").count(), step), (2, Step::Read));
        let value = World::new(&Settings::default()).data.upstream_value(7);
        assert!(
            whole.contains(&format!("\r\n\r\n{{\"id\":7,\"value\":{value}}}HTTP/1.1 200")),
            "{whole}"
        );
        for cut in 1..two.len() {
            assert_eq!(talk(&[&two[..cut], &two[cut..]], &[]).0, whole, "cut at {cut}");
        }
    }

    #[test]
    fn controls_are_answered_at_once() {
        let (text, writes, _) = talk(
            &[b"POST /window HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET /healthz HTTP/1.1\r\n\r\nGET /stats HTTP/1.1\r\n\r\n"],
            &["stall=9s@0s"],
        );
        assert_eq!((text.matches("200 OK").count(), writes.len()), (3, 0));
        assert!(text.contains("{\"name\":\"standin\",\"ready\":true}"), "{text}");
        assert!(text.contains("\"upstream\":0"), "{text}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (text, status, step) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "404", Step::Read),
            (b"GET /upstream/x HTTP/1.1\r\n\r\n", "404", Step::Read),
            (b"GET /upstream/+1 HTTP/1.1\r\n\r\n", "404", Step::Read),
            (b"GET /upstream/4294967296 HTTP/1.1\r\n\r\n", "404", Step::Read),
            (b"DELETE /upstream/1 HTTP/1.1\r\n\r\n", "405", Step::Read),
            (b"GET /window HTTP/1.0\r\n\r\n", "405", Step::Close),
            (b"GET /stats HTTP/1.1\r\nConnection: Close\r\n\r\n", "200", Step::Close),
            (b"POST /window HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", "411", Step::Close),
            (b"POST /window HTTP/1.1\r\ncontent-length: 65537\r\n\r\n", "413", Step::Close),
            (b"POST /window HTTP/1.1\r\ncontent-length: x\r\n\r\n", "400", Step::Close),
            (b"\x16\x03\x01 tls\r\n\r\n", "400", Step::Close),
        ] {
            let (answer, _, last) = talk(&[text], &[]);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(last, step, "{answer}");
        }
        let long = [b"GET /".as_slice(), &[b'a'; HEAD_BYTES_MAX]].concat();
        assert!(talk(&[&long], &[]).0.starts_with("HTTP/1.1 431 "));
    }

    #[test]
    fn faults_reach_lookups() {
        let one = b"GET /upstream/7 HTTP/1.1\r\n\r\n";
        let (failed, _, step) = talk(&[one], &["errors=100%@0s+1s"]);
        assert!(failed.starts_with("HTTP/1.1 503 ") && step == Step::Read, "{failed}");
        let (dropped, _, step) = talk(&[one], &["drop=100%@0s+1s"]);
        assert_eq!((dropped.as_str(), step), ("", Step::Close));
        assert_eq!(talk(&[one], &["stall=1s@20ms"]).1[0].0, 1_021);
    }
}
