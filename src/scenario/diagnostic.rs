//! A mistake in a file, shown with file, line, column, the offending text underlined, and what to write instead.

use crate::error::Error;
use crate::load::url::userinfo;
use crate::postgres::Server;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake.
#[derive(Debug)]
pub(super) struct Diagnostic {
    /// Bytes of the file; `0..0` stands for the file as a whole.
    span: Range<usize>,
    title: String,
    label: String,
    help: Option<String>,
}

impl Diagnostic {
    /// `title` says what is wrong, `label` what the text at `span` is.
    pub(super) fn new(
        span: &Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self { span: span.clone(), title: title.into(), label: label.into(), help: None }
    }

    /// A mistake of the file as a whole: something is not there.
    pub(super) fn of_file(title: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(&(0..0), title, label)
    }

    /// The same with a sentence on what to write.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The nearest of `known` to `word` as the help; where none is near, all of them.
    pub(super) fn suggest<'a>(
        self,
        word: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        match nearest(word, known.clone()) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self.help(format!("there are {}", listed(known))),
        }
    }

    /// The report on the file `file_name` with the content `text`, whose secrets it does not show.
    pub(super) fn render(self, file_name: &str, text: &str) -> Error {
        let text = &masked(text);
        let span = shown(self.span, text);
        let cause = Level::ERROR.primary_title(scrubbed(&self.title)).element(
            Snippet::source(text)
                .path(file_name)
                .annotation(AnnotationKind::Primary.span(span).label(scrubbed(&self.label))),
        );
        let help = self.help.map(|help| Group::with_title(Level::HELP.secondary_title(help)));
        let groups: Vec<_> = std::iter::once(cause).chain(help).collect();
        Error::rendered(Renderer::styled().term_width(100).render(&groups))
    }
}

/// The part of `span` that is underlined: one line, at least one character where there is one, inside `text`. A mistake
/// of the whole file is shown at its first line that says something.
fn shown(span: Range<usize>, text: &str) -> Range<usize> {
    let span = if span.is_empty() && span.start == 0 { first_line(text) } else { span };
    let start = floor_char(text, span.start);
    let end = floor_char(text, span.end.max(start));
    let line = text[start..end].find('\n').map_or(end, |newline| start + newline);
    let end = start + text[start..line].trim_end().len();
    if end > start {
        return start..end;
    }
    match text[start..].chars().next() {
        Some(next) if !next.is_whitespace() => start..start + next.len_utf8(),
        _ => line_of(text, start),
    }
}

/// Where something should have stood and nothing does: what there is of the line.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    start + indent..start + line.trim_end().len().max(indent)
}

fn first_line(text: &str) -> Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let said = line.trim();
        if !said.is_empty() && !said.starts_with('#') {
            return start..start + line.trim_end().len();
        }
        start += line.len();
    }
    0..0
}

