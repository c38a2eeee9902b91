//! A relay for any TCP protocol that lets what comes back from the target wait.
//!
//! Each time the client sends something, a latency is drawn, and what the target sends from then on goes back so much
//! later than it came. So an answer of one piece or of many takes what the target takes and the latency; bytes keep their
//! order, and what the target sends before it was asked anything is not delayed. What only waits for its time does not hold
//! the target up, so that a large answer is no later than a small one.
//!
//! A client that cannot be relayed gets the reason in PostgreSQL's words or in HTTP's, whichever it speaks.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddrV4, TcpStream};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::server::SocketSession;
use super::{DELAYED_BYTES_MAX, READ_BYTES, REFUSED_MAX, RELAY_BYTES_MAX, RELAYS_MAX};
use super::{Settings, World};
use crate::clock;
use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::poll::{EVENTS, Events, LISTENER, Reactor, SIGNAL};
use crate::poll::{Event, EventFlags, Poll, READABLE, WRITABLE};
use crate::random::Stream;
use crate::standin::step::ConnectionRefusal;
use crate::units::Nanos;

/// Whether a relay may go to `target`: on this machine alone.
pub(super) fn check(target: SocketAddrV4) -> Result<()> {
    if target.ip().is_loopback() && target.port() != 0 {
        return Ok(());
    }
    Err(Error::usage(format!("the proxy relays to this machine alone, and {target} is elsewhere"))
        .help("give --proxy an address such as 127.0.0.1:5432"))
}

#[derive(Debug)]
pub(super) struct Proxy {
    reactor: Reactor,
    target: SocketAddrV4,
    latency: Latency,
    times: Stream,
    drawn: u64,
    places: Vec<Option<RelayEnd>>,
    free: Vec<usize>,
    /// Of the places that are taken, how many are relays, and how many of those there may be.
    relays: usize,
    relays_max: usize,
    accepted: u32,
    /// What sessions want that only refuse.
    world: World,
    scratch: Box<[u8]>,
}

/// A client, and what becomes of it.
#[derive(Debug)]
enum RelayEnd {
    Relay(Box<Relay>),
    Refused(Box<SocketSession>),
}

impl RelayEnd {
    fn token(&self) -> u64 {
        match self {
            Self::Relay(relay) => relay.token,
            Self::Refused(peer) => peer.token,
        }
    }
}

/// A client's connection and the one to the target.
#[derive(Debug)]
struct Relay {
    client: Side,
    target: Side,
    /// Its place and which of those in that place it is, without the side.
    token: u64,
    /// What comes from the target waits so long.
    latency: Nanos,
    /// The instant for which it has set a timer.
    timer: Option<Nanos>,
}

/// One of the two connections, and what is to be written to it.
#[derive(Debug)]
struct Side {
    stream: TcpStream,
    /// What is to be written, in the order of its instants.
    queue: VecDeque<Queued>,
    /// Bytes that were ever queued, and those of them that were written.
    queued: u64,
    written: u64,
    /// Whether it will send nothing more.
    ended: bool,
    /// Whether the end has been written to it.
    closed: bool,
    /// Whether it takes nothing now.
    blocked: bool,
    watched: EventFlags,
    /// Whether epoll has been told to forget it.
    forgotten: bool,
}

/// Bytes that are to be written together.
#[derive(Debug)]
struct Queued {
    /// From when on.
    due: Nanos,
    /// None stand for the end.
    bytes: Vec<u8>,
    /// The side's `queued` once these were.
    end: u64,
}

/// The bit of a token that stands for the side of the target.
const TARGET: u64 = 1;
/// What a piece takes beside its bytes, about.
const QUEUED_BYTES: u64 = 64;
/// Whether a relay goes on.
type Alive = bool;

impl Proxy {
    pub(super) fn new(reactor: Reactor, target: SocketAddrV4, settings: &Settings) -> Self {
        Self {
            reactor,
            target,
            latency: settings.lookup.clone(),
            times: Stream::of(settings.seed),
            drawn: 0,
            places: Vec::new(),
            free: Vec::new(),
            relays: 0,
            relays_max: RELAYS_MAX,
            accepted: 0,
            world: World::new(settings),
            scratch: vec![0; READ_BYTES].into(),
        }
    }

