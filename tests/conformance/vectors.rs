//! `contracts/vectors.json`, the exchanges that a server in any language is checked with.

use serde_json::Value;

use crate::client::Client;
use crate::server::{Mount, Server};

pub(crate) fn the_published_exchanges_hold(mount: Mount) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contracts/vectors.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let (seed, rounds) = (vectors["seed"].to_string(), vectors["signature_rounds"].to_string());
    let server = Server::with(mount, &["--seed", &seed, "--signature-rounds", &rounds]);
    let mut client = Client::to(&server);
    let exchanges = vectors["exchanges"].as_array().unwrap();
    assert!(exchanges.len() >= 20, "only {} exchanges", exchanges.len());
    for exchange in exchanges {
        let field = |name: &str| exchange[name].as_str().unwrap_or_default();
        let answer = client.ask(field("method"), field("path"), field("body"));
        assert_eq!(exchange["status"], answer.status, "{exchange}");
        if !exchange["answer"].is_null() {
            assert_eq!(exchange["answer"], answer.json(), "{exchange}");
        }
    }
}
