//! Tables, outputs and pictures in the documentation, made from committed results.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{documents, read, root};
use crate::skipped;

/// `UPDATE=1 cargo test --test suite -- documents::` writes blocks and pictures anew. With `TOUR=reports/tour/TIME` it takes
/// that run over into `reports/reference/` before.
#[test]
fn blocks_of_figures_are_those_of_the_committed_results() {
    take_tour();
    if !root().join(TOUR).exists() {
        skipped(format!("there is no {TOUR}: what is said of the tour was not compared"));
    }
    let mut blocks = 0;
    for page in documents().iter().filter(|page| page.is_markdown()) {
        let (whole, n) = with_blocks(&page.text);
        blocks += n;
        compare(Path::new(&page.name), whole.as_bytes());
    }
    assert!(blocks > 0, "no page has a block");
    if root().join(TOUR).exists() {
        pictures_of_the_tour();
    }
}

/// A committed file has `content`, or gets it.
fn compare(name: &Path, content: &[u8]) {
    let path = root().join(name);
    match std::env::var_os("UPDATE") {
        Some(_) => fs::write(path, content).unwrap(),
        None => {
            let same = fs::read(path).unwrap() == content;
            assert!(same, "{}: UPDATE=1 makes it anew from the committed results", name.display());
        }
    }
}

const TOUR: &str = "reports/reference/tour/result.json";

fn pictures_of_the_tour() {
    let folder = TempDir::new().unwrap();
    for theme in ["light", "dark"] {
        let name = format!("burst-{theme}.png");
        let made = folder.path().join(&name);
        bakeoff(&format!(
            "bakeoff chart {TOUR} --kind stall --size readme --theme {theme} -o {}",
            made.display()
        ));
        let committed = Path::new(TOUR).with_file_name(&name);
        compare(&committed, &fs::read(made).unwrap());
    }
}

/// Commits the run that the variable `TOUR` names, without what no table and no picture of the documentation shows.
fn take_tour() {
    let Some(folder) = std::env::var_os("TOUR") else { return };
    let text = fs::read_to_string(root().join(folder).join("result.json")).unwrap();
    let mut result: Value = serde_json::from_str(&text).unwrap();
    slim(&mut result);
    fs::write(root().join(TOUR), format!("{result}\n")).unwrap();
}

fn slim(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("hdr_v2");
            // Charts show the timelines of trials that a fault or a burst disturbed.
            if fields.get("timeline").is_some_and(|timeline| timeline["fault"].is_null()) {
                fields.remove("timeline");
            }
            fields.values_mut().for_each(slim);
        }
        Value::Array(values) => values.iter_mut().for_each(slim),
        _ => {}
    }
}

/// A race of the tour as README.md speaks of it.
struct Finding {
    scenario: &'static str,
    metric: &'static str,
    of: &'static str,
    when: &'static str,
    who: &'static str,
    /// `takes **2.86 times the memory** of an event loop`
    clear: fn(&str) -> String,
    noun: &'static str,
}

const FINDINGS: [Finding; 3] = [
    Finding {
        scenario: "tour-waiting",
        metric: "memory",
        of: "thread-per-connection",
        when: "For 1,000 requests that wait 250 ms",
        who: "a thread per connection",
        clear: |times| format!("takes **{times} times the memory** of an event loop"),
        noun: "memory",
    },
    Finding {
        scenario: "tour-payment-10ms",
        metric: "cpu_per_request",
        of: "thread-per-connection",
        when: "For small requests that wait 20 ms",
        who: "a thread per connection",
        clear: |times| format!("takes **{times} times the CPU** of an event loop"),
        noun: "CPU",
    },
    Finding {
        scenario: "tour-burst",
        metric: "goodput",
        of: "thread-pool",
        when: "In a burst of three times the maximum throughput",
        who: "a thread pool",
        clear: |times| {
            format!("answers **{times} times as many requests in time** as an event loop")
        },
        noun: "how many requests they answer in time",
    },
];

fn said_of_the_tour(tour: &Value, what: &str) -> String {
    let text = match what {
        "finding" => FINDINGS.map(|finding| sentence(tour, &finding)).join(" "),
        "setting" => setting(tour),
        _ => panic!("{TOUR}: {what}"),
    };
    filled(&text)
}

