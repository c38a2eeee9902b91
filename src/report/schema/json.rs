//! Values as JSON text. Both forms come from one of serde_json's two formatters, because each is compiled anew for
//! every type that it writes.

use serde::Serialize;

/// Over several lines, for files that people open.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("it has string keys and finite numbers only")
}

/// The same on one line.
pub(super) fn on_one_line(value: &impl Serialize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::mock;

    #[test]
    fn one_line_is_what_serde_json_writes_on_one_line() {
        let mut result = mock::everything();
        result.title = "a \"quoted\"  \\ \\\\\" title: \n, { \u{1} µ".into();
        let expected = serde_json::to_string(&result).unwrap();
        assert!(on_one_line(&result) == expected, "{}", on_one_line(&result.title));
    }
}
