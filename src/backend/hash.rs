//! The hash of the server's own tables: quick on short keys, and not made to resist an enemy.

use std::hash::{BuildHasherDefault, Hasher};

pub(crate) type BuildMix = BuildHasherDefault<Mix>;

/// Folds 8 bytes at a time by a 64 x 64 -> 128 bit multiplication.
#[derive(Default)]
pub(crate) struct Mix(u64);

/// Two odd numbers with no pattern: the fractions of pi.
const A: u64 = 0x243f_6a88_85a3_08d3;
const B: u64 = 0x1319_8a2e_0370_7345;

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(padded) ^ ((word.len() as u64) << 56));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ A) * u128::from(B);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        let wide = u128::from(self.0 ^ B) * u128::from(A);
        (wide as u64) ^ ((wide >> 64) as u64)
    }
}

/// Which of `shards` a key belongs to: the middle bits, since a table uses the outer ones.
pub(crate) fn shard(key: &(impl std::hash::Hash + ?Sized), shards: usize) -> usize {
    use std::hash::BuildHasher as _;
    (BuildMix::default().hash_one(key) >> 24) as usize % shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_count_up_spread_evenly() {
        let mut texts = [0; 64];
        let mut ids = [0; 64];
        for i in 0..64_000_u64 {
            texts[shard(format!("r1-0-{i}").as_str(), 64)] += 1;
            ids[shard(&i, 64)] += 1;
        }
        // A binomial of mean 1,000 has a deviation of 31; six of them is never reached by chance.
        for count in texts.into_iter().chain(ids) {
            assert!((810..1_190).contains(&count), "{count}");
        }
    }

    #[test]
    fn lengths_and_zeros_tell_keys_apart() {
        let all = ["", "\0", "\0\0", "a", "a\0", "12345678", "12345678\0"];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(shard(*a, 1 << 24), shard(*b, 1 << 24), "{a:?} {b:?}");
            }
        }
    }
}
