//! Where PostgreSQL's programs are.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Names the folder of `initdb` and `postgres`, before anything that is looked for.
pub const VARIABLE: &str = "BAKEOFF_PG_BIN";

/// Debian and Ubuntu keep versions side by side here, and none of them on PATH.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`: `BAKEOFF_PG_BIN`, the highest of `/usr/lib/postgresql/*/bin`, or one of PATH.
///
/// # Errors
/// When there is none; the message says how to install them.
pub fn find() -> Result<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
    if let Some(folder) = named.map(PathBuf::from) {
        return if has_both(&folder) {
            Ok(folder)
        } else {
            Err(Error::usage(format!(
                "{VARIABLE} is {}, where initdb and postgres are not both",
                folder.display()
            ))
            .help("name the folder that has them, as /usr/lib/postgresql/15/bin"))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    highest(Path::new(VERSIONS))
        .or_else(|| std::env::split_paths(&path).find(|folder| has_both(folder)))
        .ok_or_else(|| {
            Error::usage("PostgreSQL is not installed: neither initdb nor postgres was found").help(format!(
                "apt-get install postgresql (or your system's server package), name their folder in {VARIABLE}, or give \
                 the URL of a server on this machine"
            ))
        })
}

/// The `bin` folder of the highest version in `versions`.
fn highest(versions: &Path) -> Option<PathBuf> {
    let numbered = versions.read_dir().ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    numbered.filter(|(_, folder)| has_both(folder)).max().map(|(_, folder)| folder)
}

fn has_both(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_highest_complete_version_wins() {
        let versions = tempfile::tempdir().unwrap();
        for (version, programs) in [("9", 2), ("15", 2), ("16", 1), ("17", 0), ("backup", 2)] {
            let bin = versions.path().join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            for program in ["initdb", "postgres"].iter().take(programs) {
                fs::write(bin.join(program), "").unwrap();
            }
        }
        assert_eq!(highest(versions.path()), Some(versions.path().join("15/bin")));
        assert_eq!(highest(&versions.path().join("none")), None);
    }
}
