//! What `bakeoff`, `bakeoff --help`, `bakeoff man` and a shell show of the verbs.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, print_as_it_is};
use crate::error::{Context, Error, Result};

/// The verbs of a first user, in this order. Every other verb that is not hidden is listed below them.
const FIRST: [&str; 5] = ["run", "decide", "drive", "gate", "chart"];

const EXAMPLES: &str = "
  bakeoff run                                 the tour: two services, 4 models
  bakeoff decide --cpu 300us --wait 2ms --rate 1500/s --slo p99=100ms
  bakeoff drive http://127.0.0.1:8080/        load on your own service
  bakeoff init --url http://127.0.0.1:8080/   a scenario for it, my-service.toml
  bakeoff run my-service.toml                 run it
  bakeoff gate my.toml --baseline main --candidate branch
  bakeoff chart reports/tour -o post.png      one chart of the result
  bakeoff doctor                              check this machine before a run

bakeoff VERB --help has examples and exit codes of each.
";

/// What to type, for the manual page.
pub(super) fn examples() -> String {
    format!("Examples:{EXAMPLES}")
}

/// `cli` with a first screen of its own.
pub(super) fn with(cli: Command) -> Command {
    let screen = screen(&cli);
    cli.help_template(screen)
}

fn screen(cli: &Command) -> StyledStr {
    let styles = Styles::styled();
    let (heading, name) = (styles.get_header(), styles.get_literal());
    let mut out = StyledStr::new();
    let mut put = |text: String| {
        let _ = out.write_str(&text);
    };
    put("{about-with-newline}\n{usage-heading} {usage}\n".into());
    for (title, first) in [("Start here", true), ("Also", false)] {
        put(format!("\n{heading}{title}:{heading:#}\n"));
        for verb in verbs(cli, first) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let padded = format!("{:<11}", verb.get_name());
            put(format!("  {name}{padded}{name:#} {about}\n"));
        }
    }
    put(format!("\n{heading}Options:{heading:#}\n{{options}}\n"));
    put(format!("\n{heading}Examples:{heading:#}{EXAMPLES}"));
    out
}

/// Those of [`FIRST`] in its order, or the others in theirs.
fn verbs(cli: &Command, first: bool) -> Vec<&Command> {
    let place = |verb: &Command| FIRST.iter().position(|name| *name == verb.get_name());
    let shown = cli.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut verbs: Vec<&Command> = shown.filter(|verb| place(verb).is_some() == first).collect();
    verbs.sort_by_key(|verb| place(verb));
    verbs
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff completions bash > ~/.local/share/bash-completion/completions/bakeoff
  bakeoff completions zsh > ~/.zfunc/_bakeoff
  bakeoff completions fish > ~/.config/fish/completions/bakeoff.fish

Exit codes: 0 printed, 2 bad flag")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff man > bakeoff.1                         the manual page
  bakeoff man run | man -l -                      the page of one verb

Exit codes: 0 printed, 2 no such verb")]
pub(crate) struct ManArgs {
    /// The page of a verb instead of the program's
    verb: Option<String>,
}

impl CompletionsArgs {
    pub(crate) fn run(self) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bakeoff", &mut script);
        print_as_it_is(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

impl ManArgs {
    pub(crate) fn run(self) -> Result<u8> {
        let cli = Cli::command();
        let page = match &self.verb {
            None => cli.after_help(examples()),
            Some(name) => verb(cli, name)?,
        };
        let mut roff = Vec::new();
        clap_mangen::Man::new(page).render(&mut roff).context(|| "cannot make the page".into())?;
        print_as_it_is(&String::from_utf8_lossy(&roff))?;
        Ok(0)
    }
}

/// A verb as a page of its own, `bakeoff-run`.
fn verb(mut cli: Command, name: &str) -> Result<Command> {
    // Names its verbs after itself, and gives them its version.
    cli.build();
    let shown = |verb: &&Command| !verb.is_hide_set() && verb.get_name() != "help";
    let names: Vec<&str> = cli.get_subcommands().filter(shown).map(Command::get_name).collect();
    let found = cli.find_subcommand(name).filter(|verb| names.contains(&verb.get_name()));
    found.cloned().ok_or_else(|| {
        Error::usage(format!("there is no verb `{}`", name.escape_debug()))
            .help(format!("there are {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn the_first_screen_fits_eighty_columns_and_names_every_verb() {
        let screen = with(Cli::command()).render_help().to_string();
        for verb in Cli::command().get_subcommands() {
            let shown = screen.contains(&format!("\n  {:<11} ", verb.get_name()));
            assert_eq!(shown, !verb.is_hide_set(), "{} in\n{screen}", verb.get_name());
        }
        let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}:\n{screen}"));
        assert!(
            place("Start here:") < place("\n  run ") && place("\n  run ") < place("\n  chart ")
        );
        assert!(place("\n  chart ") < place("Also:") && place("Also:") < place("Examples:"));
        let long = screen.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None);
    }

    #[test]
    fn every_verb_has_examples_and_exit_codes() {
        for verb in Cli::command().get_subcommands_mut().filter(|verb| !verb.is_hide_set()) {
            let help = verb.render_long_help().to_string();
            for part in ["Example", "Exit codes: 0"] {
                assert!(help.contains(part), "{} has no {part}:\n{help}", verb.get_name());
            }
        }
    }

    /// The words of `line`, without what is said about them and what a shell does with them.
    fn words(line: &str) -> Vec<String> {
        let ends = ["  ", " #", " > ", " | "].map(|end| line.find(end));
        let line = &line[..ends.into_iter().flatten().min().unwrap_or(line.len())];
        let mut words = Vec::new();
        for (place, part) in line.split('\'').enumerate() {
            match place % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words
    }

    #[test]
    fn every_example_parses() {
        let mut examples = 0;
        let mut cli = Cli::command();
        let mut texts = vec![EXAMPLES.to_owned()];
        let verbs = cli.get_subcommands_mut().filter(|verb| !verb.is_hide_set());
        texts.extend(verbs.map(|verb| verb.get_after_help().unwrap().to_string()));
        let lines = texts.iter().flat_map(|text| text.lines());
        for line in lines.filter_map(|line| line.strip_prefix("  ")) {
            if line.starts_with("bakeoff ") || line == "bakeoff" {
                examples += 1;
                if let Err(error) = Cli::command().try_get_matches_from(words(line)) {
                    panic!("{line}\n{error}");
                }
            }
        }
        assert!(examples > 40, "{examples} examples: they are not where they were");
    }

    #[test]
    fn every_shell_has_a_script_with_every_verb() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "bakeoff", &mut script);
            let script = String::from_utf8(script).unwrap();
            for name in ["run", "doctor", "drive", "init"] {
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }

    #[test]
    fn a_page_is_the_programs_or_a_verbs() {
        let page = |command: Command| {
            let mut roff = Vec::new();
            clap_mangen::Man::new(command).render(&mut roff).unwrap();
            String::from_utf8(roff).unwrap()
        };
        let cli = Cli::command();
        assert!(page(verb(cli.clone(), "run").unwrap()).contains("bakeoff\\-run"));
        assert!(page(cli.clone()).contains("Compares async and threaded backends"));
        assert!(
            verb(cli.clone(), "rum").unwrap_err().to_string().contains("there is no verb `rum`")
        );
        assert!(verb(cli, "supervise").is_err(), "it is hidden");
    }
}
