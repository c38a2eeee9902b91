//! Values as JSON text. Both forms come from one of serde_json's two formatters, because each is compiled anew for
//! every type that it writes.

use crate::text::is_shown;
use serde::Serialize;
use std::fmt::Write;

/// Over several lines, for files that people open.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value);
    harmless(text.expect("it has string keys and finite numbers only"))
}

/// The same JSON without a character that a terminal would obey, and without `##[`, which a CI runner would: both occur
/// in strings alone, where they can be escaped.
fn harmless(text: String) -> String {
    if text.chars().all(|c| c == '\n' || is_shown(c)) && !text.contains("##[") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' if out.ends_with("##") => out.push_str("\\u005b"),
            c if c == '\n' || is_shown(c) => out.push(c),
            c => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| {
                    let _ = write!(out, "\\u{unit:04x}");
                });
            }
        }
    }
    out
}

/// The same on one line.
pub(crate) fn on_one_line(value: &impl Serialize) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let mut text = pretty(value);
    text.retain(|c| {
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
        in_string || !c.is_ascii_whitespace()
    });
    text
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::mock;

    #[test]
    fn one_line_is_what_serde_json_writes_on_one_line() {
        let mut result = mock::everything();
        result.title = "a \"quoted\"  \\ \\\\\" title: \n, { \u{1} µ".into();
        let expected = serde_json::to_string(&result).unwrap();
        assert!(on_one_line(&result) == expected, "{}", on_one_line(&result.title));
    }

    #[test]
    fn strings_stay_what_they_are_and_command_nobody() {
        let text = "\u{9b}31m \u{7f} \u{202e} \u{2028} ##[error]x \\##[ \u{1f980}".to_owned();
        let json = pretty(&text);
        assert!(json.chars().all(is_shown) && !json.contains("##["), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
