//! Signing a payment: the CPU work that a scenario configures.
//!
//! A merchant's signing key is stretched by `rounds` chained SHA-256 digests, as a password hash would be, each time a
//! payment is verified. A server must not remember stretched keys: the stretching is the work. A client may.

use std::fmt;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// Merchants share this many signing keys, so that a client can hold all of them.
pub const KEYS: u32 = 16;
pub const DIGEST_BYTES: usize = 32;

/// A stretched signing key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; DIGEST_BYTES]);

impl Key {
    /// The key of `merchant_id`, stretched by `rounds` digests: `rounds` times about 0.1 us where the CPU has SHA
    /// instructions, ten times that where it has not.
    ///
    /// Never inlined: inlined into the models' handlers it was compiled in several ways, of which one took a fifth less time
    /// than the others, and models would have been compared by that.
    #[inline(never)]
    pub fn stretch(seed: u64, merchant_id: u32, rounds: u32) -> Self {
        let mut first = Sha256::new();
        first.update(b"bakeoff-key");
        first.update(seed.to_le_bytes());
        first.update([(merchant_id % KEYS) as u8]);
        let mut block = Block::of(first.finalize().into());
        for _ in 0..rounds {
            block.digest();
        }
        Self(block.message())
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

/// A digest as a message of its own: the one padded block that SHA-256 makes of it. Aligned, so that no load of it spans
/// two cache lines wherever its stack frame lies.
#[repr(align(64))]
struct Block([u8; 64]);

impl Block {
    fn of(message: [u8; DIGEST_BYTES]) -> Self {
        let mut block = [0; 64];
        block[..DIGEST_BYTES].copy_from_slice(&message);
        block[DIGEST_BYTES] = 0x80;
        // Its length in bits, 256, as a big-endian number at the end.
        block[62] = 1;
        Self(block)
    }

    /// Becomes the block of its message's digest.
    fn digest(&mut self) {
        let mut state = INITIAL;
        compress256(&mut state, std::slice::from_ref(&self.0));
        for (bytes, word) in self.0[..DIGEST_BYTES].chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
    }

    fn message(&self) -> [u8; DIGEST_BYTES] {
        std::array::from_fn(|place| self.0[place])
    }
}

/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

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
    fn stretching_is_a_chain_of_plain_digests() {
        for rounds in [0, 1, 2, 1_000] {
            let mut text = b"bakeoff-key".to_vec();
            text.extend(7_u64.to_le_bytes());
            text.push(3);
            let mut digest = Sha256::digest(&text);
            for _ in 0..rounds {
                digest = Sha256::digest(digest);
            }
            assert_eq!(Key::stretch(7, 3 + KEYS, rounds).0, <[u8; 32]>::from(digest), "{rounds}");
        }
    }

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
