//! Reads HTTP/1.1 answers out of whatever bytes a socket gives: no socket here, so that every split can be tested.
//!
//! The common case, a whole answer in one read, copies nothing: the body is lent from the read's own buffer. Bytes are
//! kept only for an answer in pieces, the head whole and of the body what the check looks at.

use httparse::{Header, ParserConfig, Response, Status};
use std::mem::MaybeUninit;

use crate::record::outcome::RequestError;

/// A head longer than this is malformed.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// More header fields than this are malformed.
const HEADERS_MAX: usize = 64;
/// So much of a body in pieces is kept for the check; answers of the contract are shorter.
const BODY_KEPT_MAX: usize = 4 * 1024;
/// A chunk's size line or a trailer line longer than this is malformed.
const LINE_BYTES_MAX: usize = 4 * 1024;

#[derive(Debug)]
pub(crate) struct Reader {
    /// So much of a body in pieces is kept.
    kept_max: usize,
    /// Whether heads are kept.
    heads: bool,
    /// Whether anything may follow an answer, and is left unread.
    alone: bool,
    state: State,
    /// The head so far, while it is incomplete.
    head: Vec<u8>,
    /// The last whole head, where heads are kept.
    kept_head: Vec<u8>,
    /// The body's beginning, when it comes in pieces.
    body: Vec<u8>,
    status: u16,
    reusable: bool,
    /// Why what came is none, once it is not.
    why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Empty where heads are not kept.
    pub(crate) head: &'a [u8],
    /// Its beginning, when it came in pieces and is long.
    pub(crate) body: &'a [u8],
    /// Whether the connection can carry another request.
    pub(crate) reusable: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of the body are missing.
    Sized(u64),
    Chunked(Chunk),
    /// The body ends with the connection.
    UntilEnd,
}

/// Where in a chunked body (RFC 9112, 7.1) the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In a size line: the size so far, how many digits, bytes of the line, and whether an extension has begun.
    Size { size: u64, digits: u8, line: usize, extension: bool },
    /// So many bytes of data are missing.
    Data(u64),
    /// After the data: CR LF.
    DataEnd,
    /// In a trailer line of so many bytes; an empty one ends the body.
    Trailer(usize),
}

const SIZE: Chunk = Chunk::Size { size: 0, digits: 0, line: 0, extension: false };

impl Default for Reader {
    fn default() -> Self {
        Self {
            kept_max: BODY_KEPT_MAX,
            heads: false,
            alone: false,
            state: State::Head,
            head: Vec::new(),
            kept_head: Vec::new(),
            body: Vec::new(),
            status: 0,
            reusable: false,
            why: "",
        }
    }
}

impl Reader {
    /// For the one answer of a connection that is closed after it, whatever follows; so much of its body is kept.
    pub(crate) fn of_one(kept_max: usize) -> Self {
        Self { kept_max, alone: true, ..Self::default() }
    }

    /// Keeps so much of a body, and the head if `heads`.
    pub(crate) fn keeping(kept_max: usize, heads: bool) -> Self {
        Self { kept_max, heads, ..Self::default() }
    }

    /// Forgets what was read: for a new connection.
    pub(crate) fn reset(&mut self) {
        let Self { kept_max, heads, alone, .. } = *self;
        *self = Self { kept_max, heads, alone, ..Self::default() };
    }

