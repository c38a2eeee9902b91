//! What an orchestrator and an agent say to each other: one line of JSON a frame, of at most a mebibyte, whole and flushed,
//! because some launchers forward whole lines only. What is longer comes in lines that start with `+`, and the last
//! without.
//!
//! The agent speaks first, `bakeoff-agent/1 NONCE`. A launcher may print before it (a banner of ssh, a warning of kubectl).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Failure};
use crate::load::Begin;
use crate::load::plan::{Peer, Plan};
use crate::record::outcome::Outcome;
use crate::record::{Fingerprint, carried};
use crate::scenario::Setup;
use crate::units::Nanos;

/// The protocol and its version.
const PROTOCOL: &str = "bakeoff-agent/";
const VERSION: &str = "1";
/// A line, without its newline.
const LINE_MAX: usize = 1 << 20;
/// A frame in all its lines: a plan with the largest tables has less.
const FRAME_MAX: usize = 1 << 30;
/// What may come before the agent speaks.
const NOISE_MAX: usize = 64 << 10;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToAgent {
    /// The link lives; answered with the same.
    Beat,
    Ask {
        id: u64,
        ask: Box<Ask>,
    },
    /// More about what was asked.
    Tell {
        id: u64,
        word: Word,
    },
}

/// From an agent. What is done is a value of the type that the question has.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromAgent {
    Beat,
    Done {
        id: u64,
        answer: Value,
    },
    Failed {
        id: u64,
        why: CarriedError,
    },
    /// Before it is done.
    Said {
        id: u64,
        what: Value,
    },
}

/// What an agent is told of a question that it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// It is to end with what it has.
    Stop,
    /// All generators have met.
    Begin(Begin),
}

/// An error with its blame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CarriedError {
    code: u8,
    message: String,
    help: Option<String>,
    by_contender: Option<String>,
    by_machine: bool,
}

impl From<&Error> for CarriedError {
    fn from(error: &Error) -> Self {
        let (message, help) = error.parts();
        Self {
            code: error.exit_code(),
            message: message.to_owned(),
            help: help.map(str::to_owned),
            by_contender: error.contender_wrote().map(str::to_owned),
            by_machine: error.is_by_machine(),
        }
    }
}

impl CarriedError {
    pub(crate) fn into_error(self) -> Error {
        let failure = match self.code {
            2 => Failure::Usage,
            5 => Failure::Invalid,
            130 => Failure::Interrupted,
            _ => Failure::Internal,
        };
        let mut error = Error::of(failure, self.message);
        if let Some(help) = self.help {
            error = error.help(help);
        }
        if let Some(wrote) = self.by_contender {
            error = error.by_contender(wrote);
        }
        if self.by_machine { error.by_machine() } else { error }
    }
}

/// A question. Its variants say the type of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Ask {
    /// What the host is ([`Described`]); `address` is the one that others are to reach it at.
    Describe { address: IpAddr },
    /// CLOCK_MONOTONIC now ([`Nanos`]), answered ahead of all others.
    Clock,
    /// To start a server on some cores and wait until it is ready ([`RunningServer`]). It listens on `address`.
    Start {
        name: String,
        start: Start,
        env: Vec<(String, String)>,
        cores: Vec<usize>,
        address: IpAddr,
    },
    /// To end it (nothing).
    Stop { server: u64 },
    /// How it ended, if it has without being asked (`Option<String>`); that may take a moment to show (`soon`).
    Crashed { server: u64, soon: bool },
    /// The last of what it wrote (`String`), also of one that has been ended.
    Wrote { server: u64 },
    /// What it uses in a window of this host's clock ([`Sampled`](super::sampler::Sampled)). Can be told to stop.
    Sample { server: u64, pooled: bool, cores: Vec<usize>, window: [Nanos; 3] },
    /// To send a part of a load ([`Sent`]). It says [`Said`], and is told when to begin.
    Load { plan: Box<Plan> },
    /// What an idle core loses in so long ([`Hiccups`](crate::record::Hiccups)).
    Hiccups { time: Nanos },
    /// How many rounds a CPU time comes to ([`Calibrated`](crate::record::Calibrated)).
    Calibrate { cpu: Nanos },
    /// What a server answers at a path ([`Fetched`]), asked at an instant of this host's clock.
    Fetch { at: SocketAddr, method: String, path: String, within: Nanos, when: Nanos },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Start {
    /// The agent's own program, by one of its verbs.
    Own { verb: String, flags: Vec<String> },
    /// Another program.
    Command { argv: Vec<String>, setup: Setup },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) fingerprint: Fingerprint,
    /// Differs between two boots of a machine; hosts that have it in common are one machine.
    pub(crate) boot_id: String,
    /// Those that the agent may use.
    pub(crate) cores: Vec<usize>,
    /// Whether the address is one of its interfaces'.
    pub(crate) has_address: bool,
    /// Its own program.
    pub(crate) program: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunningServer {
    pub(crate) server: u64,
    pub(crate) peer: Peer,
    /// What it said that runs it.
    pub(crate) runtime: Option<String>,
}

