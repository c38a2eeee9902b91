//! Flags that several verbs share, and the environment variables behind flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::cli::Format;
use crate::clock;
use crate::error::{Error, Result};
use crate::run::{Claim, Progress, ReportFolder};
use crate::scenario::{self, LoadKind, Overrides, Scenario, WarmUp};
use crate::text::harmless;
use crate::units::Nanos;

#[derive(Debug, clap::Args)]
pub(crate) struct Out {
    /// The report's folder, which must be empty or new [default: reports/NAME/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Delete the report that is in --out; other files there are kept
    #[arg(long)]
    pub(crate) force: bool,
}

impl Out {
    /// The folder that is named, or a new one below `usual` with the time as its name.
    ///
    /// # Errors
    /// When it cannot be made, has files in it, or another process has it.
    pub(crate) fn claim(&self, usual: &Path) -> Result<ReportFolder> {
        match &self.out {
            Some(out) => ReportFolder::claim(out, self.how()),
            None => ReportFolder::claim(&usual.join(now()), Claim::Fresh),
        }
    }

    /// How a folder that is named is to be had.
    pub(crate) fn how(&self) -> Claim {
        if self.force { Claim::Forced } else { Claim::Empty }
    }
}

/// The time as a folder's name.
pub(super) fn now() -> String {
    clock::utc().replace(':', "-")
}

#[derive(Debug, clap::Args)]
pub(crate) struct Quiet {
    /// No progress on stderr
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Quiet {
    /// A sentence on stderr, unless it is to be quiet.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        if !self.quiet {
            anstream::eprintln!("{}", harmless(&what.to_string()));
        }
    }
}

/// What is printed, of the verbs that measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    #[command(flatten)]
    pub(crate) quiet: Quiet,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl Output {
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.quiet.quiet)
    }
}

/// How a verb measures that starts contenders in randomized order.
#[derive(Debug, clap::Args)]
pub(crate) struct Execution {
    /// Seed of the randomized order [default: random; the report has it]
    #[arg(long, value_name = "N", env = "BAKEOFF_ORDER_SEED")]
    pub(crate) order_seed: Option<u64>,
    /// Write to a database that is given by URL without asking for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The blocks of a gate and of a search.
#[derive(Debug, clap::Args)]
pub(crate) struct Blocks {
    /// The measured window of each block, e.g. 5s
    #[arg(long, value_name = "TIME", env = "BAKEOFF_DURATION")]
    duration: Option<Nanos>,
    /// Load before the window, not recorded: auto, 10s, '20000 requests' or none
    #[arg(long, value_name = "AMOUNT", env = "BAKEOFF_WARM_UP")]
    warm_up: Option<WarmUp>,
}

impl Blocks {
    /// The only scenario of that name, with the flags' times; `verb` is a gate or a search.
    pub(crate) fn of(&self, name: &str, verb: &str) -> Result<Scenario> {
        let [scenario]: [Scenario; 1] = scenario::load(name)?.try_into().map_err(|_| {
            Error::usage(format!("{name} has several scenarios, and {verb} is about one"))
        })?;
        let (duration, warm_up) = (self.duration, self.warm_up);
        let scenario = scenario.with(&Overrides { duration, warm_up, ..Overrides::default() })?;
        if scenario.load.kind == LoadKind::Closed {
            let name = &scenario.name;
            let message = format!("the load of {name} is closed, and {verb} offers a rate");
            return Err(Error::usage(message).help("write [load.open] in place of [load.closed]"));
        }
        Ok(scenario)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Parent {
    /// End when the parent process ends; give its PID to close the race with an end before the start
    #[arg(long, value_name = "PID", num_args = 0..=1, require_equals = true, hide = true)]
    #[expect(clippy::option_option, reason = "the flag may come without a PID")]
    die_with_parent: Option<Option<i32>>,
}

impl Parent {
    /// Follows the parent if the flag says so; gives whether there is a reason to start.
    pub(crate) fn is_there(&self) -> Result<bool> {
        self.die_with_parent.map_or(Ok(true), outlived_by)
    }
}

/// Has the kernel end this process with its parent; gives whether the parent is still there.
fn outlived_by(parent: Option<i32>) -> Result<bool> {
    let before = parent.and_then(Pid::from_raw).or_else(getppid);
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| Error::internal(format!("cannot follow the parent process: {error}")))?;
    Ok(getppid() == before)
}

/// The value of a variable. CI passes inputs that were not given as empty variables: an empty one is an unset one.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `cli` whose flags do not look at empty variables.
pub(crate) fn without_empty(cli: Command) -> Command {
    let unset = |arg: Arg| match arg.get_env() {
        Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => {
            arg.env(Resettable::Reset)
        }
        _ => arg,
    };
    let verbs: Vec<String> = cli.get_subcommands().map(|verb| verb.get_name().into()).collect();
    let cli = cli.mut_args(unset);
    verbs.into_iter().fold(cli, |cli, verb| cli.mut_subcommand(verb, without_empty))
}

/// The same error; it names the variable where a value in one is at fault. `words` are those of the command line.
pub(crate) fn named(mut error: clap::Error, mut cli: Command, words: &[String]) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    cli.build();
    let mut verb = &cli;
    for word in words {
        verb = verb.find_subcommand(word).unwrap_or(verb);
    }
    let faulty = verb.get_arguments().find(|arg| arg.to_string() == *flag);
    let variable = faulty.filter(|arg| !is_given(arg, words)).and_then(Arg::get_env);
    if let Some(name) = variable.filter(|name| std::env::var_os(name).is_some()) {
        let from = format!("the value is that of the environment variable {}", name.display());
        let from = ContextValue::StyledStrs(vec![StyledStr::from(from)]);
        error.insert(ContextKind::Suggested, from);
    }
    error
}

/// Whether a flag is on the command line.
fn is_given(arg: &Arg, words: &[String]) -> bool {
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let is_one = |word: &str| {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        name.strip_prefix("--").is_some_and(|name| longs.contains(&name))
    };
    words.iter().any(|word| is_one(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo sets it for every test.
    const SET: &str = "CARGO_MANIFEST_DIR";

    fn cli() -> Command {
        let rate = || Arg::new("rate").long("rate").value_parser(clap::value_parser!(u32));
        let verb = Command::new("gate").arg(rate().env(SET));
        Command::new("bakeoff").subcommand(verb.arg(Arg::new("sha").long("sha").env("NEVER_SET")))
    }

    #[test]
    fn an_error_names_the_variable_that_its_value_is_from() {
        let told = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let error = cli().try_get_matches_from(&words).unwrap_err();
            named(error, cli(), &words).to_string()
        };
        let from = format!("the value is that of the environment variable {SET}");
        assert!(told(&["bakeoff", "gate"]).contains(&from), "{}", told(&["bakeoff", "gate"]));
        assert!(!told(&["bakeoff", "gate", "--rate", "x"]).contains(&from));
        assert!(!told(&["bakeoff", "gate", "--rate=x"]).contains(&from));
    }

    #[test]
    fn variables_without_a_value_are_not_looked_at() {
        let looked_at = |cli: Command| -> Vec<bool> {
            let verb = cli.find_subcommand("gate").unwrap();
            verb.get_arguments().map(|arg| arg.get_env().is_some()).collect()
        };
        // One that is not set stays, so that help names it.
        assert_eq!(looked_at(without_empty(cli())), [true, true]);
        assert_eq!(variable("NEVER_SET"), None);
    }
}
