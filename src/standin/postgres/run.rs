//! What a statement does, and the rows it gives.

use super::messages::{Cell, Formats};
use super::value::{Arguments, Value};
use super::{PostgresConversation, Transaction, Waiting, messages};
use crate::domain::dataset::Tier;
use crate::sql::{Class, Statement};
use crate::standin::dial::Promise;
use crate::standin::ledger::{OutOfRange, Payment};
use crate::standin::postgres::SqlError;
use crate::standin::postgres::known::Query;
use crate::standin::stats::StatementKind;
use crate::standin::{SAVEPOINTS_MAX, World};
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
        world.stats.count(StatementKind::Statement(*statement));
        return Ok(world.dial.begin(statement.class(), start));
    }
    world.stats.count(StatementKind::Other);
    let seconds = match (query, &arguments[0]) {
        (Query::Sleep(Some(seconds)), _) | (Query::Sleep(None), Value::Float(seconds)) => *seconds,
        (Query::Sleep(None), Value::Int(seconds)) => *seconds as f64,
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

impl PostgresConversation {
    /// Does the work of a statement and writes all of its answer.
    pub(super) fn run(
        &mut self,
        waiting: Waiting,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<(), SqlError> {
        let Waiting { promise, query, arguments, formats } = waiting;
        let simple = self.script.is_some();
        if let Query::Schema(statement, ref literals) = query {
            let arguments = match literals {
                Some(literals) => (**literals).clone(),
                None => arguments,
            };
            if simple {
                messages::row_description(out, statement.columns(), formats);
            }
            if let (Transaction::Block(written), Class::Write) =
                (&mut self.transaction, statement.class())
            {
                *written = written.saturating_add(1);
            }
            let rows = schema(statement, arguments, formats, world, out)?;
            messages::command_complete(out, if rows { "SELECT 1" } else { "SELECT 0" });
            return Ok(());
        }
        let now = world.date(promise.due);
        let (cells, tag) = match &query {
            Query::Show((_, value)) => (vec![Cell::Text(value)], "SHOW"),
            Query::Sleep(_) => (vec![Cell::Text("")], "SELECT 1"),
            Query::Values(columns) => {
                (columns.iter().map(|column| column.cell(now, self.key)).collect(), "SELECT 1")
            }
            Query::Types(..) => (Vec::new(), "SELECT 0"),
            _ => return self.command(query, out),
        };
        let columns = query.columns();
        if simple {
            messages::row_description(out, &columns, formats);
        }
        if !cells.is_empty() {
            messages::data_row(out, &columns, &cells, formats);
        }
        messages::command_complete(out, tag);
        Ok(())
    }

    /// A statement without rows.
    fn command(&mut self, query: Query, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let tag = match query {
            Query::Begin => {
                if self.transaction == Transaction::None {
                    self.transaction = Transaction::Block(0);
                }
                "BEGIN"
            }
            Query::Commit => match self.end_transaction() {
                Transaction::Failed(written) => {
                    not_taken_back(written, 0, out);
                    "ROLLBACK"
                }
                _ => "COMMIT",
            },
            Query::Rollback => {
                if let Transaction::Block(written) | Transaction::Failed(written) =
                    self.end_transaction()
                {
                    not_taken_back(written, 0, out);
                }
                "ROLLBACK"
            }
            Query::Savepoint(_) | Query::Release(_) | Query::RollbackTo(_) => {
                self.nested(query, out)?
            }
            Query::Discard => {
                self.statements.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Query::Deallocate(name) => {
                match name {
                    Some(name) => drop(self.statements.remove(&name)),
                    None => self.statements.clear(),
                }
                "DEALLOCATE"
            }
            Query::Empty => {
                messages::empty_query(out);
                return Ok(());
            }
            Query::Nothing(tag) => tag,
            _ => unreachable!("the others have rows"),
        };
        messages::command_complete(out, tag);
        Ok(())
    }

    /// What is done with a savepoint; gives what it is answered with.
    fn nested(&mut self, query: Query, out: &mut Vec<u8>) -> Result<&'static str, SqlError> {
        Ok(match query {
            Query::Savepoint(name) => {
                let Transaction::Block(written) = self.transaction else {
                    return Err(outside("SAVEPOINT"));
                };
                if self.savepoints.len() >= SAVEPOINTS_MAX {
                    let max = SAVEPOINTS_MAX;
                    return Err(SqlError::new(
                        "54000",
                        format!("a transaction has {max} savepoints"),
                    ));
                }
                self.savepoints.push((name, written));
                "SAVEPOINT"
            }
            Query::Release(name) => {
                let at = self.savepoint(&name, "RELEASE SAVEPOINT")?;
                self.savepoints.truncate(at);
                "RELEASE"
            }
            Query::RollbackTo(name) => {
                let at = self.savepoint(&name, "ROLLBACK TO SAVEPOINT")?;
                self.savepoints.truncate(at + 1);
                if let Transaction::Block(written) | Transaction::Failed(written) = self.transaction
                {
                    not_taken_back(written, self.savepoints[at].1, out);
                    self.transaction = Transaction::Block(written);
                }
                "ROLLBACK"
            }
            _ => unreachable!("the others have no savepoint"),
        })
    }

    fn end_transaction(&mut self) -> Transaction {
        self.savepoints.clear();
        std::mem::replace(&mut self.transaction, Transaction::None)
    }

    /// The place of the newest savepoint of that name, for what `verb` does.
    fn savepoint(&self, name: &str, verb: &str) -> Result<usize, SqlError> {
        if self.transaction == Transaction::None {
            return Err(outside(verb));
        }
        self.savepoints
            .iter()
            .rposition(|(own, _)| **own == *name)
            .ok_or_else(|| SqlError::new("3B001", format!("savepoint \"{name}\" does not exist")))
    }
}

fn outside(verb: &str) -> SqlError {
    SqlError::new("25P01", format!("{verb} can only be used in transaction blocks"))
}

/// Says so where something was written since there were `before` writes.
fn not_taken_back(written: u32, before: u32, out: &mut Vec<u8>) {
    if written > before {
        messages::warning(out, &NOT_TAKEN_BACK);
    }
}

const NOT_TAKEN_BACK: SqlError = SqlError {
    code: "01000",
    message: std::borrow::Cow::Borrowed(
        "the stand-in keeps what the transaction wrote: each of its statements is a transaction of its own",
    ),
    hint: None,
};

/// Does what a statement of the schema does; gives whether it has a row.
fn schema(
    statement: Statement,
    arguments: Arguments,
    formats: Formats,
    world: &mut World,
    out: &mut Vec<u8>,
) -> Result<bool, SqlError> {
    let mut row = |cells: &[Cell<'_>]| messages::data_row(out, statement.columns(), cells, formats);
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
