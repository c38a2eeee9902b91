//! The other side: starts and ends servers on this host and answers for them.
//!
//! One thread reads stdin, and answers what the time is. One starts and ends servers, and it lives as long as they do: a
//! server's death signal follows the thread that started it.

use std::collections::HashMap;
use std::io::{self, Stdout};
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::protocol::{
    self, Ask, CarriedError, Described, Fetched, Frames, FromAgent, RunningServer, Said, Sent,
    Start, ToAgent, Word,
};
use super::sampler::{Sampled, Sampling};
use super::{LEASE, permit_target};
use crate::backend::services::payment;
use crate::error::{Context, Error, Result};
use crate::load::live::Live;
use crate::load::plan::{Address, Peer, Plan};
use crate::load::{self, Begin, Window};
use crate::machine::interference::{self, Interference};
use crate::machine::{self, Cores, proc};
use crate::process::child::Contender;
use crate::process::http;
use crate::process::supervise::StderrTail;
use crate::record::Calibrated;
use crate::units::Nanos;
use crate::{clock, interrupt, random};

/// How soon a signal and the end of the lease are noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What was started ends within this, or this process ends before it: then supervisors and death signals end it.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// How long after the window connections stay open: clocks differ by less, and so does the last sample.
const HELD_OPEN: Nanos = Nanos(100 * Nanos::MILLI.0);

/// Answers until stdin ends, nothing has come for [`LEASE`], or a signal comes; then ends all that it started.
///
/// # Errors
/// When the other side does not speak the protocol.
pub(crate) fn serve() -> Result<u8> {
    interrupt::listen()?;
    let out = Out(Arc::new(Mutex::new(io::stdout())));
    protocol::greet(&mut io::stdout().lock(), random::fresh_seed())
        .context(|| "cannot write to stdout".into())?;
    let (heard, frames) = mpsc::channel();
    let said = out.clone();
    thread::spawn(move || read(&said, &heard));
    let (work, asked) = mpsc::channel();
    let (ending, ended) = mpsc::channel::<()>();
    let told = Told::default();
    let heeding = told.clone();
    thread::spawn(move || {
        Worker { out, told: heeding, servers: HashMap::new(), tails: HashMap::new() }.run(&asked);
        drop(ending);
    });
    let followed = follow(&frames, &work, &told);
    // All that waits for a server waits no longer, and no load goes on.
    interrupt::ask();
    told.stop_all();
    drop(work);
    let _ = ended.recv_timeout(ENDS_WITHIN);
    followed.map(|()| 0)
}

