//! What comes before a window: pilots, warm-ups, drains and lead-ins, each seen on a server that needs it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers on a connection until it ends; `before` is done for the n-th request of all.
fn answer(mut stream: TcpStream, requests: &AtomicU64, before: &dyn Fn(u64)) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4_096];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {
        before(requests.fetch_add(1, Ordering::SeqCst));
        if stream.write_all(OK).is_err() {
            return;
        }
    }
}

/// Serves every connection with a thread of its own, for ever.
fn serve(listener: &TcpListener, before: Arc<dyn Fn(u64) + Send + Sync>) {
    let requests = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming() {
        let (before, requests) = (Arc::clone(&before), Arc::clone(&requests));
        thread::spawn(move || answer(stream.unwrap(), &requests, &*before));
    }
}

/// A server in this process; gives its URL.
fn server(before: impl Fn(u64) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || serve(&listener, Arc::new(before)));
    format!("http://127.0.0.1:{port}/")
}

fn compute(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// No test: the program that the tests below start as their contender. It computes for longer in its first requests, as a
/// runtime does that compiles what is called often.
#[test]
#[ignore = "a program of other tests"]
fn a_server_that_is_slow_at_first() {
    let [Ok(port), Ok(slow)] = ["PORT", "SLOW"].map(std::env::var) else { return };
    let slow: u64 = slow.parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    // One after the other, where the cold ones are to be more than it can bear.
    let cold = std::env::var("COLD_US").ok().map(|text| text.parse().unwrap());
    let turn = Mutex::new(());
    let before = move |n| {
        let _turn = cold.map(|_| turn.lock());
        compute(Duration::from_micros(if n < slow { cold.unwrap_or(300) } else { 60 }));
    };
    serve(&listener, Arc::new(before));
}

/// A run of that server, which is slow in its first `slow` requests.
fn run(folder: &Path, slow: u64, load: &str, flags: &[&str]) -> Value {
    let program = std::env::current_exe().unwrap();
    let text = format!(
        "schema = 1\nname = \"cold\"\ntitle = \"Slow at first\"\nworkload = \"http\"\nrounds = 1\n\
         experiment.compare.rates = [\"2000/s\"]\nplacement.mode = \"shared\"\n\
         [[route]]\nname = \"get\"\npath = \"/\"\n\
         [contender.cold]\ncommand = [{program:?}, \"--exact\", \"--ignored\", \"--nocapture\", \
         \"warm::a_server_that_is_slow_at_first\"]\n\
         env = {{ PORT = \"{{port}}\", SLOW = \"{slow}\" }}\nready = \"tcp\"\n\
         [slo]\np99 = \"80ms\"\nerror_rate = \"1%\"\n\
         [load.open]\nconnections = 320\nduration = \"1s\"\n{load}\n"
    );
    result_of(folder, &text, flags)
}

/// The result of a scenario's run.
fn result_of(folder: &Path, text: &str, flags: &[&str]) -> Value {
    let file = folder.join("cold.toml");
    std::fs::write(&file, text).unwrap();
    let out = folder.join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["run", file.to_str().unwrap(), "--quiet", "--format", "json"]).args(flags);
    if !flags.contains(&"--resume") {
        command.args(["--force", "--out", out.to_str().unwrap()]);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

fn reasons(trial: &Value) -> String {
    trial["validity"]["reasons"].to_string()
}

#[test]
fn a_pilot_finds_out_when_a_foreign_server_is_warm_and_a_resumed_run_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let result = run(folder.path(), 3_000, "", &[]);
    let pilot = &result["pilots"][0];
    assert_eq!((&pilot["contender"], &pilot["cost"]), (&"cold".into(), &"cpu".into()), "{pilot}");
    let trial = &result["trials"][0];
    // A machine that does other things beside may leave no span like another, or the server no time.
    let Some(warm_after) = pilot["warm_after"].as_u64() else {
        assert!(reasons(trial).contains("may not be warm: its "), "{trial}");
        crate::skipped(format_args!("the machine was too busy for a pilot: {}", reasons(trial)));
        return;
    };
    assert!(pilot["spans"].as_array().unwrap().len() > 12, "{pilot}");
    assert!(warm_after >= 2_000, "{pilot}");
    let requests = pilot["warm_up_requests"].as_u64().unwrap();
    assert_eq!(requests, (warm_after as f64 * 1.5).ceil() as u64);
    let led_in = &trial["led_in"];
    assert_eq!(led_in["answered"], requests, "{led_in}");
    assert!(led_in["lead_in_s"].as_f64().unwrap() >= 0.5);
    assert!(!reasons(trial).contains("may not be warm"), "{trial}");

    let out = folder.path().join("out");
    std::fs::write(out.join("trials.jsonl"), "").unwrap();
    let again = run(folder.path(), 3_000, "", &["--resume", out.to_str().unwrap()]);
    assert_eq!(again["pilots"], result["pilots"]);
    assert_eq!(again["trials"][0]["led_in"]["answered"], requests);
}

#[test]
fn who_fails_while_it_is_cold_is_warmed_up_in_a_closed_loop() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    // Cold it answers 1,000 in a second, and then many times as many.
    let text = format!(
        "schema = 1\nname = \"cold\"\ntitle = \"Slow at first\"\nworkload = \"http\"\nrounds = 1\n\
         experiment.compare.rates = [\"4000/s\"]\nplacement.mode = \"shared\"\n\
         [[route]]\nname = \"get\"\npath = \"/\"\n\
         [contender.cold]\ncommand = [{program:?}, \"--exact\", \"--ignored\", \"--nocapture\", \
         \"warm::a_server_that_is_slow_at_first\"]\n\
         env = {{ PORT = \"{{port}}\", SLOW = \"3000\", COLD_US = \"1000\" }}\nready = \"tcp\"\n\
         [slo]\np99 = \"8ms\"\nerror_rate = \"1%\"\n\
         [load.open]\nconnections = 64\nduration = \"1s\"\ntimeout = \"500ms\"\n"
    );
    let result = result_of(folder.path(), &text, &[]);
    let pilot = &result["pilots"][0];
    assert!(pilot["rate_rps"].is_null(), "{pilot}");
    let counted = |of: &Value, key: &str| of[key].as_u64().unwrap();
    assert!(counted(pilot, "failed") * 100 <= counted(pilot, "answered"), "{pilot}");
    let led_in = &result["trials"][0]["led_in"];
    assert!(counted(led_in, "failed") * 100 <= counted(led_in, "answered"), "{led_in}");
    let told = "`cold` fails at its rate while it is cold, and is warmed up in a closed loop";
    assert!(result["notes"].to_string().contains(told), "{}", result["notes"]);
}

