//! The statements of `src/sql.rs` on the real server do what CONTRACT.md says.

use std::fmt::Display;

use bakeoff::domain::dataset::{Dataset, POPULATION};
use bakeoff::postgres::{Connection, Server};
use bakeoff::sql::Statement;

use super::{client, fresh, row, shared, with};

/// What `capture` gives for a payment of user 17 to merchant 33.
fn capture(client: &mut Connection, key: &str, amount_minor: i64, fee_minor: i64) -> (String, i64) {
    let key = format!("'{key}'");
    let payment = with(Statement::Capture, &[&key, &17, &33, &amount_minor, &"'EUR'", &fee_minor]);
    let row = row(client, &payment);
    (row[0].clone(), row[1].parse().unwrap())
}

/// The nine figures of the books.
fn audit(client: &mut Connection) -> [i64; 9] {
    let row = row(client, Statement::Audit.text());
    std::array::from_fn(|column| row[column].parse().unwrap())
}

/// A fresh trial's books.
const NOTHING: [i64; 9] = [0; 9];

#[test]
fn every_statement_has_the_types_that_it_lists() {
    let Some(database) = shared("statements") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    for statement in Statement::ALL {
        let prepared = client.prepare(statement.name(), statement.text()).unwrap();
        assert_eq!(prepared.parameters, statement.parameters(), "{}", statement.name());
        let columns = prepared.columns.iter().map(|(name, kind)| (name.as_str(), *kind));
        assert_eq!(columns.collect::<Vec<_>>(), statement.columns(), "{}", statement.name());
    }
}

#[test]
fn the_rows_are_those_of_the_dataset() {
    let Some(database) = shared("rows") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    let data = Dataset::new(42);
    let mut told = |statement, id: u32| row(&mut client, &with(statement, &[&id]));
    let bool = |yes: bool| if yes { "t" } else { "f" };
    for id in [1, 2, 17, 700, 999_999, POPULATION] {
        let expected = data.user(id).unwrap();
        let balance = expected.opening_balance_minor.to_string();
        assert_eq!(told(Statement::User, id), [bool(expected.blocked), &balance]);
        let limit = data.limits(id).unwrap().per_payment_minor.to_string();
        assert_eq!(told(Statement::Limits, id), [limit]);
        let expected = data.account(id).unwrap();
        let (tier, cap) = ((expected.tier as i16).to_string(), expected.cap_points.to_string());
        assert_eq!(told(Statement::Account, id), [tier.as_str(), &cap, "0"]);
    }
    for id in 1..=700 {
        let expected = data.merchant(id).unwrap();
        let fee = expected.fee_bps.to_string();
        assert_eq!(told(Statement::Merchant, id), [bool(expected.closed), &fee]);
    }
    for (statement, id) in [
        (Statement::User, i64::from(POPULATION) + 1),
        (Statement::Limits, 0),
        (Statement::Merchant, 701),
        (Statement::Account, -1),
    ] {
        assert!(client.query(&with(statement, &[&id])).unwrap().is_empty(), "{statement:?}");
    }
    let counted = "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM user_rows";
    let all = POPULATION.to_string();
    assert_eq!(row(&mut client, counted), [all.as_str(), &all, "1", &all]);
}

