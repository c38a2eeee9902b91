//! The stand-in over sockets: one thread, which reads, answers and writes whatever is ready, and wakes for what is due.

use super::{CONNECTIONS_MAX, READ_BYTES, World};
use crate::clock;
use crate::poll::{EVENTS, Events, LISTENER, Reactor, SIGNAL};
use crate::poll::{Event, EventFlags, READABLE, WRITABLE};
use crate::standin::step::{ConnectionRefusal, Input, Key, Step};
use crate::standin::{INPUT_BYTES_MAX, http, postgres};
use crate::units::Nanos;
use std::io;
use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;

#[derive(Debug)]
pub(super) struct StandinServer {
    reactor: Reactor,
    world: World,
    peers: Vec<Option<SocketSession>>,
    free: Vec<usize>,
    accepted: u32,
    scratch: Box<[u8]>,
}

#[derive(Debug)]
pub(super) struct SocketSession {
    stream: TcpStream,
    session: Conversation,
    /// Its place, and below it which of those that have had the place it is. Events of the others are not its own.
    pub(super) token: u64,
    out: Vec<u8>,
    /// Whether the peer has no room for them.
    blocked: bool,
    watched: EventFlags,
    /// The instant for which it has set a timer.
    timer: Option<Nanos>,
    ended: bool,
}

/// Whether a connection goes on.
type Alive = bool;

impl StandinServer {
    pub(super) fn new(reactor: Reactor, world: World) -> Self {
        let scratch = vec![0; READ_BYTES].into();
        Self { reactor, world, peers: Vec::new(), free: Vec::new(), accepted: 0, scratch }
    }

    /// Answers until a signal asks for the end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events: Events = [MaybeUninit::uninit(); EVENTS];
        loop {
            let ready = self.reactor.wait(&mut events)?;
            self.wake();
            for &Event { flags, data } in ready {
                match data.u64() {
                    LISTENER => self.accept(),
                    SIGNAL => return Ok(()),
                    token => self.serve(token, flags),
                }
                // Between any two events, so that what is due never waits for more than one connection.
                self.wake();
            }
        }
    }

    fn accept(&mut self) {
        while let Some(stream) = self.reactor.accept() {
            let place = self.free.pop().unwrap_or(self.peers.len());
            self.accepted = self.accepted.wrapping_add(1);
            let token = (place as u64) << 32 | u64::from(self.accepted);
            if self.reactor.poll.add(&stream, token, READABLE).is_err() {
                self.free.push(place);
                continue;
            }
            if place == self.peers.len() {
                self.peers.push(None);
            }
            let too_many = self.world.connections >= CONNECTIONS_MAX;
            let refused = too_many.then_some(ConnectionRefusal::TooMany);
            self.world.connections += 1;
            let key = self.world.key(place, self.accepted);
            self.peers[place] = Some(SocketSession::new(stream, token, key, refused));
        }
    }

    /// Goes on with every session whose instant has come.
    fn wake(&mut self) {
        while let Some(token) = self.reactor.expired(clock::now()) {
            if let Some(peer) = peer(&mut self.peers, token) {
                peer.timer = None;
                let alive = peer.go_on(clock::now(), &mut self.world, &mut self.reactor);
                self.settle(token, alive);
                // A stall holds up requests to cancel as well.
                self.cancel();
            }
        }
    }

    /// A connection is ready for something.
    fn serve(&mut self, token: u64, flags: EventFlags) {
        let Some(peer) = peer(&mut self.peers, token) else {
            return;
        };
        let alive = peer.serve(flags, &mut self.scratch, &mut self.world, &mut self.reactor);
        self.settle(token, alive);
        self.cancel();
    }

    /// Gives up what connections have been asked to give up by others.
    fn cancel(&mut self) {
        while let Some(key) = self.world.cancels.pop() {
            let place = (key.id as usize).wrapping_sub(1);
            let peer = self.peers.get_mut(place).and_then(Option::as_mut);
            if let Some(peer) = peer.filter(|peer| peer.session.key() == key) {
                let (token, now) = (peer.token, clock::now());
                peer.session.cancel(now, &mut peer.out);
                let alive = peer.go_on(now, &mut self.world, &mut self.reactor);
                self.settle(token, alive);
            }
        }
    }

    fn settle(&mut self, token: u64, alive: Alive) {
        if !alive {
            let place = (token >> 32) as usize;
            self.peers[place] = None;
            self.free.push(place);
            self.world.connections -= 1;
            self.reactor.closed();
        }
    }
}

/// The connection of `token`, unless it has been closed meanwhile.
fn peer(peers: &mut [Option<SocketSession>], token: u64) -> Option<&mut SocketSession> {
    peers.get_mut((token >> 32) as usize)?.as_mut().filter(|peer| peer.token == token)
}

