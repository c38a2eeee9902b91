//! The user's files: read within a bound, and never written over what bakeoff did not write.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Result};

/// The first line of a text, and a comment near the start of a picture, by which bakeoff knows that it wrote them.
pub(crate) const MARK: &str = "<!-- Made by bakeoff -->";
/// The same in a page.
const PAGE_MARK: &str = "<meta name=\"generator\" content=\"bakeoff";
/// The same in a PNG: the text of its `Software`.
pub(crate) const PNG_MARK: &[u8] = b"Software\0Made by bakeoff";
/// Marks stand so near to the start, or to the end.
const HEAD_BYTES: u64 = 1024;
/// Read at once.
const PIECE_BYTES: u64 = 1 << 16;
/// A histogram in base64 has some thousands of bytes.
const STRING_BYTES_MAX: usize = 1 << 20;
/// A whole number has 20, and a fraction not many more.
const DIGITS_MAX: usize = 32;
/// A line of JSON has some kilobytes.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Of a result, and of what is read whole beside it: two thousand trials have about ten million bytes.
pub(crate) const RESULT_BYTES_MAX: u64 = 32 << 20;
/// The longest text that [`signed`] is looked for in.
const SIGNED_BYTES_MAX: u64 = 1 << 20;

/// A whole file of at most `most` bytes.
///
/// # Errors
/// When it cannot be read, is larger, or is no regular file: a pipe may never end, and a device never does.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    pieces(path, most, |_| Ok(()))
}

/// The same in pieces: one that `check` refuses is the last.
fn pieces(
    path: &Path,
    most: u64,
    mut check: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let (mut file, len) = regular(path)?;
    if len > most {
        return Err(large(most));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    loop {
        let read = bytes.len();
        if (&mut file).take(PIECE_BYTES).read_to_end(&mut bytes)? == 0 {
            return Ok(bytes);
        }
        if bytes.len() as u64 > most {
            return Err(large(most));
        }
        check(&bytes[read..])?;
    }
}

fn large(most: u64) -> io::Error {
    io::Error::other(format!("it has more than {most} bytes"))
}

/// JSON as text, of at most `most` bytes. What its reader would copy or make room for is refused as soon as it is read.
///
/// # Errors
/// As [`read_text`], and where a string or a number is longer than any that bakeoff writes, or there are more of them.
pub(crate) fn read_json(path: &Path, most: u64) -> io::Result<String> {
    let mut bounds = JsonBounds::of(most);
    text(pieces(path, most, |piece| bounds.check(piece))?)
}

/// The lines of a regular file that has a value of JSON in each: one of them is held at a time.
#[derive(Debug)]
pub(crate) struct JsonLines {
    file: BufReader<Take<File>>,
    bounds: JsonBounds,
    line: Vec<u8>,
    /// Of the line that was read last, from 1.
    pub(crate) number: usize,
}

impl JsonLines {
    /// # Errors
    /// As [`read`].
    pub(crate) fn open(path: &Path, most: u64) -> io::Result<Self> {
        let (file, len) = regular(path)?;
        if len > most {
            return Err(large(most));
        }
        let file = BufReader::new(file.take(most));
        Ok(Self { file, bounds: JsonBounds::of(most), line: Vec::new(), number: 0 })
    }

    /// The next line with its end; none after the last one.
    ///
    /// # Errors
    /// When it cannot be read, and as [`read_json`].
    pub(crate) fn line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        self.number += 1;
        loop {
            let piece = self.file.fill_buf()?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(piece.len(), |end| end + 1);
            self.bounds.check(&piece[..taken])?;
            self.line.extend_from_slice(&piece[..taken]);
            self.file.consume(taken);
            if self.line.len() > LINE_BYTES_MAX {
                let told = format!("line {} has over {LINE_BYTES_MAX} bytes", self.number);
                return Err(io::Error::other(told));
            }
            if end.is_some() || taken == 0 {
                break;
            }
        }
        Ok(Some(self.line.as_slice()).filter(|line| !line.is_empty()))
    }

    /// Whether no line comes after the one that was read last.
    pub(crate) fn is_over(&mut self) -> io::Result<bool> {
        Ok(self.file.fill_buf()?.is_empty())
    }
}

