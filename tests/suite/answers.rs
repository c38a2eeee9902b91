//! Servers that answer badly, over real sockets: every request ends, within its timeout, and is counted under one name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use bakeoff::load;
use bakeoff::load::plan::{Arrivals, Fixed, Operation, Plan, Shape};
use bakeoff::record::outcome::Kind;
use bakeoff::units::{Nanos, Rate};
use rustix::net::sockopt::set_socket_linger;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Of what is waited for in vain.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Of what comes in the end, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a server does with the socket when a request has come, whatever it said. Whether the socket goes on.
type Act = dyn Fn(&mut TcpStream) -> bool + Send + Sync;

/// A server on a free port, a thread for each connection; each ends when the client closes.
fn server(act: impl Fn(&mut TcpStream) -> bool + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let act: Arc<Act> = Arc::new(act);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (act, mut stream) = (Arc::clone(&act), stream.unwrap());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) && act(&mut stream) {}
            });
        }
    });
    port
}

/// 40 requests in 200 ms, and what became of them.
fn outcome(port: u16, method: &str, expect_status: u16, timeout: Duration) -> Kind {
    let request = Fixed {
        name: "x".into(),
        method: method.into(),
        path: "/".into(),
        host: "localhost".into(),
        headers: Vec::new(),
        body: Vec::new(),
        expect_status: expect_status.to_string().parse().expect("it is a status"),
        expect_body: None,
    };
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    let shape = Shape::Open { rate: Rate(200.0), arrivals: Arrivals::Constant };
    let plan = Plan {
        duration: Nanos(200_000_000),
        connections: 40,
        timeout: timeout.into(),
        ..Plan::new(target, shape, vec![(Operation::Fixed(request), 1)])
    };
    let began = Instant::now();
    let outcome = load::run(&plan, &AtomicBool::new(false), None).unwrap();
    // Far beyond the window and a timeout.
    assert!(began.elapsed() < Duration::from_secs(30), "it ends");
    assert_eq!(outcome.unfinished, 0);
    let [kind] = &outcome.kinds[..] else { panic!("one kind was asked for") };
    assert_eq!(kind.requests, 40, "each request is there once");
    kind.clone()
}

/// All 40 failed under `name`.
fn all_fail(what: &str, name: &str, kind: &Kind) {
    let errors: Vec<(&str, u64)> = kind.errors.iter().map(|(name, n)| (*name, *n)).collect();
    assert_eq!(errors, [(name, 40)], "{what}");
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

/// Writes `bytes` again and again until the other side has had enough.
fn for_ever(stream: &mut TcpStream, head: &str, bytes: &[u8]) -> bool {
    let mut alive = write(stream, head.as_bytes());
    while alive {
        alive = write(stream, bytes);
    }
    false
}

#[test]
fn a_reset_in_the_middle_of_a_body_is_a_reset() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nhalf",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ] {
        let port = server(move |stream| {
            write(stream, head.as_bytes());
            thread::sleep(Duration::from_millis(2));
            set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
            false
        });
        all_fail(head, "reset", &outcome(port, "GET", 200, PATIENCE));
    }
}

#[test]
fn an_end_in_the_middle_is_closed_and_the_end_of_an_unbounded_body_is_an_answer() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ncontent-",
    ] {
        let port = server(move |stream| {
            write(stream, head.as_bytes());
            false
        });
        all_fail(head, "closed", &outcome(port, "GET", 200, PATIENCE));
    }
    let port = server(|stream| {
        write(stream, b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
        false
    });
    assert!(outcome(port, "GET", 200, PATIENCE).errors.is_empty());
}

#[test]
fn garbage_and_what_goes_on_without_end_is_malformed() {
    for (what, head, more) in [
        ("an endless head", "HTTP/1.1 200 OK\r\nx: ", "a".repeat(4_096)),
        ("endless fields", "HTTP/1.1 200 OK\r\n", "x: y\r\n".repeat(500)),
        (
            "an endless size line",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
            "x".repeat(4_096),
        ),
        (
            "endless trailers",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: ",
            "v".repeat(4_096),
        ),
        ("no HTTP", "", "\u{1}\u{2} I am not HTTP \r\n".repeat(50)),
        ("a second answer", "", OK.repeat(2)),
        (
            "a protocol that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "x".into(),
        ),
        (
            "interim answers without end",
            "",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 999 X\r\n\r\n".into(),
        ),
    ] {
        let more = more.into_bytes();
        let port = server(move |stream| for_ever(stream, head, &more));
        all_fail(what, "malformed", &outcome(port, "GET", 200, PATIENCE));
    }
}

#[test]
fn what_never_ends_is_a_timeout_however_much_of_it_comes() {
    for (what, head, more) in [
        ("nothing at all", "", ""),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-", ""),
        ("half a body", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", ""),
        ("a body that drips", "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", "."),
        ("chunks that drip", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\n.\r\n"),
        ("a body without an end that drips", "HTTP/1.1 200 OK\r\n\r\n", "."),
        ("interim answers that drip", "", "HTTP/1.1 102 Processing\r\n\r\n"),
    ] {
        let port = server(move |stream| {
            let mut alive = write(stream, head.as_bytes());
            while alive {
                thread::sleep(Duration::from_millis(10));
                // Nothing to drip: it waits for the other side to go.
                alive = if more.is_empty() {
                    stream.read(&mut [0; 64]).is_ok_and(|count| count > 0)
                } else {
                    write(stream, more.as_bytes())
                };
            }
            false
        });
        let kind = outcome(port, "GET", 200, TIMEOUT);
        all_fail(what, "timeout", &kind);
        let bound = 40 * TIMEOUT.as_nanos() as u64;
        assert!(kind.failed_for.0 >= bound, "{what}: not given up early");
        assert_eq!(kind.response.len(), 0, "{what}: timeouts are no response times");
    }
}

#[test]
fn answers_without_a_body_are_whole_at_once() {
    let bodiless = |answer: &'static str| server(move |stream| write(stream, answer.as_bytes()));
    let head = bodiless("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    let no_content = bodiless("HTTP/1.1 204 No Content\r\n\r\n");
    let not_modified = bodiless("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n");
    for (port, method, status) in
        [(head, "HEAD", 200), (no_content, "GET", 204), (not_modified, "GET", 304)]
    {
        let kind = outcome(port, method, status, PATIENCE);
        assert!(kind.errors.is_empty(), "{method} {status}: {:?}", kind.errors);
        assert_eq!(kind.response.len(), 40);
    }
}

#[test]
fn a_large_answer_is_read_to_its_end() {
    const BODY: usize = 1 << 20;
    let sized = server(|stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n");
        write(stream, head.as_bytes()) && write(stream, &vec![b'x'; BODY])
    });
    let chunked = server(|stream| {
        let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = chunk.repeat(BODY / 0x8000) + "0\r\n\r\n";
        write(stream, head.as_bytes()) && write(stream, body.as_bytes())
    });
    for port in [sized, chunked] {
        let kind = outcome(port, "GET", 200, PATIENCE);
        assert!(kind.errors.is_empty(), "{:?}", kind.errors);
    }
}

#[test]
fn a_connection_that_closes_after_each_answer_is_opened_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        let port = server(move |stream| {
            write(stream, answer.as_bytes());
            false
        });
        let kind = outcome(port, "GET", 200, PATIENCE);
        assert!(kind.errors.is_empty(), "{answer}: {:?}", kind.errors);
    }
}
