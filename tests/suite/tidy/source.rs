//! Source files as the rules see them: without comments, string literals and tests.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};

pub(crate) struct Source {
    /// Relative to the crate, `src/domain/payment.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Without what is under `#[cfg(test)]`.
    pub(crate) file: syn::File,
    /// Every name, with its line and with all parts of its path: `use a::{b, c::d}` has `a::b` and `a::c::d`.
    pub(crate) names: Vec<(usize, Vec<String>)>,
    /// The modules with files of their own that it declares, and whether for tests only.
    pub(crate) modules: Vec<(String, bool)>,
    /// It is compiled for tests only.
    pub(crate) is_test: bool,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let modules = file.items.iter().filter_map(|item| match item {
            syn::Item::Mod(it) if it.content.is_none() => {
                Some((it.ident.to_string(), is_tested(it)))
            }
            _ => None,
        });
        let modules = modules.collect();
        WithoutTests.visit_file_mut(&mut file);
        let mut names = Vec::new();
        collect(file.to_token_stream(), &[], &mut names);
        Self { path: path.into(), text: text.into(), file, names, modules, is_test: false }
    }

    /// Its path below `src/`.
    pub(crate) fn place(&self) -> &str {
        self.path.strip_prefix("src/").unwrap_or(&self.path)
    }

    /// `domain` of `src/domain/payment.rs`, `units` of `src/units.rs`.
    pub(crate) fn part(&self) -> &str {
        let first = self.place().split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// `["run", "trial"]` of `src/run/trial.rs`, `["run"]` of `src/run/mod.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let path = self.place().trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').filter(|name| *name != "lib").map(str::to_owned).collect()
    }

    /// What its names from `crate`, `self` or `super` lead to, from the crate's root.
    pub(crate) fn imports(&self) -> impl Iterator<Item = (usize, Vec<String>)> {
        let module = self.module();
        self.names.iter().filter_map(move |(line, name)| {
            let up = name.iter().take_while(|part| *part == "super").count();
            let start = match name[0].as_str() {
                "crate" => vec![],
                "self" | "super" => module[..module.len().checked_sub(up)?].to_vec(),
                _ => return None,
            };
            Some((*line, start.into_iter().chain(name[up.max(1)..].iter().cloned()).collect()))
        })
    }
}

/// Every file below `src/`, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let mut files = below("src");
    assert!(files.len() > 100, "the source is not where it was: {} files", files.len());
    let declared = files.iter().flat_map(|file| {
        let tested = file.modules.iter().filter(|(_, is_test)| *is_test);
        tested.map(|(name, _)| [file.module(), vec![name.clone()]].concat())
    });
    let tested: HashSet<Vec<String>> = declared.collect();
    for file in &mut files {
        let module = file.module();
        file.is_test = (1..=module.len()).any(|end| tested.contains(&module[..end]));
    }
    files
}

/// Every file below a folder of the crate, in the order of their paths.
pub(crate) fn below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| !is_tested(item));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_tested(item));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| !is_tested(item));
        visit_mut::visit_item_impl_mut(self, block);
    }
}

/// Whether `#[cfg(test)]` is among the attributes of `item`.
fn is_tested(item: &impl ToTokens) -> bool {
    let mut tokens = item.to_token_stream().into_iter();
    while let Some(TokenTree::Punct(_)) = tokens.next() {
        if tokens.next().is_some_and(|attribute| attribute.to_string() == "[cfg (test)]") {
            return true;
        }
    }
    false
}

/// Adds the names in `tokens`; those of a use tree begin with `prefix`.
fn collect(tokens: TokenStream, prefix: &[String], names: &mut Vec<(usize, Vec<String>)>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut name: Vec<String> = prefix.to_vec();
    let mut colons = 0;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) => {
                if colons < 2 {
                    name = prefix.to_vec();
                }
                name.push(ident.to_string());
                let goes_on = matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == ':'
                    && p.spacing() == proc_macro2::Spacing::Joint);
                if !goes_on {
                    names.push((ident.span().start().line, name.clone()));
                }
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                let tree = colons == 2 && group.delimiter() == Delimiter::Brace;
                let prefix = if tree { name.as_slice() } else { &[] };
                collect(group.stream(), prefix, names);
                colons = 0;
            }
            // `a::*` and `a::<B>` name `a`.
            _ => {
                if colons == 2 && name.len() > prefix.len() {
                    names.push((token.span().start().line, name.clone()));
                }
                (colons, name) = (0, prefix.to_vec());
            }
        }
    }
}