/// How much there may be in JSON, counted byte by byte: its reader copies long strings and numbers, and an element of two
/// bytes takes up to a hundred in memory.
#[derive(Debug)]
struct JsonBounds {
    line: usize,
    /// The length of the string that has begun.
    string: Option<usize>,
    escaped: bool,
    /// Of the number that has begun.
    digits: usize,
    strings: u64,
    strings_max: u64,
    elements: u64,
    elements_max: u64,
}

impl JsonBounds {
    /// Of a file of at most `most` bytes. The densest result has a comma or a bracket every ten bytes and a string every
    /// twenty without its blanks, and half as many with them, as it is written.
    fn of(most: u64) -> Self {
        Self {
            line: 1,
            string: None,
            escaped: false,
            digits: 0,
            strings: 0,
            strings_max: most / 32,
            elements: 0,
            elements_max: most / 16,
        }
    }

    fn check(&mut self, piece: &[u8]) -> io::Result<()> {
        for byte in piece {
            self.count(*byte);
            if self.string.is_some_and(|len| len > STRING_BYTES_MAX) {
                return self.over(&format!("a string of over {STRING_BYTES_MAX} bytes"));
            }
            if self.digits > DIGITS_MAX {
                return self.over(&format!("a number of over {DIGITS_MAX} digits"));
            }
            if self.strings > self.strings_max {
                return self.over(&format!("string number {}", self.strings));
            }
            if self.elements > self.elements_max {
                return self.over(&format!("element number {}", self.elements));
            }
        }
        Ok(())
    }

    fn over(&self, what: &str) -> io::Result<()> {
        let told = format!("line {} has {what}, and no file of bakeoff has that", self.line);
        Err(io::Error::other(told))
    }

    fn count(&mut self, byte: u8) {
        let inside = self.string.is_some();
        (self.string, self.escaped) = match (self.string, byte) {
            (_, b'\n') => (None, false),
            (None, b'"') => (Some(0), false),
            (Some(_), b'"') if !self.escaped => (None, false),
            (Some(len), byte) => (Some(len + 1), byte == b'\\' && !self.escaped),
            (None, _) => (None, false),
        };
        self.line += usize::from(byte == b'\n');
        self.strings += u64::from(!inside && byte == b'"');
        self.elements += u64::from(!inside && matches!(byte, b',' | b'[' | b'{'));
        self.digits = match byte {
            b'0'..=b'9' if !inside => self.digits + 1,
            b'.' | b'+' | b'-' | b'e' | b'E' if !inside => self.digits,
            _ => 0,
        };
    }
}

/// Opens a regular file, and gives its length.
pub(crate) fn regular(path: &Path) -> io::Result<(File, u64)> {
    // Without NONBLOCK the opening of a pipe waits for its writer.
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::other("it is a pipe or a device, and a regular file is wanted"));
    }
    Ok((file, about.len()))
}

/// The same as text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

/// Whether nothing would be lost if `path` were written: nothing is there, nothing is in it, or bakeoff wrote it.
pub(crate) fn may_be_written(path: &Path) -> bool {
    match fs::metadata(path) {
        Err(error) => error.kind() == ErrorKind::NotFound,
        Ok(about) if about.is_dir() => false,
        Ok(about) => about.len() == 0 || is_own(path) || is_listing(path) || is_signed(path),
    }
}

/// Fails where writing `path` would lose something and is not forced.
///
/// # Errors
/// Usage, with the flag that forces it.
pub(crate) fn expect_writable(path: &Path, force: bool) -> Result<()> {
    if force || may_be_written(path) {
        return Ok(());
    }
    Err(Error::usage(format!("{} is there already", path.display()))
        .help("it would be overwritten: name another file, or force it with --force"))
}

/// Opens a file for writing, as `options` say. Where a pipe has no reader, this is an error and no wait for one.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(OFlags::NONBLOCK.bits() as i32).open(path);
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::other("it is a pipe that nothing reads"),
        _ => error,
    })?;
    // What is written may wait for its reader.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Makes sure that a file can be written later, by [`expect_writable`]'s leave: an empty one is there now.
pub(crate) fn reserve(path: &Path, force: bool) -> Result<()> {
    expect_writable(path, force)?;
    let opened = opened(File::options().append(true).create(true), path);
    opened.map(drop).usage(|| format!("cannot write {}", path.display()))
}

