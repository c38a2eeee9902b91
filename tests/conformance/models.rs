//! What only the models are asked: their flags, their timeouts, and refusals that a reset must not destroy.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bakeoff::conform::Subject as _;
use bakeoff::conform::bodies::{Books, DistributionBody, PaymentBody};
use bakeoff::conform::client::{RawClient, request};
use bakeoff::conform::malformed::{BODY_BYTES_MAX, chunked};
use bakeoff::conform::server::{PATIENCE, TestedServer};
use serde_json::json;

use crate::server::{Mount, with};

pub(crate) fn a_workload_mounts_its_own_routes_alone(mount: Mount) {
    let payment = PaymentBody::new("k-1").body();
    let distribution = DistributionBody::new(1);
    for (workload, payments, loyalty) in [("payment", 201, 404), ("loyalty", 404, 200)] {
        let server = with(mount, &["--workload", workload]);
        let mut client = RawClient::to(&server);
        assert_eq!(client.post("/payments", &payment).status, payments, "{workload}");
        let answer = client.post("/loyalty/distributions", &distribution.body());
        assert_eq!(answer.status, loyalty, "{workload}");
        assert_eq!(client.get("/loyalty/accounts/1").status, loyalty, "{workload}");
        for path in ["/healthz", "/null", "/audit"] {
            assert_eq!(client.get(path).status, 200, "{workload} {path}");
        }
    }
}

