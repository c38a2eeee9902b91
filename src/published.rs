//! The JSON Schemas of files that others read and write, as they are published.

use schemars::{JsonSchema, schema_for};

/// The schema of a `T`, with a newline at its end.
pub(crate) fn schema_of<T: JsonSchema>() -> String {
    let schema = schema_for!(T);
    serde_json::to_string_pretty(&schema).expect("a schema is plain JSON") + "\n"
}

/// Checks that the file `path` of the repository holds `schema`, or writes it where UPDATE is set.
#[cfg(test)]
pub(crate) fn expect_current(path: &str, schema: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, schema).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == schema, "{path} is old: UPDATE=1 cargo test published_schema");
}