/// They have no pilot, and this is why: as foreign servers, which have one, they are warm by then. Beside a compiler a
/// request's CPU time moves by a quarter, which no margin for a JIT covers.
#[test]
#[ignore = "needs a quiet machine"]
fn the_built_in_models_are_warm_after_a_thousand_requests() {
    let program = env!("CARGO_BIN_EXE_bakeoff");
    let models = ["event-loop", "work-stealing", "thread-per-connection", "thread-pool"];
    let contender = |model: &&str| {
        format!(
            "[contender.{model}]\ncommand = [{program:?}, \"serve\", \"--model\", \"{model}\", \"--workload\", \
             \"payment\"]\n"
        )
    };
    // A machine that does other things beside makes some spans dearer than others.
    let mut left = models.to_vec();
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "schema = 1\nname = \"models\"\ntitle = \"Models\"\nworkload = \"payment\"\nrounds = 1\n\
             headline = \"none\"\nexperiment.compare.rates = [\"2000/s\"]\nrequest.cpu = \"5us\"\n{}[load.open]\nduration = \"100ms\"\n",
            left.iter().map(contender).collect::<String>()
        );
        let result = result_of(folder.path(), &text, &[]);
        let pilots = result["pilots"].as_array().unwrap();
        assert_eq!(pilots.len(), left.len());
        let warm =
            |pilot: &&Value| pilot["warm_after"].as_u64().is_some_and(|after| after <= 1_000);
        let warm: Vec<&Value> =
            pilots.iter().filter(warm).map(|pilot| &pilot["contender"]).collect();
        left.retain(|model| !warm.contains(&&Value::from(*model)));
        if left.is_empty() {
            return;
        }
        eprintln!("not warm in this attempt: {left:?}\n{:#}", result["pilots"]);
    }
    panic!("not warm after 1,000 requests in any attempt: {left:?}");
}

