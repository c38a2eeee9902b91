//! Where each connection stands: what its deadline hangs on, and what the end of a server waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;
use std::time::{Duration, Instant};

use super::socket::{DRAIN_MAX, Limits, STOP_MAX};

/// What a connection is waiting for, or doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Phase {
    /// For the first byte of a request.
    Idle = 0,
    /// For the rest of its head.
    Head = 1,
    /// For the rest of its body.
    Body = 2,
    /// It is being answered.
    Busy = 3,
    /// For the end of what the peer sends after its last answer.
    Drain = 4,
}

const PHASE_BITS: u32 = 3;

/// A stay in a phase: the same phase entered again is another stay, with a deadline of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay(u32);

/// What a peer is waited for: the deadline of a read is that of the stay, a write has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Read(Stay),
    Write,
}

impl Wait {
    pub(crate) fn limit(self, limits: &Limits) -> Duration {
        match self {
            Self::Read(stay) => stay.limit(limits),
            Self::Write => limits.write,
        }
    }
}

/// One connection, as the socket, the service and the stopping server see it.
///
/// One thread at a time drives a connection, so nothing here orders anything: the relaxed atomics let the stopping
/// server look on.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The phase in the low bits, the number of phases entered above them.
    stay: AtomicU32,
    /// The driver was asked to poll again at once. Threads only.
    woken: AtomicBool,
    /// The socket wants to read and has been told to wait. Threads only.
    wants_read: AtomicBool,
    /// The socket may read now. Threads only.
    may_read: AtomicBool,
    /// The peer has no room for what is to be written. Pool only: other threads block in the write.
    wants_write: AtomicBool,
    /// An answer was given before its request had come whole.
    refused: AtomicBool,
    /// The peer has taken too long. Threads only: tokio's sockets have timers of their own.
    late: AtomicBool,
    id: u64,
    connections: Arc<Connections>,
}

impl Watch {
    pub(crate) fn enter(&self, phase: Phase) {
        let count = (self.stay.load(Relaxed) >> PHASE_BITS).wrapping_add(1);
        self.stay.store(count << PHASE_BITS | phase as u32, Relaxed);
    }

    /// Bytes have come. The first ones after an answer begin a request, even if the server did not wait for them: a client may be
    /// quicker than the server is to look. While a request is answered hyper reads nothing, because a peer may half close.
    pub(crate) fn received(&self) {
        if matches!(self.stay().phase(), Phase::Idle | Phase::Busy) {
            self.enter(Phase::Head);
        }
    }

    /// The socket is about to wait for bytes: an answer that was being given has been given.
    ///
    /// The start of a request that came together with the one before it counts as idle until its next byte.
    pub(crate) fn waits(&self) -> Stay {
        if self.stay().phase() == Phase::Busy {
            self.enter(Phase::Idle);
        }
        self.stay()
    }

    pub(crate) fn stay(&self) -> Stay {
        Stay(self.stay.load(Relaxed))
    }

    /// Whether the server is being stopped, so that this answer should be the connection's last.
    pub(crate) fn stopping(&self) -> bool {
        self.connections.stopping()
    }

    /// The answer is the connection's last, and the peer may still be sending what it is an answer to.
    pub(crate) fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    /// Whether [`Self::refuse`] was said.
    pub(crate) fn refused(&self) -> bool {
        self.refused.load(Relaxed)
    }

    /// Tells connections apart; from 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

/// What a threaded driver and its socket tell each other.
impl Watch {
    /// The socket asks to read. `true` once after [`Self::let_read`], else it has to wait for that.
    pub(crate) fn ask_to_read(&self) -> bool {
        let granted = self.may_read.swap(false, Relaxed);
        self.wants_read.store(!granted, Relaxed);
        granted
    }

    /// The socket may read now.
    pub(crate) fn let_read(&self) {
        self.may_read.store(true, Relaxed);
        self.wants_read.store(false, Relaxed);
    }

    /// The next read or write that would have to wait fails: the wait for it was too long.
    pub(crate) fn fail(&self) {
        self.late.store(true, Relaxed);
        self.let_read();
    }

    /// Whether the peer has taken too long.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Relaxed)
    }

    /// Whether the socket has asked to read and not been let.
    pub(crate) fn wants_read(&self) -> bool {
        self.wants_read.load(Relaxed)
    }

    /// The socket has written, or could not.
    pub(crate) fn wrote(&self, blocked: bool) {
        self.wants_write.store(blocked, Relaxed);
    }

