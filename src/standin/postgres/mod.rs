//! A PostgreSQL session without its socket: startup, the simple and the extended protocol, one statement at a time.
//!
//! `messages` reads and writes messages, `query` finds out what is asked, `value` reads parameters, `cast` makes values of
//! another type, `run` does it.
//!
//! What differs from PostgreSQL, besides the statements it answers: a write takes effect at once and for good, so that
//! ROLLBACK takes nothing back (and says so); and no password is asked for.

mod cast;
pub(crate) mod known;
mod messages;
mod query;
mod run;
mod select;
#[cfg(test)]
mod tests;
mod tokens;
mod value;

use std::borrow::Cow;
use std::collections::VecDeque;

use self::value::{Arguments, PARAMETERS_MAX};
use super::dial::{Fate, Promise};
use super::{OUTPUT_BYTES_MAX, PORTALS_MAX, SCRIPT_MAX, STATEMENTS_MAX, World};
use crate::standin::postgres::known::{Named, Portal, PreparedStatement};
use crate::standin::postgres::known::{Query, SETTINGS, SETTINGS_TOLD};
use crate::standin::postgres::messages::{Formats, MessageBody, Startup};
use crate::standin::step::{ConnectionRefusal, Input, Key, Step};
use crate::units::Nanos;

/// An error as a client sees it: a code of five characters (PostgreSQL's manual, appendix A) and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    /// SQLSTATE.
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) hint: Option<Cow<'static, str>>,
}

impl SqlError {
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with what would be right.
    pub(crate) fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The client has broken the protocol; its connection is closed.
    pub(crate) fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("08P01", message)
    }

    /// A figure does not fit into its type.
    pub(crate) fn out_of_range(kind: &str) -> Self {
        Self::new("22003", format!("{kind} out of range"))
    }
}

/// A connection that speaks PostgreSQL's protocol.
#[derive(Debug)]
pub(super) struct PostgresConversation {
    phase: SessionPhase,
    transaction: Transaction,
    /// Of the transaction, each with how much had been written before it.
    savepoints: Vec<(Box<str>, u32)>,
    statements: Named<PreparedStatement>,
    portals: Named<Portal>,
    /// The statement that has begun.
    waiting: Option<Waiting>,
    /// The rest of a simple query while one is under way.
    script: Option<VecDeque<Query>>,
    /// When the statement before was due.
    free: Nanos,
    /// Whether something has been answered that the client waits for.
    flush: bool,
    key: Key,
    refused: Option<ConnectionRefusal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionPhase {
    Startup,
    Ready,
    /// After an error in the extended protocol: everything up to the next Sync is passed over.
    Skipping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    /// In a block; and how often it has written.
    Block(u32),
    /// The same after an error.
    Failed(u32),
}

/// A statement that has begun.
#[derive(Debug)]
struct Waiting {
    promise: Promise,
    query: Query,
    arguments: Arguments,
    formats: Formats,
}

/// Whether a connection goes on.
type AliveSession = bool;

impl PostgresConversation {
    /// A connection of which nothing has been read.
    pub(super) fn new(key: Key, refused: Option<ConnectionRefusal>) -> Self {
        Self {
            phase: SessionPhase::Startup,
            transaction: Transaction::None,
            savepoints: Vec::new(),
            statements: Named::new(STATEMENTS_MAX),
            portals: Named::new(PORTALS_MAX),
            waiting: None,
            script: None,
            free: Nanos(0),
            flush: false,
            key,
            refused,
        }
    }

