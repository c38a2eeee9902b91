//! `bakeoff conform`

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use owo_colors::OwoColorize;
use serde_json::json;

use super::print;
use crate::conform::{self, Differs, Requirement, Subject};
use crate::error::{Error, Result};
use crate::exit;
use crate::load::peer::Address;
use crate::load::url::Url;
use crate::machine::proc;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff conform ./server                    starts it many times, each time on a free port
  bakeoff conform node dist/main.js http
  bakeoff conform http://127.0.0.1:8080       one that runs already, started just now with BAKEOFF_SEED=42
  bakeoff conform --format json ./server | jq '.checks[] | select(.state == \"differs\")'

Every check starts the command again, without the BAKEOFF_ variables of this shell, so with its state in memory. What it
starts ends with bakeoff, even if bakeoff is killed. For a URL, only the checks run that can use a running server.
`--except` leaves out a check in which a server's library has made another choice: the section Exceptions of CONTRACT.md
has those of well-known ones.

Exit codes: 0 it conforms, 2 usage error, 3 something differs, 5 it cannot be started, 1 internal error")]
pub(crate) struct Args {
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A check to leave out, by its name [repeatable]
    #[arg(long, value_name = "CHECK")]
    except: Vec<String>,
    /// The program with its arguments, or the URL of a server that runs
    #[arg(
        required = true,
        value_name = "COMMAND|URL",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    server: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// For people at a terminal
    #[default]
    Text,
    /// For programs
    Json,
}

/// Someone's server.
struct Theirs {
    /// This very program, which supervises theirs.
    bakeoff: PathBuf,
    argv: Vec<String>,
    address: Option<SocketAddr>,
}

impl Subject for Theirs {
    fn command(&self) -> Command {
        let mut command = conform::server::supervised(&self.bakeoff);
        command.args(&self.argv);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"BAKEOFF_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn is_supervised(&self) -> bool {
        true
    }

    fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

/// What became of a check; none if it was not made.
struct Checked(&'static Requirement, Option<Result<(), Differs>>);

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        self.check_names()?;
        let (bakeoff, address) = (proc::own_program()?, address(&self.server)?);
        let theirs = Theirs { bakeoff, address, argv: self.server };
        conform::starts(&theirs)
            .map_err(|why| Error::invalid(format!("the server does not start: {why}")))?;
        // A difference is a check's panic, and is shown with the others.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut checked = Vec::new();
        for one in conform::requirements() {
            let excepted = self.except.iter().any(|name| name == one.name);
            let possible = theirs.address.is_none() || one.is_for_a_running_server();
            let is_asked = possible && !excepted;
            let result = is_asked.then(|| one.check(&theirs));
            if let (Format::Text, Some(result)) = (self.format, &result) {
                print(&line(one, result))?;
            }
            checked.push(Checked(one, result));
        }
        std::panic::set_hook(hook);
        print(&match self.format {
            Format::Text => summary(&checked),
            Format::Json => json(&checked),
        })?;
        Ok(if count(&checked, |it| matches!(it, Some(Err(_)))) > 0 {
            exit::FAILS
        } else {
            exit::OK
        })
    }

    fn check_names(&self) -> Result<()> {
        let known = |name: &&String| conform::requirements().any(|one| one.name == name.as_str());
        match self.except.iter().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => Err(Error::usage(format!("there is no check `{}`", name.escape_debug()))
                .help("the names are those that `bakeoff conform` prints")),
        }
    }
}

/// Where a server runs, if it is given by its URL.
fn address(server: &[String]) -> Result<Option<SocketAddr>> {
    let [url] = server else { return Ok(None) };
    if !url.contains("://") {
        return Ok(None);
    }
    match Url::parse(url)? {
        Url { target: Address::Tcp(address), https: false, .. } => Ok(Some(address)),
        _ => Err(Error::usage(format!("`{}` is not a plain HTTP URL", url.escape_debug()))
            .help("write it as http://127.0.0.1:8080")),
    }
}

fn count(checked: &[Checked], is: impl Fn(&Option<Result<(), Differs>>) -> bool) -> usize {
    checked.iter().filter(|one| is(&one.1)).count()
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A line for each check, and below it what differs.
fn line(one: &Requirement, result: &Result<(), Differs>) -> String {
    let Err(Differs { expected, came }) = result else {
        return format!("{} {}\n", "ok     ".green(), one.name);
    };
    let mut out = format!("{} {}\n", "differs".red().bold(), one.name);
    if let Some(expected) = expected {
        let _ = writeln!(out, "        expected {}", indented(expected));
    }
    let _ = writeln!(out, "        came     {}", indented(came));
    let _ = writeln!(out, "        {}: CONTRACT.md, {}", words(one.name), one.section);
    out
}

fn indented(text: &str) -> String {
    text.trim().replace('\n', "\n                 ")
}

fn summary(checked: &[Checked]) -> String {
    let differ = count(checked, |it| matches!(it, Some(Err(_))));
    let agree = count(checked, |it| matches!(it, Some(Ok(()))));
    let left = count(checked, Option::is_none);
    let verdict = match differ {
        0 => "It conforms".to_owned(),
        1 => "1 check differs".to_owned(),
        n => format!("{n} checks differ"),
    };
    let left = match left {
        0 => String::new(),
        n => format!(", {n} not made"),
    };
    format!("\n{verdict}: {agree} of {} hold{left}.\n", agree + differ)
}

fn json(checked: &[Checked]) -> String {
    let checks = checked.iter().map(|Checked(one, result)| {
        let (state, differs) = match result {
            None => ("not_made", None),
            Some(Ok(())) => ("holds", None),
            Some(Err(differs)) => ("differs", Some(differs)),
        };
        json!({
            "check": one.name, "section": one.section, "state": state,
            "expected": differs.and_then(|it| it.expected.as_deref()),
            "came": differs.map(|it| &it.came),
        })
    });
    let checks: Vec<_> = checks.collect();
    let conforms = count(checked, |it| matches!(it, Some(Err(_)))) == 0;
    format!("{:#}\n", json!({"conforms": conforms, "checks": checks}))
}
