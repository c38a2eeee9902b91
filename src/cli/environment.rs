//! Flags that take their values from environment variables where the command line has none.

use std::ffi::OsString;

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Error};

/// The value of a variable. CI passes inputs that were not given as empty variables: an empty one is an unset one.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `cli` whose flags do not look at empty variables.
pub(super) fn without_empty(cli: Command) -> Command {
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
pub(super) fn named(mut error: Error, mut cli: Command, words: &[String]) -> Error {
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