/// A body, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Fetched {
    Body(#[serde(with = "carried::bytes")] Vec<u8>),
    Not(String),
}

/// What a generator says before it is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// It is ready to begin, or has warmed up, and this was the slowest of its last right answers.
    Meets(Nanos),
    /// Its measured window: start, middle and end.
    Window([Nanos; 3]),
}

/// What came of a part of a load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    /// Right answers up to the window's end, those of the warm-up too.
    pub(crate) answered: u64,
    /// Of the machine's time: stolen and throttled.
    pub(crate) shares: (Option<f64>, Option<f64>),
}

/// Writes one frame and flushes it.
pub(crate) fn write(to: &mut impl Write, frame: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(frame)?;
    let mut rest = text.as_str();
    while rest.len() > LINE_MAX {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(LINE_MAX - 1));
        writeln!(to, "+{piece}")?;
        rest = more;
    }
    writeln!(to, "{rest}")?;
    to.flush()
}

/// Says that an agent speaks; the number is its own.
pub(crate) fn greet(to: &mut impl Write, nonce: u64) -> io::Result<()> {
    writeln!(to, "{PROTOCOL}{VERSION} {nonce:016x}")?;
    to.flush()
}

/// Reads frames.
#[derive(Debug)]
pub(crate) struct Frames<R>(BufReader<R>);

impl<R: Read> Frames<R> {
    pub(crate) fn of(from: R) -> Self {
        Self(BufReader::new(from))
    }

    /// Waits until an agent speaks, and gives its number.
    ///
    /// # Errors
    /// A sentence, with what came in place of it.
    pub(crate) fn greeted(&mut self) -> Result<u64, String> {
        let mut noise = String::new();
        loop {
            let Some(line) = self.line()? else {
                return Err(format!("no agent has spoken{}", quoted(&noise)));
            };
            if let Some(said) = line.strip_prefix(PROTOCOL) {
                let (version, nonce) = said.split_once(' ').unwrap_or((said, ""));
                if version != VERSION {
                    return Err(format!(
                        "the agent speaks {PROTOCOL}{version}, and this is {PROTOCOL}{VERSION}"
                    ));
                }
                return u64::from_str_radix(nonce, 16)
                    .map_err(|_| format!("the agent's number is `{nonce}`"));
            }
            noise.push_str(&line);
            noise.push('\n');
            if noise.len() > NOISE_MAX {
                return Err(format!("no agent among {NOISE_MAX} bytes{}", quoted(&noise)));
            }
        }
    }

