//! `bakeoff bisect`: commits are built once and out of the way, and a version is found among several.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use bakeoff::record::bisect::{Bisection, Likeness, SearchEnd, from_json};

use crate::skipped;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gate/server.py");

const SCENARIO: &str = "\
schema = 1
name = \"greeter\"
title = \"A greeter\"
workload = \"http\"
placement.mode = \"shared\"
[[route]]
name = \"greet\"
path = \"/hello/1\"
[contender.greeter]
command = [\"./greeter\", \"{port}\"]
[load.open]
warm_up = \"300ms\"
duration = \"1s\"
[gate]
rate = \"200/s\"
metrics = [\"cpu_per_request\"]
";

fn bisect(folder: &Path, arguments: &[&str]) -> Output {
    fs::write(folder.join("greeter.toml"), SCENARIO).unwrap();
    // A version stands for it.
    program(&folder.join("greeter"), "#!/bin/sh\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["bisect", "greeter.toml", "--quiet"]).args(arguments).current_dir(folder);
    command.output().unwrap()
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with a commit for each of `contents` of its file `source`, oldest first.
fn repository(contents: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    for content in contents {
        fs::write(folder.path().join("source"), content).unwrap();
        git(folder.path(), &["add", "source"]);
        git(folder.path(), &["commit", "--quiet", "--message", content]);
    }
    folder
}

#[test]
fn commits_are_built_once_in_a_worktree_that_is_gone_at_the_end() {
    let repository = repository(&["one", "two", "broken"]);
    let folder = repository.path();
    let build = "echo x >> ../../../count; ! grep -q broken source && printf '#!/bin/sh\\n' > made \
                 && chmod +x made";
    let of = |good: &str, bad: &str, out: &str| {
        let commits = ["--good", good, "--bad", bad, "--build", build, "--binary", "made"];
        bisect(folder, &[&commits[..], &["--out", out]].concat())
    };
    let output = of("HEAD~2", "HEAD~1", "out");
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("are the same binary"), "{}", stderr(&output));
    let count = || fs::read_to_string(folder.join("count")).unwrap().lines().count();
    assert_eq!(count(), 2);
    let commit = git(folder, &["rev-parse", "HEAD~2"]);
    assert!(folder.join("out/builds").join(commit.trim()).join("made").exists());

    let kept = fs::read_to_string(folder.join("out/bisect.json")).unwrap();
    assert_eq!(from_json(&kept).unwrap().ends, None, "an interrupt could be resumed");

    let output = of("HEAD~1", "HEAD", "other");
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("the last version cannot be built"), "{}", stderr(&output));
    assert_eq!(git(folder, &["worktree", "list"]).lines().count(), 1);

    for (good, bad, said) in [
        ("nothing", "HEAD", "there is no commit `nothing`"),
        ("HEAD", "HEAD~1", "is not an ancestor of"),
        ("HEAD", "HEAD", "at least two versions"),
    ] {
        let output = of(good, bad, "third");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert!(!folder.join("third").exists());
}

#[test]
fn the_binary_of_another_commit_is_not_taken_for_a_build() {
    let repository = repository(&["one", "two"]);
    let build = "grep -q two source || { printf '#!/bin/sh\n' > made && chmod +x made; }";
    let of = |binary: &str, out: &str| {
        let commits = ["--good", "HEAD~1", "--bad", "HEAD", "--build", build];
        bisect(repository.path(), &[&commits[..], &["--binary", binary, "--out", out]].concat())
    };
    let output = of("made", "out");
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("the build made no made"), "{}", stderr(&output));
    for binary in ["/bin/true", "../made"] {
        let output = of(binary, "other");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("is not in the worktree"), "{}", stderr(&output));
    }
}

#[test]
fn a_good_commit_of_a_merged_branch_is_refused() {
    let repository = repository(&["one"]);
    let folder = repository.path();
    git(folder, &["checkout", "--quiet", "-b", "side"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "--message", "side"]);
    git(folder, &["checkout", "--quiet", "-"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "--message", "two"]);
    git(folder, &["merge", "--quiet", "--no-ff", "--message", "merge", "side"]);
    let plan = |good: &str| {
        let commits = ["--good", good, "--bad", "HEAD", "--build", "true", "--binary", "made"];
        bisect(folder, &[&commits[..], &["--plan"]].concat())
    };
    let output = plan("side");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is on a side branch"), "{}", stderr(&output));
    assert_eq!(plan("HEAD~2").status.code(), Some(0));
}

#[test]
fn a_search_is_resumed_only_as_it_was_started() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        program(&folder.path().join(name), "#!/bin/sh\n");
    }
    let of =
        |rest: &[&str]| bisect(folder.path(), &[&["--binaries", "a", "b", "c"], rest].concat());
    let output = bisect(folder.path(), &["--binaries", "a", "nothing", "c", "--out", "other"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot read nothing"), "{}", stderr(&output));
    for how in ["--out", "--resume"] {
        let output = of(&[how, "out"]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert!(stderr(&output).contains("are the same binary"), "{}", stderr(&output));
    }
    let refused = |output: Output| {
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("is of another search"), "{}", stderr(&output));
    };
    refused(of(&["--resume", "out", "--rate", "300/s"]));
    program(&folder.path().join("b"), "#!/bin/sh\n# rebuilt\n");
    refused(of(&["--resume", "out"]));
}

/// Eight greeters, the sixth and later of which compute for longer.
#[test]
#[ignore = "four comparisons of a dozen rounds or more: minutes"]
fn a_version_among_eight_is_found_and_a_search_is_resumed() {
    if Command::new("python3").arg("--version").output().is_err() {
        return skipped("no python3 on PATH");
    }
    let folder = tempfile::tempdir().unwrap();
    let versions: Vec<String> = (1..=8).map(|n| format!("builds/{n}")).collect();
    fs::create_dir(folder.path().join("builds")).unwrap();
    for (n, path) in (1..).zip(&versions) {
        let spin = if n < 6 { 0 } else { 20_000 };
        // No two files are alike.
        let script = format!("#!/bin/sh\n# {n}\nexec python3 {SERVER} \"$@\" --spin {spin}\n");
        program(&folder.path().join(path), &script);
    }
    let paths: Vec<&str> = versions.iter().map(String::as_str).collect();
    let read = || -> Bisection {
        from_json(&fs::read_to_string(folder.path().join("out/bisect.json")).unwrap()).unwrap()
    };
    let output = bisect(folder.path(), &[&["--out", "out", "--binaries"], &paths[..]].concat());
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = read();
    assert_eq!(found.found, Some(SearchEnd::Version(5)));
    for step in &found.steps {
        let expected = if step.version < 5 { Likeness::First } else { Likeness::Last };
        assert_eq!(step.likeness, expected, "{step:?}");
    }

    // What it had found is not compared again.
    let text = fs::read_to_string(folder.path().join("out/bisect.json")).unwrap();
    let kept = Bisection { found: None, ..from_json(&text).unwrap() };
    fs::write(folder.path().join("out/bisect.json"), serde_json::to_string(&kept).unwrap())
        .unwrap();
    let resume = |paths: &[&str]| {
        bisect(folder.path(), &[&["--resume", "out", "--binaries"], paths].concat())
    };
    let output = resume(&paths);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(read(), found);
    let output = resume(&paths[1..]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is of another search"), "{}", stderr(&output));
}
