//! `SELECT` without the tables of the schema: values, which pings and first connections ask for, and the catalogue of types.

use crate::standin::postgres::known::{
    Column, Query, SETTINGS, Scalar, UNNAMED, USER, VERSION, brackets,
};
use std::rc::Rc;

use super::cast::{CASTS_MAX, CastType, cast_type};
use super::tokens::{Token, Tokens};
use super::value::{NAME, OID, PARAMETERS_MAX, TIMESTAMPTZ, VOID};
use crate::sql::oid::{BOOL, INT4, INT8, TEXT};

/// `value [, ..]`, with names where they are given; all of what stands after SELECT.
pub(super) fn values(mut tokens: Tokens<'_>) -> Option<Query> {
    let mut columns = Vec::new();
    loop {
        let mut column = value(&mut tokens, CASTS_MAX)?;
        let next = renamed(&mut column, &mut tokens)?;
        columns.push(column);
        match next {
            None => return Some(Query::Values(columns.into())),
            Some(Token::Symbol(',')) if columns.len() < COLUMNS_MAX => {}
            Some(_) => return None,
        }
    }
}

/// Columns of such a row at most: a bit of [`super::messages::Formats`] for each.
const COLUMNS_MAX: usize = 16;

/// `* FROM version()`: a function as a table of one column, which is called as the table is.
pub(super) fn function(mut tokens: Tokens<'_>) -> Option<Query> {
    (tokens.next()? == Token::Symbol('*') && tokens.next()?.is("from")).then_some(())?;
    let name = word(&mut tokens)?.to_ascii_lowercase();
    let is_literal = ["null", "true", "false"].contains(&name.as_str());
    let mut column = if is_literal { None } else { named(&name, &mut tokens) }?;
    let next = renamed(&mut column, &mut tokens)?;
    next.is_none().then(|| Query::Values(Rc::from([column])))
}

/// Takes the name that `column` is given, if it is given one; gives what stands behind it.
fn renamed<'a>(column: &mut Column, tokens: &mut Tokens<'a>) -> Option<Option<Token<'a>>> {
    let mut next = tokens.next();
    if next.is_some_and(|token| token.is("as")) {
        next = tokens.next();
        matches!(next, Some(Token::Word(_) | Token::Name(_))).then_some(())?;
    }
    if let Some(Token::Word(name) | Token::Name(name)) = next {
        column.name = name.into();
        next = tokens.next();
    }
    Some(next)
}

/// A value with the casts around it and behind it.
fn value(tokens: &mut Tokens<'_>, casts: u32) -> Option<Column> {
    let mut ahead = tokens.clone();
    let mut column = if ahead.next()?.is("cast") {
        let casts = casts.checked_sub(1)?;
        *tokens = ahead;
        brackets(tokens, |tokens| {
            let column = value(tokens, casts)?;
            tokens.next().filter(|token| token.is("as"))?;
            cast_type(tokens)?.of(column)
        })?
    } else {
        uncast(tokens)?
    };
    for _ in 0..CASTS_MAX {
        let Some(to) = CastType::behind(tokens)? else { break };
        column = to.of(column)?;
    }
    Some(column)
}

fn uncast(tokens: &mut Tokens<'_>) -> Option<Column> {
    let column = |name: &str, oid, value| Some(Column { name: name.into(), oid, value });
    match tokens.next()? {
        Token::Number(number) => {
            let mut sum = number.parse::<i64>().ok()?;
            // `1 + 1`, as Sequelize asks.
            let mut ahead = tokens.clone();
            while let (Some(Token::Symbol('+')), Some(Token::Number(more))) =
                (ahead.next(), ahead.next())
            {
                sum = sum.checked_add(more.parse().ok()?)?;
                *tokens = ahead.clone();
            }
            let oid = if i32::try_from(sum).is_ok() { INT4 } else { INT8 };
            column(UNNAMED, oid, Scalar::Int(sum))
        }
        Token::Symbol('-') => match tokens.next()? {
            Token::Number(number) => {
                let number = format!("-{number}").parse::<i64>().ok()?;
                let oid = if i32::try_from(number).is_ok() { INT4 } else { INT8 };
                column(UNNAMED, oid, Scalar::Int(number))
            }
            _ => None,
        },
        Token::Text(text) => column(UNNAMED, TEXT, Scalar::Text(text.replace("''", "'").into())),
        Token::Word(word) => named(&word.to_ascii_lowercase(), tokens),
        _ => None,
    }
}

