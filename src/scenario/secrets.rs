//! What a message about a scenario must not show: values of variables, headers and passwords.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::load::url::password;

/// A key with one of these in its name has a value that is nobody else's; a mistyped `header` too.
const SECRETIVE: [&str; 10] = [
    "env",
    "header",
    "authorization",
    "cookie",
    "token",
    "secret",
    "passw",
    "api_key",
    "api-key",
    "credential",
];

/// Whether the values of `key` are not to be shown.
pub(super) fn is_secretive(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETIVE.iter().any(|part| key.contains(part))
}

/// `text` with `*` in place of each byte that is not to be shown: places in it stay what they are.
pub(super) fn masked(text: &str) -> String {
    let mut hidden = Vec::new();
    match DeTable::parse(text) {
        Ok(table) => of_table(table.get_ref(), false, &mut hidden),
        Err(_) => of_lines(text, &mut hidden),
    }
    for (at, _) in text.match_indices("://") {
        let rest = &text[at..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"'".contains(c)).unwrap_or(rest.len());
        hidden.extend(password(&rest[..end]).map(|it| at + it.start..at + it.end));
    }
    let mut bytes = text.as_bytes().to_vec();
    for byte in hidden.into_iter().flat_map(|range| range.collect::<Vec<_>>()) {
        if !matches!(bytes[byte], b'\n' | b'\r') {
            bytes[byte] = b'*';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_table(table: &DeTable<'_>, secretive: bool, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let secretive = secretive || is_secretive(key.get_ref());
        of_value(value.get_ref(), value.span(), secretive, hidden);
    }
}

fn of_value(
    value: &DeValue<'_>,
    span: Range<usize>,
    secretive: bool,
    hidden: &mut Vec<Range<usize>>,
) {
    match value {
        DeValue::Table(table) => of_table(table, secretive, hidden),
        DeValue::Array(array) => {
            for one in array {
                of_value(one.get_ref(), one.span(), secretive, hidden);
            }
        }
        // Between the quotes.
        DeValue::String(_) if secretive => hidden.push(span.start + 1..span.end - 1),
        _ if secretive => hidden.push(span),
        _ => {}
    }
}

/// Of a text that is no TOML: all that follows a `=` behind such a key, and what goes on in the next lines.
fn of_lines(text: &str, hidden: &mut Vec<Range<usize>>) {
    let (mut section, mut open_until): (bool, Option<&str>) = (false, None);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        if let Some(end) = open_until {
            hidden.push(at..start);
            open_until = Some(end).filter(|end| !line.contains(end));
            continue;
        }
        if line.trim_start().starts_with('[') {
            section = is_secretive(line);
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let below = value.contains('{') && is_secretive(value);
        if !(section || is_secretive(key) || below) {
            continue;
        }
        hidden.push(start - value.len()..start);
        let ends = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("{", "}"), ("[", "]")];
        let opened = ends.into_iter().find(|(open, _)| value.contains(open));
        open_until = opened.map(|(_, end)| end).filter(|end| !closes(value, end));
    }
}

fn closes(value: &str, end: &str) -> bool {
    value.matches(end).count() > usize::from(end.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_and_places_stay() {
        for text in [
            "[[route]]\nheaders = { A = \"s3cret\", \"b-c\" = 's3cret' }\npath = \"/\"\n",
            "[[route]]\nheader = { A = \"s3cret\" }\npath = \"/\"\n",
            "[contender.a.env]\nPASS = \"s3cret\"\nN = 5\n[slo]\npath = \"/\"\n",
            "[contender.a]\nenv.PASS = '''\ns3cret\n'''\npath = \"/\"\n",
            "a.url = \"http://u:s3cret@127.0.0.1/\"\npath = \"/\"\n",
            "a.url = \"postgres://u:s3cret@x@127.0.0.1/db\"\npath = \"/\"\n",
            "[[route]]\ntoken = \"s3cret\"\npath = \"/\"\n",
            // No TOML.
            "[[route]]\nheaders = { A = \"s3cret }\npath = \"/\"\n",
            "[[route]]\nheaders = {\n A = \"s3cret\"\n}\npath = \"/\" =\n",
            "[contender.a.env]\nPASS = \"s3cret\n[slo]\npath = \"/\"\n",
            "contender.a.env.PASS = \"\"\"\ns3cret\n\"\"\"\npath = \"/\" =\n",
            "contender = { a = { env = { PASS = \"s3cret\" } }\npath = \"/\"\n",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("s3cret") && shown.contains("path = \"/\""), "{text}: {shown}");
            assert_eq!((shown.len(), shown.lines().count()), (text.len(), text.lines().count()));
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let text = "name = \"a\"\nurl = \"http://127.0.0.1:8080/\"\npath = \"/a@b\"\n";
        assert_eq!(masked(text), text);
        let broken = "name = \"a\nurl = \"http://127.0.0.1:8080/\"\n";
        assert_eq!(masked(broken), broken);
    }
}