fn sentence(
    tour: &Value,
    Finding { scenario, metric, of, when, who, clear, noun }: &Finding,
) -> String {
    let is_it = |c: &&Value| {
        c["scenario"] == *scenario
            && c["metric"] == *metric
            && c["of"] == *of
            && !c["headline_confidence"].is_null()
    };
    let found = tour["comparisons"].as_array().unwrap().iter().find(is_it);
    let found = found.unwrap_or_else(|| panic!("the tour has no {metric} of {scenario}"));
    let times = |key: &str| found[key].as_f64().map_or("-".into(), |it| format!("{it:.2}"));
    let found = match found["verdict"] == "inconclusive" {
        true => format!("{who} and an event loop show **no clear difference** in {noun}"),
        false => format!("{who} {}", clear(&times("ratio"))),
    };
    format!("{when}, {found} ({} to {}).", times("low"), times("high"))
}

fn setting(tour: &Value) -> String {
    let computer = &tour["fingerprint"];
    let model = computer["cpu_model"].as_str().unwrap().replace("(R)", "");
    let comparisons = tour["comparisons"].as_array().unwrap().iter();
    let headlines = comparisons.filter(|c| !c["headline_confidence"].is_null()).count();
    let cores = tour["trials"][0]["placement"]["contender_cores"].as_array().unwrap().len();
    format!(
        "Measured in the tour: {} rounds on {} cores of an {model}, {cores} of them for the service, on {}. The {headlines} \
         intervals hold together at 95 %.",
        tour["rounds"],
        computer["cores"],
        tour["started_utc"].as_str().unwrap().split('T').next().unwrap()
    )
}

/// Lines as long as the others of the documentation.
fn filled(text: &str) -> String {
    let (mut out, mut line) = (String::new(), 0);
    for word in text.split(' ') {
        if line + word.len() > 122 {
            out.push('\n');
            line = 0;
        } else if line > 0 {
            out.push(' ');
        }
        out += word;
        line += word.len() + 1;
    }
    out + "\n"
}

const BLOCK: &str = "\n<!-- from ";
const BLOCK_END: &str = "<!-- end -->";

