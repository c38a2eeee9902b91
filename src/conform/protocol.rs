//! HTTP/1.1 on one connection: how requests arrive, in pieces and in heaps, and how connections end.

use std::time::Duration;

use serde_json::json;

use super::Subject;
use super::bodies::{Books, DistributionBody, PaymentBody, account};
use super::client::{RawClient, request};
use super::malformed::chunked;
use super::server::TestedServer;

pub(super) fn five_hundred_pipelined_requests_are_answered_in_order(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payments =
        (0..250).map(|i| PaymentBody { amount: 100 + i, ..PaymentBody::new(format!("p-{i}")) });
    let payments = payments.collect::<Vec<_>>();
    let mut bytes = Vec::new();
    for (i, payment) in payments.iter().enumerate() {
        bytes.extend(request("POST", "/payments", &payment.body()));
        bytes.extend(request("GET", &format!("/loyalty/accounts/{}", i + 1), ""));
    }
    client.send(&bytes);
    let mut books = Books::default();
    for (i, payment) in (0..).zip(&payments) {
        client.receive().expect(201, payment.captured());
        client.receive().expect(200, account(i + 1, 0));
        books.captured(payment);
    }
    client.get("/audit").expect(200, books.json());
}

pub(super) fn a_request_may_come_byte_by_byte(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = PaymentBody::new("k-1");
    for status in [201, 200] {
        for byte in request("POST", "/payments", &payment.body()) {
            client.send(&[byte]);
            std::thread::sleep(Duration::from_micros(200));
        }
        client.receive().expect(status, payment.captured());
    }
}

pub(super) fn a_request_may_be_split_anywhere(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = |at: usize| PaymentBody::new(format!("split-{at:03}"));
    let whole = |at| request("POST", "/payments", &payment(at).body());
    for at in 1..whole(0).len() {
        let bytes = whole(at);
        client.send(&bytes[..at]);
        std::thread::sleep(Duration::from_micros(300));
        client.send(&bytes[at..]);
        client.receive().expect(201, payment(at).captured());
    }
    // The end of one request and the start of the next may share a packet.
    let both = [whole(901), whole(902)].concat();
    for at in (1..both.len()).step_by(7) {
        client.send(&both[..at]);
        std::thread::sleep(Duration::from_micros(300));
        client.send(&both[at..]);
        for key in [901, 902] {
            let status = if at == 1 { 201 } else { 200 };
            client.receive().expect(status, payment(key).captured());
        }
    }
}

pub(super) fn a_half_closed_client_is_still_answered(subject: &dyn Subject) {
    let server = TestedServer::with(subject, &[("BAKEOFF_SIGNATURE_ROUNDS", "20000")]);
    let payment = PaymentBody { rounds: 20_000, ..PaymentBody::new("k-1") };
    let mut client = RawClient::to(&server);
    client.send(&request("POST", "/payments", &payment.body()));
    client.half_close();
    client.receive().expect(201, payment.captured());
    client.expect_closed();

    let mut client = RawClient::to(&server);
    client.send(&request("POST", "/payments", &payment.body()).repeat(20));
    client.half_close();
    for _ in 0..20 {
        client.receive().expect(200, payment.captured());
    }
    client.expect_closed();

    // Half a request and no more to come: nothing to answer, nothing to wait for.
    let bytes = request("POST", "/payments", &PaymentBody::new("k-2").body());
    for at in [1, 30, bytes.len() - 1] {
        let mut client = RawClient::to(&server);
        client.send(&bytes[..at]);
        client.half_close();
        let answer = client.try_receive().expect("an exact answer or none");
        assert!(answer.is_none_or(|a| a.status == 400), "cut at {at}");
    }
    let mut client = RawClient::to(&server);
    client.half_close();
    client.expect_closed();
}

pub(super) fn a_client_that_asks_to_continue_is_told_so(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    for turn in 0..2 {
        let payment = PaymentBody::new(format!("k-{turn}"));
        let body = payment.body();
        let head = "POST /payments HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n";
        client.send(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        // The body is sent only after the word has come, so it must come alone and at once.
        assert_eq!(client.receive_bodiless().status, 100);
        client.send(body.as_bytes());
        client.receive().expect(201, payment.captured());
    }
}

pub(super) fn a_body_may_be_chunked(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = PaymentBody::new("k-1");
    let body = payment.body().into_bytes();
    client.send(&chunked(&[&body], true));
    client.receive().expect(201, payment.captured());
    let bytes = body.iter().map(std::slice::from_ref).collect::<Vec<_>>();
    client.send(&chunked(&bytes, true));
    client.receive().expect(200, payment.captured());
    let head = "POST /payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let start = format!("{head}{:X};name=\"value\"\r\n", body.len());
    client.send(&[start.as_bytes(), &body, b"\r\n0\r\nX-Trailer: 1\r\n\r\n"].concat());
    client.receive().expect(200, payment.captured());
    // The connection is still in step.
    client.get("/null").expect(200, json!({"ok": true}));
}

pub(super) fn a_body_that_no_route_reads_is_skipped(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let body = PaymentBody::new("k-1").body();
    for (method, path, status) in
        [("GET", "/null", 200), ("POST", "/nothing", 404), ("PUT", "/payments", 405)]
    {
        let mut bytes = request(method, path, &body);
        bytes.extend(request("GET", "/healthz", ""));
        client.send(&bytes);
        assert_eq!(client.receive().status, status, "{method} {path}");
        // Either the body was skipped and the next request is answered, or the connection has ended.
        let next = client.try_receive().expect("an exact answer or none");
        match next {
            Some(answer) => assert_eq!(answer.status, 200, "after {method} {path}"),
            None => client = RawClient::to(&server),
        }
    }
    client.get("/audit").expect(200, Books::default().json());
}

pub(super) fn a_connection_ends_when_it_is_asked_to(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    client.send(b"GET /null HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = client.receive();
    answer.expect(200, json!({"ok": true}));
    assert_eq!(answer.header("connection"), Some("close"));
    client.expect_closed();

    let mut client = RawClient::to(&server);
    client.send(b"GET /null HTTP/1.0\r\n\r\n");
    client.receive().expect(200, json!({"ok": true}));
    client.expect_closed();

    let mut client = RawClient::to(&server);
    for _ in 0..2 {
        client.send(b"GET /null HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.receive();
        answer.expect(200, json!({"ok": true}));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
}

pub(super) fn a_head_has_no_body_and_keeps_the_connection_in_step(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    for path in ["/null", "/payments", "/nothing"] {
        let head = client.ask("HEAD", path, "");
        assert!(matches!(head.status, 200 | 404 | 405), "{path}: {}", head.status);
        client.get("/null").expect(200, json!({"ok": true}));
    }
}

pub(super) fn every_answer_says_when_it_was_made(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let distribution = DistributionBody::new(1).body();
    for answer in [
        client.get("/null"),
        client.get("/nothing"),
        client.post("/payments", &PaymentBody::new("k-1").body()),
        client.post("/loyalty/distributions", &distribution),
    ] {
        let date = answer.header("date").unwrap_or_default();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "date {date:?}");
    }
}
