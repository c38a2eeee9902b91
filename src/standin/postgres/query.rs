//! What a text of SQL asks for, of what the stand-in answers.

use crate::standin::postgres::known::{Query, SETTINGS, brackets};
use std::rc::Rc;

use super::cast::{CASTS_MAX, CastType, cast_type};
use super::select;
use super::tokens::{Token, Tokens};
use super::value::{Arguments, FLOAT8, PARAMETERS_MAX, VOID, Value, parse};
use crate::sql::oid::{INT8, TEXT};
use crate::sql::{Class, Statement};
use crate::standin::postgres::SqlError;

impl Query {
    /// The one statement of `text`.
    ///
    /// # Errors
    /// 42601 for all that is not answered here, with what is, and for more than one.
    pub(super) fn parse(text: &str) -> Result<Self, SqlError> {
        // A client that sends the very text is spared the comparison.
        if let Some(statement) = Statement::ALL.into_iter().find(|one| one.text() == text) {
            return Ok(Self::Schema(statement, None));
        }
        let mut statements = statements(text);
        let first = statements.next().map_or(Ok(Self::Empty), Self::of);
        match statements.next() {
            None => first,
            Some(_) => Err(SqlError::new(
                "42601",
                "cannot insert multiple commands into a prepared statement",
            )),
        }
    }

    /// What `text` asks for, which has no semicolon.
    fn of(text: &str) -> Result<Self, SqlError> {
        for statement in Statement::ALL {
            if let Some(literals) = fit(statement, Tokens(text)) {
                return Ok(Self::Schema(statement, literals?));
            }
        }
        Self::common(Tokens(text)).unwrap_or_else(|| Err(unknown(text)))
    }

    /// Statements that every server answers.
    fn common(mut tokens: Tokens<'_>) -> Option<Result<Self, SqlError>> {
        let Token::Word(word) = tokens.next()? else {
            return None;
        };
        let rest = tokens.clone();
        Some(Ok(match word.to_ascii_lowercase().as_str() {
            "select" => return select(rest).map(Ok),
            "show" => return Some(show(rest)),
            "begin" | "start" => Self::Begin,
            "commit" | "end" => Self::Commit,
            "rollback" | "abort" => {
                match tokens.find(|token| !token.is("work") && !token.is("transaction")) {
                    Some(to) if to.is("to") => Self::RollbackTo(name(tokens)?),
                    _ => Self::Rollback,
                }
            }
            "savepoint" => Self::Savepoint(name(rest)?),
            "release" => Self::Release(name(rest)?),
            "set" => Self::Nothing("SET"),
            "reset" => Self::Nothing("RESET"),
            "unlisten" => Self::Nothing("UNLISTEN"),
            "close" if tokens.next()?.is("all") => Self::Nothing("CLOSE CURSOR ALL"),
            "discard" => match tokens.next()? {
                all if all.is("all") => Self::Discard,
                plans if plans.is("plans") => Self::Nothing("DISCARD PLANS"),
                sequences if sequences.is("sequences") => Self::Nothing("DISCARD SEQUENCES"),
                temporary if temporary.is("temp") || temporary.is("temporary") => {
                    Self::Nothing("DISCARD TEMP")
                }
                _ => return None,
            },
            "deallocate" => Self::Deallocate(match tokens.find(|token| !token.is("prepare")) {
                Some(Token::Word(name)) if !name.eq_ignore_ascii_case("all") => Some(name.into()),
                _ => None,
            }),
            _ => return None,
        }))
    }

    /// The types of the parameters that it still needs.
    pub(crate) fn parameters(&self) -> &'static [u32] {
        match self {
            Self::Schema(statement, None) => statement.parameters(),
            Self::Sleep(None) => &[FLOAT8],
            Self::Types(_, parameters) => &[TEXT; PARAMETERS_MAX][..*parameters],
            _ => &[],
        }
    }

    /// The names and types of its columns; none when it gives no rows.
    pub(crate) fn columns(&self) -> Vec<(&str, u32)> {
        match self {
            Self::Schema(statement, _) => statement.columns().to_vec(),
            Self::Values(columns) | Self::Types(columns, _) => {
                columns.iter().map(|column| (&*column.name, column.oid)).collect()
            }
            Self::Sleep(_) => vec![("pg_sleep", VOID)],
            Self::Show((name, _)) => vec![(name, TEXT)],
            _ => Vec::new(),
        }
    }

    /// Whether it ends a transaction, which is all that one that has failed allows.
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackTo(_))
    }
}