/// `text` with each block made anew, and how many there are. A block begins with `<!-- from SOURCE -->`, where the source is
///
/// - `bakeoff ARGUMENTS`: what that prints; with ` | head -N` its first lines,
/// - `LEDGER: SCENARIOS`: a row for what decides in each of them,
/// - `TOUR: finding` or `TOUR: setting`: sentences.
///
/// A block of a tour that is not committed stays as it is.
fn with_blocks(text: &str) -> (String, usize) {
    let (mut out, mut blocks, mut rest) = (String::new(), 0, text);
    while let Some(at) = rest.find(BLOCK) {
        let (head, body) = rest[at..].split_once(" -->\n").expect("a block's first line ends");
        let source = &head[BLOCK.len()..];
        let end = body.find(BLOCK_END).unwrap_or_else(|| panic!("{head} has no {BLOCK_END}"));
        let made = match source.split_once(": ") {
            _ if source.contains(TOUR) && !root().join(TOUR).exists() => body[..end].to_owned(),
            Some((TOUR, what)) => said_of_the_tour(&json(TOUR), what),
            Some((ledger, scenarios)) => ledger_table(&json(ledger), scenarios),
            None => format!("```text\n{}```\n", printed(source)),
        };
        out += &format!("{}{head} -->\n{made}", &rest[..at]);
        (rest, blocks) = (&body[end..], blocks + 1);
    }
    (out + rest, blocks)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

/// What a command prints at the root of the repository.
fn printed(command: &str) -> String {
    let (command, lines) = command.split_once(" | head -").unwrap_or((command, "1000"));
    let text = String::from_utf8(bakeoff(command).stdout).unwrap();
    text.lines().take(lines.parse().unwrap()).map(|line| format!("{line}\n")).collect()
}

fn bakeoff(command: &str) -> Output {
    let arguments = command.strip_prefix("bakeoff ").expect(command).split(' ');
    let mut bakeoff = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    let done = bakeoff.args(arguments).current_dir(root()).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

/// The first deciding claim of each scenario, its interval and its bound.
fn ledger_table(ledger: &Value, scenarios: &str) -> String {
    let claims = |ledger: &Value| -> Vec<Value> {
        let rows = ledger["rows"].as_array().into_iter().flatten();
        rows.flat_map(|row| row["claims"].as_array().unwrap().clone()).collect()
    };
    let (claims, second) = (claims(ledger), claims(&ledger["second"]));
    let mut out = String::from(
        "| claim | asked | measured, at 99 % | rounds | verdict | tested with |\n|---|---|---|---:|---|---|\n",
    );
    for scenario in scenarios.split(' ') {
        let decides = |claim: &&Value| claim["scenario"] == scenario && claim["decides"] == true;
        let claim = claims.iter().find(decides);
        let of = &claim.unwrap_or_else(|| panic!("{scenario} decides nothing"))["judgement"];
        let text = |key: &str| of[key].as_str().unwrap().to_owned();
        let reason = text("reason");
        let figure = reason.split(", n = ").next().unwrap();
        let (figure, rounds) = match of["n"].as_u64() {
            Some(0) | None => (reason.split(';').next().unwrap().to_owned(), "-".to_owned()),
            Some(n) => (format!("{figure})"), n.to_string()),
        };
        let asked = reason.rsplit("; asked: ").next().unwrap();
        let (claim, verdict, with) = (text("text"), text("verdict"), text("tested_with"));
        let again = second.iter().filter(decides).map(|other| &other["judgement"]);
        let again =
            again.filter(|other| other["text"] == of["text"]).map(|other| &other["verdict"]);
        let verdict = match again.into_iter().next().and_then(Value::as_str) {
            None => verdict,
            Some(again) if again == verdict => format!("{verdict} (both runs)"),
            Some(again) => format!("differs: {verdict}, then {again}"),
        };
        out += &format!("| {claim} | {asked} | {figure} | {rounds} | {verdict} | {with} |\n");
    }
    out
}

#[test]
fn a_block_is_made_anew_and_the_rest_stays() {
    let ledger = "reports/reference/ledger/ledger.json";
    let page = format!("a{BLOCK}{ledger}: footprint -->\nstale\n{BLOCK_END}\nb\n");
    let (made, blocks) = with_blocks(&page);
    assert_eq!(blocks, 1);
    assert!(made.starts_with("a\n<!-- from") && made.ends_with("|\n<!-- end -->\nb\n"), "{made}");
    assert!(
        !made.contains("stale") && made.contains(" | at most 1x | 0.72x, counted | - | holds | "),
        "{made}"
    );
    assert_eq!(with_blocks(&made), (made.clone(), 1));

    let mut both = json(ledger);
    both["second"] = json(ledger);
    assert!(ledger_table(&both, "footprint").contains("| holds (both runs) |"));
    let mut rows = both["second"]["rows"].as_array_mut().unwrap().iter_mut();
    let row = rows.find(|row| row["claims"][0]["scenario"] == "footprint").unwrap();
    for claim in row["claims"].as_array_mut().unwrap() {
        claim["judgement"]["verdict"] = "fails".into();
    }
    assert!(ledger_table(&both, "footprint").contains("| differs: holds, then fails |"));
}

#[test]
fn the_tours_findings_follow_its_figures() {
    let comparison = |scenario: &str, of: &str, metric: &str, verdict: &str, ratio: f64| {
        json!({
            "scenario": scenario, "of": of, "metric": metric, "verdict": verdict,
            "headline_confidence": 0.99, "ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.1,
        })
    };
    let tour = json!({"comparisons": [
        comparison("tour-waiting", "thread-per-connection", "memory", "higher", 3.0),
        comparison("tour-payment-10ms", "thread-per-connection", "cpu_per_request", "inconclusive", 1.05),
        comparison("tour-burst", "thread-pool", "goodput", "lower", 0.8),
    ]});
    assert_eq!(
        said_of_the_tour(&tour, "finding").replace('\n', " "),
        "For 1,000 requests that wait 250 ms, a thread per connection takes **3.00 times the memory** of an event loop \
         (2.90 to 3.10). For small requests that wait 20 ms, a thread per connection and an event loop show **no clear \
         difference** in CPU (0.95 to 1.15). In a burst of three times the maximum throughput, a thread pool answers \
         **0.80 times as many requests in time** as an event loop (0.70 to 0.90). "
    );
    let mut result = json!({"trials": [
        {"hdr_v2": "x", "n": 1, "timeline": {"fault": null}},
        {"by_request": {"a": {"hdr_v2": "x"}}, "timeline": {"fault": {"what": "burst"}, "windows": []}},
    ]});
    slim(&mut result);
    let left = json!({"trials": [
        {"n": 1},
        {"by_request": {"a": {}}, "timeline": {"fault": {"what": "burst"}, "windows": []}},
    ]});
    assert_eq!(result, left);
}
