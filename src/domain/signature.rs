//! Signing a payment: the work that a scenario dials up and down.
//!
//! A merchant's signing key is stretched by `rounds` chained SHA-256 digests, as a password hash would be, each time a
//! payment is verified. A server must not remember stretched keys: the stretching *is* the dial. A client may.

use std::fmt;

use sha2::{Digest, Sha256};

/// Merchants share this many signing keys, so that a client can hold all of them.
pub const KEYS: u32 = 16;
/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

/// A stretched signing key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; DIGEST_BYTES]);

impl Key {
    /// The key of `merchant_id`, stretched by `rounds` digests: `rounds` times about 0.1 us where the CPU has SHA
    /// instructions, ten times that where it has not.
    pub fn stretch(seed: u64, merchant_id: u32, rounds: u32) -> Self {
        let mut first = Sha256::new();
        first.update(b"bakeoff-key");
        first.update(seed.to_le_bytes());
        first.update([(merchant_id % KEYS) as u8]);
        let mut digest = first.finalize();
        for _ in 0..rounds {
            digest = Sha256::digest(digest);
        }
        Self(digest.into())
    }

    /// The signature of `text` in lower-case hexadecimal: SHA-256 over the key followed by the text.
    pub fn sign(&self, text: impl fmt::Display) -> Signature {
        let mut hasher = Hasher(Sha256::new());
        hasher.0.update(self.0);
        fmt::write(&mut hasher, format_args!("{text}")).expect("hashing does not fail");
        let digest = hasher.0.finalize();
        let mut hex = [0; 2 * DIGEST_BYTES];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Signature(hex)
    }
}

/// Signing keys do not belong in logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A signature in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; 2 * DIGEST_BYTES]);

impl Signature {
    /// Its 64 hexadecimal digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `text` spells it, without stopping at the first difference.
    pub fn is(&self, text: &str) -> bool {
        let difference = self.0.iter().zip(text.as_bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        text.len() == self.0.len() && difference == 0
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Lets text be hashed as it is formatted, without a buffer.
struct Hasher(Sha256);

impl fmt::Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_plain_sha256() {
        let key = Key([0x61; 32]);
        // printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc' | sha256sum
        let expected = "525d20e4c6e33f120f9c266582b6de2b6964c132e0f5e036e862a8c559adecd0";
        let signature = key.sign("bc");
        let hex = std::str::from_utf8(signature.as_bytes()).unwrap();
        assert_eq!(hex, expected);
        assert!(signature.is(expected) && !signature.is(&expected[1..]) && !signature.is(""));
    }

    #[test]
    fn keys_differ_by_seed_slot_and_rounds() {
        let key = Key::stretch(42, 1, 3);
        assert_eq!(key, Key::stretch(42, 1 + KEYS, 3));
        for other in [Key::stretch(43, 1, 3), Key::stretch(42, 2, 3), Key::stretch(42, 1, 4)] {
            assert_ne!(key, other);
        }
    }
}
