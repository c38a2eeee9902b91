//! One small question at a time: readiness, the audit, what a server says of itself.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::interrupt;
use crate::load::answer::Reader;
use crate::load::peer::Peer;
use crate::load::tls;
use crate::units::Nanos;

/// No body read here is longer.
const BODY_BYTES_MAX: usize = 1 << 20;
/// A read that waits looks so often whether the user has interrupted.
const STEP: Duration = Duration::from_millis(200);
/// A connect that waits is tried again: a full backlog on this machine answers at once when it has room.
const CONNECTS_WITHIN: Duration = Duration::from_secs(1);
/// Between two tries.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// The body of a 2xx answer. Tries again until `within` is over, for a server that is about to listen.
pub(crate) fn get(peer: &Peer, path: &str, within: Duration) -> Result<Vec<u8>, String> {
    ask("GET", peer, path, within)
}

/// The same with another method and no body.
pub(crate) fn ask(
    method: &str,
    peer: &Peer,
    path: &str,
    within: Duration,
) -> Result<Vec<u8>, String> {
    tried(within, |left| once(method, peer, path, left))
}

/// What `once` gives, which may take so long each time; tries again until `within` is over.
pub(crate) fn tried<T>(
    within: Duration,
    once: impl Fn(Duration) -> Result<T, Failed>,
) -> Result<T, String> {
    let deadline = Instant::now() + within;
    let mut earlier = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
        let failed = match once(left) {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed.after(earlier.take()),
        };
        if Instant::now() >= deadline || interrupt::asked() {
            return Err(failed.why());
        }
        earlier = Some(failed);
        std::thread::sleep(PAUSE);
    }
}

/// Why there was no 2xx answer.
#[derive(Debug)]
pub(crate) enum Failed {
    Late(String),
    /// No process accepts connections.
    Unreachable(String),
    /// It was closed, malformed or another status.
    Told(String),
}

impl Failed {
    /// The one to be told of this try and those before it. The last one is often too short for an answer: what an earlier
    /// one was told says more, or that it waited longer. That nobody listened is over once somebody does.
    pub(crate) fn after(self, earlier: Option<Self>) -> Self {
        match (self, earlier) {
            (Self::Late(_), Some(earlier @ (Self::Late(_) | Self::Told(_)))) => earlier,
            (failed, _) => failed,
        }
    }

    pub(crate) fn why(self) -> String {
        match self {
            Self::Late(why) | Self::Unreachable(why) | Self::Told(why) => why,
        }
    }
}

/// The same, asked once: of a server that is there, and may not know `path`. `within` bounds the whole answer, which ends
/// as its framing says, whatever becomes of the connection.
pub(crate) fn once(
    method: &str,
    peer: &Peer,
    path: &str,
    within: Duration,
) -> Result<Vec<u8>, Failed> {
    let deadline = Instant::now() + within;
    let shown = Nanos::from(within);
    let told = |what: String| Failed::Told(what);
    let connected = peer.connect(within.min(CONNECTS_WITHIN));
    let mut stream = connected.map_err(|error| {
        let why = format!("cannot connect to {}: {error}", peer.at);
        match error.kind() {
            ErrorKind::TimedOut => Failed::Late(why),
            _ => Failed::Unreachable(why),
        }
    })?;
    // With TLS the handshake, which reads too, is part of the first write.
    let set = stream.set_write_timeout(within).and_then(|()| stream.set_read_timeout(within));
    set.map_err(|error| told(error.to_string()))?;
    // A length, for a method that usually has a body.
    let length = if method == "GET" { "" } else { "content-length: 0\r\n" };
    let host = peer.at.host();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{length}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| {
        match (is_early(error.kind()), &peer.tls) {
            (true, _) => Failed::Late(format!("{path} took no request within {shown}")),
            (false, Some(_)) => told(tls::told(&error).0),
            (false, None) => told(error.to_string()),
        }
    })?;
    let mut reader = Reader::of_one(BODY_BYTES_MAX);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let late = || Failed::Late(format!("{path} gave no whole answer within {shown}"));
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || interrupt::asked() {
            return Err(late());
        }
        stream.set_read_timeout(left.min(STEP)).map_err(|error| told(error.to_string()))?;
        let malformed = |_| told(format!("{path} does not answer with HTTP"));
        let answer = match stream.read(&mut buffer) {
            Ok(0) => match reader.end() {
                Ok(answer) => Some(answer),
                Err(_) => {
                    return Err(told(format!("{path} was closed before its answer was whole")));
                }
            },
            Ok(count) => reader.push(&buffer[..count], false).map_err(malformed)?,
            Err(error) if is_early(error.kind()) => None,
            Err(error) => return Err(told(format!("{path}: {error}"))),
        };
        match answer {
            Some(answer) if (200..300).contains(&answer.status) => return Ok(answer.body.to_vec()),
            Some(answer) => return Err(told(format!("{path} answers {}", answer.status))),
            None => {}
        }
    }
}

