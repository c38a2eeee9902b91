//! `bakeoff standin` as others meet it: as a process, over sockets, with clients of which one is ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bakeoff::domain::dataset::Dataset;
use bakeoff::postgres::{Connection, ConnectionError, Server};
use bakeoff::sql::Statement;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use rustix::process::{Pid, Signal, kill_process};

mod drivers;

/// A stand-in that is ended with the test.
struct Standin {
    child: Child,
    port: u16,
}

impl Standin {
    fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, Stdio::inherit())
    }

    fn start_with(flags: &[&str], stderr: impl Into<Stdio>) -> Self {
        let mut child = command(flags).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening 127.0.0.1:").expect("the line says where");
        Self { child, port: port.parse().unwrap() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One HTTP request on a connection of its own; gives the whole answer.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stats(&self) -> serde_json::Value {
        let answer = self.ask("GET", "/stats");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn end(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    fn url(&self) -> String {
        format!("postgres://anyone@127.0.0.1:{}/anything", self.port)
    }

    fn client(&self) -> Connection {
        Connection::open(&Server::read(&self.url()).unwrap()).unwrap()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.arg("standin").args(flags).env_remove("BAKEOFF_SEED");
    command
}

/// A startup message, and the end of the answer to it.
const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

/// The message that asks for what `text` says.
fn query(text: &str) -> Vec<u8> {
    [b"Q", &(text.len() as u32 + 5).to_be_bytes()[..], text.as_bytes(), b"\0"].concat()
}

/// The columns of the only row.
fn row<const N: usize>(client: &mut Connection, sql: &str) -> [String; N] {
    let rows = client.query(sql).unwrap();
    assert_eq!(rows.len(), 1, "{sql}");
    std::array::from_fn(|column| rows[0].get(column).unwrap().to_owned())
}

/// Reads until `end` has come.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut got, mut byte) = (Vec::new(), [0]);
    while !got.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        got.push(byte[0]);
    }
    got
}

#[test]
fn it_ends_cleanly_when_it_is_asked_to() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut standin = Standin::start(&["--name", "db", "--latency", "1m"]);
        let mut held = standin.connect();
        held.write_all(b"GET /upstream/1 HTTP/1.1\r\n\r\n").unwrap();
        assert!(standin.ask("GET", "/healthz").ends_with("{\"name\":\"db\",\"ready\":true}"));
        assert_eq!(standin.end(signal), Some(0), "{signal:?}");
    }
}

#[test]
fn what_cannot_be_is_a_usage_error() {
    let standin = Standin::start(&[]);
    let port = standin.port.to_string();
    for (flags, says) in [
        (vec!["--port", &port], format!("port {port} is in use")),
        (vec!["--latency", "50"], "\"50ms\"".into()),
        (vec!["--latency", "trace=/nowhere"], "cannot read /nowhere".into()),
        (vec!["--fault", "stall=1s"], "stall=1s@3s".into()),
        (vec!["--proxy", "93.184.216.34:80"], "this machine alone".into()),
        (vec!["--proxy", "example.com:80"], "not an address on this machine".into()),
        (vec!["--proxy", "localhost:1", "--fault", "stall=1s@3s"], "cannot be used with".into()),
    ] {
        let Output { status, stderr, .. } = command(&flags).output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(&says), "{flags:?}: {stderr}");
    }
}

