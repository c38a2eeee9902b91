//! One connection to PostgreSQL as a state machine: bytes in, bytes out, and no socket.
//!
//! Every statement is prepared once, when the connection is opened; after that a question is Bind, Execute and Sync in
//! one write, and its answer is read up to ReadyForQuery, so that the connection is whole whatever was said.

use std::io;

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

use super::super::remote::{Buffers, ClientError, Protocol};
use super::{Param, Question, Reply};
use crate::postgres::{self, Login, Refusal, Server};
use crate::sql::Statement;

#[derive(Debug)]
pub(crate) struct PostgresProtocol {
    buffers: Buffers,
    phase: Phase,
    /// What the answer under way holds so far.
    reply: Reply,
    refusal: Option<ClientError>,
}

#[derive(Debug)]
enum Phase {
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
        let phase = Phase::Login(Login::begin(server, &mut buffers.outgoing));
        Self { buffers, phase, reply: Reply::default(), refusal: None }
    }

    fn greet(&mut self) -> Result<bool, ClientError> {
        while let Some(message) = self.next()? {
            let ready = match (&mut self.phase, &message) {
                (Phase::Login(login), message) => {
                    login.hear(message, &mut self.buffers.outgoing)?
                }
                (_, Message::ErrorResponse(error)) => return Err(refused(error)),
                (_, message) => matches!(message, Message::ReadyForQuery(_)),
            };
            if ready && matches!(self.phase, Phase::Login(_)) {
                self.phase = Phase::Preparing;
                self.prepare();
            } else if ready {
                self.phase = Phase::Ready;
            }
        }
        Ok(matches!(self.phase, Phase::Ready))
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