    /// Takes what a read gave. `head_request`: the answer has no body whatever its head says.
    ///
    /// # Errors
    /// `malformed`, also for bytes after the answer: nothing was asked that they could belong to. The reader must
    /// then be [`Self::reset`].
    pub(crate) fn push<'a>(
        &'a mut self,
        bytes: &'a [u8],
        head_request: bool,
    ) -> Result<Option<Answer<'a>>, RequestError> {
        let whole = if self.state != State::Head {
            self.take_body(bytes)?
        } else if self.head.is_empty() {
            let Some(length) = self.take_head(bytes, head_request)? else {
                self.head.extend_from_slice(bytes);
                return Ok(None);
            };
            let body = &bytes[length..];
            if self.state == State::Sized(body.len() as u64) {
                self.state = State::Head;
                return Ok(Some(Answer { body, ..self.answer() }));
            }
            self.take_body(body)?
        } else {
            // The head comes in pieces: the rare case may copy.
            let mut head = std::mem::take(&mut self.head);
            head.extend_from_slice(bytes);
            let Some(length) = self.take_head(&head, head_request)? else {
                self.head = head;
                return Ok(None);
            };
            self.take_body(&head[length..])?
        };
        Ok(whole.then(|| self.answer()))
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// `closed` when an answer was not whole, or none had begun.
    pub(crate) fn end(&mut self) -> Result<Answer<'_>, RequestError> {
        if self.state != State::UntilEnd {
            self.why = match self.state {
                State::Head if self.head.is_empty() => "before a byte of an answer",
                State::Head => "in the middle of an answer's head",
                _ => "in the middle of an answer's body",
            };
            return Err(RequestError::Closed);
        }
        self.state = State::Head;
        Ok(self.answer())
    }

    /// Why there was no answer, after an error.
    pub(crate) fn why(&self) -> &'static str {
        self.why
    }

    pub(crate) fn malformed(&mut self, why: &'static str) -> RequestError {
        self.why = why;
        RequestError::Malformed
    }

    fn answer(&self) -> Answer<'_> {
        let Self { status, reusable, .. } = *self;
        Answer { status, head: &self.kept_head, body: &self.body, reusable }
    }

    /// Reads heads from the start of `bytes`, skipping interim answers; gives their length when the last one is whole.
    fn take_head(
        &mut self,
        bytes: &[u8],
        head_request: bool,
    ) -> Result<Option<usize>, RequestError> {
        let mut from = 0;
        loop {
            let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
            let mut response = Response::new(&mut []);
            let parsed = ParserConfig::default().parse_response_with_uninit_headers(
                &mut response,
                &bytes[from..],
                &mut headers,
            );
            let length = match parsed {
                Ok(Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
                Ok(Status::Partial) if bytes.len() - from <= HEAD_BYTES_MAX => return Ok(None),
                Ok(_) => return Err(self.malformed("its head has more than 32 KiB")),
                Err(error) => {
                    let why = broken_head(&bytes[from..], error);
                    return Err(self.malformed(why));
                }
            };
            from += length;
            match response.code.unwrap_or_default() {
                101 => {
                    return Err(
                        self.malformed("it switches protocols (101) without being asked to")
                    );
                }
                100..200 => continue,
                200..600 => {}
                _ => return Err(self.malformed("its status is not from 100 to 599")),
            }
            let status = response.code.unwrap_or_default();
            self.status = status;
            self.body.clear();
            if self.heads {
                self.kept_head.clear();
                self.kept_head.extend_from_slice(&bytes[from - length..from]);
            }
            let framing = Framing::read(response.version == Some(1), response.headers);
            let framing = framing.map_err(|why| self.malformed(why))?;
            let bodiless = head_request || status == 204 || status == 304;
            self.state = if bodiless { State::Sized(0) } else { framing.state };
            self.reusable = framing.reusable && self.state != State::UntilEnd;
            return Ok(Some(from));
        }
    }

    /// Takes bytes of the body; says whether it is whole.
    fn take_body(&mut self, bytes: &[u8]) -> Result<bool, RequestError> {
        let left = match self.state {
            State::Head => unreachable!("the head comes before the body"),
            State::UntilEnd => {
                self.keep_body(bytes);
                return Ok(false);
            }
            State::Sized(missing) => {
                let now = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                self.keep_body(&bytes[..now]);
                self.state = State::Sized(missing - now as u64);
                if missing > now as u64 {
                    return Ok(false);
                }
                &bytes[now..]
            }
            State::Chunked(chunk) => match self.take_chunks(chunk, bytes)? {
                Some(left) => left,
                None => return Ok(false),
            },
        };
        if !left.is_empty() && !self.alone {
            return Err(self.malformed("bytes follow its end"));
        }
        self.state = State::Head;
        Ok(true)
    }

    /// Gives what follows the last chunk, or nothing while the body goes on.
    fn take_chunks<'a>(
        &mut self,
        mut chunk: Chunk,
        mut bytes: &'a [u8],
    ) -> Result<Option<&'a [u8]>, RequestError> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Chunk::Data(missing) = chunk {
                let now = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                self.keep_body(&bytes[..now]);
                let missing = missing - now as u64;
                chunk = if missing == 0 { Chunk::DataEnd } else { Chunk::Data(missing) };
                bytes = &bytes[now..];
                continue;
            }
            bytes = rest;
            chunk = match (chunk, byte) {
                (Chunk::DataEnd, b'\r') => Chunk::DataEnd,
                (Chunk::DataEnd, b'\n') => SIZE,
                (Chunk::Size { digits: 0, .. }, b'\n') => return Err(self.malformed(CHUNK)),
                (Chunk::Size { size: 0, .. }, b'\n') => Chunk::Trailer(0),
                (Chunk::Size { size, .. }, b'\n') => Chunk::Data(size),
                (Chunk::Trailer(0), b'\n') => return Ok(Some(bytes)),
                (Chunk::Trailer(_), b'\n') => Chunk::Trailer(0),
                (Chunk::Trailer(line), b'\r') if line < LINE_BYTES_MAX => Chunk::Trailer(line),
                (Chunk::Trailer(line), _) if line < LINE_BYTES_MAX => Chunk::Trailer(line + 1),
                (Chunk::Size { size, digits, line, extension }, byte) if line < LINE_BYTES_MAX => {
                    let digit = char::from(byte).to_digit(16).filter(|_| !extension);
                    match digit {
                        // 15 hexadecimal digits are below 2^60: no overflow.
                        Some(digit) if digits < 15 => Chunk::Size {
                            size: size * 16 + u64::from(digit),
                            digits: digits + 1,
                            line: line + 1,
                            extension,
                        },
                        None if digits > 0 && (extension || b"; \t\r".contains(&byte)) => {
                            Chunk::Size { size, digits, line: line + 1, extension: true }
                        }
                        _ => return Err(self.malformed(CHUNK)),
                    }
                }
                _ => return Err(self.malformed(CHUNK)),
            };
        }
        self.state = State::Chunked(chunk);
        Ok(None)
    }

    fn keep_body(&mut self, bytes: &[u8]) {
        let room = self.kept_max.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

const CHUNK: &str = "a chunk of its body has no size, or no end";

/// What is wrong with a head that cannot be read.
fn broken_head(bytes: &[u8], error: httparse::Error) -> &'static str {
    /// The type of the frame that begins a connection of HTTP/2 (RFC 9113, 6.5).
    const SETTINGS: u8 = 4;
    match bytes {
        [0, _, _, SETTINGS, ..] => "it is an HTTP/2 frame: the server does not speak HTTP/1.1 here",
        [20..=23, 3, ..] => "it is a record of TLS: the server speaks HTTPS here",
        _ if !bytes.starts_with(b"HTTP/1.") => "it does not begin with HTTP/1.",
        _ => match error {
            httparse::Error::TooManyHeaders => "it has more than 64 header fields",
            httparse::Error::HeaderName => "the name of a header field is invalid",
            httparse::Error::HeaderValue => {
                "a header field's value has a byte that it must not have"
            }
            _ => "its status line is invalid",
        },
    }
}

