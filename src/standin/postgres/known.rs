//! What the stand-in knows to answer, and what it says of itself.

use super::messages::Cell;
use super::tokens::{Token, Tokens};
use super::value::Arguments;
use crate::sql::Statement;
use crate::standin::postgres::SqlError;
use crate::standin::postgres::messages::Formats;
use crate::standin::postgres::value::PARAMETERS_MAX;
use crate::standin::step::Key;
use crate::units::Nanos;
use std::collections::HashMap;
use std::rc::Rc;

/// One statement that can be answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    /// Nothing but white space.
    Empty,
    /// A statement of the schema; its parameters where they stand in the text.
    Schema(Statement, Option<Rc<Arguments>>),
    /// `SELECT` of values: one row.
    Values(Rc<[Column]>),
    /// `SELECT .. FROM pg_type ..` of so many parameters: no row.
    Types(Rc<[Column]>, usize),
    /// `SELECT pg_sleep(x)`, of so many seconds, or of a parameter.
    Sleep(Option<f64>),
    /// `SHOW x`: a setting.
    Show(&'static Setting),
    Begin,
    Commit,
    Rollback,
    Savepoint(Box<str>),
    Release(Box<str>),
    /// `ROLLBACK TO x`
    RollbackTo(Box<str>),
    /// `SET ..` and others that change nothing here, by what they are answered with.
    Nothing(&'static str),
    /// `DISCARD ALL`
    Discard,
    /// `DEALLOCATE x`; without a name, all of them.
    Deallocate(Option<Box<str>>),
}

/// The name of a setting and what `SHOW` gives.
pub(crate) type Setting = (&'static str, &'static str);

/// What `SHOW` knows. The first so many are told to every client that connects.
pub(crate) const SETTINGS: [Setting; 31] = [
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
    ("transaction_read_only", "off"),
    ("transaction_deferrable", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    ("in_hot_standby", "off"),
    ("search_path", "\"$user\", public"),
    ("session_authorization", USER),
    ("is_superuser", "off"),
    ("application_name", ""),
    ("client_min_messages", "notice"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("max_identifier_length", "63"),
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("synchronous_commit", "on"),
    ("ssl", "off"),
    ("jit", "off"),
];

/// Who every client is, whatever it calls itself.
pub(super) const USER: &str = "standin";

/// How many of them are told at the start.
pub(crate) const SETTINGS_TOLD: usize = 7;

/// What `SELECT version()` gives.
pub(crate) const VERSION: &str = "PostgreSQL 15.0 (bakeoff stand-in)";

/// What `inner` makes of what stands between brackets.
pub(super) fn brackets<T>(
    tokens: &mut Tokens<'_>,
    inner: impl FnOnce(&mut Tokens<'_>) -> Option<T>,
) -> Option<T> {
    tokens.next().filter(|token| *token == Token::Symbol('('))?;
    let inner = inner(tokens)?;
    tokens.next().filter(|token| *token == Token::Symbol(')'))?;
    Some(inner)
}

/// What a column is called that has no name.
pub(super) const UNNAMED: &str = "?column?";

/// A column: its name, its type, and what its one row has where there is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: Box<str>,
    pub(crate) oid: u32,
    pub(crate) value: Scalar,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    Now,
    /// What the connection was told when it began.
    BackendPid,
}

impl Column {
    /// Its value in the row that is answered at `now`, since 1970, on the connection with this key.
    pub(super) fn cell(&self, now: Nanos, key: Key) -> Cell<'_> {
        match &self.value {
            Scalar::Null => Cell::Null,
            Scalar::Bool(value) => Cell::Bool(*value),
            Scalar::Int(value) => Cell::Int(*value),
            Scalar::Text(value) => Cell::Text(value),
            Scalar::Now => Cell::Time(now),
            Scalar::BackendPid => Cell::Int(key.id.into()),
        }
    }
}

// Prepared statements and portals: things with a name, and one without.

/// A statement with the types of its parameters.
#[derive(Clone, Debug)]
pub(super) struct PreparedStatement {
    pub(super) query: Query,
    pub(super) types: [u32; PARAMETERS_MAX],
}

/// A statement with its parameters, ready to be executed once.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub(super) query: Query,
    pub(super) arguments: Arguments,
    pub(super) formats: Formats,
    /// Whether it has given its rows.
    pub(super) done: bool,
}

/// Things of one kind by their names. The one without a name is kept apart: it is the one that is used the most.
#[derive(Debug)]
pub(super) struct Named<T> {
    unnamed: Option<T>,
    named: HashMap<Box<str>, T>,
    max: usize,
}

impl<T> Named<T> {
    /// At most `max` of them have names.
    pub(super) fn new(max: usize) -> Self {
        Self { unnamed: None, named: HashMap::new(), max }
    }

    /// Takes a thing. An unnamed one replaces the one before.
    ///
    /// # Errors
    /// `taken` when the name is in use, 54000 when there are too many.
    pub(super) fn insert(
        &mut self,
        name: &str,
        thing: T,
        taken: &'static str,
    ) -> Result<(), SqlError> {
        if name.is_empty() {
            self.unnamed = Some(thing);
        } else if self.named.contains_key(name) {
            return Err(SqlError::new(taken, format!("\"{name}\" already exists")));
        } else if self.named.len() >= self.max {
            let max = self.max;
            return Err(SqlError::new(
                "54000",
                format!("\"{name}\" is one too many: {max} are kept"),
            ));
        } else {
            self.named.insert(name.into(), thing);
        }
        Ok(())
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&mut T> {
        match name {
            "" => self.unnamed.as_mut(),
            _ => self.named.get_mut(name),
        }
    }

    /// Forgets one; gives whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        match name {
            "" => self.unnamed.take().is_some(),
            _ => self.named.remove(name).is_some(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        if !self.named.is_empty() {
            self.named.clear();
        }
    }
}
