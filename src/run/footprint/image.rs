//! Container images written as an OCI layout, without a container engine: a folder of blobs named by their SHA-256, and
//! an index of images in it (OCI Image Specification 1.1, image-layout.md, manifest.md, config.md, layer.md).
//!
//! The same files give the same bytes: no clock and no owner goes in. Images share the layers that they have in common.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Context, Result};

/// A layout under way. Only [`Layout::finish`] makes it one that others can read.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
    images: Vec<Value>,
}

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Packed {
    /// Its path in the image, without a slash at its start.
    pub(crate) at: String,
    /// Where it is read; a symbolic link stays one.
    pub(crate) from: PathBuf,
}

/// A layer that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    blob: Blob,
    /// SHA-256 of the archive, not of the blob.
    diff_id: String,
    /// The archive before it was compressed.
    pub(crate) raw_bytes: u64,
}

/// A blob that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blob {
    digest: String,
    bytes: u64,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Layout {
    /// An empty layout in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).usage(|| format!("cannot make {}", blobs.display()))?;
        Ok(Self { folder: folder.to_owned(), images: Vec::new() })
    }

    /// Writes `files` as a layer, compressed by gzip at its usual level.
    ///
    /// # Errors
    /// When a file cannot be read or the layout cannot be written.
    pub(crate) fn layer(&self, files: &[Packed]) -> Result<Layer> {
        let part = self.folder.join("blobs/sha256/.part");
        let packed = archive(&part, files).usage(|| format!("cannot write {}", part.display()))?;
        let (raw, blob) = packed;
        let layer = Layer { blob, diff_id: raw.digest, raw_bytes: raw.bytes };
        let to = self.path(&layer.blob);
        fs::rename(&part, &to).usage(|| format!("cannot write {}", to.display()))?;
        Ok(layer)
    }

    /// Adds the image `name` of `layers`, the lowest first, and gives the bytes of all its blobs.
    ///
    /// # Errors
    /// When the layout cannot be written.
    pub(crate) fn image(&mut self, name: &str, layers: &[Layer], start: &[String]) -> Result<u64> {
        let config = self.json(&json!({
            "architecture": architecture(),
            "os": "linux",
            "config": { "Entrypoint": start },
            "rootfs": {
                "type": "layers",
                "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>(),
            },
        }))?;
        let manifest = self.json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.described(CONFIG),
            "layers": layers.iter().map(|one| one.blob.described(LAYER)).collect::<Vec<_>>(),
        }))?;
        let mut image = manifest.described(MANIFEST);
        image["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        self.images.push(image);
        let own = config.bytes + manifest.bytes;
        Ok(layers.iter().fold(own, |sum, layer| sum + layer.blob.bytes))
    }

    /// Writes what makes the folder a layout.
    ///
    /// # Errors
    /// When the layout cannot be written.
    pub(crate) fn finish(self) -> Result<()> {
        let index = json!({ "schemaVersion": 2, "manifests": self.images });
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        for (name, value) in [("index.json", index), ("oci-layout", version)] {
            let path = self.folder.join(name);
            fs::write(&path, value.to_string())
                .usage(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn json(&self, value: &Value) -> Result<Blob> {
        let bytes = value.to_string().into_bytes();
        let digest = named(Sha256::digest(&bytes).as_slice());
        let blob = Blob { digest, bytes: bytes.len() as u64 };
        let path = self.path(&blob);
        fs::write(&path, bytes).usage(|| format!("cannot write {}", path.display()))?;
        Ok(blob)
    }

    fn path(&self, blob: &Blob) -> PathBuf {
        self.folder.join("blobs").join(blob.digest.replace(':', "/"))
    }
}

impl Blob {
    fn described(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.bytes })
    }
}

/// Writes the files into the archive `part`; gives what the archive is and what it is compressed.
fn archive(part: &Path, files: &[Packed]) -> io::Result<(Blob, Blob)> {
    let compressed = Measured::of(BufWriter::new(File::create(part)?));
    let raw = Measured::of(GzEncoder::new(compressed, Compression::default()));
    let mut archive = tar::Builder::new(raw);
    for file in files {
        add(&mut archive, file).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", file.from.display()))
        })?;
    }
    let raw = archive.into_inner()?;
    let (gzip, raw) = raw.end();
    let (mut file, blob) = gzip.finish()?.end();
    file.flush()?;
    Ok((raw, blob))
}

