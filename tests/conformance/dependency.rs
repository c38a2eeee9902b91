//! What a dependency can do to a server: run out of connections, break them, and be asked twice for one thing.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bakeoff::postgres::{Connection, ConnectionError, Row, Server as Database};
use bakeoff::sql::Statement;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::json;

use bakeoff::conform::Subject as _;
use bakeoff::conform::bodies::{Books, DistributionBody, PaymentBody};
use bakeoff::conform::client::{RawClient, request};
use bakeoff::conform::server::{PATIENCE, TestedServer};

use crate::server::Mount;
use crate::{database, standin};

/// A server of the mount over a database, with so many connections to it.
fn over(mount: Mount, url: &str, pool: u32, flags: &[&str]) -> TestedServer {
    let mut command = mount.command();
    command.args(flags).env("BAKEOFF_PORT", "0").env("BAKEOFF_SEED", "42");
    command.env("BAKEOFF_DATABASE_URL", url).env("BAKEOFF_POOL", pool.to_string());
    command.env("BAKEOFF_SIGNATURE_ROUNDS", "0");
    TestedServer::launch(&mount, command)
}

/// Sixteen requests at once, each of which wants three connections of a pool that has three: taken one by one they would
/// wait for each other for ever.
pub(crate) fn a_pool_of_three_is_never_a_deadlock(mount: Mount) {
    let threaded = mount.model.starts_with("thread");
    let ways: &[&[&str]] = match threaded {
        true => &[&["--fan-out", "split"], &["--fan-out", "pool"], &["--fan-out", "scoped"]],
        false => &[&[]],
    };
    for flags in ways {
        let url = standin::url(&["--latency", "2ms", "--write-latency", "1ms"]);
        let server = over(mount, &url, 3, flags);
        std::thread::scope(|scope| {
            for who in 0..16_u64 {
                let server = &server;
                scope.spawn(move || {
                    let mut client = RawClient::to(server);
                    for turn in 0..3 {
                        let payment = PaymentBody::new(format!("{who}-{turn}"));
                        client.post("/payments", &payment.body()).expect(201, payment.captured());
                        let id = 100 * who + turn;
                        let distribution =
                            DistributionBody { accounts: 7, ..DistributionBody::new(id) };
                        client
                            .post("/loyalty/distributions", &distribution.body())
                            .expect(200, distribution.credited());
                    }
                });
            }
        });
    }
}

/// Every question takes its connection for as long as it takes to answer, and the server tells both.
pub(crate) fn a_pool_says_how_it_was_used(mount: Mount) {
    const READS: u64 = 5;
    let url = standin::url(&["--latency", "4ms"]);
    let server = over(mount, &url, 3, &[]);
    let mut client = RawClient::to(&server);
    for id in 1..=READS {
        assert_eq!(client.get(&format!("/loyalty/accounts/{id}")).status, 200);
    }
    let stats = client.get("/stats").json();
    assert_eq!(stats["pool"]["size"], 3);
    let busy_ns = stats["pool"]["busy_ns"].as_u64().expect("a time");
    assert!(busy_ns >= READS * 4_000_000, "{busy_ns} ns for {READS} answers after 4 ms each");
    let waits = BASE64_STANDARD.decode(stats["pool_wait"].as_str().expect("a text"));
    let waits = waits.expect("base64");
    let waits: Histogram<u64> =
        Deserializer::new().deserialize(&mut waits.as_slice()).expect("a histogram");
    assert_eq!(waits.len(), READS);
}

/// The stand-in drops one connection in ten with an answer that nobody gets, so that nobody knows what was done.
pub(crate) fn a_payment_is_captured_once_over_dropped_connections(mount: Mount) {
    let url = standin::url(&["--fault", "drop=10%@0s+600s"]);
    let server = over(mount, &url, 4, &[]);
    let mut books = Books::default();
    insist(&server, 0..30, &mut books);
    let start = Instant::now();
    loop {
        // The audit is one of the statements that are dropped.
        match connect(&url).and_then(|mut client| client.query(Statement::Audit.text())) {
            Ok(rows) => return agrees(&books, &rows[0]),
            Err(error) => assert!(start.elapsed() < PATIENCE, "no audit: {error}"),
        }
    }
}

