//! `contracts/vectors.json`, the exchanges that a server in any language is checked with.

use serde_json::Value;

use super::Subject;
use super::client::{RawClient, differs};
use super::server::TestedServer;

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
