//! Files: how long they and their functions are, what they are called, and that each is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Breach;
use super::source::{Source, below};
use crate::skipped;

/// Lines of a file without its tests, which stand last.
const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// Folders in which the same type name may be defined.
const FOLDERS_MAX: usize = 2;
/// Types that are still defined in more. One that is no longer is taken off this list; none is added.
const IN_MORE_FOLDERS: &[&str] = &[];
/// Files of tests with another name; none is added.
const OTHER_TESTS: &[&str] = &[
    "backend/memory/interleavings.rs",
    "backend/memory_model.rs",
    "judge/mock.rs",
    "scenario/schema.rs",
];
/// Folders that a command reads or writes as a whole, and files that a tool finds by their names.
const DATA: &[&str] =
    &["contenders/", "fuzz/", "reports/", "snapshots/", ".git", "OFL.txt", "scipy_series.py"];

pub(super) fn long(program: &[Source]) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in program {
        let tests = file.text.find("\n#[cfg(test)]\nmod tests").unwrap_or(file.text.len());
        let lines = file.text[..tests].lines().count();
        let mut breach = |line, what| found.push(Breach { file: file.path.clone(), line, what });
        if lines > FILE_LINES_MAX {
            breach(lines, format!("{lines} lines without tests, at most {FILE_LINES_MAX}"));
        }
        let mut functions = Functions::default();
        functions.visit_file(&file.file);
        for (line, lines) in functions.0.into_iter().filter(|(_, n)| *n > FUNCTION_LINES_MAX) {
            breach(line, format!("a function of {lines} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    found
}

/// The first line of each function's body, and how many lines it has from its signature on.
#[derive(Default)]
struct Functions(Vec<(usize, usize)>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (start, end) = (signature.span().start().line, block.span().end().line);
        self.0.push((start, end + 1 - start));
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

/// Type names that mean too many things.
pub(super) fn types(program: &[Source]) -> Vec<Breach> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in program {
        let folder = Path::new(&file.path).parent().unwrap().display().to_string();
        let types = file.file.items.iter().filter_map(type_name);
        for name in types {
            folders.entry(name).or_default().insert(folder.clone());
        }
    }
    for name in IN_MORE_FOLDERS {
        folders.entry((*name).into()).or_default();
    }
    let mut found = Vec::new();
    for (name, folders) in folders {
        let is_listed = IN_MORE_FOLDERS.contains(&name.as_str());
        let what = match (folders.len() > FOLDERS_MAX, is_listed) {
            (true, false) => format!("type `{name}` is defined in {folders:?}"),
            (false, true) => format!("take `{name}` off the list: it is in {folders:?}"),
            _ => continue,
        };
        found.push(Breach { file: "src".into(), line: 1, what });
    }
    found
}

fn type_name(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Files of tests that are not called so, or others that are.
pub(super) fn misnamed<'a>(files: impl Iterator<Item = &'a Source>) -> Vec<Breach> {
    let is_named = |path: &str| {
        path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
    };
    let wrong = files.filter(|file| file.is_test != is_named(&file.path));
    let wrong = wrong.filter(|file| !OTHER_TESTS.contains(&file.place()));
    let what = |is_test| match is_test {
        true => "is for tests only: call it tests.rs or *_tests.rs, or move it below tests/",
        false => "is called as if it were for tests only",
    };
    let breach = |file: &Source| (file.path.clone(), what(file.is_test).to_owned());
    wrong.map(breach).map(|(file, what)| Breach { file, line: 1, what }).collect()
}

/// A Rust file is declared as a module, another one is named in some file, and a dependency in some path.
pub(super) fn unused<'a>(files: impl Iterator<Item = &'a Source>) -> Vec<Breach> {
    let files: Vec<&Source> = files.collect();
    let mut found = Vec::new();
    let mut breach = |file: &str, what: String| {
        found.push(Breach { file: file.into(), line: 1, what });
    };
    let modules = files.iter().flat_map(|file| {
        file.modules.iter().map(|(name, _)| [file.module(), vec![name.clone()]].concat())
    });
    let modules: BTreeSet<Vec<String>> = modules.collect();
    let roots = ["src/lib.rs", "src/main.rs"];
    for file in files.iter().filter(|file| !roots.contains(&&*file.path)) {
        if !modules.contains(&file.module()) {
            breach(&file.path, "is declared by no module".into());
        }
    }
    let committed = committed();
    for (path, _) in committed.iter().filter(|(path, _)| path.contains('/') && !is_data(path)) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        if !committed.iter().any(|(other, text)| other != path && text.contains(stem)) {
            breach(path, "is named in no other file".into());
        }
    }
    let sources: Vec<Source> = ["src", "tests", "benches"].into_iter().flat_map(below).collect();
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for section in ["dependencies", "dev-dependencies"] {
        for (name, _) in manifest[section].as_table().unwrap() {
            let (path, used) = (format!("{}::", name.replace('-', "_")), format!("use {name};"));
            if !sources.iter().any(|it| it.text.contains(&path) || it.text.contains(&used)) {
                breach("Cargo.toml", format!("no file uses {name}"));
            }
        }
    }
    found
}

fn is_data(path: &str) -> bool {
    path.ends_with(".rs") || DATA.iter().any(|part| path.contains(part))
}

/// The committed files and their texts, without whole folders of data.
fn committed() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = Command::new("git").arg("ls-files").current_dir(root).output();
    let Some(git) = git.ok().filter(|git| git.status.success()) else {
        skipped("this is no git checkout");
        return Vec::new();
    };
    let listed = String::from_utf8(git.stdout).unwrap();
    let paths = listed.lines().filter(|path| !path.starts_with("fuzz/corpus"));
    let paths = paths.filter_map(|path| Some((path, fs::read(root.join(path)).ok()?)));
    paths.map(|(path, text)| (path.into(), String::from_utf8_lossy(&text).into())).collect()
}
