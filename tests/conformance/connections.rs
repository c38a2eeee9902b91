//! Many connections: idle ones, half-sent ones, slow ones, dead ones. None may hold what another needs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bodies::{Books, Payment};
use crate::client::{Client, request};
use crate::server::{Held, Mount, PATIENCE, Server};

pub(crate) fn half_sent_requests_hold_nobody_up(mount: Mount) {
    let server = Server::start(mount);
    let payment = |i: usize| Payment::new(format!("half-{i:02}"));
    // Ten times as many as there are workers, cut inside the request line, the headers and the body.
    let mut halves = Vec::new();
    for i in 0..40 {
        let bytes = request("POST", "/payments", &payment(i).body());
        let (cut, mut client) = (1 + i * (bytes.len() - 2) / 39, Client::to(&server));
        client.send(&bytes[..cut]);
        halves.push((client, bytes[cut..].to_vec()));
    }
    let mut other = Client::to(&server);
    for i in 100..150 {
        other.post("/payments", &payment(i).body()).expect(201, payment(i).captured());
    }
    for (i, (client, rest)) in halves.iter_mut().enumerate() {
        client.send(rest);
        client.receive().expect(201, payment(i).captured());
    }
}

pub(crate) fn many_connections_stay_open_side_by_side(mount: Mount) {
    let server = Server::start(mount);
    let mut clients = (0..256).map(|_| Client::to(&server)).collect::<Vec<_>>();
    let payment = |round, i| Payment::new(format!("{round}-{i}"));
    for round in 0..4 {
        for (i, client) in clients.iter_mut().enumerate() {
            client.send(&request("POST", "/payments", &payment(round, i).body()));
        }
        // The last to ask is the first to be listened to: an answer must not wait for another to be read.
        for (i, client) in clients.iter_mut().enumerate().rev() {
            client.receive().expect(201, payment(round, i).captured());
        }
    }
    let mut last = Client::to(&server);
    let audit = last.get("/audit").json();
    assert_eq!(audit["applied"]["payments"], json!(4 * 256));
}

pub(crate) fn a_reader_that_does_not_read_holds_nobody_up(mount: Mount) {
    let server = Server::with(mount, &["--write-timeout", "10m"]);
    // More than there are workers.
    let deaf = (0..6).map(|_| deaf_client(&server)).collect::<Vec<_>>();
    let mut other = Client::to(&server);
    for _ in 0..20 {
        other.get("/null").expect(200, json!({"ok": true}));
    }
    drop(deaf);
}

/// A client that asks until neither side's buffers take any more, and reads nothing.
fn deaf_client(server: &Server) -> Client {
    let mut client = Client::to(server);
    client.go_deaf(Duration::from_millis(200));
    let batch = request("GET", "/nothing", "").repeat(2_000);
    let start = Instant::now();
    while client.try_send(&batch).is_ok() {
        assert!(start.elapsed() < PATIENCE, "the server reads on without being read");
    }
    client
}

pub(crate) fn a_reader_that_does_not_read_is_cut_off(mount: Mount) {
    let server = Server::with(mount, &["--write-timeout", "500ms"]);
    let mut deaf = deaf_client(&server);
    std::thread::sleep(Duration::from_secs(2));
    // Were it not cut off, it would now be answered to the last request and stay connected.
    assert!(deaf.is_closed_within(Duration::from_secs(5)), "it is waited for without end");
    // One that is only slow is served to the end.
    let mut slow = Client::to(&server);
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
    let server = Server::start(mount);
    Client::to(&server).get("/null").expect(200, json!({"ok": true}));
    let before = server.resident_kib();
    let mut clients = (0..COUNT).map(|_| Client::to(&server)).collect::<Vec<_>>();
    // The last of them has been accepted when one more is answered.
    Client::to(&server).get("/null").expect(200, json!({"ok": true}));
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
    let server = Server::with(mount, &["--idle-timeout", "1s"]);
    let mut silent = Client::to(&server);
    let mut served = Client::to(&server);
    served.get("/null").expect(200, json!({"ok": true}));
    silent.expect_closed();
    served.expect_closed();
}

pub(crate) fn busy_connections_are_not_idle(mount: Mount) {
    let server = Server::with(mount, &["--idle-timeout", "1500ms"]);
    let mut client = Client::to(&server);
    for _ in 0..9 {
        client.get("/null").expect(200, json!({"ok": true}));
        std::thread::sleep(Duration::from_millis(250));
    }
}

