//! `bakeoff merge`

use std::path::{Path, PathBuf};

use crate::cli::flags::Out;
use crate::cli::{Format, print, run as run_verb};
use crate::error::{Error, Result};
use crate::run::{self, Request, asked};
use crate::{record, report, scenario};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff run my.toml --shard 1/2 --order-seed 7 --out shards/1    on one machine
  bakeoff run my.toml --shard 2/2 --order-seed 7 --out shards/2    on another one
  bakeoff merge shards/1 shards/2 --out merged                     all rounds judged as one run

The scenario is read again, from the path that the shards were given, and must not have changed.
Without some of the shards the result has fewer rounds, and says so.

Exit codes: 0 pass or inconclusive, 1 internal error, 2 not shards of one run, 3 an expectation failed or
a contender does not work, 5 invalid")]
pub(crate) struct Args {
    /// The report folders of the shards
    #[arg(value_name = "DIR", required = true)]
    shards: Vec<PathBuf>,
    /// The scenario, where it is not at the path that the shards were given
    #[arg(long, value_name = "FILE")]
    scenario: Option<String>,
    #[command(flatten)]
    out: Out,
    /// Print every comparison, ceiling and reason, as the report has them
    #[arg(long)]
    verbose: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    /// Gives the exit code of the run that the shards are.
    pub(crate) fn run(self) -> Result<u8> {
        let shards = run::read_shards(&self.shards)?;
        let mut request = self.request(asked(&shards))?;
        if let Some(out) = &self.out.out {
            expect_no_shard(out, &self.shards)?;
        }
        let folder = self.out.claim(&Path::new("reports").join(&request.name))?;
        request.out = folder.path().to_owned();
        let result = run::merge(&request, shards)?;
        print(&match self.format {
            Format::Text => report::summary::text(&result, Some(&request.out), self.verbose),
            Format::Json => record::to_json(&result) + "\n",
            Format::Markdown => report::summary::markdown(&result),
        })?;
        Ok(result.exit_code)
    }

    /// The whole run of which the shards are parts.
    fn request(&self, begun: &record::Begun) -> Result<Request> {
        let mut words = begun.words.clone();
        if let Some(flag) = words.iter().position(|word| word == "--shard") {
            words.drain(flag..(flag + 2).min(words.len()));
        }
        if let (Some(own), Some(first)) = (&self.scenario, words.first_mut()) {
            first.clone_from(own);
        }
        let help = "name the file as the shards had it: --scenario FILE";
        let requests = run_verb::Args::of_words(&words)
            .and_then(|args| args.requests())
            .map_err(|error| error.and_help(help))?;
        let Ok([request]) = <[Request; 1]>::try_from(requests) else {
            return Err(Error::usage("the shards are not of one scenario"));
        };
        let own = scenario::fingerprints(&request.scenarios).concat();
        if own != begun.fingerprint.scenario {
            let name = &request.name;
            let asked = &begun.fingerprint.scenario;
            return Err(Error::usage(format!(
                "{name} is not what the shards ran: its hash is {own}, and theirs is {asked}"
            ))
            .help(help));
        }
        Ok(request)
    }
}

/// Whether the report would be written over a shard.
fn expect_no_shard(out: &Path, shards: &[PathBuf]) -> Result<()> {
    let same = |shard: &&PathBuf| match (shard.canonicalize(), out.canonicalize()) {
        (Ok(shard), Ok(out)) => shard == out,
        _ => false,
    };
    shards.iter().find(same).map_or(Ok(()), |shard| {
        Err(Error::usage(format!("--out {} is one of the shards", shard.display()))
            .help("give another folder for the report"))
    })
}