/// How long an answer's body is and what becomes of the connection, as its head says.
struct Framing {
    state: State,
    reusable: bool,
}

impl Framing {
    /// Or why the head says nothing of the kind.
    fn read(version_1_1: bool, headers: &[Header<'_>]) -> Result<Self, &'static str> {
        let mut length = None;
        let mut chunked = None;
        let mut reusable = version_1_1;
        for header in headers {
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    let value =
                        decimal(header.value).ok_or("its content-length is not a number")?;
                    // Two lengths that differ are how requests are smuggled (RFC 9112, 6.3).
                    if length.replace(value).is_some_and(|other| other != value) {
                        return Err("it has two content-lengths that differ");
                    }
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    let last = header.value.rsplit(|&b| b == b',').next().unwrap_or_default();
                    chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for token in header.value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                        if token.eq_ignore_ascii_case(b"close") {
                            reusable = false;
                        } else if token.eq_ignore_ascii_case(b"keep-alive") {
                            reusable = true;
                        }
                    }
                }
                _ => {}
            }
        }
        let state = match (chunked, length) {
            (Some(_), Some(_)) => return Err("it has a content-length and a transfer-encoding"),
            (Some(true), None) => State::Chunked(SIZE),
            (None, Some(length)) => State::Sized(length),
            (Some(false) | None, None) => State::UntilEnd,
        };
        Ok(Self { state, reusable })
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one answer was: status, body, reusable; or the error.
    type Read = Result<(u16, Vec<u8>, bool), RequestError>;

