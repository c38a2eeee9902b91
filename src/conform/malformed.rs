//! Bodies that are broken, out of range or too large, and requests that are no HTTP.

use serde_json::{Value, json};

use super::Subject;
use super::bodies::{Books, DistributionBody, PaymentBody};
use super::client::{RawClient, request};
use super::server::{PATIENCE, TestedServer};

/// The largest body that is read: 64 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request line without a version, which is how HTTP/0.9 began.
const HTTP_0_9: &str = "GET /null\r\n\r\n";

pub(super) fn broken_bodies_are_bad_requests(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let before = client.get("/audit").json();
    let deep = "[".repeat(20_000);
    let good = [PaymentBody::new("k-1").body(), DistributionBody::new(1).body()];
    for (path, good) in ["/payments", "/loyalty/distributions"].into_iter().zip(&good) {
        let trailing = format!("{good}x");
        let twice = format!("{good}{good}");
        for body in [
            "",
            " ",
            "{",
            "}",
            "{}",
            "null",
            "true",
            "1",
            "\"x\"",
            "[]",
            "{\"",
            "nul",
            "\u{0}",
            "{\"a\":1,}",
            &good[..good.len() - 1],
            &good[1..],
            &deep,
            &trailing,
            &twice,
        ] {
            let answer = client.post(path, body);
            assert_eq!(answer.status, 400, "{path} {:?}", &body[..body.len().min(60)]);
            answer.expect_error(400);
        }
    }
    client.get("/audit").expect(200, before);
}

/// What stands in a text for bytes that no text can hold.
const ODD: char = '\u{1}';

pub(super) fn bodies_that_are_not_utf_8_are_bad_requests(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let (payment, distribution) = (PaymentBody::new("k-1"), DistributionBody::new(1));
    let odd = |text: &str| Some(json!(format!("{ODD}{text}")));
    let event = |id: &str, body: &str| json!({"event_id": id, "body": body}).to_string();
    let note = |body: &str| body.replacen('{', &format!("{{\"note\":\"{ODD}\","), 1);
    // A field that is kept, one that is ignored, and a name.
    let bodies = [
        ("/webhooks", event("evt-1", &format!("paid{ODD}"))),
        ("/webhooks", note(&event("evt-1", "paid"))),
        ("/payments", payment.body_with("idempotency_key", odd("k"))),
        ("/payments", note(&payment.body())),
        ("/payments", payment.body().replacen('{', &format!("{{\"{ODD}\":1,"), 1)),
        ("/loyalty/distributions", note(&distribution.body())),
    ];
    // A byte of none, an end without a start, starts without an end, "/" written long, a half of a pair, beyond the last.
    let wrong: [&[u8]; 7] = [
        b"\xff",
        b"\x80",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ];
    for (path, body) in &bodies {
        // As a string of JSON, where the writer has escaped it, or as it is.
        let body = body.replace("\\u0001", &ODD.to_string());
        let (before, after) = body.split_once(ODD).expect("an odd character");
        for bytes in wrong {
            let body = [before.as_bytes(), bytes, after.as_bytes()].concat();
            client.send(&post("", path, &body));
            let answer = client.receive();
            assert_eq!(answer.status, 400, "{path} {}", body.escape_ascii());
            answer.expect_error(400);
        }
    }
    // Another encoding is none of JSON's, whatever the request calls it.
    let utf_16: Vec<u8> = payment.body().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for charset in ["", "; charset=utf-16le"] {
        client.send(&post(charset, "/payments", &utf_16));
        client.receive().expect_error(400);
    }
    client.get("/audit").expect(200, Books::default().json());
    let marked = format!("\u{feff}{}", payment.body());
    let status = if subject.reads_over_a_byte_order_mark() { 201 } else { 400 };
    assert_eq!(client.post("/payments", &marked).status, status, "a byte order mark");
    // What is cut in two between chunks is whole once they have come.
    let payment = PaymentBody::new("k-2");
    let good = payment.body_with("note", Some(json!("\u{20ac}\u{1f600}")));
    let cut = good.find('\u{1f600}').unwrap() + 2;
    let (head, tail) = good.as_bytes().split_at(cut);
    client.send(&chunked(&[head, tail], true));
    client.receive().expect(201, payment.captured());
}

