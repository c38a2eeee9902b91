//! The command line: one file per verb. Results go to stdout, everything else to stderr.

mod bisect;
mod chart;
mod conform;
mod decide;
mod doctor;
mod drive;
mod flags;
mod gate;
mod help;
mod init;
mod internal;
mod list;
mod merge;
mod probe;
mod report;
mod run;
mod schema;
mod selftest;
mod serve;
mod standin;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::error::{Context, Result};
use crate::text::harmless;

/// Compares async and threaded backends, and two builds of any HTTP service
#[derive(Debug, Parser)]
#[command(name = "bakeoff", version, arg_required_else_help = true, subcommand_value_name = "VERB")]
#[command(propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Compare the servers of a scenario; without one, take the tour
    Run(run::Args),
    /// Recommend a model for your service, and show what would change it
    Decide(decide::Args),
    /// Send load to an HTTP server on this machine and measure it
    Drive(Box<drive::Args>),
    /// Compare two builds; fail when the new one is worse
    Gate(gate::Args),
    /// Find the version that made a metric worse
    Bisect(bisect::Args),
    /// Draw one chart of a result, with a description
    Chart(chart::Args),
    /// Show a stored result again, or two side by side
    Report(report::Args),
    /// Join shards of a run from several machines, and judge them
    Merge(merge::Args),
    /// Start one of the built-in services
    Serve(serve::Args),
    /// Start a mock dependency with the latency that you set
    Standin(standin::Args),
    /// Write a commented scenario for your own service
    Init(init::Args),
    /// Check any server against CONTRACT.md
    Conform(conform::Args),
    /// Check whether this machine is suitable for benchmarks
    Doctor(doctor::Args),
    /// List the built-in scenarios and models
    List(list::Args),
    /// Take part in a run on several hosts; `run --hosts` starts it
    Agent(internal::AgentArgs),
    /// (internal) supervise a contender's process
    #[command(hide = true)]
    Supervise(internal::SuperviseArgs),
    /// (internal) run a program in a control group
    #[command(hide = true)]
    Enter(internal::EnterArgs),
    /// Check the tool's accuracy against servers with known times
    Selftest(selftest::Args),
    /// (internal) a server with known service times
    #[command(hide = true)]
    SelftestServer(selftest::ServerArgs),
    /// Measure the latency of your database
    Probe(probe::Args),
    /// Print the JSON Schema of a scenario or an output file
    Schema(schema::Args),
    /// Print a completion script for your shell
    Completions(help::CompletionsArgs),
    /// Print the manual page
    Man(help::ManArgs),
    /// (internal) run a temporary PostgreSQL until stdin ends
    #[command(hide = true)]
    KeepPostgres(internal::KeepPostgresArgs),
}

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
    help::with(Cli::command())
}

/// Reads the arguments, runs the verb, and gives the program's exit code.
pub fn main() -> ExitCode {
    let cli = flags::without_empty(command());
    let matches = cli.clone().try_get_matches().unwrap_or_else(|error| {
        let words: Vec<String> =
            std::env::args_os().map(|word| word.display().to_string()).collect();
        flags::named(error, cli, &words).exit()
    });
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.verb {
        Verb::Run(args) => args.run(),
        Verb::Decide(args) => args.run(),
        Verb::Drive(args) => args.run(),
        Verb::Gate(args) => args.run(),
        Verb::Bisect(args) => args.run(),
        Verb::Chart(args) => args.run(),
        Verb::Report(args) => args.run(),
        Verb::Merge(args) => args.run(),
        Verb::Serve(args) => args.run(),
        Verb::Standin(args) => args.run(),
        Verb::Init(args) => args.run(),
        Verb::Conform(args) => args.run(),
        Verb::Doctor(args) => args.run(),
        Verb::List(args) => args.run(),
        Verb::Agent(args) => args.run(),
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