    /// Relays until a signal asks for the end.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events: Events = [MaybeUninit::uninit(); EVENTS];
        while self.turn(&mut events)? {}
        Ok(())
    }

    /// Waits once and does what can be done; gives whether it goes on.
    fn turn(&mut self, events: &mut Events) -> io::Result<bool> {
        let ready = self.reactor.wait(events)?;
        self.wake();
        for &Event { flags, data } in ready {
            match data.u64() {
                LISTENER => self.accept(),
                SIGNAL => return Ok(false),
                token => self.serve(token, flags),
            }
            self.wake();
        }
        Ok(true)
    }

    fn accept(&mut self) {
        while let Some(client) = self.reactor.accept() {
            let place = self.free.pop().unwrap_or(self.places.len());
            // 31 bits, so that the side fits below and no token is that of the listener.
            self.accepted = (self.accepted + 1) & (u32::MAX >> 1);
            let token = (place as u64) << 32 | u64::from(self.accepted) << 1;
            if place == self.places.len() {
                self.places.push(None);
            }
            self.places[place] = self.admit(client, token);
            if self.places[place].is_none() {
                self.free.push(place);
            }
        }
    }

    /// What becomes of a client; nothing when it is closed.
    fn admit(&mut self, client: TcpStream, token: u64) -> Option<RelayEnd> {
        let refusal = match self.relays < self.relays_max {
            true => match connect(self.target) {
                Ok(target) => {
                    let relay = Relay::new(client, target, token);
                    relay.watch_all(&self.reactor.poll).ok()?;
                    self.relays += 1;
                    return Some(RelayEnd::Relay(relay.into()));
                }
                Err(error) => {
                    say_unreachable(self.target, &error, "this connection gets an error");
                    ConnectionRefusal::NoTarget
                }
            },
            false => ConnectionRefusal::TooMany,
        };
        // Its own place is taken already.
        let refused = self.places.len() - self.free.len() - 1 - self.relays;
        if refused >= REFUSED_MAX || self.reactor.poll.add(&client, token, READABLE).is_err() {
            return None;
        }
        let key = self.world.key(0, self.accepted);
        Some(RelayEnd::Refused(SocketSession::new(client, token, key, Some(refusal)).into()))
    }

    /// Goes on with everything that has something due.
    fn wake(&mut self) {
        while let Some(token) = self.reactor.expired(clock::now()) {
            if let Some(RelayEnd::Relay(relay)) = place(&mut self.places, token) {
                relay.timer = None;
                let alive = relay.go_on(clock::now(), &mut self.reactor);
                self.settle(token, alive);
            }
        }
    }

    /// One side is ready for something.
    fn serve(&mut self, token: u64, flags: EventFlags) {
        let now = clock::now();
        let alive = match place(&mut self.places, token & !TARGET) {
            None => return,
            Some(RelayEnd::Refused(peer)) => {
                peer.serve(flags, &mut self.scratch, &mut self.world, &mut self.reactor)
            }
            Some(RelayEnd::Relay(relay)) if token & TARGET == 0 => {
                relay.client.blocked &= !flags.contains(EventFlags::OUT);
                let latency = self.latency.draw(self.times.at(self.drawn));
                let (alive, read) = relay.read_client(flags, latency, &mut self.scratch);
                self.drawn += u64::from(read);
                alive && relay.go_on(now, &mut self.reactor)
            }
            Some(RelayEnd::Relay(relay)) => {
                relay.target.blocked &= !flags.contains(EventFlags::OUT);
                relay.read_target(flags, now, &mut self.scratch);
                relay.go_on(now, &mut self.reactor)
            }
        };
        self.settle(token, alive);
    }

    fn settle(&mut self, token: u64, alive: Alive) {
        if !alive {
            let place = (token >> 32) as usize;
            self.relays -= usize::from(matches!(self.places[place], Some(RelayEnd::Relay(_))));
            self.places[place] = None;
            self.free.push(place);
            self.reactor.closed();
        }
    }
}

fn place(places: &mut [Option<RelayEnd>], token: u64) -> Option<&mut RelayEnd> {
    places.get_mut((token >> 32) as usize)?.as_mut().filter(|place| place.token() == token)
}

/// Says on stderr that the target is not there, and what follows.
fn say_unreachable(target: SocketAddrV4, error: &io::Error, follows: &str) {
    anstream::eprintln!("warning: nothing answers at {target} ({error}): {follows}");
}

/// Says so if nothing listens at `target` yet. It may come, so this is no error. The kernel is asked and not the target,
/// which a connection without a client might disturb.
pub(super) fn look_for(target: SocketAddrV4) {
    let port = format!(":{:04X}", target.port());
    // A number, the local and the remote address, a state.
    let listens = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next(), fields.nth(1));
        local.is_some_and(|address| address.ends_with(&port)) && state == Some(LISTENING)
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let there = tables.iter().flatten().any(|table| table.lines().any(listens));
    if !there && tables[0].is_ok() {
        let error = io::Error::from(Errno::CONNREFUSED);
        say_unreachable(target, &error, "connections get an error until something does");
    }
}

/// TCP_LISTEN, as the kernel's table of sockets has it.
const LISTENING: &str = "0A";