fn add(archive: &mut tar::Builder<impl Write>, file: &Packed) -> io::Result<()> {
    let about = fs::symlink_metadata(&file.from)?;
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    if about.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        return archive.append_link(&mut header, &file.at, fs::read_link(&file.from)?);
    }
    let executable = about.permissions().mode() & 0o111 != 0;
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(about.len());
    archive.append_data(&mut header, &file.at, File::open(&file.from)?)
}

/// Passes bytes on, counts them, and adds them to a digest.
struct Measured<W> {
    inner: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Measured<W> {
    fn of(inner: W) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }

    fn end(self) -> (W, Blob) {
        let digest = named(self.digest.finalize().as_slice());
        (self.inner, Blob { digest, bytes: self.bytes })
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// `sha256:` and the digits.
fn named(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// As Go names it, whose words the specification uses.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    /// A blob of the layout that a descriptor names, after checking that it is what its descriptor says.
    fn blob(folder: &Path, descriptor: &Value) -> Vec<u8> {
        let digest = descriptor["digest"].as_str().unwrap();
        let bytes = fs::read(folder.join("blobs").join(digest.replace(':', "/"))).unwrap();
        assert_eq!(named(Sha256::digest(&bytes).as_slice()), digest);
        assert_eq!(descriptor["size"].as_u64(), Some(bytes.len() as u64));
        bytes
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn files(folder: &Path) -> Vec<Packed> {
        fs::create_dir_all(folder).unwrap();
        let program = folder.join("server");
        fs::write(&program, "#!/bin/sh\n".repeat(1_000)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let link = folder.join("link");
        std::os::unix::fs::symlink("server", &link).unwrap();
        let long = format!("app/{}/server", "deep/".repeat(40));
        vec![
            Packed { at: "app/server".into(), from: program.clone() },
            Packed { at: long, from: program },
            Packed { at: "app/link".into(), from: link },
        ]
    }

    #[test]
    fn every_digest_and_size_is_that_of_its_blob_and_the_files_come_out_again() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(&scratch.path().join("files"));
        let folder = scratch.path().join("image");
        let mut layout = Layout::create(&folder).unwrap();
        let layers = [layout.layer(&files[..1]).unwrap(), layout.layer(&files[1..]).unwrap()];
        let bytes = layout.image("go", &layers, &["/app/server".into()]).unwrap();
        layout.image("again", &layers, &["/app/link".into()]).unwrap();
        layout.finish().unwrap();

        let version = read(&fs::read(folder.join("oci-layout")).unwrap());
        assert_eq!(version["imageLayoutVersion"], "1.0.0");
        let index = read(&fs::read(folder.join("index.json")).unwrap());
        let images = index["manifests"].as_array().unwrap();
        let names =
            images.iter().map(|one| &one["annotations"]["org.opencontainers.image.ref.name"]);
        assert_eq!(names.collect::<Vec<_>>(), ["go", "again"]);

        let manifest = blob(&folder, &images[0]);
        let parsed = read(&manifest);
        let config = blob(&folder, &parsed["config"]);
        let blobs: Vec<_> =
            parsed["layers"].as_array().unwrap().iter().map(|one| blob(&folder, one)).collect();
        let sum: usize = blobs.iter().map(Vec::len).sum();
        assert_eq!(bytes, (manifest.len() + config.len() + sum) as u64);
        let config = read(&config);
        assert_eq!(config["config"]["Entrypoint"], json!(["/app/server"]));
        let mut unpacked = Vec::new();
        for (place, blob) in blobs.iter().enumerate() {
            let mut archive = Vec::new();
            GzDecoder::new(&blob[..]).read_to_end(&mut archive).unwrap();
            assert_eq!(archive.len() as u64, layers[place].raw_bytes);
            let diff_id = named(Sha256::digest(&archive).as_slice());
            assert_eq!(config["rootfs"]["diff_ids"][place], diff_id.as_str());
            for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
                let entry = entry.unwrap();
                let about = (entry.header().mode().unwrap(), entry.header().mtime().unwrap());
                unpacked.push((entry.path().unwrap().display().to_string(), about, entry.size()));
            }
        }
        let long = files[1].at.clone();
        assert_eq!(
            unpacked,
            [
                ("app/server".into(), (0o755, 0), 10_000),
                (long, (0o755, 0), 10_000),
                ("app/link".into(), (0o777, 0), 0)
            ]
        );
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(&scratch.path().join("files"));
        let layout = Layout::create(&scratch.path().join("image")).unwrap();
        let first = layout.layer(&files).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&files[0].from, "#!/bin/sh\n".repeat(1_000)).unwrap();
        assert_eq!(layout.layer(&files).unwrap(), first);
        let gone = Packed { at: "x".into(), from: scratch.path().join("gone") };
        let error = layout.layer(&[gone]).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
