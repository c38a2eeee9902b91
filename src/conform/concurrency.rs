//! The same thing asked for many times at once happens once.

use std::panic::resume_unwind;
use std::sync::Barrier;

use serde_json::{Value, json};

use super::Subject;
use super::bodies::{Books, DistributionBody, PaymentBody, data, payers};
use super::client::{RawAnswer, RawClient};
use super::server::TestedServer;

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
