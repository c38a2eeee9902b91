//! The HTTP contract of all models: routes, answers, bodies. CONTRACT.md describes it.
//!
//! One hyper HTTP/1.1 stack serves every model: tokio drives its connections in `runtime/event_loop/`, OS threads drive
//! the same connections in `runtime/threads/`.

pub(crate) mod socket;
pub(crate) mod watch;

use std::error::Error as _;
use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Workload;
use socket::{BODY_BYTES_MAX, Farewell};
use watch::{Phase, Watch};

/// What is sent back: a status and a JSON body.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    allow: Option<&'static str>,
}

impl Answer {
    /// `status` with `body` as JSON.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("structs of numbers and strings are JSON");
        Self { status, body: body.into(), allow: None }
    }

    /// `{"error": why}`.
    pub(crate) fn error(status: StatusCode, why: impl fmt::Display) -> Self {
        Self::json(status, &Failure { error: &why.to_string() })
    }

    /// 400: what was sent is not what the route takes.
    pub(crate) fn malformed(why: impl fmt::Display) -> Self {
        Self::error(StatusCode::BAD_REQUEST, why)
    }

    /// As hyper takes it; `last` asks the peer to send nothing more on this connection.
    pub(crate) fn into_response(self, last: bool) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Health<'a> {
    ready: bool,
    contender: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// An operation of a workload, which may have to wait: its twin answers.
    Operation(Operation),
    /// A question about the server itself, answered at once.
    Plain(Plain),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Payment,
    Distribution,
    /// The id as it came; `None` when it is no number.
    Account(Option<u64>),
    Webhook,
    /// As with an account.
    Gateway(Option<u64>),
    Audit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Health,
    Null,
    Stats,
}

impl Route {
    /// The route of a request, or why there is none.
    pub(crate) fn find(
        workload: Option<Workload>,
        method: &Method,
        path: &str,
    ) -> Result<Self, Answer> {
        let mounted = |of| workload.is_none_or(|workload| workload == of);
        let (route, allow) = match path {
            "/payments" if mounted(Workload::Payment) => {
                (Self::Operation(Operation::Payment), POST)
            }
            "/loyalty/distributions" if mounted(Workload::Loyalty) => {
                (Self::Operation(Operation::Distribution), POST)
            }
            "/null" => (Self::Plain(Plain::Null), GET),
            "/healthz" => (Self::Plain(Plain::Health), GET),
            "/audit" => (Self::Operation(Operation::Audit), GET),
            "/stats" => (Self::Plain(Plain::Stats), GET),
            "/webhooks" => (Self::Operation(Operation::Webhook), POST),
            _ => (Self::Operation(Operation::of_an_id(path, mounted(Workload::Loyalty))?), GET),
        };
        let allowed = match allow {
            POST => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        };
        if allowed {
            return Ok(route);
        }
        let why = format_args!("this route takes {allow}").to_string();
        Err(Answer { allow: Some(allow), ..Answer::error(StatusCode::METHOD_NOT_ALLOWED, why) })
    }
}

impl Operation {
    /// The operation of a path that ends in an id.
    fn of_an_id(path: &str, loyalty: bool) -> Result<Self, Answer> {
        match (path.strip_prefix("/loyalty/accounts/"), path.strip_prefix("/gateway/")) {
            (Some(id), _) if loyalty => Ok(Self::Account(number(id))),
            (_, Some(id)) => Ok(Self::Gateway(number(id))),
            _ => Err(Answer::error(StatusCode::NOT_FOUND, "there is no such route")),
        }
    }
}

/// The number that plain digits spell.
pub(crate) fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

const GET: &str = "GET, HEAD";
pub(crate) const POST: &str = "POST";

/// Whether a request says once whom it is for (RFC 9112, 3.2); HTTP/1.0 need not say it.
pub(crate) fn check(head: &Parts) -> Result<(), Answer> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Answer::malformed("a request of HTTP/1.1 has a header `host`")),
        (Some(_), Some(_)) => Err(Answer::malformed("a request has one header `host`")),
    }
}

/// What is left to do for a connection that hyper is done with; nothing where its peer has been told all.
pub(crate) fn farewell(ended: &hyper::Result<()>, watch: &Watch) -> Option<Farewell> {
    // Any other error is the peer's: it went away, or took too long.
    let no_http = ended.as_ref().is_err_and(hyper::Error::is_parse);
    if !no_http && !watch.refused() {
        return None;
    }
    watch.enter(Phase::Drain);
    // hyper leaves this one to a server that would go on in HTTP/2.
    let http_2 = ended.as_ref().is_err_and(hyper::Error::is_parse_version_h2);
    Some(Farewell::new(if http_2 { HTTP_2 } else { b"" }))
}

