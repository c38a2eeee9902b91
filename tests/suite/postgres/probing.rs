//! `bakeoff probe postgres`: what it prints, and that a late answer counts from the instant it was due.

use std::process::{Command, Output, Stdio};

use bakeoff::units::Nanos;
use serde_json::Value;

use super::{client, fresh, program, shared};

fn probe(args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(["probe", "postgres"]).args(args).env_remove("BAKEOFF_DATABASE_URL");
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_known_wait_is_read_as_itself() {
    let Some(database) = shared("probe") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal().replace("bench@", "bench:s3cret@");
    let query = "SELECT pg_sleep(0.02)";
    let args = ["--url", &url, "--query", query, "--rate", "500/s", "--duration", "2500ms"];
    let output = probe(&[&args[..], &["--connections", "64", "--format", "json"]].concat());
    // A busy machine may make it late, and then it says so with 5.
    assert!(matches!(output.status.code(), Some(0 | 5)), "{}", text(&output.stderr));
    let probed = json(&output);
    let times = &probed["response_ns"];
    assert!(times["n"].as_u64().unwrap() > 1_000, "{probed}");
    assert!(times["max"].as_u64().unwrap() >= 20_000_000, "{probed}");
    assert_eq!(probed["errors"], serde_json::json!({}));
    if output.status.success() {
        let p50 = times["p50"].as_u64().unwrap();
        assert!(p50 >= 20_000_000, "{probed}");
        let latency: toml::Table = probed["latency"].as_str().unwrap().parse().unwrap();
        let pasted = latency["latency"]["lognormal"]["p50"].as_str().unwrap();
        // As a scenario reads it, with the three digits that it is written with.
        let off = pasted.parse::<Nanos>().unwrap().0 as f64 / p50 as f64;
        assert!((off - 1.0).abs() < 0.005, "{probed}");
    }
    for shown in [text(&output.stdout), text(&output.stderr)] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn waiting_for_a_connection_is_part_of_the_time() {
    let Some(database) = shared("probe backlog") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    let query = "SELECT pg_sleep(0.1)";
    let args = ["--url", url, "--query", query, "--rate", "50/s", "--arrivals", "constant"];
    let output = probe(
        &[&args[..], &["--duration", "1s", "--connections", "1", "--format", "json"]].concat(),
    );
    assert_eq!(output.status.code(), Some(5));
    let probed = json(&output);
    assert_eq!((&probed["due"], &probed["response_ns"]["n"]), (&50.into(), &50.into()));
    // The last of 50 is due after 0.98 s and answered after 5 s at the earliest.
    assert!(probed["response_ns"]["max"].as_u64().unwrap() >= 4_000_000_000, "{probed}");
    assert!(probed["response_ns"]["p50"].is_null() && probed["latency"].is_null(), "{probed}");
    assert!(probed["reasons"][0].as_str().unwrap().starts_with("saturated: "), "{probed}");
}

#[test]
fn too_few_answers_have_no_p99() {
    let Some(database) = shared("probe few") else { return };
    let trial = fresh(&database);
    let args = ["--url", trial.url().reveal(), "--query", "SELECT pg_sleep(0.001)"];
    let output = probe(&[&args[..], &["--rate", "100/s", "--duration", "1s"]].concat());
    let shown = text(&output.stdout);
    assert!(shown.contains("p99 -") && !shown.contains("latency ="), "{shown}");
    assert!(matches!(output.status.code(), Some(0 | 5)), "{shown}");
}

#[test]
fn errors_are_counted_and_take_the_bound_away() {
    let Some(database) = shared("probe errors") else { return };
    let trial = fresh(&database);
    // Works once, for the connection that asks before.
    let url = trial.url().reveal();
    client(url).query("CREATE SEQUENCE turn").unwrap();
    let query = "SELECT 1 / (CASE WHEN nextval('turn') = 1 THEN 1 ELSE 0 END)";
    let args = ["--url", url, "--query", query, "--rate", "100/s", "--duration", "500ms"];
    let output = probe(&[&args[..], &["--connections", "1", "--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(5));
    let probed = json(&output);
    assert_eq!(probed["errors"]["22012"], probed["due"], "{probed}");
    assert!(probed["first_error"].as_str().unwrap().contains("division by zero"), "{probed}");
}

#[test]
fn a_server_that_goes_away_has_the_last_word() {
    let Some(database) = shared("probe end") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    client(url).query("CREATE SEQUENCE turn").unwrap();
    let query =
        "SELECT CASE WHEN nextval('turn') > 1 THEN pg_terminate_backend(pg_backend_pid()) END";
    let output = probe(&["--url", url, "--query", query, "--connections", "1", "--duration", "1s"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    let why = "the server went away: terminating connection due to administrator command";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_silent_address_is_given_up() {
    // It accepts, by its backlog, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://bench@{}/shop", silent.local_addr().unwrap());
    let output = probe(&["--url", &url, "--query", "SELECT 1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the server gave no whole answer within 5s"), "{said}");
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    let Some(database) = shared("probe usage") else { return };
    let trial = fresh(&database);
    let url = trial.url().reveal();
    for (url, query, why) in [
        (url, "SELECT * FROM nothing", "SQLSTATE 42P01"),
        (url, "SELECT $1::int4", "parameters"),
        (url, "COPY users FROM STDIN", "asks for rows"),
        ("postgres://bench:s3cret@10.0.0.1/shop", "SELECT 1", "not of this machine"),
        ("postgres://bench:s3cret@127.0.0.1:1/shop", "SELECT 1", "cannot connect"),
        ("mysql://bench:s3cret@127.0.0.1/shop", "SELECT 1", "postgres://"),
    ] {
        let output = probe(&["--url", url, "--query", query]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && !said.contains("s3cret"), "{said}");
    }
}