/// The statements of a text, separated by semicolons; none when it is empty.
///
/// # Errors
/// As [`Query::parse`], or more than `max` statements (54000).
pub(super) fn script(text: &str, max: usize) -> Result<Vec<Query>, SqlError> {
    let queries = statements(text).take(max + 1).map(Query::of).collect::<Result<Vec<_>, _>>()?;
    match queries.len() > max {
        true => Err(SqlError::new("54000", format!("a query has at most {max} statements"))),
        false => Ok(queries),
    }
}

/// The parts of a text between its semicolons that have something in them.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let mut tokens = Tokens(text);
    std::iter::from_fn(move || {
        let (mut start, mut some) = (tokens.0, false);
        loop {
            let before = tokens.0;
            match tokens.next() {
                Some(Token::Symbol(';')) if !some => start = tokens.0,
                None | Some(Token::Symbol(';')) => {
                    return some.then(|| &start[..start.len() - before.len()]);
                }
                Some(_) => some = true,
            }
        }
    })
}

/// The name of a savepoint, which is the last thing that a statement says.
fn name(mut tokens: Tokens<'_>) -> Option<Box<str>> {
    let token = tokens.find(|token| !token.is("savepoint"))?;
    let name = match token {
        Token::Word(name) => name.to_ascii_lowercase(),
        Token::Name(name) => name.into(),
        _ => return None,
    };
    tokens.next().is_none().then(|| name.into())
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
            // PostgreSQL makes a number as wide as it must be, and compares the row's id with that.
            Literal::Number(text) if statement.class() == Class::Lookup => {
                given += 1;
                arguments[number - 1] = id(&text)?;
            }
            Literal::Number(text) | Literal::Value(text) => {
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

/// The id that equals a number: `5` and `5.0` are 5, and no row has 5.5. Nothing of one with an exponent, or of none.
fn id(text: &str) -> Option<Value> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(whole) && are_digits(fraction)).then_some(())?;
    if fraction.bytes().any(|byte| byte != b'0') {
        return Some(Value::Null);
    }
    // `.0` is 0.
    Some(parse(&format!("{sign}0{whole}"), INT8).unwrap_or(Value::Null))
}

enum Literal {
    Parameter(usize),
    Null,
    Number(String),
    /// Between quotes.
    Value(String),
}

/// The parameter or literal that comes next. A cast around it or behind it is passed over, unless it would change it.
fn literal(tokens: &mut Tokens<'_>) -> Option<Literal> {
    let mut ahead = tokens.clone();
    let mut literal = if ahead.next()?.is("cast") {
        *tokens = ahead;
        brackets(tokens, |tokens| {
            let literal = uncast(tokens)?;
            tokens.next().filter(|token| token.is("as"))?;
            literal.cast(cast_type(tokens)?)
        })?
    } else {
        uncast(tokens)?
    };
    for _ in 0..CASTS_MAX {
        let Some(to) = CastType::behind(tokens)? else { break };
        literal = literal.cast(to)?;
    }
    Some(literal)
}

impl Literal {
    /// The same as one of type `to`; nothing where that is another value, as of 5.5 as an integer.
    fn cast(self, to: CastType) -> Option<Self> {
        let changes = match &self {
            Self::Number(text) => to.changes_number(text),
            Self::Value(text) => to.changes_text(text),
            Self::Parameter(_) | Self::Null => false,
        };
        (!changes).then_some(self)
    }
}

fn uncast(tokens: &mut Tokens<'_>) -> Option<Literal> {
    Some(match tokens.next()? {
        Token::Parameter(number) => Literal::Parameter(number),
        Token::Number(number) => Literal::Number(number.into()),
        Token::Symbol('-') => match tokens.next()? {
            Token::Number(number) => Literal::Number(format!("-{number}")),
            _ => return None,
        },
        Token::Text(text) => Literal::Value(text.replace("''", "'")),
        word if word.is("null") => Literal::Null,
        _ => return None,
    })
}