/// A keyword or a function.
fn named(name: &str, tokens: &mut Tokens<'_>) -> Option<Column> {
    let text = |text: &str| Scalar::Text(text.into());
    let column = |name: &str, oid, value| Some(Column { name: name.into(), oid, value });
    let nothing = |_: &mut Tokens<'_>| Some(());
    match name {
        "pg_catalog" => {
            (tokens.next()? == Token::Symbol('.')).then_some(())?;
            let function = word(tokens)?.to_ascii_lowercase();
            return if function == "pg_catalog" { None } else { named(&function, tokens) };
        }
        "null" => return column(UNNAMED, TEXT, Scalar::Null),
        "true" | "false" => return column("bool", BOOL, Scalar::Bool(name == "true")),
        "current_schema" | "current_catalog" => {
            let mut ahead = tokens.clone();
            if brackets(&mut ahead, nothing).is_some() {
                *tokens = ahead;
            }
            let value = if name == "current_schema" { "public" } else { DATABASE };
            return column(name, NAME, text(value));
        }
        // Keywords, without brackets.
        "current_user" | "session_user" | "current_role" | "user" => {
            return column(name, NAME, text(USER));
        }
        "current_timestamp" => return column(name, TIMESTAMPTZ, Scalar::Now),
        "current_setting" => return column(name, TEXT, brackets(tokens, setting)?),
        "set_config" => return column(name, TEXT, brackets(tokens, configured)?),
        _ => {}
    }
    let (oid, value) = match name {
        "version" => (TEXT, text(VERSION)),
        "now" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" => {
            (TIMESTAMPTZ, Scalar::Now)
        }
        "pg_backend_pid" => (INT4, Scalar::BackendPid),
        "current_database" => (NAME, text(DATABASE)),
        "pg_is_in_recovery" => (BOOL, Scalar::Bool(false)),
        // There are no such locks to give back.
        "pg_advisory_unlock_all" => (VOID, text("")),
        _ => return None,
    };
    brackets(tokens, nothing)?;
    column(name, oid, value)
}

/// `'name'`, or `'name', true`, by which one that is not known is NULL.
fn setting(tokens: &mut Tokens<'_>) -> Option<Scalar> {
    let Token::Text(asked) = tokens.next()? else { return None };
    let mut ahead = tokens.clone();
    let missing_ok = ahead.next() == Some(Token::Symbol(',')) && {
        *tokens = ahead;
        boolean(tokens)?
    };
    let found = SETTINGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked));
    match found {
        Some((_, value)) => Some(Scalar::Text((*value).into())),
        None => missing_ok.then_some(Scalar::Null),
    }
}

/// `'name', 'value', false`: gives the value. As after SET, it is kept nowhere.
fn configured(tokens: &mut Tokens<'_>) -> Option<Scalar> {
    let Token::Text(_) = tokens.next()? else { return None };
    (tokens.next()? == Token::Symbol(',')).then_some(())?;
    let Token::Text(value) = tokens.next()? else { return None };
    (tokens.next()? == Token::Symbol(',')).then_some(())?;
    boolean(tokens)?;
    Some(Scalar::Text(value.replace("''", "'").into()))
}

fn boolean(tokens: &mut Tokens<'_>) -> Option<bool> {
    let token = tokens.next()?;
    (token.is("true") || token.is("false")).then(|| token.is("true"))
}

/// What the one database is called, whatever a client calls it.
const DATABASE: &str = "standin";

