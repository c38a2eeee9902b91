//! `bakeoff init`: a commented scenario for one's own service.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::print;
use crate::error::{Context, Error, Result};
use crate::load::url::Url;
use crate::report::quoted as shell_word;
use crate::scenario;
use crate::text::{is_shown, one_line, slug};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff init --url http://127.0.0.1:8080/                     a running server
  bakeoff init --command './server --port {port}'               started by bakeoff for each trial
  bakeoff init --command './server --port {port}' --out checkout.toml

With --command the server is a new process in every trial, and its CPU and memory are measured; with --url neither.

Exit codes: 0 written, 1 internal error, 2 the file exists, the URL is of another machine, or there is no
such program")]
#[command(group(clap::ArgGroup::new("who").required(true).args(["url", "command"])))]
pub(crate) struct Args {
    /// A request to a running server on this machine: http://127.0.0.1:PORT/PATH
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How to start it: a program and its arguments, quoted as for a shell; {port} is the port to listen on
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// The scenario's file; an existing one is not overwritten
    #[arg(long, value_name = "FILE", default_value = "my-service.toml")]
    out: PathBuf,
}

const TEMPLATE: &str = include_str!("../../templates/my-service.toml");

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        let text = self.text()?;
        let file = self.out.display();
        // What is written can run: a program that is not there is told now.
        scenario::parse(&file.to_string(), &text)?;
        write(&self.out, &text)?;
        let pasted = self.pasted();
        print(&format!(
            "{}\n\nTry it out:  bakeoff run {pasted} --smoke\nMeasure:     bakeoff run {pasted}\n",
            one_line(&file.to_string())
        ))?;
        Ok(0)
    }

    fn text(&self) -> Result<String> {
        let file = self.out.to_string_lossy();
        if !file.chars().all(is_shown) {
            let shown = file.escape_debug();
            return Err(Error::usage(format!("`{shown}` has a character that no terminal shows"))
                .help("name another file with --out"));
        }
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Error::usage(format!("there is no folder {}", folder.display())));
        }
        let (path, mine, other) = match (&self.url, &self.command) {
            (Some(url), _) => by_url(&Url::parse(url)?),
            (None, Some(command)) => by_command(&self.argv(command)?),
            (None, None) => unreachable!("clap wants one of the two"),
        };
        let name = self.out.file_stem().map(|stem| slug(&stem.to_string_lossy()));
        Ok(TEMPLATE
            .replace("@FILE@", &one_line(&self.pasted()))
            .replace("@NAME@", &name.unwrap_or_else(|| "my-service".into()))
            .replace("@PATH@", &quoted(&path))
            .replace("@CONTENDER@", &mine)
            .replace("@OTHER@", &other))
    }

    /// The file as one word of a shell, that is no flag.
    fn pasted(&self) -> String {
        let path = self.out.display().to_string();
        shell_word(&if path.starts_with('-') { format!("./{path}") } else { path })
    }

    /// The words of a command, its program as it is found from the scenario's folder, where the server is started.
    fn argv(&self, command: &str) -> Result<Vec<String>> {
        let mut argv = words(command)?;
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let (Some(folder), Some(program)) = (folder, argv.first_mut())
            && program.contains('/')
            && Path::new(program).is_relative()
            && Path::new(program).is_file()
            && let Some(path) = from(folder, Path::new(program))
        {
            *program = path.display().to_string();
        }
        Ok(argv)
    }
}

/// `path`, which is of the current folder, as `folder` sees it.
fn from(folder: &Path, path: &Path) -> Option<PathBuf> {
    let (folder, path) = (folder.canonicalize().ok()?, path.canonicalize().ok()?);
    let above = folder.ancestors().find(|above| path.starts_with(above))?;
    let up = folder.strip_prefix(above).ok()?.components().map(|_| "..");
    let down = path.strip_prefix(above).ok()?;
    let mut relative: PathBuf = up.collect();
    if relative.as_os_str().is_empty() {
        relative.push(".");
    }
    relative.push(down);
    Some(relative)
}

/// The words of a command as a shell reads them: blanks part them, quotes and backslashes keep what they hold.
///
/// # Errors
/// What only a shell does, and a quote that is not closed.
fn words(command: &str) -> Result<Vec<String>> {
    let shell = |what: &str| {
        let line = shell_word(command);
        Error::usage(format!("{what} needs a shell, and bakeoff starts the command without one"))
            .help(format!("start one: --command {}", shell_word(&format!("sh -c {line}"))))
    };
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            // Empty quotes are a word too.
            '\'' => loop {
                let word = word.get_or_insert_default();
                match chars.next() {
                    Some('\'') => break,
                    Some(c) => word.push(c),
                    None => return Err(Error::usage("a quote `'` of the command is not closed")),
                }
            },
            '"' => loop {
                let word = word.get_or_insert_default();
                match chars.next() {
                    Some('"') => break,
                    Some('\\') if chars.peek().is_some_and(|c| "\"\\$`".contains(*c)) => {
                        word.extend(chars.next());
                    }
                    Some('$' | '`') => return Err(shell("`$` or a backtick")),
                    Some(c) => word.push(c),
                    None => return Err(Error::usage("a quote `\"` of the command is not closed")),
                }
            },
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '$' | '`' | '&' | '|' | ';' | '<' | '>' | '(' | ')' | '*' | '?' => {
                return Err(shell(&format!("`{c}`")));
            }
            '~' if word.is_none() => return Err(shell("`~`")),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match words.first().and_then(|first| first.split_once('=')) {
        Some((name, _)) if !name.contains('/') => {
            let help = format!("write --command {}", shell_word(&format!("env {command}")));
            Err(Error::usage(format!("`{name}=..` sets a variable, which needs a shell"))
                .help(help))
        }
        _ if words.is_empty() => Err(Error::usage("the command is empty")
            .help("write for example --command './server --port {port}'")),
        _ => Ok(words),
    }
}