    /// Reads `pieces`, and the end of the connection when they are not enough.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, head_request: bool) -> Read {
        let mut reader = Reader::default();
        let own = |answer: Answer<'_>| (answer.status, answer.body.to_vec(), answer.reusable);
        for piece in pieces {
            if let Some(answer) = reader.push(piece, head_request)? {
                return Ok(own(answer));
            }
        }
        reader.end().map(own)
    }

    fn whole(text: &str) -> Read {
        read([text.as_bytes()], false)
    }

    #[test]
    fn one_answer_alone_is_whole_whatever_follows() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 500 Never\r\n\r\n";
        assert_eq!(whole(text), Err(RequestError::Malformed));
        for at in 1..text.len() {
            let mut reader = Reader::of_one(3);
            let (first, second) = text.as_bytes().split_at(at);
            let body = match reader.push(first, false).unwrap() {
                Some(answer) => answer.body.to_vec(),
                None => reader.push(second, false).unwrap().expect("it is whole").body.to_vec(),
            };
            // What comes in pieces is kept up to the bound.
            assert!(body == b"hello" || body == b"hel", "{at}: {body:?}");
        }
    }

    #[test]
    fn every_split_reads_the_same() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;x=\"1\"\r\nhel\r\n02 \r\nlo\r\n0\r\nT: v\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        ] {
            let expected = Ok((200, b"hello".to_vec(), true));
            assert_eq!(whole(text), expected, "{text}");
            let bytes = text.as_bytes();
            for at in 1..bytes.len() {
                assert_eq!(read([&bytes[..at], &bytes[at..]], false), expected, "{text} at {at}");
            }
            assert_eq!(read(bytes.chunks(1), false), expected, "byte by byte");
        }
    }

    #[test]
    fn a_reader_reads_one_answer_after_another() {
        let mut reader = Reader::default();
        for body in ["first", "x", "second one"] {
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let (a, b) = text.as_bytes().split_at(text.len() - 1);
            assert_eq!(reader.push(a, false), Ok(None));
            let answer = reader.push(b, false).unwrap().unwrap();
            assert_eq!(answer.body, body.as_bytes(), "nothing is left over from the one before");
        }
    }

    #[test]
    fn answers_without_a_body() {
        for (text, head) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ] {
            let (_, body, reusable) = read([text.as_bytes()], head).unwrap();
            assert!(body.is_empty() && reusable, "{text}");
        }
    }

    #[test]
    fn the_connection_is_kept_or_not_as_the_head_says() {
        for (text, reusable) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: x, Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(whole(text), Ok((200, Vec::new(), reusable)), "{text}");
        }
        let until_end = "HTTP/1.1 200 OK\r\n\r\nall of it";
        assert_eq!(whole(until_end), Ok((200, b"all of it".to_vec(), false)));
    }

    #[test]
    fn ends_and_garbage_are_told_apart() {
        for closed in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-len",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ] {
            assert_eq!(whole(closed), Err(RequestError::Closed), "{closed}");
        }
        for malformed in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 999 Odd\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxy",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ] {
            assert_eq!(whole(malformed), Err(RequestError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut reader = Reader::default();
        reader.push(b"HTTP/1.1 200 OK\r\nx: ", false).unwrap();
        let endless = (0..100).find_map(|_| reader.push(&[b'a'; 1_000], false).err());
        assert_eq!(endless, Some(RequestError::Malformed));

        let mut reader = Reader::default();
        reader.push(b"HTTP/1.1 200 OK\r\n\r\n", false).unwrap();
        for _ in 0..100 {
            assert_eq!(reader.push(&[b'a'; 1_000], false), Ok(None));
        }
        assert_eq!(reader.end().unwrap().body.len(), BODY_KEPT_MAX);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(pieces: Vec<Vec<u8>>, framing in "[ -~]{0,40}") {
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\ntransfer-encoding: chunked\r\n\r\n");
            let _ = read(pieces.iter().map(Vec::as_slice), false);
            let pieces = pieces.iter().map(Vec::as_slice);
            let _ = read(std::iter::once(head.as_bytes()).chain(pieces), false);
        }
    }

    #[test]
    fn what_is_no_answer_is_told_why() {
        let why = |bytes: &[u8]| {
            let mut reader = Reader::default();
            match reader.push(bytes, false) {
                Err(RequestError::Malformed) => reader.why(),
                Ok(None) => {
                    assert_eq!(reader.end().unwrap_err(), RequestError::Closed);
                    reader.why()
                }
                other => panic!("{other:?}"),
            }
        };
        let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let many: String = (0..65).map(|n| format!("x-{n}: 1\r\n")).collect();
        for (bytes, said) in [
            (&b"\0\0\x12\x04\0\0\0\0\0"[..], "HTTP/2"),
            (b"\x15\x03\x01\0\x02\x02\x46", "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not begin with HTTP/1."),
            (b"HTTP/1.1 999 No\r\n\r\n", "status"),
            (b"HTTP/1.1 101 Switching\r\n\r\n", "101"),
            (head(&many).as_bytes(), "64"),
            (head(&format!("x: {}\r\n", "y".repeat(33_000))).as_bytes(), "32 KiB"),
            (head("content-length: 2, 2\r\n").as_bytes(), "not a number"),
            (head("content-length: 2\r\ncontent-length: 3\r\n").as_bytes(), "differ"),
            (
                head("content-length: 2\r\ntransfer-encoding: chunked\r\n").as_bytes(),
                "and a transfer-encoding",
            ),
            (head("x y: z\r\n").as_bytes(), "name"),
            (b"HTTP/1.1 204 None\r\n\r\nok", "follow its end"),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "chunk"),
            (b"", "before a byte"),
            (b"HTTP/1.1 200", "head"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "body"),
        ] {
            let why = why(bytes);
            assert!(why.contains(said), "{said}: {why}");
        }
    }
}