/// `.. FROM pg_type ..`: there are no types but PostgreSQL's own, so that it has no rows. Drivers ask for those that have
/// been added: hstore, enumerations, arrays of them.
pub(super) fn types(mut tokens: Tokens<'_>) -> Option<Query> {
    let mut columns = Vec::new();
    let (mut last, mut depth) = (None, 0_usize);
    loop {
        let token = tokens.next()?;
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        let ends = depth == 0 && (token == Token::Symbol(',') || token.is("from"));
        match (ends, token) {
            (true, _) => {
                let name: &str = last.take()?;
                let oid = if OIDS.contains(&name) { OID } else { TEXT };
                columns.push(Column { name: name.into(), oid, value: Scalar::Null });
                (columns.len() <= COLUMNS_MAX).then_some(())?;
            }
            (false, Token::Word(name) | Token::Name(name)) => last = Some(name),
            (false, _) => last = None,
        }
        if ends && token.is("from") {
            break;
        }
    }
    let mut relation = word(&mut tokens)?;
    if relation.eq_ignore_ascii_case("pg_catalog") {
        (tokens.next()? == Token::Symbol('.')).then_some(())?;
        relation = word(&mut tokens)?;
    }
    relation.eq_ignore_ascii_case("pg_type").then_some(())?;
    let parameters = tokens.filter_map(|token| match token {
        Token::Parameter(number) => Some(number),
        _ => None,
    });
    let parameters = parameters.max().unwrap_or(0);
    (parameters <= PARAMETERS_MAX).then(|| Query::Types(Rc::from(columns), parameters))
}

/// Columns that are called so have an oid.
const OIDS: [&str; 7] =
    ["oid", "typarray", "array_oid", "typelem", "elemtype", "typbasetype", "typrelid"];

