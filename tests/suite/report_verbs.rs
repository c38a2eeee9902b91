//! `bakeoff report` and `bakeoff chart` on a stored result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/result.json")
}

fn bakeoff(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bakeoff")).args(args).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_chart_is_a_picture_and_its_text() {
    let dir = TempDir::new().unwrap();
    let result = stored();
    for (name, kind, start) in [
        #[cfg(feature = "png")]
        ("a.png", "hdr", &b"\x89PNG"[..]),
        ("b.svg", "forest", &b"<svg"[..]),
        #[cfg(feature = "png")]
        ("c.png", "time", &b"\x89PNG"[..]),
    ] {
        let out = dir.path().join(name);
        let args = ["chart", result.to_str().unwrap(), "--kind", kind, "-o", out.to_str().unwrap()];
        let done = bakeoff(&args);
        assert!(done.status.success(), "{kind}: {}", text(&done.stderr));
        assert!(fs::read(&out).unwrap().starts_with(start), "{kind}");
        let beside = fs::read_to_string(out.with_extension("md")).unwrap();
        for part in ["Alternative text: ", "Limits: ", "bakeoff run", "bakeoff chart"] {
            assert!(beside.contains(part), "{kind}: {part}: {beside}");
        }
    }
}

#[cfg(not(feature = "png"))]
#[test]
fn without_the_feature_a_png_is_refused_by_its_name() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("a.png");
    let done = bakeoff(&["chart", stored().to_str().unwrap(), "-o", out.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    let told = text(&done.stderr);
    assert!(told.contains("feature `png`") && told.contains(".svg"), "{told}");
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is written");
}

/// What rendering may take is 200 MiB; 3 s are a release build's, and no clock judges here.
#[test]
fn two_thousand_trials_are_rendered_within_200_mib() {
    let dir = TempDir::new().unwrap();
    let mut result: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(stored()).unwrap()).unwrap();
    let trials = result["trials"].as_array_mut().unwrap();
    let some = trials.clone();
    for n in trials.len()..2_000 {
        let mut trial = some[n % some.len()].clone();
        trial["round"] = (1 + n / some.len()).into();
        trials.push(trial);
    }
    let path = dir.path().join("result.json");
    fs::write(&path, result.to_string()).unwrap();
    let args = ["report", path.to_str().unwrap(), "--out", dir.path().to_str().unwrap()];
    let done = within(200, &args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(dir.path().join("index.html").is_file());
}

/// Runs bakeoff with a limit on the memory of its own that it may have. What asks for more is refused it, and aborts.
fn within(mebibytes: u64, args: &[&str]) -> Output {
    let limited = format!(r#"ulimit -d {} && exec "$@""#, mebibytes << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_bakeoff")]).args(args);
    command.stdout(Stdio::null()).output().unwrap()
}

#[test]
fn what_is_huge_is_refused_with_its_line_and_takes_no_room() {
    let dir = TempDir::new().unwrap();
    let string =
        |megabytes: usize| format!("{{\n\"schema\": \"{}\"}}", "x".repeat(megabytes << 20));
    let numbers = |millions: usize| {
        let more = ",1".repeat(millions << 20);
        format!("{{\n\"schema\": \"bakeoff\", \"trials\": [1{more}]}}")
    };
    let notes = format!("{{\n\"notes\": [{}\"\"]}}", "\"\",".repeat(10 << 20));
    let number = format!("{{\n\"seed\": {}}}", "1".repeat(30 << 20));
    for (name, written, said) in [
        ("result.json", &string(30), "line 2 has a string of over"),
        ("ledger.json", &string(30), "line 2 has a string of over"),
        ("larger.json", &string(33), "it has more than 33554432 bytes"),
        ("numbers.json", &numbers(1), "this is `bakeoff`"),
        ("more-numbers.json", &numbers(10), "line 2 has element number 2097153"),
        ("notes.json", &notes, "line 2 has string number 1048577"),
        ("number.json", &number, "line 2 has a number of over 32 digits"),
        ("history.jsonl", &string(24).replace('\n', ""), "line 1 has a string of over"),
        ("empty.jsonl", &"{}\n".repeat(10 << 20), "line 1 is not a line of a history"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, written).unwrap();
        let done = within(50, &["report", path.to_str().unwrap()]);
        let told = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{name}: {told}");
        assert!(told.contains(said), "{name}: {told}");
    }
}

#[test]
fn a_chart_without_data_is_refused_with_what_it_needs() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("a.png");
    let (result, out) = (stored(), out.to_str().unwrap().to_owned());
    let chart = |more: &[&str]| {
        let args = [&["chart", result.to_str().unwrap(), "-o", &out], more].concat();
        bakeoff(&args)
    };
    for (more, wanted) in [
        (&["--kind", "map"][..], "does not have the data of a `map` chart"),
        (&["--kind", "hdr", "--only", "nothing-like-it"], "has `nothing-like-it` in its name"),
        (
            &["--of", "event-loop", "--versus", "nobody"],
            "does not have the data of a `forest` chart",
        ),
    ] {
        let done = chart(more);
        assert_eq!(done.status.code(), Some(2));
        assert!(text(&done.stderr).contains(wanted), "{}", text(&done.stderr));
    }
    let args = ["chart", result.to_str().unwrap(), "-o", "a.gif"];
    assert!(text(&bakeoff(&args).stderr).contains("end it in .png or .svg"));
    for nameless in [".png", "./.svg"] {
        let told = text(&bakeoff(&["chart", result.to_str().unwrap(), "-o", nameless]).stderr);
        assert!(told.contains(&format!("{nameless} has no name before its ending")), "{told}");
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn what_is_no_result_is_described_and_a_byte_order_mark_is_passed_over() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("result.json");
    let report = |text: &str| {
        fs::write(&path, text).unwrap();
        bakeoff(&["report", path.to_str().unwrap()])
    };
    let whole = fs::read_to_string(stored()).unwrap();
    let marked = report(&format!("\u{feff}{whole}"));
    assert_eq!(text(&marked.stdout), text(&report(&whole).stdout), "{}", text(&marked.stderr));
    assert!(marked.status.success());
    for (written, told) in [
        ("", "is not a result: it is empty"),
        ("[]", "is not a result: it is a list, and an object is wanted"),
        (&whole[..1_000], "is not a result: it ends in the middle at line 1 column"),
    ] {
        let done = report(written);
        let said = text(&done.stderr);
        assert!(done.status.code() == Some(2) && said.contains(told), "{said}");
    }
}

#[test]
fn a_report_is_read_again() {
    let dir = TempDir::new().unwrap();
    let result = stored();
    let (result, out) = (result.to_str().unwrap(), dir.path().to_str().unwrap());
    let done = bakeoff(&["report", result, "--out", out]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for file in ["index.html", "summary.md", "charts"] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
    let json = bakeoff(&["report", result, "--format", "json"]);
    let again = dir.path().join("result.json");
    fs::write(&again, &json.stdout).unwrap();
    let markdown = bakeoff(&["report", out, "--format", "markdown"]);
    assert_eq!(text(&markdown.stdout), fs::read_to_string(dir.path().join("summary.md")).unwrap());
}

#[test]
fn unlike_results_stand_beside_each_other_only_when_asked() {
    let dir = TempDir::new().unwrap();
    let result = stored();
    let other = dir.path().join("result.json");
    let moved = fs::read_to_string(&result).unwrap().replace("\"cores\":2", "\"cores\":64");
    fs::write(&other, moved).unwrap();
    let (result, other) = (result.to_str().unwrap(), dir.path().to_str().unwrap());
    let same = bakeoff(&["report", result, result]);
    assert!(same.status.success(), "{}", text(&same.stderr));
    assert!(text(&same.stdout).contains("no evidence"));
    let refused = bakeoff(&["report", result, other]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(text(&refused.stderr).contains("cores 2 and 64"), "{}", text(&refused.stderr));
    let allowed = bakeoff(&["report", result, other, "--allow-mismatch"]);
    assert!(allowed.status.success());
    assert!(text(&allowed.stdout).contains("Unlike: cores 2 and 64"));
    let written = bakeoff(&["report", result, result, "--out", other]);
    assert_eq!(written.status.code(), Some(2), "{}", text(&written.stdout));
}

#[test]
fn two_ledgers_say_which_verdicts_differ() {
    let dir = TempDir::new().unwrap();
    let reference =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/reference/ledger/ledger.json");
    let mut ledger: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&reference).unwrap()).unwrap();
    ledger["fingerprint"]["kernel"] = "another".into();
    let row = &mut ledger["rows"][0];
    assert_eq!(row["verdict"], "holds");
    row["verdict"] = "fails".into();
    let second = dir.path().join("ledger.json");
    fs::write(&second, ledger.to_string()).unwrap();
    let out = dir.path().join("both");
    let [reference, second, out] = [&reference, &second, &out].map(|path| path.to_str().unwrap());
    let done = bakeoff(&["report", reference, second, "--out", out]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let written = fs::read_to_string(Path::new(out).join("ledger.md")).unwrap();
    assert!(written.contains("| differs between machines: holds, then fails |"), "{written}");
    assert!(written.contains("(both runs)"), "{written}");
    // What was written is a ledger again, with both runs.
    let again = bakeoff(&["report", out, "--format", "markdown"]);
    assert_eq!(text(&again.stdout), written);
    let mixed = bakeoff(&["report", reference, stored().to_str().unwrap()]);
    assert_eq!(mixed.status.code(), Some(2), "{}", text(&mixed.stdout));
}

#[test]
fn a_chart_overwrites_nothing_that_it_did_not_write() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    let result = stored();
    let chart = |more: &[&str]| {
        let out = path("README.svg");
        let args = ["chart", result.to_str().unwrap(), "-o", out.to_str().unwrap()];
        let done = bakeoff(&[&args[..], more].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    fs::write(path("README.md"), "# By hand\n").unwrap();
    let (code, told) = chart(&[]);
    assert!(code == Some(0) && told.contains("--note FILE"), "{told}");
    assert_eq!(read("README.md"), "# By hand\n");
    // What it wrote itself may be written again, and a text goes where it is asked to.
    let note = path("note.md");
    for _ in 0..2 {
        let (code, told) = chart(&["--note", note.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{told}");
    }
    assert!(read("note.md").contains("Alternative text: "));
    let other = path("README.md");
    let (code, told) = chart(&["--note", other.to_str().unwrap()]);
    assert!(code == Some(2) && told.contains("--force"), "{told}");
    fs::write(path("README.svg"), "<svg>by hand</svg>").unwrap();
    assert_eq!(chart(&[]).0, Some(2));
    assert_eq!(read("README.svg"), "<svg>by hand</svg>");
    assert_eq!(chart(&["--force"]).0, Some(0));
    // Nor does a page.
    fs::write(path("summary.md"), "by hand").unwrap();
    let page = |more: &[&str]| {
        let args = ["report", result.to_str().unwrap(), "--out", dir.path().to_str().unwrap()];
        bakeoff(&[&args[..], more].concat()).status.code()
    };
    assert_eq!(page(&[]), Some(2));
    assert!(read("summary.md") == "by hand" && !path("index.html").exists());
    assert_eq!((page(&["--force"]), page(&[])), (Some(0), Some(0)), "then it is its own");
}

#[test]
fn what_is_no_regular_file_or_too_large_is_refused_at_once() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    for (name, length) in [("huge.json", 100 << 20), ("huge.toml", 200 << 20)] {
        fs::File::create(path(name)).unwrap().set_len(length).unwrap();
    }
    let (pipe, json, toml) = (path("pipe"), path("huge.json"), path("huge.toml"));
    let out = path("a.svg");
    for (args, wanted) in [
        (&["report", &pipe][..], "regular file"),
        (&["report", "/dev/zero"], "regular file"),
        (&["chart", &pipe, "-o", &out], "regular file"),
        (&["run", &pipe], "regular file"),
        (&["run", "/dev/zero"], "regular file"),
        (&["gate", &pipe], "regular file"),
        (&["report", &json], "more than"),
        (&["run", &toml], "more than"),
        (&["drive", "http://127.0.0.1:1/", "--body", &format!("@{pipe}")], "regular file"),
    ] {
        let done = bakeoff(args);
        let told = text(&done.stderr);
        assert!(done.status.code() == Some(2) && told.contains(wanted), "{args:?}: {told}");
    }
}
