//! A relay for any TCP protocol that lets what comes back from the target wait.
//!
//! Each time the client sends something, a latency is drawn, and nothing that the target sends from then on goes back
//! before the client's last bytes are that old. So an answer of one piece or of many takes at least the latency; bytes
//! keep their order, and what the target sends unasked is not delayed.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddrV4, TcpStream};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::Settings;
use super::limits::{EVENTS, READ_BYTES, RELAY_BYTES_MAX, RELAYS_MAX};
use super::reactor::{Events, LISTENER, Reactor, SIGNAL};
use crate::clock;
use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::poll::{Event, EventFlags, Poll, READABLE, WRITABLE};
use crate::random::Stream;
use crate::units::Nanos;

/// Whether a relay may go to `target`: on this machine alone.
///
/// # Errors
/// A usage error that says so.
pub(super) fn check(target: SocketAddrV4) -> Result<()> {
    if target.ip().is_loopback() && target.port() != 0 {
        return Ok(());
    }
    Err(Error::usage(format!("the proxy relays to this machine alone, and {target} is elsewhere"))
        .help("give --proxy an address such as 127.0.0.1:5432"))
}

/// All relays.
#[derive(Debug)]
pub(super) struct Proxy {
    reactor: Reactor,
    target: SocketAddrV4,
    latency: Latency,
    times: Stream,
    /// Times drawn so far.
    drawn: u64,
    relays: Vec<Option<Relay>>,
    free: Vec<usize>,
    accepted: u32,
    scratch: Box<[u8]>,
}

/// A client's connection and the one to the target.
#[derive(Debug)]
struct Relay {
    client: Side,
    target: Side,
    /// Its place and which of those in that place it is, without the side.
    token: u64,
    /// Nothing from the target goes back before this.
    release: Nanos,
    /// The instant for which it has set a timer.
    timer: Option<Nanos>,
}

/// One of the two connections, and what is to be written to it.
#[derive(Debug)]
struct Side {
    stream: TcpStream,
    /// What is to be written, and from when on. Nothing stands for the end.
    queue: VecDeque<(Nanos, Vec<u8>)>,
    queued_bytes: usize,
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

/// The bit of a token that stands for the side of the target.
const TARGET: u64 = 1;
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
            relays: Vec::new(),
            free: Vec::new(),
            accepted: 0,
            scratch: vec![0; READ_BYTES].into(),
        }
    }

    /// Relays until a signal asks for the end.
    ///
    /// # Errors
    /// None that a sound program meets.
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
                self.wake();
            }
        }
    }

    fn accept(&mut self) {
        while let Some(client) = self.reactor.accept() {
            // A target that does not answer shows as a connection that closes.
            let Ok(target) = connect(self.target) else {
                continue;
            };
            let place = self.free.pop().unwrap_or(self.relays.len());
            // 31 bits, so that the side fits below and no token is that of the listener.
            self.accepted = (self.accepted + 1) & (u32::MAX >> 1);
            let token = (place as u64) << 32 | u64::from(self.accepted) << 1;
            let relay = Relay::new(client, target, token);
            if place == self.relays.len() {
                self.relays.push(None);
            }
            match place < RELAYS_MAX && relay.watch_all(&self.reactor.poll).is_ok() {
                true => self.relays[place] = Some(relay),
                false => self.free.push(place),
            }
        }
    }

    /// Goes on with every relay that has something due.
    fn wake(&mut self) {
        while let Some(token) = self.reactor.expired(clock::now()) {
            if let Some(relay) = relay(&mut self.relays, token) {
                relay.timer = None;
                let alive = relay.go_on(clock::now(), &mut self.reactor);
                self.settle(token, alive);
            }
        }
    }

    /// One side is ready for something.
    fn serve(&mut self, token: u64, flags: EventFlags) {
        let Some(relay) = relay(&mut self.relays, token & !TARGET) else {
            return;
        };
        let now = clock::now();
        let alive = if token & TARGET == 0 {
            relay.client.blocked &= !flags.contains(EventFlags::OUT);
            let latency = self.latency.draw(self.times.at(self.drawn));
            let (alive, read) = relay.read_client(flags, now, latency, &mut self.scratch);
            self.drawn += u64::from(read);
            alive
        } else {
            relay.target.blocked &= !flags.contains(EventFlags::OUT);
            relay.read_target(flags, now, &mut self.scratch);
            true
        };
        let alive = alive && relay.go_on(now, &mut self.reactor);
        self.settle(token, alive);
    }

    fn settle(&mut self, token: u64, alive: Alive) {
        if !alive {
            let place = (token >> 32) as usize;
            self.relays[place] = None;
            self.free.push(place);
            self.reactor.closed();
        }
    }
}

