//! Each route's codes and bodies.

use serde_json::json;

use crate::bodies::{
    Books, Distribution, Payment, account, blocked_user, closed_merchant, data, declined,
    merchants, payers,
};
use crate::client::Client;
use crate::server::{Mount, Server};

pub(crate) fn health_names_the_contender_and_null_does_nothing(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    expect_health(&mut client, mount);
    client.get("/null").expect(200, json!({"ok": true}));
    client.get("/audit").expect(200, Books::default().json());
}

/// It is ready, says its name, and the version of what runs it where that is not bakeoff.
pub(crate) fn expect_health(client: &mut Client, mount: Mount) {
    let answer = client.get("/healthz");
    let mut health = json!({"ready": true, "contender": mount.name()});
    if let Some(runtime) = mount.runtime() {
        let said = answer.json()["runtime"].clone();
        let version = said.as_str().and_then(|said| said.strip_prefix(runtime));
        let is_digit = |c: char| c.is_ascii_digit();
        assert!(version.is_some_and(|v| v.starts_with(is_digit) && v.contains('.')), "{said}");
        health["runtime"] = said;
    }
    answer.expect(200, health);
}

pub(crate) fn a_payment_is_captured_once_and_replayed(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let payment = Payment::new("k-1");
    client.post("/payments", &payment.body()).expect(201, payment.captured());
    for _ in 0..3 {
        client.post("/payments", &payment.body()).expect(200, payment.captured());
    }
    let longest = Payment::new("x".repeat(64));
    client.post("/payments", &longest.body()).expect(201, longest.captured());
    let mut books = Books::default();
    books.captured(&payment);
    books.captured(&longest);
    client.get("/audit").expect(200, books.json());
}

pub(crate) fn a_key_with_another_payment_is_a_conflict(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let first = Payment::new("k-1");
    client.post("/payments", &first.body()).expect(201, first.captured());
    let (user, merchant) = (payers().nth(1).unwrap(), merchants().nth(1).unwrap());
    for other in [
        Payment { amount: first.amount + 1, ..first.clone() },
        Payment { user, ..first.clone() },
        Payment { merchant, ..first.clone() },
    ] {
        client.post("/payments", &other.body()).expect_error(409);
    }
    client.post("/payments", &first.body()).expect(200, first.captured());
    let mut books = Books::default();
    books.captured(&first);
    client.get("/audit").expect(200, books.json());
}

pub(crate) fn a_payment_is_declined_for_each_reason(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let good = Payment::new("k-1");
    let forged = good.body_with("signature", Some("0".repeat(64).into()));
    client.post("/payments", &forged).expect(402, declined("bad_signature"));
    for signature in ["", "0", &"g".repeat(64), &"0".repeat(65)] {
        let body = good.body_with("signature", Some(signature.into()));
        client.post("/payments", &body).expect(402, declined("bad_signature"));
    }
    let (user, merchant) = (blocked_user(), closed_merchant());
    let blocked = Payment { user, ..good.clone() };
    client.post("/payments", &blocked.body()).expect(402, declined("user_blocked"));
    let closed = Payment { merchant, ..good.clone() };
    client.post("/payments", &closed.body()).expect(402, declined("merchant_closed"));
    let both = Payment { user, merchant, ..good.clone() };
    client.post("/payments", &both.body()).expect(402, declined("user_blocked"));
    let limit = data().limits(good.user).unwrap().per_payment_minor;
    let above = Payment { amount: limit + 1, ..good.clone() };
    client.post("/payments", &above.body()).expect(402, declined("limit_exceeded"));
    client.get("/audit").expect(200, Books::default().json());
    // None of them was remembered under the key that all of them carried.
    client.post("/payments", &good.body()).expect(201, good.captured());
}

pub(crate) fn a_balance_is_spent_to_the_last_unit(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let (user, limit) = payers()
        .map(|id| (id, data().limits(id).unwrap().per_payment_minor))
        .find(|&(id, limit)| {
            let left = data().user(id).unwrap().opening_balance_minor % limit;
            limit > 1_000_000 && left > 1 && left < limit
        })
        .unwrap();
    let mut left = data().user(user).unwrap().opening_balance_minor;
    let mut books = Books::default();
    let mut pay = |key: String, amount| {
        let payment = Payment { user, amount, ..Payment::new(key) };
        let answer = client.post("/payments", &payment.body());
        if answer.status == 201 {
            answer.expect(201, payment.captured());
            books.captured(&payment);
        }
        answer
    };
    for turn in 0..left / limit {
        assert_eq!(pay(format!("whole-{turn}"), limit).status, 201);
        left -= limit;
    }
    pay("too-much".into(), left + 1).expect(402, declined("insufficient_funds"));
    assert_eq!(pay("the-rest".into(), left).status, 201);
    pay("nothing-left".into(), 1).expect(402, declined("insufficient_funds"));
    client.get("/audit").expect(200, books.json());
}

