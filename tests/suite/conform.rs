//! `bakeoff conform`: what it says of servers that keep the contract, that do not, and that are not there.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const BAKEOFF: &str = env!("CARGO_BIN_EXE_bakeoff");

fn conform(arguments: &[&str]) -> Output {
    Command::new(BAKEOFF).arg("conform").args(arguments).output().expect("it starts")
}

/// A model that serves until it is dropped, and its URL.
struct Model(Child, String);

impl Model {
    fn start(model: &str) -> Self {
        let mut command = Command::new(BAKEOFF);
        command.args(["serve", "--port", "0", "--model", model]);
        command.arg(format!("--die-with-parent={}", std::process::id()));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening ").expect("the line says where");
        let url = format!("http://{address}");
        Self(child, url)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_keeps_the_contract_conforms() {
    let model = Model::start("event-loop");
    let output = conform(&[&model.1]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ok      the_published_exchanges_hold\n"), "{text}");
    assert!(text.contains("\nIt conforms: 11 of 11 hold, "), "{text}");
}

#[test]
fn a_difference_is_shown_with_its_section_of_the_contract() {
    let model = Model::start("null");
    let except = ["--except", "what_is_no_http_is_refused_and_closed", "--format", "json"];
    let output = conform(&[&except[..], &[&model.1]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON alone on stdout");
    assert_eq!(said["conforms"], false);
    let checks = said["checks"].as_array().expect("a list");
    let find = |name: &str| checks.iter().find(|one| one["check"] == name).expect("it is listed");
    let differs = find("unknown_routes_and_wrong_methods_are_told_apart");
    assert_eq!((&differs["state"], &differs["section"]), (&"differs".into(), &"Routes".into()));
    assert_eq!(differs["expected"], "404 {\"error\":\"..\"}");
    assert_eq!(differs["came"], "200 {\"ok\":true}");
    for left_out in ["what_is_no_http_is_refused_and_closed", "an_event_is_kept_once"] {
        assert_eq!(find(left_out)["state"], "not_made", "{left_out}");
    }
}

#[test]
fn what_cannot_be_started_or_named_is_told() {
    for (arguments, code, said) in [
        (&["./no-such-server"][..], 5, "cannot start ./no-such-server"),
        (&["true"], 5, "listening 127.0.0.1:PORT"),
        (&["http://127.0.0.1:1"], 5, "no server listens at 127.0.0.1:1"),
        (&["http://198.51.100.1"], 2, "is not on this machine"),
        (&["--except", "no_such_check", "true"], 2, "there is no check `no_such_check`"),
        (&[], 2, "COMMAND|URL"),
    ] {
        let output = conform(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
}
