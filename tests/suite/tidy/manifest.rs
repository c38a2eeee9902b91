//! What Cargo.toml asks for is used: each crate that nobody names is built by everybody all the same.

use super::source::{Source, below};
use super::{Breach, expect_none};

#[test]
fn every_dependency_is_named_somewhere() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let files: Vec<Source> = ["src", "tests", "benches"].into_iter().flat_map(below).collect();
    expect_none(unused(&manifest.unwrap(), &files));
}

fn unused(manifest: &str, files: &[Source]) -> Vec<Breach> {
    let mut section = "";
    let mut found = Vec::new();
    for (line, text) in (1..).zip(manifest.lines()) {
        if text.starts_with('[') {
            section = text;
        }
        let Some((name, _)) = text.split_once(" = ") else { continue };
        if !section.ends_with("dependencies]") || text.starts_with(['#', ' ']) {
            continue;
        }
        let path = name.replace('-', "_");
        if !files.iter().any(|file| names(&file.text, &path)) {
            let what = format!("no file names {name}");
            found.push(Breach { file: "Cargo.toml".into(), line, what });
        }
    }
    found
}

/// Whether a path in `text` begins with the crate: `alpha::A`, `use alpha;`.
fn names(text: &str, name: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| {
        let used = line.trim_start().trim_start_matches("pub ").starts_with("use ");
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let own = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
            let after = &line[at + name.len()..];
            own && (after.starts_with("::") || used && after.starts_with(';'))
        })
    })
}

#[test]
fn one_that_nobody_names_is_found() {
    let manifest =
        "[dependencies]\nalpha = \"1\"\nbeta = \"1\"\ngamma-ray = \"1\"\n[features]\nx = []\n";
    let file = Source::new(
        "src/a.rs",
        "use alpha::A;\n// beta::B\nfn f() { my_beta::g(); gamma_ray::h(); return beta; }",
    );
    let lines: Vec<usize> = unused(manifest, &[file]).iter().map(|breach| breach.line).collect();
    assert_eq!(lines, [3]);
}