/// The step is over, and perhaps not the time.
fn is_early(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that writes `pieces` with `pause` before each and keeps its connection open.
    fn server(pieces: &'static [&'static str], pause: Duration) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap().into();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                for piece in pieces {
                    thread::sleep(pause);
                    let _ = stream.write_all(piece.as_bytes());
                }
                thread::sleep(Duration::from_secs(5));
            }
        });
        peer
    }

    #[test]
    fn an_answer_is_whole_as_its_framing_says_and_any_2xx_is_one() {
        let open =
            server(&["HTTP/1.1 204 None\r\n\r\n", "HTTP/1.1 500 Late\r\n\r\n"], Duration::ZERO);
        let began = Instant::now();
        assert_eq!(get(&open, "/", Duration::from_secs(4)).unwrap(), b"");
        assert!(began.elapsed() < Duration::from_secs(3), "it does not wait for the close");
        let chunked = server(
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n", "0\r\n\r\n"],
            Duration::from_millis(5),
        );
        assert_eq!(get(&chunked, "/", Duration::from_secs(4)).unwrap(), b"he");
    }

    #[test]
    fn a_trickle_ends_with_the_time_and_the_best_reason_is_told() {
        const TRICKLE: [&str; 40] = {
            let mut pieces = ["x: y\r\n"; 40];
            pieces[0] = "HTTP/1.1 200 OK\r\n";
            pieces
        };
        let trickle = server(&TRICKLE, Duration::from_millis(20));
        let began = Instant::now();
        let told = get(&trickle, "/ready", Duration::from_millis(300)).unwrap_err();
        assert!(told.contains("/ready gave no whole answer within"), "{told}");
        assert!(began.elapsed() < Duration::from_secs(2));
        let unready = server(&["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"], Duration::ZERO);
        let told = get(&unready, "/ready", Duration::from_millis(300)).unwrap_err();
        assert_eq!(told, "/ready answers 503");
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let told = get(&unused.into(), "/", Duration::from_millis(20)).unwrap_err();
        assert!(told.contains("cannot connect to 127.0.0.1:"), "{told}");
    }

    #[test]
    fn that_nobody_listened_at_first_is_not_the_reason() {
        let refused = || Failed::Unreachable("refused".into());
        let (late, told) = (|| Failed::Late("late".into()), || Failed::Told("503".into()));
        let reason = |tries: Vec<Failed>| {
            let last = tries.into_iter().fold(None, |earlier, one| Some(one.after(earlier)));
            last.map(Failed::why)
        };
        for (tries, wanted) in [
            (vec![refused(), late()], "late"),
            (vec![refused(), late(), refused()], "refused"),
            (vec![refused(), told(), late()], "503"),
            (vec![told(), refused(), late()], "late"),
            (vec![late(), Failed::Late("shorter".into())], "late"),
        ] {
            assert_eq!(reason(tries).as_deref(), Some(wanted));
        }
        // A server that listens only later, and stays silent.
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listens = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            TcpListener::bind(at).unwrap()
        });
        let told = get(&at.into(), "/ready", Duration::from_millis(600)).unwrap_err();
        assert!(told.contains("/ready gave no whole answer within"), "{told}");
        drop(listens.join().unwrap());
    }
}
