//! What a container image of some files and nothing else comes to: each layer as an archive of tar, and that
//! compressed by gzip. The archives are counted and not kept.
//!
//! The same files give the same figures: no clock and no owner goes in.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::{fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::{Context, Result};

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Packed {
    /// Its path in the image, without a slash at its start.
    pub(crate) at: String,
    /// Where it is read; a symbolic link stays one.
    pub(crate) from: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) raw_bytes: u64,
    /// The same by gzip at its usual level.
    pub(crate) compressed_bytes: u64,
}

const BLOCK: usize = 512;
/// A longer name has no room in a header.
const NAME_MAX: usize = 100;

impl Layer {
    pub(crate) fn of(files: &[Packed]) -> Result<Self> {
        let gzip = GzEncoder::new(Counted::of(io::sink()), Compression::default());
        let Counted { to: gzip, bytes: raw_bytes } = archive(files, Counted::of(gzip))?;
        let compressed = gzip.finish().context(|| "cannot compress a layer".into())?;
        Ok(Self { raw_bytes, compressed_bytes: compressed.bytes })
    }
}

/// Writes `files` as GNU tar does.
fn archive<W: Write>(files: &[Packed], mut to: W) -> Result<W> {
    for file in files {
        add(&mut to, file).usage(|| format!("cannot pack {}", file.from.display()))?;
    }
    to.write_all(&[0; 2 * BLOCK]).context(|| "cannot end an archive".into())?;
    Ok(to)
}

fn add(to: &mut impl Write, file: &Packed) -> io::Result<()> {
    let about = fs::symlink_metadata(&file.from)?;
    let name = file.at.as_bytes();
    add_long(to, b'L', name)?;
    if about.is_symlink() {
        let target = fs::read_link(&file.from)?;
        let target = target.as_os_str().as_bytes();
        add_long(to, b'K', target)?;
        return to.write_all(&header(name, 0o777, 0, b'2', target));
    }
    let mode = if about.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    to.write_all(&header(name, mode, about.len(), b'0', b""))?;
    let bytes = io::copy(&mut File::open(&file.from)?, to)?;
    pad(to, bytes)
}

/// An entry before the file's own for a name that is too long for that one's header.
fn add_long(to: &mut impl Write, kind: u8, name: &[u8]) -> io::Result<()> {
    if name.len() <= NAME_MAX {
        return Ok(());
    }
    let bytes = name.len() as u64 + 1;
    to.write_all(&header(b"././@LongLink", 0o644, bytes, kind, b""))?;
    to.write_all(name)?;
    to.write_all(&[0])?;
    pad(to, bytes)
}

/// Fills the last block of `bytes` bytes.
fn pad(to: &mut impl Write, bytes: u64) -> io::Result<()> {
    let last = bytes as usize % BLOCK;
    to.write_all(&[0; BLOCK][..(BLOCK - last) % BLOCK])
}

fn header(name: &[u8], mode: u32, bytes: u64, kind: u8, target: &[u8]) -> [u8; BLOCK] {
    const ROOT: &str = "0000000\0";
    const EPOCH: &str = "00000000000\0";
    const NO_SUM: &str = "        ";
    let mut block = [0; BLOCK];
    let put = |block: &mut [u8; BLOCK], at: usize, field: &[u8]| {
        block[at..at + field.len()].copy_from_slice(field);
    };
    let cut = |name: &[u8]| name[..name.len().min(NAME_MAX)].to_vec();
    let numbers = format!("{mode:07o}\0{ROOT}{ROOT}{bytes:011o}\0{EPOCH}{NO_SUM}");
    put(&mut block, 0, &cut(name));
    put(&mut block, 100, numbers.as_bytes());
    put(&mut block, 156, &[kind]);
    put(&mut block, 157, &cut(target));
    put(&mut block, 257, b"ustar  \0");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Passes bytes on and counts them.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W> Counted<W> {
    fn of(to: W) -> Self {
        Self { to, bytes: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn files(folder: &Path) -> Vec<Packed> {
        let program = folder.join("server");
        fs::write(&program, "#!/bin/sh\n".repeat(1_000)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let (full, empty) = (folder.join("full"), folder.join("empty"));
        fs::write(&full, [7; 2 * BLOCK]).unwrap();
        fs::write(&empty, "").unwrap();
        let (near, far) = (folder.join("near"), folder.join("far"));
        std::os::unix::fs::symlink("server", &near).unwrap();
        std::os::unix::fs::symlink("deep/".repeat(40), &far).unwrap();
        vec![
            Packed { at: "app/server".into(), from: program.clone() },
            Packed { at: "a".repeat(NAME_MAX), from: full },
            Packed { at: "b".repeat(NAME_MAX + 1), from: empty },
            Packed { at: format!("app/{}server", "deep/".repeat(200)), from: program },
            Packed { at: "app/near".into(), from: near },
            Packed { at: "app/far".into(), from: far },
        ]
    }

    #[test]
    fn a_layer_weighs_what_its_archive_does() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(scratch.path());
        // Headers and contents, and before three of them an entry of a long name, which is 1,010 bytes in one.
        let blocks = (1 + 20) + (1 + 2) + (2 + 1) + (3 + 1 + 20) + 1 + (2 + 1) + 2;
        let layer = Layer::of(&files).unwrap();
        assert_eq!(layer.raw_bytes, blocks * BLOCK as u64);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&archive(&files, Vec::new()).unwrap()).unwrap();
        let compressed = gzip.finish().unwrap().len();
        assert!((300..1_500).contains(&compressed), "{compressed}");
        assert_eq!(layer.compressed_bytes, compressed as u64);
        assert_eq!(Layer::of(&[]).unwrap().raw_bytes, 2 * BLOCK as u64);
    }

    #[test]
    fn tar_takes_out_what_was_put_in() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(scratch.path());
        let tar = Command::new("tar")
            .args(["--list", "--verbose", "--utc", "--full-time", "--numeric-owner", "--file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut tar) = tar else {
            eprintln!("SKIPPED: no GNU tar");
            return;
        };
        let archive = archive(&files, Vec::new()).unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let told = tar.wait_with_output().unwrap();
        assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
        let told = String::from_utf8(told.stdout).unwrap();
        let told: Vec<Vec<&str>> =
            told.lines().map(|line| line.split_whitespace().collect()).collect();
        let far = "deep/".repeat(40);
        for ((line, file), (mode, bytes, target)) in told.iter().zip(&files).zip([
            ("-rwxr-xr-x", "10000", None),
            ("-rw-r--r--", "1024", None),
            ("-rw-r--r--", "0", None),
            ("-rwxr-xr-x", "10000", None),
            ("lrwxrwxrwx", "0", Some("server")),
            ("lrwxrwxrwx", "0", Some(far.as_str())),
        ]) {
            assert_eq!(line[..6], [mode, "0/0", bytes, "1970-01-01", "00:00:00", &*file.at]);
            assert_eq!(line.get(7).copied(), target);
        }
        assert_eq!(told.len(), files.len());
    }

    #[test]
    fn the_same_files_give_the_same_figures_and_one_that_is_gone_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(scratch.path());
        let first = Layer::of(&files).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
        File::open(&files[0].from).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(Layer::of(&files).unwrap(), first);
        let gone = Packed { at: "x".into(), from: scratch.path().join("gone") };
        let error = Layer::of(&[gone]).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
