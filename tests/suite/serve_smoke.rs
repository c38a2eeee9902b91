//! `bakeoff serve` starts, answers and ends under every model. The whole contract is in `tests/conformance`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bakeoff::domain::payment::{Payment, canonical};
use bakeoff::domain::signature::Key;

/// A server that is ended with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(model: &str, flags: &[&str]) -> Self {
        Self::of(serve(model, flags))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the line says where").into();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One request on a connection of its own; gives the status and the body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let len = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().unwrap(), body.into())
    }

    /// Asks it to end, and gives its exit code and how long it took.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        (self.child.wait().unwrap().code(), start.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(model: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["serve", "--model", model]).args(flags).env("BAKEOFF_PORT", "0");
    command
}

const RACED: [&str; 4] = ["event-loop", "work-stealing", "thread-per-connection", "thread-pool"];

#[test]
fn every_model_answers_and_ends_cleanly() {
    for model in RACED {
        let mut server = Server::start(model, &[]);
        let health = format!("{{\"ready\":true,\"contender\":\"{model}\"}}");
        assert_eq!(server.ask("GET", "/healthz", ""), (200, health));
        assert_eq!(server.ask("GET", "/null", ""), (200, "{\"ok\":true}".into()), "{model}");
        let payment = r#"{"idempotency_key":"k","user_id":1,"merchant_id":2,"amount_minor":5,
            "currency":"EUR","signature":"wrong"}"#;
        let (status, body) = server.ask("POST", "/payments", payment);
        assert_eq!(status, 402, "{model}: {body}");
        assert!(body.contains("bad_signature"), "{model}: {body}");
        let distribution = r#"{"distribution_id":9,"business_id":0,"first_account":1,
            "accounts":10000,"spend_minor":10000}"#;
        let first = server.ask("POST", "/loyalty/distributions", distribution);
        assert_eq!(first.0, 200, "{model}: {}", first.1);
        assert_eq!(server.ask("POST", "/loyalty/distributions", distribution), first, "{model}");
        let (_, audit) = server.ask("GET", "/audit", "");
        assert!(audit.contains("\"credits\":10000,"), "{model}: {audit}");
        assert_eq!(server.ask("GET", "/payments", "").0, 405, "{model}");
        let (code, took) = server.end();
        assert_eq!(code, Some(0), "{model}");
        assert!(took < Duration::from_secs(6), "{model} took {took:?}");
    }
}

#[test]
fn cpu_work_gives_the_same_wherever_it_runs() {
    let body = r#"{"distribution_id":9,"business_id":0,"first_account":1,"accounts":100000,
        "spend_minor":10000}"#;
    let mut answers = Vec::new();
    for model in RACED {
        for mode in ["inline", "offload"] {
            let server = Server::start(model, &["--cpu-mode", mode, "--cores", "2"]);
            answers.push(server.ask("POST", "/loyalty/distributions", body));
        }
    }
    assert_eq!(answers[0].0, 200);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_half_sent_request_is_given_up_and_holds_no_worker() {
    let flags = ["--header-timeout", "300ms", "--body-timeout", "300ms", "--idle-timeout", "300ms"];
    for model in RACED {
        let mut flags = flags.to_vec();
        if model == "thread-pool" {
            flags.extend(["--threads", "2"]);
        }
        let server = Server::start(model, &flags);
        let halves: [&[u8]; 3] = [
            b"",
            b"POST /payments HTTP/1.1\r\nho",
            b"POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
        ];
        let mut held: Vec<_> = halves
            .iter()
            .flat_map(|half| std::iter::repeat_n(half, 4))
            .map(|half| {
                let mut stream = server.connect();
                stream.write_all(half).unwrap();
                (half, stream)
            })
            .collect();
        assert_eq!(server.ask("GET", "/null", "").0, 200, "{model}");
        for (half, stream) in &mut held {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("the connection is closed");
            let late =
                if half.ends_with(b"{") { answer.contains(" 408 ") } else { answer.is_empty() };
            assert!(late, "{model}: {answer}");
        }
    }
}

