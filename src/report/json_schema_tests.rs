//! The published JSON Schemas against what runs write: `result.json`, `ledger.json` and decide's answer.

use crate::judge::mock;
use crate::record::{Decision, Ledger, RunResult, json};

#[test]
fn the_published_schemas_are_current() {
    json::expect_current::<RunResult>("contracts/result.schema.json");
    json::expect_current::<Ledger>("contracts/ledger.schema.json");
    json::expect_current::<Decision>("contracts/decision.schema.json");
}

#[test]
fn every_key_of_a_result_is_in_its_schema() {
    let described: serde_json::Value = serde_json::from_str(json::RESULT).unwrap();
    let result = crate::record::to_json(&mock::everything());
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    for (place, value) in [("", &result), ("/$defs/Trial", &result["trials"][0])] {
        let known = described.pointer(&format!("{place}/properties")).unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(known.get(key).is_some(), "{key} is not in {place}/properties");
        }
    }
}