/// A request with bytes as its body, and more about its type.
fn post(parameters: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let kind = format!("Content-Type: application/json{parameters}\r\nContent-Length: {length}");
    [format!("POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\n\r\n").as_bytes(), body].concat()
}

pub(super) fn missing_and_ill_typed_fields_are_bad_requests(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let before = client.get("/audit").json();
    let payment = PaymentBody::new("k-1");
    let distribution = DistributionBody::new(1);
    let refused = |client: &mut RawClient, path, body: String| {
        let answer = client.post(path, &body);
        assert_eq!(answer.status, 400, "{path} {body}");
        answer.expect_error(400);
    };
    let mut check = |path, fields: Value, body_with: &dyn Fn(&str, Option<Value>) -> String| {
        for (name, value) in fields.as_object().unwrap() {
            refused(&mut client, path, body_with(name, None));
            let mut wrong = vec![json!(null), json!([]), json!({}), json!(true)];
            wrong.extend(match value {
                Value::String(_) => vec![json!(1)],
                number => vec![json!(number.to_string()), json!(1.5), json!(-1)],
            });
            for value in wrong {
                refused(&mut client, path, body_with(name, Some(value)));
            }
        }
        // Positions are no names: an array of the right values is no object.
        let values = fields.as_object().unwrap().values().cloned().collect::<Vec<_>>();
        refused(&mut client, path, Value::from(values).to_string());
    };
    check("/payments", payment.fields(), &|name, value| payment.body_with(name, value));
    let with = |name: &str, value| distribution.body_with(name, value);
    check("/loyalty/distributions", distribution.fields(), &with);
    client.get("/audit").expect(200, before);
}

pub(super) fn fields_out_of_range_are_unprocessable(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let before = client.get("/audit").json();
    let payment = PaymentBody::new("k-1");
    let odd_keys = ["", " ", "a b", "a\"b", "a\\b", "\u{e9}", "a\nb", &"x".repeat(65)];
    let keys = odd_keys.map(|key| ("idempotency_key", json!(key)));
    let amounts = [0, 10_000_001, 1_u64 << 53].map(|amount| ("amount_minor", json!(amount)));
    let currencies = ["", "CHF", "eur", "EURO"].map(|code| ("currency", json!(code)));
    for (field, value) in keys.into_iter().chain(amounts).chain(currencies) {
        let body = payment.body_with(field, Some(value));
        let answer = client.post("/payments", &body);
        assert_eq!(answer.status, 422, "{body}");
        answer.expect_error(422);
    }
    let distribution = DistributionBody::new(1);
    for (field, value) in [
        ("accounts", 0_u64),
        ("accounts", 1_430),
        ("accounts", 1 << 40),
        ("first_account", 1_000_001),
        ("first_account", 1 << 40),
        ("spend_minor", 0),
        ("spend_minor", 10_000_001),
        ("distribution_id", 1 << 53),
    ] {
        let body = distribution.body_with(field, Some(json!(value)));
        let answer = client.post("/loyalty/distributions", &body);
        assert_eq!(answer.status, 422, "{body}");
        answer.expect_error(422);
    }
    for business in [701_u64, 1 << 40] {
        let body = distribution.body_with("business_id", Some(json!(business)));
        client.post("/loyalty/distributions", &body).expect_error(404);
    }
    client.get("/audit").expect(200, before);
}

pub(super) fn unknown_fields_and_blanks_are_ignored(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = PaymentBody::new("k-1");
    let extra = payment.body_with("note", Some(json!({"deep": [1, {"x": null}]})));
    client.post("/payments", &extra).expect(201, payment.captured());
    let pretty = serde_json::to_string_pretty(&payment.fields()).unwrap();
    client.post("/payments", &pretty).expect(200, payment.captured());
    let distribution = DistributionBody::new(1);
    let extra = distribution.body_with("note", Some(json!("x")));
    client.post("/loyalty/distributions", &extra).expect(200, distribution.credited());
}

