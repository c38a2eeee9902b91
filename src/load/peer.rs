//! The server that load goes to: where it listens, and whether TLS is spoken there.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::StreamOwned;

use super::tls::Tls;

/// A server on this machine.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Peer {
    pub at: Address,
    /// `None` sends plain HTTP. Its certificates are files of one host, so no frame has it.
    #[serde(skip)]
    pub tls: Option<Tls>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Address {
    /// Always an address of this machine.
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl From<SocketAddr> for Peer {
    fn from(at: SocketAddr) -> Self {
        Self { at: Address::Tcp(at), tls: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "{at}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// What the `host` header says where nothing else is given.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Tcp(at) => at.to_string(),
            Self::Unix(_) => "localhost".into(),
        }
    }

    /// Whether the file of a socket exists; true of a port.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Unix(path) => Path::exists(path),
        }
    }
}

impl Peer {
    /// A blocking connection, for one request outside the load. The handshake happens in its first write.
    ///
    /// # Errors
    /// When nobody accepts it within `within`.
    pub(crate) fn connect(&self, within: Duration) -> io::Result<Blocking> {
        Ok(match (&self.at, &self.tls) {
            (Address::Unix(path), _) => Blocking::Unix(UnixStream::connect(path)?),
            (Address::Tcp(at), None) => Blocking::Tcp(TcpStream::connect_timeout(at, within)?),
            (Address::Tcp(at), Some(tls)) => {
                let stream = TcpStream::connect_timeout(at, within)?;
                let session = tls.session(&tls.config()).map_err(io::Error::other)?;
                Blocking::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        })
    }
}

/// A connection whose reads and writes block.
#[derive(Debug)]
pub(crate) enum Blocking {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Blocking {
    pub(crate) fn set_read_timeout(&self, within: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(within)),
            Self::Unix(stream) => stream.set_read_timeout(Some(within)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(within)),
        }
    }

    pub(crate) fn set_write_timeout(&self, within: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(within)),
            Self::Unix(stream) => stream.set_write_timeout(Some(within)),
            Self::Tls(stream) => stream.sock.set_write_timeout(Some(within)),
        }
    }
}

impl Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            // Many servers close without saying so (close_notify); the answer's framing says whether it was whole.
            Self::Tls(stream) => stream.read(into).or_else(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(0),
                _ => Err(error),
            }),
        }
    }
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
