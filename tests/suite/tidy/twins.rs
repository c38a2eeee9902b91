//! The twins of the services: the same functions in the same order, and most lines the same.

use super::source::{Item, Source, all};
use super::{Breach, expect_none};

/// The folders that have twins, and the share of their lines of code that may differ.
const TWINS: &[(&str, f64)] = &[
    ("backend/services/payment", 1.0 / 3.0),
    ("backend/services/loyalty", 1.0 / 3.0),
    ("backend/services/app", 1.0 / 3.0),
    ("backend/services/webhook", 1.0 / 3.0),
    // Ten lines, of which the signature and one await differ.
    ("backend/services/gateway", 0.4),
];

#[test]
fn twins_have_the_same_outline() {
    for (a, b) in pairs() {
        let (outline_a, outline_b) = (outline(&a), outline(&b));
        assert_eq!(outline_a, outline_b, "{} and {}: functions and their order", a.path, b.path);
    }
}

#[test]
fn twins_differ_in_few_lines() {
    let wrong = pairs().into_iter().zip(TWINS).filter_map(|((a, b), (folder, bound))| {
        let share = differing(&a, &b);
        println!("{folder}: {:.0} % of the lines of code differ", share * 100.0);
        let what = format!("{:.0} % of the lines differ from {}", share * 100.0, b.path);
        (share > *bound).then(|| Breach { file: a.path.clone(), line: 1, what })
    });
    expect_none(wrong.collect());
}

/// Every folder that has twins is in the list, so that new ones cannot escape it.
#[test]
fn all_twins_are_known() {
    for file in all().iter().filter(|file| file.path.ends_with("/event_loop.rs")) {
        let folder = file.place().trim_end_matches("/event_loop.rs");
        assert!(TWINS.iter().any(|(name, _)| *name == folder), "{folder} is in no list");
    }
}

fn pairs() -> Vec<(Source, Source)> {
    let mut files = all();
    let mut take = |path: String| {
        let at = files.iter().position(|file| file.place() == path);
        files.swap_remove(at.unwrap_or_else(|| panic!("src/{path} is missing")))
    };
    let both = |(folder, _): &(&str, f64)| {
        (take(format!("{folder}/event_loop.rs")), take(format!("{folder}/threads.rs")))
    };
    TWINS.iter().map(both).collect()
}

/// The names of the functions in their order, without items whose comment starts with "Differs:".
fn outline(file: &Source) -> Vec<String> {
    let mut names = Vec::new();
    let mut skipped: Option<Item> = None;
    let mut differs = false;
    for (text, code) in file.text.lines().zip(file.code.lines()) {
        if let Some(item) = &mut skipped {
            if item.ends_with(code) {
                skipped = None;
            }
            continue;
        }
        let comment = text.trim_start().trim_start_matches(['/', '!']).trim_start();
        if text.trim_start().starts_with("//") {
            differs |= comment.starts_with("Differs:");
            continue;
        }
        // Attributes stand between a comment and its item.
        if code.trim().is_empty() || code.trim_start().starts_with("#[") {
            continue;
        }
        if std::mem::take(&mut differs) {
            let mut item = Item::default();
            if !item.ends_with(code) {
                skipped = Some(item);
            }
            continue;
        }
        names.extend(function(code));
    }
    names
}

/// The name of the function that starts on this line.
fn function(code: &str) -> Option<String> {
    let at = code.find("fn ").filter(|&at| at == 0 || code[..at].ends_with([' ', '(']))?;
    let name = code[at + 3..].trim_start();
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    (end > 0).then(|| name[..end].to_owned())
}

/// The share of the lines of code of both files that have no counterpart in the other, in order.
fn differing(a: &Source, b: &Source) -> f64 {
    let (a, b) = (trimmed(a), trimmed(b));
    let all = (a.len() + b.len()).max(1);
    1.0 - 2.0 * common(&a, &b) as f64 / all as f64
}

/// Lines of code as they are written, string literals included; the comments are compared by eye.
fn trimmed(file: &Source) -> Vec<&str> {
    let both = file.text.lines().zip(file.code.lines());
    both.filter(|(_, code)| !code.trim().is_empty()).map(|(text, _)| text.trim()).collect()
}

/// The length of the longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for line in a {
        let mut diagonal = 0;
        for (i, other) in b.iter().enumerate() {
            let above = row[i + 1];
            row[i + 1] = if line == other { diagonal + 1 } else { above.max(row[i]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[test]
fn an_outline_leaves_out_what_differs() {
    let file = |text| Source::new("src/backend/x/threads.rs", text);
    let text = "
/// First.
pub(crate) async fn one(f: impl Fn(u8)) -> u8 {
    fn two() {}
}
/// Differs: the other has no pool.
#[inline]
fn three() {
    fn inner() {}
}
// Differs: here as well.
impl A {
    fn four() {}
}
impl B {
    fn five(&self) { let fn_x = \"fn six() {}\"; }
}
#[cfg(test)]
mod tests { fn seven() {} }
";
    assert_eq!(outline(&file(text)), ["one", "two", "five"]);
    let other = text.replace("fn two", "fn new");
    assert_ne!(outline(&file(text)), outline(&file(&other)));
}

#[test]
fn the_share_of_differing_lines_is_counted() {
    let file = |text| Source::new("src/x.rs", text);
    let (a, b) = (file("a;\nb;\nc;\n// x\n"), file("a;\n\nc;\nd;\ne;\nf;\n"));
    assert_eq!(differing(&a, &a), 0.0);
    assert_eq!(differing(&a, &b), 0.5, "2 of 3 and 2 of 5 lines are common");
    assert_eq!(differing(&a, &file("z;")), 1.0);
    assert_eq!(common(&["a", "b", "c"], &["c", "b", "a"]), 1, "order counts");
}
