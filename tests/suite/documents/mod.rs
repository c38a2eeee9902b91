//! What people read: words that the documentation does not use, links that lead somewhere, and figures that are those of
//! the committed results. `readme` runs the commands.

mod figures;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use tempfile::TempDir;

use crate::tidy::source::Source;
use crate::tidy::{Breach, expect_none};

/// Words and phrases in lower case, and what to write instead. A star at the end stands for any ending.
const BANNED: &[(&str, &str)] = &[
    ("affair*", "say what it can or cannot do"),
    ("all the same", "anyway, or leave it out"),
    ("amongst", "among"),
    ("anew", "again"),
    ("anybody", "name the subject"),
    ("anyone*", "any service, any server"),
    ("as ever", "unchanged"),
    ("be it", "for example"),
    ("bears", "sustains, has"),
    ("broken off", "ended early"),
    ("coin", "randomized"),
    ("colour*", "style: async or threaded"),
    ("craft", "implementation quality"),
    ("dealt out", "assigned"),
    ("dear", "expensive"),
    ("dearer", "more expensive"),
    ("dial*", "configure, given"),
    ("drown*", "overloaded"),
    ("everybody", "name the subject"),
    ("fit to measure", "suitable for benchmarks"),
    ("flatter*", "make look better"),
    ("flip*", "change"),
    ("go on with", "continue"),
    ("goes on", "continues"),
    ("gravest", "most severe"),
    ("hitherto", "so far"),
    ("in coin order", "in randomized order"),
    ("in hand", "in progress"),
    ("in the mean", "on average"),
    ("is told", "is reported"),
    ("knows nothing of", "any"),
    ("leash", "control pipe"),
    ("lest", "so that .. not"),
    ("likeliest", "most likely"),
    ("mend*", "fix"),
    ("nobody", "name the subject"),
    ("of its own accord", "automatically"),
    ("nought", "0, or none"),
    ("now and then", "occasionally, or how often"),
    ("occasions", "times, runs"),
    ("ought", "should"),
    ("restless*", "noisy"),
    ("rings", "detects"),
    ("seldom", "rarely"),
    ("shall", "must, or the present tense"),
    ("so many requests", "that many requests"),
    ("somebody", "name the subject"),
    ("sooner", "earlier, faster"),
    ("spoil*", "invalidate"),
    ("stand still", "stop"),
    ("stands still", "stops"),
    ("throw-away", "temporary"),
    ("thrown away", "discarded"),
    ("told apart", "distinguished"),
    ("turn round", "change"),
    ("turn the answer round", "change the answer"),
    ("unlike machines", "different machines"),
    ("upwards", "increasing"),
    ("whatever else", "also"),
    ("whereof", "of which"),
    ("whilst", "while"),
    ("whoever", "name the subject"),
    ("wont", "usual"),
];

/// Lines of README.md: what a reader with ten minutes gets through.
const README_LINES_MAX: usize = 150;

#[test]
fn documents_use_plain_words() {
    expect_none(documents().iter().flat_map(banned).collect());
}

#[test]
fn help_uses_plain_words() {
    expect_none(help().iter().flat_map(banned).collect());
}

/// Banned words in what the program prints: its string literals of several words.
pub(crate) fn mannered(program: &[Source]) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in program {
        let mut literals = Vec::new();
        collect(file.file.to_token_stream(), &mut literals);
        for (line, text) in literals.into_iter().filter(|(_, text)| text.contains(' ')) {
            let breaches = banned(&Document { name: file.path.clone(), text });
            found.extend(breaches.into_iter().map(|breach| Breach { line, ..breach }));
        }
    }
    found
}

/// The string literals of `tokens` with their lines, doc comments left out.
fn collect(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next_if(|next| next.to_string() == "!");
                tokens.next_if(|next| next.to_string().starts_with("[doc"));
            }
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.push((line, text.value()));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let pages: Vec<Document> = documents().into_iter().filter(Document::is_markdown).collect();
    expect_none(pages.iter().flat_map(dead_links).collect());
}