fn word<'a>(tokens: &mut Tokens<'a>) -> Option<&'a str> {
    match tokens.next()? {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::postgres::value::{FLOAT8, VARCHAR};
    use crate::standin::step::Key;
    use crate::units::Nanos;

    type Columns = Vec<(String, u32)>;

    /// The columns of `text`, and how many parameters it has if it is about types.
    fn columns(text: &str) -> Option<(Columns, Option<usize>)> {
        let (columns, parameters) = match Query::parse(text).ok()? {
            Query::Values(columns) => (columns, None),
            Query::Types(columns, parameters) => (columns, Some(parameters)),
            other => panic!("{text}: {other:?}"),
        };
        Some((columns.iter().map(|one| (one.name.to_string(), one.oid)).collect(), parameters))
    }

    fn named(columns: &[(&str, u32)]) -> Columns {
        columns.iter().map(|(name, oid)| ((*name).to_owned(), *oid)).collect()
    }

    #[test]
    fn pings_and_first_questions_are_values() {
        for (text, expected) in [
            ("SELECT 1", named(&[("?column?", INT4)])),
            (
                "select 1 as ok, 'it''s' \"b\", NULL",
                named(&[("ok", INT4), ("b", TEXT), ("?column?", TEXT)]),
            ),
            ("SELECT 1+1 AS result", named(&[("result", INT4)])),
            (
                "SELECT 3000000000::int8, -5, true",
                named(&[("int8", INT8), ("?column?", INT4), ("bool", BOOL)]),
            ),
            (
                "SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1, 'x'::varchar(60)",
                named(&[("anon_1", VARCHAR), ("varchar", VARCHAR)]),
            ),
            (
                "SELECT CAST(CAST(5 AS text)::name AS integer)::float8, version()::text",
                named(&[("float8", FLOAT8), ("version", TEXT)]),
            ),
            (
                "SELECT current_user, session_user, user, CURRENT_TIMESTAMP",
                named(&[
                    ("current_user", NAME),
                    ("session_user", NAME),
                    ("user", NAME),
                    ("current_timestamp", TIMESTAMPTZ),
                ]),
            ),
            (
                "SELECT pg_backend_pid(), set_config('a.b', 'c', false), current_setting('a.b', true)",
                named(&[("pg_backend_pid", INT4), ("set_config", TEXT), ("current_setting", TEXT)]),
            ),
            ("SELECT * FROM current_schema()", named(&[("current_schema", NAME)])),
            ("select * from pg_catalog.version() AS v", named(&[("v", TEXT)])),
            ("select pg_catalog.version()", named(&[("version", TEXT)])),
            ("SELECT NOW()", named(&[("now", TIMESTAMPTZ)])),
            ("select current_schema()", named(&[("current_schema", NAME)])),
            (
                "SELECT current_schema, current_database()",
                named(&[("current_schema", NAME), ("current_database", NAME)]),
            ),
            ("SELECT pg_advisory_unlock_all()", named(&[("pg_advisory_unlock_all", VOID)])),
            ("SELECT pg_is_in_recovery()", named(&[("pg_is_in_recovery", BOOL)])),
            ("SELECT current_setting('server_version_num')", named(&[("current_setting", TEXT)])),
        ] {
            assert_eq!(columns(text), Some((expected, None)), "{text}");
        }
        for text in [
            "SELECT",
            "SELECT 1,",
            "SELECT 1 AS",
            "SELECT 1 a b",
            "SELECT version",
            "SELECT nothing()",
            "SELECT current_setting('nothing')",
            "SELECT 1 WHERE false",
            "SELECT 1:int",
            "SELECT $1",
            "SELECT CAST(1 AS)",
            "SELECT CAST('a' AS int)",
            "SELECT CAST(CAST(CAST(CAST(CAST(1 AS int) AS int) AS int) AS int) AS int)",
            "SELECT '{}'::jsonb",
            "SELECT current_user()",
            "SELECT pg_backend_pid",
            "SELECT set_config('a', 'b')",
            "SELECT * FROM true",
            "SELECT * FROM version() v w",
            "SELECT * FROM nothing()",
        ] {
            assert_eq!(columns(text), None, "{text}");
        }
        let key = Key { id: 5, secret: 7 };
        let cells = |text| match Query::parse(text) {
            Ok(Query::Values(columns)) => {
                format!(
                    "{:?}",
                    columns.iter().map(|one| one.cell(Nanos(7), key)).collect::<Vec<_>>()
                )
            }
            other => panic!("{other:?}"),
        };
        let all = cells("SELECT 1+1+1, -4, 'a', null, false, now()");
        assert_eq!(all, "[Int(3), Int(-4), Text(\"a\"), Null, Bool(false), Time(Nanos(7))]");
        let all =
            cells("SELECT '7'::int, 7::text, pg_backend_pid(), set_config('a', 'it''s', true)");
        assert_eq!(all, "[Int(7), Text(\"7\"), Int(5), Text(\"it's\")]");
        let all =
            cells("SELECT current_setting('max_identifier_length'), current_setting('b', true)");
        assert_eq!(all, "[Text(\"63\"), Null]");
    }

    #[test]
    fn there_are_no_types_but_postgresqls_own() {
        let of_postgres_js = "
            select b.oid, b.typarray
            from pg_catalog.pg_type a
            left join pg_catalog.pg_type b on b.oid = a.typelem
            where a.typcategory = 'A'
            group by b.oid, b.typarray
            order by b.oid";
        let expected = named(&[("oid", OID), ("typarray", OID)]);
        assert_eq!(columns(of_postgres_js), Some((expected, Some(0))));
        let of_psycopg = "SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, \
            typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid";
        let expected = named(&[
            ("name", TEXT),
            ("oid", OID),
            ("array_oid", OID),
            ("regtype", TEXT),
            ("delimiter", TEXT),
        ]);
        assert_eq!(columns(of_psycopg), Some((expected, Some(1))));
        assert_eq!(columns("SELECT oid FROM pg_class"), None);
        assert_eq!(columns("SELECT * FROM pg_type"), None);
        assert_eq!(columns("SELECT a FROM b, pg_type"), None);
    }
}
