//! SQL as a stream of tokens, as far as the stand-in reads it.

/// A piece of SQL. Words and symbols are compared without their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// A number without a sign.
    Number(&'a str),
    /// What stands between two quotes, `''` for a quote in it.
    Text(&'a str),
    /// What stands between two double quotes, `""` for one in it.
    Name(&'a str),
    /// `$1` is 1.
    Parameter(usize),
    Symbol(char),
}

impl Token<'_> {
    /// Whether it is the keyword `word`.
    pub(super) fn is(self, word: &str) -> bool {
        matches!(self, Token::Word(own) if own.eq_ignore_ascii_case(word))
    }

    /// Whether both say the same.
    pub(super) fn equals(self, other: Token<'_>) -> bool {
        match other {
            Token::Word(word) => self.is(word),
            _ => self == other,
        }
    }
}

/// The tokens of a text, without white space and comments.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a>(pub(super) &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = after_blanks(self.0);
        let first = text.chars().next()?;
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut digits = text.strip_prefix('.').unwrap_or(text).chars();
        let number = digits.next().is_some_and(|c| c.is_ascii_digit());
        let (token, len) = match first {
            '\'' => quoted(text, first, Token::Text),
            '"' => quoted(text, first, Token::Name),
            '$' if text[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let len = 1 + run(&text[1..], |c| c.is_ascii_digit());
                (Token::Parameter(text[1..len].parse().unwrap_or(usize::MAX)), len)
            }
            '0'..='9' | '.' if number => {
                let len = run(text, |c| c.is_ascii_alphanumeric() || c == '.');
                (Token::Number(&text[..len]), len)
            }
            c if of_word(c) => {
                let len = run(text, of_word);
                (Token::Word(&text[..len]), len)
            }
            c => (Token::Symbol(c), c.len_utf8()),
        };
        self.0 = &text[len..];
        Some(token)
    }
}

/// The bytes of the longest start of `text` that is made of such characters.
fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

/// What stands between two `mark`s at the start of `text`; without its end a lone mark, which no statement has.
fn quoted<'a>(
    text: &'a str,
    mark: char,
    token: impl FnOnce(&'a str) -> Token<'a>,
) -> (Token<'a>, usize) {
    let mut at = 1;
    while let Some(next) = text[at..].find(mark) {
        let end = at + next;
        if !text[end + 1..].starts_with(mark) {
            return (token(&text[1..end]), end + 1);
        }
        at = end + 2;
    }
    (Token::Symbol(mark), 1)
}

/// `text` from its first token on.
fn after_blanks(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        text = match text.as_bytes() {
            [b'-', b'-', ..] => text.find(['\n', '\r']).map_or("", |end| &text[end..]),
            [b'/', b'*', ..] => match comment(text) {
                Some(len) => &text[len..],
                // Without its end it is no comment, and no statement either.
                None => return text,
            },
            _ => return text,
        };
    }
}

/// The bytes of the comment at the start of `text`, which may have others in it.
fn comment(text: &str) -> Option<usize> {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0_u32);
    while let Some(pair) = bytes.get(at..at + 2) {
        at += match pair {
            b"/*" => {
                depth += 1;
                2
            }
            b"*/" => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_is_cut_into_its_tokens() {
        let tokens: Vec<_> =
            Tokens(" SELECT a_1\n\tFROM f($12, -2.5e3,'it''s', '')::int8;").collect();
        use Token::{Number, Parameter, Symbol, Text, Word};
        let expected = [
            Word("SELECT"),
            Word("a_1"),
            Word("FROM"),
            Word("f"),
            Symbol('('),
            Parameter(12),
            Symbol(','),
            Symbol('-'),
            Number("2.5e3"),
            Symbol(','),
            Text("it''s"),
            Symbol(','),
            Text(""),
            Symbol(')'),
            Symbol(':'),
            Symbol(':'),
            Word("int8"),
            Symbol(';'),
        ];
        assert_eq!(tokens, expected);
        assert_eq!(Tokens("'open").next(), Some(Symbol('\'')));
        assert_eq!(Tokens("'it''").next(), Some(Symbol('\'')));
        assert_eq!(Tokens(" \n ").next(), None);
        let dots = [Word("a"), Symbol('.'), Word("b"), Number(".5")];
        assert_eq!(Tokens("a.b .5").collect::<Vec<_>>(), dots);
        let commented = "-- a ' b\r\nSELECT/* 1 /* ; */ 2 */1 --\n, \"a \"\"b\"-- end";
        let tokens: Vec<_> = Tokens(commented).collect();
        let name = Token::Name("a \"\"b");
        assert_eq!(tokens, [Word("SELECT"), Number("1"), Symbol(','), name]);
        assert_eq!(Tokens("/* ping */ -- none").next(), None);
        assert_eq!(Tokens("/* /* */").next(), Some(Symbol('/')));
        assert!(Word("select").equals(Word("SELECT")) && !Text("a").equals(Text("A")));
    }
}
