//! Sessions of several requests and a setup, against a server that knows its users.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A shop: `/key` gives the key that `/login` wants, `/login` a token and a cookie, `/basket` an id, and `/pay` needs all
/// three. One login in ten fails if `locked`. Keeps what is wrong with requests.
struct Shop {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    logins: u64,
    paths: Vec<String>,
    paid: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Shop {
    fn open(locked: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let all = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let seen = all.clone();
                thread::spawn(move || attend(&stream.unwrap(), &seen, locked));
            }
        });
        Self { port, seen }
    }
}

fn attend(stream: &TcpStream, seen: &Mutex<Seen>, locked: bool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            let value = head[start..].strip_prefix("content-length: ");
            length = value.map_or(length, |value| value.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        let mut seen = seen.lock().unwrap();
        let (status, headers, text) = answer(&mut seen, &head, &body, locked);
        drop(seen);
        let answer =
            format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{text}", text.len());
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

fn answer(seen: &mut Seen, head: &str, body: &str, locked: bool) -> (u16, String, String) {
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.paths.push(path.split('?').next().unwrap().to_owned());
    let header = |name: &str| {
        let of = |line: &'_ str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
        head.lines().find_map(of).unwrap_or_default()
    };
    match path.split('?').next().unwrap() {
        "/key" => (200, "x-key: k-1\r\n".into(), String::new()),
        "/login" => {
            if header("x-key") != "k-1" {
                seen.wrong.push(format!("no key: {head}"));
            }
            seen.logins += 1;
            if locked && seen.logins.is_multiple_of(10) {
                return (401, String::new(), "{\"error\":\"locked\"}".into());
            }
            let n = seen.logins;
            let cookie = format!("set-cookie: sid=s{n}; Path=/\r\n");
            (200, cookie, format!("{{\"user\":{{\"token\":\"t{n}\"}}}}"))
        }
        "/basket" => {
            let (n, sid) = (header("authorization"), header("cookie"));
            if n.strip_prefix("Bearer t") != sid.strip_prefix("sid=s") {
                seen.wrong.push(format!("another's basket: {head}"));
            }
            (201, String::new(), format!("{{\"id\":{}}}", n.trim_start_matches("Bearer t")))
        }
        "/pay" => {
            let (basket, token) = (path.split('=').nth(1).unwrap(), body);
            if token != format!("{{\"token\":\"t{basket}\"}}") || !seen.paid.insert(body.into()) {
                seen.wrong.push(format!("another's payment: {path} {body}"));
            }
            (200, String::new(), "{\"ok\":true}".into())
        }
        _ => (404, String::new(), String::new()),
    }
}

/// A scenario with the sessions of a shop, of one round.
fn scenario(port: u16, load: &str) -> String {
    format!(
        "schema = 1\nname = \"shop\"\ntitle = \"A shop\"\nworkload = \"http\"\nrounds = 1\n{load}\n\
         [[setup]]\nname = \"key\"\npath = \"/key\"\nextract = {{ entry = \"header:x-key\" }}\n\
         [[session]]\nname = \"buy\"\n\
         [[session.step]]\nname = \"login\"\npath = \"/login\"\nheaders = {{ x-key = \"{{entry}}\" }}\n\
         extract = {{ token = \"json:/user/token\", sid = \"cookie:sid\" }}\n\
         [[session.step]]\nname = \"basket\"\npath = \"/basket\"\nstatus = [201]\nthink = \"20ms\"\n\
         headers = {{ authorization = \"Bearer {{token}}\", cookie = \"sid={{sid}}\" }}\n\
         extract = {{ basket = \"json:/id\" }}\n\
         [[session.step]]\nname = \"pay\"\npath = \"/pay?basket={{basket}}\"\nthink = \"30ms\"\n\
         body = '{{\"token\":\"{{token}}\"}}'\nexpect_body = \"json:/ok=true\"\n\
         [contender.shop]\nurl = \"http://127.0.0.1:{port}\"\nready = \"tcp\"\n"
    )
}

const OPEN: &str = "headline = \"p50\"\nexperiment.compare.rates = [\"500/s\"]\n\
                    [load.open]\narrivals = \"constant\"\nwarm_up = \"none\"\nduration = \"1s\"\n";

fn run(text: &str, flags: &[&str]) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("shop.toml"), folder.path().join("out"));
    fs::write(&file, text).unwrap();
    let args = [&["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()], flags].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_bakeoff")).args(args).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    let result = fs::read(out.join("result.json"))
        .map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    (output.status.code(), result["trials"].clone(), told)
}

fn step<'a>(trial: &'a Value, name: &str) -> &'a Value {
    let steps = trial["by_request"]["buy"]["steps"].as_array().unwrap_or_else(|| panic!("{trial}"));
    steps.iter().find(|step| step["name"] == name).unwrap()
}

