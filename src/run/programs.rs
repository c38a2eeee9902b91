//! What contenders run, as digests: two builds are told apart by them.

use std::env;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files;
use crate::scenario::{Contender, Kind};

/// Larger files are told apart by their lengths and times: to read them would take seconds at each start.
const READ_BYTES_MAX: u64 = 256 << 20;
/// Read at once.
const PIECE_BYTES: usize = 1 << 16;

/// A digest of every file that a contender's command names, and of the words that are none: the first 16 digits of the
/// SHA-256. Nothing for a contender that runs already, or where the program is not there.
pub(crate) fn digest(contender: &Contender) -> Option<String> {
    let mut digest = Sha256::new();
    match &contender.kind {
        Kind::BuiltIn(built_in) => {
            let path = built_in.binary.clone().or_else(|| env::current_exe().ok())?;
            add(&mut digest, &path)?;
        }
        Kind::Command { argv, setup } => {
            for (place, word) in argv.iter().enumerate() {
                let beside = setup.folder.join(word);
                let found = match place == 0 && !word.contains('/') {
                    true => in_path(word).and_then(|path| add(&mut digest, &path)),
                    false => add(&mut digest, &beside),
                };
                if found.is_none() {
                    digest.update(word);
                }
                digest.update([0]);
            }
        }
        Kind::Url { .. } => return None,
    }
    Some(digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Adds what is in a regular file, and nothing of another.
fn add(digest: &mut Sha256, path: &Path) -> Option<()> {
    let (file, len) = files::regular(path).ok()?;
    if len > READ_BYTES_MAX {
        let about = file.metadata().ok()?;
        [len as i64, about.mtime(), about.mtime_nsec()]
            .iter()
            .for_each(|number| digest.update(number.to_le_bytes()));
        return Some(());
    }
    // One of /proc has no length, and one that is written to may grow meanwhile.
    let (mut file, mut piece) = (file.take(READ_BYTES_MAX), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(()),
            n => digest.update(&piece[..n]),
        }
    }
}

/// The program that a bare name stands for.
fn in_path(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    #[test]
    fn a_rebuilt_file_of_a_command_changes_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("server");
        let put = |text: &str| std::fs::write(&server, text).unwrap();
        let scenario = format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"http\"\n\
             experiment.compare.rates = [\"100/s\"]\n[[route]]\nname = \"a\"\npath = \"/\"\n\
             [contender.one]\ncommand = [\"sh\", \"{}\", \"{{port}}\"]\n\
             [contender.two]\nurl = \"http://127.0.0.1:1/\"\n",
            server.display()
        );
        put("one");
        let scenario = parse("a.toml", &scenario).unwrap();
        let of = |place: usize| digest(&scenario.contenders[place]);
        let before = of(0).expect("a command has one");
        assert_eq!((before.len(), of(0).as_ref()), (16, Some(&before)));
        put("two");
        assert_ne!(of(0).unwrap(), before);
        assert_eq!(of(1), None);
        // A sparse file of a terabyte, which is not read, and a file without an end.
        let huge = std::fs::File::create(&server).unwrap();
        huge.set_len(1 << 40).unwrap();
        let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        huge.set_modified(at(1)).unwrap();
        let before = of(0);
        assert_eq!(of(0), before);
        huge.set_modified(at(2)).unwrap();
        assert_ne!(of(0), before);
        assert_eq!(add(&mut Sha256::new(), Path::new("/dev/zero")), None);
        assert!(in_path("sh").is_some() && in_path("no-such-program-of-ours").is_none());
    }
}
