//! One connection of the generator: a non-blocking socket, the request on it and the answer as it comes in.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt,
};

use super::answer::{Answer, Reader};
use super::check::Acknowledged;
use super::extract::capture;
use super::mix::{Mix, Request};
use super::peer::Address;
use super::receipt;
use super::wire::{Receipt, Wire};
use crate::poll::{EventFlags, Poll, READABLE, WRITABLE};
use crate::record::outcome::RequestError;
use crate::units::Nanos;

/// A place for a connection, filled again and again with new sockets.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) phase: Phase,
    /// The request under way, or the one before.
    pub(crate) request: Request,
    pub(crate) at: Instants,
    wire: Option<Wire>,
    reader: Reader,
    /// What is to be told of the latest failure, where it is this place's first of its kind.
    pub(crate) first: Option<String>,
    /// The kinds of failures that have been told, a bit each.
    told: u16,
    /// Bytes of the request that have been written.
    written: usize,
    /// Counts the sockets that were here, so that a late event of an earlier one is known for what it is.
    generation: u32,
    opened_at: Nanos,
    /// Bytes of HTTP that this place has received and written, of all its sockets.
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    /// Whether this socket has carried a whole answer.
    pub(crate) proven: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Down,
    Connecting,
    /// The same, with a request that waits for it.
    Opening,
    Idle,
    /// A request is on its way or its answer is.
    Busy,
}

#[derive(Debug)]
pub(crate) enum Received {
    Partial,
    /// An answer, judged.
    Answer {
        verdict: Result<Acknowledged, RequestError>,
        status: u16,
        reusable: bool,
    },
    Broken(RequestError),
}

impl Connection {
    /// Whose answers are looked at as a whole, as far as they are kept, and their heads if `heads`.
    pub(crate) fn keeping(kept_max: usize, heads: bool) -> Self {
        Self { reader: Reader::keeping(kept_max, heads), ..Self::default() }
    }