/// Hands on what is asked until there is a reason to end.
fn follow(
    frames: &Receiver<Result<ToAgent, String>>,
    work: &Sender<(u64, Ask)>,
    told: &Told,
) -> Result<()> {
    let mut heard = Instant::now();
    while heard.elapsed() < LEASE && !interrupt::asked() {
        match frames.recv_timeout(LOOK_EVERY) {
            Ok(Ok(frame)) => {
                heard = Instant::now();
                match frame {
                    ToAgent::Beat => {}
                    ToAgent::Ask { id, ask } => {
                        if matches!(*ask, Ask::Load { .. } | Ask::Sample { .. }) {
                            told.listen(id);
                        }
                        let _ = work.send((id, *ask));
                    }
                    ToAgent::Tell { id, word } => told.tell(id, word),
                }
            }
            Ok(Err(why)) => return Err(Error::usage(why).help("`bakeoff run` speaks to an agent")),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// What is said to questions that are being worked on.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<HashMap<u64, Heeded>>>);

/// What one of them hears.
#[derive(Debug)]
struct Heeded {
    stop: Arc<AtomicBool>,
    begin: Sender<Begin>,
    /// Until it is taken.
    begins: Option<Receiver<Begin>>,
}

impl Told {
    /// Before it is worked on, so that nothing is missed.
    fn listen(&self, id: u64) {
        let (begin, begins) = mpsc::channel();
        let heeded = Heeded { stop: Arc::default(), begin, begins: Some(begins) };
        lock(&self.0).insert(id, heeded);
    }

    fn heed(&self, id: u64) -> (Arc<AtomicBool>, Receiver<Begin>) {
        let mut all = lock(&self.0);
        let heeded = all.get_mut(&id).expect("it was listened for when it was asked");
        (Arc::clone(&heeded.stop), heeded.begins.take().expect("it is taken once"))
    }

    fn tell(&self, id: u64, word: Word) {
        // It may be done already.
        if let Some(heeded) = lock(&self.0).get(&id) {
            match word {
                Word::Stop => heeded.stop.store(true, Ordering::Relaxed),
                Word::Begin(begin) => drop(heeded.begin.send(begin)),
            }
        }
    }

    fn stop_all(&self) {
        lock(&self.0).values().for_each(|one| one.stop.store(true, Ordering::Relaxed));
    }

    fn done(&self, id: u64) {
        lock(&self.0).remove(&id);
    }
}

/// Reads frames until there are no more. What has to be quick is answered here.
fn read(out: &Out, heard: &Sender<Result<ToAgent, String>>) {
    let mut frames = Frames::of(io::stdin());
    while let Some(frame) = frames.next().transpose() {
        match &frame {
            Ok(ToAgent::Beat) => out.say(&FromAgent::Beat),
            Ok(ToAgent::Ask { id, ask }) if matches!(**ask, Ask::Clock) => {
                out.say(&FromAgent::Done { id: *id, answer: clock::now().0.into() });
                continue;
            }
            _ => {}
        }
        let over = frame.is_err();
        if heard.send(frame).is_err() || over {
            return;
        }
    }
}

/// This process's stdout, for whole frames.
#[derive(Clone, Debug)]
struct Out(Arc<Mutex<Stdout>>);

impl Out {
    /// Where nobody reads any more, stdin will end too.
    fn say(&self, frame: &FromAgent) {
        let _ = protocol::write(&mut *lock(&self.0), frame);
    }

    fn answer(&self, id: u64, answer: Result<Value>) {
        self.say(&match answer {
            Ok(answer) => FromAgent::Done { id, answer },
            Err(error) => FromAgent::Failed { id, why: CarriedError::from(&error) },
        });
    }
}

/// Has the servers. What lasts as long as a load is done by threads of its own.
struct Worker {
    out: Out,
    told: Told,
    servers: HashMap<u64, Guarded>,
    /// Of those that have been ended, until the first server of the next trial is started.
    tails: HashMap<u64, Option<StderrTail>>,
}

/// A server that is sampled while others are asked about.
type Guarded = Arc<Mutex<Option<Contender>>>;

impl Worker {
    fn run(mut self, asked: &Receiver<(u64, Ask)>) {
        for (id, ask) in asked {
            if let Some(ask) = self.in_a_thread(id, ask) {
                let answer = self.answer(id, ask);
                self.out.answer(id, answer);
            }
        }
    }

    /// Begins what lasts, and gives back the rest.
    fn in_a_thread(&self, id: u64, ask: Ask) -> Option<Ask> {
        let (out, told) = (self.out.clone(), self.told.clone());
        match ask {
            Ask::Load { plan } => {
                thread::spawn(move || {
                    let (stop, begins) = told.heed(id);
                    let sent = load(&out, id, &plan, &stop, &begins).and_then(value);
                    told.done(id);
                    out.answer(id, sent);
                });
            }
            Ask::Sample { server, pooled, cores, window } => {
                let server = self.servers.get(&server).cloned();
                thread::spawn(move || {
                    let (stop, _) = told.heed(id);
                    let server = server.ok_or_else(|| Error::internal("there is no such server"));
                    let sampled = server.and_then(|it| sample(&it, pooled, &cores, window, &stop));
                    told.done(id);
                    out.answer(id, sampled.and_then(value));
                });
            }
            Ask::Fetch { at, method, path, within, when } => {
                thread::spawn(move || {
                    thread::sleep(when.saturating_sub(clock::now()).into());
                    let peer = Peer { at: Address::Tcp(at), tls: None };
                    let fetched = match http::ask(&method, &peer, &path, within.into()) {
                        Ok(body) => Fetched::Body(body),
                        Err(why) => Fetched::Not(why),
                    };
                    out.answer(id, value(fetched));
                });
            }
            other => return Some(other),
        }
        None
    }

    fn answer(&mut self, id: u64, ask: Ask) -> Result<Value> {
        match ask {
            Ask::Clock => value(clock::now()),
            Ask::Describe { address } => value(describe(address)?),
            Ask::Hiccups { time } => {
                value(interference::watch(&machine::allowed_cores()?, time.into())?)
            }
            Ask::Calibrate { cpu } => {
                let found = payment::calibrate(cpu);
                let (rounds, measured_ns) = (found.rounds, found.measured.0);
                value(Calibrated { asked_ns: cpu.0, rounds, measured_ns })
            }
            Ask::Start { name, start, mut env, cores, address } => {
                if self.servers.is_empty() {
                    self.tails.clear();
                }
                env.extend(["BAKEOFF_ADDRESS", "HOST"].map(|it| (it.into(), address.to_string())));
                let server = match start {
                    Start::Own { verb, flags } => {
                        Contender::start(&name, None, &verb, &flags, &env, &cores)?
                    }
                    Start::Command { argv, setup } => {
                        Contender::launch(&name, &argv, &setup, env, &cores, [address; 2])?
                    }
                };
                let (peer, runtime) = (server.peer().clone(), server.runtime().map(str::to_owned));
                self.servers.insert(id, Arc::new(Mutex::new(Some(server))));
                value(RunningServer { server: id, peer, runtime })
            }
            Ask::Stop { server } => {
                let taken = self.servers.remove(&server).and_then(|it| lock(&it).take());
                let gone = || Error::internal(format!("there is no server {server}"));
                let taken = taken.ok_or_else(gone)?;
                self.tails.insert(server, taken.stderr());
                taken.stop().and_then(value)
            }
            Ask::Crashed { server, soon } => value(self.servers.get(&server).and_then(|it| {
                let mut server = lock(it);
                let server = server.as_mut()?;
                if soon { server.crashed_by_now() } else { server.crashed() }
            })),
            Ask::Wrote { server } => {
                let running = self.servers.get(&server);
                let running = running.and_then(|it| lock(it).as_ref().map(Contender::wrote));
                let ended = || self.tails.get(&server)?.as_ref().map(StderrTail::last);
                value(running.or_else(ended).unwrap_or_default())
            }
            Ask::Load { .. } | Ask::Sample { .. } | Ask::Fetch { .. } => {
                Err(Error::internal("it has a thread of its own"))
            }
        }
    }
}

/// Sends a part of a load.
fn load(
    out: &Out,
    id: u64,
    plan: &Plan,
    stop: &AtomicBool,
    begins: &Receiver<Begin>,
) -> Result<Sent> {
    permit_target(plan)?;
    let taken = Interference::now();
    let say = |said: Said| {
        let what = serde_json::to_value(said).unwrap_or_default();
        out.say(&FromAgent::Said { id, what });
    };
    let meet = |slowest| {
        say(Said::Meets(slowest));
        while !stop.load(Ordering::Relaxed) {
            match begins.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                begin => return begin.ok(),
            }
        }
        None
    };
    let (tell, window) = mpsc::sync_channel::<Window>(0);
    let live = Live::new(plan.threads);
    let (outcome, answered) = thread::scope(|scope| {
        let live = &live;
        let watching = scope.spawn(move || {
            let Ok(at) = window.recv() else { return 0 };
            say(Said::Window([at.start, at.middle, at.end]));
            let left = |instant: Nanos| Duration::from(instant.saturating_sub(clock::now()));
            let over = window.recv_timeout(left(at.end)) != Err(RecvTimeoutError::Timeout);
            let answered = live.seen().answered;
            if !over {
                // The contender's last sample is taken with all connections open.
                thread::sleep(left(at.end + HELD_OPEN));
            }
            answered
        });
        let outcome = load::run_together(plan, stop, Some(&tell), live, &meet);
        drop(tell);
        (outcome, watching.join().expect("who watches a load does not panic"))
    });
    let shares = (taken.steal_share(), taken.throttled_share());
    Ok(Sent { outcome: outcome?, answered, shares })
}

/// Samples a server in a window of this host's clock.
fn sample(
    server: &Guarded,
    pooled: bool,
    cores: &Cores,
    [start, middle, end]: [Nanos; 3],
    stop: &AtomicBool,
) -> Result<Sampled> {
    let server = lock(server);
    let contender = server.as_ref().ok_or_else(|| Error::internal("the server has ended"))?;
    let sampling = Sampling { contender, pooled, cores, profiling: None };
    let (tell, window) = mpsc::sync_channel(1);
    let over = &AtomicBool::new(false);
    Ok(thread::scope(|scope| {
        scope.spawn(move || {
            let _ = tell.send(Window { start, middle, end });
            // That it is gone is that the load has ended.
            while !stop.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed) {
                thread::sleep(LOOK_EVERY);
            }
        });
        let sampled = sampling.run(window, || {}, || {}, || {});
        over.store(true, Ordering::Relaxed);
        sampled
    }))
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn value(answer: impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(answer).map_err(|error| Error::internal(error.to_string()))
}

fn describe(address: IpAddr) -> Result<Described> {
    Ok(Described {
        fingerprint: machine::fingerprint(&[]),
        boot_id: proc::boot_id().unwrap_or_default(),
        cores: machine::allowed_cores()?,
        has_address: address.is_loopback() || UdpSocket::bind((address, 0)).is_ok(),
        program: proc::own_program()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Ready, Setup};

    #[test]
    fn what_a_contender_wrote_is_kept_when_the_dependency_beside_it_ends() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let at = Address::Tcp(listener.local_addr().unwrap());
        let setup = Setup::plain(Ready::Tcp, Nanos(10 * Nanos::SECOND.0));
        let dependency = Contender::find("stand-in", &at, &setup, Vec::new()).unwrap();
        let mut worker = Worker {
            out: Out(Arc::new(Mutex::new(io::stdout()))),
            told: Told::default(),
            servers: HashMap::from([(1, Arc::new(Mutex::new(Some(dependency))))]),
            tails: HashMap::from([(2, Some(StderrTail::of(&b"it broke"[..])))]),
        };
        worker.answer(3, Ask::Stop { server: 1 }).unwrap();
        assert_eq!(worker.answer(4, Ask::Wrote { server: 2 }).unwrap(), "it broke");
    }
}