/// The route's path, this contender, and another one as a comment.
fn by_url(url: &Url) -> (String, String, String) {
    let other = "#url     = \"http://127.0.0.1:8081\"".into();
    let mine = format!("url     = {}", quoted(&format!("http://{}", url.host)));
    (url.path.replace('{', "{{"), mine, other)
}

fn by_command(argv: &[String]) -> (String, String, String) {
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    let argv = format!("command = [{}]", words.join(", "));
    let mine = format!(
        "{argv}\n#ready   = \"/healthz\"               # answers 200 once it is ready; default: its port is open"
    );
    ("/".into(), mine, format!("#{argv}"))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn write(path: &Path, text: &str) -> Result<()> {
    let file = File::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::usage(format!("{} is there already", path.display()))
            .help("name another with --out, or move it away"),
        _ => Error::usage(format!("cannot write {}: {error}", path.display())),
    });
    file?.write_all(text.as_bytes()).usage(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: Option<&str>, command: Option<&str>) -> Args {
        let owned = |text: &str| text.to_owned();
        Args { url: url.map(owned), command: command.map(owned), out: "src/checkout.toml".into() }
    }

    /// With every setting that is offered as a comment.
    fn with_all(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned() + "\n",
            _ => line.to_owned() + "\n",
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn what_is_written_parses_and_so_does_all_that_it_offers() {
        for args in [
            args(Some("http://127.0.0.1:8080/a?b={c}&d=\"e\""), None),
            args(Some("http://localhost:8080"), None),
            args(None, Some("sh -c 'x' --port {port}")),
        ] {
            let text = args.text().unwrap();
            let plain = scenario::parse("src/checkout.toml", &text).unwrap();
            assert_eq!((plain.name.as_str(), plain.contenders.len()), ("checkout", 1));
            let all = scenario::parse("src/checkout.toml", &with_all(&text)).unwrap();
            assert_eq!((all.contenders.len(), all.expectations.len()), (2, 1));
            assert!(all.slo.is_some());
            assert!(!text.contains('@'), "{text}");
            let long = text.lines().find(|line| line.chars().count() > 120);
            assert_eq!(long, None);
        }
    }

    #[test]
    fn a_command_is_read_as_by_a_shell() {
        for (command, expected) in [
            ("./a  --port {port}\n", &["./a", "--port", "{port}"][..]),
            ("python3 -c 'a \"b\"; c' {port}", &["python3", "-c", "a \"b\"; c", "{port}"]),
            ("node \"my server.js\" \"\" ''", &["node", "my server.js", "", ""]),
            (r#"a b\ c "d\"e" 'f'"g"h"#, &["a", "b c", "d\"e", "fgh"]),
            ("./a --x=y {a:1}", &["./a", "--x=y", "{a:1}"]),
        ] {
            assert_eq!(words(command).unwrap(), expected, "{command}");
        }
        for (command, help) in [
            ("PORT={port} node server.js", "'env PORT={port} node server.js'"),
            ("cd app && npm start", "sh -c"),
            ("./a $PORT", "sh -c"),
            ("./a \"${PORT}\"", "sh -c"),
            ("./a > log", "sh -c"),
            (" ", "--command"),
        ] {
            let error = words(command).unwrap_err();
            assert!(error.parts().1.unwrap().contains(help), "{command}: {error}");
        }
        assert!(words("a 'b").is_err() && words("a \"b").is_err());
        // What the help says can be given again.
        let again = words(r"sh -c 'cd app && npm start'").unwrap();
        assert_eq!(again, ["sh", "-c", "cd app && npm start"]);
    }

    #[test]
    fn a_file_whose_name_a_terminal_obeys_is_refused() {
        for name in ["a\nb.toml", "a\u{1b}[2J.toml", "a\u{202e}b.toml"] {
            let hostile = Args { out: name.into(), ..args(None, Some("sh -c x")) };
            let told = hostile.text().unwrap_err().to_string();
            assert!(told.contains("--out") && told.lines().count() == 2, "{told}");
            assert!(told.chars().all(|c| c == '\n' || is_shown(c)), "{told}");
        }
    }

    #[test]
    fn another_machine_is_refused() {
        let error = args(Some("http://example.com/"), None).text().unwrap_err();
        assert!(error.to_string().contains("not on this machine"));
    }
}