/// Begins to connect. On this machine the kernel knows at once whether anyone listens; what fails later shows at the first
/// read.
fn connect(target: SocketAddrV4) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Relay {
    fn new(client: TcpStream, target: TcpStream, token: u64) -> Self {
        let (client, mut target) = (Side::new(client), Side::new(target));
        // Until it is connected.
        target.blocked = true;
        target.watched = READABLE | WRITABLE;
        Self { client, target, token, latency: Nanos(0), timer: None }
    }

    fn watch_all(&self, poll: &Poll) -> io::Result<()> {
        poll.add(&self.client.stream, self.token, self.client.watched)?;
        poll.add(&self.target.stream, self.token | TARGET, self.target.watched)
    }

    /// Takes what the client has sent; gives whether it was something too.
    fn read_client(
        &mut self,
        flags: EventFlags,
        latency: Nanos,
        scratch: &mut [u8],
    ) -> (Alive, bool) {
        match self.client.read(flags, scratch) {
            ReadOutcome::Bytes(len) => {
                self.latency = latency;
                self.target.push(Nanos(0), &scratch[..len]);
                (true, true)
            }
            ReadOutcome::End => {
                self.target.push(Nanos(0), &[]);
                (true, false)
            }
            ReadOutcome::Nothing => (true, false),
            ReadOutcome::Broken => (false, false),
        }
    }

    /// Takes what the target has sent, and has it wait.
    fn read_target(&mut self, flags: EventFlags, now: Nanos, scratch: &mut [u8]) {
        let due = now + self.latency;
        match self.target.read(flags, scratch) {
            ReadOutcome::Bytes(len) => self.client.push(due, &scratch[..len]),
            ReadOutcome::End => self.client.push(due, &[]),
            ReadOutcome::Nothing => {}
            ReadOutcome::Broken => self.lose_target(due),
        }
    }

    /// The target has broken off. What it sent before still goes back, and then the end.
    fn lose_target(&mut self, due: Nanos) {
        self.client.push(due, &[]);
        self.target.lose();
    }

    /// Writes what is due by `now` and sees to the rest. It is over once both ends have been passed on.
    fn go_on(&mut self, now: Nanos, reactor: &mut Reactor) -> Alive {
        if !self.target.write_due(now) {
            self.lose_target(now + self.latency);
        }
        if !self.client.write_due(now) || (self.client.closed && self.target.closed) {
            return false;
        }
        let next = self.client.queue.front().map(|queued| queued.due).filter(|due| *due > now);
        if let Some(due) = next.filter(|due| self.timer != Some(*due)) {
            self.timer = Some(due);
            reactor.wake_at(due, self.token);
        }
        let (client_full, target_full) = (self.client.is_full(now), self.target.is_full(now));
        self.client.watch(target_full, self.token, &reactor.poll)
            && self.target.watch(client_full, self.token | TARGET, &reactor.poll)
    }
}

