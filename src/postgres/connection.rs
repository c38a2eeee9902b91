//! A connection that blocks: for what is done before and after trials, and for one query asked again and again.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use std::{fmt, io};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::postgres::{ConnectionError, Refusal, Server};

/// A server that takes longer to accept a connection, or for a whole login, is not there.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// A server that takes longer for an answer does not work on it: loading and indexing a dataset takes seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);
const READ_BYTES: usize = 8_192;

#[derive(Debug)]
pub struct Connection {
    /// Any stream socket, whatever its family.
    socket: UnixStream,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// The bound on an answer, and on each read and write of it.
    within: Duration,
}

/// What a prepared statement takes and gives, in PostgreSQL's OIDs.
#[derive(Debug, Default)]
pub struct Prepared {
    pub parameters: Vec<u32>,
    pub columns: Vec<(String, u32)>,
}

/// A row in text.
#[derive(Debug)]
pub struct Row(DataRowBody);

impl Row {
    /// What a column says; nothing for NULL, and where there is no such column.
    pub fn get(&self, column: usize) -> Option<&str> {
        let range = self.0.ranges().nth(column).ok()???;
        std::str::from_utf8(&self.0.buffer()[range]).ok()
    }
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses the login.
    pub fn open(server: &Server) -> Result<Self, ConnectionError> {
        let (socket, incoming, outgoing) = (dial(server)?, BytesMut::new(), BytesMut::new());
        let mut connection = Self { socket, incoming, outgoing, within: CONNECTS_WITHIN };
        connection.answers_within(CONNECTS_WITHIN)?;
        let mut login = Login::begin(server, &mut connection.outgoing);
        let began = Instant::now();
        loop {
            connection.flush()?;
            let message = connection.next(began)?;
            if login.hear(&message, &mut connection.outgoing)? {
                break;
            }
        }
        connection.answers_within(ANSWERS_WITHIN)?;
        Ok(connection)
    }

    /// Bounds each answer from now on: the connection is lost with one that is not whole by then.
    pub fn answers_within(&mut self, within: Duration) -> io::Result<()> {
        self.within = within;
        self.socket.set_write_timeout(Some(within))?;
        self.socket.set_read_timeout(Some(within))
    }

