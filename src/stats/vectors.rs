//! How the tests read the vectors that scipy made.

use serde_json::Value;

/// The rows of a file that a script in `tests/data` wrote.
pub(crate) fn rows(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["rows"].as_array().unwrap().clone()
}

pub(crate) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(float).collect()
}

/// Equal up to the rounding of a different order of the same sums.
pub(crate) fn assert_near(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= 1e-9 * expected.abs().max(1e-3), "{what}: {found} and not {expected}");
}
