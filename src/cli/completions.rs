//! `bakeoff completions` and `bakeoff man`: what a shell and `man` know of this program.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, first_screen, print_as_it_is};
use crate::error::{Context, Error, Result};

/// Flags of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff completions bash > ~/.local/share/bash-completion/completions/bakeoff
  bakeoff completions zsh > ~/.zfunc/_bakeoff
  bakeoff completions fish > ~/.config/fish/completions/bakeoff.fish

Exit codes: 0 printed, 2 bad flag")]
pub(crate) struct Args {
    /// Whose script
    #[arg(value_enum)]
    shell: Shell,
}

/// Flags of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff man > bakeoff.1                         the manual page
  bakeoff man run | man -l -                      that of a verb, at once

Exit codes: 0 printed, 2 no such verb")]
pub(crate) struct ManArgs {
    /// The page of a verb instead of the program's
    verb: Option<String>,
}

impl Args {
    /// Gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bakeoff", &mut script);
        print_as_it_is(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

impl ManArgs {
    /// Gives the exit code.
    pub(crate) fn run(self) -> Result<u8> {
        let cli = Cli::command();
        let page = match &self.verb {
            None => cli.after_help(first_screen::examples()),
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
        assert!(verb(cli, "supervise").is_err(), "people do not call it");
    }
}
