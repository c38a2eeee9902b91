//! One connection to PostgreSQL as a state machine: bytes in, bytes out, and no socket.
//!
//! Every statement is prepared once, when the connection is opened; after that a question is Bind, Execute and Sync in
//! one write, and its answer is read up to ReadyForQuery, so that the connection is whole whatever was said.

use std::fmt::Display;
use std::io;

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

use super::super::remote::{Buffers, Protocol, Trouble};
use super::{Param, Question, Reply, Target};
use crate::sql::Statement;

/// A connection as the protocol sees it.
#[derive(Debug)]
pub(in crate::backend) struct Session {
    buffers: Buffers,
    phase: Phase,
    /// What the answer under way holds so far.
    reply: Reply,
    refusal: Option<String>,
}

/// How far a connection is.
#[derive(Debug)]
enum Phase {
    /// Says who it is.
    Login(Login),
    /// Has been let in; prepares its statements.
    Preparing,
    /// Takes questions.
    Ready,
}

/// Who logs in.
struct Login {
    user: String,
    password: Option<String>,
    scram: Option<sasl::ScramSha256>,
}

/// Passwords do not belong in logs.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

impl Protocol for Session {
    type Target = Target;
    type Question<'a> = Question<'a>;
    type Answer = Reply;

    fn begin(target: &Target) -> Self {
        let mut buffers = Buffers::default();
        let parameters = [
            ("user", target.user.as_str()),
            ("database", &target.database),
            ("options", &target.options),
            ("application_name", "bakeoff"),
        ];
        let given = parameters.into_iter().filter(|(_, value)| !value.is_empty());
        frontend::startup_message(given, &mut buffers.outgoing).expect(NO_NUL);
        let (user, password) = (target.user.clone(), target.password.clone());
        let phase = Phase::Login(Login { user, password, scram: None });
        Self { buffers, phase, reply: Reply::default(), refusal: None }
    }

    fn greet(&mut self) -> Result<bool, Trouble> {
        while let Some(message) = self.next()? {
            match message {
                Message::ReadyForQuery(_) if matches!(self.phase, Phase::Login(_)) => {
                    self.phase = Phase::Preparing;
                    self.prepare();
                }
                Message::ReadyForQuery(_) => self.phase = Phase::Ready,
                Message::ErrorResponse(error) => return Err(Trouble::Refused(said(&error))),
                message => self.authenticate(&message)?,
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

    fn answer(&mut self) -> Result<Option<Reply>, Trouble> {
        while let Some(message) = self.next()? {
            match message {
                Message::DataRow(row) => self.reply = Reply::of(&row),
                Message::ErrorResponse(error) => self.refusal = Some(said(&error)),
                Message::ReadyForQuery(_) => {
                    let reply = std::mem::take(&mut self.reply);
                    return match self.refusal.take() {
                        Some(why) => Err(Trouble::Refused(why)),
                        None => Ok(Some(reply)),
                    };
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

/// Every string that is sent comes from a URL or a body that has been checked for it.
const NO_NUL: &str = "text without a zero byte is a message";

impl Session {
    fn next(&mut self) -> Result<Option<Message>, Trouble> {
        Ok(Message::parse(&mut self.buffers.incoming)?)
    }

    /// Says what the server wants to hear.
    fn authenticate(&mut self, message: &Message) -> Result<(), Trouble> {
        let Phase::Login(login) = &mut self.phase else { return Ok(()) };
        let out = &mut self.buffers.outgoing;
        let password = || {
            let missing = "the server asks for a password and the URL has none";
            login.password.as_deref().ok_or_else(|| Trouble::Refused(missing.into()))
        };
        match message {
            Message::AuthenticationCleartextPassword => {
                frontend::password_message(password()?.as_bytes(), out)?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(login.user.as_bytes(), password()?.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), out)?;
            }
            Message::AuthenticationSasl(_) => {
                let binding = sasl::ChannelBinding::unsupported();
                let scram = sasl::ScramSha256::new(password()?.as_bytes(), binding);
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), out)?;
                login.scram = Some(scram);
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram =
                    login.scram.as_mut().ok_or_else(|| Trouble::garbled("no SASL begun"))?;
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), out)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let scram =
                    login.scram.as_mut().ok_or_else(|| Trouble::garbled("no SASL begun"))?;
                scram.finish(body.data())?;
            }
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_) => {}
            _ => return Err(Trouble::Refused("the server asks for an unknown login".into())),
        }
        Ok(())
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

/// What an error says, in one line.
fn said(error: &ErrorResponseBody) -> String {
    use fallible_iterator::FallibleIterator as _;
    let (mut code, mut message) = (String::new(), String::new());
    let mut fields = error.fields();
    while let Ok(Some(field)) = fields.next() {
        let text: &dyn Display = &String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = text.to_string(),
            b'M' => message = text.to_string(),
            _ => {}
        }
    }
    format!("{message} (SQLSTATE {code})")
}
