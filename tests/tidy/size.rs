//! One noun per file, and functions that fit a screen.

use crate::source::{Item, Source, all};
use crate::{Breach, expect_none};

/// Lines of a file, tests included.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of `main.rs`: parse, run, exit code.
const MAIN_LINES_MAX: usize = 60;

/// Files that may be longer, and why.
const LONGER: &[(&str, usize, &str)] = &[];

#[test]
fn files_hold_one_noun() {
    expect_none(all().iter().filter_map(too_long).collect());
}

#[test]
fn functions_fit_a_screen() {
    expect_none(all().iter().flat_map(long_functions).collect());
}

#[test]
fn exceptions_are_still_needed() {
    for (path, _, reason) in LONGER {
        let file = all().into_iter().find(|file| file.path == *path);
        let lines = file.map_or(0, |file| file.text.lines().count());
        assert!(lines > FILE_LINES_MAX, "{path} has {lines} lines and needs no leave ({reason})");
    }
}

fn too_long(file: &Source) -> Option<Breach> {
    let lines = file.text.lines().count();
    let leave = LONGER.iter().find(|(path, ..)| *path == file.path).map(|&(_, max, _)| max);
    let max = if file.path == "src/main.rs" { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let max = leave.unwrap_or(max);
    let what = format!("{lines} lines, at most {max}: split it, or give the reason in size.rs");
    (lines > max).then(|| Breach { file: file.path.clone(), line: max + 1, what })
}

fn long_functions(file: &Source) -> Vec<Breach> {
    let lines = file.lines().collect::<Vec<_>>();
    let mut found = Vec::new();
    for (at, &(line, code)) in lines.iter().enumerate() {
        let start = code.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if !["fn ", "async fn ", "const fn "].iter().any(|kind| start.starts_with(kind)) {
            continue;
        }
        let mut item = Item::default();
        let length = 1 + lines[at..].iter().take_while(|(_, code)| !item.ends_with(code)).count();
        if length > FUNCTION_LINES_MAX {
            let what = format!("a function of {length} lines, at most {FUNCTION_LINES_MAX}");
            found.push(Breach { file: file.path.clone(), line, what });
        }
    }
    found
}

#[test]
fn sizes_are_counted() {
    let body = |lines: usize| format!("pub fn f() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
    let file = |text: &str| Source::new("src/x.rs", text);
    assert!(long_functions(&file(&body(FUNCTION_LINES_MAX))).is_empty());
    let found = long_functions(&file(&format!("\n{}", body(FUNCTION_LINES_MAX + 1))));
    assert_eq!(found.iter().map(|breach| breach.line).collect::<Vec<_>>(), [2]);
    assert!(too_long(&file(&"x\n".repeat(FILE_LINES_MAX))).is_none());
    assert!(too_long(&file(&"x\n".repeat(FILE_LINES_MAX + 1))).is_some());
    assert!(too_long(&Source::new("src/main.rs", &"x\n".repeat(MAIN_LINES_MAX + 1))).is_some());
}
