//! Text to [`Raw`]: what the TOML reader and the types refuse, said in the words of who writes a scenario.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, is_secretive, listed, scrubbed};
use super::node::{self, Node, Refusal};
use serde::de::DeserializeOwned;

/// `text` without its byte order mark, which would shift the columns of its first line.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Reads `text` as TOML of the right shape.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    if text.len() > BYTES_MAX {
        let title =
            format!("this file has {} bytes; a scenario has at most {BYTES_MAX}", text.len());
        return Err(Diagnostic::of_file(title, "is this a scenario?"));
    }
    let table = DeTable::parse(text).map_err(|error| syntax(&error, text))?;
    T::deserialize(Node::root(&table)).map_err(|refusal| shape(&refusal, table.get_ref()))
}

/// The longest file that is read. It is written by hand: one with a thousand routes has half of that, and in memory a file
/// takes a hundred times as much.
pub(super) const BYTES_MAX: usize = 1 << 18;

/// The text is no TOML.
fn syntax(error: &toml::de::Error, text: &str) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    match error.message() {
        "duplicate key" => Diagnostic::new(&span, "this key is given twice", "a second time")
            .help("remove one of the two, or give this one another name"),
        message if message.contains("recurs") => {
            // Of a key the reader does not say which one it was.
            let span = if span.is_empty() { longest_key(text) } else { span };
            Diagnostic::new(&span, "this is nested too deeply", "no scenario has so many levels")
        }
        message => Diagnostic::new(&span, format!("this is not TOML: {message}"), "here"),
    }
}

/// The start of the line with the most dots, which has the key of the most parts.
fn longest_key(text: &str) -> Range<usize> {
    let (mut start, mut longest) = (0, (0, 0..0));
    for line in text.split_inclusive('\n') {
        let dots = line.matches('.').count();
        if dots > longest.0 {
            longest = (dots, start..start + line.len().min(UNDERLINED_MAX));
        }
        start += line.len();
    }
    longest.1
}

/// What fits into a line of a terminal.
const UNDERLINED_MAX: usize = 60;

/// The text is TOML, and not a scenario's.
fn shape(refusal: &Refusal, document: &DeTable<'_>) -> Diagnostic {
    let span = refusal.span.clone().unwrap_or(0..0);
    let path = path_to(document, &span).unwrap_or_default();
    let message = refusal.message.as_str();
    if let Some((key, known)) = refused(message, "unknown field") {
        unknown_key(&span, &path, key, &known)
    } else if let Some((word, known)) = refused(message, "unknown variant") {
        unknown_word(&span, &path, word, &known)
    } else if let Some(key) = message.strip_prefix("missing field ") {
        missing(&span, &path, key.trim_matches('`'))
    } else if message == node::NOT_ONE_KEY {
        one_of_a_kind(&span, &path)
    } else if let Some((found, expected)) =
        message.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        wrong_type(&span, &path, found, expected)
    } else {
        let subject = path.last().map_or("this", String::as_str);
        Diagnostic::new(&span, format!("`{subject}` cannot be read"), message)
    }
}

fn unknown_key(span: &Range<usize>, path: &[String], key: &str, known: &[&str]) -> Diagnostic {
    let table = match path {
        [parents @ .., _] if !parents.is_empty() => format!("not a key of `{}`", parents.join(".")),
        _ => "not a key of a scenario".to_owned(),
    };
    let diagnostic =
        Diagnostic::new(span, format!("there is no key `{}`", key.escape_debug()), table);
    if known.is_empty() {
        return diagnostic.help("this table takes no keys");
    }
    diagnostic.suggest(key, known.iter().copied())
}

fn unknown_word(span: &Range<usize>, path: &[String], word: &str, known: &[&str]) -> Diagnostic {
    let key = path.last().map_or("", String::as_str);
    let key = match path {
        // An enum written as a table, such as [store.postgres]: the word is the last key of the path.
        [.., parent, last] if last == word => parent,
        _ => key,
    };
    let title = format!("`{}` is not a value of `{key}`", word.escape_debug());
    Diagnostic::new(span, title, "not known").suggest(word, known.iter().copied())
}

fn missing(span: &Range<usize>, path: &[String], key: &str) -> Diagnostic {
    let example = EXAMPLES.iter().find(|(known, _)| *known == key).map(|(_, example)| *example);
    let (span, title) = match path {
        [] => (0..0, format!("this scenario has no `{key}`")),
        path => (span.clone(), format!("`{}` has no `{key}`", path.join("."))),
    };
    let diagnostic = Diagnostic::new(&span, title, format!("needs `{key}`"));
    match example {
        Some(example) => diagnostic.help(format!("write for example: {example}")),
        None => diagnostic,
    }
}

