//! A digest of what a scenario comes to, so that results of different scenarios are never taken for one another's.

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Hosts, Kind, Scenario};
use crate::load::plan::Operation;

/// The digest of each.
pub(crate) fn fingerprints(scenarios: &[Scenario]) -> Vec<String> {
    scenarios.iter().map(fingerprint).collect()
}

/// The first 16 hexadecimal digits of the SHA-256 of `scenario` as it will run: flags count, comments and the order of
/// keys in the file do not, nor does the calibration, which is the machine's.
pub fn fingerprint(scenario: &Scenario) -> String {
    // What a gate makes of the figures does not change them; its rate is kept beside the digest.
    // Nor does where it runs, and files from before there were hosts keep their digest.
    let mut canonical =
        Scenario { notes: Vec::new(), gate: None, hosts: Hosts::default(), ..scenario.clone() };
    for contender in &mut canonical.contenders {
        // Where a folder lies says nothing about what is in it.
        match &mut contender.kind {
            Kind::Command { setup, .. } | Kind::Url { setup, .. } => {
                setup.folder = PathBuf::new();
                let filled = setup.env.iter_mut().filter(|(name, _)| setup.filled.contains(name));
                filled.for_each(|(_, value)| value.clear());
            }
            Kind::BuiltIn(built_in) => built_in.binary = None,
        }
    }
    for (operation, _) in &mut canonical.mix {
        if let Operation::Payment { rounds } = operation {
            *rounds = 0;
        }
    }
    let text = format!("{canonical:?}").replace(&format!(" hosts: {:?},", canonical.hosts), "");
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    #[test]
    fn a_secret_is_no_part_of_it_and_a_value_of_the_file_is() {
        let of = |value: &str| {
            let text = format!(
                "schema = 1\nname = \"a\"\ntitle = \"a\"\nworkload = \"http\"\n\
                 experiment.compare.rates = [\"9/s\"]\n[[route]]\nname = \"r\"\npath = \"/\"\n\
                 [contender.a]\ncommand = [\"sh\"]\nenv = {{ TOKEN = \"{value}\" }}\n"
            );
            parse("a.toml", &text).unwrap()
        };
        // Cargo sets these, unlike each other.
        let (one, other) = (of("{env:CARGO_PKG_NAME}"), of("{env:CARGO_MANIFEST_DIR}"));
        assert_ne!(format!("{one:?}"), format!("{other:?}"));
        assert_eq!(fingerprint(&one), fingerprint(&other));
        assert_ne!(fingerprint(&of("a")), fingerprint(&of("b")));
    }
}
