//! Many connections at once: what is asked for many times happens once, and none of them delays the others.

use super::Subject;
use super::bodies::{Books, DistributionBody, PaymentBody, data, payers};
use super::client::{RawAnswer, RawClient};
use super::server::TestedServer;
use crate::conform::client::request;
use crate::conform::server::Held;
use serde_json::{Value, json};
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::time::Duration;

pub(super) fn one_key_from_sixteen_connections_is_captured_once(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut books = Books::default();
    let payments = (0..25).map(|i| PaymentBody::new(format!("shared-{i}"))).collect::<Vec<_>>();
    let bodies = payments.iter().map(PaymentBody::body).collect::<Vec<_>>();
    let answers = at_once(&server, 16, |_, client| {
        bodies.iter().map(|body| client.post("/payments", body)).collect()
    });
    for (i, payment) in payments.iter().enumerate() {
        let mut statuses = answers.iter().map(|of_one| of_one[i].status).collect::<Vec<_>>();
        statuses.sort_unstable();
        assert_eq!(statuses, [[200; 15].as_slice(), &[201]].concat(), "key {i}");
        assert!(answers.iter().all(|of_one| of_one[i].json() == payment.captured()), "key {i}");
        books.captured(payment);
    }
    RawClient::to(&server).get("/audit").expect(200, books.json());
}

pub(super) fn one_balance_is_not_spent_twice(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let limit = |id| data().limits(id).unwrap().per_payment_minor;
    let user = payers().find(|&id| limit(id) > 1_000_000).unwrap();
    let balance = data().user(user).unwrap().opening_balance_minor;
    // Sixteen connections try to take a fourth of it eight times each: four of them all may have it.
    let amount = (balance / 4).min(limit(user));
    let payment = |who: usize, i: usize| PaymentBody {
        user,
        amount,
        ..PaymentBody::new(format!("{who}-{i}"))
    };
    let answers = at_once(&server, 16, |who, client| {
        (0..8).map(|i| client.post("/payments", &payment(who, i).body())).collect()
    });
    let mut books = Books::default();
    for answer in answers.iter().flatten() {
        match answer.status {
            201 => books.captured(&payment(0, 0)),
            _ => answer.expect(402, json!({"status": "declined", "reason": "insufficient_funds"})),
        }
    }
    assert_eq!(books.payments, balance / amount);
    RawClient::to(&server).get("/audit").expect(200, books.json());
}

pub(super) fn one_distribution_from_eight_connections_is_credited_once(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut books = Books::default();
    let distributions =
        [3, 1_000, 100_000, 999, 40_000].into_iter().zip(1..).map(|(accounts, id)| {
            let accounts = subject.accounts(accounts);
            let business = if accounts > 1_000 { 0 } else { 7 };
            DistributionBody { business, accounts, ..DistributionBody::new(id) }
        });
    let distributions = distributions.collect::<Vec<_>>();
    let answers = at_once(&server, 8, |_, client| {
        distributions.iter().map(|d| client.post("/loyalty/distributions", &d.body())).collect()
    });
    for (i, distribution) in distributions.iter().enumerate() {
        for of_one in &answers {
            of_one[i].expect(200, distribution.credited());
        }
        books.credited(distribution);
    }
    RawClient::to(&server).get("/audit").expect(200, books.json());
}

pub(super) fn rivals_for_one_key_or_id_have_one_winner(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    let mut books = Books::default();
    let payment = |who: usize, turn| PaymentBody {
        amount: 100 + who as u64,
        ..PaymentBody::new(format!("rival-{turn}"))
    };
    let distribution = |who: usize, turn: u64| DistributionBody {
        spend: 10_000 + 100 * who as u64,
        ..DistributionBody::new(turn)
    };
    let answers = at_once(&server, 8, |who, client| {
        let turns = 0..20;
        let both = turns.flat_map(|turn| {
            let paid = client.post("/payments", &payment(who, turn).body());
            let body = distribution(who, turn).body();
            [paid, client.post("/loyalty/distributions", &body)]
        });
        both.collect()
    });
    for turn in 0..20 {
        let at = 2 * turn as usize;
        let paid = (0..8).filter(|&who| answers[who][at].status == 201).collect::<Vec<_>>();
        let [winner] = paid[..] else { panic!("turn {turn}: {paid:?} were all captured") };
        books.captured(&payment(winner, turn));
        let credited = (0..8).filter(|&who| answers[who][at + 1].status == 200).collect::<Vec<_>>();
        let [winner] = credited[..] else { panic!("turn {turn}: {credited:?} were all credited") };
        books.credited(&distribution(winner, turn));
        for of_one in &answers {
            assert!(matches!(of_one[at].status, 201 | 409), "turn {turn}");
            assert!(matches!(of_one[at + 1].status, 200 | 409), "turn {turn}");
        }
    }
    RawClient::to(&server).get("/audit").expect(200, books.json());
}

/// What `ask` gets on each of `count` connections that start together.
fn at_once(
    server: &TestedServer,
    count: usize,
    ask: impl Fn(usize, &mut RawClient) -> Vec<RawAnswer> + Sync,
) -> Vec<Vec<RawAnswer>> {
    let start = Barrier::new(count);
    let (start, ask) = (&start, &ask);
    std::thread::scope(|scope| {
        let threads = (0..count).map(|who| {
            scope.spawn(move || {
                let mut client = RawClient::to(server);
                assert_eq!(client.get("/null").json(), Value::from_iter([("ok", true)]));
                start.wait();
                ask(who, &mut client)
            })
        });
        let threads = threads.collect::<Vec<_>>();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|e| resume_unwind(e)))
            .collect()
    })
}

// Many connections: idle ones, half-sent ones, slow ones, dead ones. None may hold what another needs.

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
