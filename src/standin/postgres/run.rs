//! What a statement does, and the rows it gives.

use super::backend::{self, Cell, Formats};
use super::error::SqlError;
use super::query::{Query, VERSION};
use super::value::{Arguments, Value};
use super::{Session, Transaction, Waiting};
use crate::domain::dataset::Tier;
use crate::sql::{Class, Statement};
use crate::standin::dial::Promise;
use crate::standin::ledger::{OutOfRange, Payment};
use crate::standin::stats::Kind;
use crate::standin::world::World;
use crate::units::Nanos;

/// A statement begins at `start`: when it is due.
///
/// # Errors
/// A sleep of a time that cannot be (22003).
pub(super) fn begin(
    query: &Query,
    arguments: &Arguments,
    start: Nanos,
    world: &mut World,
) -> Result<Promise, SqlError> {
    if let Query::Schema(statement, _) = query {
        world.stats.count(Kind::Statement(*statement));
        return Ok(world.dial.begin(statement.class(), start));
    }
    world.stats.count(Kind::Other);
    let seconds = match (query, &arguments[0]) {
        (Query::Sleep(Some(seconds)), _) | (Query::Sleep(None), Value::Float(seconds)) => *seconds,
        _ => 0.0,
    };
    if seconds.is_nan() || seconds > SLEEP_SECONDS_MAX {
        return Err(SqlError::new(
            "22003",
            format!("pg_sleep takes at most {SLEEP_SECONDS_MAX} s here"),
        ));
    }
    Ok(world.dial.begin_sleep(Nanos::from_secs_f64(seconds), start))
}

/// A day.
const SLEEP_SECONDS_MAX: f64 = 86_400.0;

