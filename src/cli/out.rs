//! The flags by which a verb is told where its report goes.

use std::path::{Path, PathBuf};

use crate::clock;
use crate::error::Result;
use crate::run::{Claim, ReportFolder};

/// Flags of every verb that writes a report's folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Out {
    /// The report's folder, which must be empty or new [default: reports/NAME/UTC-TIME]
    #[arg(long, value_name = "DIR", env = "BAKEOFF_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Delete the report that is in --out; other files there stay
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
fn now() -> String {
    clock::utc().replace(':', "-")
}
