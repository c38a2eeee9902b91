//! Counter-based random numbers: the n-th number of a stream is a pure function of the stream and n.
//!
//! Nothing is drawn in sequence, so it does not matter who asks for which number, or when, or how often.

use std::hash::{BuildHasher, RandomState};

/// What a stream is for: streams of one trial never share their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Arrivals = 1,
    Operations = 2,
    Bodies = 3,
    States = 4,
    Parts = 5,
}

/// A stream of 64-bit numbers: SplitMix64 (Steele, Lea, Flood 2014) started at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream(u64);

/// A seed from the system's randomness, by way of the keys of std's hash maps.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0)
}

impl Stream {
    /// Where nothing is drawn.
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of a round. Contenders of a round have it in common.
    pub(crate) fn new(seed: u64, round: u32, purpose: Purpose) -> Self {
        Self(seed).child(u64::from(round)).child(purpose as u64)
    }

    /// The number at `n`.
    pub(crate) fn at(self, n: u64) -> u64 {
        mix(self.0.wrapping_add(n.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// A stream of its own for `n`.
    pub(crate) fn child(self, n: u64) -> Self {
        Self(self.at(n))
    }

    /// The number at `n`, as one of `0..bound`. Off from uniform by less than `bound` in 2^64.
    pub(crate) fn below(self, n: u64, bound: u64) -> u64 {
        ((u128::from(self.at(n)) * u128::from(bound)) >> 64) as u64
    }

    /// The number at `n`, as one in (0, 1].
    pub(crate) fn unit(self, n: u64) -> f64 {
        ((self.at(n) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// 2^64 over the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first numbers of the reference implementation (prng.di.unimi.it/splitmix64.c) from seed 1234567.
        let stream = Stream(1_234_567);
        assert_eq!(stream.at(0), 6_457_827_717_110_365_317);
        assert_eq!(stream.at(1), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_differ_by_seed_round_and_purpose() {
        let stream = Stream::new(42, 1, Purpose::Arrivals);
        for other in [
            Stream::new(43, 1, Purpose::Arrivals),
            Stream::new(42, 2, Purpose::Arrivals),
            Stream::new(42, 1, Purpose::Bodies),
        ] {
            assert_ne!(stream.at(0), other.at(0));
        }
    }

    #[test]
    fn bounds_are_kept() {
        let stream = Stream::new(1, 1, Purpose::Bodies);
        assert!((0..1_000).all(|n| stream.below(n, 7) < 7));
        assert!((0..1_000).all(|n| stream.unit(n) > 0.0 && stream.unit(n) <= 1.0));
    }
}
