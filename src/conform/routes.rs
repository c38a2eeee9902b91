//! The status and the body of each route, and the published exchanges.

use super::Subject;
use super::bodies::{
    Books, DistributionBody, PaymentBody, account, blocked_user, closed_merchant, data, declined,
    merchants, payers,
};
use super::client::{RawClient, differs};
use super::server::TestedServer;
use crate::process::child::RUNTIME_BYTES_MAX;
use serde_json::{Value, json};

pub(super) fn health_names_the_contender_and_null_does_nothing(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    expect_health(&mut client, subject);
    client.get("/null").expect(200, json!({"ok": true}));
    assert_eq!(client.get("/audit").status, 200);
}

/// It is ready, says its name, and perhaps the version of what runs it.
pub(super) fn expect_health(client: &mut RawClient, subject: &dyn Subject) {
    let answer = client.get("/healthz");
    let said = answer.json();
    let own = said["contender"].as_str().unwrap_or_default();
    let mut health = json!({"ready": true, "contender": subject.name().unwrap_or(own)});
    let runtime = said["runtime"].as_str();
    if runtime.is_some_and(|said| said.len() > RUNTIME_BYTES_MAX) {
        differs(format_args!("a runtime of at most {RUNTIME_BYTES_MAX} bytes"), &said["runtime"]);
    }
    if let Some(expected) = subject.runtime() {
        let version = runtime.and_then(|said| said.strip_prefix(expected)).unwrap_or_default();
        let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.');
        if !is_version {
            differs(format_args!("\"runtime\":\"{expected}VERSION\""), &said);
        }
    }
    if subject.runtime().is_some() || subject.name().is_none() && runtime.is_some() {
        health["runtime"] = said["runtime"].clone();
    }
    answer.expect(200, health);
}

pub(super) fn a_payment_is_captured_once_and_replayed(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let payment = PaymentBody::new("k-1");
    client.post("/payments", &payment.body()).expect(201, payment.captured());
    for _ in 0..3 {
        client.post("/payments", &payment.body()).expect(200, payment.captured());
    }
    let longest = PaymentBody::new("x".repeat(64));
    client.post("/payments", &longest.body()).expect(201, longest.captured());
    let mut books = Books::default();
    books.captured(&payment);
    books.captured(&longest);
    client.get("/audit").expect(200, books.json());
}

pub(super) fn a_key_with_another_payment_is_a_conflict(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let first = PaymentBody::new("k-1");
    client.post("/payments", &first.body()).expect(201, first.captured());
    let (user, merchant) = (payers().nth(1).unwrap(), merchants().nth(1).unwrap());
    for other in [
        PaymentBody { amount: first.amount + 1, ..first.clone() },
        PaymentBody { user, ..first.clone() },
        PaymentBody { merchant, ..first.clone() },
    ] {
        client.post("/payments", &other.body()).expect_error(409);
    }
    client.post("/payments", &first.body()).expect(200, first.captured());
    let mut books = Books::default();
    books.captured(&first);
    client.get("/audit").expect(200, books.json());
}

pub(super) fn a_payment_is_declined_for_each_reason(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let good = PaymentBody::new("k-1");
    let forged = good.body_with("signature", Some("0".repeat(64).into()));
    client.post("/payments", &forged).expect(402, declined("bad_signature"));
    for signature in ["", "0", &"g".repeat(64), &"0".repeat(65)] {
        let body = good.body_with("signature", Some(signature.into()));
        client.post("/payments", &body).expect(402, declined("bad_signature"));
    }
    let (user, merchant) = (blocked_user(), closed_merchant());
    let blocked = PaymentBody { user, ..good.clone() };
    client.post("/payments", &blocked.body()).expect(402, declined("user_blocked"));
    let closed = PaymentBody { merchant, ..good.clone() };
    client.post("/payments", &closed.body()).expect(402, declined("merchant_closed"));
    let both = PaymentBody { user, merchant, ..good.clone() };
    client.post("/payments", &both.body()).expect(402, declined("user_blocked"));
    let limit = data().limits(good.user).unwrap().per_payment_minor;
    let above = PaymentBody { amount: limit + 1, ..good.clone() };
    client.post("/payments", &above.body()).expect(402, declined("limit_exceeded"));
    client.get("/audit").expect(200, Books::default().json());
    // None of them was remembered under the key that all of them carried.
    client.post("/payments", &good.body()).expect(201, good.captured());
}