/// Somebody ends every backend of the database, again and again, while payments are captured. Each time after a payment was
/// captured: with a fixed interval, a server on a slow machine that needs longer for a payment would never capture one.
pub(crate) fn a_payment_is_captured_once_over_killed_backends(mount: Mount) {
    let url = database::url();
    let server = over(mount, &url, 4, &[]);
    let (over, killed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut books = Books::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = connect(&url).expect("a connection");
            let mut captured_before = None;
            while !over.load(Ordering::Relaxed) {
                let rows = client.query("SELECT count(*) FROM payments").expect("a number");
                let captured = rows[0].get(0).map(str::to_owned);
                if captured != captured_before {
                    let ended = client.query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' \
                         AND datname = current_database()",
                    );
                    let ended = ended.expect("backends can be ended").len();
                    killed.fetch_add(ended, Ordering::Relaxed);
                    captured_before = captured;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
        });
        let _ends = Ends(&over);
        // A server may be done with a batch before its first backend could be ended.
        for batch in 0..8 {
            insist(&server, 40 * batch..40 * (batch + 1), &mut books);
            if killed.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
    });
    assert!(killed.into_inner() > 0, "no backend was ended, so nothing was tested");
    let mut client = connect(&url).expect("a connection");
    agrees(&books, &client.query(Statement::Audit.text()).expect("an audit")[0]);
}

/// Is set however its owner ends, so that a test which fails does not wait for its other thread for ever.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Payments, each sent by four clients at once until they have a right answer, one of which first gives up before it can have
/// one. Keeps the books as they must be.
fn insist(server: &TestedServer, payments: Range<usize>, books: &mut Books) {
    let payments: Vec<PaymentBody> =
        payments.map(|i| PaymentBody::new(format!("key-{i}"))).collect();
    let firsts = std::thread::scope(|scope| {
        let clients = (0..4).map(|who| {
            let payments = &payments;
            scope.spawn(move || {
                let mut firsts = HashMap::new();
                for payment in payments {
                    if who == 0 {
                        give_up_at_once(server, payment);
                    }
                    if until_answered(server, payment) == 201 {
                        firsts.insert(payment.key.clone(), who);
                    }
                }
                firsts
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|one| one.join().expect("a client ends")).collect::<Vec<_>>()
    });
    for payment in &payments {
        let first = firsts.iter().filter(|of_one| of_one.contains_key(&payment.key)).count();
        assert!(first <= 1, "{} was captured {first} times", payment.key);
        books.captured(payment);
    }
}

/// Sends a payment and goes away, as a client does whose patience has ended.
fn give_up_at_once(server: &TestedServer, payment: &PaymentBody) {
    let mut stream = TcpStream::connect(server.address()).expect("the server accepts");
    // A server that has closed already has done the client's part for it.
    let _ = stream.write_all(&request("POST", "/payments", &payment.body()));
}

/// Sends a payment until it is captured or was; gives which.
fn until_answered(server: &TestedServer, payment: &PaymentBody) -> u16 {
    let start = Instant::now();
    loop {
        let answer = RawClient::to(server).post("/payments", &payment.body());
        match answer.status {
            200 | 201 => {
                assert_eq!(answer.json(), payment.captured());
                return answer.status;
            }
            503 => {
                let why = answer.json();
                assert!(start.elapsed() < PATIENCE, "still 503 for {}: {why}", payment.key);
            }
            _ => answer.expect(503, json!({})),
        }
    }
}

/// A connection to the database itself.
fn connect(url: &str) -> Result<Connection, ConnectionError> {
    Connection::open(&Database::read(url).expect("this is a URL"))
}

/// Whether the database itself holds what it must.
fn agrees(books: &Books, row: &Row) {
    let figure = |name: &str| {
        let column = Statement::Audit.columns().iter().position(|(known, _)| *known == name);
        row.get(column.expect("a figure")).and_then(|text| text.parse::<u64>().ok())
    };
    assert_eq!(figure("payments"), Some(books.payments));
    assert_eq!(figure("money_in_minor"), Some(books.money_in));
    assert_eq!(figure("fees_minor"), Some(books.fees));
    assert_eq!(figure("money_out_minor"), Some(books.money_in - books.fees));
}
