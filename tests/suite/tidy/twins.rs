//! The twins of the backend: an `event_loop.rs` beside a `threads.rs`, with the same functions in the same order.

use syn::visit::{self, Visit};

use super::Breach;
use super::source::Source;

/// The share of the lines of code of two twins that may differ.
const SHARE_MAX: f64 = 0.35;
/// Ten lines, of which the signature and one await differ.
const SMALL: (&str, f64) = ("gateway/", 0.4);
/// Two designs behind one interface, to be read one at a time.
const NO_TWINS: &[&str] = &["backend/runtime/"];

/// Twins with another outline, or with too many lines that differ.
pub(super) fn unlike(program: &[Source]) -> Vec<Breach> {
    let mut found = Vec::new();
    for (a, b) in pairs(program) {
        let mut breach = |what| found.push(Breach { file: a.path.clone(), line: 1, what });
        if outline(a) != outline(b) {
            breach(format!("{:?}, but {}: {:?}", outline(a), b.path, outline(b)));
        }
        let share = differing(&lines(a), &lines(b));
        let max = if a.path.contains(SMALL.0) { SMALL.1 } else { SHARE_MAX };
        if share > max {
            breach(format!("{:.0} % of the lines differ from {}", share * 100.0, b.path));
        }
    }
    found
}

fn pairs(program: &[Source]) -> Vec<(&Source, &Source)> {
    let is_twin = |file: &&Source| {
        file.place().starts_with("backend/")
            && !NO_TWINS.iter().any(|folder| file.place().starts_with(folder))
            && (file.path.ends_with("/event_loop.rs") || file.path.ends_with("/threads.rs"))
    };
    let mut files: Vec<&Source> = program.iter().filter(is_twin).collect();
    files.sort_by_key(|file| file.module().split_last().unwrap().1.to_vec());
    let mut pairs = Vec::new();
    while let Some(b) = files.pop() {
        let a = files
            .pop()
            .filter(|a| a.module().split_last().unwrap().1 == b.module().split_last().unwrap().1);
        pairs.push((a.unwrap_or_else(|| panic!("{} has no twin", b.path)), b));
    }
    assert!(pairs.len() >= 4, "the twins are not where they were");
    pairs
}

/// The names of the functions in their order.
fn outline(file: &Source) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'a> Visit<'a> for Names {
        fn visit_signature(&mut self, signature: &'a syn::Signature) {
            self.0.push(signature.ident.to_string());
            visit::visit_signature(self, signature);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_file(&file.file);
    names.0
}

/// Lines of code as they are written; the comments are compared by eye.
fn lines(file: &Source) -> Vec<&str> {
    let code = file.text.split("\n#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
}

/// The share of lines that have no counterpart in the other file, by the longest common subsequence.
fn differing(a: &[&str], b: &[&str]) -> f64 {
    let mut row = vec![0; b.len() + 1];
    for line in a {
        let mut diagonal = 0;
        for (i, other) in b.iter().enumerate() {
            let above = row[i + 1];
            row[i + 1] = if line == other { diagonal + 1 } else { above.max(row[i]) };
            diagonal = above;
        }
    }
    1.0 - 2.0 * f64::from(row[b.len()]) / (a.len() + b.len()) as f64
}