impl SocketSession {
    pub(super) fn new(
        stream: TcpStream,
        token: u64,
        key: Key,
        refused: Option<ConnectionRefusal>,
    ) -> Self {
        Self {
            stream,
            session: Conversation::new(key, refused),
            token,
            out: Vec::new(),
            blocked: false,
            watched: READABLE,
            timer: None,
            ended: false,
        }
    }

    pub(super) fn serve(
        &mut self,
        flags: EventFlags,
        scratch: &mut [u8],
        world: &mut World,
        reactor: &mut Reactor,
    ) -> Alive {
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        match self.watched.contains(EventFlags::IN) {
            true => self.read(scratch) && self.go_on(clock::now(), world, reactor),
            false => !broken && self.go_on(clock::now(), world, reactor),
        }
    }

    fn read(&mut self, scratch: &mut [u8]) -> Alive {
        match self.stream.read(scratch) {
            Ok(0) => self.ended = true,
            Ok(len) => self.session.receive(&scratch[..len], clock::now()),
            Err(error) => {
                let kind = error.kind();
                return matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            }
        }
        true
    }

    /// Answers what can be answered by `now`, and sees to it that it is woken for the rest.
    fn go_on(&mut self, now: Nanos, world: &mut World, reactor: &mut Reactor) -> Alive {
        // While the peer does not take what it has been answered, it is answered nothing more.
        let mut alive = !self.blocked || self.flush(world);
        while alive && !self.blocked {
            match self.session.advance(now, world, &mut self.out) {
                Step::Wait { until, flush } => {
                    if self.timer != Some(until) {
                        self.timer = Some(until);
                        reactor.wake_at(until, self.token);
                    }
                    alive = !flush || self.flush(world);
                    break;
                }
                Step::Read => {
                    alive = self.flush(world) && (self.blocked || !self.ended);
                    break;
                }
                Step::Write => alive = self.flush(world),
                Step::Close => {
                    self.flush(world);
                    alive = false;
                }
            }
        }
        alive && self.watch(reactor)
    }

    /// Writes what has been answered, as far as the peer takes it.
    fn flush(&mut self, world: &mut World) -> Alive {
        let mut alive = true;
        if !self.out.is_empty() {
            let written = match self.stream.write(&self.out) {
                Ok(written) => written,
                Err(error) => {
                    alive = error.kind() == io::ErrorKind::WouldBlock;
                    0
                }
            };
            self.blocked = written < self.out.len();
            self.out.drain(..written);
        }
        if world.stats.awaits_write() {
            world.stats.written(clock::now());
        }
        alive
    }

    /// Has epoll watch for what can be done next.
    fn watch(&mut self, reactor: &Reactor) -> Alive {
        let wanted = if self.blocked {
            WRITABLE
        } else if self.ended || self.session.is_full() {
            EventFlags::empty()
        } else {
            READABLE
        };
        if wanted == self.watched {
            return true;
        }
        self.watched = wanted;
        reactor.poll.modify(&self.stream, self.token, wanted).is_ok()
    }
}

/// A connection of either protocol.
#[derive(Debug)]
pub(super) struct Conversation {
    input: Input,
    protocol: Protocol,
    key: Key,
    refused: Option<ConnectionRefusal>,
}

#[derive(Debug)]
enum Protocol {
    /// Nothing has come yet.
    Unknown,
    Postgres(Box<postgres::PostgresConversation>),
    Http(http::HttpConversation),
}

impl Conversation {
    /// A connection that was accepted, and perhaps only to be refused.
    pub(super) fn new(key: Key, refused: Option<ConnectionRefusal>) -> Self {
        Self { input: Input::default(), protocol: Protocol::Unknown, key, refused }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Gives up the statement that it waits for, if there is one.
    pub(super) fn cancel(&mut self, now: Nanos, out: &mut Vec<u8>) {
        if let Protocol::Postgres(session) = &mut self.protocol {
            session.cancel(now, out);
        }
    }

    /// Takes what has come by `now`.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Nanos) {
        self.input.push(bytes, now);
    }

    /// Whether it has more to read than it may hold.
    pub(super) fn is_full(&self) -> bool {
        self.input.rest().len() > INPUT_BYTES_MAX
    }

    /// Answers into `out` whatever can be answered by `now`.
    pub(super) fn advance(&mut self, now: Nanos, world: &mut World, out: &mut Vec<u8>) -> Step {
        if let Protocol::Unknown = self.protocol {
            // The length of a PostgreSQL startup begins with 0, a request line with a letter.
            self.protocol = match self.input.rest().first() {
                None => return Step::Read,
                Some(0) => Protocol::Postgres(Box::new(postgres::PostgresConversation::new(
                    self.key,
                    self.refused,
                ))),
                Some(_) => Protocol::Http(http::HttpConversation::new(self.refused)),
            };
        }
        let step = match &mut self.protocol {
            Protocol::Unknown => Step::Read,
            Protocol::Postgres(session) => session.advance(&mut self.input, now, world, out),
            Protocol::Http(session) => session.advance(&mut self.input, now, world, out),
        };
        self.input.tidy();
        step
    }
}
