//! What a program writes to stderr: read to the end, so that it is never held up, and the last of it kept.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So much is kept, the last of it.
const BYTES_MAX: usize = 4 * 1024;
/// What a program wrote last is on its way for so long after its end; what it has left behind may hold the pipe open.
const ENDS_WITHIN: Duration = Duration::from_millis(200);

/// A pipe that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Said(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last: Vec<u8>,
    ended: bool,
}

impl Said {
    /// Reads `from` in a thread of its own, which ends with the pipe, that is with the last process that holds it.
    pub(crate) fn of(from: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let said = Self(Arc::clone(&kept));
        thread::spawn(move || keep_last(from, &kept));
        said
    }

    /// The last of what was written, without what could steer a terminal; waits a little for what is on its way. Ask for it
    /// when the program has ended.
    pub(crate) fn last(&self) -> String {
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.ended || Instant::now() >= deadline {
                return printable(String::from_utf8_lossy(&kept.last).trim());
            }
            drop(kept);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn keep_last(mut from: impl Read, kept: &Mutex<Kept>) {
    let mut buffer = [0; BYTES_MAX];
    let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let last = &mut kept().last;
        last.extend_from_slice(&buffer[..count]);
        let surplus = last.len().saturating_sub(BYTES_MAX);
        last.drain(..surplus);
    }
    kept().ended = true;
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_is_kept_and_steers_no_terminal() {
        let text = "x".repeat(3 * BYTES_MAX) + "\n\x1b[31mno database, no service\n";
        let last = Said::of(std::io::Cursor::new(text)).last();
        assert!(last.ends_with("x\n[31mno database, no service"), "{last}");
        assert!(last.len() < BYTES_MAX, "{}", last.len());
        assert_eq!(Said::of(std::io::empty()).last(), "");
    }
}