/// Every key that must be given.
const EXAMPLES: &[(&str, &str)] = &[
    ("schema", "schema = 1"),
    ("name", "name = \"my-scenario\""),
    ("title", "title = \"What this shows\""),
    ("workload", "workload = \"payment\""),
    ("contender", "[contender.event-loop] and below it model = \"event-loop\""),
    ("model", "model = \"event-loop\""),
    ("operation", "operation = \"payment\""),
    ("p99", "p99 = \"100ms\""),
    ("text", "text = \"What is expected, in words\""),
    ("metric", "metric = \"p99\""),
    ("of", "of = \"event-loop\""),
];

/// `[load.open]` and `[load.closed]` together, or neither.
fn one_of_a_kind(span: &Range<usize>, path: &[String]) -> Diagnostic {
    let kinds = match path.last().map(String::as_str) {
        Some("load") => "[load.open] or [load.closed]",
        Some("store") => "[store.memory], [store.standin] or [store.postgres]",
        _ => "one key",
    };
    let table = path.join(".");
    Diagnostic::new(span, format!("`{table}` must be of exactly one kind"), "none, or several")
        .help(format!("keep one: {kinds}"))
}

/// `found` is serde's "type: integer `5`" or "value: integer `-1`", `expected` serde's or our own words.
fn wrong_type(span: &Range<usize>, path: &[String], found: &str, expected: &str) -> Diagnostic {
    let found = found.split_once(": ").map_or(found, |(_, found)| found);
    let subject = path.last().map_or("this", String::as_str);
    let expected = match expected {
        "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        text if text.starts_with("struct ") || text.starts_with("enum ") => "a table",
        text => text,
    };
    let found = match found {
        // What stands for a database may be its password.
        _ if path.iter().any(|key| is_secretive(key)) || subject == "postgres" => {
            found.split([' ', '`']).next().unwrap_or_default().to_owned()
        }
        "map" => "a table".to_owned(),
        "sequence" => "an array".to_owned(),
        other => other.replace("floating point", "number").replace("boolean", "truth value"),
    };
    let line = found.strip_prefix("string \"").and_then(|found| found.strip_suffix('"'));
    let diagnostic = Diagnostic::new(
        span,
        format!("`{subject}` must be {expected}"),
        format!("this is {found}"),
    );
    match line.filter(|_| matches!(subject, "command" | "before")) {
        Some(line) => diagnostic.help(format!("write {subject} = {}", scrubbed(&array(line)))),
        None => diagnostic,
    }
}

/// A command line as the array to write for it. What only a shell can read is given to one.
fn array(line: &str) -> String {
    let has = |any: &str| line.contains(|c| any.contains(c));
    if has(";&|") {
        return format!("[\"sh\", \"-c\", \"{line}\"]");
    }
    // The shell becomes the program, which so hears that it is to end.
    if has("\\\"'`$<>()*?~#!") {
        return format!("[\"sh\", \"-c\", \"exec {line}\"]");
    }
    let words: Vec<String> = line.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(", "))
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart. The offending word may itself hold anything.
fn refused<'a>(message: &'a str, what: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = message.strip_prefix(what)?.strip_prefix(" `")?;
    let (word, known) =
        rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    Some((word, known.split('`').skip(1).step_by(2).collect()))
}

/// The keys that lead to the key or value at `span`. Elements of an array have their array's path.
fn path_to(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let below = if key.span() == *span || value.span() == *span {
            Some(Vec::new())
        } else {
            path_within(value.get_ref(), span)
        };
        below.map(|mut path| {
            path.insert(0, key.get_ref().to_string());
            path
        })
    })
}

fn path_within(value: &DeValue<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    match value {
        DeValue::Table(table) => path_to(table, span),
        DeValue::Array(array) => array.iter().find_map(|element| {
            if element.span() == *span {
                Some(Vec::new())
            } else {
                path_within(element.get_ref(), span)
            }
        }),
        _ => None,
    }
}

/// For other files of this folder: a required key that only some scenarios need is missing.
pub(super) fn required(key: &str, why: &str, example: &str) -> Diagnostic {
    Diagnostic::of_file(format!("this scenario has no `{key}`"), why.to_owned())
        .help(format!("write for example: {example}"))
}

/// `text` as a list for a message: `20%, 50% and 80%`.
pub(super) fn list_of<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    listed(items.iter().map(String::as_str))
}