    /// Whether the last write could not be done.
    pub(crate) fn wants_write(&self) -> bool {
        self.wants_write.load(Relaxed)
    }

    /// Whether the connection asked to be polled again since this was last called.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Relaxed)
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.connections.live().by_id.remove(&self.id);
    }
}

impl Stay {
    pub(crate) fn phase(self) -> Phase {
        match self.0 & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Body,
            3 => Phase::Busy,
            _ => Phase::Drain,
        }
    }

    pub(crate) fn limit(self, limits: &Limits) -> Duration {
        match self.phase() {
            Phase::Idle => limits.idle,
            Phase::Head => limits.head,
            Phase::Body | Phase::Busy => limits.body,
            Phase::Drain => DRAIN_MAX,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    live: Mutex<Live>,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Live {
    next_id: u64,
    by_id: HashMap<u64, Weak<Watch>>,
}

impl Connections {
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Watch> {
        let mut live = self.live();
        live.next_id += 1;
        let watch = Arc::new(Watch {
            stay: AtomicU32::new(Phase::Idle as u32),
            woken: AtomicBool::new(false),
            wants_read: AtomicBool::new(false),
            may_read: AtomicBool::new(false),
            wants_write: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            late: AtomicBool::new(false),
            id: live.next_id,
            connections: Arc::clone(self),
        });
        live.by_id.insert(watch.id, Arc::downgrade(&watch));
        watch
    }

    pub(crate) fn count(&self) -> usize {
        self.live().by_id.len()
    }

    /// From now on each answer is its connection's last.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// Whether any connection has a request in progress.
    fn any_in_hand(&self) -> bool {
        // A watch that is kept alive here may be dropped here too, which takes the lock: collect first.
        let watches: Vec<_> = self.live().by_id.values().filter_map(Weak::upgrade).collect();
        watches.iter().any(|watch| !matches!(watch.stay().phase(), Phase::Idle | Phase::Drain))
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the requests in progress: checks every [`Settling::STEP`] until [`Settling::over`].
#[derive(Debug)]
pub(crate) struct Settling {
    give_up: Instant,
    quiet: u32,
}

impl Settling {
    pub(crate) const STEP: Duration = Duration::from_millis(5);
    /// A request may have arrived and not been read yet, so one idle check is not enough.
    const QUIET: u32 = 3;

    /// The wait begins, and ends after [`STOP_MAX`] in any case.
    pub(crate) fn begin() -> Self {
        Self { give_up: Instant::now() + STOP_MAX, quiet: 0 }
    }

    /// Whether nothing has been in hand for a while, or too much time has passed.
    pub(crate) fn over(&mut self, connections: &Connections) -> bool {
        self.quiet = if connections.any_in_hand() { 0 } else { self.quiet + 1 };
        self.quiet >= Self::QUIET || Instant::now() >= self.give_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_entered_again_is_another_stay() {
        let connections = Arc::new(Connections::default());
        let watch = connections.open();
        let idle = watch.waits();
        assert_eq!(idle, watch.waits(), "nothing has happened");
        watch.received();
        assert_eq!(watch.stay().phase(), Phase::Head);
        watch.enter(Phase::Busy);
        let idle_again = watch.waits();
        assert_eq!((idle.phase(), idle_again.phase()), (Phase::Idle, Phase::Idle));
        assert_ne!(idle, idle_again);
    }

    #[test]
    fn bytes_that_come_before_anyone_waits_for_them_begin_a_request() {
        let connections = Arc::new(Connections::default());
        let watch = connections.open();
        watch.received();
        watch.enter(Phase::Busy);
        watch.received();
        assert_eq!(watch.waits().phase(), Phase::Head);
    }

    #[test]
    fn connections_are_counted_until_they_are_dropped() {
        let connections = Arc::new(Connections::default());
        let first = connections.open();
        let second = connections.open();
        assert_eq!(connections.count(), 2);
        first.received();
        assert!(connections.any_in_hand());
        drop(first);
        assert!(!connections.any_in_hand());
        assert_eq!(connections.count(), 1);
        connections.stop();
        assert!(second.stopping());
    }

    #[test]
    fn settling_wants_several_quiet_looks_in_a_row() {
        let connections = Arc::new(Connections::default());
        let watch = connections.open();
        let mut settling = Settling::begin();
        assert!(!settling.over(&connections) && !settling.over(&connections));
        watch.received();
        assert!(!settling.over(&connections));
        drop(watch);
        assert!(!settling.over(&connections) && !settling.over(&connections));
        assert!(settling.over(&connections));
    }
}