    /// Starts to connect at `now`, and to be watched by `poll`; `stamped` has the kernel note when it receives. With TLS
    /// [`Self::install`] follows instead.
    ///
    /// # Errors
    /// Refused at once, or no descriptor or port is left.
    pub(crate) fn open(
        &mut self,
        target: &Address,
        stamped: bool,
        index: usize,
        poll: &Poll,
        now: Nanos,
    ) -> io::Result<()> {
        self.close();
        self.opened_at = now;
        let wire = match target {
            Address::Tcp(at) => Wire::Tcp(open_tcp(*at, stamped)?),
            Address::Unix(path) => Wire::Unix(open_unix(path)?),
        };
        poll.add(&wire, self.token(index), READABLE | WRITABLE)?;
        self.wire = Some(wire);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Waits from `now` on for a wire that another thread opens; gives what that is to be called by.
    pub(crate) fn await_wire(&mut self, index: usize, now: Nanos) -> u64 {
        self.close();
        self.opened_at = now;
        self.phase = Phase::Connecting;
        self.token(index)
    }

    /// The wire is there, and is watched by `poll` from now on.
    pub(crate) fn install(&mut self, wire: Wire, index: usize, poll: &Poll) -> io::Result<()> {
        poll.add(&wire, self.token(index), READABLE)?;
        self.wire = Some(wire);
        Ok(())
    }

    /// An event has come while connecting: it is open, after so long, or never will be.
    pub(crate) fn opened(&mut self, index: usize, poll: &Poll, now: Nanos) -> io::Result<Nanos> {
        let token = self.token(index);
        let wire = self.wire.as_ref().expect("a connection that connects has a socket");
        sockopt::socket_error(wire)??;
        if let Wire::Tcp(stream) = wire {
            refuse_itself(stream)?;
        }
        poll.modify(wire, token, READABLE)?;
        self.phase = Phase::Idle;
        Ok(now.saturating_sub(self.opened_at))
    }

    /// Closes the socket, if there is one, and forgets half an answer.
    pub(crate) fn close(&mut self) {
        self.wire = None;
        self.phase = Phase::Down;
        self.reader.reset();
        self.written = 0;
        self.proven = false;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Encrypts the request, where that is to be done, before the instant of its write.
    pub(crate) fn seal(&mut self, mix: &Mix) {
        if let Some(wire) = &mut self.wire {
            wire.seal(mix.bytes(&self.request));
        }
    }

    /// What came on an idle connection was nothing: it is still of use.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.wire.as_mut().is_some_and(Wire::is_idle)
    }

    /// Starts to write the request, which was sealed.
    ///
    /// # Errors
    /// `reset`: the other side has gone.
    pub(crate) fn send(
        &mut self,
        mix: &Mix,
        index: usize,
        poll: &Poll,
    ) -> Result<(), RequestError> {
        self.phase = Phase::Busy;
        self.written = 0;
        self.write(mix)?;
        if self.written < self.request.len {
            self.watch(READABLE | WRITABLE, index, poll)?;
        }
        Ok(())
    }

    /// There is room to write what is left of the request.
    ///
    /// # Errors
    /// `reset`: the other side has gone.
    pub(crate) fn send_rest(
        &mut self,
        mix: &Mix,
        index: usize,
        poll: &Poll,
    ) -> Result<(), RequestError> {
        self.write(mix)?;
        if self.written == self.request.len {
            self.watch(READABLE, index, poll)?;
        }
        Ok(())
    }

    /// Reads once, marks the instants, and checks an answer that is whole, from which a step takes its values. If `timed`,
    /// also says how long what was read had been there.
    pub(crate) fn receive(
        &mut self,
        mix: &Mix,
        scratch: &mut [u8],
        timed: bool,
    ) -> (Received, Option<Nanos>) {
        let wire = self.wire.as_mut().expect("a connection with a request has a socket");
        let Receipt { read, received, done, lag } = wire.receive(scratch, timed);
        (self.at.received, self.at.done) = (received, done);
        (self.take(mix, read, scratch), lag)
    }

    fn take(&mut self, mix: &Mix, read: io::Result<Range<usize>>, scratch: &[u8]) -> Received {
        let answer = match read {
            Ok(read) if read.is_empty() => self.reader.end().map(Some),
            Ok(read) => {
                self.received_bytes += read.len() as u64;
                if self.at.first_byte < self.at.written {
                    self.at.first_byte = self.at.received;
                }
                let closed = self.wire.as_ref().is_some_and(Wire::is_closed);
                match self.reader.push(&scratch[read], self.request.head) {
                    Ok(None) if closed => self.reader.end().map(Some),
                    pushed => pushed,
                }
            }
            Err(error) if is_transient(&error) => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(self.reader.malformed("its TLS cannot be decrypted"))
            }
            Err(_) => Err(RequestError::Reset),
        };
        let (received, what) = match answer {
            Ok(None) => return Received::Partial,
            Ok(Some(answer)) => {
                let mut verdict = self.request.expect.check(answer.status, answer.body);
                let mut missing = None;
                if verdict.is_ok()
                    && let Err(why) =
                        capture(mix.extracts(&self.request), &answer, &mut self.request.values)
                {
                    // Without its body, in which there may be secrets.
                    let what = format!("{why}: {}", answer.status);
                    (verdict, missing) = (Err(RequestError::WrongAnswer), Some(what));
                }
                let is_new = |error: &RequestError| self.told & error.bit() == 0;
                let new = verdict.as_ref().err().filter(|&error| is_new(error));
                let what = new.map(|_| missing.unwrap_or_else(|| told(&answer)));
                // An answer that came before the whole request was out leaves the stream in the middle of it.
                let reusable = answer.reusable && self.written == self.request.len;
                (Received::Answer { verdict, status: answer.status, reusable }, what)
            }
            Err(error) => {
                let is_new = self.told & error.bit() == 0 && !self.reader.why().is_empty();
                (Received::Broken(error), is_new.then(|| self.reader.why().to_owned()))
            }
        };
        if let (Received::Broken(error) | Received::Answer { verdict: Err(error), .. }, Some(_)) =
            (&received, &what)
        {
            self.told |= error.bit();
        }
        self.first = what;
        received
    }

    fn token(&self, index: usize) -> u64 {
        u64::from(self.generation) << 32 | index as u64
    }

    /// The index in `token`, when it is that of the socket that is here now.
    pub(crate) fn owns(&self, token: u64) -> bool {
        (token >> 32) as u32 == self.generation
    }

