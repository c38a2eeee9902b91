//! A mistake in a file, shown with file, line, column, the offending text underlined, and what to write instead.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secrets::masked;
use crate::error::Error;

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
        let cause = Level::ERROR.primary_title(self.title).element(
            Snippet::source(text)
                .path(file_name)
                .annotation(AnnotationKind::Primary.span(span).label(self.label)),
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
}