/// What a read has given.
enum ReadOutcome {
    Bytes(usize),
    End,
    Nothing,
    Broken,
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            queue: VecDeque::new(),
            queued: 0,
            written: 0,
            ended: false,
            closed: false,
            blocked: false,
            watched: READABLE,
            forgotten: false,
        }
    }

    fn read(&mut self, flags: EventFlags, scratch: &mut [u8]) -> ReadOutcome {
        // Reported whether it is watched for or not, and again until what came before it has been read.
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        if self.ended {
            return if broken && !self.closed { ReadOutcome::Broken } else { ReadOutcome::Nothing };
        }
        if !broken && !self.watched.contains(EventFlags::IN) {
            return ReadOutcome::Nothing;
        }
        match self.stream.read(scratch) {
            Ok(0) => {
                self.ended = true;
                ReadOutcome::End
            }
            Ok(len) => ReadOutcome::Bytes(len),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => ReadOutcome::Nothing,
                _ => ReadOutcome::Broken,
            },
        }
    }

    fn push(&mut self, due: Nanos, bytes: &[u8]) {
        // Order before latency: nothing overtakes what came before it.
        let due = self.queue.back().map_or(due, |last| due.max(last.due));
        self.queued += bytes.len() as u64;
        self.queue.push_back(Queued { due, bytes: bytes.into(), end: self.queued });
    }

    /// Whether nothing more is to be read for it. What is due and was not taken is its own doing; what waits for its instant
    /// is not, and has a bound for the memory's sake alone.
    fn is_full(&self, now: Nanos) -> bool {
        let due = self.queue.partition_point(|queued| queued.due <= now);
        let due_end = due.checked_sub(1).map_or(self.written, |last| self.queue[last].end);
        let held = self.queued - self.written + self.queue.len() as u64 * QUEUED_BYTES;
        due_end - self.written >= RELAY_BYTES_MAX || held >= DELAYED_BYTES_MAX
    }

    fn write_due(&mut self, now: Nanos) -> Alive {
        while let Some(Queued { due, bytes, .. }) = self.queue.front_mut() {
            if *due > now || self.blocked {
                break;
            }
            if bytes.is_empty() {
                self.closed = true;
                self.queue.pop_front();
                // The peer may have gone already, which is an end as well.
                let _ = self.stream.shutdown(Shutdown::Write);
                continue;
            }
            match self.stream.write(bytes) {
                Ok(written) => {
                    self.written += written as u64;
                    bytes.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(_) => return false,
            }
            if self.queue.front().is_some_and(|queued| queued.bytes.is_empty()) {
                self.queue.pop_front();
            }
        }
        true
    }

    /// It will neither send nor take anything any more.
    fn lose(&mut self) {
        self.queue.clear();
        self.written = self.queued;
        (self.ended, self.closed, self.blocked) = (true, true, false);
    }

    /// Has epoll watch for what can be done next; nothing is read from it while the other side is full.
    fn watch(&mut self, other_is_full: bool, token: u64, poll: &Poll) -> Alive {
        if self.forgotten {
            return true;
        }
        // Both ends have passed, of which epoll would not stop to tell.
        if self.ended && self.closed {
            self.forgotten = true;
            return poll.remove(&self.stream).is_ok();
        }
        let mut wanted = EventFlags::empty();
        if !self.ended && !other_is_full {
            wanted |= READABLE;
        }
        if self.blocked {
            wanted |= WRITABLE;
        }
        if wanted == self.watched {
            return true;
        }
        self.watched = wanted;
        poll.modify(&self.stream, token, wanted).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::time::Duration;

    use super::*;
    use crate::standin::Pace;

    #[test]
    fn what_waits_for_its_instant_does_not_count_as_not_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut side = Side::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let piece = [0; READ_BYTES];
        let pieces = |bytes: u64| bytes / READ_BYTES as u64;
        for at in 1..=2 * pieces(RELAY_BYTES_MAX) {
            side.push(Nanos(at), &piece);
        }
        let full_at = pieces(RELAY_BYTES_MAX);
        assert!(!side.is_full(Nanos(0)) && !side.is_full(Nanos(full_at - 1)));
        assert!(side.is_full(Nanos(full_at)));
        side.blocked = true;
        assert!(side.write_due(Nanos(full_at)) && side.is_full(Nanos(full_at)), "it takes none");
        side.lose();
        assert!(!side.is_full(Nanos(u64::MAX)));
        // Memory has a bound, of however few bytes each piece is.
        for _ in 0..pieces(DELAYED_BYTES_MAX) {
            side.push(Nanos(9), &piece);
        }
        assert!(side.is_full(Nanos(8)));
        side.lose();
        for _ in 0..DELAYED_BYTES_MAX / QUEUED_BYTES {
            side.push(Nanos(9), b"x");
        }
        assert!(side.is_full(Nanos(8)));
    }

    #[test]
    fn a_client_too_many_is_told_so_until_there_is_room() {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (target, listener) = (bind(), bind());
        let (SocketAddr::V4(to), own) =
            (target.local_addr().unwrap(), listener.local_addr().unwrap())
        else {
            panic!("bound to IPv4")
        };
        let reactor = Reactor::new(listener, Pace::Spin).unwrap();
        let mut proxy = Proxy { relays_max: 2, ..Proxy::new(reactor, to, &Settings::default()) };
        let mut events: Events = [MaybeUninit::uninit(); EVENTS];
        let mut turn = |proxy: &mut Proxy| {
            for _ in 0..200 {
                assert!(proxy.turn(&mut events).unwrap());
            }
        };
        let connect = || {
            let stream = TcpStream::connect(own).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        };
        let answer = |mut stream: TcpStream| {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        };
        let (first, _second) = (connect(), connect());
        turn(&mut proxy);
        let (mut third, mut fourth) = (connect(), connect());
        third.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        fourth.write_all(b"\0\0\0\x11\0\x03\0\0user\0me\0\0").unwrap();
        turn(&mut proxy);
        let told = answer(third);
        assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
        let told = answer(fourth);
        assert!(told.contains("C53300\0"), "{told}");
        // Both ends of the first have passed, so that there is room.
        drop((first, target.accept().unwrap()));
        turn(&mut proxy);
        let mut fifth = connect();
        fifth.write_all(b"x").unwrap();
        turn(&mut proxy);
        let _ = target.accept().unwrap();
        let (mut relayed, _) = target.accept().unwrap();
        let mut heard = [0];
        relayed.read_exact(&mut heard).unwrap();
        assert_eq!((heard, proxy.relays), (*b"x", 2));
    }
}