fn floor_char(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// The word of `known` that `word` was probably meant to be: at most a third of it mistyped, or it as a part.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance costs the product of the lengths, and no known word is long.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::osa_distance(&word, candidate);
            let letters = word.chars().count().max(candidate.chars().count());
            let contained = word.len() >= 3 && candidate.contains(&word);
            (distance * 3 <= letters || contained).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a, b and c`
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

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
    hidden.extend(secrets(text));
    starred(text, hidden)
}

/// What is said about a value, without the secrets that are known by their form.
pub(super) fn scrubbed(text: &str) -> String {
    starred(text, secrets(text))
}

fn starred(text: &str, hidden: Vec<Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in hidden.into_iter().flatten() {
        if !matches!(bytes[byte], b'\n' | b'\r') {
            bytes[byte] = b'*';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Secrets that are known by their form, wherever they stand: user and password of a URL, and what follows `password=`.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let ends = |c: char, more: &str| c.is_whitespace() || more.contains(c);
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let rest = &text[at..];
        let end = rest.find(|c: char| ends(c, "\"")).unwrap_or(rest.len());
        found.extend(userinfo(&rest[..end]).map(|it| at + it.start..at + it.end));
    }
    for (at, _) in text.to_ascii_lowercase().match_indices("passw") {
        let name = text[at..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let Some(value) = name.trim_start_matches(' ').strip_prefix('=') else { continue };
        let value = value.trim_start_matches(' ');
        let start = text.len() - value.len();
        // `password='a b'`, as in the words of a connection.
        let quoted = value.strip_prefix('\'').and_then(|inner| inner.find('\''));
        found.push(match quoted {
            Some(len) => start + 1..start + 1 + len,
            None => start..start + value.find(|c: char| ends(c, "\"&")).unwrap_or(value.len()),
        });
    }
    found
}

fn of_table(table: &DeTable<'_>, secretive: bool, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        // Where in an answer a token stands is no secret.
        if key.get_ref() == "extract" {
            continue;
        }
        let secretive = secretive || is_secretive(key.get_ref());
        if key.get_ref() == "store" {
            of_store(value.get_ref(), hidden);
        }
        of_value(value.get_ref(), value.span(), secretive, hidden);
    }
}

/// The URL of a database. If it is none, which part of it is the password cannot be known.
fn of_store(store: &DeValue<'_>, hidden: &mut Vec<Range<usize>>) {
    let Some(postgres) = entry(store, "postgres") else { return };
    let url = entry(postgres.get_ref(), "url").unwrap_or(postgres);
    let is_url = match url.get_ref() {
        DeValue::String(text) => text == "auto" || Server::read(text).is_ok(),
        // A table without a URL.
        DeValue::Table(_) => true,
        _ => false,
    };
    if !is_url {
        of_value(url.get_ref(), url.span(), true, hidden);
    }
}

fn entry<'a, 'b>(value: &'a DeValue<'b>, name: &str) -> Option<&'a Spanned<DeValue<'b>>> {
    let DeValue::Table(table) = value else { return None };
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
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
    let (mut section, mut header, mut open_until) = (false, "", None::<&str>);
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
            header = line;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let below = value.contains('{') && is_secretive(value);
        // The URL of a database, which may be none: `url` below [store.postgres], or all of it in one line.
        let says = |word: &str| header.contains(word) || line.contains(word);
        let url = says("store") && says("postgres") && line.contains("url");
        let url = url && !value.contains("\"auto\"") && !value.contains("://");
        if !(section || is_secretive(key) || below || url) {
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
    fn the_nearest_word_is_a_likely_one() {
        let models = ["event-loop", "work-stealing", "thread-per-connection", "thread-pool"];
        for (word, near) in [
            ("evnt-loop", Some("event-loop")),
            ("Event-Loop", Some("event-loop")),
            ("thread-pol", Some("thread-pool")),
            ("threadpool", Some("thread-pool")),
            ("pool", Some("thread-pool")),
            ("tokio", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, models), near, "{word}");
        }
    }

    #[test]
    fn what_is_underlined_is_one_line_inside_the_text() {
        let text = "# note\n\nname = 1\nb = 2\n";
        assert_eq!(&text[shown(0..0, text)], "name = 1");
        assert_eq!(&text[shown(8..text.len(), text)], "name = 1");
        assert_eq!(&text[shown(8..8, text)], "n");
        assert_eq!(&text[shown(16..17, text)], "name = 1", "at the end of a line");
        assert_eq!(shown(900..905, text), text.len()..text.len());
        assert_eq!(shown(0..0, ""), 0..0);
        assert_eq!(shown(1..1, "\u{e9}"), 0..2);
        assert_eq!(shown(1..2, "   "), 3..3);
    }

    #[test]
    fn values_are_hidden_and_places_stay() {
        for text in [
            "[[route]]\nheaders = { A = \"s3cret\", \"b-c\" = 's3cret' }\npath = \"/\"\n",
            "[[route]]\nheader = { A = \"s3cret\" }\npath = \"/\"\n",
            "[contender.a.env]\nPASS = \"s3cret\"\nN = 5\n[slo]\npath = \"/\"\n",
            "[contender.a]\nenv.PASS = '''\ns3cret\n'''\npath = \"/\"\n",
            "a.url = \"http://u:s3cret@127.0.0.1/\"\npath = \"/\"\n",
            "a.url = \"postgres://u:s3cret@x@127.0.0.1/db\"\npath = \"/\"\n",
            "a.url = \"http://s3cret@127.0.0.1:29201\"\npath = \"/\"\n",
            "[store.postgres]\nurl = \"host=127.0.0.1 password=s3cret\"\n[x]\npath = \"/\"\n",
            "[store.postgres]\nurl = \"127.0.0.1 s3cret\"\n[x]\npath = \"/\"\n",
            "[store.postgres]\nurl = \"postgres://h:x/s3cret\"\n[x]\npath = \"/\"\n",
            "[store.postgres]\nurl = \"postgres://h/x?password=s3cret\"\n[x]\npath = \"/\"\n",
            "store = { postgres = \"s3cret\" }\npath = \"/\"\n",
            "a.command = [\"PGPASSWORD=s3cret\", \"password = 'a s3cret' host=h\"]\npath = \"/\"\n",
            "[[route]]\ntoken = \"s3cret\"\npath = \"/\"\n",
            // No TOML.
            "[[route]]\nheaders = { A = \"s3cret }\npath = \"/\"\n",
            "[[route]]\nheaders = {\n A = \"s3cret\"\n}\npath = \"/\" =\n",
            "[contender.a.env]\nPASS = \"s3cret\n[slo]\npath = \"/\"\n",
            "contender.a.env.PASS = \"\"\"\ns3cret\n\"\"\"\npath = \"/\" =\n",
            "contender = { a = { env = { PASS = \"s3cret\" } }\npath = \"/\"\n",
            "[store.postgres]\nurl = \"s3cret\npath = \"/\"\n",
            "store = { postgres = { url = \"s3cret\" }\npath = \"/\"\n",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("s3cret") && shown.contains("path = \"/\""), "{text}: {shown}");
            assert_eq!((shown.len(), shown.lines().count()), (text.len(), text.lines().count()));
        }
    }

    #[test]
    fn what_is_said_of_a_value_has_no_secret_either() {
        let said = scrubbed("this is string \"postgres://me:s3cret@h/\", password=s3cret");
        assert_eq!(said, "this is string \"postgres://*********@h/\", password=******");
        assert_eq!(scrubbed("has no password, nor http://h/"), "has no password, nor http://h/");
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let text = "name = \"a\"\nurl = \"http://127.0.0.1:8080/\"\npath = \"/a@b\"\n";
        assert_eq!(masked(text), text);
        for url in ["auto", "postgres://127.0.0.1:5432/shop"] {
            let text = format!("[store.postgres]\nurl = \"{url}\"\n");
            assert_eq!(masked(&text), text);
        }
        let text = "[contender.postgres]\nurl = \"unix:/run/app.sock\"\n";
        assert_eq!(masked(text), text, "a contender may be called so");
        let broken = "name = \"a\nurl = \"http://127.0.0.1:8080/\"\n";
        assert_eq!(masked(broken), broken);
    }
}
