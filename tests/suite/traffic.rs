//! Loads that rise and fall or come from a file, requests filled in from rows, and bodies that are checked.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

/// Answers everything with `body`, and gives the heads of requests as they come in.
fn server(body: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, seen) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, heads) = (stream.unwrap(), heads.clone());
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                let answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let _ = heads.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    (port, seen)
}

fn bakeoff(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bakeoff")).args(args).output().unwrap()
}

fn drive(port: u16, flags: &[&str]) -> Value {
    let url = format!("http://127.0.0.1:{port}/");
    let common = ["drive", &url, "--format", "json", "--pace", "sleep", "--arrivals", "constant"];
    let output = bakeoff(&[&common, flags].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn number(trial: &Value, path: &str) -> u64 {
    trial.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn a_spike_is_a_stretch_of_a_higher_rate() {
    let (port, _seen) = server("ok");
    let flags = ["--rate", "100/s", "--duration", "600ms", "--spike", "x5@200ms+200ms"];
    let trial = drive(port, &flags);
    assert!((139..=141).contains(&number(&trial, "/requests")), "{trial}");
    let rates: Vec<f64> = trial["load"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["rate"].as_f64().unwrap())
        .collect();
    assert_eq!(rates, [100.0, 500.0, 100.0]);
    let late =
        bakeoff(&[&["drive", "http://127.0.0.1:1/", "--spike", "x5@9s+2s"], &flags[..2]].concat());
    assert_eq!(late.status.code(), Some(2), "{late:?}");
}

#[test]
fn bursts_are_the_same_for_a_seed_and_their_mean_is_the_rate() {
    let (port, _seen) = server("ok");
    let flags = ["--rate", "500/s", "--duration", "1s", "--bursts", "x4@20ms/30ms"];
    let (one, other) = (drive(port, &flags), drive(port, &flags));
    assert_eq!(
        (&one["schedule_hash"], &one["load"]["arrivals"]),
        (&other["schedule_hash"], &"bursty".into())
    );
    // Some twenty bursts: the path's own mean is within a factor of two of the long run's.
    assert!((250..=1_000).contains(&number(&one, "/requests")), "{one}");
    let seed = drive(port, &[&flags[..], &["--seed", "7"]].concat());
    assert_ne!(seed["schedule_hash"], one["schedule_hash"]);
}

#[test]
fn a_file_of_arrivals_is_replayed() {
    let (port, _seen) = server("ok");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl").display().to_string();
    let line = |n: u64| format!("{{\"t\":{},\"ms\":5}}\n", 1_791_640_536_000_u64 + n * 5);
    fs::write(&path, (0..100).map(line).collect::<String>()).unwrap();
    let trial = drive(port, &["--replay", &path, "--replay-time", "t"]);
    assert_eq!(
        (number(&trial, "/requests"), &trial["load"]["arrivals"]),
        (100, &"replayed".into())
    );
    assert!((trial["load"]["rate"].as_f64().unwrap() - 200.0).abs() < 0.01, "{trial}");
    assert_eq!(trial["errors"], serde_json::json!({}));
    // Lines are written when requests end, and the last one of these began as the first one did.
    let ends = (0..100).map(line).collect::<String>();
    fs::write(&path, ends.replace("6495,\"ms\":5}", "6495,\"ms\":500}")).unwrap();
    let names = ["--replay-time", "t", "--replay-duration", "ms"];
    let url = format!("http://127.0.0.1:{port}/");
    let ended =
        bakeoff(&[&["drive", &url, "--replay", &path, "--pace", "sleep"], &names[..]].concat());
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("its lines were put in order of their starts"), "{told}");
    assert!(!told.contains("durations"), "all have one: {told}");
    let unnamed = bakeoff(&["drive", &url, "--replay", &path]);
    let told = String::from_utf8(unnamed.stderr).unwrap();
    assert!(told.contains("line 1: which field") && told.contains("--replay-time"), "{told}");
}

#[test]
fn what_went_over_the_connections_is_counted() {
    let (port, _seen) = server("0123456789");
    let flags = ["--rate", "200/s", "--duration", "500ms", "--connections", "4"];
    let trial = drive(port, &flags);
    let transfer = &trial["transfer"];
    assert_eq!(transfer["answers"], serde_json::json!({ "200": 100 }));
    assert_eq!(number(transfer, "/first_service_ns/n"), 4);
    assert!((transfer["reused_share"].as_f64().unwrap() - 0.96).abs() < 1e-9, "{transfer}");
    // 50 bytes an answer, 200 a second; those on their way at the window's end are not in it.
    let received = transfer["received_bytes_per_s"].as_f64().unwrap();
    assert!((9_000.0..=10_000.0).contains(&received), "{received}");
    assert!(transfer["sent_bytes_per_s"].as_f64().unwrap() >= 200.0 * 30.0, "{transfer}");
    let once = drive(port, &[&flags[..], &["--keepalive", "off"]].concat());
    assert_eq!(number(&once["transfer"], "/first_service_ns/n"), 100);
    assert_eq!(once["transfer"]["reused_share"], 0.0);
}

/// The value of the one sample that begins with `start` and has all of `labels`.
fn sample(text: &str, start: &str, labels: &[&str]) -> f64 {
    let all = |line: &&str| labels.iter().all(|label| line.contains(label));
    let mut found = text.lines().filter(|line| line.starts_with(start)).filter(all);
    let value = found.next().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    let value = value.unwrap_or_else(|| panic!("no {start} {labels:?}: {text}"));
    assert_eq!(found.next(), None, "{start} {labels:?}");
    value
}

#[test]
fn metrics_are_the_figures_of_the_trial() {
    let (port, _seen) = server("ok");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.txt").display().to_string();
    let flags = ["--rate", "400/s", "--duration", "500ms", "--metrics", &path];
    let trial = drive(port, &flags);
    let text = fs::read_to_string(&path).unwrap();
    for part in ["response", "service", "generator_lag"] {
        let times = &trial["by_request"]["GET /"][format!("{part}_ns")];
        let name = format!("bakeoff_{part}_seconds");
        let seconds = sample(&text, &name, &["quantile=\"0.5\""]);
        let nanos = times["p50"].as_f64().unwrap();
        assert!((seconds * 1e9 / nanos - 1.0).abs() < 1e-9, "{name}: {seconds} and {nanos} ns");
        assert_eq!(sample(&text, &format!("{name}_count"), &[]), 200.0);
    }
    assert_eq!(sample(&text, "bakeoff_requests_total", &["request=\"GET /\""]), 200.0);
    assert_eq!(sample(&text, "bakeoff_answers_total", &["status=\"200\""]), 200.0);
    let received = sample(&text, "bakeoff_transfer_bytes_per_second", &["way=\"received\""]);
    assert_eq!(Some(received), trial["transfer"]["received_bytes_per_s"].as_f64());
    // It is not overwritten unless it may be; then every request fails, and no percentile is a time.
    let again = bakeoff(&[&["drive", &format!("http://127.0.0.1:{port}/")], &flags[..]].concat());
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    drive(port, &[&flags[..], &["--force", "--expect-status", "201"]].concat());
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(sample(&text, "bakeoff_failures_total", &["kind=\"bad_status\""]), 200.0);
    assert_eq!(sample(&text, "bakeoff_response_seconds{", &["quantile=\"0.5\""]), f64::INFINITY);
    assert_eq!(sample(&text, "bakeoff_achieved_per_second", &[]), 0.0);
}

#[test]
fn metrics_are_read_by_the_parser_of_prometheus() {
    let Some(python) = crate::python() else { return };
    let (port, _seen) = server("ok");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.txt").display().to_string();
    drive(port, &["--rate", "400/s", "--duration", "500ms", "--metrics", &path]);
    let parse = "import sys\n\
                 try:\n    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
                 except ImportError:\n    sys.exit(77)\n\
                 families = {family.name: family for family in read(open(sys.argv[1]).read())}\n\
                 quantiles = {s.labels.get('quantile') for s in families['bakeoff_response_seconds'].samples}\n\
                 assert '0.5' in quantiles and len(families) == 13, families\n";
    let parsed = Command::new(python).args(["-c", parse, &path]).output().unwrap();
    match parsed.status.code() {
        Some(77) => crate::skipped("there is no prometheus_client for python3"),
        code => assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&parsed.stderr)),
    }
}