/// What stands after SELECT.
fn select(tokens: Tokens<'_>) -> Option<Query> {
    sleep(tokens.clone())
        .or_else(|| select::values(tokens.clone()))
        .or_else(|| select::function(tokens.clone()))
        .or_else(|| select::types(tokens))
}

fn sleep(mut tokens: Tokens<'_>) -> Option<Query> {
    tokens.next().filter(|token| token.is("pg_sleep"))?;
    let seconds = brackets(&mut tokens, |tokens| match literal(tokens)? {
        Literal::Parameter(1) => Some(None),
        Literal::Number(text) | Literal::Value(text) => match parse(&text, FLOAT8) {
            Ok(Value::Float(seconds)) => Some(Some(seconds)),
            _ => None,
        },
        _ => None,
    })?;
    tokens.next().is_none().then_some(Query::Sleep(seconds))
}

/// What stands after SHOW.
fn show(mut tokens: Tokens<'_>) -> Result<Query, SqlError> {
    let name = match (tokens.next(), tokens.next()) {
        (Some(Token::Word(name) | Token::Name(name)), None) => name,
        // SHOW TRANSACTION ISOLATION LEVEL
        (Some(word), Some(second)) if word.is("transaction") && second.is("isolation") => {
            "transaction_isolation"
        }
        (Some(word), Some(second)) if word.is("time") && second.is("zone") => "TimeZone",
        (Some(word), Some(second)) if word.is("session") && second.is("authorization") => {
            "session_authorization"
        }
        _ => "",
    };
    let setting = SETTINGS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    setting.map(Query::Show).ok_or_else(|| {
        let known = SETTINGS.map(|(name, _)| name).join(", ");
        SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
            .hint(format!("There are {known}."))
    })
}