pub(super) fn a_balance_is_spent_to_the_last_unit(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let (user, limit) = payers()
        .map(|id| (id, data().limits(id).unwrap().per_payment_minor))
        .find(|&(id, limit)| {
            let left = data().user(id).unwrap().opening_balance_minor % limit;
            limit > 1_000_000 && left > 1 && left < limit
        })
        .unwrap();
    let mut left = data().user(user).unwrap().opening_balance_minor;
    let mut books = Books::default();
    let mut pay = |key: String, amount| {
        let payment = PaymentBody { user, amount, ..PaymentBody::new(key) };
        let answer = client.post("/payments", &payment.body());
        if answer.status == 201 {
            answer.expect(201, payment.captured());
            books.captured(&payment);
        }
        answer
    };
    for turn in 0..left / limit {
        assert_eq!(pay(format!("whole-{turn}"), limit).status, 201);
        left -= limit;
    }
    pay("too-much".into(), left + 1).expect(402, declined("insufficient_funds"));
    assert_eq!(pay("the-rest".into(), left).status, 201);
    pay("nothing-left".into(), 1).expect(402, declined("insufficient_funds"));
    client.get("/audit").expect(200, books.json());
}

pub(super) fn payments_of_the_unknown_are_not_found(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let good = PaymentBody::new("k-1");
    for user in [0, 1_000_001, u32::MAX] {
        let unknown = PaymentBody { user, ..good.clone() };
        client.post("/payments", &unknown.body()).expect_error(404);
    }
    for merchant in [0, 701] {
        let unknown = PaymentBody { merchant, ..good.clone() };
        client.post("/payments", &unknown.body()).expect_error(404);
    }
    let far = good.body_with("user_id", Some((1_u64 << 53).into()));
    client.post("/payments", &far).expect_error(404);
}

pub(super) fn a_distribution_credits_each_account_once(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let small = DistributionBody::new(1);
    let whole = DistributionBody { business: 13, accounts: 1_428, ..DistributionBody::new(2) };
    let many = subject.accounts(50_000);
    let large =
        DistributionBody { business: 0, accounts: many, ..DistributionBody::new((1 << 53) - 1) };
    let mut books = Books::default();
    for distribution in [small, whole, large] {
        let (body, answer) = (distribution.body(), distribution.credited());
        client.post("/loyalty/distributions", &body).expect(200, answer.clone());
        client.post("/loyalty/distributions", &body).expect(200, answer);
        books.credited(&distribution);
        client.get("/audit").expect(200, books.json());
    }
}

pub(super) fn an_account_shows_its_points(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let path = |id: u32| format!("/loyalty/accounts/{id}");
    let (one, two) =
        (DistributionBody::new(1), DistributionBody { spend: 77_700, ..DistributionBody::new(2) });
    for id in [1, 7, 1_000_000] {
        client.get(&path(id)).expect(200, account(id, 0));
    }
    for distribution in [one, two, one] {
        client.post("/loyalty/distributions", &distribution.body());
    }
    for ((id, first), (_, second)) in one.credits().into_iter().zip(two.credits()) {
        client.get(&path(id)).expect(200, account(id, first + second));
    }
    client.get(&path(8)).expect(200, account(8, 0));
    for unknown in ["0", "1000001", "4294967297", "18446744073709551617"] {
        client.get(&format!("/loyalty/accounts/{unknown}")).expect_error(404);
    }
    // A digit that is percent-encoded may be one.
    let encoded = client.get("/loyalty/accounts/%31");
    match encoded.status {
        200 => encoded.expect(200, account(1, 0)),
        status => encoded.expect_error(status),
    }
    for odd in ["", "x", "-1", "+1", "1.0", "1/2"] {
        let answer = client.get(&format!("/loyalty/accounts/{odd}"));
        assert!(matches!(answer.status, 400 | 404), "{odd:?}: {}", answer.status);
        answer.expect_error(answer.status);
    }
}

pub(super) fn a_distribution_id_with_other_fields_is_a_conflict(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let first = DistributionBody::new(5);
    client.post("/loyalty/distributions", &first.body()).expect(200, first.credited());
    for other in [
        DistributionBody { business: 8, ..first },
        DistributionBody { first: 8, ..first },
        DistributionBody { accounts: 4, ..first },
        DistributionBody { spend: 10_001, ..first },
    ] {
        client.post("/loyalty/distributions", &other.body()).expect_error(409);
    }
    let mut books = Books::default();
    books.credited(&first);
    client.get("/audit").expect(200, books.json());
}