#[test]
fn a_window_of_a_server_that_is_still_warming_up_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let result = run(folder.path(), 600, "warm_up = \"none\"", &[]);
    assert_eq!(result["title"], "Slow at first (cold)");
    // A round that a busy machine spoils is void and says nothing of the contender.
    let trials = result["trials"].as_array().unwrap();
    let Some(trial) = trials.iter().find(|trial| trial["voided"] == false) else {
        crate::skipped(format_args!("the machine was too busy: {}", reasons(&trials[0])));
        return;
    };
    let halves = trial["server"]["cpu_us_per_request_halves"].as_array().unwrap();
    let halves: Vec<f64> = halves.iter().map(|half| half.as_f64().unwrap()).collect();
    assert!(halves[0] > 1.2 * halves[1], "{halves:?}");
    assert!(reasons(trial).contains("still warming up"), "{trial}");
    assert_ne!(trial["validity"]["verdict"], "valid");
    assert!(trial["led_in"].is_null() && result["pilots"].is_null());
}

/// Drives a server and gives the trial.
fn drive(url: &str, flags: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    let output = command.args(["drive", url, "--format", "json", "--quiet"]).args(flags).output();
    let output = output.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// What falls due while the server stops, from its request `first` on, waits for the end of that.
fn stalling(first: u64, time: Duration) -> String {
    let until = Mutex::new(None);
    server(move |n| {
        let end = match n >= first {
            true => *until.lock().unwrap().get_or_insert_with(|| Instant::now() + time),
            false => return,
        };
        thread::sleep(end.saturating_duration_since(Instant::now()));
    })
}

const STEADY: [&str; 8] =
    ["--rate", "400/s", "--arrivals", "constant", "--pace", "sleep", "--warm-up", "500ms"];

#[test]
fn a_stall_in_the_warm_up_is_drained_and_the_lead_in_grows_with_the_slowest_answer() {
    crate::attempts(3, || {
        let url = stalling(100, Duration::from_millis(700));
        let trial = drive(&url, &[&STEADY[..], &["--duration", "1s"]].concat());
        let led_in = &trial["led_in"];
        let seconds = |name: &str| led_in[name].as_f64().unwrap();
        assert_eq!(led_in["answered"], 200, "{led_in}");
        assert!(led_in["slowest_ns"].as_u64().unwrap() >= 600_000_000, "{led_in}");
        assert!((1.2..=10.0).contains(&seconds("lead_in_s")), "{led_in}");
        let failed = trial["errors"].as_object().unwrap().len();
        assert_eq!((&trial["requests"], failed), (&400.into(), 0));
        // It stops until 0.95 s.
        let drained = seconds("drain_s") >= 0.3;
        let holds = drained && !reasons(&trial).contains("a backlog was worked off");
        if holds { Ok(()) } else { Err(trial.to_string()) }
    })
    .unwrap();
}

#[test]
fn a_backlog_from_before_the_window_that_is_worked_off_in_it_is_suspect() {
    crate::attempts(3, || {
        // It stops in the lead-in and a third of a second into the window.
        let url = stalling(250, Duration::from_millis(700));
        let trial = drive(&url, &[&STEADY[..], &["--duration", "1s"]].concat());
        let marked = reasons(&trial).contains("a backlog was worked off");
        assert!(!marked || trial["validity"]["verdict"] != "valid", "{trial}");
        if marked && trial["saturated"] == false { Ok(()) } else { Err(trial.to_string()) }
    })
    .unwrap();
}

#[test]
fn a_server_that_waits_is_not_saturated_by_its_empty_start() {
    let url = server(|_| thread::sleep(Duration::from_millis(50)));
    let load = ["--rate", "1000/s", "--connections", "128", "--duration", "1s", "--pace", "sleep"];
    for warm_up in ["0s", "200ms"] {
        crate::attempts(3, || {
            let trial = drive(&url, &[&load[..], &["--warm-up", warm_up]].concat());
            assert_eq!(trial["led_in"].is_null(), warm_up == "0s", "without a warm-up no lead-in");
            if trial["saturated"] == false { Ok(()) } else { Err(trial.to_string()) }
        })
        .unwrap();
    }
}