#[test]
fn psql_can_talk_to_it() {
    if Command::new("psql").arg("--version").output().is_err() {
        crate::skipped("psql is not installed, so nothing is known of it");
        return;
    }
    let standin = Standin::start(&["--latency", "1ms"]);
    let psql = |text: &str| {
        let mut command = Command::new("psql");
        let url = standin.url();
        command.args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", &url, "-c", text]);
        let Output { stdout, stderr, .. } = command.output().unwrap();
        String::from_utf8([stdout, stderr].concat()).unwrap()
    };
    let user = Dataset::new(42).user(17).unwrap();
    let blocked = if user.blocked { "t" } else { "f" };
    let row = format!("{blocked}|{}\n", user.opening_balance_minor);
    assert_eq!(psql("select blocked, opening_balance_minor from user_rows where id = 17"), row);
    assert_eq!(psql("SELECT version()"), "PostgreSQL 15.0 (bakeoff stand-in)\n");
    assert_eq!(psql("SHOW server_encoding; SELECT 1"), "UTF8\n1\n");
    let capture = "SELECT outcome, fee_minor FROM capture('k', 17, 33, 1250, 'EUR', 12)";
    assert_eq!(psql(&format!("{capture}; {capture}")), "captured|12\nreplayed|12\n");
    assert_eq!(psql("SELECT * FROM audit()"), "1250|1238|12|0|0|1|0|0|0\n");
    let refused = psql("DROP TABLE users");
    assert!(
        refused.contains("ERROR:  the stand-in does not answer `DROP TABLE users`"),
        "{refused}"
    );
}

#[test]
fn our_client_can_talk_to_it() {
    let standin = Standin::start(&[]);
    let mut client = standin.client();
    for statement in Statement::ALL {
        let prepared = client.prepare(statement.name(), statement.text()).unwrap();
        assert_eq!(prepared.parameters, statement.parameters(), "{}", statement.name());
        let columns = prepared.columns.iter().map(|(name, kind)| (name.as_str(), *kind));
        assert_eq!(columns.collect::<Vec<_>>(), statement.columns(), "{}", statement.name());
    }
    let texts = client.query("SELECT fresh FROM credit(1, 2, 3); SELECT 1").unwrap();
    assert_eq!(texts.iter().map(|row| row.get(0)).collect::<Vec<_>>(), [Some("t"), Some("1")]);
    let audit = client.execute(Statement::Audit.name()).unwrap();
    assert_eq!((audit.len(), audit[0].get(4)), (1, Some("3")));
    let code = |result| match result {
        Err(ConnectionError::Refused(why)) => why.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(client.query("SELECT fresh FROM credit(1, NULL, 3)")), "23502");
    assert_eq!(code(client.query("SELECT * FROM pg_class")), "42601");
    client.query("BEGIN; SELECT 1; COMMIT; DISCARD ALL").unwrap();
}

#[test]
fn a_latency_is_taken_and_its_error_recorded() {
    let standin = Standin::start(&["--latency", "20ms", "--write-latency", "uniform=1ms..2ms"]);
    let mut stream = standin.connect();
    stream.write_all(STARTUP).unwrap();
    read_until(&mut stream, READY);
    assert!(standin.ask("POST", "/window").starts_with("HTTP/1.1 200 "));
    let start = Instant::now();
    // Three sent at once on one connection wait one after the other.
    let limit =
        |id| query(&format!("SELECT per_payment_minor FROM limit_rows WHERE user_id = {id}"));
    stream.write_all(&[1, 2, 3].map(limit).concat()).unwrap();
    for id in 1..=3 {
        let expected = Dataset::new(42).limits(id).unwrap().per_payment_minor.to_string();
        let answer = read_until(&mut stream, READY);
        assert!(answer.windows(expected.len()).any(|window| window == expected.as_bytes()));
    }
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
    let mut client = standin.client();
    let start = Instant::now();
    assert_eq!(row(&mut client, "SELECT fresh FROM receive_webhook('e', '{}')"), ["t"]);
    assert!(start.elapsed() >= Duration::from_millis(1));
    let stats = standin.stats();
    assert_eq!(stats["statements"]["limits"], 3);
    assert_eq!(stats["statements"]["webhook"], 1);
    assert!(stats["cpu_ns"].as_u64().unwrap() > 0 && stats["connections"].as_u64().unwrap() >= 1);
    let bytes = BASE64_STANDARD.decode(stats["latency_error_ns"].as_str().unwrap()).unwrap();
    let error: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
    assert_eq!(error.len(), 4);
}