    /// Runs one or more statements, in one transaction unless they say otherwise; gives the rows of all of them.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, ConnectionError> {
        frontend::query(sql, &mut self.outgoing)?;
        self.rows()
    }

    /// Has the server remember a statement by a name.
    pub fn prepare(&mut self, name: &str, sql: &str) -> Result<Prepared, ConnectionError> {
        frontend::parse(name, sql, [], &mut self.outgoing)?;
        frontend::describe(b'S', name, &mut self.outgoing)?;
        frontend::sync(&mut self.outgoing);
        let mut prepared = Prepared::default();
        self.answer(|message| {
            match message {
                Message::ParameterDescription(body) => {
                    prepared.parameters = body.parameters().collect()?;
                }
                Message::RowDescription(body) => {
                    let columns = body.fields().map(|it| Ok((it.name().to_owned(), it.type_oid())));
                    prepared.columns = columns.collect()?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(prepared)
    }

    /// Runs a prepared statement that has no parameters.
    pub fn execute(&mut self, name: &str) -> Result<Vec<Row>, ConnectionError> {
        let nothing = std::iter::empty::<()>();
        frontend::bind("", name, [], nothing, |(), _| Ok(IsNull::Yes), [], &mut self.outgoing)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        frontend::execute("", 0, &mut self.outgoing)?;
        frontend::sync(&mut self.outgoing);
        self.rows()
    }

    /// Begins statements of which one is `COPY .. FROM STDIN`. What goes wrong with any of them is said at the end: until
    /// then the server reads what it has no use for.
    pub fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_>, ConnectionError> {
        frontend::query(sql, &mut self.outgoing)?;
        Ok(CopyIn(self))
    }

    fn rows(&mut self) -> Result<Vec<Row>, ConnectionError> {
        let mut rows = Vec::new();
        self.answer(|message| {
            match message {
                Message::DataRow(row) => rows.push(Row(row)),
                // It would wait for them for ever.
                Message::CopyInResponse(_) => {
                    return Err(io::Error::other("the statement asks for rows: there are none"));
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Sends what is to be sent, and reads until the server takes the next question.
    fn answer(
        &mut self,
        mut each: impl FnMut(Message) -> io::Result<()>,
    ) -> Result<(), ConnectionError> {
        self.flush()?;
        let (began, mut refusal) = (Instant::now(), None);
        loop {
            match self.next(began) {
                Ok(Message::ErrorResponse(error)) => refusal = Some(Refusal::of(&error)),
                Ok(Message::ReadyForQuery(_)) => {
                    return refusal
                        .map_or(Ok(()), |refusal| Err(ConnectionError::Refused(refusal)));
                }
                Ok(message) => each(message)?,
                // A server that ends a connection says why.
                Err(error) => {
                    let why = refusal.map(|refusal| io::Error::other(refusal.to_string()));
                    return Err(ConnectionError::Lost(why.unwrap_or(error)));
                }
            }
        }
    }

    /// The next message of an answer that is waited for since `began`.
    fn next(&mut self, began: Instant) -> io::Result<Message> {
        let late = |within| {
            Err(io::Error::other(format!("the server gave no whole answer within {within:?}")))
        };
        loop {
            if began.elapsed() > self.within {
                return late(self.within);
            }
            if let Some(message) = Message::parse(&mut self.incoming)? {
                return Ok(message);
            }
            let mut bytes = [0; READ_BYTES];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(io::Error::other("the server has closed the connection")),
                Ok(read) => self.incoming.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return late(self.within);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all(&self.outgoing)?;
        self.outgoing.clear();
        Ok(())
    }
}

fn dial(server: &Server) -> io::Result<UnixStream> {
    let Server { host, hostaddr, port, .. } = server;
    if host.starts_with('/') {
        let address = SocketAddrUnix::new(format!("{host}/.s.PGSQL.{port}"))?;
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // A full backlog is waited for no longer than this.
        set_socket_timeout(&socket, Timeout::Send, Some(CONNECTS_WITHIN))?;
        rustix::net::connect(&socket, &address)?;
        return Ok(socket.into());
    }
    let host = hostaddr.as_ref().unwrap_or(host);
    let mut failed = io::Error::other("the host has no address");
    for address in (host.as_str(), *port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECTS_WITHIN) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(OwnedFd::from(stream).into());
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Rows on their way into a table.
#[derive(Debug)]
pub struct CopyIn<'a>(&'a mut Connection);

impl CopyIn<'_> {
    /// Sends a piece, which may end anywhere.
    pub fn send(&mut self, piece: &[u8]) -> Result<(), ConnectionError> {
        frontend::CopyData::new(piece)?.write(&mut self.0.outgoing);
        Ok(self.0.flush()?)
    }

    /// Says that these were all; gives what became of the statements.
    pub fn finish(self) -> Result<(), ConnectionError> {
        frontend::copy_done(&mut self.0.outgoing);
        self.0.answer(|_| Ok(()))
    }
}

pub(crate) struct Login {
    user: String,
    password: Option<String>,
    scram: Option<sasl::ScramSha256>,
}

/// Passwords do not belong in logs.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

impl Login {
    pub(crate) fn begin(server: &Server, out: &mut BytesMut) -> Self {
        let Server { user, password, database, options, .. } = server;
        let parameters = [
            ("user", user.as_str()),
            ("database", database),
            ("options", options.as_deref().unwrap_or_default()),
            ("application_name", "bakeoff"),
            ("client_encoding", "UTF8"),
        ];
        let given = parameters.into_iter().filter(|(_, value)| !value.is_empty());
        frontend::startup_message(given, out).expect("a server's texts have no zero byte");
        Self { user: user.clone(), password: password.clone(), scram: None }
    }

    /// Says what the server wants to hear. Gives whether that was all, and questions may come.
    ///
    /// # Errors
    /// The server refuses the login, or asks for an unsupported authentication.
    pub(crate) fn hear(
        &mut self,
        message: &Message,
        out: &mut BytesMut,
    ) -> Result<bool, ConnectionError> {
        match message {
            Message::ReadyForQuery(_) => return Ok(true),
            Message::ErrorResponse(error) => {
                return Err(ConnectionError::Refused(Refusal::of(error)));
            }
            Message::AuthenticationCleartextPassword => {
                frontend::password_message(self.password()?, out)?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(self.user.as_bytes(), self.password()?, body.salt());
                frontend::password_message(hash.as_bytes(), out)?;
            }
            Message::AuthenticationSasl(_) => {
                let binding = sasl::ChannelBinding::unsupported();
                let scram = sasl::ScramSha256::new(self.password()?, binding);
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), out)?;
                self.scram = Some(scram);
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram()?;
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), out)?;
            }
            Message::AuthenticationSaslFinal(body) => self.scram()?.finish(body.data())?,
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_) => {}
            _ => return Err(refused("the server asks for an unknown login")),
        }
        Ok(false)
    }

    fn password(&self) -> Result<&[u8], ConnectionError> {
        let missing = || refused("the server asks for a password and the URL has none");
        self.password.as_deref().map(str::as_bytes).ok_or_else(missing)
    }

    fn scram(&mut self) -> Result<&mut sasl::ScramSha256, ConnectionError> {
        self.scram
            .as_mut()
            .ok_or_else(|| refused("the server continues a login that was not begun"))
    }
}

fn refused(why: &str) -> ConnectionError {
    ConnectionError::Refused(Refusal { code: String::new(), said: why.into() })
}