    /// The next frame; nothing at the end.
    ///
    /// # Errors
    /// A sentence: the line is too long, is no frame, or cannot be read.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, String> {
        let mut whole = String::new();
        loop {
            // A link that breaks off in a frame has ended.
            let Some(line) = self.line()? else { return Ok(None) };
            let piece = line.strip_prefix('+');
            whole.push_str(piece.unwrap_or(&line));
            if whole.len() > FRAME_MAX {
                return Err(format!("a frame of more than {FRAME_MAX} bytes"));
            }
            if piece.is_none() {
                break;
            }
        }
        let unread = |error| format!("this is not a frame ({error}){}", quoted(&whole));
        serde_json::from_str(&whole).map(Some).map_err(unread)
    }

    fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        let most = LINE_MAX as u64 + 1;
        let read = self.0.by_ref().take(most).read_until(b'\n', &mut line);
        read.map_err(|error| format!("the link cannot be read: {error}"))?;
        match line.pop() {
            Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').into())),
            _ if line.len() as u64 + 1 == most => {
                Err(format!("a line of more than {LINE_MAX} bytes"))
            }
            _ => Ok(None),
        }
    }
}

/// The beginning of what came, to be told.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 300;
    let text = text.trim();
    let shown: String =
        text.chars().take(SHOWN).filter(|c| !c.is_control() || *c == '\n').collect();
    if shown.is_empty() { String::new() } else { format!("; it said:\n{shown}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<Option<T>, String> {
        Frames::of(text.as_ref()).next()
    }

    #[test]
    fn what_is_written_is_read_however_long() {
        for length in [0, 1, LINE_MAX - 60, LINE_MAX, LINE_MAX + 1, 3 * LINE_MAX] {
            // Of two bytes each, so that a piece may end within one.
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let frame = FromAgent::Done { id: 7, answer: text.clone().into() };
            let mut written = Vec::new();
            write(&mut written, &frame).unwrap();
            write(&mut written, &FromAgent::Beat).unwrap();
            assert!(written.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE_MAX));
            let mut frames = Frames::of(written.as_slice());
            let Ok(Some(FromAgent::Done { id: 7, answer })) = frames.next() else { panic!() };
            assert_eq!(answer, text);
            assert!(matches!(frames.next(), Ok(Some(FromAgent::Beat))));
            assert!(matches!(frames.next::<FromAgent>(), Ok(None)));
        }
    }

    #[test]
    fn rubbish_is_an_error_and_a_broken_line_an_end() {
        assert!(matches!(read::<ToAgent>("\"be"), Ok(None)), "the link broke off");
        assert!(matches!(read::<ToAgent>("\"beat\"\n"), Ok(Some(ToAgent::Beat))));
        for rubbish in ["{}\n", "\"dance\"\n", "+\"be\n\n", "\u{0}\n", "{\"ask\":{\"id\":1}}\n"] {
            let told = read::<ToAgent>(rubbish).unwrap_err();
            assert!(told.starts_with("this is not a frame"), "{told}");
        }
        assert!(read::<ToAgent>([0xff, 0xfe, b'\n']).is_err());
        let told = read::<ToAgent>("x".repeat(LINE_MAX + 1)).unwrap_err();
        assert!(told.starts_with("a line of more than"), "{told}");
    }

    #[test]
    fn an_agent_is_heard_behind_a_banner_and_another_version_is_named() {
        let heard = |text: String| Frames::of(text.as_bytes()).greeted();
        assert_eq!(heard("Welcome!\r\n\nbakeoff-agent/1 00000000000000ff\n".into()), Ok(255));
        let told = heard("bakeoff-agent/2 ff\n".into()).unwrap_err();
        assert_eq!(told, "the agent speaks bakeoff-agent/2, and this is bakeoff-agent/1");
        let told = heard("sh: bakeoff: not found\n".into()).unwrap_err();
        assert_eq!(told, "no agent has spoken; it said:\nsh: bakeoff: not found");
        assert!(heard("nothing to see\n".repeat(6_000)).unwrap_err().starts_with("no agent among"));
        let mut greeting = Vec::new();
        greet(&mut greeting, 42).unwrap();
        assert_eq!(Frames::of(greeting.as_slice()).greeted(), Ok(42));
    }

    #[test]
    fn an_error_keeps_its_blame() {
        let error = Error::invalid("it crashed").help("look at it").by_contender("no database");
        let there = CarriedError::from(&error).into_error();
        assert_eq!(format!("{there:?}"), format!("{error:?}"));
        let error = Error::internal("no port").by_machine();
        assert!(CarriedError::from(&error).into_error().is_by_machine());
    }
}
