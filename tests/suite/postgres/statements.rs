//! The statements of `src/sql.rs` on the real server do what CONTRACT.md says.

use bakeoff::domain::dataset::{Dataset, POPULATION};
use bakeoff::sql::Statement;
use postgres::Client;

use super::{client, fresh, shared};

/// What `capture` gives for a payment of user 17 to merchant 33.
fn capture(client: &mut Client, key: &str, amount_minor: i64, fee_minor: i64) -> (String, i64) {
    let payment: [&(dyn postgres::types::ToSql + Sync); 6] =
        [&key, &17, &33, &amount_minor, &"EUR", &fee_minor];
    let row = client.query_one(Statement::Capture.text(), &payment).unwrap();
    (row.get(0), row.get(1))
}

/// The nine figures of the books.
fn audit(client: &mut Client) -> [i64; 9] {
    let row = client.query_one(Statement::Audit.text(), &[]).unwrap();
    std::array::from_fn(|column| row.get(column))
}

/// A fresh trial's books.
const NOTHING: [i64; 9] = [0; 9];

#[test]
fn every_statement_has_the_types_that_it_lists() {
    let Some(database) = shared("statements") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    for statement in Statement::ALL {
        let prepared = client.prepare(statement.text()).unwrap();
        let parameters: Vec<u32> = prepared.params().iter().map(|it| it.oid()).collect();
        assert_eq!(parameters, statement.parameters(), "{}", statement.name());
        let columns = prepared.columns().iter().map(|it| (it.name(), it.type_().oid()));
        assert_eq!(columns.collect::<Vec<_>>(), statement.columns(), "{}", statement.name());
    }
}

#[test]
fn the_rows_are_those_of_the_dataset() {
    let Some(database) = shared("rows") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    let data = Dataset::new(42);
    for id in [1_u32, 2, 17, 700, 999_999, POPULATION] {
        let key = id as i32;
        let user = client.query_one(Statement::User.text(), &[&key]).unwrap();
        let expected = data.user(id).unwrap();
        assert_eq!(user.get::<_, bool>(0), expected.blocked);
        assert_eq!(user.get::<_, i64>(1) as u64, expected.opening_balance_minor);
        let limits = client.query_one(Statement::Limits.text(), &[&key]).unwrap();
        assert_eq!(limits.get::<_, i64>(0) as u64, data.limits(id).unwrap().per_payment_minor);
        let account = client.query_one(Statement::Account.text(), &[&key]).unwrap();
        let expected = data.account(id).unwrap();
        assert_eq!(account.get::<_, i16>(0), expected.tier as i16);
        assert_eq!(account.get::<_, i64>(1) as u64, expected.cap_points);
        assert_eq!(account.get::<_, i64>(2), 0);
    }
    for id in 1..=700_i32 {
        let merchant = client.query_one(Statement::Merchant.text(), &[&id]).unwrap();
        let expected = data.merchant(id as u32).unwrap();
        assert_eq!(merchant.get::<_, bool>(0), expected.closed);
        assert_eq!(merchant.get::<_, i32>(1) as u64, expected.fee_bps);
    }
    for (statement, id) in [
        (Statement::User, POPULATION as i32 + 1),
        (Statement::Limits, 0),
        (Statement::Merchant, 701),
        (Statement::Account, -1),
    ] {
        assert!(client.query(statement.text(), &[&id]).unwrap().is_empty(), "{statement:?}");
    }
    let counted = "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM user_rows";
    let row = client.query_one(counted, &[]).unwrap();
    let all = i64::from(POPULATION);
    assert_eq!((row.get(0), row.get(1)), (all, all));
    assert_eq!((row.get(2), row.get(3)), (1_i32, POPULATION as i32));
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
        client.batch_execute(&format!("BEGIN; UPDATE payments SET {other}")).unwrap();
        assert_eq!(capture(&mut client, "a", 1_250, 9).0, "conflict", "{other}");
        client.batch_execute("ROLLBACK").unwrap();
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
fn at_once<T: Send>(url: &str, work: impl Fn(&mut Client) -> T + Sync) -> Vec<T> {
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
    let spent = client.query_one("SELECT spent_minor FROM users WHERE id = 17", &[]).unwrap();
    assert_eq!(spent.get::<_, i64>(0), 2_000, "debited once for each key");
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
        let [id, business, first, accounts, spend] = fields;
        let row = client
            .query_one(Statement::Begin.text(), &[&id, &business, &first, &accounts, &spend])
            .unwrap();
        row.get::<_, bool>(0)
    };
    assert!(begin([1, 7, 1, 2, 100]) && begin([1, 7, 1, 2, 100]), "a replay is the same");
    for other in [[1, 8, 1, 2, 100], [1, 7, 2, 2, 100], [1, 7, 1, 3, 100], [1, 7, 1, 2, 101]] {
        assert!(!begin(other), "{other:?}");
    }
    let credit = |client: &mut Client, distribution: i64, account: i32| {
        let row = client.query_one(Statement::Credit.text(), &[&distribution, &account, &150_i64]);
        row.unwrap().get::<_, bool>(0)
    };
    assert!(credit(&mut client, 1, 7) && !credit(&mut client, 1, 7));
    assert!(credit(&mut client, 2, 7), "another distribution");
    let fresh = at_once(url, |client| credit(client, 1, 707));
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1, "{fresh:?}");
    let points = client.query_one(Statement::Account.text(), &[&7_i32]).unwrap();
    assert_eq!(points.get::<_, i64>(2), 300);
    assert_eq!(audit(&mut client), [0, 0, 0, 450, 450, 0, 1, 3, 0]);
}

#[test]
fn a_webhook_is_kept_once() {
    let Some(database) = shared("webhook") else { return };
    let trial = fresh(&database);
    let mut client = client(trial.url().reveal());
    let mut receive = |id: &str| {
        client.query_one(Statement::Webhook.text(), &[&id, &"{}"]).unwrap().get::<_, bool>(0)
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
    assert!(writer.query_one("SELECT 1", &[]).is_err(), "whoever is still connected is cut off");
    assert!(Client::connect(&gone, postgres::NoTls).is_err());
    let third = fresh(&database);
    assert_eq!(audit(&mut client(third.url().reveal())), NOTHING);
}