/// Writes a file, by [`expect_writable`]'s leave. One that is there is replaced as a whole.
///
/// # Errors
/// When it cannot be written, or something would be lost.
pub(crate) fn write(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    match File::create_new(path) {
        Ok(mut file) => file
            .write_all(bytes)
            .inspect_err(|_| {
                let _ = fs::remove_file(path);
            })
            .usage(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            expect_writable(path, force)?;
            match path.canonicalize().ok().filter(|file| file.is_file()) {
                Some(file) => replace(&file, bytes).usage(failed),
                // A device, a pipe, or a link that leads to no file yet.
                None => opened(File::options().write(true).create(true).truncate(true), path)
                    .and_then(|mut file| file.write_all(bytes))
                    .usage(failed),
            }
        }
        Err(error) => Err(error).usage(failed),
    }
}

/// Writes beside and renames, so that no reader sees half a file, and a full disk leaves what was there.
///
/// # Errors
/// When it cannot be written; then nothing is left beside.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = OsString::from(".");
    part.push(path.file_name().unwrap_or_default());
    part.push(".part");
    let part = path.with_file_name(part);
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        let _ = fs::remove_file(&part);
    })
}

/// Fails where two outputs are one file, so that the second would be all that is left.
///
/// # Errors
/// Usage, with the file.
pub(crate) fn expect_different(outputs: &[&Path]) -> Result<()> {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        let named = folder.join(path.file_name()?);
        let file = named.canonicalize().unwrap_or(named);
        // A device takes whatever comes.
        (!file.exists() || file.is_file()).then_some(file)
    };
    let places: Vec<_> = outputs.iter().filter_map(|path| place(path)).collect();
    let twice = places.iter().enumerate().find(|(at, place)| places[..*at].contains(place));
    match twice {
        None => Ok(()),
        Some((_, file)) => {
            Err(Error::usage(format!("two outputs would be written to {}", file.display()))
                .help("give each a file of its own"))
        }
    }
}

/// Whether bakeoff wrote a file, by its mark. A text that holds such a mark further down has a copy of one.
pub(crate) fn is_own(path: &Path) -> bool {
    let head = head(path);
    let has = |mark: &[u8]| head.windows(mark.len()).any(|part| part == mark);
    let kinds: [(&[u8], &[u8]); 4] = [
        (b"<svg", MARK.as_bytes()),
        (b"\x89PNG", PNG_MARK),
        (b"<!doctype html", PAGE_MARK.as_bytes()),
        (MARK.as_bytes(), MARK.as_bytes()),
    ];
    kinds.iter().any(|(start, mark)| head.starts_with(start) && has(mark)) && !is_edited(path)
}

/// The second line of a note, with the digest of what follows.
const NOTE: &str = "<!-- bakeoff overwrites this file unless it was edited: ";

/// A text in Markdown that bakeoff overwrites until someone writes into it.
pub(crate) fn note(text: &str) -> String {
    format!("{MARK}\n{NOTE}{} -->\n{text}", digest(text))
}

/// Whether a note has another text than bakeoff gave it. One of an earlier version does not say.
fn is_edited(path: &Path) -> bool {
    let text = read_text(path, SIGNED_BYTES_MAX).unwrap_or_default();
    let second = text.strip_prefix(MARK).and_then(|rest| rest.strip_prefix('\n'));
    let rest = second.filter(|line| line.starts_with(NOTE)).and_then(|it| it.split_once('\n'));
    rest.is_some_and(|(_, rest)| note(rest) != text)
}

/// Whether bakeoff wrote a percentile listing: others do not name its unit.
fn is_listing(path: &Path) -> bool {
    let tail = || {
        let (mut file, len) = regular(path).ok()?;
        file.seek(SeekFrom::Start(len.saturating_sub(HEAD_BYTES))).ok()?;
        let mut tail = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut tail).ok()?;
        Some(tail)
    };
    let unit = LISTING_UNIT.as_bytes();
    tail().is_some_and(|tail| tail.windows(unit.len()).any(|part| part == unit))
}

