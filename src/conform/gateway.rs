//! Two upstream calls at once, joined.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};

use serde_json::json;

use super::Subject;
use super::client::RawClient;
use super::server::TestedServer;

/// The upstream's answer for `id`, or its refusal of what ends with 9.
fn answer(id: u64) -> String {
    let (status, body) = match id % 10 {
        9 => ("500 Internal TestedServer Error", json!({"error": "out of order"})),
        8 => ("200 OK", json!({"id": id})),
        _ => ("200 OK", json!({"id": id, "value": id * 7})),
    };
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// An upstream that answers nothing before two requests have come: a gateway that asks one by one waits for ever.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let both = Arc::new(Barrier::new(2));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, both) = (stream.unwrap(), Arc::clone(&both));
            std::thread::spawn(move || serve(&stream, &both));
        }
    });
    url
}

fn serve(stream: &TcpStream, both: &Barrier) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(start) = lines.next() {
        let id = start.strip_prefix("GET /upstream/").and_then(|rest| rest.split(' ').next());
        let id = id.unwrap_or_else(|| panic!("the upstream was asked {start:?}")).parse().unwrap();
        lines.by_ref().find(|line| line.is_empty());
        both.wait();
        let mut stream = stream;
        stream.write_all(answer(id).as_bytes()).unwrap();
    }
}

pub(super) fn two_upstream_answers_are_joined(subject: &dyn Subject) {
    let (_server, mut client) = with_upstream(subject, &upstream());
    for id in [1_u64, 2, 1, 70_000] {
        let values = json!([id * 7, (id + 1) * 7]);
        client.get(&format!("/gateway/{id}")).expect(200, json!({"id": id, "values": values}));
    }
    // One of the two fails, then both: status 500, no value.
    for id in [8, 7, 9] {
        client.get(&format!("/gateway/{id}")).expect_error(502);
    }
    for odd in ["x", "-1", "1.0", "9007199254740991"] {
        client.get(&format!("/gateway/{odd}")).expect_error(404);
    }
    client.post("/gateway/1", "{}").expect_error(405);
}

pub(super) fn without_an_upstream_there_is_no_gateway(subject: &dyn Subject) {
    let server = TestedServer::start(subject);
    RawClient::to(&server).get("/gateway/1").expect_error(404);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_server, mut client) = with_upstream(subject, &format!("http://{nobody}"));
    client.get("/gateway/1").expect_error(502);
}

/// A server of a contender that calls `upstream`.
fn with_upstream(subject: &dyn Subject, upstream: &str) -> (TestedServer, RawClient) {
    let mut command = subject.command();
    command.env("BAKEOFF_PORT", "0").env("BAKEOFF_UPSTREAM_URL", upstream);
    let server = TestedServer::launch(subject, command);
    let client = RawClient::to(&server);
    (server, client)
}