    /// Answers whatever can be answered by `now`.
    pub(super) fn advance(
        &mut self,
        input: &mut Input,
        now: Nanos,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Step {
        loop {
            if out.len() > OUTPUT_BYTES_MAX {
                return Step::Write;
            }
            if let Some(until) = self.waits(now, world) {
                return Step::Wait { until, flush: std::mem::take(&mut self.flush) };
            }
            let alive = if let Some(waiting) = self.waiting.take() {
                self.finish(waiting, world, out)
            } else if self.script.is_some() {
                self.next_of_script(input.arrived(), world, out);
                true
            } else {
                match self.next_message(input, world, out) {
                    Ok(Some(alive)) => alive,
                    Ok(None) => {
                        self.flush = false;
                        return Step::Read;
                    }
                    Err(fatal) => {
                        messages::error_response(out, &fatal, true);
                        false
                    }
                }
            };
            if !alive {
                return Step::Close;
            }
        }
    }

    /// Gives up the statement that has begun, if one has: what it would have done is not done.
    pub(super) fn cancel(&mut self, now: Nanos, out: &mut Vec<u8>) {
        if self.waiting.take().is_some() {
            self.free = now;
            self.fail(&SqlError::new("57014", "canceling statement due to user request"), out);
        }
    }

    /// Until when there is nothing to do but to wait.
    fn waits(&self, now: Nanos, world: &World) -> Option<Nanos> {
        match &self.waiting {
            Some(waiting) => Some(waiting.promise.due).filter(|due| *due > now),
            None => world.dial.stalled_until(now),
        }
    }

    /// Reads one message and does what it says; nothing when none has come whole.
    fn next_message(
        &mut self,
        input: &mut Input,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<Option<AliveSession>, SqlError> {
        let start = self.free.max(input.arrived());
        if self.phase == SessionPhase::Startup {
            let startup = messages::startup(input)?;
            return startup.map(|startup| self.start(startup, world, out)).transpose();
        }
        let Some((tag, body)) = messages::next_message(input)? else {
            return Ok(None);
        };
        let skipping = self.phase == SessionPhase::Skipping;
        match tag {
            b'X' => return Ok(Some(false)),
            b'S' => self.sync(out),
            b'P' | b'B' | b'D' | b'E' | b'C' | b'H' if skipping => {}
            b'P' | b'B' | b'D' | b'E' | b'C' | b'H' => {
                if let Err(error) = self.extended(tag, body, start, world, out) {
                    self.fail(&error, out);
                }
            }
            b'Q' if !skipping => self.simple(body, out),
            b'Q' => {}
            b'F' => self.fail(&SqlError::new("0A000", "function calls are not supported"), out),
            // Copy messages outside a copy are ignored, as PostgreSQL does.
            b'd' | b'c' | b'f' => {}
            _ => return Err(SqlError::protocol(format!("invalid frontend message type {tag}"))),
        }
        Ok(Some(true))
    }

    fn start(
        &mut self,
        startup: Startup,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<AliveSession, SqlError> {
        let minor = match startup {
            Startup::Encryption => {
                out.push(b'N');
                return Ok(true);
            }
            Startup::Cancel(key) => {
                world.cancels.push(key);
                return Ok(false);
            }
            Startup::Begin { minor } => minor,
        };
        match self.refused {
            None => {}
            Some(ConnectionRefusal::TooMany) => {
                return Err(SqlError::new("53300", "sorry, too many clients already"));
            }
            Some(ConnectionRefusal::NoTarget) => {
                return Err(SqlError::new("08001", ConnectionRefusal::NO_TARGET));
            }
        }
        if minor > 0 {
            messages::negotiate_protocol_version(out);
        }
        messages::authentication_ok(out);
        for (name, value) in &SETTINGS[..SETTINGS_TOLD] {
            messages::parameter_status(out, name, value);
        }
        messages::backend_key_data(out, self.key);
        self.phase = SessionPhase::Ready;
        self.ready(out);
        Ok(true)
    }

    fn ready(&mut self, out: &mut Vec<u8>) {
        let status = match self.transaction {
            Transaction::None => b'I',
            Transaction::Block(_) => b'T',
            Transaction::Failed(_) => b'E',
        };
        messages::ready_for_query(out, status);
        self.flush = true;
    }

    fn sync(&mut self, out: &mut Vec<u8>) {
        self.phase = SessionPhase::Ready;
        // Portals live as long as their transaction.
        if self.transaction == Transaction::None {
            self.portals.clear();
        }
        self.ready(out);
    }

    /// A statement has failed, and what depends on it with it.
    fn fail(&mut self, error: &SqlError, out: &mut Vec<u8>) {
        messages::error_response(out, error, false);
        self.flush = true;
        if let Transaction::Block(written) = self.transaction {
            self.transaction = Transaction::Failed(written);
        }
        if self.script.take().is_some() {
            self.ready(out);
        } else {
            self.phase = SessionPhase::Skipping;
        }
    }

    fn simple(&mut self, mut body: MessageBody<'_>, out: &mut Vec<u8>) {
        self.script = Some(VecDeque::new());
        match body.string().and_then(|text| query::script(text, SCRIPT_MAX)) {
            Ok(queries) if queries.is_empty() => messages::empty_query(out),
            Ok(queries) => self.script = Some(queries.into()),
            Err(error) => self.fail(&error, out),
        }
    }

    fn next_of_script(&mut self, arrived: Nanos, world: &mut World, out: &mut Vec<u8>) {
        let Some(query) = self.script.as_mut().and_then(VecDeque::pop_front) else {
            self.script = None;
            return self.ready(out);
        };
        let start = self.free.max(arrived);
        let needs_parameters = !query.parameters().is_empty();
        let begun = match needs_parameters {
            true => Err(SqlError::new("42P02", "there is no parameter $1")),
            false => self.begin(query, Arguments::default(), 0, start, world),
        };
        if let Err(error) = begun {
            self.fail(&error, out);
        }
    }

    fn extended(
        &mut self,
        tag: u8,
        mut body: MessageBody<'_>,
        start: Nanos,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<(), SqlError> {
        match tag {
            b'P' => self.parse(body, out),
            b'B' => self.bind(body, out),
            b'D' => self.describe(body, out),
            b'E' => self.execute(body, start, world, out),
            b'C' => {
                match (body.u8()?, body.string()?) {
                    (b'S', name) => self.statements.remove(name),
                    (_, name) => self.portals.remove(name),
                };
                messages::close_complete(out);
                Ok(())
            }
            _ => {
                self.flush = true;
                Ok(())
            }
        }
    }

    fn parse(&mut self, mut body: MessageBody<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let (name, text, said) = (body.string()?, body.string()?, body.u16()?);
        let query = Query::parse(text)?;
        let wanted = query.parameters();
        if usize::from(said) > wanted.len() {
            let message = format!("{said} types for a statement of {} parameters", wanted.len());
            return Err(SqlError::new("42P18", message));
        }
        let mut types = [0; PARAMETERS_MAX];
        for (at, wanted) in wanted.iter().enumerate() {
            let said = if at < usize::from(said) { body.u32()? } else { 0 };
            types[at] = value::settle(*wanted, said)?;
        }
        self.statements.insert(name, PreparedStatement { query, types }, "42P05")?;
        messages::parse_complete(out);
        Ok(())
    }

    fn bind(&mut self, mut body: MessageBody<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let (portal, name) = (body.string()?, body.string()?);
        let PreparedStatement { query, types } =
            self.statements.get(name).ok_or_else(|| no_statement(name))?;
        let wanted = query.parameters().len();
        let formats = format_codes(&mut body, wanted)?;
        let given = usize::from(body.u16()?);
        if given != wanted {
            let message = format!("{given} parameters for a statement that takes {wanted}");
            return Err(SqlError::protocol(message));
        }
        let mut arguments = Arguments::default();
        for (at, oid) in types[..wanted].iter().enumerate() {
            if let Some(bytes) = body.value()? {
                arguments[at] = value::decode(bytes, formats >> at & 1 == 1, *oid)?;
            }
        }
        let columns = if let Query::Schema(statement, _) = query {
            statement.columns().len()
        } else {
            query.columns().len()
        };
        let formats = format_codes(&mut body, columns)?;
        let bound = Portal { query: query.clone(), arguments, formats, done: false };
        self.portals.insert(portal, bound, "42P03")?;
        messages::bind_complete(out);
        Ok(())
    }

    fn describe(&mut self, mut body: MessageBody<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let (kind, name) = (body.u8()?, body.string()?);
        let (columns, formats) = if kind == b'S' {
            let PreparedStatement { query, types } =
                self.statements.get(name).ok_or_else(|| no_statement(name))?;
            messages::parameter_description(out, &types[..query.parameters().len()]);
            (query.columns(), 0)
        } else {
            let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
            (portal.query.columns(), portal.formats)
        };
        match columns.is_empty() {
            true => messages::no_data(out),
            false => messages::row_description(out, &columns, formats),
        }
        Ok(())
    }

    /// Begins what a portal stands for. Its limit of rows is of no interest: there is never more than one.
    fn execute(
        &mut self,
        mut body: MessageBody<'_>,
        start: Nanos,
        world: &mut World,
        out: &mut Vec<u8>,
    ) -> Result<(), SqlError> {
        let name = body.string()?;
        let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
        if portal.done {
            messages::command_complete(out, "SELECT 0");
            return Ok(());
        }
        portal.done = true;
        let (query, arguments) = (portal.query.clone(), std::mem::take(&mut portal.arguments));
        let formats = portal.formats;
        self.begin(query, arguments, formats, start, world)
    }

    /// A statement begins: from here on it waits.
    fn begin(
        &mut self,
        query: Query,
        arguments: Arguments,
        formats: Formats,
        start: Nanos,
        world: &mut World,
    ) -> Result<(), SqlError> {
        if matches!(self.transaction, Transaction::Failed(_)) && !query.ends_transaction() {
            return Err(SqlError::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        let promise = run::begin(&query, &arguments, start, world)?;
        self.waiting = Some(Waiting { promise, query, arguments, formats });
        Ok(())
    }

    /// The statement is due: does its work and answers.
    fn finish(&mut self, waiting: Waiting, world: &mut World, out: &mut Vec<u8>) -> AliveSession {
        let Promise { due, fate } = waiting.promise;
        self.free = due;
        if fate != Fate::Drop {
            world.stats.answers(due);
        }
        let start = out.len();
        let done = match fate {
            Fate::Fail => {
                Err(SqlError::new("53300", "the stand-in was told to fail this statement"))
            }
            Fate::Answer | Fate::Drop => self.run(waiting, world, out),
        };
        if fate == Fate::Drop {
            out.truncate(start);
            return false;
        }
        self.flush = true;
        if let Err(error) = done {
            out.truncate(start);
            self.fail(&error, out);
        }
        true
    }
}

/// One format code for all, one for each, or none for text.
fn format_codes(body: &mut MessageBody<'_>, of: usize) -> Result<Formats, SqlError> {
    let given = usize::from(body.u16()?);
    let mut formats = 0;
    for at in 0..given {
        match body.u16()? {
            0 => {}
            1 if given == 1 => formats = Formats::MAX,
            1 if at < of => formats |= 1 << at,
            code => return Err(SqlError::new("22023", format!("unsupported format code {code}"))),
        }
    }
    match given <= 1 || given == of {
        true => Ok(formats),
        false => Err(SqlError::protocol(format!("{given} format codes for {of} values"))),
    }
}

fn no_statement(name: &str) -> SqlError {
    SqlError::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new("34000", format!("portal \"{name}\" does not exist"))
}
