//! The control: it answers everything at once, and still speaks HTTP.

use std::time::Duration;

use serde_json::json;

use bakeoff::conform::bodies::{Books, PaymentBody};
use bakeoff::conform::client::{RawClient, request};
use bakeoff::conform::server::TestedServer;

use crate::server::Mount;

pub(crate) fn it_answers_anything_with_a_constant() {
    let server = TestedServer::start(&Mount::NULL);
    let mut client = RawClient::to(&server);
    let ok = || json!({"ok": true});
    client.get("/null").expect(200, ok());
    client.get("/nothing").expect(200, ok());
    client.post("/payments", &PaymentBody::new("k-1").body()).expect(200, ok());
    client.post("/payments", "no JSON").expect(200, ok());
    client.ask("DELETE", "/x", "").expect(200, ok());
    let audit = client.get("/audit");
    audit.expect(200, Books::default().json());
    let health = client.get("/healthz").json();
    assert_eq!(health["ready"], json!(true));
}

pub(crate) fn it_keeps_count_of_requests_however_they_arrive() {
    let server = TestedServer::start(&Mount::NULL);
    let mut client = RawClient::to(&server);
    let whole = request("POST", "/payments", &PaymentBody::new("k-1").body());
    client.send(&whole.repeat(500));
    for _ in 0..500 {
        client.receive().expect(200, json!({"ok": true}));
    }
    for at in 1..whole.len() {
        client.send(&whole[..at]);
        std::thread::sleep(Duration::from_micros(300));
        client.send(&whole[at..]);
        client.receive().expect(200, json!({"ok": true}));
    }
    // Nothing came in excess.
    client.half_close();
    client.expect_closed();
}
