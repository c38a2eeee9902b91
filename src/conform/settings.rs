//! Settings that a server must refuse, with the name of each.

use super::Subject;

pub(super) fn workers_that_share_nothing_are_refused(subject: &dyn Subject) {
    let mut command = subject.command();
    let output = command.env("BAKEOFF_WORKERS", "2").output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
}

pub(super) fn a_database_that_is_not_there_is_a_clear_error(subject: &dyn Subject) {
    let mut command = subject.command();
    command.env("BAKEOFF_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("BAKEOFF_DATABASE_URL"), "{stderr}");
    assert!(stderr.to_ascii_lowercase().contains("refused"), "{stderr}");
}

pub(super) fn settings_that_cannot_be_are_named(subject: &dyn Subject) {
    for (name, value) in [
        ("BAKEOFF_PORT", "65536"),
        ("BAKEOFF_SEED", "x"),
        ("BAKEOFF_SIGNATURE_ROUNDS", "-1"),
        ("BAKEOFF_WORKERS", "0"),
        ("BAKEOFF_POOL", "0"),
    ] {
        let output = subject.command().env(name, value).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {stderr}");
        assert!(stderr.contains(name) && output.stdout.is_empty(), "{name}={value}: {stderr}");
    }
}
