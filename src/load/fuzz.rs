//! What `fuzz/` feeds. No part of the interface.

use super::answer::Reader;

/// Reads `bytes` as answers, whole and in pieces of `piece` bytes.
///
/// # Panics
/// When the two do not agree, or the reader has a defect.
pub fn read_answers(bytes: &[u8], piece: usize, head_request: bool) {
    let whole = first_answer(std::iter::once(bytes), head_request);
    let pieces = first_answer(bytes.chunks(piece), head_request);
    // In pieces an answer is taken when it is whole; in one read what follows it is seen and refused.
    if let (Some(whole), Some(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
    }
}

/// The status and the length of the body of the first answer; nothing where there is none.
fn first_answer<'a>(
    reads: impl Iterator<Item = &'a [u8]>,
    head_request: bool,
) -> Option<(u16, usize)> {
    let mut reader = Reader::default();
    for read in reads {
        if let Some(answer) = reader.push(read, head_request).ok()? {
            return Some((answer.status, answer.body.len().min(COMPARED)));
        }
    }
    let answer = reader.end().ok()?;
    Some((answer.status, answer.body.len().min(COMPARED)))
}

/// Of a long body in pieces only the beginning is kept.
const COMPARED: usize = 4 * 1024;