impl Session {
    /// Does the work of a statement and writes all of its answer.
    pub(super) fn run(
        &mut self,
        waiting: Waiting,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<(), SqlError> {
        let Waiting { query, arguments, formats, .. } = waiting;
        let simple = self.script.is_some();
        if let Query::Schema(statement, ref literals) = query {
            let arguments = match literals {
                Some(literals) => (**literals).clone(),
                None => arguments,
            };
            if simple {
                backend::row_description(out, statement.columns(), formats);
            }
            if let (Transaction::Block(written), Class::Write) =
                (&mut self.transaction, statement.class())
            {
                *written = true;
            }
            let rows = schema(statement, arguments, formats, world, out)?;
            backend::command_complete(out, if rows { "SELECT 1" } else { "SELECT 0" });
            return Ok(());
        }
        let cell = match query {
            Query::Show((_, value)) => Cell::Text(value),
            Query::Version => Cell::Text(VERSION),
            Query::One => Cell::Int(1),
            Query::Sleep(_) => Cell::Text(""),
            _ => {
                self.command(&query, out);
                return Ok(());
            }
        };
        let columns = query.columns();
        if simple {
            backend::row_description(out, &columns, formats);
        }
        backend::data_row(out, &columns, &[cell], formats);
        backend::command_complete(
            out,
            if let Query::Show(_) = query { "SHOW" } else { "SELECT 1" },
        );
        Ok(())
    }

    /// A statement without rows.
    fn command(&mut self, query: &Query, out: &mut Vec<u8>) {
        let tag = match query {
            Query::Begin => {
                if self.transaction == Transaction::None {
                    self.transaction = Transaction::Block(false);
                }
                "BEGIN"
            }
            Query::Commit => match std::mem::replace(&mut self.transaction, Transaction::None) {
                Transaction::Failed => "ROLLBACK",
                _ => "COMMIT",
            },
            Query::Rollback => {
                let ended = std::mem::replace(&mut self.transaction, Transaction::None);
                if ended == Transaction::Block(true) {
                    backend::warning(out, &NOT_TAKEN_BACK);
                }
                "ROLLBACK"
            }
            Query::Discard => {
                self.statements.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Query::Deallocate(name) => {
                match name {
                    Some(name) => drop(self.statements.remove(name)),
                    None => self.statements.clear(),
                }
                "DEALLOCATE"
            }
            Query::Empty => return backend::empty_query(out),
            _ => "SET",
        };
        backend::command_complete(out, tag);
    }
}

const NOT_TAKEN_BACK: SqlError = SqlError {
    code: "01000",
    message: std::borrow::Cow::Borrowed(
        "the stand-in keeps what the transaction wrote: each of its statements is a transaction of its own",
    ),
};

/// Does what a statement of the schema does; gives whether it has a row.
fn schema(
    statement: Statement,
    arguments: Arguments,
    formats: Formats,
    world: &mut World,
    out: &mut Vec<u8>,
) -> Result<bool, SqlError> {
    let mut row = |cells: &[Cell<'_>]| backend::data_row(out, statement.columns(), cells, formats);
    if statement.class() == Class::Lookup {
        return Ok(lookup(statement, &arguments[0], world, row));
    }
    let [a, b, c, d, e, f] = arguments;
    match statement {
        Statement::Capture => {
            let payment = Payment {
                user_id: int4(b)?,
                merchant_id: int4(c)?,
                amount_minor: int8(d)?,
                currency: text(e)?,
            };
            let (outcome, fee_minor) = world.ledger.capture(text(a)?, payment, int8(f)?)?;
            row(&[Cell::Text(outcome), Cell::Int(fee_minor)]);
        }
        Statement::Begin => {
            let terms = [int8(b)?, int8(c)?, int8(d)?, int8(e)?];
            row(&[Cell::Bool(world.ledger.begin(int8(a)?, terms))]);
        }
        Statement::Credit => {
            row(&[Cell::Bool(world.ledger.credit(int8(a)?, int4(b)?, int8(c)?)?)]);
        }
        Statement::Webhook => row(&[Cell::Bool(world.ledger.receive(text(a)?, text(b)?))]),
        _ => row(&world.ledger.audit()?.map(Cell::Int)),
    }
    Ok(true)
}

/// Reads a row of the dataset; gives whether there is one.
fn lookup(
    statement: Statement,
    id: &Value,
    world: &World,
    mut row: impl FnMut(&[Cell<'_>]),
) -> bool {
    let &Value::Int(id) = id else {
        return false;
    };
    let Ok(id) = u32::try_from(id) else {
        return false;
    };
    let data = world.data;
    let found = match statement {
        Statement::User => data.user(id).map(|user| {
            row(&[Cell::Bool(user.blocked), Cell::Int(user.opening_balance_minor as i64)]);
        }),
        Statement::Limits => {
            data.limits(id).map(|limits| row(&[Cell::Int(limits.per_payment_minor as i64)]))
        }
        Statement::Merchant => data.merchant(id).map(|merchant| {
            row(&[Cell::Bool(merchant.closed), Cell::Int(merchant.fee_bps as i64)]);
        }),
        _ => data.account(id).map(|account| {
            let tier = match account.tier {
                Tier::Basic => 0,
                Tier::Silver => 1,
                Tier::Gold => 2,
                Tier::Platinum => 3,
            };
            let points = world.ledger.points(id as i32);
            row(&[Cell::Int(tier), Cell::Int(account.cap_points as i64), Cell::Int(points)]);
        }),
    };
    found.is_some()
}

fn int8(value: Value) -> Result<i64, SqlError> {
    match value {
        Value::Int(value) => Ok(value),
        _ => Err(null()),
    }
}

fn int4(value: Value) -> Result<i32, SqlError> {
    i32::try_from(int8(value)?).map_err(|_| SqlError::out_of_range("integer"))
}

fn text(value: Value) -> Result<Box<str>, SqlError> {
    match value {
        Value::Text(value) => Ok(value),
        _ => Err(null()),
    }
}

fn null() -> SqlError {
    SqlError::new("23502", "null value in a parameter violates a not-null constraint")
}

impl From<OutOfRange> for SqlError {
    fn from(_: OutOfRange) -> Self {
        Self::out_of_range("bigint")
    }
}
