//! The step of `action.yml` that takes the scenario from the base, in repositories that want to mislead it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

const ZERO: &str = "0000000000000000000000000000000000000000";

/// The shell of the step.
fn step() -> String {
    let action = concat!(env!("CARGO_MANIFEST_DIR"), "/action.yml");
    let action = fs::read_to_string(action).unwrap();
    let (_, step) = action.split_once("    - name: Take the scenario from the base\n").unwrap();
    let (_, shell) = step.split_once("      run: |\n").unwrap();
    let lines = shell.lines().map_while(|line| line.strip_prefix("        "));
    lines.collect::<Vec<_>>().join("\n")
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=n", "-c", "user.email=n@n"]).args(arguments).current_dir(folder);
    let Output { status, stdout, stderr } = git.output().unwrap();
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

/// What the step ends with and says, told the commit that was pushed.
fn take(folder: &Path, base: &str, head: &str, scenario: &str) -> (Option<i32>, String) {
    outcome(step_in(folder, base, scenario).env("HEAD", head))
}

/// The step without that commit.
fn step_in(folder: &Path, base: &str, scenario: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", &step()]).current_dir(folder);
    bash.env("BASE", base).env_remove("HEAD").env("SCENARIO", scenario);
    bash
}

fn outcome(bash: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = bash.output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

#[test]
fn the_scenario_of_the_base_is_taken_and_nothing_else_is_written() {
    if Command::new("git").arg("--version").output().is_err() {
        crate::skipped("git is not installed");
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let folder = &outer.path().join("repository");
    fs::create_dir_all(folder.join("perf dir")).unwrap();
    git(folder, &["init", "--quiet"]);
    fs::write(folder.join("gate.toml"), "of the root").unwrap();
    fs::write(folder.join("perf dir/gate é.toml"), "of the base").unwrap();
    symlink("gate.toml", folder.join("link.toml")).unwrap();
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "base"]);
    let base = &git(folder, &["rev-parse", "HEAD"]);
    fs::write(folder.join("gate.toml"), "of the head").unwrap();

    for (scenario, taken, text) in [
        ("gate.toml", ".bakeoff-of-base.toml", "of the root"),
        ("./gate.toml", ".bakeoff-of-base.toml", "of the root"),
        ("perf dir/gate é.toml", "perf dir/.bakeoff-of-base.toml", "of the base"),
    ] {
        for base in [base.as_str(), ZERO] {
            let (code, said) =
                take(folder, base, git(folder, &["rev-parse", "HEAD"]).as_str(), scenario);
            assert_eq!(code, Some(0), "{scenario}: {said}");
            assert_eq!(fs::read_to_string(folder.join(taken)).unwrap(), text);
            assert_eq!(
                said.contains("::notice::the push created a branch"),
                base == ZERO,
                "{said}"
            );
        }
    }
    // Without the commit that was pushed it is the one that is checked out.
    fs::remove_file(folder.join(".bakeoff-of-base.toml")).unwrap();
    let without = outcome(&mut step_in(folder, ZERO, "gate.toml"));
    for (code, said) in [without, take(folder, ZERO, "", "gate.toml")] {
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("::notice::the push created a branch"), "{said}");
    }
    let taken = fs::read_to_string(folder.join(".bakeoff-of-base.toml")).unwrap();
    assert_eq!(taken, "of the root");
    let (code, told) = take(folder, &"1".repeat(40), base, "gate.toml");
    assert!(code == Some(2) && told.contains("::error::the base 1111"), "{told}");
    let (code, told) = outcome(&mut step_in(outer.path(), ZERO, "gate.toml"));
    assert!(code == Some(2) && told.contains("::error::no commit is checked out"), "{told}");
    let absolute = folder.join("gate.toml");
    for (base, scenario, says) in [
        ("main", "gate.toml", "base must be a commit"),
        (base, "nope.toml", "the base has no nope.toml"),
        (base, "perf dir", "is not a file in the base"),
        (base, "link.toml", "is not a file in the base"),
        (base, "perf dir/../gate.toml", "inside the repository"),
        (base, absolute.to_str().unwrap(), "inside the repository"),
        (base, "$(touch pwned).toml", "the base has no"),
    ] {
        let (code, said) = take(folder, base, base, scenario);
        assert_eq!(code, Some(2), "{scenario}: {said}");
        assert!(said.starts_with("::error::") && said.contains(says), "{scenario}: {said}");
    }
    assert!(!folder.join("pwned").exists());
    // Links that the head has put where the scenario goes.
    let outside = outer.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let victim = outside.join("victim");
    fs::write(&victim, "untouched").unwrap();
    fs::remove_file(folder.join(".bakeoff-of-base.toml")).unwrap();
    symlink(&victim, folder.join(".bakeoff-of-base.toml")).unwrap();
    assert_eq!(take(folder, base, base, "gate.toml").0, Some(0));
    assert_eq!(fs::read_to_string(folder.join(".bakeoff-of-base.toml")).unwrap(), "of the root");
    fs::remove_dir_all(folder.join("perf dir")).unwrap();
    symlink(&outside, folder.join("perf dir")).unwrap();
    let (code, said) = take(folder, base, base, "perf dir/gate é.toml");
    assert!(code == Some(2) && said.contains("symbolic link"), "{said}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}
