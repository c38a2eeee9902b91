//! Many connections: idle ones, half-sent ones, slow ones, dead ones. None may hold what another needs.

use std::time::Duration;

use serde_json::json;

use super::Subject;
use super::bodies::PaymentBody;
use super::client::{RawClient, request};
use super::server::{Held, TestedServer};

pub(super) fn half_sent_requests_hold_nobody_up(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let payment = |i: usize| PaymentBody::new(format!("half-{i:02}"));
    // Ten times as many as there are workers, cut inside the request line, the headers and the body.
    let mut halves = Vec::new();
    for i in 0..40 {
        let bytes = request("POST", "/payments", &payment(i).body());
        let (cut, mut client) = (1 + i * (bytes.len() - 2) / 39, RawClient::to(&server));
        client.send(&bytes[..cut]);
        halves.push((client, bytes[cut..].to_vec()));
    }
    let mut other = RawClient::to(&server);
    for i in 100..150 {
        other.post("/payments", &payment(i).body()).expect(201, payment(i).captured());
    }
    for (i, (client, rest)) in halves.iter_mut().enumerate() {
        client.send(rest);
        client.receive().expect(201, payment(i).captured());
    }
}

pub(super) fn many_connections_stay_open_side_by_side(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut clients = (0..256).map(|_| RawClient::to(&server)).collect::<Vec<_>>();
    let payment = |round, i| PaymentBody::new(format!("{round}-{i}"));
    for round in 0..4 {
        for (i, client) in clients.iter_mut().enumerate() {
            client.send(&request("POST", "/payments", &payment(round, i).body()));
        }
        // The last to ask is the first to be listened to: an answer must not wait for another to be read.
        for (i, client) in clients.iter_mut().enumerate().rev() {
            client.receive().expect(201, payment(round, i).captured());
        }
    }
    let mut last = RawClient::to(&server);
    let audit = last.get("/audit").json();
    assert_eq!(audit["applied"]["payments"], json!(4 * 256));
}

pub(super) fn clients_that_vanish_take_nothing_with_them(subject: &dyn Subject) {
    let rounds = subject.rounds(20_000);
    let server = TestedServer::with(subject, &[("BAKEOFF_SIGNATURE_ROUNDS", &rounds.to_string())]);
    let payment = |key: String| PaymentBody { rounds, ..PaymentBody::new(key) };
    for i in 0..40 {
        let bytes = request("POST", "/payments", &payment(format!("gone-{i}")).body());
        let mut client = RawClient::to(&server);
        // Inside the head, inside the body, and while the answer is being made.
        client.send(&bytes[..[10, bytes.len() - 5, bytes.len()][i % 3]]);
        if i % 2 == 0 { client.reset() } else { drop(client) }
    }
    let mut other = RawClient::to(&server);
    for i in 0..8 {
        let payment = payment(format!("here-{i}"));
        other.post("/payments", &payment.body()).expect(201, payment.captured());
    }
}

pub(super) fn a_thousand_connections_leave_nothing_behind(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let visit = |count: usize| {
        let mut clients = (0..count).map(|_| RawClient::to(&server)).collect::<Vec<_>>();
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
