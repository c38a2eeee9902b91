//! One connection to PostgreSQL as a state machine: bytes in, bytes out, and no socket; and the replies that it reads.
//!
//! Every statement is prepared once, when the connection is opened; after that a question is Bind, Execute and Sync in
//! one write, and its answer is read up to ReadyForQuery, so that the connection is whole whatever was said.

use super::{Param, Question};
use crate::backend::memory::{Audit, Capture};
use crate::backend::runtime::{Buffers, ClientError, Protocol};
use crate::domain::dataset::{Account, ComplianceLimits, Merchant, Tier, User};
use crate::postgres;
use crate::postgres::{Login, Refusal, Server};
use crate::sql::Statement;
use bytes::{BufMut as _, Bytes, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use std::io;

#[derive(Debug)]
pub(crate) struct PostgresProtocol {
    buffers: Buffers,
    phase: ProtocolPhase,
    /// What the answer under way holds so far.
    reply: Reply,
    refusal: Option<ClientError>,
}

#[derive(Debug)]
enum ProtocolPhase {
    /// Is not let in yet.
    Login(Login),
    Preparing,
    Ready,
}

impl Protocol for PostgresProtocol {
    type Target = Server;
    type Question<'a> = Question<'a>;
    type Answer = Reply;

    fn begin(server: &Server) -> Self {
        let mut buffers = Buffers::default();
        let phase = ProtocolPhase::Login(Login::begin(server, &mut buffers.outgoing));
        Self { buffers, phase, reply: Reply::default(), refusal: None }
    }

    fn greet(&mut self) -> Result<bool, ClientError> {
        while let Some(message) = self.next()? {
            let ready = match (&mut self.phase, &message) {
                (ProtocolPhase::Login(login), message) => {
                    login.hear(message, &mut self.buffers.outgoing)?
                }
                (_, Message::ErrorResponse(error)) => return Err(refused(error)),
                (_, message) => matches!(message, Message::ReadyForQuery(_)),
            };
            if ready && matches!(self.phase, ProtocolPhase::Login(_)) {
                self.phase = ProtocolPhase::Preparing;
                self.prepare();
            } else if ready {
                self.phase = ProtocolPhase::Ready;
            }
        }
        Ok(matches!(self.phase, ProtocolPhase::Ready))
    }

    fn ask(&mut self, question: Question<'_>) {
        let out = &mut self.buffers.outgoing;
        question.bind(|statement, parameters| bind(statement, parameters, out));
        frontend::execute("", 0, out).expect(NO_NUL);
        frontend::sync(out);
    }

    fn answer(&mut self) -> Result<Option<Reply>, ClientError> {
        while let Some(message) = self.next()? {
            match message {
                Message::DataRow(row) => self.reply = Reply::of(&row),
                Message::ErrorResponse(error) => self.refusal = Some(refused(&error)),
                Message::ReadyForQuery(_) => {
                    let reply = std::mem::take(&mut self.reply);
                    return self.refusal.take().map_or(Ok(Some(reply)), Err);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }
}

/// Every string that is sent comes from a body that has been checked for it.
const NO_NUL: &str = "text without a zero byte is a message";

impl PostgresProtocol {
    fn next(&mut self) -> Result<Option<Message>, ClientError> {
        Ok(Message::parse(&mut self.buffers.incoming)?)
    }

    /// All statements in one write.
    fn prepare(&mut self) {
        let out = &mut self.buffers.outgoing;
        for statement in Statement::ALL {
            let types = statement.parameters().iter().copied();
            frontend::parse(statement.name(), statement.text(), types, out).expect(NO_NUL);
        }
        frontend::sync(out);
    }
}

/// Parameters and columns are all binary.
fn bind(statement: Statement, parameters: &[Param<'_>], out: &mut BytesMut) {
    const BINARY: [i16; 1] = [1];
    let write = |parameter: &Param<'_>, out: &mut BytesMut| {
        match *parameter {
            Param::Int4(value) => out.put_i32(value),
            Param::Int8(value) => out.put_i64(value),
            Param::Text(value) => out.put_slice(value.as_bytes()),
        }
        Ok(IsNull::No)
    };
    frontend::bind("", statement.name(), BINARY, parameters, write, BINARY, out)
        .map_err(|_| io::ErrorKind::InvalidInput)
        .expect("a statement's few parameters fit a message");
}

/// The server did not do it, and says why.
fn refused(error: &ErrorResponseBody) -> ClientError {
    ClientError::Refused(Refusal::of(error).to_string())
}

impl From<postgres::ConnectionError> for ClientError {
    fn from(error: postgres::ConnectionError) -> Self {
        match error {
            postgres::ConnectionError::Refused(refusal) => Self::Refused(refusal.to_string()),
            postgres::ConnectionError::Lost(error) => Self::Lost(error),
        }
    }
}

/// The row of an answer, if it had one.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    row: Option<Bytes>,
}

impl Reply {
    pub(crate) fn of(row: &DataRowBody) -> Self {
        Self { row: Some(row.buffer_bytes().clone()) }
    }

    /// A row whose columns somebody else has taken apart.
    #[cfg(feature = "cross-check")]
    pub(crate) fn of_columns<'a>(columns: impl IntoIterator<Item = &'a [u8]>) -> Self {
        use bytes::BufMut as _;
        let mut row = bytes::BytesMut::new();
        for column in columns {
            row.put_i32(i32::try_from(column.len()).expect("a column is shorter than 2 GiB"));
            row.put_slice(column);
        }
        Self { row: Some(row.freeze()) }
    }

    pub(crate) fn user(&self) -> Result<Option<User>, ClientError> {
        self.read(|columns| {
            Some(User { blocked: columns.bool()?, opening_balance_minor: columns.int8()? })
        })
    }

    pub(crate) fn limits(&self) -> Result<Option<ComplianceLimits>, ClientError> {
        self.read(|columns| Some(ComplianceLimits { per_payment_minor: columns.int8()? }))
    }

    pub(crate) fn merchant(&self) -> Result<Option<Merchant>, ClientError> {
        self.read(|columns| {
            Some(Merchant { closed: columns.bool()?, fee_bps: columns.int4()?.into() })
        })
    }

    /// A loyalty account's row, and its points.
    pub(crate) fn account(&self) -> Result<Option<(Account, u64)>, ClientError> {
        self.read(|columns| {
            let tier = *Tier::ALL.get(usize::from(columns.int2()?))?;
            Some((Account { tier, cap_points: columns.int8()? }, columns.int8()?))
        })
    }

    pub(crate) fn capture(&self) -> Result<Capture, ClientError> {
        let capture = self.read(|columns| {
            let (outcome, fee_minor) = (columns.next()?, columns.int8()?);
            match outcome {
                b"captured" => Some(Capture::Done(fee_minor)),
                b"replayed" => Some(Capture::Replayed(fee_minor)),
                b"conflict" => Some(Capture::Conflict),
                b"insufficient_funds" => Some(Capture::InsufficientFunds),
                _ => None,
            }
        });
        capture?.ok_or_else(no_row)
    }

    pub(crate) fn bool(&self) -> Result<bool, ClientError> {
        self.read(|columns| columns.bool())?.ok_or_else(no_row)
    }

    pub(crate) fn audit(&self) -> Result<Audit, ClientError> {
        let audit = self.read(|columns| {
            Some(Audit {
                money_in_minor: columns.int8()?,
                money_out_minor: columns.int8()?,
                fees_minor: columns.int8()?,
                points_issued: columns.int8()?,
                points_held: columns.int8()?,
                payments: columns.int8()?,
                distributions: columns.int8()?,
                credits: columns.int8()?,
                webhooks: columns.int8()?,
            })
        });
        audit?.ok_or_else(no_row)
    }

    /// Nothing where there was no row; error where the row is not what was asked for.
    fn read<T>(
        &self,
        read: impl FnOnce(&mut Columns<'_>) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        let Some(row) = &self.row else { return Ok(None) };
        let value = read(&mut Columns(row));
        value
            .map(Some)
            .ok_or_else(|| ClientError::garbled("a row has other columns than were asked for"))
    }
}

fn no_row() -> ClientError {
    ClientError::garbled("an answer without the row that it must have")
}

/// The columns of a row that have not been read yet: each its length, then its bytes.
struct Columns<'a>(&'a [u8]);

impl<'a> Columns<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    fn bool(&mut self) -> Option<bool> {
        Some(self.next()? == [1])
    }

    fn int2(&mut self) -> Option<u16> {
        u16::try_from(i16::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }

    fn int4(&mut self) -> Option<u32> {
        u32::try_from(i32::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }

    fn int8(&mut self) -> Option<u64> {
        u64::try_from(i64::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }
}