/// The answer to the preface of HTTP/2.
const HTTP_2: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 39\r\n\r\n{\"error\":\"this server speaks HTTP/1.1\"}";

pub(crate) fn null() -> Answer {
    Answer { status: StatusCode::OK, body: Bytes::from_static(br#"{"ok":true}"#), allow: None }
}

pub(crate) fn health(name: &str) -> Answer {
    Answer::json(StatusCode::OK, &Health { ready: true, contender: name })
}

/// A body as it comes in. One that fits into a single frame is never copied.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    first: Bytes,
    whole: BytesMut,
}

impl Arriving {
    /// Begins, unless the length that was announced is too large already.
    pub(crate) fn begin(incoming: &Incoming) -> Result<Self, Answer> {
        match incoming.size_hint().lower() <= BODY_BYTES_MAX as u64 {
            true => Ok(Self::default()),
            false => Err(too_large()),
        }
    }

    /// Takes what came next, which may be that nothing more comes.
    pub(crate) fn push(&mut self, frame: hyper::Result<Frame<Bytes>>) -> Result<(), Answer> {
        match frame.map_err(|error| broken(&error))?.into_data() {
            Ok(data) => self.append(data),
            // Trailers say nothing that a route here wants to know.
            Err(_) => Ok(()),
        }
    }

    fn append(&mut self, data: Bytes) -> Result<(), Answer> {
        if self.first.len() + self.whole.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if self.first.is_empty() && self.whole.is_empty() {
            self.first = data;
        } else {
            self.whole.extend_from_slice(&std::mem::take(&mut self.first));
            self.whole.extend_from_slice(&data);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Bytes {
        if self.whole.is_empty() { self.first } else { self.whole.freeze() }
    }
}

fn too_large() -> Answer {
    let why = format_args!("a body has at most {BODY_BYTES_MAX} bytes").to_string();
    Answer::error(StatusCode::PAYLOAD_TOO_LARGE, why)
}

/// The answer to a body that ended early: 408 when its peer was too slow, else 400.
fn broken(error: &hyper::Error) -> Answer {
    let slow = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::TimedOut);
    match slow {
        true => Answer::error(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        false => Answer::malformed("the body did not arrive whole"),
    }
}

/// Reads a JSON number as every language sees it: by its value, so that 5.0 is 5.
///
/// One that is too large for 64 bits becomes `u64::MAX`, which is out of every range.
///
/// # Errors
/// Anything but a whole number from 0.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number from 0")
        }
        fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<u64, E> {
            match value.fract() == 0.0 && value >= 0.0 {
                true => Ok(value as u64),
                false => Err(E::invalid_type(de::Unexpected::Float(value), &self)),
            }
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// Reads a body as a JSON object, or gives the answer that says what is wrong with it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Answer> {
    // serde would take an array for a struct, its fields by position.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Answer::malformed("a body is an object, and this is an array"));
    }
    // Of a field that it ignores, serde would take any bytes.
    let body = str::from_utf8(body).map_err(Answer::malformed)?;
    serde_json::from_str(body).map_err(Answer::malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Number {
        #[serde(deserialize_with = "whole_number")]
        n: u64,
    }

    #[test]
    fn numbers_are_judged_by_value() {
        let read = |text: &str| {
            parse::<Number>(format!("{{\"n\":{text}}}").as_bytes()).ok().map(|number| number.n)
        };
        for (text, value) in
            [("0", 0), ("5.0", 5), ("1e3", 1_000), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(read(text), Some(value), "{text}");
        }
        for out_of_range in ["1e30", "18446744073709551616"] {
            assert_eq!(read(out_of_range), Some(u64::MAX), "{out_of_range}");
        }
        for bad in ["1.5", "\"5\"", "null", "true", "[5]", "1e999", "-1", "-1.0", "05", "NaN", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(parse::<Number>(b" [5]").is_err(), "no fields by position");
    }

    #[test]
    fn routes_follow_the_workload_and_the_method() {
        let find = |workload, method, path: &str| {
            Route::find(workload, &method, path).map_err(|answer| answer.status.as_u16())
        };
        let account = |id| Ok(Route::Operation(Operation::Account(id)));
        assert_eq!(find(None, Method::POST, "/payments"), Ok(Route::Operation(Operation::Payment)));
        assert_eq!(find(Some(Workload::Loyalty), Method::POST, "/payments"), Err(404));
        assert_eq!(find(Some(Workload::Payment), Method::GET, "/loyalty/accounts/7"), Err(404));
        assert_eq!(find(None, Method::HEAD, "/loyalty/accounts/7"), account(Some(7)));
        for id in ["x", "", "+7", "7/", "18446744073709551616"] {
            let path = format!("/loyalty/accounts/{id}");
            assert_eq!(find(None, Method::GET, &path), account(None), "{path}");
        }
        assert_eq!(find(None, Method::GET, "/payments"), Err(405));
        assert_eq!(find(None, Method::DELETE, "/null"), Err(405));
        assert_eq!(find(None, Method::GET, "/"), Err(404));
        let refused = Route::find(None, &Method::GET, "/payments").unwrap_err().into_response(true);
        assert_eq!(refused.headers()[ALLOW], "POST");
        assert_eq!(refused.headers()[CONNECTION], "close");
    }

    #[test]
    fn a_body_arrives_whole_and_only_so_large() {
        let mut one = Arriving::default();
        let data = Bytes::from(vec![7; BODY_BYTES_MAX]);
        one.append(data.clone()).unwrap();
        assert_eq!(one.append(Bytes::from_static(b"x")).unwrap_err().status.as_u16(), 413);
        assert_eq!(one.finish().as_ptr(), data.as_ptr(), "not copied");
        let mut many = Arriving::default();
        for byte in [b"a", b"b", b"c"] {
            many.append(Bytes::from_static(byte)).unwrap();
        }
        assert_eq!(many.finish(), "abc");
    }
}