#[test]
fn faults_reach_clients() {
    let standin = Standin::start(&["--fault", "errors=100%@0s+2m", "--pace", "spin"]);
    let mut client = standin.client();
    let refused = client.query("SELECT per_payment_minor FROM limit_rows WHERE user_id = 1");
    assert!(
        matches!(&refused, Err(ConnectionError::Refused(why)) if why.code == "53300"),
        "{refused:?}"
    );
    client.query("SELECT 1").unwrap();
    let standin = Standin::start(&["--fault", "drop=100%@0s+2m"]);
    let lost = standin.client().query("SELECT fresh FROM credit(1, 5, 7)");
    assert!(matches!(lost, Err(ConnectionError::Lost(_))), "{lost:?}");
    let audit: [String; 9] = row(&mut standin.client(), Statement::Audit.text());
    assert_eq!(audit[4], "7", "the answer is lost, not the work");
    let standin = Standin::start(&["--fault", "stall=300ms@0s"]);
    let start = Instant::now();
    standin.ask("POST", "/window");
    standin.client();
    assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
}

#[test]
fn half_a_startup_and_garbage_disturb_nobody() {
    let standin = Standin::start(&[]);
    let mut halves: Vec<_> = (0..STARTUP.len())
        .map(|len| {
            let mut stream = standin.connect();
            stream.write_all(&STARTUP[..len]).unwrap();
            (len, stream)
        })
        .collect();
    for garbage in [&b"\xff\xfe\xfd\r\n\r\n"[..], b"\0\0\0\x01", b"\0\0\0\x08\0\0\0\0", &[0; 64]] {
        let mut stream = standin.connect();
        stream.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        // Closed, or reset with bytes that nobody read.
        let _ = stream.read_to_end(&mut answer);
    }
    for (len, stream) in &mut halves {
        stream.write_all(&STARTUP[*len..]).unwrap();
        read_until(stream, READY);
    }
    // A client that sends nothing more is still answered; one that has gone in the middle is forgotten.
    let mut last = standin.connect();
    last.write_all(&[STARTUP, &query("SELECT 1")].concat()).unwrap();
    last.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    last.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(READY));
    drop(halves);
    let deadline = Instant::now() + Duration::from_secs(10);
    while standin.stats()["connections"] != 1 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(standin.stats()["connections"], 1);
}

#[test]
fn a_thousand_connections_are_served_at_once() {
    let standin = Standin::start(&["--latency", "50ms"]);
    let mut streams: Vec<_> = (0..1_000).map(|_| standin.connect()).collect();
    let text = "SELECT per_payment_minor FROM limit_rows WHERE user_id = 5";
    for stream in &mut streams {
        stream.write_all(&[STARTUP, &query(text)].concat()).unwrap();
    }
    let limit = Dataset::new(42).limits(5).unwrap().per_payment_minor.to_string();
    for stream in &mut streams {
        read_until(stream, READY);
        let answer = read_until(stream, READY);
        assert!(answer.windows(limit.len()).any(|window| window == limit.as_bytes()));
    }
    let stats = standin.stats();
    assert_eq!(
        (&stats["connections"], &stats["statements"]["limits"]),
        (&1_001.into(), &1_000.into())
    );
}

#[test]
fn the_upstream_service_is_a_function_of_seed_and_id() {
    let standin = Standin::start(&["--latency", "1ms", "--seed", "7"]);
    let value = Dataset::new(7).upstream_value(12);
    let answer = standin.ask("GET", "/upstream/12");
    assert!(answer.ends_with(&format!("\r\n\r\n{{\"id\":12,\"value\":{value}}}")), "{answer}");
    assert_eq!(standin.stats()["statements"]["upstream"], 1);
}