    fn write(&mut self, mix: &Mix) -> Result<(), RequestError> {
        let bytes = &mix.bytes(&self.request)[self.written..];
        let wire = self.wire.as_mut().expect("a connection with a request has a socket");
        match wire.write(bytes) {
            Ok(count) => {
                self.written += count;
                self.sent_bytes += count as u64;
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => return Err(RequestError::Reset),
        }
        Ok(())
    }

    fn watch(&self, interest: EventFlags, index: usize, poll: &Poll) -> Result<(), RequestError> {
        let wire = self.wire.as_ref().expect("a connection with a request has a socket");
        poll.modify(wire, self.token(index), interest).map_err(|_| RequestError::Reset)
    }
}

/// A TCP socket that has begun to connect; `stamped` has the kernel note when it receives.
///
/// # Errors
/// Refused at once, or no descriptor or port is left.
pub(crate) fn open_tcp(target: SocketAddr, stamped: bool) -> io::Result<TcpStream> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if stamped {
        receipt::stamp(&socket);
    }
    match connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// A unix socket is connected at once or, where its backlog is full, refused.
fn open_unix(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// Without a listener, a port from the ephemeral range can come to be connected to itself.
pub(crate) fn refuse_itself(stream: &TcpStream) -> io::Result<()> {
    match stream.local_addr()? == stream.peer_addr()? {
        true => Err(ErrorKind::ConnectionRefused.into()),
        false => Ok(()),
    }
}

/// Characters of a wrong body that are told.
const TOLD_MAX: usize = 120;

/// An answer's status and the title or the first line of its body.
fn told(answer: &Answer<'_>) -> String {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(4 * TOLD_MAX)]);
    let title = body.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once('<')?.0));
    let mut lines = title.into_iter().chain(body.lines()).map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or("no body");
    let line: String = line.chars().filter(|c| !c.is_control()).take(TOLD_MAX).collect();
    format!("{}: {line}", answer.status)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// When each step of one request happened, on CLOCK_MONOTONIC. In this order, each at or after the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instants {
    /// When the schedule wants it sent. In closed loop the same as `written`.
    pub(crate) intended: Nanos,
    /// When the sender saw that it was due: the first look at the clock after `intended`. While every connection is
    /// busy a request is seen as it falls due, since there is nothing that the sender could have done for it.
    pub(crate) woken: Nanos,
    /// When it got a connection.
    pub(crate) acquired: Nanos,
    /// When its write began: the bytes leave during the call.
    pub(crate) written: Nanos,
    /// When the first bytes of its answer had been read.
    pub(crate) first_byte: Nanos,
    /// When the read returned that brought the last byte of its answer, or it was given up.
    pub(crate) received: Nanos,
    /// When its whole answer was there: after decryption, where there is some, else the same.
    pub(crate) done: Nanos,
    /// Of a whole session, the think times between, which nobody waits for.
    pub(crate) paused: Nanos,
}

impl Instants {
    /// The generator's own lateness.
    pub(crate) fn generator_lag(&self) -> Nanos {
        let decrypted = self.done - self.received - self.paused;
        (self.woken - self.intended) + (self.written - self.acquired) + decrypted
    }

    /// Waiting for a free connection.
    pub(crate) fn backlog(&self) -> Nanos {
        self.acquired - self.woken
    }

    /// From the write to the answer's last byte.
    pub(crate) fn service(&self) -> Nanos {
        self.received - self.written
    }

    /// What a user who came at the intended instant waited: the sum of the three.
    pub(crate) fn response(&self) -> Nanos {
        self.done - self.intended - self.paused
    }

    /// A request that was given up at `done` while it waited for a connection: all of its time is backlog and lag.
    pub(crate) fn never_sent(intended: Nanos, woken: Nanos, done: Nanos) -> Self {
        let (acquired, written, first_byte, received) = (done, done, done, done);
        let paused = Nanos(0);
        Self { intended, woken, acquired, written, first_byte, received, done, paused }
    }

    /// The same at another time, with the same parts.
    pub(crate) fn moved_to(self, intended: Nanos) -> Self {
        let at = |instant: Nanos| intended + instant.saturating_sub(self.intended);
        Self {
            intended,
            woken: at(self.woken),
            acquired: at(self.acquired),
            written: at(self.written),
            first_byte: at(self.first_byte),
            received: at(self.received),
            done: at(self.done),
            paused: self.paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_backlog_and_service_add_up_to_the_response() {
        let instants = Instants {
            intended: Nanos(100),
            woken: Nanos(103),
            acquired: Nanos(110),
            written: Nanos(111),
            first_byte: Nanos(140),
            received: Nanos(150),
            done: Nanos(153),
            paused: Nanos(0),
        };
        assert_eq!(instants.generator_lag(), Nanos(7), "decryption is the generator's");
        assert_eq!(instants.backlog(), Nanos(7));
        assert_eq!(instants.service(), Nanos(39));
        assert_eq!(
            instants.generator_lag() + instants.backlog() + instants.service(),
            instants.response()
        );
        let unsent = Instants::never_sent(Nanos(5), Nanos(6), Nanos(20));
        assert_eq!((unsent.service(), unsent.backlog()), (Nanos(0), Nanos(14)));
    }
}
