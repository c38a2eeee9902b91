//! What `bakeoff` alone and `bakeoff --help` show: the verbs to start with, the others, and examples.

use std::fmt::Write;

use clap::Command;
use clap::builder::StyledStr;
use clap::builder::styling::Styles;

/// The verbs that answer a question, in the order in which people come to need them. Every other verb that is not
/// hidden stands below them, so a new one needs no line here.
const FIRST: [&str; 5] = ["run", "decide", "drive", "gate", "chart"];

const EXAMPLES: &str = "
  bakeoff run                                 the tour: two services, 4 models
  bakeoff decide --cpu 300us --wait p50=2ms,p99=9ms --rate 1500/s --slo p99=100ms
  bakeoff init --url http://127.0.0.1:8080/   a scenario for your own service
  bakeoff run my-service.toml                 .. and what comes of it
  bakeoff drive http://127.0.0.1:8080/        the load generator alone
  bakeoff chart reports/tour -o post.png      one picture of what was found
  bakeoff doctor                              is this machine fit to measure?

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

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
}