#[test]
fn each_session_uses_what_its_own_steps_captured() {
    let shop = Shop::open(false);
    let (_, trials, told) = run(&scenario(shop.port, OPEN), &[]);
    let (all, trial) = (trials.as_array().unwrap_or_else(|| panic!("{told}")).len(), &trials[0]);
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen.wrong, [""; 0], "{told}");
    let setups = seen.paths.iter().filter(|path| *path == "/key").count();
    assert_eq!(setups, all, "once a trial");
    assert_eq!(seen.paths[0], "/key");
    let requests = trial["requests"].as_u64().unwrap();
    assert_eq!(trial["errors"], serde_json::json!({}), "{told}");
    let offered = trial["offered_rps"].as_f64().unwrap();
    assert!((offered - 500.0).abs() < 5.0, "rates are of sessions: {offered}");
    for name in ["login", "basket", "pay"] {
        assert_eq!(step(trial, name)["requests"], requests, "{trial}");
    }
    assert_eq!(trial["transfer"]["answers"]["200"], 2 * requests, "login and pay");
    // A session's time is that of its steps: 50 ms of thinking are no part of it.
    let sum: u64 = ["login", "basket", "pay"]
        .map(|name| step(trial, name)["response_ns"]["mean"].as_f64().unwrap() as u64)
        .iter()
        .sum();
    let mean = trial["response_ns"]["mean"].as_f64().unwrap() as u64;
    assert!(mean.abs_diff(sum) <= sum / 50, "{mean} {sum}");
}

#[test]
fn a_server_that_fails_its_logins_wins_nothing() {
    let shop = Shop::open(true);
    let (_, trials, told) = run(&scenario(shop.port, OPEN), &[]);
    let trial = &trials[0];
    let requests = trial["requests"].as_u64().unwrap();
    let failed = trial["errors"]["bad_status"].as_u64().unwrap();
    assert!(failed.abs_diff(requests / 10) <= 1, "{failed} of {requests}: {told}");
    assert_eq!(step(trial, "login")["errors"]["bad_status"], failed);
    for name in ["basket", "pay"] {
        let of = step(trial, name);
        assert_eq!(of["errors"], serde_json::json!({ "not_reached": failed }), "{name}");
        assert_eq!(
            (&of["requests"], &of["response_ns"]["failures"]),
            (&requests.into(), &failed.into())
        );
    }
    assert_eq!(trial["statuses"], serde_json::json!({ "401": failed }));
    assert_eq!(trial["first_errors"]["bad_status"], "login: 401: {\"error\":\"locked\"}");
    assert_eq!(trial["by_request"]["buy"]["response_ns"]["failures"], failed, "above every time");
    let achieved = trial["achieved_rps"].as_f64().unwrap();
    assert!(achieved <= 0.95 * trial["offered_rps"].as_f64().unwrap(), "{achieved}");
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen.wrong, [""; 0], "no step after a failed one is sent");
}

#[test]
fn a_user_of_a_closed_loop_thinks_too() {
    let shop = Shop::open(false);
    let load = "[load.closed]\nwarm_up = \"none\"\nduration = \"1s\"\nconnections = 4\n";
    let (_, trials, told) = run(&scenario(shop.port, load), &[]);
    let trial = &trials[0];
    assert_eq!(shop.seen.lock().unwrap().wrong, [""; 0], "{told}");
    // Four users, each at least 50 ms a session.
    let requests = trial["requests"].as_u64().unwrap();
    assert!((1..=80).contains(&requests), "{requests}: {told}");
    assert_eq!(step(trial, "pay")["requests"], requests);
}

#[test]
fn a_setup_that_fails_in_a_pilot_loses_the_round_and_the_run_goes_on() {
    let shop = Shop::open(false);
    let load = OPEN.replace("warm_up = \"none\"\n", "");
    let text = scenario(shop.port, &load).replace("path = \"/key\"", "path = \"/nokey\"");
    let (_, trials, told) = run(&text, &[]);
    let validity = &trials[0]["validity"];
    assert_eq!(
        (&validity["lost"], &validity["lost_by"]),
        (&true.into(), &"wrong".into()),
        "{told}"
    );
    assert!(told.contains("`shop` may not be warm: its pilot failed (the setup failed"), "{told}");
}

#[test]
fn what_a_capture_is_missing_in_is_not_told() {
    let shop = Shop::open(false);
    let text = scenario(shop.port, OPEN).replace("json:/user/token", "json:/user/name");
    let (_, trials, told) = run(&text, &[]);
    let first = &trials[0]["first_errors"]["wrong_answer"];
    assert_eq!(*first, "login: no `token` at json:/user/name: 200", "{told}");
}

#[test]
fn a_setup_that_fails_is_told_and_nothing_is_sent() {
    let shop = Shop::open(false);
    let text = scenario(shop.port, OPEN).replace("path = \"/key\"", "path = \"/nokey\"");
    let (code, _, told) = run(&text, &[]);
    assert!(
        code != Some(0) && told.contains("the setup failed (bad_status) at key: key: 404"),
        "{told}"
    );
    assert_eq!(shop.seen.lock().unwrap().logins, 0);
}