/// Closing on bytes that nobody has read is a reset, which may overtake the answer.
pub(crate) fn a_refusal_is_not_lost_to_a_reset(mount: Mount) {
    let server = TestedServer::start(&mount);
    let too_large = request("POST", "/payments", &" ".repeat(512 * 1024));
    let no_length = chunked(&[&[b' '; BODY_BYTES_MAX], &[b' '; BODY_BYTES_MAX]], true);
    let no_host = b"POST /payments HTTP/1.1\r\nContent-Length: 400000\r\n\r\n";
    let no_host = [&no_host[..], &[b' '; 400_000]].concat();
    let head = format!("GET /null HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(400_000));
    for (bytes, status) in [
        (&too_large, 413),
        (&no_length, 413),
        (&no_host, 400),
        (&head.into_bytes(), 431),
        (&[b"GARBAGE\r\n\r\n", &[b'x'; 200_000][..]].concat(), 400),
    ] {
        for _ in 0..8 {
            let mut client = RawClient::to(&server);
            client.send(bytes);
            // By now the server has answered, and would have closed.
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(client.receive().status, status);
            client.expect_closed();
        }
    }
    // What never ends is listened to for a while only.
    let mut client = RawClient::to(&server);
    client.send(b"POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    let start = Instant::now();
    while client.try_send(&[b' '; BODY_BYTES_MAX]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it is read without end");
    }
}

pub(crate) fn a_request_names_its_host_once(mount: Mount) {
    let server = TestedServer::start(&mount);
    for (hosts, version, status) in [
        ("", "1.1", 400),
        ("Host: a\r\nHost: b\r\n", "1.1", 400),
        ("Host: a\r\nhost: a\r\n", "1.1", 400),
        ("Host: a\r\nHost: b\r\n", "1.0", 400),
        ("", "1.0", 200),
        ("Host:\r\n", "1.1", 200),
    ] {
        let mut client = RawClient::to(&server);
        client.send(format!("GET /null HTTP/{version}\r\n{hosts}\r\n").as_bytes());
        let answer = client.receive();
        assert_eq!(answer.status, status, "HTTP/{version} {hosts:?}");
        if status == 400 {
            answer.expect_error(400);
            client.expect_closed();
        }
    }
}

pub(crate) fn the_preface_of_http_2_is_answered(mount: Mount) {
    let server = TestedServer::start(&mount);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for cut in [preface.len(), 1, 17, 20, 24] {
        let mut client = RawClient::to(&server);
        client.send(&preface[..cut]);
        std::thread::sleep(Duration::from_millis(5));
        // It may have been refused and closed before the rest is sent.
        let _ = client.try_send(&preface[cut..]);
        assert!(matches!(client.receive().status, 400 | 505), "cut at {cut}");
        client.expect_closed();
    }
    let mut client = RawClient::to(&server);
    client.send(&[&request("GET", "/null", ""), &preface[..]].concat());
    client.receive().expect(200, json!({"ok": true}));
    assert!(matches!(client.receive().status, 400 | 505), "after another request");
    client.expect_closed();
}

pub(crate) fn a_reader_that_does_not_read_holds_nobody_up(mount: Mount) {
    let server = with(mount, &["--write-timeout", "10m"]);
    // More than there are workers.
    let deaf = (0..6).map(|_| deaf_client(&server).0).collect::<Vec<_>>();
    let mut other = RawClient::to(&server);
    for _ in 0..20 {
        other.get("/null").expect(200, json!({"ok": true}));
    }
    drop(deaf);
}

/// A client that asks until neither side's buffers take any more, and reads nothing; and since when that is.
fn deaf_client(server: &TestedServer) -> (RawClient, Instant) {
    let mut client = RawClient::to(server);
    client.go_deaf(Duration::from_millis(200));
    let batch = request("GET", "/nothing", "").repeat(2_000);
    let start = Instant::now();
    let mut full = start;
    while client.try_send(&batch).is_ok() {
        full = Instant::now();
        assert!(start.elapsed() < PATIENCE, "the server reads on without being read");
    }
    (client, full)
}

/// How long a client was waited for that reads nothing. It reads nothing to find out either: closing on what the server has
/// not read is a reset, which fails the next byte that is sent.
fn deaf_for(server: &TestedServer) -> Duration {
    let (mut client, full) = deaf_client(server);
    loop {
        match client.try_send(b"x") {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return full.elapsed(),
            _ => assert!(full.elapsed() < PATIENCE, "it is waited for without end"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn a_reader_that_does_not_read_is_cut_off(mount: Mount) {
    let server = with(mount, &["--write-timeout", "1s"]);
    // The kernel shifts bytes between its buffers for a while after the last was read, and a busy machine is late. A server
    // that starts its wait again after each write of a part needs three seconds, every time.
    let mut waits: Vec<Duration> = Vec::new();
    while waits.iter().all(|wait| *wait > Duration::from_secs(2)) {
        assert!(waits.len() < 3, "it is waited for twice as long and longer: {waits:?}");
        waits.push(deaf_for(&server));
    }
    // One that is only slow is served to the end.
    let mut slow = RawClient::to(&server);
    slow.send(&request("GET", "/nothing", "").repeat(20_000));
    for at in 0..20_000 {
        if at % 5_000 == 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        slow.receive().expect_error(404);
    }
}

/// What a connection has is there from its start, so that memory under idle connections compares like with like.
pub(crate) fn a_silent_connection_has_what_one_that_spoke_has(mount: Mount) {
    const COUNT: usize = 1_000;
    let server = TestedServer::start(&mount);
    RawClient::to(&server).get("/null").expect(200, json!({"ok": true}));
    let before = server.resident_kib();
    let mut clients = (0..COUNT).map(|_| RawClient::to(&server)).collect::<Vec<_>>();
    // The last of them has been accepted when one more is answered.
    RawClient::to(&server).get("/null").expect(200, json!({"ok": true}));
    let silent = server.resident_kib() - before;
    for client in &mut clients {
        client.get("/null").expect(200, json!({"ok": true}));
    }
    let spoken = server.resident_kib() - before;
    assert!(
        silent * 2 > spoken,
        "{silent} KiB for {COUNT} silent ones, {spoken} KiB once each spoke"
    );
}

pub(crate) fn idle_connections_are_closed(mount: Mount) {
    let server = with(mount, &["--idle-timeout", "1s"]);
    let mut silent = RawClient::to(&server);
    let mut served = RawClient::to(&server);
    served.get("/null").expect(200, json!({"ok": true}));
    silent.expect_closed();
    served.expect_closed();
}

pub(crate) fn busy_connections_are_not_idle(mount: Mount) {
    let server = with(mount, &["--idle-timeout", "1500ms"]);
    let mut client = RawClient::to(&server);
    for _ in 0..9 {
        client.get("/null").expect(200, json!({"ok": true}));
        std::thread::sleep(Duration::from_millis(250));
    }
}

pub(crate) fn headers_that_never_end_are_cut_off(mount: Mount) {
    let server = with(mount, &["--header-timeout", "1s"]);
    let bytes = request("POST", "/payments", &PaymentBody::new("k-1").body());
    let mut stuck = RawClient::to(&server);
    stuck.send(&bytes[..20]);
    let mut later = RawClient::to(&server);
    later.get("/null").expect(200, json!({"ok": true}));
    later.send(&bytes[..20]);
    assert!(stuck.is_closed_within(PATIENCE), "half a head");
    assert!(later.is_closed_within(PATIENCE), "half a second head");
    // One byte now and then is no progress: the bound is on the whole.
    assert!(trickle(&server, b"GET /null HTTP/1.1\r\nX-Slow: "), "a trickled head");
}

pub(crate) fn bodies_that_never_end_are_cut_off(mount: Mount) {
    let server = with(mount, &["--body-timeout", "1s"]);
    let bytes = request("POST", "/payments", &PaymentBody::new("k-1").body());
    let mut stuck = RawClient::to(&server);
    stuck.send(&bytes[..bytes.len() - 1]);
    assert!(stuck.is_closed_within(PATIENCE), "half a body");
    let head = b"POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    assert!(trickle(&server, head), "a trickled body");
    RawClient::to(&server).get("/audit").expect(200, Books::default().json());
}

/// Sends `head` and then a byte at a time; whether the server puts an end to it.
fn trickle(server: &TestedServer, head: &[u8]) -> bool {
    let mut client = RawClient::to(server);
    client.send(head);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if client.try_send(b"x").is_err() || client.is_closed_within(Duration::from_millis(50)) {
            return true;
        }
    }
    false
}

/// Threads are the one thing that a thread per connection can run out of.
pub(crate) fn connections_beyond_the_threads_are_refused_until_one_is_free() {
    let mount = Mount { threads: Some(8), ..Mount::THREAD_PER_CONNECTION };
    let server = TestedServer::start(&mount);
    let mut held = (0..8).map(|_| RawClient::to(&server)).collect::<Vec<_>>();
    for client in &mut held {
        client.get("/null").expect(200, json!({"ok": true}));
    }
    for _ in 0..3 {
        let mut refused = RawClient::to(&server);
        refused.receive().expect_error(503);
        refused.expect_closed();
    }
    held.pop();
    let start = Instant::now();
    let served = loop {
        // Refused at first: the freed thread is free once the server has seen the other end close.
        let mut next = RawClient::to(&server);
        let _ = next.try_send(&request("GET", "/null", ""));
        match next.try_receive().expect("an exact answer or none") {
            Some(answer) if answer.status == 200 => break true,
            _ if start.elapsed() > PATIENCE => break false,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(served, "a thread that was given back is not used again");
    for client in &mut held {
        client.get("/null").expect(200, json!({"ok": true}));
    }
}

pub(crate) fn settings_that_cannot_be_are_usage_errors() {
    for (mount, flags) in [
        (Mount::EVENT_LOOP, &["--threads", "4"][..]),
        (Mount { threads: None, ..Mount::THREAD_POOL }, &["--threads", "0"]),
        (Mount { threads: None, ..Mount::WORK_STEALING }, &["--threads", "1000000"]),
        (Mount { model: "thread-pol", ..Mount::EVENT_LOOP }, &[]),
        (Mount::EVENT_LOOP, &["--workload", "cash"]),
        (Mount::EVENT_LOOP, &["--port", "65536"]),
        (Mount::EVENT_LOOP, &["--idle-timeout", "5"]),
        (Mount::EVENT_LOOP, &["--no-such-flag"]),
    ] {
        let output = mount.command().args(flags).output().expect("bakeoff runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{mount:?} {flags:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && output.stdout.is_empty(), "{flags:?}: {stderr}");
    }
}