#[test]
fn bold_type_ends_where_it_should() {
    for page in documents().iter().filter(|page| page.is_markdown()) {
        let prose = page.prose().into_iter().map(|(_, line)| line + "\n").collect::<String>();
        for paragraph in prose.replace("\n- ", "\n\n").split("\n\n") {
            let marks = paragraph.matches("**").count();
            assert!(marks.is_multiple_of(2), "{}: {paragraph}", page.name);
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines, at most {README_LINES_MAX}");
}

/// Scenarios in full are read as they stand, beside programs that do nothing.
#[test]
fn scenarios_in_the_documents_are_valid() {
    let mut scenarios = 0;
    for page in documents().iter().filter(|page| page.is_markdown()) {
        for text in page.text.split("```toml\n").skip(1) {
            let text = text.split("```").next().unwrap_or_default();
            if !text.starts_with("schema") {
                continue;
            }
            scenarios += 1;
            let dir = TempDir::new().unwrap();
            programs(dir.path(), text);
            fs::write(dir.path().join("my.toml"), text).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
            let done =
                command.args(["run", "my.toml", "--plan"]).current_dir(&dir).output().unwrap();
            let stderr = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(0), "{}: {text}\n{stderr}", page.name);
        }
    }
    assert!(scenarios > 0, "no page has a whole scenario");
}

struct Document {
    name: String,
    text: String,
}

impl Document {
    fn is_markdown(&self) -> bool {
        self.name.ends_with(".md")
    }

    /// Its prose by lines: of a Markdown file without what the tool printed and without `code`, of a TOML file comments,
    /// titles and statements, of another all of it.
    fn prose(&self) -> Vec<(usize, String)> {
        let mut printed = false;
        let mut prose = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            if line.starts_with("```") {
                printed = line == "```text";
            } else if self.name.ends_with(".toml") {
                let said = line.starts_with("title ") || line.starts_with("text ");
                let comment = line.split_once('#').map(|(_, comment)| comment);
                let text = if said { Some(line) } else { comment };
                prose.extend(text.map(|text| (number, text.to_owned())));
            } else if !printed {
                prose.push((number, without_code(line)));
            }
        }
        prose
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn documents() -> Vec<Document> {
    let mut names: Vec<String> = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRACT.md",
        "CONTRIBUTING.md",
        "action.yml",
        "benches/peers/README.md",
        "contracts/schema.sql",
        "fuzz/README.md",
        "reports/README.md",
        "templates/my-service.toml",
    ]
    .map(str::to_owned)
    .to_vec();
    for (folder, endings) in [
        ("docs", &["md"][..]),
        ("docs/examples", &["toml", "yml"]),
        ("docs/examples/cluster", &["sh", "toml", "yml"]),
        ("contenders", &["md"]),
        ("scenarios", &["toml"]),
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if endings.contains(&ending) {
                names.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names.into_iter().map(|name| Document { text: read(&name), name }).collect()
}

/// The first screen, and the help of each verb that is not hidden.
fn help() -> Vec<Document> {
    let mut cli = bakeoff::cli::command();
    let page = |command: &mut clap::Command| Document {
        name: format!("{} --help", command.get_name()),
        text: command.render_long_help().to_string(),
    };
    let mut pages = vec![page(&mut cli)];
    pages.extend(cli.get_subcommands_mut().filter(|verb| !verb.is_hide_set()).map(page));
    pages
}

fn banned(document: &Document) -> Vec<Breach> {
    let mut words: Vec<(usize, String)> = Vec::new();
    for (number, line) in document.prose() {
        let split = line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'');
        words.extend(split.filter(|w| !w.is_empty()).map(|word| (number, word.to_lowercase())));
    }
    let mut found = Vec::new();
    for (phrase, instead) in BANNED {
        let phrase_words: Vec<&str> = phrase.split(' ').collect();
        for part in words.windows(phrase_words.len()) {
            if part.iter().zip(&phrase_words).all(|((_, word), banned)| is(word, banned)) {
                let what = format!("\"{phrase}\": write {instead}");
                found.push(Breach { file: document.name.clone(), line: part[0].0, what });
            }
        }
    }
    found
}

fn is(word: &str, banned: &str) -> bool {
    banned.strip_suffix('*').map_or(word == banned, |start| word.starts_with(start))
}

/// `line` without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Links to files and headings that are not there, and names of files between backticks.
fn dead_links(page: &Document) -> Vec<Breach> {
    let folder = Path::new(&page.name).parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, text) in (1..).zip(page.text.lines()) {
        fenced ^= text.starts_with("```");
        if fenced || text.starts_with("    ") {
            continue;
        }
        let targets =
            ["](", "srcset=\"", "src=\""].into_iter().flat_map(|start| after(text, start));
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.name.as_str().into() } else { folder.join(file) };
            if let Err(what) = leads(&path, heading) {
                found.push(Breach { file: page.name.clone(), line, what });
            }
        }
        for name in text.split('`').skip(1).step_by(2).filter(|name| is_file_of_ours(name)) {
            let places =
                [root().join(name), root().join(folder).join(name), root().join("src").join(name)];
            if !places.iter().any(|place| place.exists()) {
                let what = format!("there is no `{name}`");
                found.push(Breach { file: page.name.clone(), line, what });
            }
        }
    }
    found
}

