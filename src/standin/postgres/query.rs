//! What a text of SQL asks for, of what the stand-in answers.

use std::rc::Rc;

use super::error::SqlError;
use super::tokens::{Token, Tokens};
use super::value::{Arguments, FLOAT8, VOID, Value, parse};
use crate::sql::Statement;
use crate::sql::oid::{INT4, TEXT};

/// One statement that can be answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    /// Nothing but white space.
    Empty,
    /// A statement of the schema; its parameters where they stand in the text.
    Schema(Statement, Option<Rc<Arguments>>),
    /// `SELECT 1`
    One,
    /// `SELECT version()`
    Version,
    /// `SELECT pg_sleep(x)`, of so many seconds, or of a parameter.
    Sleep(Option<f64>),
    /// `SHOW x`: a setting.
    Show(&'static Setting),
    Begin,
    Commit,
    Rollback,
    /// `SET ..`, which changes nothing.
    Set,
    /// `DISCARD ..`
    Discard,
    /// `DEALLOCATE x`; without a name, all of them.
    Deallocate(Option<Box<str>>),
}

/// The name of a setting and what `SHOW` gives.
pub(super) type Setting = (&'static str, &'static str);

/// What `SHOW` knows. The first so many are told to every client that connects.
pub(super) const SETTINGS: [Setting; 10] = [
    ("server_version", "15.0 (bakeoff stand-in)"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("TimeZone", "UTC"),
    ("server_version_num", "150000"),
    ("transaction_isolation", "read committed"),
    ("max_connections", "16384"),
];
/// How many of them are told at the start.
pub(super) const SETTINGS_TOLD: usize = 7;

/// What `SELECT version()` gives.
pub(super) const VERSION: &str = "PostgreSQL 15.0 (bakeoff stand-in)";

impl Query {
    /// The statement of `text`, which has no semicolon but at its end.
    ///
    /// # Errors
    /// 42601 for all that is not answered here, with what is.
    pub(super) fn parse(text: &str) -> Result<Self, SqlError> {
        // A client that sends the very text is spared the comparison.
        if let Some(statement) = Statement::ALL.into_iter().find(|one| one.text() == text) {
            return Ok(Self::Schema(statement, None));
        }
        let text = text.trim_end().trim_end_matches(';');
        for statement in Statement::ALL {
            if let Some(literals) = fit(statement, Tokens(text)) {
                return Ok(Self::Schema(statement, literals?));
            }
        }
        Self::common(Tokens(text)).unwrap_or_else(|| Err(unknown(text)))
    }

    /// Statements that every server answers.
    fn common(mut tokens: Tokens<'_>) -> Option<Result<Self, SqlError>> {
        let Some(first) = tokens.next() else {
            return Some(Ok(Self::Empty));
        };
        let Token::Word(word) = first else {
            return None;
        };
        let rest = tokens.clone();
        Some(Ok(match word.to_ascii_lowercase().as_str() {
            "select" => return select(rest).map(Ok),
            "show" => return Some(show(rest)),
            "begin" | "start" => Self::Begin,
            "commit" | "end" => Self::Commit,
            "rollback" | "abort" => Self::Rollback,
            "set" => Self::Set,
            "discard" => Self::Discard,
            "deallocate" => Self::Deallocate(match tokens.find(|token| !token.is("prepare")) {
                Some(Token::Word(name)) if !name.eq_ignore_ascii_case("all") => Some(name.into()),
                _ => None,
            }),
            _ => return None,
        }))
    }

    /// The types of the parameters that it still needs.
    pub(super) fn parameters(&self) -> &'static [u32] {
        match self {
            Self::Schema(statement, None) => statement.parameters(),
            Self::Sleep(None) => &[FLOAT8],
            _ => &[],
        }
    }

    /// The names and types of its columns; none when it gives no rows.
    pub(super) fn columns(&self) -> Vec<(&'static str, u32)> {
        match self {
            Self::Schema(statement, _) => statement.columns().to_vec(),
            Self::One => vec![("?column?", INT4)],
            Self::Version => vec![("version", TEXT)],
            Self::Sleep(_) => vec![("pg_sleep", VOID)],
            Self::Show((name, _)) => vec![(name, TEXT)],
            _ => Vec::new(),
        }
    }

    /// Whether it ends a transaction, which is all that one that has failed allows.
    pub(super) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback)
    }
}

