//! Where this repository is: the built-in scenarios name servers of its folder `contenders`.

use std::path::{Path, PathBuf};

/// The clone around the current folder, else around this program's file, else the one that it was built from.
pub(super) fn repository() -> PathBuf {
    let places = [std::env::current_dir(), std::env::current_exe()];
    let clone = places.iter().flatten().find_map(|place| around(place));
    clone.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR"))).to_owned()
}

/// The folder around `place`, or `place` itself, that has the servers.
fn around(place: &Path) -> Option<&Path> {
    place.ancestors().find(|folder| folder.join("contenders/build").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_found_from_every_folder_in_it() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(around(&here.join("src/scenario")), Some(here));
        assert_eq!(around(Path::new("/")), None);
        assert_eq!(repository(), here);
    }
}