/// In the last lines of a percentile listing.
pub(crate) const LISTING_UNIT: &str = "#[Unit    =           ms, Digits";

/// A text that is meant to be edited, in TOML: its first line says what the others were, so that an edited one is the
/// user's.
pub(crate) fn signed(text: &str) -> String {
    format!(
        "# Written by bakeoff, which overwrites this file unless it was edited: {}\n{text}",
        digest(text)
    )
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a file has such a text, as it was written.
fn is_signed(path: &Path) -> bool {
    let text = read_text(path, SIGNED_BYTES_MAX).unwrap_or_default();
    text.split_once('\n').is_some_and(|(_, below)| signed(below) == text)
}

/// Whether bakeoff wrote a file as JSON: its schema comes first.
pub(crate) fn is_own_json(path: &Path) -> bool {
    let mut head = head(path);
    head.retain(|byte| !byte.is_ascii_whitespace());
    head.starts_with(b"{\"schema\":\"bakeoff.")
}

/// Whether a file begins as a line of JSON that bakeoff writes does.
pub(crate) fn starts_an_object(path: &Path) -> bool {
    head(path).starts_with(b"{\"")
}

/// The start of a regular file; nothing of another, and of one that cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let read = regular(path).and_then(|(file, _)| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.map_or_else(|_| Vec::new(), |_| head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_within_its_bound_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let told = |path: &Path| read(path, 10).unwrap_err().to_string();
        fs::write(path("ten"), "0123456789").unwrap();
        assert_eq!(read(&path("ten"), 10).unwrap(), b"0123456789");
        assert!(told(&path("none")).contains("No such file"));
        assert!(told(folder.path()).contains("directory"));
        assert!(told(Path::new("/dev/zero")).contains("a regular file is wanted"));
        let pipe = path("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(told(&pipe).contains("a regular file is wanted"), "and nobody waits for a writer");
        assert!(!is_own(&pipe) && !is_own_json(&pipe), "nor here");
        let written = |pipe: &Path| opened(File::options().append(true), pipe);
        let alone = written(&pipe).unwrap_err().to_string();
        assert!(alone.contains("nothing reads"), "and nobody waits for a reader: {alone}");
        assert!(write(&pipe, b"x", true).is_err());
        let _reader = File::options().read(true).write(true).open(&pipe).unwrap();
        written(&pipe).unwrap().write_all(b"x").unwrap();
        // A hole of a terabyte costs nothing: it is refused by its length.
        File::create(path("huge")).unwrap().set_len(1 << 40).unwrap();
        assert!(told(&path("huge")).contains("more than 10 bytes"));
        assert!(
            told(Path::new("/proc/self/maps")).contains("more than 10 bytes"),
            "it has length 0"
        );
        fs::write(path("latin"), b"\xff").unwrap();
        assert!(read_text(&path("latin"), 10).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_long_string_of_json_is_refused_before_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_json(&path, 8 << 20).map_err(|error| error.to_string())
        };
        let long = "x".repeat(STRING_BYTES_MAX);
        for whole in ["{}", &format!("{{\n\"a\\\"\": \"{long}\", \"b\": \"{long}\"}}")] {
            assert_eq!(read(whole).unwrap(), whole);
        }
        for text in [format!("{{\n\"a\": \"{long}x\""), format!("\n\"\\\"{long}")] {
            let told = read(&text).unwrap_err();
            assert!(told.starts_with("line 2 has a string of over 1048576 bytes"), "{told}");
        }
    }

    #[test]
    fn what_takes_more_room_than_any_result_is_refused_and_the_densest_result_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_json(&path, 1 << 20).map(drop).map_err(|error| error.to_string())
        };
        let digits = |n: usize| format!("{{\n\"a\": -1.{}e-3, \"b\": 12}}", "0".repeat(n));
        assert_eq!(read(&digits(DIGITS_MAX - 2)), Ok(()));
        for (text, what) in [
            (&*digits(DIGITS_MAX), "line 2 has a number of over 32 digits"),
            (
                &*format!("{{\"notes\":[{}\"\"]}}", "\"\",".repeat(40_000)),
                "has string number 32769",
            ),
            (&*format!("[{}1]", "1,".repeat(80_000)), "line 1 has element number 65537"),
            (&*"[".repeat(80_000), "line 1 has element number 65537"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(what), "{told}");
        }
        // In a string they are characters.
        assert_eq!(read(&format!("[\"{}\"]", "1,[{".repeat(100_000))), Ok(()));
        let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/reference/tour/result.json");
        let len = fs::metadata(&tour).unwrap().len();
        read_json(&tour, 2 * len).unwrap();
    }

    #[test]
    fn lines_are_read_one_at_a_time_with_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        fs::write(&path, "{}\n\n\u{ff}\nlast").unwrap();
        let mut lines = JsonLines::open(&path, 100).unwrap();
        let mut seen = Vec::new();
        while let Some(line) = lines.line().unwrap() {
            seen.push(line.to_vec());
        }
        assert_eq!(seen, [&b"{}\n"[..], b"\n", "\u{ff}\n".as_bytes(), b"last"]);
        assert!(lines.is_over().unwrap());
        fs::write(&path, ["{}\n\"", &"x".repeat(STRING_BYTES_MAX + 1)].concat()).unwrap();
        let mut lines = JsonLines::open(&path, 2 << 20).unwrap();
        assert!(lines.line().unwrap().is_some() && !lines.is_over().unwrap());
        let told = lines.line().unwrap_err().to_string();
        assert!(told.contains("line 2 has a string of over"), "{told}");
        let told = JsonLines::open(&path, 10).unwrap_err().to_string();
        assert!(told.contains("more than 10 bytes"), "{told}");
    }

    #[test]
    fn only_what_bakeoff_wrote_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let page = format!("<!doctype html>\n{PAGE_MARK} 0.1.0\">");
        for (text, own) in [
            ("", true),
            (&*signed("schema = 1\n"), true),
            (&*signed("schema = 1\n").replace("= 1", "= 2"), false),
            (&*format!("1.0\n#[Max     = 1]\n{LISTING_UNIT} = 3]\n"), true),
            ("1.0\n#[Max     = 1]\n#[Buckets = 27, SubBuckets = 2048]\n", false),
            (&*format!("{MARK}\n# A finding\n"), true),
            (&*note("# A finding\n"), true),
            (&*(note("# A finding\n") + "My conclusion.\n"), false),
            (&*format!("<svg width=\"1\">\n{MARK}\n"), true),
            (&*page, true),
            ("\u{89}PNG", false),
            ("# My project\n", false),
            (&*format!("# My project, with a note in it\n{MARK}\n"), false),
            ("<svg></svg>", false),
            ("<!doctype html>", false),
        ] {
            let path = folder.path().join("file");
            fs::write(&path, text).unwrap();
            assert_eq!(may_be_written(&path), own, "{text}");
            let written = write(&path, b"new", false);
            match own {
                true => written.unwrap(),
                false => assert!(written.unwrap_err().to_string().contains("--force"), "{text}"),
            }
            assert_eq!(fs::read(&path).unwrap(), if own { b"new" } else { text.as_bytes() });
            write(&path, b"forced", true).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"forced");
        }
        write(&folder.path().join("new"), b"new", false).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("new", &link).unwrap();
        write(&link, b"newer", true).unwrap();
        assert!(link.is_symlink(), "what it leads to is written");
        assert_eq!(fs::read(folder.path().join("new")).unwrap(), b"newer");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside");
        assert!(write(folder.path(), b"new", false).is_err(), "a folder is no file");
    }

    #[test]
    fn what_cannot_be_written_whole_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.html");
        fs::write(&page, "old").unwrap();
        // A folder is where the part would be.
        fs::create_dir(folder.path().join(".page.html.part")).unwrap();
        assert!(write(&page, b"new", true).is_err());
        assert_eq!(fs::read(&page).unwrap(), b"old");
    }

    #[test]
    fn two_outputs_are_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let told = |paths: [&Path; 2]| expect_different(&paths).map_err(|error| error.to_string());
        told([&path("a"), &path("b")]).unwrap();
        told([Path::new("/dev/null"), Path::new("/dev/null")]).unwrap();
        assert!(told([&path("a"), &path("./a")]).unwrap_err().contains("two outputs"));
        fs::write(path("a"), "").unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        assert!(told([&path("a"), &path("link")]).is_err(), "by another name");
    }
}