fn relay(relays: &mut [Option<Relay>], token: u64) -> Option<&mut Relay> {
    relays.get_mut((token >> 32) as usize)?.as_mut().filter(|relay| relay.token == token)
}

/// Begins to connect. That it failed shows at the first read.
fn connect(target: SocketAddrV4) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Relay {
    fn new(client: TcpStream, target: TcpStream, token: u64) -> Self {
        let (client, mut target) = (Side::new(client), Side::new(target));
        // Until it is connected.
        target.blocked = true;
        target.watched = READABLE | WRITABLE;
        Self { client, target, token, release: Nanos(0), timer: None }
    }

    fn watch_all(&self, poll: &Poll) -> io::Result<()> {
        poll.add(&self.client.stream, self.token, self.client.watched)?;
        poll.add(&self.target.stream, self.token | TARGET, self.target.watched)
    }

    /// Takes what the client has sent; gives whether it was something too.
    fn read_client(
        &mut self,
        flags: EventFlags,
        now: Nanos,
        latency: Nanos,
        scratch: &mut [u8],
    ) -> (Alive, bool) {
        match self.client.read(flags, scratch) {
            Read::Bytes(len) => {
                self.release = now + latency;
                self.target.push(Nanos(0), &scratch[..len]);
                (true, true)
            }
            Read::End => {
                self.target.push(Nanos(0), &[]);
                (true, false)
            }
            Read::Nothing => (true, false),
            Read::Broken => (false, false),
        }
    }

    /// Takes what the target has sent, and has it wait.
    fn read_target(&mut self, flags: EventFlags, now: Nanos, scratch: &mut [u8]) {
        let due = self.release.max(now);
        match self.target.read(flags, scratch) {
            Read::Bytes(len) => self.client.push(due, &scratch[..len]),
            Read::End => self.client.push(due, &[]),
            Read::Nothing => {}
            Read::Broken => self.lose_target(due),
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
            self.lose_target(self.release.max(now));
        }
        if !self.client.write_due(now) || (self.client.closed && self.target.closed) {
            return false;
        }
        let next = self.client.queue.front().map(|(due, _)| *due).filter(|due| *due > now);
        if let Some(due) = next.filter(|due| self.timer != Some(*due)) {
            self.timer = Some(due);
            reactor.wake_at(due, self.token);
        }
        let (to_client, to_target) = (self.client.queued_bytes, self.target.queued_bytes);
        self.client.watch(to_target, self.token, &reactor.poll)
            && self.target.watch(to_client, self.token | TARGET, &reactor.poll)
    }
}

/// What a read has given.
enum Read {
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
            queued_bytes: 0,
            ended: false,
            closed: false,
            blocked: false,
            watched: READABLE,
            forgotten: false,
        }
    }

    fn read(&mut self, flags: EventFlags, scratch: &mut [u8]) -> Read {
        // Reported whether it is watched for or not, and again until what came before it has been read.
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        if self.ended {
            return if broken && !self.closed { Read::Broken } else { Read::Nothing };
        }
        if !broken && !self.watched.contains(EventFlags::IN) {
            return Read::Nothing;
        }
        match self.stream.read(scratch) {
            Ok(0) => {
                self.ended = true;
                Read::End
            }
            Ok(len) => Read::Bytes(len),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Read::Nothing,
                _ => Read::Broken,
            },
        }
    }

    fn push(&mut self, due: Nanos, bytes: &[u8]) {
        // Order before latency: nothing overtakes what came before it.
        let due = self.queue.back().map_or(due, |(last, _)| due.max(*last));
        self.queued_bytes += bytes.len();
        self.queue.push_back((due, bytes.into()));
    }

    fn write_due(&mut self, now: Nanos) -> Alive {
        while let Some((due, bytes)) = self.queue.front_mut() {
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
                    self.queued_bytes -= written;
                    bytes.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(_) => return false,
            }
            if self.queue.front().is_some_and(|(_, bytes)| bytes.is_empty()) {
                self.queue.pop_front();
            }
        }
        true
    }

    /// It will neither send nor take anything any more.
    fn lose(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
        (self.ended, self.closed, self.blocked) = (true, true, false);
    }

    /// Has epoll watch for what can be done next; `ahead` is how much of it the other side has not taken.
    fn watch(&mut self, ahead: usize, token: u64, poll: &Poll) -> Alive {
        if self.forgotten {
            return true;
        }
        // Both ends have passed, of which epoll would not stop to tell.
        if self.ended && self.closed {
            self.forgotten = true;
            return poll.remove(&self.stream).is_ok();
        }
        let mut wanted = EventFlags::empty();
        if !self.ended && ahead < RELAY_BYTES_MAX {
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