#[test]
fn the_proxy_delays_answers_and_changes_nothing() {
    let target = Standin::start(&[]);
    let address = format!("localhost:{}", target.port);
    let proxy = Standin::start(&["--proxy", &address, "--latency", "20ms"]);
    let start = Instant::now();
    let answer = proxy.ask("GET", "/upstream/12");
    assert!(start.elapsed() >= Duration::from_millis(20), "{:?}", start.elapsed());
    // It comes on top of what the target takes.
    let slow = Standin::start(&["--latency", "60ms"]);
    let address = format!("127.0.0.1:{}", slow.port);
    let before_it = Standin::start(&["--proxy", &address, "--latency", "60ms"]);
    let start = Instant::now();
    before_it.ask("GET", "/upstream/12");
    assert!(start.elapsed() >= Duration::from_millis(120), "{:?}", start.elapsed());
    assert_eq!(answer, target.ask("GET", "/upstream/12"), "the half close went on, too");
    let mut client = proxy.client();
    let start = Instant::now();
    client.query("SELECT 1").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_target_that_is_not_there_is_said_at_the_start_and_to_each_client() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let nowhere = Standin::start_with(&["--proxy", &free.to_string()], stderr.reopen().unwrap());
    let said = || std::fs::read_to_string(stderr.path()).unwrap();
    let start = format!("warning: nothing answers at {free} (Connection refused");
    assert!(said().starts_with(&start) && said().lines().count() == 1, "{}", said());
    let refused = Connection::open(&Server::read(&nowhere.url()).unwrap()).unwrap_err();
    let ConnectionError::Refused(why) = refused else { panic!("{refused:?}") };
    assert_eq!(why.code, "08001");
    assert!(nowhere.ask("GET", "/x").starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert_eq!(said().matches(&start).count(), 3, "{}", said());
    // It may come later.
    let target = Standin::start(&["--port", &free.port().to_string()]);
    assert_eq!(nowhere.ask("GET", "/upstream/1"), target.ask("GET", "/upstream/1"));
}

#[test]
fn a_request_to_cancel_ends_the_statement_of_the_connection_that_it_names() {
    let standin = Standin::start(&[]);
    let [mut one, mut other] = [(); 2].map(|()| standin.connect());
    let keys = [&mut one, &mut other].map(|stream| {
        stream.write_all(STARTUP).unwrap();
        let told = read_until(stream, READY);
        // The last message but one: a tag, a length, a process and a secret.
        let key: [u8; 8] = told[told.len() - READY.len() - 8..][..8].try_into().unwrap();
        stream.write_all(&query("SELECT pg_sleep(60)")).unwrap();
        key
    });
    let cancel = |key: [u8; 8]| {
        let mut stream = standin.connect();
        stream.write_all(&[b"\0\0\0\x10\x04\xd2\x16\x2e", &key[..]].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.is_empty(), "it is not said whether it came to anything");
    };
    let mut wrong = keys[0];
    wrong[7] ^= 1;
    cancel(wrong);
    cancel(keys[1]);
    let answer = read_until(&mut other, READY);
    assert!(answer.windows(5).any(|window| window == b"57014"), "{}", answer.escape_ascii());
    one.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(one.read_exact(&mut [0]).is_err(), "the first one sleeps on");
    other.write_all(&query("SELECT 1")).unwrap();
    read_until(&mut other, READY);
}

#[test]
fn the_proxy_carries_more_than_it_may_hold() {
    const BYTES: usize = 8 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // An echo that begins once it has heard everything.
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        stream.write_all(&heard).unwrap();
    });
    let proxy = Standin::start(&["--proxy", &address, "--latency", "uniform=1ms..5ms"]);
    let mut stream = proxy.connect();
    let sent: Vec<u8> = (0..BYTES).map(|at| (at * 7 + at / 251) as u8).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} of {BYTES} bytes, or others", got.len());
    echo.join().unwrap();
}

