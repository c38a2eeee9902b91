//! Source files as the rules see them: with and without comments, text and tests.

use std::path::Path;

/// A source file.
pub(crate) struct Source {
    /// Relative to the crate, `src/domain/payment.rs`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The same lines without comments, without what string literals say, and without tests.
    pub(crate) code: String,
}

impl Source {
    /// `text` as the file `path`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), code: without_tests(&without_text(text)) }
    }

    /// Its path below `src/`.
    pub(crate) fn place(&self) -> &str {
        self.path.strip_prefix("src/").unwrap_or(&self.path)
    }

    /// Its lines of code with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }
}

/// Every file below `src/`, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let files = below("src");
    assert!(files.len() > 10, "the source is not where it was: {} files", files.len());
    files
}

/// Every file below a folder of the crate, in the order of their paths.
pub(crate) fn below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.push(Source::new(name, &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// `text` with comments and the contents of string and character literals blanked; lines and columns stay.
fn without_text(text: &str) -> String {
    let chars = text.chars().collect::<Vec<_>>();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or(' ');
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == '/' => find(chars, at, &['\n']),
        '/' if next(1) == '*' => block_end(chars, at),
        '"' => quoted_end(chars, at, '"'),
        // A character, not a lifetime: 'x' or an escape.
        '\'' if next(1) == '\\' || next(2) == '\'' => quoted_end(chars, at, '\''),
        'r' if !in_word || chars[at - 1] == 'b' => raw_end(chars, at),
        _ => at,
    }
}

/// The end of `"..."` or `'...'`, where a backslash takes the next character with it.
fn quoted_end(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of `r"..."` or `r#"..."#`; `start` itself if it is none.
fn raw_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return start;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    (find(chars, start + 2 + hashes, &close) + close.len()).min(chars.len())
}

/// The end of a block comment, which may hold others.
fn block_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    let rest = &chars[from.min(chars.len())..];
    rest.windows(what.len()).position(|window| window == what).map_or(chars.len(), |at| from + at)
}

/// `code` with every item under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        out.push('\n');
        let mut item = Item::default();
        for line in lines.by_ref() {
            out.push('\n');
            if item.ends_with(line) {
                break;
            }
        }
    }
    out
}

/// Follows an item line by line to its end.
#[derive(Default)]
pub(crate) struct Item {
    depth: usize,
    opened: bool,
}

impl Item {
    /// Whether the item, whose code so far was given before, ends with `line`.
    pub(crate) fn ends_with(&mut self, line: &str) -> bool {
        for c in line.chars() {
            match c {
                '{' => (self.depth, self.opened) = (self.depth + 1, true),
                '}' => self.depth = self.depth.saturating_sub(1),
                ';' if !self.opened => return true,
                _ => {}
            }
        }
        self.opened && self.depth == 0
    }
}

#[test]
fn comments_text_and_tests_are_no_code() {
    let text = r####"
/// tokio in a comment /* and
use tokio::net; // tokio
const A: &str = "tokio \" tokio"; const B: char = '"'; const C: &'static str = r#"tokio "tokio"#;
/* tokio /* tokio */ tokio */ fn real<'a>(x: &'a str) { b'\''; br"tokio"; for_tokio("x") }
#[cfg(test)]
mod tests {
    use tokio::net;
    fn f() { "{"; }
}
fn after() { tokio }
#[cfg(test)]
use tokio::net;
fn last() {}
"####;
    let source = Source::new("src/x.rs", text);
    let found = source.lines().filter(|(_, line)| line.contains("tokio")).map(|(n, _)| n);
    assert_eq!(found.collect::<Vec<_>>(), [3, 5, 11]);
    assert!(source.code.contains("fn real<'a>(x: &'a str)") && source.code.contains("fn last"));
    assert_eq!(source.code.matches("tokio").count(), 3, "{}", source.code);
    assert_eq!(source.code.lines().count(), text.lines().count(), "line numbers stay");
}
