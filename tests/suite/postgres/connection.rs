//! The connection that bakeoff itself has to a server: how it is let in, and what it says when something goes wrong.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use bakeoff::postgres::{Connection, ConnectionError, Server};

use super::{client, fresh, row, shared, superuser};

#[test]
fn it_speaks_every_login() {
    let Some(database) = shared("login") else { return };
    let trial = fresh(&database);
    let mut outside = superuser(&database, &trial);
    let rules = format!("/proc/{}/cwd/pg_hba.conf", database.pid().unwrap());
    let mut asked = std::fs::read_to_string(&rules).unwrap();
    for (method, stored) in
        [("scram-sha-256", "scram-sha-256"), ("md5", "md5"), ("password", "scram-sha-256")]
    {
        let user = format!("by {method}");
        let made = format!(
            "SET password_encryption = '{stored}'; CREATE ROLE \"{user}\" LOGIN PASSWORD 's3 cret'"
        );
        outside.query(&made).unwrap();
        asked.insert_str(0, &format!("host all \"{user}\" 127.0.0.1/32 {method}\n"));
    }
    std::fs::write(rules, asked).unwrap();
    outside.query("SELECT pg_reload_conf()").unwrap();
    for method in ["scram-sha-256", "md5", "password"] {
        let user = format!("by {method}");
        let with = |password: Option<&str>| {
            let server = Server::read(trial.url().reveal()).unwrap();
            let password = password.map(str::to_owned);
            Connection::open(&Server { user: user.clone(), password, ..server })
        };
        // The postmaster reads its rules when it gets to it.
        let unruled = |it| matches!(it, Err(ConnectionError::Refused(why)) if why.code == "28000");
        super::wait_until("there are rules", || !unruled(with(Some("s3 cret"))));
        let mut connection = with(Some("s3 cret")).unwrap();
        assert_eq!(row(&mut connection, "SELECT current_user")[0], user);
        let wrong = with(Some("secret")).unwrap_err();
        assert!(matches!(&wrong, ConnectionError::Refused(why) if why.code == "28P01"), "{wrong}");
        let none = with(None).unwrap_err().to_string();
        assert_eq!(none, "the server asks for a password and the URL has none");
    }
}

#[test]
fn a_refusal_says_all_in_one_line_and_is_over() {
    let Some(database) = shared("refusal") else { return };
    let trial = fresh(&database);
    let mut connection = client(trial.url().reveal());
    let raise = "DO $$BEGIN RAISE 'no' USING DETAIL = E'a\nb', HINT = 'try'; END$$";
    let refused = connection.query(raise).unwrap_err();
    assert!(matches!(&refused, ConnectionError::Refused(why) if why.code == "P0001"), "{refused}");
    assert_eq!(refused.to_string(), "no (SQLSTATE P0001); DETAIL: a b; HINT: try");
    let rows = connection.query("SELECT 1; SELECT 'two', NULL, ''; SELECT").unwrap();
    let texts: Vec<_> = rows.iter().map(|row| [0, 1, 2].map(|column| row.get(column))).collect();
    assert_eq!(texts, [[Some("1"), None, None], [Some("two"), None, Some("")], [None; 3]]);
}

#[test]
fn rows_are_written_with_all_statements_or_not_at_all() {
    let Some(database) = shared("copy") else { return };
    let trial = fresh(&database);
    let mut connection = client(trial.url().reveal());
    connection.query("CREATE TABLE numbers (n int8)").unwrap();
    let many: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    let mut write = |before: &str, rows: &str, behind: &str| {
        let sql = format!("{before}; COPY numbers FROM STDIN; {behind}");
        let mut copy = connection.copy_in(&sql).unwrap();
        rows.as_bytes().chunks(10_007).for_each(|piece| copy.send(piece).unwrap());
        let finished = copy.finish().map_err(|trouble| trouble.to_string());
        (finished, row(&mut connection, "SELECT count(*), sum(n) FROM numbers").join(" "))
    };
    let spoilt = format!("{many}x\n{many}");
    for (before, rows, behind, why) in [
        ("SELECT 1 / 0", &many, "", "SQLSTATE 22012"),
        ("", &spoilt, "", "SQLSTATE 22P02"),
        ("", &many, "SELECT 1 / 0", "SQLSTATE 22012"),
    ] {
        let (finished, left) = write(before, rows, behind);
        assert!(finished.unwrap_err().contains(why));
        assert_eq!(left, "0");
    }
    assert_eq!(write("", &many, ""), (Ok(()), "100000 4999950000".into()));
}

/// A server of one connection that says this at once, and then the same for ever, or nothing.
fn server(greeting: &'static [u8], again: &'static [u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
        while stream.write_all(again).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    Server::read(&format!("postgres://me@127.0.0.1:{port}/shop")).unwrap()
}

/// Authentication is over, and a question may come.
const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
/// A notice without fields.
const NOTICE: &[u8] = b"N\0\0\0\x05\0";

#[test]
fn a_server_that_never_answers_is_waited_for_no_longer_than_said() {
    let opened = |again| thread::spawn(move || Connection::open(&server(b"", again)));
    for login in [b"", NOTICE].map(opened) {
        let told = login.join().unwrap().unwrap_err().to_string();
        assert_eq!(told, "the server gave no whole answer within 5s");
    }
    for again in [b"", NOTICE] {
        let mut connection = Connection::open(&server(LET_IN, again)).unwrap();
        connection.answers_within(Duration::from_millis(100)).unwrap();
        let told = connection.query("SELECT 1").unwrap_err().to_string();
        assert_eq!(told, "the server gave no whole answer within 100ms");
    }
}
