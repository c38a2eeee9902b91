//! `SELECT` without the tables of the schema: values, which pings and first connections ask for, and the catalogue of types.

use crate::standin::postgres::known::{Column, Query, SETTINGS, Scalar, VERSION, brackets};
use std::rc::Rc;

use super::tokens::{Token, Tokens};
use super::value::{NAME, OID, PARAMETERS_MAX, TIMESTAMPTZ, VOID};
use crate::sql::oid::{BOOL, INT4, INT8, TEXT};

/// `value [, ..]`, with names where they are given; all of what stands after SELECT.
pub(super) fn values(mut tokens: Tokens<'_>) -> Option<Query> {
    let mut columns = Vec::new();
    loop {
        let mut column = value(&mut tokens)?;
        let mut next = tokens.next();
        // A cast, which says no more than the value does.
        while next == Some(Token::Symbol(':')) {
            (tokens.next()? == Token::Symbol(':')).then_some(())?;
            word(&mut tokens)?;
            next = tokens.next();
        }
        if next.is_some_and(|token| token.is("as")) {
            next = tokens.next();
            (next.is_some_and(|token| token != Token::Symbol(','))).then_some(())?;
        }
        if let Some(Token::Word(name) | Token::Name(name)) = next {
            column.name = name.into();
            next = tokens.next();
        }
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

fn value(tokens: &mut Tokens<'_>) -> Option<Column> {
    let column = |name: &str, oid, value| Some(Column { name: name.into(), oid, value });
    let unnamed = "?column?";
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
            column(unnamed, oid, Scalar::Int(sum))
        }
        Token::Symbol('-') => match tokens.next()? {
            Token::Number(number) => {
                let number = format!("-{number}").parse::<i64>().ok()?;
                let oid = if i32::try_from(number).is_ok() { INT4 } else { INT8 };
                column(unnamed, oid, Scalar::Int(number))
            }
            _ => None,
        },
        Token::Text(text) => column(unnamed, TEXT, Scalar::Text(text.replace("''", "'").into())),
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
        "null" => return column("?column?", TEXT, Scalar::Null),
        "true" | "false" => return column("bool", BOOL, Scalar::Bool(name == "true")),
        "current_schema" | "current_catalog" => {
            let mut ahead = tokens.clone();
            if brackets(&mut ahead, nothing).is_some() {
                *tokens = ahead;
            }
            let value = if name == "current_schema" { "public" } else { DATABASE };
            return column(name, NAME, text(value));
        }
        "current_setting" => {
            let setting = brackets(tokens, |tokens| match tokens.next()? {
                Token::Text(own) => {
                    SETTINGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(own))
                }
                _ => None,
            })?;
            return column(name, TEXT, text(setting.1));
        }
        _ => {}
    }
    let (oid, value) = match name {
        "version" => (TEXT, text(VERSION)),
        "now" => (TIMESTAMPTZ, Scalar::Now),
        "current_database" => (NAME, text(DATABASE)),
        "pg_is_in_recovery" => (BOOL, Scalar::Bool(false)),
        // There are no such locks to give back.
        "pg_advisory_unlock_all" => (VOID, text("")),
        _ => return None,
    };
    brackets(tokens, nothing)?;
    column(name, oid, value)
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
                named(&[("?column?", INT8), ("?column?", INT4), ("bool", BOOL)]),
            ),
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
        ] {
            assert_eq!(columns(text), None, "{text}");
        }
        let cells = |text| match Query::parse(text) {
            Ok(Query::Values(columns)) => {
                format!(
                    "{:?}",
                    columns.iter().map(|one| one.cell(crate::units::Nanos(7))).collect::<Vec<_>>()
                )
            }
            other => panic!("{other:?}"),
        };
        let all = cells("SELECT 1+1+1, -4, 'a', null, false, now()");
        assert_eq!(all, "[Int(3), Int(-4), Text(\"a\"), Null, Bool(false), Time(Nanos(7))]");
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
