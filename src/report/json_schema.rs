//! The JSON Schemas of what runs write: `result.json`, `ledger.json` and decide's answer.

use super::schema::{Decision, Ledger, RunResult};
use crate::published;

/// As it is published, with a newline at its end.
pub fn of_result() -> String {
    published::schema_of::<RunResult>()
}

/// The same of a ledger.
pub fn of_ledger() -> String {
    published::schema_of::<Ledger>()
}

/// The same of an answer of `decide`.
pub fn of_decision() -> String {
    published::schema_of::<Decision>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{mock, schema};

    #[test]
    fn every_key_of_a_result_is_in_its_schema() {
        let described: serde_json::Value = serde_json::from_str(&of_result()).unwrap();
        let result = schema::to_json(&mock::everything());
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        for (place, value) in [("", &result), ("/$defs/Trial", &result["trials"][0])] {
            let known = described.pointer(&format!("{place}/properties")).unwrap();
            for key in value.as_object().unwrap().keys() {
                assert!(known.get(key).is_some(), "{key} is not in {place}/properties");
            }
        }
    }
}