pub(super) fn unknown_routes_and_wrong_methods_are_told_apart(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    for path in ["/", "/nothing", "/payments/", "/payments/1", "/loyalty", "/null/", "/NULL", "//"]
    {
        client.get(path).expect_error(404);
    }
    let wrong = [
        ("GET", "/payments", "POST"),
        ("PUT", "/payments", "POST"),
        ("GET", "/loyalty/distributions", "POST"),
        ("POST", "/loyalty/accounts/1", "GET"),
        ("POST", "/null", "GET"),
        ("DELETE", "/healthz", "GET"),
        ("POST", "/audit", "GET"),
    ];
    for (method, path, allowed) in wrong {
        let answer = client.ask(method, path, "");
        answer.expect_error(405);
        let allow = answer.header("allow").unwrap_or_default();
        let names = allow.split(',').map(str::trim).collect::<Vec<_>>();
        assert!(names.contains(&allowed), "{method} {path}: allow {allow:?}");
        assert!(!names.contains(&method), "{method} {path}: allow {allow:?}");
    }
    // A query is no part of the path.
    client.get("/null?x=1").expect(200, json!({"ok": true}));
}

// `contracts/vectors.json`, the exchanges that a server in any language is checked with.

pub(super) fn the_published_exchanges_hold(subject: &dyn Subject) {
    let text = include_str!("../../contracts/vectors.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let (seed, rounds) = (vectors["seed"].to_string(), vectors["signature_rounds"].to_string());
    let server = TestedServer::with(
        subject,
        &[("BAKEOFF_SEED", &seed), ("BAKEOFF_SIGNATURE_ROUNDS", &rounds)],
    );
    let mut client = RawClient::to(&server);
    let exchanges = vectors["exchanges"].as_array().unwrap();
    assert!(exchanges.len() >= 20, "only {} exchanges", exchanges.len());
    for exchange in exchanges {
        let field = |name: &str| exchange[name].as_str().unwrap_or_default();
        let answer = client.ask(field("method"), field("path"), field("body"));
        let named = |differs: String| format!("{}: {differs}", field("name"));
        let expected = exchange["status"].as_u64().unwrap();
        if expected != u64::from(answer.status) {
            differs(named(expected.to_string()), answer.status);
        }
        if !exchange["answer"].is_null() && exchange["answer"] != answer.json() {
            differs(named(exchange["answer"].to_string()), answer.json());
        }
    }
}

// Events that are delivered more than once are kept once.

pub(super) fn an_event_is_kept_once(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let event = |id: &str, body: &str| json!({"event_id": id, "body": body}).to_string();
    let longest = "e".repeat(64);
    for (id, body, status) in [
        ("evt-1", "paid", 202),
        ("evt-1", "paid", 200),
        ("evt-1", "something else", 200),
        ("evt-2", "", 202),
        (&longest, "{\"json\": \"\u{e9}\u{1f600}'\\\"}", 202),
        ("evt-2", "", 200),
    ] {
        let answer = client.post("/webhooks", &event(id, body));
        answer.expect(status, json!({"event_id": id, "status": "received"}));
    }
    assert_eq!(webhooks(&mut client), 3);
}

pub(super) fn malformed_events_are_refused(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    let long = "e".repeat(65);
    for body in [
        json!({}),
        json!([]),
        json!({"event_id": "evt-1"}),
        json!({"body": "paid"}),
        json!({"event_id": 1, "body": "paid"}),
        json!({"event_id": "evt-1", "body": {}}),
        json!({"event_id": null, "body": "paid"}),
        json!({"event_id": "", "body": "paid"}),
        json!({"event_id": "a b", "body": "paid"}),
        json!({"event_id": long, "body": "paid"}),
        json!({"event_id": "evt-1", "body": "\0"}),
    ] {
        let answer = client.post("/webhooks", &body.to_string());
        assert_eq!(answer.status, 400, "{body}");
        answer.expect_error(400);
    }
    client.get("/webhooks").expect_error(405);
    assert_eq!(webhooks(&mut client), 0);
}

fn webhooks(client: &mut RawClient) -> Value {
    client.get("/audit").json()["applied"]["webhooks"].clone()
}
