//! `bakeoff init`: a commented scenario for one's own service.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::print;
use crate::error::{Context, Error, Result};
use crate::load::url::Url;
use crate::report::words::slug;
use crate::scenario;

/// Flags of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff init --url http://127.0.0.1:8080/                     a server that runs already
  bakeoff init --command './server --port {port}'               one that bakeoff starts for each trial
  bakeoff init --command './server --port {port}' --out checkout.toml

A server that bakeoff starts is fresh in every trial, and its CPU and memory are read; one by URL is neither.

Exit codes: 0 written, 1 internal error, 2 the file is there, the URL is of another machine, or there is no
such program")]
#[command(group(clap::ArgGroup::new("who").required(true).args(["url", "command"])))]
pub(crate) struct Args {
    /// What to ask of a server that runs on this machine: http://127.0.0.1:PORT/PATH
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How to start it: a program and its arguments between blanks; {port} is where it must listen
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Where the scenario goes; nothing is overwritten
    #[arg(long, value_name = "FILE", default_value = "my-service.toml")]
    out: PathBuf,
}

const TEMPLATE: &str = include_str!("../../templates/my-service.toml");

impl Args {
    /// Gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        let text = self.text()?;
        let file = self.out.display();
        // What is written can run: a program that is not there is told now.
        scenario::parse(&file.to_string(), &text)?;
        write(&self.out, &text)?;
        print(&format!(
            "{file}\n\nTry it out:  bakeoff run {file} --smoke\nMeasure:     bakeoff run {file}\n"
        ))?;
        Ok(0)
    }

    fn text(&self) -> Result<String> {
        let (path, mine, other) = match (&self.url, &self.command) {
            (Some(url), _) => by_url(&Url::parse(url)?),
            (None, Some(command)) => by_command(command),
            (None, None) => unreachable!("clap wants one of the two"),
        };
        let name = self.out.file_stem().map(|stem| slug(&stem.to_string_lossy()));
        Ok(TEMPLATE
            .replace("@FILE@", &self.out.display().to_string())
            .replace("@NAME@", &name.unwrap_or_else(|| "my-service".into()))
            .replace("@PATH@", &quoted(&path))
            .replace("@CONTENDER@", &mine)
            .replace("@OTHER@", &other))
    }
}

/// The route's path, this contender, and another one as a comment.
fn by_url(url: &Url) -> (String, String, String) {
    let other = "#url     = \"http://127.0.0.1:8081\"".into();
    let mine = format!("url     = {}", quoted(&format!("http://{}", url.host)));
    (url.path.replace('{', "{{"), mine, other)
}

fn by_command(command: &str) -> (String, String, String) {
    let words: Vec<String> = command.split_whitespace().map(quoted).collect();
    let argv = format!("command = [{}]", words.join(", "));
    let mine = format!(
        "{argv}\n#ready   = \"/healthz\"               # answers 200 once it is ready; default: its port is open"
    );
    ("/".into(), mine, format!("#{argv}"))
}

/// As a string of TOML.
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
        Args { url: url.map(owned), command: command.map(owned), out: "a/checkout.toml".into() }
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
            let plain = scenario::parse("a/checkout.toml", &text).unwrap();
            assert_eq!((plain.name.as_str(), plain.contenders.len()), ("checkout", 1));
            let all = scenario::parse("a/checkout.toml", &with_all(&text)).unwrap();
            assert_eq!((all.contenders.len(), all.expectations.len()), (2, 1));
            assert!(all.slo.is_some());
            assert!(!text.contains('@'), "{text}");
            let long = text.lines().find(|line| line.chars().count() > 120);
            assert_eq!(long, None);
        }
    }

    #[test]
    fn another_machine_is_refused() {
        let error = args(Some("http://example.com/"), None).text().unwrap_err();
        assert!(error.to_string().contains("not on this machine"));
    }
}
