//! Events that are delivered more than once are kept once.

use serde_json::{Value, json};

use super::Subject;
use super::client::RawClient;
use super::server::TestedServer;

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