/// Says what is answered, since the client's author will want to know.
fn unknown(text: &str) -> SqlError {
    let schema = Statement::ALL.map(Statement::text).join("; ");
    let start: String = text.trim_start().chars().take(80).collect();
    SqlError::new("42601", format!("the stand-in does not answer `{start}`")).hint(format!(
        "It answers: {schema}; SELECT of numbers, texts, version(), now() and the like, and CAST of them; \
         SELECT pg_sleep(x); SELECT .. FROM pg_type; SHOW x; BEGIN; COMMIT; ROLLBACK; SAVEPOINT x; SET ..; \
         RESET ..; DISCARD ..; DEALLOCATE x; UNLISTEN *; CLOSE ALL"
    ))
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
        let code = |text: &str| Query::parse(text).unwrap_err().code;
        assert_eq!(code("SELECT fresh FROM credit(1, 'x', 3)"), "22P02");
        assert_eq!(code("SELECT fresh FROM credit(1, 2147483648, 3)"), "22003");
        assert_eq!(code("SELECT fresh FROM credit($1, 2, 3)"), "42601", "not a mixture");
        // A number is as wide as it must be; what stands between quotes is of the type that is wanted.
        let wide = "SELECT tier, cap_points, points FROM account_rows WHERE id = ";
        assert_eq!(given(&format!("{wide}3000000000")).1[0], Int(3_000_000_000));
        assert_eq!(given(&format!("{wide}30000000000000000000")).1[0], Value::Null);
        assert_eq!(code(&format!("{wide}'3000000000'")), "22003");
        for five in ["5.0", "5.", "CAST(5 AS bigint)", "'5'::int::numeric(9)", "5.0::numeric"] {
            assert_eq!(given(&format!("{wide}{five}")).1[0], Int(5), "{five}");
        }
        assert_eq!(given(&format!("{wide}-5.00")).1[0], Int(-5));
        assert_eq!(given(&format!("{wide}.0")).1[0], Int(0));
        assert_eq!(given(&format!("{wide}5.01")).1[0], Value::Null, "no row");
        // What would be another value is refused, and never taken for no row.
        for other in ["5e0", "5.5::int", "3000000000::int4", "5.0.0", "CAST(5.0 AS int)"] {
            assert_eq!(code(&format!("{wide}{other}")), "42601", "{other}");
        }
        let key = "SELECT fresh FROM receive_webhook('abc'::varchar";
        let (_, arguments) = given(&format!("{key}(3), CAST('{{}}' AS text))"));
        assert_eq!(arguments[..2], [Text("abc".into()), Text("{}".into())]);
        assert_eq!(code(&format!("{key}(2), '{{}}')")), "42601", "it would be cut");
        let cast =
            "SELECT tier, cap_points, points FROM account_rows WHERE id = CAST($1 AS INTEGER)";
        assert_eq!(Query::parse(cast), Ok(Query::Schema(Statement::Account, None)));
    }

    #[test]
    fn common_statements_are_known() {
        for (text, query) in [
            ("", Query::Empty),
            (" ; ", Query::Empty),
            ("-- ping", Query::Empty),
            ("/* DBD::Pg ping test v3.16.0 */;", Query::Empty),
            ("SELECT pg_sleep(0.05)", Query::Sleep(Some(0.05))),
            ("SELECT pg_sleep($1)", Query::Sleep(None)),
            ("show TimeZone", Query::Show(&SETTINGS[6])),
            ("SHOW TRANSACTION ISOLATION LEVEL", Query::Show(&SETTINGS[8])),
            ("SHOW TIME ZONE", Query::Show(&SETTINGS[6])),
            ("SHOW transaction_read_only", Query::Show(&SETTINGS[10])),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE", Query::Begin),
            ("START TRANSACTION", Query::Begin),
            ("commit work", Query::Commit),
            ("ROLLBACK", Query::Rollback),
            ("abort transaction;--", Query::Rollback),
            ("SAVEPOINT A", Query::Savepoint("a".into())),
            ("savepoint \"A 1\"", Query::Savepoint("A 1".into())),
            ("RELEASE SAVEPOINT a", Query::Release("a".into())),
            ("release a", Query::Release("a".into())),
            ("ROLLBACK WORK TO SAVEPOINT a", Query::RollbackTo("a".into())),
            ("rollback to a", Query::RollbackTo("a".into())),
            ("SET client_min_messages TO warning", Query::Nothing("SET")),
            ("RESET ALL", Query::Nothing("RESET")),
            ("UNLISTEN *", Query::Nothing("UNLISTEN")),
            ("CLOSE ALL", Query::Nothing("CLOSE CURSOR ALL")),
            ("DISCARD TEMP", Query::Nothing("DISCARD TEMP")),
            ("DISCARD ALL", Query::Discard),
            ("DEALLOCATE PREPARE s1", Query::Deallocate(Some("s1".into()))),
            ("DEALLOCATE ALL", Query::Deallocate(None)),
        ] {
            assert_eq!(Query::parse(text), Ok(query), "{text}");
        }
        for text in [
            "SELECT version",
            "SELECT pg_sleep('x')",
            "DROP TABLE users",
            "1",
            "CLOSE mine",
            "SAVEPOINT a b",
            "SELECT 1 /* open",
        ] {
            let error = Query::parse(text).unwrap_err();
            assert_eq!(error.code, "42601");
            let hint = error.hint.expect("it says what is answered");
            assert!(hint.contains("FROM user_rows WHERE id = $1"), "{hint}");
        }
        assert_eq!(Query::parse("SHOW nothing").unwrap_err().code, "42704");
        let two = Query::parse("SELECT 1; SELECT 1;").unwrap_err();
        assert!(two.code == "42601" && two.message.contains("multiple commands"), "{two:?}");
    }

    #[test]
    fn a_script_is_cut_at_semicolons_outside_quotes() {
        let queries =
            script("BEGIN; SELECT fresh FROM receive_webhook('a;b', ';');;COMMIT", 9).unwrap();
        assert_eq!(queries.len(), 3);
        assert_eq!((&queries[0], &queries[2]), (&Query::Begin, &Query::Commit));
        assert_eq!(script(" ; ;", 9), Ok(Vec::new()));
        let commented = "/* ; */ BEGIN -- ;\n; -- SELECT 1;\n; COMMIT -- end";
        assert_eq!(script(commented, 9), Ok(vec![Query::Begin, Query::Commit]));
        assert_eq!(script("SELECT 1; nonsense", 9).unwrap_err().code, "42601");
        assert_eq!(script("SELECT 1;SELECT 1;SELECT 1", 2).unwrap_err().code, "54000");
    }
}
