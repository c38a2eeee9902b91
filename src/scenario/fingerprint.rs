//! A digest of what a scenario comes to, so that results of different scenarios are never taken for one another's.

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Kind, Scenario};
use crate::load::plan::Operation;

/// The first 16 hexadecimal digits of the SHA-256 of `scenario` as it will run: flags count, comments and the order of
/// keys in the file do not, nor does the calibration, which is the machine's.
pub fn fingerprint(scenario: &Scenario) -> String {
    // What a gate makes of the figures does not change them; its rate is kept beside the digest.
    let mut canonical = Scenario { notes: Vec::new(), gate: None, ..scenario.clone() };
    for contender in &mut canonical.contenders {
        // Where a folder lies says nothing about what is in it.
        match &mut contender.kind {
            Kind::Command { setup, .. } | Kind::Url { setup, .. } => setup.folder = PathBuf::new(),
            Kind::BuiltIn(built_in) => built_in.binary = None,
        }
    }
    for (operation, _) in &mut canonical.mix {
        if let Operation::Payment { rounds } = operation {
            *rounds = 0;
        }
    }
    let digest = Sha256::digest(format!("{canonical:?}"));
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
        text
    })
}
