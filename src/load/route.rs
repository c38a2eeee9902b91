//! A route of any service: its request put together at the start, its fields filled in for every k.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::check::BodyCheck;
use super::check::{Expect, Statuses};
use super::template::{Draws, Template, push_integer};
use crate::error::Result;
use crate::load::template::{InvalidRequest, check_header, check_method, check_path, has_length};
use crate::record::carried;

/// Lines of a file with a body a line.
const LINES_MAX: usize = 1_000_000;
/// Bytes of a file of bodies: all of them are held in memory.
pub const BODIES_BYTES_MAX: usize = 16 << 20;

/// One kind of request to anyone's service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Route {
    /// The kind's name in reports.
    pub name: String,
    pub method: String,
    pub path: Template,
    pub headers: Vec<(String, Template)>,
    pub body: Body,
    /// Answers with another status are errors.
    pub status: Statuses,
    /// And so are those with another body.
    pub expect_body: Option<BodyCheck>,
}

/// The body of a route's requests.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Body {
    /// Written for each request; may be empty.
    Template(Template),
    /// One of these as it is, each as likely.
    OneOf(Bodies),
}

/// The bodies of a file: one, or one a line. Cheap to clone.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bodies {
    #[serde(with = "carried::shared")]
    lines: Arc<[Box<[u8]>]>,
    digest: String,
}

impl Bodies {
    /// Takes `text` apart at its newlines, leaving out empty lines.
    ///
    /// # Errors
    /// When there is no line, or too much of them.
    pub fn read(text: &[u8]) -> std::result::Result<Self, InvalidRequest> {
        let lines = text.split(|&byte| byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines: Arc<[Box<[u8]>]> =
            lines.filter(|line| !line.is_empty()).map(Box::from).take(LINES_MAX + 1).collect();
        if text.len() > BODIES_BYTES_MAX || lines.len() > LINES_MAX {
            let title =
                format!("more than {BODIES_BYTES_MAX} bytes or {LINES_MAX} lines of bodies");
            return Err(InvalidRequest::new(title).help("a sample of them makes the same load"));
        }
        if lines.is_empty() {
            return Err(InvalidRequest::new("no body in this file").help("write one body per line"));
        }
        Ok(Self { lines, digest: digest(text) })
    }

    /// Takes `text` as one body, byte for byte.
    ///
    /// # Errors
    /// When there is nothing in it, or too much.
    pub fn whole(text: &[u8]) -> std::result::Result<Self, InvalidRequest> {
        if text.is_empty() {
            return Err(InvalidRequest::new("no body in this file")
                .help("a request without a body has no `body_file`"));
        }
        if text.len() > BODIES_BYTES_MAX {
            return Err(InvalidRequest::new(format!(
                "a body of more than {BODIES_BYTES_MAX} bytes"
            )));
        }
        Ok(Self { lines: [Box::from(text)].into(), digest: digest(text) })
    }
}

/// First 16 digits of the SHA-256.
fn digest(text: &[u8]) -> String {
    Sha256::digest(text).into_iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The digest and not the bodies: a scenario's fingerprint is made of what this prints.
impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bodies({} of {})", self.lines.len(), self.digest)
    }
}

/// A route ready to be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Up to the length of the body, or where there is none up to the body.
    head: Template,
    body: Body,
    has_length: bool,
    pub(crate) expect: Expect,
    /// Whether its answers have no body whatever their heads say.
    pub(crate) is_head: bool,
    /// The whole request, where it is the same each time.
    pub(crate) constant: Option<Vec<u8>>,
}

impl Prepared {
    /// Puts the head together; `close` asks for the connection's end after each answer.
    pub(crate) fn new(route: &Route, host: &str, close: bool) -> Result<Self> {
        check_method(&route.method).map_err(InvalidRequest::into_error)?;
        check_path(&route.path, "this path").map_err(InvalidRequest::into_error)?;
        let mut head = Template::default();
        head.literal(&format!("{} ", route.method));
        head.append(&route.path);
        head.literal(" HTTP/1.1\r\nhost: ");
        let is_host = |name: &str| name.eq_ignore_ascii_case("host");
        match route.headers.iter().find(|(name, _)| is_host(name)) {
            Some((_, own)) => head.append(own),
            None => head.literal(host),
        }
        head.literal("\r\n");
        for (name, value) in &route.headers {
            check_header(name, value).map_err(InvalidRequest::into_error)?;
            if is_host(name) {
                continue;
            }
            head.literal(&format!("{name}: "));
            head.append(value);
            head.literal("\r\n");
        }
        if close {
            head.literal("connection: close\r\n");
        }
        let empty = matches!(&route.body, Body::Template(body) if body.constant() == Some(b""));
        let has_length = has_length(&route.method, empty);
        head.literal(if has_length { "content-length: " } else { "\r\n" });
        let body = match &route.body {
            Body::Template(template) => {
                let mut body = Template::default();
                body.append(template);
                Body::Template(body)
            }
            Body::OneOf(bodies) => Body::OneOf(bodies.clone()),
        };
        let mut prepared = Self {
            head,
            body,
            has_length,
            expect: Expect::of(route.status, route.expect_body.clone()),
            is_head: route.method == "HEAD",
            constant: None,
        };
        prepared.constant = prepared.same_each_time();
        Ok(prepared)
    }

