//! One noun per file, and functions that fit a screen.

use super::source::{Item, Source, all};
use super::{Breach, expect_none};

/// Lines of a file without its tests, which stand last.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of `main.rs`: parse, run, exit code.
const MAIN_LINES_MAX: usize = 60;

#[test]
fn files_hold_one_noun() {
    expect_none(all().iter().filter_map(too_long).collect());
}

#[test]
fn functions_fit_a_screen() {
    expect_none(all().iter().flat_map(long_functions).collect());
}

fn too_long(file: &Source) -> Option<Breach> {
    let tests = file.text.find("\n#[cfg(test)]\nmod ").unwrap_or(file.text.len());
    let lines = file.text[..tests].lines().count();
    let max = if file.path == "src/main.rs" { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let what = format!("{lines} lines without tests, at most {max}: split it");
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
    let tested = "x\n".repeat(FILE_LINES_MAX) + "\n#[cfg(test)]\nmod tests {\n}\n";
    assert!(too_long(&file(&tested)).is_none());
    assert!(too_long(&Source::new("src/main.rs", &"x\n".repeat(MAIN_LINES_MAX + 1))).is_some());
}
