//! How a server starts, refuses to start, and ends.

use super::Subject;
use super::bodies::{PaymentBody, account};
use super::client::{RawClient, request};
use super::routes::expect_health;
use super::server::{PATIENCE, Running, SEED, TestedServer};
use rustix::process::Signal;
use std::net::TcpListener;
use std::panic::resume_unwind;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What requests in hand may take of the end, 5 s, and a little for a slow machine.
const END: Duration = Duration::from_secs(8);

pub(super) fn requests_in_hand_are_answered_before_the_end(subject: &dyn Subject) {
    // Some 20 ms of work each, 300 where the CPU has no SHA instructions.
    const ROUNDS: u32 = 400_000;
    // Work that was begun.
    const BEGUN: Duration = Duration::from_millis(10);
    let mut server =
        TestedServer::with(subject, &[("BAKEOFF_SIGNATURE_ROUNDS", &ROUNDS.to_string())]);
    let payment = |i| PaymentBody { rounds: ROUNDS, ..PaymentBody::new(format!("k-{i}")) };
    let mut clients = [RawClient::to(&server), RawClient::to(&server)];
    for client in &mut clients {
        assert_eq!(client.get("/null").status, 200);
    }
    let at_rest = server.cpu();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(&request("POST", "/payments", &payment(i).body()));
    }
    let start = Instant::now();
    while server.cpu() < at_rest + BEGUN || !clients.iter().all(RawClient::is_taken) {
        assert!(start.elapsed() < PATIENCE, "they are not started");
        std::thread::sleep(Duration::from_millis(1));
    }
    server.signal(Signal::TERM);
    for (i, client) in clients.iter_mut().enumerate() {
        client.receive().expect(201, payment(i).captured());
        client.expect_closed();
    }
    let status = server.wait(END);
    assert!(status.success(), "{status}");
}

pub(super) fn a_server_under_load_ends_without_a_broken_answer(subject: &dyn Subject) {
    let mut server = TestedServer::start(subject);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let clients = (0..8).map(|who| {
            let (server, answered) = (&server, &answered);
            let mut client = RawClient::to(server);
            scope.spawn(move || {
                for i in 0_u32.. {
                    // The least there is, so that nobody runs out of money however long it takes.
                    let payment =
                        PaymentBody { amount: 1, ..PaymentBody::new(format!("{who}-{i}")) };
                    if client.try_send(&request("POST", "/payments", &payment.body())).is_err() {
                        return;
                    }
                    // It may close before an answer begins, not once it has begun.
                    let Some(answer) = client.try_receive().expect("an exact answer or none")
                    else {
                        return;
                    };
                    answer.expect(201, payment.captured());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let clients = clients.collect::<Vec<_>>();
        let start = Instant::now();
        while answered.load(Ordering::Relaxed) < 200 {
            assert!(start.elapsed() < PATIENCE, "no load came about");
            std::thread::sleep(Duration::from_millis(5));
        }
        server.signal(Signal::TERM);
        for client in clients {
            client.join().unwrap_or_else(|defect| resume_unwind(defect));
        }
    });
    let status = server.wait(END);
    assert!(status.success(), "{status}");
}

pub(super) fn idle_connections_do_not_delay_the_end(subject: &dyn Subject) {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = TestedServer::start(subject);
        let mut clients = (0..20).map(|_| RawClient::to(&server)).collect::<Vec<_>>();
        for (i, client) in clients.iter_mut().enumerate() {
            if i % 2 == 0 {
                assert_eq!(client.get("/null").status, 200);
            }
        }
        server.signal(signal);
        // Well below the 5 s that requests in hand may take, and the 75 s of an idle connection.
        let limit = if subject.waits_for_the_silent() { END } else { Duration::from_secs(4) };
        let status = server.wait(limit);
        assert!(status.success(), "{status}");
        for mut client in clients {
            client.expect_closed();
        }
    }
}

/// It takes all of its 5 s, so it is not asked of every store: what keeps the rows never sees half a head.
pub(super) fn a_half_sent_request_delays_the_end_by_its_seconds_at_most(subject: &dyn Subject) {
    let mut server = TestedServer::start(subject);
    let mut client = RawClient::to(&server);
    client.send(b"POST /payments HTTP/1.1\r\nContent-Le");
    server.signal(Signal::TERM);
    let status = server.wait(END);
    assert!(status.success(), "{status}");
}

pub(super) fn a_port_in_use_is_a_clear_error(subject: &dyn Subject) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = subject.command().env("BAKEOFF_PORT", &port).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(&port) && stderr.contains("in use"), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
}

pub(super) fn settings_may_come_from_the_environment(subject: &dyn Subject) {
    let mut command = subject.command();
    command.envs([
        ("BAKEOFF_PORT", "0"),
        ("BAKEOFF_SEED", &SEED.to_string()),
        ("BAKEOFF_SIGNATURE_ROUNDS", "3"),
    ]);
    let server = TestedServer::launch(subject, command);
    let mut client = RawClient::to(&server);
    expect_health(&mut client, subject);
    let payment = PaymentBody { rounds: 3, ..PaymentBody::new("k-1") };
    client.post("/payments", &payment.body()).expect(201, payment.captured());
    let other = PaymentBody { rounds: 2, ..PaymentBody::new("k-2") };
    assert_eq!(client.post("/payments", &other.body()).status, 402);
    for id in 1..20 {
        client.get(&format!("/loyalty/accounts/{id}")).expect(200, account(id, 0));
    }
}

pub(super) fn a_reader_of_stdout_may_go_away(subject: &dyn Subject) {
    // Another process may take the port before the server does; three times in a row it will not.
    let start = Instant::now();
    for _ in 0..3 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = subject.command();
        command.env("BAKEOFF_PORT", port.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(subject, command).expect("it starts");
        drop(running.child.stdout.take());
        let answers = loop {
            if running.child.try_wait().unwrap().is_some() || start.elapsed() > PATIENCE {
                break false;
            }
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break true;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // It must still be there a little later: a broken pipe ends a program at once.
        std::thread::sleep(Duration::from_millis(100));
        let lives = running.child.try_wait().unwrap().is_none();
        let _ = running.kill();
        if answers && lives {
            return;
        }
    }
    panic!("a closed stdout ended the server");
}

// Settings that a server must refuse, with the name of each.

pub(super) fn workers_that_share_nothing_are_refused(subject: &dyn Subject) {
    let mut command = subject.command();
    let output = command.env("BAKEOFF_WORKERS", "2").output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
}

pub(super) fn a_database_that_is_not_there_is_a_clear_error(subject: &dyn Subject) {
    let mut command = subject.command();
    command.env("BAKEOFF_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
    assert!(stderr.to_ascii_lowercase().contains("refused"), "{stderr}");
}

pub(super) fn settings_that_cannot_be_are_named(subject: &dyn Subject) {
    for (name, value) in [
        ("BAKEOFF_PORT", "65536"),
        ("BAKEOFF_SEED", "x"),
        ("BAKEOFF_SIGNATURE_ROUNDS", "-1"),
        ("BAKEOFF_WORKERS", "0"),
        ("BAKEOFF_POOL", "0"),
    ] {
        let output = subject.command().env(name, value).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {stderr}");
        assert!(stderr.contains(name) && output.stdout.is_empty(), "{name}={value}: {stderr}");
    }
}