pub(crate) fn payments_of_the_unknown_are_not_found(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let good = Payment::new("k-1");
    for user in [0, 1_000_001, u32::MAX] {
        let unknown = Payment { user, ..good.clone() };
        client.post("/payments", &unknown.body()).expect_error(404);
    }
    for merchant in [0, 701] {
        let unknown = Payment { merchant, ..good.clone() };
        client.post("/payments", &unknown.body()).expect_error(404);
    }
    let far = good.body_with("user_id", Some((1_u64 << 53).into()));
    client.post("/payments", &far).expect_error(404);
}

pub(crate) fn a_distribution_credits_each_account_once(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let small = Distribution::new(1);
    let whole = Distribution { business: 13, accounts: 1_428, ..Distribution::new(2) };
    let many = mount.accounts(50_000);
    let large = Distribution { business: 0, accounts: many, ..Distribution::new((1 << 53) - 1) };
    let mut books = Books::default();
    for distribution in [small, whole, large] {
        let (body, answer) = (distribution.body(), distribution.credited());
        client.post("/loyalty/distributions", &body).expect(200, answer.clone());
        client.post("/loyalty/distributions", &body).expect(200, answer);
        books.credited(&distribution);
        client.get("/audit").expect(200, books.json());
    }
}

pub(crate) fn an_account_shows_its_points(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let path = |id: u32| format!("/loyalty/accounts/{id}");
    let (one, two) = (Distribution::new(1), Distribution { spend: 77_700, ..Distribution::new(2) });
    for id in [1, 7, 1_000_000] {
        client.get(&path(id)).expect(200, account(id, 0));
    }
    for distribution in [one, two, one] {
        client.post("/loyalty/distributions", &distribution.body());
    }
    for ((id, first), (_, second)) in one.credits().into_iter().zip(two.credits()) {
        client.get(&path(id)).expect(200, account(id, first + second));
    }
    client.get(&path(8)).expect(200, account(8, 0));
    for unknown in ["0", "1000001", "4294967297", "18446744073709551617"] {
        client.get(&format!("/loyalty/accounts/{unknown}")).expect_error(404);
    }
    // A digit that is percent-encoded may be one.
    let encoded = client.get("/loyalty/accounts/%31");
    match encoded.status {
        200 => encoded.expect(200, account(1, 0)),
        status => encoded.expect_error(status),
    }
    for odd in ["", "x", "-1", "+1", "1.0", "1/2"] {
        let answer = client.get(&format!("/loyalty/accounts/{odd}"));
        assert!(matches!(answer.status, 400 | 404), "{odd:?}: {}", answer.status);
        answer.expect_error(answer.status);
    }
}

pub(crate) fn a_distribution_id_with_other_fields_is_a_conflict(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    let first = Distribution::new(5);
    client.post("/loyalty/distributions", &first.body()).expect(200, first.credited());
    for other in [
        Distribution { business: 8, ..first },
        Distribution { first: 8, ..first },
        Distribution { accounts: 4, ..first },
        Distribution { spend: 10_001, ..first },
    ] {
        client.post("/loyalty/distributions", &other.body()).expect_error(409);
    }
    let mut books = Books::default();
    books.credited(&first);
    client.get("/audit").expect(200, books.json());
}

pub(crate) fn unknown_routes_and_wrong_methods_are_told_apart(mount: Mount) {
    let server = Server::start(mount);
    let mut client = Client::to(&server);
    for path in ["/", "/nothing", "/payments/", "/payments/1", "/loyalty", "/null/", "/NULL", "//"]
    {
        client.get(path).expect_error(404);
    }
    let wrong = [
        ("GET", "/payments", "POST"),
        ("PUT", "/payments", "POST"),
        ("GET", "/loyalty/distributions", "POST"),
        ("POST", "/loyalty/accounts/1", "GET"),
        ("POST", "/null", "GET"),
        ("DELETE", "/healthz", "GET"),
        ("POST", "/audit", "GET"),
    ];
    for (method, path, allowed) in wrong {
        let answer = client.ask(method, path, "");
        answer.expect_error(405);
        let allow = answer.header("allow").unwrap_or_default();
        let names = allow.split(',').map(str::trim).collect::<Vec<_>>();
        assert!(names.contains(&allowed), "{method} {path}: allow {allow:?}");
        assert!(!names.contains(&method), "{method} {path}: allow {allow:?}");
    }
    // A query is no part of the path.
    client.get("/null?x=1").expect(200, json!({"ok": true}));
}

pub(crate) fn a_workload_mounts_its_own_routes_alone(mount: Mount) {
    let payment = Payment::new("k-1").body();
    let distribution = Distribution::new(1);
    for (workload, payments, loyalty) in [("payment", 201, 404), ("loyalty", 404, 200)] {
        let server = Server::with(mount, &["--workload", workload]);
        let mut client = Client::to(&server);
        assert_eq!(client.post("/payments", &payment).status, payments, "{workload}");
        let answer = client.post("/loyalty/distributions", &distribution.body());
        assert_eq!(answer.status, loyalty, "{workload}");
        assert_eq!(client.get("/loyalty/accounts/1").status, loyalty, "{workload}");
        for path in ["/healthz", "/null", "/audit"] {
            assert_eq!(client.get(path).status, 200, "{workload} {path}");
        }
    }
}