#[test]
fn a_wrong_body_is_a_wrong_answer() {
    let (port, _seen) = server("{\"ok\":false}");
    let load = ["--rate", "100/s", "--duration", "300ms", "--expect-body"];
    let wrong = drive(port, &[&load[..], &["json:/ok=true"]].concat());
    assert_eq!(number(&wrong, "/errors/wrong_answer"), 30);
    assert_eq!(wrong["first_errors"]["wrong_answer"], "200: {\"ok\":false}");
    let right = drive(port, &[&load[..], &["contains:false"]].concat());
    assert_eq!(right["errors"], serde_json::json!({}));
}

#[test]
fn a_scenario_has_a_spike_rows_and_a_body() {
    let (port, seen) = server("{\"ok\":true}");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("users.csv"), "id,token\n1,aa\n2,bb\n3,cc\n").unwrap();
    fs::write(
        at("own.toml"),
        format!(
            "schema = 1\nname = \"own\"\ntitle = \"Own\"\nworkload = \"http\"\nrounds = 1\nheadline = \"none\"\n\
             experiment.compare.rates = [\"1200/s\"]\nslo = {{ p99 = \"60ms\" }}\n\
             load.open = {{ duration = \"3s\", spike = \"x1.5@500ms+500ms\", warm_up = \"none\", connections = 256 }}\n\
             claim = [\n\
             {{ text = \"It is back\", metric = \"recovery\", of = \"own\", at_most = \"1s\" }},\n\
             {{ text = \"It keeps up\", metric = \"goodput\", of = \"own\", at_least = \"1000/s\" }},\n\
             ]\n\
             data.users = {{ csv = \"users.csv\" }}\n\
             [[route]]\nname = \"r\"\npath = \"/u/{{users.id}}\"\nexpect_body = \"json:/ok=true\"\n\
             headers = {{ authorization = \"Bearer {{users.token}}\" }}\n\
             [contender.own]\nurl = \"http://127.0.0.1:{port}\"\n"
        ),
    )
    .unwrap();
    let output =
        bakeoff(&["run", &at("own.toml"), "--out", &at("out"), "--metrics", &at("metrics.txt")]);
    let lines = fs::read_to_string(at("out/trials.jsonl"))
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let trial: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(trial["errors"], serde_json::json!({}));
    let disturbed = &trial["timeline"]["fault"];
    let told = disturbed["from_ns"] == 500_000_000 && disturbed["for_ns"] == 500_000_000;
    assert!(told || trial["saturated"] == true, "{disturbed}");
    // From the spike's end on, in a second of 1,000 requests or more.
    assert_eq!(number(&trial, "/recovery/fault_end_ns"), 1_000_000_000);
    assert!(trial["goodput_rps"].as_f64().unwrap() > 0.0);
    let metrics = fs::read_to_string(at("metrics.txt")).unwrap();
    let requests = sample(&metrics, "bakeoff_requests_total", &["round=\"1\"", "trial=\"0\""]);
    assert_eq!(requests, trial["requests"].as_f64().unwrap());
    assert!(metrics.contains("scenario=\"own\",contender=\"own\",level=\"1,200/s\""), "{metrics}");
    assert_eq!(trial["load"]["steps"].as_array().unwrap().len(), 3);
    let heads: Vec<String> = seen.try_iter().filter(|head| head.contains("/u/")).collect();
    for (id, token) in [("1", "aa"), ("2", "bb"), ("3", "cc")] {
        let of = heads.iter().filter(|head| head.starts_with(&format!("GET /u/{id} ")));
        let of: Vec<&String> = of.collect();
        assert!(of.len() > heads.len() / 4, "{} of {}", of.len(), heads.len());
        assert!(of.iter().all(|head| head.contains(&format!("Bearer {token}\r\n"))));
    }
}

#[test]
fn a_contender_may_listen_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let listener = UnixListener::bind(at("app.sock")).unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), count.clone());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    let told = String::from_utf8_lossy(&buffer[..read]).starts_with("GET /x ");
                    count.fetch_add(told.into(), Ordering::SeqCst);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    let text = format!(
        "schema = 1\nname = \"own\"\ntitle = \"Own\"\nworkload = \"http\"\nrounds = 1\n\
         experiment.compare.rates = [\"100/s\"]\n[[route]]\nname = \"r\"\npath = \"/x\"\n\
         [contender.own]\nurl = \"unix:{}\"\n",
        at("app.sock")
    );
    fs::write(at("own.toml"), text).unwrap();
    let output = bakeoff(&["run", &at("own.toml"), "--smoke", "--out", &at("out")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let result: Value = serde_json::from_slice(&fs::read(at("out/result.json")).unwrap()).unwrap();
    let trial = &result["trials"][0];
    assert_eq!(trial["errors"], serde_json::json!({}));
    assert!(number(trial, "/requests") > 0);
    assert!(asked.load(Ordering::SeqCst) >= number(trial, "/requests"));
}