#[test]
fn a_key_is_captured_once() {
    let Some(database) = shared("capture") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    assert_eq!(capture(&mut client, "a", 1_250, 9), ("captured".into(), 9));
    assert_eq!(capture(&mut client, "a", 1_250, 7), ("replayed".into(), 9), "the first fee");
    assert_eq!(capture(&mut client, "a", 1_251, 9).0, "conflict");
    for other in ["user_id = 18", "merchant_id = 34", "currency = 'USD'"] {
        client.query(&format!("BEGIN; UPDATE payments SET {other}")).unwrap();
        assert_eq!(capture(&mut client, "a", 1_250, 9).0, "conflict", "{other}");
        client.query("ROLLBACK").unwrap();
    }
    assert_eq!(audit(&mut client), [1_250, 1_241, 9, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn no_more_is_spent_than_there_is() {
    let Some(database) = shared("insufficient funds") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    let balance = Dataset::new(42).user(17).unwrap().opening_balance_minor as i64;
    assert_eq!(capture(&mut client, "all but one", balance - 1, 1).0, "captured");
    assert_eq!(capture(&mut client, "two more", 2, 1).0, "insufficient_funds");
    assert_eq!(capture(&mut client, "two more", 2, 1).0, "insufficient_funds", "not remembered");
    assert_eq!(capture(&mut client, "two more", 1, 1).0, "captured", "exactly all of it");
    assert_eq!(
        capture(&mut client, "two more", 1, 1).0,
        "replayed",
        "before the funds are looked at"
    );
    assert_eq!(audit(&mut client)[..3], [balance, balance - 2, 2]);
}

/// What `work` gives on 8 connections that start at once.
fn at_once<T: Send>(url: &str, work: impl Fn(&mut Connection) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let one = || {
            let mut client = client(url);
            barrier.wait();
            work(&mut client)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn rivals_with_one_key_capture_it_once() {
    let Some(database) = shared("rivals") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    for round in 0..20 {
        let outcomes = at_once(url, |client| capture(client, &format!("key {round}"), 100, 3));
        let captured = outcomes.iter().filter(|(outcome, _)| outcome == "captured").count();
        let replayed = outcomes.iter().filter(|(outcome, _)| outcome == "replayed").count();
        assert_eq!((captured, replayed), (1, 7), "{outcomes:?}");
    }
    let mut client = client(url);
    assert_eq!(audit(&mut client), [2_000, 1_940, 60, 0, 0, 20, 0, 0, 0]);
    let spent = row(&mut client, "SELECT spent_minor FROM users WHERE id = 17");
    assert_eq!(spent, ["2000"], "debited once for each key");
}

#[test]
fn rivals_cannot_spend_the_same_money() {
    let Some(database) = shared("rivals for money") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    let balance = Dataset::new(42).user(17).unwrap().opening_balance_minor as i64;
    let next = std::sync::atomic::AtomicU32::new(0);
    let outcomes = at_once(url, |client| {
        let key = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        capture(client, &key.to_string(), balance / 3, 1).0
    });
    let captured = outcomes.iter().filter(|outcome| *outcome == "captured").count();
    assert_eq!(captured, 3, "{outcomes:?}");
    assert_eq!(audit(&mut client(url))[0], balance / 3 * 3);
}

#[test]
fn a_distribution_credits_each_account_once() {
    let Some(database) = shared("distribution") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    let mut client = client(url);
    let mut begin = |fields: [i64; 5]| {
        let fields = fields.each_ref().map(|field| field as &dyn Display);
        row(&mut client, &with(Statement::Begin, &fields)) == ["t"]
    };
    assert!(begin([1, 7, 1, 2, 100]) && begin([1, 7, 1, 2, 100]), "a replay is the same");
    for other in [[1, 8, 1, 2, 100], [1, 7, 2, 2, 100], [1, 7, 1, 3, 100], [1, 7, 1, 2, 101]] {
        assert!(!begin(other), "{other:?}");
    }
    let credit = |client: &mut Connection, distribution: i64, account: i32| {
        row(client, &with(Statement::Credit, &[&distribution, &account, &150])) == ["t"]
    };
    assert!(credit(&mut client, 1, 7) && !credit(&mut client, 1, 7));
    assert!(credit(&mut client, 2, 7), "another distribution");
    let fresh = at_once(url, |client| credit(client, 1, 707));
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1, "{fresh:?}");
    assert_eq!(row(&mut client, &with(Statement::Account, &[&7]))[2], "300");
    assert_eq!(audit(&mut client), [0, 0, 0, 450, 450, 0, 1, 3, 0]);
}

#[test]
fn a_webhook_is_kept_once() {
    let Some(database) = shared("webhook") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    let mut receive = |id: &str| {
        row(&mut client, &with(Statement::Webhook, &[&format!("'{id}'"), &"'{}'"])) == ["t"]
    };
    assert!(receive("e1") && !receive("e1") && receive("e2"));
    assert_eq!(audit(&mut client), [0, 0, 0, 0, 0, 0, 0, 0, 2]);
}

#[test]
fn every_trial_starts_from_nothing() {
    let Some(database) = shared("fresh") else { return };
    let (first, second) = (fresh(&database), fresh(&database));
    let gone = first.url().reveal().to_owned();
    let mut writer = client(&gone);
    capture(&mut writer, "a", 100, 1);
    assert_eq!(audit(&mut client(second.url().reveal())), NOTHING, "two at once share nothing");
    drop(first);
    assert!(writer.query("SELECT 1").is_err(), "whoever is still connected is cut off");
    assert!(Connection::open(&Server::read(&gone).unwrap()).is_err());
    let third = fresh(&database);
    assert_eq!(audit(&mut client(third.url().reveal())), NOTHING);
}
