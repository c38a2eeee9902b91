//! A connection that blocks: for what is done before and after trials, and for one query asked again and again.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;

use super::{Login, Refusal, Server, Trouble};

/// A server that takes longer to accept a connection, or for one word of a login, is not there.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// Bytes that one read takes at most.
const READ_BYTES: usize = 8_192;

/// A connection that has been let in.
#[derive(Debug)]
pub struct Connection {
    /// Any stream socket, whatever its family.
    socket: UnixStream,
    incoming: BytesMut,
    outgoing: BytesMut,
}

/// What a prepared statement takes and gives, in PostgreSQL's OIDs.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The types of its parameters.
    pub parameters: Vec<u32>,
    /// The names and types of its columns.
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
    /// Nobody is there, does not answer in time, or does not let us in.
    pub fn open(server: &Server) -> Result<Self, Trouble> {
        let socket = dial(server)?;
        socket.set_read_timeout(Some(CONNECTS_WITHIN))?;
        let mut connection = Self { socket, incoming: BytesMut::new(), outgoing: BytesMut::new() };
        let mut login = Login::begin(server, &mut connection.outgoing);
        loop {
            connection.flush()?;
            let message = connection.next()?;
            if login.hear(&message, &mut connection.outgoing)? {
                break;
            }
        }
        connection.socket.set_read_timeout(None)?;
        Ok(connection)
    }

    /// Runs one or more statements, in one transaction unless they say otherwise; gives the rows of all of them.
    ///
    /// # Errors
    /// As [`Trouble`] says.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        frontend::query(sql, &mut self.outgoing)?;
        self.rows()
    }

    /// Has the server remember a statement by a name.
    ///
    /// # Errors
    /// As [`Trouble`] says.
    pub fn prepare(&mut self, name: &str, sql: &str) -> Result<Prepared, Trouble> {
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
    ///
    /// # Errors
    /// As [`Trouble`] says.
    pub fn execute(&mut self, name: &str) -> Result<Vec<Row>, Trouble> {
        let nothing = std::iter::empty::<()>();
        frontend::bind("", name, [], nothing, |(), _| Ok(IsNull::Yes), [], &mut self.outgoing)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        frontend::execute("", 0, &mut self.outgoing)?;
        frontend::sync(&mut self.outgoing);
        self.rows()
    }

    /// Begins statements of which one is `COPY .. FROM STDIN`. What goes wrong with any of them is said at the end: until
    /// then the server reads what it has no use for.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_>, Trouble> {
        frontend::query(sql, &mut self.outgoing)?;
        Ok(CopyIn(self))
    }

    fn rows(&mut self) -> Result<Vec<Row>, Trouble> {
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
    fn answer(&mut self, mut each: impl FnMut(Message) -> io::Result<()>) -> Result<(), Trouble> {
        self.flush()?;
        let mut refusal = None;
        loop {
            match self.next() {
                Ok(Message::ErrorResponse(error)) => refusal = Some(Refusal::of(&error)),
                Ok(Message::ReadyForQuery(_)) => {
                    return refusal.map_or(Ok(()), |refusal| Err(Trouble::Refused(refusal)));
                }
                Ok(message) => each(message)?,
                // A server that ends a connection says why.
                Err(error) => {
                    let why = refusal.map(|refusal| io::Error::other(refusal.to_string()));
                    return Err(Trouble::Lost(why.unwrap_or(error)));
                }
            }
        }
    }

    fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.incoming)? {
                return Ok(message);
            }
            let mut bytes = [0; READ_BYTES];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(io::Error::other("the server has closed the connection")),
                Ok(read) => self.incoming.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::other("the server does not answer"));
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

/// A socket to whoever listens.
fn dial(server: &Server) -> io::Result<UnixStream> {
    let Server { host, hostaddr, port, .. } = server;
    if host.starts_with('/') {
        return UnixStream::connect(format!("{host}/.s.PGSQL.{port}"));
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
    ///
    /// # Errors
    /// The connection is lost.
    pub fn send(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        frontend::CopyData::new(piece)?.write(&mut self.0.outgoing);
        Ok(self.0.flush()?)
    }

    /// Says that these were all; gives what became of the statements.
    ///
    /// # Errors
    /// As [`Trouble`] says.
    pub fn finish(self) -> Result<(), Trouble> {
        frontend::copy_done(&mut self.0.outgoing);
        self.0.answer(|_| Ok(()))
    }
}
