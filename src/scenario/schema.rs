//! The JSON Schema of a scenario file, for editors: `scenarios/bakeoff.schema.json`.

use super::raw::Raw;

/// The schema as it is published, with a newline at its end.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Raw);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/bakeoff.schema.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(published == json_schema(), "{path} is old: UPDATE=1 cargo test published_schema");
    }
}
