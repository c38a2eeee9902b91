//! What `fuzz/` feeds. No part of the interface.

use super::postgres::{PostgresProtocol, Question, target};
use super::remote::Protocol as _;

/// Reads `bytes` as what a PostgreSQL server says, in pieces of `piece` bytes: first to a login, then to a question.
///
/// # Panics
/// When the protocol has a defect.
pub fn read_postgres(bytes: &[u8], piece: usize) {
    let (_, target) = target("postgres://me:secret@127.0.0.1/db").expect("this is a URL");
    let mut protocol = PostgresProtocol::begin(&target);
    let mut ready = false;
    for piece in bytes.chunks(piece.max(1)) {
        protocol.buffers().incoming.extend_from_slice(piece);
        if !ready {
            match protocol.greet() {
                Ok(done) => ready = done,
                Err(_) => return,
            }
            if ready {
                protocol.ask(Question::Audit);
            }
        }
        if ready {
            match protocol.answer() {
                Ok(Some(reply)) => {
                    drop((reply.audit(), reply.user(), reply.account(), reply.capture()))
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}
