//! How a server starts, refuses to start, and ends.

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bodies::{Payment, account};
use crate::client::{Client, request};
use crate::routes::expect_health;
use crate::server::{Mount, PATIENCE, SEED, Server};

/// What requests in hand may take of the end, 5 s, and a little for a slow machine.
const END: Duration = Duration::from_secs(8);

pub(crate) fn requests_in_hand_are_answered_before_the_end(mount: Mount) {
    // Some 20 ms of work each, 300 where the CPU has no SHA instructions.
    const ROUNDS: u32 = 400_000;
    // Work that was begun.
    const BEGUN: Duration = Duration::from_millis(10);
    let mut server = Server::with(mount, &["--signature-rounds", &ROUNDS.to_string()]);
    let payment = |i| Payment { rounds: ROUNDS, ..Payment::new(format!("k-{i}")) };
    let mut clients = [Client::to(&server), Client::to(&server)];
    for client in &mut clients {
        assert_eq!(client.get("/null").status, 200);
    }
    let at_rest = server.cpu();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(&request("POST", "/payments", &payment(i).body()));
    }
    let start = Instant::now();
    while server.cpu() < at_rest + BEGUN || !clients.iter().all(Client::is_taken) {
        assert!(start.elapsed() < PATIENCE, "they are not taken in hand");
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

pub(crate) fn a_server_under_load_ends_without_a_broken_answer(mount: Mount) {
    let mut server = Server::start(mount);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let clients = (0..8).map(|who| {
            let (server, answered) = (&server, &answered);
            let mut client = Client::to(server);
            scope.spawn(move || {
                for i in 0_u32.. {
                    // The least there is, so that nobody runs out of money however long it takes.
                    let payment = Payment { amount: 1, ..Payment::new(format!("{who}-{i}")) };
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
            client.join().expect("a client saw no broken answer");
        }
    });
    let status = server.wait(END);
    assert!(status.success(), "{status}");
}

pub(crate) fn idle_connections_do_not_delay_the_end(mount: Mount) {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(mount);
        let mut clients = (0..20).map(|_| Client::to(&server)).collect::<Vec<_>>();
        for (i, client) in clients.iter_mut().enumerate() {
            if i % 2 == 0 {
                assert_eq!(client.get("/null").status, 200);
            }
        }
        server.signal(signal);
        // Well below the 5 s that requests in hand may take, and the 75 s of an idle connection.
        let limit = if mount.waits_for_the_silent() { END } else { Duration::from_secs(4) };
        let status = server.wait(limit);
        assert!(status.success(), "{status}");
        for mut client in clients {
            client.expect_closed();
        }
    }
}

/// It takes all of its 5 s, so it is not asked of every store: what keeps the rows never sees half a head.
pub(crate) fn a_half_sent_request_delays_the_end_by_its_seconds_at_most(mount: Mount) {
    let mut server = Server::start(mount);
    let mut client = Client::to(&server);
    client.send(b"POST /payments HTTP/1.1\r\nContent-Le");
    server.signal(Signal::TERM);
    let status = server.wait(END);
    assert!(status.success(), "{status}");
}

pub(crate) fn a_port_in_use_is_a_clear_error(mount: Mount) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = mount.command().env("BAKEOFF_PORT", &port).output().expect("bakeoff runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(&port) && stderr.contains("in use"), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
}

pub(crate) fn settings_may_come_from_the_environment(mount: Mount) {
    let mut command = mount.command();
    command.envs([
        ("BAKEOFF_PORT", "0"),
        ("BAKEOFF_SEED", &SEED.to_string()),
        ("BAKEOFF_SIGNATURE_ROUNDS", "3"),
    ]);
    let server = Server::launch(command);
    let mut client = Client::to(&server);
    expect_health(&mut client, mount);
    let payment = Payment { rounds: 3, ..Payment::new("k-1") };
    client.post("/payments", &payment.body()).expect(201, payment.captured());
    let other = Payment { rounds: 2, ..Payment::new("k-2") };
    assert_eq!(client.post("/payments", &other.body()).status, 402);
    for id in 1..20 {
        client.get(&format!("/loyalty/accounts/{id}")).expect(200, account(id, 0));
    }
}

pub(crate) fn a_reader_of_stdout_may_go_away(mount: Mount) {
    // Another process may take the port before the server does; three times in a row it will not.
    let start = Instant::now();
    for _ in 0..3 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = mount.command();
        command.env("BAKEOFF_PORT", port.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the bakeoff binary starts");
        drop(child.stdout.take());
        let answers = loop {
            if child.try_wait().unwrap().is_some() || start.elapsed() > PATIENCE {
                break false;
            }
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break true;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // It must still be there a little later: a broken pipe ends a program at once.
        std::thread::sleep(Duration::from_millis(100));
        let lives = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        let _ = child.wait();
        if answers && lives {
            return;
        }
    }
    panic!("a closed stdout ended the server");
}

pub(crate) fn settings_that_cannot_be_are_usage_errors() {
    for (mount, flags) in [
        (Mount::EVENT_LOOP, &["--threads", "4"][..]),
        (Mount { threads: None, ..Mount::THREAD_POOL }, &["--threads", "0"]),
        (Mount { threads: None, ..Mount::WORK_STEALING }, &["--threads", "1000000"]),
        (Mount { model: "thread-pol", ..Mount::EVENT_LOOP }, &[]),
        (Mount::EVENT_LOOP, &["--workload", "cash"]),
        (Mount::EVENT_LOOP, &["--port", "65536"]),
        (Mount::EVENT_LOOP, &["--idle-timeout", "5"]),
        (Mount::EVENT_LOOP, &["--no-such-flag"]),
    ] {
        let output = mount.command().args(flags).output().expect("bakeoff runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{mount:?} {flags:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && output.stdout.is_empty(), "{flags:?}: {stderr}");
    }
}
