//! Opens connections with TLS on a thread of its own: a handshake takes a sender's core for longer than many requests do.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use rustix::net::sockopt;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::ClientConnection;

use super::clock;
use super::connection::{open_tcp, refuse_itself};
use super::tls::Tls;
use super::wire::Secured;
use crate::poll::{Poll, READABLE, WRITABLE};
use crate::units::Nanos;

/// Events of the sender's own set that say: something has been opened, or has failed.
pub(crate) const OPENED: u64 = u64::MAX;
/// A handshake that is given up is looked for so often.
const STEP: Nanos = Nanos(50_000_000);

/// The sender's end.
#[derive(Debug)]
pub(crate) struct Handshakes {
    /// Tokens of connections that are to be opened, and since when; nothing once it is to end.
    asked: Option<Sender<(u64, Nanos)>>,
    done: Receiver<Handshake>,
    /// Wakes the thread.
    poke: Arc<OwnedFd>,
    /// Wakes the sender.
    woken: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// What came of a connection, by its token.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) token: u64,
    pub(crate) opened: io::Result<Opened>,
}

#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) secured: Box<Secured>,
    /// From the start to the open TCP connection.
    pub(crate) connect: Nanos,
    /// From there to the end of the handshake.
    pub(crate) handshake: Nanos,
}

impl Handshakes {
    /// Starts the thread, on these cores (none: where it is), whose socket events tell `poll`.
    ///
    /// # Errors
    /// When the process is out of descriptors or threads.
    pub(crate) fn start(
        target: SocketAddr,
        tls: &Tls,
        (timeout, stamped): (Nanos, bool),
        cores: &[usize],
        poll: &Poll,
    ) -> io::Result<Self> {
        let event = || eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map(Arc::new);
        let (poke, woken) = (event()?, event()?);
        poll.add(&woken, OPENED, READABLE)?;
        let (asked, questions) = mpsc::channel();
        let (answers, done) = mpsc::channel();
        let own = Poll::new()?;
        own.add(&poke, OPENED, READABLE)?;
        let opener = Opener {
            poll: own,
            poke: poke.clone(),
            woken: woken.clone(),
            questions,
            answers,
            target,
            tls: tls.clone(),
            config: tls.config(),
            stamped,
            timeout,
            under_way: HashMap::new(),
        };
        let mut mask = CpuSet::new();
        cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| mask.set(*core));
        let thread = thread::Builder::new().name("handshakes".into()).spawn(move || {
            if mask.count() > 0 {
                // Where it may not run there, it runs where its sender does.
                let _ = sched_setaffinity(None, &mask);
            }
            opener.run();
        })?;
        Ok(Self { asked: Some(asked), done, poke, woken, thread: Some(thread) })
    }

    pub(crate) fn ask(&self, token: u64, at: Nanos) {
        if let Some(asked) = &self.asked {
            // A thread that is gone shows in a connect that times out.
            let _ = asked.send((token, at));
            ring(&self.poke);
        }
    }

    /// The next that is done, if there is one by now.
    pub(crate) fn next(&self) -> Option<Handshake> {
        self.done.try_recv().ok()
    }

    /// No event until there is more.
    pub(crate) fn quieten(&self) {
        silence(&self.woken);
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        self.asked = None;
        ring(&self.poke);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ring(event: &OwnedFd) {
    // It fails where the event has not been seen for 2^64 times.
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

fn silence(event: &OwnedFd) {
    let _ = rustix::io::read(event, &mut [0_u8; 8][..]);
}

/// The thread.
struct Opener {
    poll: Poll,
    poke: Arc<OwnedFd>,
    woken: Arc<OwnedFd>,
    questions: Receiver<(u64, Nanos)>,
    answers: Sender<Handshake>,
    target: SocketAddr,
    tls: Tls,
    config: Arc<rustls::ClientConfig>,
    stamped: bool,
    timeout: Nanos,
    under_way: HashMap<u64, UnderWay>,
}

struct UnderWay {
    socket: TcpStream,
    session: ClientConnection,
    asked: Nanos,
    /// When TCP was open.
    connected: Option<Nanos>,
}

impl Opener {
    fn run(mut self) {
        let mut events = [MaybeUninit::uninit(); 64];
        loop {
            loop {
                match self.questions.try_recv() {
                    Ok((token, at)) => {
                        if let Err(error) = self.begin(token, at) {
                            self.tell(token, Err(error));
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let patience = if self.under_way.is_empty() { None } else { Some(STEP) };
            let Ok(ready) = self.poll.wait(&mut events, patience) else { return };
            for event in ready {
                match event.data.u64() {
                    OPENED => silence(&self.poke),
                    token => self.progress(token),
                }
            }
            let now = clock::now();
            self.under_way.retain(|_, one| one.asked + self.timeout > now);
        }
    }

    fn begin(&mut self, token: u64, asked: Nanos) -> io::Result<()> {
        let socket = open_tcp(self.target, self.stamped)?;
        self.poll.add(&socket, token, READABLE | WRITABLE)?;
        let session = self.tls.session(&self.config).map_err(io::Error::other)?;
        let one = UnderWay { socket, session, asked, connected: None };
        self.under_way.insert(token, one);
        Ok(())
    }

    fn progress(&mut self, token: u64) {
        let Some(mut one) = self.under_way.remove(&token) else { return };
        let over = match one.step() {
            Ok(false) => {
                let interest = match one.session.wants_write() {
                    true => READABLE | WRITABLE,
                    false => READABLE,
                };
                self.poll.modify(&one.socket, token, interest)
            }
            Ok(true) => {
                let now = clock::now();
                let connected = one.connected.unwrap_or(now);
                let opened = Opened {
                    connect: connected.saturating_sub(one.asked),
                    handshake: now.saturating_sub(connected),
                    secured: Box::new(Secured::new(one.socket, one.session)),
                };
                let removed = self.poll.remove(&opened.secured.socket);
                return self.tell(token, removed.map(|()| opened));
            }
            Err(error) => Err(error),
        };
        match over {
            Ok(()) => _ = self.under_way.insert(token, one),
            Err(error) => self.tell(token, Err(error)),
        }
    }

    fn tell(&self, token: u64, opened: io::Result<Opened>) {
        let _ = self.answers.send(Handshake { token, opened });
        ring(&self.woken);
    }
}

impl UnderWay {
    /// Goes on as far as the socket lets it; whether the handshake is over.
    fn step(&mut self) -> io::Result<bool> {
        if self.connected.is_none() {
            sockopt::socket_error(&self.socket)??;
            refuse_itself(&self.socket)?;
            self.connected = Some(clock::now());
        }
        match self.session.complete_io(&mut self.socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(!self.session.is_handshaking() && !self.session.wants_write())
    }
}
