//! `bakeoff schema`: the published schemas, for editors and for programs that read results.

use clap::ValueEnum;

use super::print;
use crate::error::Result;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bakeoff schema scenario > bakeoff.schema.json     then `#:schema ./bakeoff.schema.json` in a scenario
  bakeoff schema result | jq '.properties | keys'

Exit codes: 0 printed, 2 bad flag")]
pub(crate) struct Args {
    /// The file format
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// A scenario, what `run` reads
    Scenario,
    /// result.json, what `run` writes
    Result,
    /// gate.json, what `gate` writes
    Gate,
    /// bisect.json, what `bisect` writes
    Bisect,
    /// ledger.json, what `run FOLDER` writes
    Ledger,
    /// What `decide --format json` prints
    Decision,
}

impl Args {
    pub(crate) fn run(self) -> Result<u8> {
        print(match self.of {
            Of::Scenario => include_str!("../../scenarios/bakeoff.schema.json"),
            Of::Result => include_str!("../../contracts/result.schema.json"),
            Of::Gate => include_str!("../../contracts/gate.schema.json"),
            Of::Bisect => include_str!("../../contracts/bisect.schema.json"),
            Of::Ledger => include_str!("../../contracts/ledger.schema.json"),
            Of::Decision => include_str!("../../contracts/decision.schema.json"),
        })?;
        Ok(0)
    }
}
