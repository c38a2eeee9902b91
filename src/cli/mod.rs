//! The command line: one file per verb. Results go to stdout, everything else to stderr.

mod chart;
mod completions;
mod decide;
mod doctor;
mod drive;
mod enter;
mod environment;
mod first_screen;
mod gate;
mod init;
mod keep_postgres;
mod list;
mod out;
mod parent;
mod probe;
mod quiet;
mod report;
mod run;
mod schema;
mod selftest;
mod serve;
mod standin;
mod stored;
mod supervise;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::error::{Context, Result};
use crate::text::harmless;

/// Compares async and threaded backends, and says when it cannot
#[derive(Debug, Parser)]
#[command(name = "bakeoff", version, arg_required_else_help = true, subcommand_value_name = "VERB")]
#[command(propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Race contenders through a scenario, or through the tour
    Run(run::Args),
    /// Which model for a service like yours, and what would flip it
    Decide(decide::Args),
    /// Send load to an HTTP server on this machine, and measure it
    Drive(drive::Args),
    /// Compare two builds side by side; fails when one is worse
    Gate(gate::Args),
    /// Make one picture of a result, with its text
    Chart(chart::Args),
    /// Show a result again, or two side by side
    Report(report::Args),
    /// Start one of the built-in services
    Serve(serve::Args),
    /// Start a dependency that waits as long as you say
    Standin(standin::Args),
    /// Write a commented scenario for your own service
    Init(init::Args),
    /// Is this machine fit to measure? What to mend, and how
    Doctor(doctor::Args),
    /// List the built-in scenarios and models
    List(list::Args),
    /// Hold a contender's program
    #[command(hide = true)]
    Supervise(supervise::Args),
    /// Become a program in a control group
    #[command(hide = true)]
    Enter(enter::Args),
    /// Check the tool itself against servers of known times
    Selftest(selftest::Args),
    /// A server of known service times, for the selftest
    #[command(hide = true)]
    SelftestServer(selftest::ServerArgs),
    /// Measure how long your database takes
    Probe(probe::Args),
    /// Print the JSON Schema of a scenario or of what is written
    Schema(schema::Args),
    /// Print a script by which your shell completes verbs and flags
    Completions(completions::Args),
    /// Print the manual page
    Man(completions::ManArgs),
    /// Keep a throw-away PostgreSQL until stdin ends
    #[command(hide = true)]
    KeepPostgres(keep_postgres::Args),
}

/// How a result is written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people at a terminal
    #[default]
    Text,
    /// For programs
    Json,
    /// For pull requests
    Markdown,
}

/// The command line, for those who check it without running it.
pub fn command() -> clap::Command {
    first_screen::with(Cli::command())
}

/// Reads the arguments, runs the verb, and gives the program's exit code.
pub fn main() -> ExitCode {
    let cli = environment::without_empty(command());
    let matches = cli.clone().try_get_matches().unwrap_or_else(|error| {
        let words: Vec<String> =
            std::env::args_os().map(|word| word.display().to_string()).collect();
        environment::named(error, cli, &words).exit()
    });
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.verb {
        Verb::Run(args) => args.run(),
        Verb::Decide(args) => args.run(),
        Verb::Drive(args) => args.run(),
        Verb::Gate(args) => args.run(),
        Verb::Chart(args) => args.run(),
        Verb::Report(args) => args.run(),
        Verb::Serve(args) => args.run(),
        Verb::Standin(args) => args.run(),
        Verb::Init(args) => args.run(),
        Verb::Doctor(args) => args.run(),
        Verb::List(args) => args.run(),
        Verb::Supervise(args) => args.run(),
        Verb::Enter(args) => args.run(),
        Verb::Selftest(args) => args.run(),
        Verb::SelftestServer(args) => args.run(),
        Verb::Probe(args) => args.run(),
        Verb::Schema(args) => args.run(),
        Verb::Completions(args) => args.run(),
        Verb::Man(args) => args.run(),
        Verb::KeepPostgres(args) => args.run(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("{}", harmless(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Writes a result to stdout, without what a terminal or a runner would obey. A reader that has gone away is a quiet end.
pub(crate) fn print(text: &str) -> Result<()> {
    print_as_it_is(&harmless(text))
}

/// Writes our own text to stdout.
pub(crate) fn print_as_it_is(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context(|| "cannot write to stdout".into()),
    }
}
