//! The bytes of one connection: a TCP or unix socket, or TLS over TCP. Which of them is a value and no trait object, so that
//! a plain read is one system call behind one branch.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustls::ClientConnection;

use super::{clock, receipt};
use crate::units::Nanos;

/// The most that is read from a socket at once.
const READ_BYTES: usize = 64 * 1024;
/// With TLS the buffer has what was read, and behind it what that comes to: with the rest of a record read before at most
/// so much more.
const RAW_BYTES: usize = 32 * 1024;
/// What a read may need: the larger of a plain one's and that of TLS.
pub(crate) const SCRATCH_BYTES: usize = 96 * 1024;

/// A connection's socket.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Secured>),
}

/// TLS after its handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) socket: TcpStream,
    pub(crate) session: ClientConnection,
    /// The other side has said that it writes no more.
    closed: bool,
}

/// What came of a read.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// Bytes of HTTP and where in the buffer they begin; none at the connection's end.
    pub(crate) read: io::Result<std::ops::Range<usize>>,
    /// When the socket had been read.
    pub(crate) received: Nanos,
    /// When the bytes were there: after decryption.
    pub(crate) done: Nanos,
    /// How long what was read had been in the kernel, where that was asked.
    pub(crate) lag: Option<Nanos>,
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(secured) => secured.socket.as_fd(),
        }
    }
}

impl Wire {
    /// Encrypts `bytes`, which [`Self::write`] then writes; plain ones are left as they are.
    pub(crate) fn seal(&mut self, bytes: &[u8]) {
        if let Self::Tls(secured) = self {
            // Into memory without a bound: it takes all of them.
            let _ = secured.session.writer().write_all(bytes);
        }
    }

    /// Writes as much of `bytes` as there is room for. With TLS, all of what was sealed counts as written or nothing.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(secured) => secured.flush().map(|()| bytes.len()),
        }
    }

    /// Reads once.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], timed: bool) -> Receipt {
        let (read, lag) = match self {
            Self::Tcp(stream) if timed => receipt::read(stream, &mut scratch[..READ_BYTES]),
            Self::Tcp(stream) => (stream.read(&mut scratch[..READ_BYTES]), None),
            Self::Unix(stream) => (stream.read(&mut scratch[..READ_BYTES]), None),
            Self::Tls(secured) => return secured.receive(scratch, timed),
        };
        let now = clock::now();
        Receipt { read: read.map(|count| 0..count), received: now, done: now, lag }
    }

    /// Takes in what came while nothing was asked; whether the connection is still of use. Only TLS has something to say
    /// then: tickets for sessions to come.
    pub(crate) fn is_idle(&mut self) -> bool {
        let Self::Tls(secured) = self else { return false };
        let mut scratch = [0; 8 * 1024];
        let (raw, plain) = scratch.split_at_mut(4 * 1024);
        loop {
            match secured.socket.read(raw) {
                Ok(0) => return false,
                Ok(count) => match secured.open(&raw[..count], plain) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => return false,
                },
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Whether the other side has said, within TLS, that nothing more comes.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Tls(secured) if secured.closed)
    }
}

impl Secured {
    pub(crate) fn new(socket: TcpStream, session: ClientConnection) -> Self {
        Self { socket, session, closed: false }
    }

    fn receive(&mut self, scratch: &mut [u8], timed: bool) -> Receipt {
        let (raw, plain) = scratch.split_at_mut(RAW_BYTES);
        let (read, lag) = match timed {
            true => receipt::read(&self.socket, raw),
            false => (self.socket.read(raw), None),
        };
        let received = clock::now();
        let read = read.and_then(|count| match count {
            0 => Ok(0..0),
            count => self.open(&raw[..count], plain).map(|n| RAW_BYTES..RAW_BYTES + n),
        });
        Receipt { read, received, done: clock::now(), lag }
    }

    /// Decrypts `raw` into `plain`; gives the bytes there, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` while a record is incomplete or had nothing for us, `InvalidData` where `raw` is no TLS.
    fn open(&mut self, mut raw: &[u8], plain: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while !raw.is_empty() {
            self.session.read_tls(&mut raw)?;
            let processed = self.session.process_new_packets();
            // Alerts and answers to a change of keys.
            let _ = self.flush();
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            loop {
                match self.session.reader().read(&mut plain[filled..]) {
                    Ok(0) => {
                        self.closed = true;
                        return Ok(filled);
                    }
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        if filled == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(filled) }
    }

    /// Writes what is encrypted.
    ///
    /// # Errors
    /// `WouldBlock` where some is left.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tls::{Tls, TlsOptions};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;

    /// A server of TLS that writes `size` bytes to its one connection.
    fn serve(listener: TcpListener, size: usize) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(session, listener.accept().unwrap().0);
        stream.write_all(&vec![b'x'; size]).unwrap();
        let _ = stream.read(&mut [0]);
    }

    /// Decryption is no part of the service time: it comes after the read.
    #[test]
    fn what_was_received_is_there_once_it_is_decrypted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || serve(listener, 100_000));
        let tls = Tls::new(TlsOptions { insecure: true, ..TlsOptions::default() }, "localhost");
        let tls = tls.unwrap();
        let mut session = tls.session(&tls.config()).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        let mut wire = Wire::Tls(Box::new(Secured::new(socket, session)));
        let (mut scratch, mut total) = (vec![0; SCRATCH_BYTES], 0);
        while total < 100_000 {
            let before = clock::now();
            let Receipt { read, received, done, .. } = wire.receive(&mut scratch, false);
            assert!(before <= received && received < done, "{received} and {done}");
            if let Ok(read) = read {
                assert!(scratch[read.clone()].iter().all(|&byte| byte == b'x'));
                total += read.len();
            }
        }
        drop(wire);
        server.join().unwrap();
    }
}