#[test]
fn a_large_answer_is_delayed_once() {
    const LATENCY: Duration = Duration::from_millis(200);
    let large: Vec<u8> = (0..8 * 1024 * 1024_usize).map(|at| (at * 7 + at / 251) as u8).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let answer = large.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    let proxy = Standin::start(&["--proxy", &target.to_string(), "--latency", "200ms"]);
    let fetch = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let start = Instant::now();
        stream.write_all(b"x").unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        let took = start.elapsed();
        assert!(got == large, "{} of {} bytes, or others", got.len(), large.len());
        took
    };
    let mut took = Vec::new();
    for _ in 0..3 {
        let direct = fetch(TcpStream::connect(target).unwrap());
        let relayed = fetch(proxy.connect());
        assert!(relayed >= LATENCY, "{relayed:?}");
        // A delay for each MiB would be eight.
        if relayed < 4 * LATENCY {
            return;
        }
        took.push((direct, relayed));
    }
    if took.iter().all(|(direct, _)| *direct > LATENCY) {
        return crate::skipped(format!("without the proxy it takes as long: {took:?}"));
    }
    panic!("direct and relayed: {took:?}");
}

#[cfg(feature = "cross-check")]
#[test]
fn tokio_postgres_can_talk_to_it() {
    use tokio_postgres::types::ToSql;
    use tokio_postgres::{NoTls, SimpleQueryMessage};
    let standin = Standin::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&standin.url(), NoTls).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let data = Dataset::new(42);
        for statement in Statement::ALL {
            let prepared = client.prepare(statement.text()).await.unwrap();
            let types: Vec<_> = prepared.params().iter().map(|kind| kind.oid()).collect();
            assert_eq!(types, statement.parameters(), "{}", statement.name());
            let columns =
                prepared.columns().iter().map(|column| (column.name(), column.type_().oid()));
            assert_eq!(columns.collect::<Vec<_>>(), statement.columns());
        }
        let user = client.query_one(Statement::User.text(), &[&7_i32]).await.unwrap();
        let expected = data.user(7).unwrap();
        assert_eq!(user.get::<_, bool>(0), expected.blocked);
        assert_eq!(user.get::<_, i64>(1), expected.opening_balance_minor as i64);
        let account = client.query_one(Statement::Account.text(), &[&7_i32]).await.unwrap();
        assert_eq!(account.get::<_, i16>("tier"), data.account(7).unwrap().tier as i16);
        assert!(client.query_opt(Statement::User.text(), &[&0_i32]).await.unwrap().is_none());
        let capture = client.prepare(Statement::Capture.text()).await.unwrap();
        for outcome in ["captured", "replayed"] {
            let row =
                client.query_one(&capture, &[&"key", &7_i32, &3_i32, &50_i64, &"EUR", &1_i64]);
            assert_eq!(row.await.unwrap().get::<_, &str>(0), outcome);
        }
        // In text, and several at once.
        let text =
            client.simple_query("SELECT fresh FROM credit(1, 2, 3); SELECT 1").await.unwrap();
        let rows = text.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(rows.collect::<Vec<_>>(), ["t", "1"]);
        // An error is over with its statement, also for those that were sent behind it.
        let null = None::<i32>;
        let parameters: &[&(dyn ToSql + Sync)] = &[&1_i64, &null, &3_i64];
        let (wrong, right) = tokio::join!(
            client.query(Statement::Credit.text(), parameters),
            client.query_one("SELECT 1", &[])
        );
        assert_eq!(wrong.unwrap_err().code().unwrap().code(), "23502");
        assert_eq!(right.unwrap().get::<_, i32>(0), 1);
        let unknown = client.query("SELECT * FROM pg_class", &[]).await.unwrap_err();
        assert_eq!(unknown.code().unwrap().code(), "42601");
        client.query("SELECT pg_sleep($1)", &[&0.001_f64]).await.unwrap();
        client.batch_execute("BEGIN; SELECT 1; COMMIT; DISCARD ALL").await.unwrap();
    });
}
