//! Values as JSON text, and read from it. Both written forms come from one of serde_json's two formatters, because each is
//! compiled anew for every type that it writes.

use crate::text::{is_shown, truncated};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use std::fmt::Write;

/// The object in a text, whose byte order mark is passed over.
///
/// # Errors
/// Why there is none, in words that name no type of ours.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // serde takes a list for an object, field by field.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(no_object(text));
    }
    serde_json::from_str(text).map_err(|error| in_words(&error))
}

/// What a text has in place of an object.
fn no_object(text: &str) -> String {
    let found = match text.trim_ascii_start().chars().next() {
        None => return "it is empty".into(),
        Some('[') => "a list",
        Some('"') => "a string",
        Some('t' | 'f') => "a truth value",
        Some('n') => "null",
        Some(_) => "a number",
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => format!("it is {found}, and an object is wanted"),
        Err(error) => in_words(&error),
    }
}

fn in_words(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let (what, place) = message.rsplit_once(" at line ").unwrap_or((message.as_str(), ""));
    let what = match error.classify() {
        Category::Eof => "it ends in the middle".to_owned(),
        Category::Syntax => format!("it is not JSON: {what}"),
        Category::Data | Category::Io => truncated(&mismatch(what), MISMATCH_MAX),
    };
    if place.is_empty() { what } else { format!("{what} at line {place}") }
}

/// serde's words have the whole value in them.
const MISMATCH_MAX: usize = 200;
const FOUND_MAX: usize = 80;

/// serde says `invalid type: sequence, expected struct Trial with 50 elements`, and `missing field` of one that is not there.
fn mismatch(what: &str) -> String {
    if let Some(field) = what.strip_prefix("missing field ") {
        return format!("there is no field {field}");
    }
    let parts = what.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = parts else { return what.to_owned() };
    let found = found.split_once(": ").map_or(found, |(_, found)| found);
    let found = match found.strip_prefix("length ") {
        Some(elements) => format!("a list of {elements}"),
        None => found.replace("floating point", "number"),
    };
    let found = match found.as_str() {
        "map" => "an object",
        "sequence" => "a list",
        other => other,
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "string or map" => "a string",
        text if text.starts_with("struct ") => "an object",
        text if text.starts_with("tuple ") => "a list",
        text => text,
    };
    format!("{} stands where {expected} is wanted", truncated(found, FOUND_MAX))
}

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
    use crate::record::RunResult;

    #[test]
    fn one_line_is_what_serde_json_writes_on_one_line() {
        let mut result = mock::everything();
        result.title = "a \"quoted\"  \\ \\\\\" title: \n, { \u{1} µ".into();
        let expected = serde_json::to_string(&result).unwrap();
        assert!(on_one_line(&result) == expected, "{}", on_one_line(&result.title));
    }

    #[test]
    fn what_is_no_record_is_said_in_plain_words() {
        let whole = pretty(&mock::everything());
        let result = |text: &str| read::<RunResult>(text);
        assert!(result(&format!("\u{feff}{whole}")).is_ok(), "with a byte order mark");
        let number = whole.replacen("\"rounds\": ", "\"rounds\": -1, \"x\": ", 1);
        let text = whole.replacen("\"rounds\": ", "\"rounds\": \"many\", \"x\": ", 1);
        let list = whole.replacen("\"fingerprint\": {", "\"fingerprint\": [], \"x\": {", 1);
        for (text, told) in [
            ("", "it is empty"),
            ("\u{feff} \n", "it is empty"),
            ("[]", "it is a list, and an object is wanted"),
            ("12", "it is a number, and an object is wanted"),
            ("null", "it is null, and an object is wanted"),
            ("# A title", "it is not JSON: expected value at line 1 column 1"),
            ("[1,", "it ends in the middle at line 1"),
            (
                &whole[..whole.floor_char_boundary(whole.len() / 2)],
                "it ends in the middle at line ",
            ),
            ("{}", "there is no field `schema` at line 1"),
            (&*number, "integer `-1` stands where a whole number is wanted at line "),
            (&*text, "string \"many\" stands where a whole number is wanted at line "),
            (&*list, "a list of 0 stands where an object is wanted at line "),
        ] {
            let said = result(text).unwrap_err();
            assert!(said.contains(told), "{said}");
            for ours in ["struct", "EOF", "elements"] {
                assert!(!said.contains(ours), "{said}");
            }
        }
        let long = format!("{{\"rounds\": \"{}\"}}", "x".repeat(1_000));
        assert!(result(&long).unwrap_err().len() < 300);
    }

    #[test]
    fn strings_stay_what_they_are_and_command_nobody() {
        let text = "\u{9b}31m \u{7f} \u{202e} \u{2028} ##[error]x \\##[ \u{1f980}".to_owned();
        let json = pretty(&text);
        assert!(json.chars().all(is_shown) && !json.contains("##["), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