#[test]
fn the_control_answers_anything() {
    let mut server = Server::start("null", &["--name", "floor"]);
    assert_eq!(server.ask("POST", "/payments", "{}"), (200, "{\"ok\":true}".into()));
    assert!(server.ask("GET", "/healthz", "").1.contains("\"floor\""));
    assert!(server.ask("GET", "/audit", "").1.contains("\"payments\":0"));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_thread_too_many_is_told_so() {
    let server = Server::start("thread-per-connection", &["--threads", "1"]);
    let _first = server.connect();
    // The first connection is counted once it was accepted, which is before the second is.
    let (status, body) = server.ask("GET", "/null", "");
    assert_eq!((status, body.contains("error")), (503, true), "{body}");
    // The answer may come before the request is sent, in whatever parts.
    let mut late = server.connect();
    late.peek(&mut [0]).unwrap();
    for part in ["GET /null HTTP/1.1\r\n", "host: x\r\n", "\r\n"] {
        late.write_all(part.as_bytes()).expect("the connection is still read");
    }
    late.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[cfg(not(feature = "cross-check"))]
#[test]
fn a_client_that_was_not_built_is_told_so() {
    let url = "postgres://bakeoff@127.0.0.1/bakeoff";
    let flags = ["--client", "tokio-postgres", "--database-url", url];
    let scenario = ["run", "client-cross-check", "--out", "/nowhere/to/be/made"];
    let mut run = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    for command in [&mut serve("event-loop", &flags), run.args(scenario)] {
        let Output { status, stderr, .. } = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("cargo build --release --features cross-check"), "{stderr}");
    }
}

/// Who asks says so in the first thing that it sends to a database: our client its name, the other one nothing.
#[test]
fn every_process_asks_with_the_client_that_was_chosen() {
    let clients = if cfg!(feature = "cross-check") { 2 } else { 1 };
    for (client, named) in [("bakeoff", true), ("tokio-postgres", false)].into_iter().take(clients)
    {
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://bakeoff@{}/bakeoff", database.local_addr().unwrap());
        // One connection for each process, and it is never answered: the second one is of the second process.
        let flags = ["--processes", "2", "--pool", "2", "--client", client, "--database-url", &url];
        let server = Server::start("event-loop", &flags);
        let asked: Vec<TcpStream> = (0..32)
            .map(|_| {
                let mut stream = server.connect();
                stream.write_all(b"GET /loyalty/accounts/1 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
                stream
            })
            .collect();
        let held: Vec<TcpStream> = (0..2).map(|_| database.accept().unwrap().0).collect();
        for mut stream in &held {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut greeting = vec![0; u32::from_be_bytes(length) as usize - length.len()];
            stream.read_exact(&mut greeting).unwrap();
            let greeting = String::from_utf8_lossy(&greeting);
            let says = greeting.contains("application_name\0bakeoff\0");
            assert_eq!(says, named, "{client}: {greeting:?}");
            assert!(greeting.contains("user\0bakeoff\0"), "{client}: {greeting:?}");
        }
        drop((asked, held));
    }
}

#[test]
fn what_cannot_be_is_a_usage_error() {
    let server = Server::start("event-loop", &[]);
    let port = server.address.rsplit_once(':').unwrap().1;
    for (model, flags, says) in [
        ("thread-pool", vec!["--port", port], format!("port {port} is in use")),
        ("event-loop", vec!["--threads", "4"], "event-loop has one thread".into()),
        ("thread-pool", vec!["--threads", "0"], "cannot work with 0 threads".into()),
        ("threads", vec![], "there is no model `threads`".into()),
        ("thread-pool", vec!["--cpu", "40"], "has no unit".into()),
        ("thread-pool", vec!["--cpu-mode", "rayon"], "there are auto, inline, offload".into()),
        ("thread-pool", vec!["--idle-timeout", "0s"], "at least 1ms".into()),
    ] {
        let mut command = serve(model, &flags);
        let Output { status, stderr, .. } = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{model} {flags:?}: {stderr}");
        assert!(stderr.contains(&says), "{model} {flags:?}: {stderr}");
    }
}

#[test]
fn flags_go_before_the_environment() {
    let with = |flags: &[&str], rounds: &str| {
        let mut command = serve("event-loop", flags);
        command.env("BAKEOFF_SIGNATURE_ROUNDS", rounds);
        command
    };
    for (flags, rounds) in [(&["--signature-rounds", "1"][..], 1), (&[], 3)] {
        let server = Server::of(with(flags, "3"));
        let payment = Payment::new(2, 2, 5, "EUR").unwrap();
        let signature = Key::stretch(42, 2, rounds).sign(canonical("k", &payment));
        let signature = std::str::from_utf8(signature.as_bytes()).unwrap();
        let body = format!(
            r#"{{"idempotency_key":"k","user_id":2,"merchant_id":2,"amount_minor":5,
            "currency":"EUR","signature":"{signature}"}}"#
        );
        let (status, answer) = server.ask("POST", "/payments", &body);
        assert_eq!(status, 201, "{flags:?}: {answer}");
    }
    let server = Server::of(with(&["--cpu", "5us"], "3"));
    assert_eq!(server.ask("GET", "/healthz", "").0, 200);
    let Output { status, stderr, .. } = with(&[], "many").output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_SIGNATURE_ROUNDS is `many`"), "{stderr}");
}

#[test]
fn a_reader_of_stdout_that_has_gone_away_is_no_reason_to_die() {
    let mut child =
        serve("thread-pool", &["--header-timeout", "1s"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "it serves on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn it_ends_with_its_parent() {
    // A shell starts the server, says its PID and where it listens, and is killed.
    let script = format!(
        "{} serve --model event-loop --die-with-parent=$$ & echo $!; wait",
        env!("CARGO_BIN_EXE_bakeoff")
    );
    let mut shell =
        Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let mut pid = None;
    for line in lines.by_ref().take(2) {
        pid = pid.or(line.unwrap().parse().ok());
    }
    let pid: i32 = pid.expect("the shell says it");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_running(pid) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    if is_running(pid) {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        panic!("it has outlived its parent");
    }
}

/// Whether `pid` is there, and not merely waiting to be reaped.
fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