pub(crate) fn headers_that_never_end_are_cut_off(mount: Mount) {
    let server = Server::with(mount, &["--header-timeout", "1s"]);
    let bytes = request("POST", "/payments", &Payment::new("k-1").body());
    let mut stuck = Client::to(&server);
    stuck.send(&bytes[..20]);
    let mut later = Client::to(&server);
    later.get("/null").expect(200, json!({"ok": true}));
    later.send(&bytes[..20]);
    assert!(stuck.is_closed_within(PATIENCE), "half a head");
    assert!(later.is_closed_within(PATIENCE), "half a second head");
    // One byte now and then is no progress: the bound is on the whole.
    assert!(trickle(&server, b"GET /null HTTP/1.1\r\nX-Slow: "), "a trickled head");
}

pub(crate) fn bodies_that_never_end_are_cut_off(mount: Mount) {
    let server = Server::with(mount, &["--body-timeout", "1s"]);
    let bytes = request("POST", "/payments", &Payment::new("k-1").body());
    let mut stuck = Client::to(&server);
    stuck.send(&bytes[..bytes.len() - 1]);
    assert!(stuck.is_closed_within(PATIENCE), "half a body");
    let head = b"POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    assert!(trickle(&server, head), "a trickled body");
    Client::to(&server).get("/audit").expect(200, Books::default().json());
}

/// Sends `head` and then a byte at a time; whether the server puts an end to it.
fn trickle(server: &Server, head: &[u8]) -> bool {
    let mut client = Client::to(server);
    client.send(head);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if client.try_send(b"x").is_err() || client.is_closed_within(Duration::from_millis(50)) {
            return true;
        }
    }
    false
}

pub(crate) fn clients_that_vanish_take_nothing_with_them(mount: Mount) {
    let rounds = mount.rounds(20_000);
    let server = Server::with(mount, &["--signature-rounds", &rounds.to_string()]);
    let payment = |key: String| Payment { rounds, ..Payment::new(key) };
    for i in 0..40 {
        let bytes = request("POST", "/payments", &payment(format!("gone-{i}")).body());
        let mut client = Client::to(&server);
        // Inside the head, inside the body, and while the answer is being made.
        client.send(&bytes[..[10, bytes.len() - 5, bytes.len()][i % 3]]);
        if i % 2 == 0 { client.reset() } else { drop(client) }
    }
    let mut other = Client::to(&server);
    for i in 0..8 {
        let payment = payment(format!("here-{i}"));
        other.post("/payments", &payment.body()).expect(201, payment.captured());
    }
}

pub(crate) fn a_thousand_connections_leave_nothing_behind(mount: Mount) {
    let server = Server::start(mount);
    let visit = |count: usize| {
        let mut clients = (0..count).map(|_| Client::to(&server)).collect::<Vec<_>>();
        for (i, mut client) in clients.drain(..).enumerate() {
            match i % 4 {
                0 => assert_eq!(client.get("/null").status, 200),
                1 => client.send(b"GET /null HTT"),
                2 => client.send(&request("GET", "/null", "")),
                _ => {}
            }
            if i % 3 == 0 {
                client.reset();
            }
        }
    };
    visit(20);
    // A server at rest: what the first visitors started for good has started, and they are gone.
    std::thread::sleep(Duration::from_millis(300));
    let mut rest = server.held();
    // Go's runtime starts a thread when all of its own happen to be in system calls, and keeps it: that is no visitor's,
    // and the next thousand leave nothing. What each of them leaves behind is there every time.
    for _ in 0..3 {
        (0..10).for_each(|_| visit(100));
        server.wait_for_at_most(Held { threads: usize::MAX, ..rest });
        std::thread::sleep(Duration::from_millis(300));
        let held = server.held();
        if held.threads <= rest.threads {
            return;
        }
        rest = held;
    }
    (0..10).for_each(|_| visit(100));
    server.wait_for_at_most(rest);
}

/// Threads are the one thing that a thread per connection can run out of.
pub(crate) fn connections_beyond_the_threads_are_refused_until_one_is_free() {
    let mount = Mount { threads: Some(8), ..Mount::THREAD_PER_CONNECTION };
    let server = Server::start(mount);
    let mut held = (0..8).map(|_| Client::to(&server)).collect::<Vec<_>>();
    for client in &mut held {
        client.get("/null").expect(200, json!({"ok": true}));
    }
    for _ in 0..3 {
        let mut refused = Client::to(&server);
        refused.receive().expect_error(503);
        refused.expect_closed();
    }
    held.pop();
    let start = Instant::now();
    let served = loop {
        // Refused at first: the freed thread is free once the server has seen the other end close.
        let mut next = Client::to(&server);
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
