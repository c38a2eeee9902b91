//! The published JSON Schemas of files that others read and write. Tests derive them from the types and check that the
//! published files are current.

/// Of a scenario.
pub(crate) const SCENARIO: &str = include_str!("../../scenarios/bakeoff.schema.json");
/// Of `result.json`.
pub(crate) const RESULT: &str = include_str!("../../contracts/result.schema.json");
/// Of `gate.json`.
pub(crate) const GATE: &str = include_str!("../../contracts/gate.schema.json");
/// Of `ledger.json`.
pub(crate) const LEDGER: &str = include_str!("../../contracts/ledger.schema.json");
/// Of an answer of `decide`.
pub(crate) const DECISION: &str = include_str!("../../contracts/decision.schema.json");

/// Checks that the file `path` of the repository holds the schema of a `T`, or writes it where UPDATE is set.
#[cfg(test)]
pub(crate) fn expect_current<T: schemars::JsonSchema>(path: &str) {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap() + "\n";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == schema, "{path} is old: UPDATE=1 cargo test published_schema");
}