    /// Writes the request of `draws` into `bytes`, by way of `body`; both are empty. Its fields are counted from `place`.
    pub(crate) fn write(
        &self,
        draws: &Draws<'_>,
        mut place: u64,
        bytes: &mut Vec<u8>,
        body: &mut Vec<u8>,
    ) {
        self.head.write(draws, &mut place, bytes);
        let body = match &self.body {
            Body::Template(template) => {
                template.write(draws, &mut place, body);
                &body[..]
            }
            Body::OneOf(bodies) => {
                let index = draws.shared.below(place, bodies.lines.len() as u64);
                &bodies.lines[index as usize]
            }
        };
        self.end(body, bytes);
    }

    /// The length where it is said, and the body.
    fn end(&self, body: &[u8], bytes: &mut Vec<u8>) {
        if self.has_length {
            push_integer(bytes, body.len() as u64);
            bytes.extend_from_slice(b"\r\n\r\n");
        }
        bytes.extend_from_slice(body);
    }

    fn same_each_time(&self) -> Option<Vec<u8>> {
        let body = match &self.body {
            Body::Template(template) => template.constant()?,
            Body::OneOf(bodies) if bodies.lines.len() == 1 => &bodies.lines[0],
            Body::OneOf(_) => return None,
        };
        let mut bytes = self.head.constant()?.to_vec();
        self.end(body, &mut bytes);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ids::PaymentKey;
    use crate::random::Stream;

    fn route(method: &str, path: &str, body: &str) -> Route {
        Route {
            name: "r".into(),
            method: method.into(),
            path: Template::parse(path).unwrap(),
            headers: vec![("idempotency-key".into(), Template::parse("{key}").unwrap())],
            body: Body::Template(Template::parse(body).unwrap()),
            status: Statuses::default(),
            expect_body: None,
        }
    }

    fn written(route: &Route, k: u64) -> String {
        let prepared = Prepared::new(route, "h:1", false).unwrap();
        let shared = Stream::of(1).child(k);
        let (own, key) = (shared.child(1), PaymentKey::new(1, 1, k));
        let draws = Draws { k, shared, own, key, setup: &[], session: &[] };
        let (mut bytes, mut body) = (Vec::new(), Vec::new());
        prepared.write(&draws, 0, &mut bytes, &mut body);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_stand_in_path_headers_and_body() {
        let route = route("POST", "/u/{int:7..7}?k={key}", "{\"n\":{int:10..99}}");
        let text = written(&route, 3);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let key = PaymentKey::new(1, 1, 3);
        let key = key.as_str();
        assert_eq!(
            head,
            format!(
                "POST /u/7?k={key} HTTP/1.1\r\nhost: h:1\r\nidempotency-key: {key}\r\ncontent-length: 8"
            )
        );
        assert_eq!(body.len(), 8);
        assert_eq!(written(&route, 3), text);
        assert!((0..20).any(|k| !written(&route, k).ends_with(body)));
    }

    #[test]
    fn a_route_without_fields_is_written_once() {
        let plain = Route { headers: Vec::new(), ..route("GET", "/x", "") };
        let prepared = Prepared::new(&plain, "h", true).unwrap();
        let expected = b"GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        assert_eq!(prepared.constant.as_deref(), Some(&expected[..]));
        let post = Route { headers: Vec::new(), ..route("POST", "/x", "hi") };
        let bytes = Prepared::new(&post, "h", false).unwrap().constant.unwrap();
        assert_eq!(bytes, b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi");
        assert!(Prepared::new(&route("GET", "/", ""), "h", false).unwrap().constant.is_none());
    }

    #[test]
    fn a_host_of_ones_own_stands_in_the_place_of_the_address() {
        let host = ("Host".into(), Template::parse("shop.example").unwrap());
        let route = Route { headers: vec![host], ..route("GET", "/x", "") };
        assert_eq!(written(&route, 1), "GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    }

    #[test]
    fn a_file_may_be_one_body() {
        let text = b"{\n  \"id\": 7\n}\n";
        let body = Body::OneOf(Bodies::whole(text).unwrap());
        let route = Route { headers: Vec::new(), body, ..route("POST", "/", "") };
        let prepared = Prepared::new(&route, "h", false).unwrap();
        assert!(prepared.constant.unwrap().ends_with(text), "written once");
        assert!(Bodies::whole(b"").is_err());
        assert!(Bodies::whole(&vec![b'x'; BODIES_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn bodies_of_a_file_are_sent_as_they_are_and_all_of_them() {
        let bodies = Bodies::read(b"{\"a\":1}\r\n\n{uuid}\nlast").unwrap();
        let route = Route { body: Body::OneOf(bodies), ..route("PUT", "/", "") };
        let mut seen: Vec<String> = (0..50)
            .map(|k| written(&route, k).split_once("\r\n\r\n").unwrap().1.to_owned())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, ["last", "{\"a\":1}", "{uuid}"]);
        assert!(Bodies::read(b"\n\r\n").is_err());
        assert!(Bodies::read(&vec![b'x'; BODIES_BYTES_MAX + 1]).is_err());
        let other = Bodies::read(b"other").unwrap();
        assert_ne!(format!("{other:?}"), format!("{:?}", route.body));
    }
}