/// The statements of a text, separated by semicolons; none when it is empty.
///
/// # Errors
/// As [`Query::parse`], or more than `max` statements (54000).
pub(super) fn script(text: &str, max: usize) -> Result<Vec<Query>, SqlError> {
    let mut queries = Vec::new();
    let mut tokens = Tokens(text);
    let mut start = text;
    loop {
        let before = tokens.0;
        let token = tokens.next();
        if matches!(token, None | Some(Token::Symbol(';'))) {
            let query = Query::parse(&start[..start.len() - before.len()])?;
            if query != Query::Empty {
                queries.push(query);
            }
            start = tokens.0;
        }
        if queries.len() > max {
            return Err(SqlError::new("54000", format!("a query has at most {max} statements")));
        }
        if token.is_none() {
            return Ok(queries);
        }
    }
}

/// Whether `tokens` are those of `statement`, with its parameters or with literals in their place.
fn fit(
    statement: Statement,
    mut tokens: Tokens<'_>,
) -> Option<Result<Option<Rc<Arguments>>, SqlError>> {
    let mut arguments = Arguments::default();
    let mut failure = None;
    let (mut given, mut left) = (0, 0);
    for token in Tokens(statement.text()) {
        let Token::Parameter(number) = token else {
            tokens.next().filter(|own| own.equals(token))?;
            continue;
        };
        match literal(&mut tokens)? {
            Literal::Parameter(own) => {
                (own == number).then_some(())?;
                left += 1;
            }
            Literal::Null => given += 1,
            Literal::Value(text) => {
                given += 1;
                match parse(&text, statement.parameters()[number - 1]) {
                    Ok(value) => arguments[number - 1] = value,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
    }
    if tokens.next().is_some() || (given > 0 && left > 0) {
        return None;
    }
    Some(failure.map_or_else(|| Ok((given > 0).then(|| Rc::new(arguments))), Err))
}

enum Literal {
    Parameter(usize),
    Null,
    Value(String),
}

/// The parameter or literal that comes next, with a cast behind it passed over.
fn literal(tokens: &mut Tokens<'_>) -> Option<Literal> {
    let literal = match tokens.next()? {
        Token::Parameter(number) => Literal::Parameter(number),
        Token::Number(number) => Literal::Value(number.into()),
        Token::Symbol('-') => match tokens.next()? {
            Token::Number(number) => Literal::Value(format!("-{number}")),
            _ => return None,
        },
        Token::Text(text) => Literal::Value(text.replace("''", "'")),
        word if word.is("null") => Literal::Null,
        _ => return None,
    };
    let mut ahead = tokens.clone();
    if (ahead.next(), ahead.next()) == (Some(Token::Symbol(':')), Some(Token::Symbol(':'))) {
        ahead.next()?;
        *tokens = ahead;
    }
    Some(literal)
}

/// What stands after SELECT.
fn select(mut tokens: Tokens<'_>) -> Option<Query> {
    let query = match tokens.next()? {
        Token::Number("1") => Query::One,
        word if word.is("version") => {
            brackets(&mut tokens, |_| Some(()))?;
            Query::Version
        }
        word if word.is("pg_sleep") => {
            Query::Sleep(brackets(&mut tokens, |tokens| match literal(tokens)? {
                Literal::Parameter(1) => Some(None),
                Literal::Value(text) => match parse(&text, FLOAT8) {
                    Ok(Value::Float(seconds)) => Some(Some(seconds)),
                    _ => None,
                },
                _ => None,
            })?)
        }
        _ => return None,
    };
    tokens.next().is_none().then_some(query)
}

fn brackets<T>(
    tokens: &mut Tokens<'_>,
    inner: impl FnOnce(&mut Tokens<'_>) -> Option<T>,
) -> Option<T> {
    tokens.next().filter(|token| *token == Token::Symbol('('))?;
    let inner = inner(tokens)?;
    tokens.next().filter(|token| *token == Token::Symbol(')'))?;
    Some(inner)
}

/// What stands after SHOW.
fn show(mut tokens: Tokens<'_>) -> Result<Query, SqlError> {
    let name = match (tokens.next(), tokens.next()) {
        (Some(Token::Word(name)), None) => name,
        // SHOW TRANSACTION ISOLATION LEVEL
        (Some(word), Some(second)) if word.is("transaction") && second.is("isolation") => {
            "transaction_isolation"
        }
        _ => "",
    };
    let setting = SETTINGS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    setting.map(Query::Show).ok_or_else(|| {
        let known = SETTINGS.map(|(name, _)| name).join(", ");
        SqlError::new(
            "42704",
            format!("unrecognized configuration parameter \"{name}\"; there are {known}"),
        )
    })
}

/// Says what is answered, since the client's author will want to know.
fn unknown(text: &str) -> SqlError {
    let schema = Statement::ALL.map(Statement::text).join("; ");
    let start: String = text.trim_start().chars().take(80).collect();
    SqlError::new(
        "42601",
        format!(
            "the stand-in does not answer `{start}`. It answers: {schema}; SELECT 1; SELECT version(); \
             SELECT pg_sleep(x); SHOW x; BEGIN; COMMIT; ROLLBACK; SET ..; DISCARD ..; DEALLOCATE x"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_schema_is_known_however_it_is_written() {
        for statement in Statement::ALL {
            let known = Ok(Query::Schema(statement, None));
            assert_eq!(Query::parse(statement.text()), known);
            let other = statement.text().to_uppercase().replace(' ', "\n  ").replace('(', " ( ");
            assert_eq!(Query::parse(&format!("  {other} ;")), known, "{other}");
            assert!(Query::parse(&format!("{} LIMIT 1", statement.text())).is_err());
        }
        let swapped = Statement::Credit.text().replace("$1, $2", "$2, $1");
        assert_eq!(Query::parse(&swapped).unwrap_err().code, "42601");
    }

    #[test]
    fn literals_stand_for_parameters() {
        let given = |text: &str| match Query::parse(text) {
            Ok(Query::Schema(statement, Some(arguments))) => (statement, (*arguments).clone()),
            other => panic!("{text}: {other:?}"),
        };
        let (statement, arguments) = given(
            "select outcome, fee_minor from capture('it''s', 7, 33::int4, 1250, 'EUR'::text, -12)",
        );
        assert_eq!(statement, Statement::Capture);
        use Value::{Int, Text};
        let expected =
            [Text("it's".into()), Int(7), Int(33), Int(1_250), Text("EUR".into()), Int(-12)];
        assert_eq!(arguments, expected);
        let (_, arguments) = given("SELECT fresh FROM credit(NULL, '5', 3)");
        assert_eq!(arguments[..3], [Value::Null, Int(5), Int(3)]);
        let code = |text| Query::parse(text).unwrap_err().code;
        assert_eq!(code("SELECT fresh FROM credit(1, 'x', 3)"), "22P02");
        assert_eq!(code("SELECT fresh FROM credit(1, 2147483648, 3)"), "22003");
        assert_eq!(code("SELECT fresh FROM credit($1, 2, 3)"), "42601", "not a mixture");
    }

    #[test]
    fn common_statements_are_known() {
        for (text, query) in [
            ("", Query::Empty),
            (" ; ", Query::Empty),
            ("select 1", Query::One),
            ("SELECT version()", Query::Version),
            ("SELECT pg_sleep(0.05)", Query::Sleep(Some(0.05))),
            ("SELECT pg_sleep($1)", Query::Sleep(None)),
            ("show TimeZone", Query::Show(&SETTINGS[6])),
            ("SHOW TRANSACTION ISOLATION LEVEL", Query::Show(&SETTINGS[8])),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE", Query::Begin),
            ("START TRANSACTION", Query::Begin),
            ("commit work", Query::Commit),
            ("ROLLBACK", Query::Rollback),
            ("SET client_min_messages TO warning", Query::Set),
            ("DISCARD ALL", Query::Discard),
            ("DEALLOCATE PREPARE s1", Query::Deallocate(Some("s1".into()))),
            ("DEALLOCATE ALL", Query::Deallocate(None)),
        ] {
            assert_eq!(Query::parse(text), Ok(query), "{text}");
        }
        for text in [
            "SELECT 2",
            "SELECT 1, 1",
            "SELECT version",
            "SELECT pg_sleep('x')",
            "DROP TABLE users",
            "1",
        ] {
            let error = Query::parse(text).unwrap_err();
            assert_eq!(error.code, "42601");
            assert!(error.message.contains("FROM user_rows WHERE id = $1"), "{}", error.message);
        }
        assert_eq!(Query::parse("SHOW nothing").unwrap_err().code, "42704");
    }

    #[test]
    fn a_script_is_cut_at_semicolons_outside_quotes() {
        let queries =
            script("BEGIN; SELECT fresh FROM receive_webhook('a;b', ';');;COMMIT", 9).unwrap();
        assert_eq!(queries.len(), 3);
        assert_eq!((&queries[0], &queries[2]), (&Query::Begin, &Query::Commit));
        assert_eq!(script(" ; ;", 9), Ok(Vec::new()));
        assert_eq!(script("SELECT 1; nonsense", 9).unwrap_err().code, "42601");
        assert_eq!(script("SELECT 1;SELECT 1;SELECT 1", 2).unwrap_err().code, "54000");
    }
}