/// What follows `start` in `text`, up to a bracket or a quote.
fn after<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(move |(at, _)| {
        let rest = &text[at + start.len()..];
        &rest[..rest.find([')', '"']).unwrap_or(rest.len())]
    })
}

fn leads(path: &Path, heading: &str) -> Result<(), String> {
    let whole = root().join(path);
    if !whole.exists() {
        return Err(format!("there is no {}", path.display()));
    }
    let is_there = || {
        let text = fs::read_to_string(&whole).unwrap_or_default();
        let headings: HashSet<String> =
            text.lines().filter(|line| line.starts_with('#')).map(slug).collect();
        headings.contains(heading)
    };
    match heading.is_empty() || is_there() {
        true => Ok(()),
        false => Err(format!("{} has no heading #{heading}", path.display())),
    }
}

/// As GitHub makes an anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// `src/lib.rs` or `run/trial.rs`, and not a pattern, a command, or what a build or a run makes.
fn is_file_of_ours(name: &str) -> bool {
    let folders = ["src/", "tests/", "docs/", "contracts/", "scenarios/", "reports/reference/"];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let is_ours = folders.iter().any(|folder| name.starts_with(folder));
    let is_source = name.contains('/') && name.ends_with(".rs");
    (is_ours || is_source) && name.chars().all(plain)
}

/// An empty program for each relative path in `text`'s commands.
fn programs(folder: &Path, text: &str) {
    for name in after(text, "command = [\"./") {
        let path: PathBuf = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn banned_words_are_found_and_code_is_not_prose() {
    let page = |text: &str| Document { name: "x.md".into(), text: text.into() };
    let found = |text: &str| banned(&page(text)).iter().map(|it| it.line).collect::<Vec<_>>();
    assert_eq!(found("Drawn by Coin,\nit mends.\nmend-free coins `coin`"), [1, 2, 3]);
    assert_eq!(found("it runs all the\nsame"), [1], "a phrase over two lines");
    assert_eq!(found("```text\ncoin\n```\ncoin"), [4]);
    let toml = Document { name: "x.toml".into(), text: "coin = 1 # a coin\ncoin = 2".into() };
    assert_eq!(banned(&toml).len(), 1);
}

#[test]
fn dead_links_are_found() {
    let page = |text: &str| Document { name: "docs/x.md".into(), text: text.into() };
    let good =
        "[a](../README.md#two-commands) [b](https://x/y) [c](gate.md) `src/lib.rs` `src/*.rs`";
    assert_eq!(dead_links(&page(good)), []);
    for bad in
        ["[a](README.md)", "[a](../README.md#no)", "src=\"x.png\"", "`src/no.rs`", "`run/no.rs`"]
    {
        assert_eq!(dead_links(&page(bad)).len(), 1, "{bad}");
    }
}