pub(super) fn bodies_up_to_the_limit_are_read(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = PaymentBody::new("k-1");
    let body = payment.body();
    let padded = format!("{body}{}", " ".repeat(BODY_BYTES_MAX - body.len()));
    client.post("/payments", &padded).expect(201, payment.captured());
    client.send(&chunked(&[&padded.as_bytes()[..40_000], &padded.as_bytes()[40_000..]], true));
    client.receive().expect(200, payment.captured());
}

pub(super) fn a_length_above_the_limit_is_refused_before_the_body(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    for length in ["65537", "1000000000", "18446744073709551615"] {
        let mut client = RawClient::to(&server);
        let head = "POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: ";
        client.send(format!("{head}{length}\r\n\r\n").as_bytes());
        // A length that is none (2^64 - 1) is judged with the head.
        assert!(matches!(client.receive().status, 400 | 413 | 431), "{length}");
    }
    // A client that sends its body all the same may be reset before it sees the answer.
    let mut client = RawClient::to(&server);
    let _ = client.try_send(&request("POST", "/payments", &" ".repeat(BODY_BYTES_MAX + 1)));
    let answer = client.try_receive().expect("an exact answer or none");
    assert!(answer.is_none_or(|a| a.status == 413));
    // One that asks first is told before it sends anything.
    let mut client = RawClient::to(&server);
    let head = "POST /payments HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n";
    client.send(format!("{head}Content-Length: 65537\r\n\r\n").as_bytes());
    client.receive().expect_error(413);
}

pub(super) fn a_chunked_body_is_refused_when_it_outgrows_the_limit(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    // One byte too many and no end: the answer cannot wait for the rest.
    let half = [b' '; BODY_BYTES_MAX / 2];
    client.send(&chunked(&[&half, &half], false));
    client.send(b"1\r\n \r\n");
    client.receive().expect_error(413);
    // A chunk that only promises to be huge is refused as well, or the connection ends.
    let mut client = RawClient::to(&server);
    client.send(b"POST /payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"ffffffffffffffffff\r\n");
    let answer = client.try_receive().expect("an exact answer or none");
    assert!(answer.is_none_or(|a| matches!(a.status, 400 | 413)), "a huge chunk");
    RawClient::to(&server).get("/audit").expect(200, Books::default().json());
}

pub(super) fn too_many_and_too_large_headers_are_refused(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let many = (0..2_000).map(|i| format!("X-{i}: {i}\r\n")).collect::<String>();
    let large = format!("X-Large: {}\r\n", "x".repeat(2 << 20));
    for headers in [many, large] {
        let mut client = RawClient::to(&server);
        // The server may answer and close before it has read everything.
        let _ =
            client.try_send(format!("GET /null HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes());
        let answer = client.try_receive().expect("an exact answer or none");
        assert!(answer.is_none_or(|a| matches!(a.status, 400 | 431)), "{} bytes", headers.len());
        assert!(client.is_closed_within(PATIENCE));
    }
    RawClient::to(&server).get("/null").expect(200, json!({"ok": true}));
}

pub(super) fn what_is_no_http_is_refused_and_closed(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    for garbage in [
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        HTTP_0_9,
        "GET /null HTTP/9.9\r\n\r\n",
        "GET /nu ll HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n",
        "GET /null HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET /null HTTP/1.1\r\nHost : x\r\n\r\n",
        "POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        "POST /payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        if garbage == HTTP_0_9 && subject.speaks_http_0_9() {
            continue;
        }
        let mut client = RawClient::to(&server);
        client.send(garbage.as_bytes());
        match client.receive().status {
            400 => {}
            505 if garbage.contains("HTTP/9.9") => {}
            status => panic!("{garbage:?}: {status}"),
        }
        client.expect_closed();
    }
    // What came before the garbage is answered before it.
    let mut client = RawClient::to(&server);
    client.send(b"GET /null HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n");
    client.receive().expect(200, json!({"ok": true}));
    assert_eq!(client.receive().status, 400);
    client.expect_closed();
}

/// A chunked payment request with these chunks, ended or left open.
pub fn chunked(chunks: &[&[u8]], ended: bool) -> Vec<u8> {
    let head = "POST /payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for chunk in chunks {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    if ended {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    bytes
}
