//! The names of requests: from (salt, round, k), and never the same twice in a run.

/// The idempotency key of `k`: `00012-001-000000002a`, of one length whatever the salt, so that every contender of a
/// round reads as many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaymentKey([u8; KEY_LEN]);

const KEY_LEN: usize = 5 + 1 + 3 + 1 + 10;

impl PaymentKey {
    pub(crate) fn new(salt: u32, round: u32, k: u64) -> Self {
        let mut key = [b'-'; KEY_LEN];
        let parts = [(0..5, u64::from(salt)), (6..9, u64::from(round)), (10..KEY_LEN, k)];
        for (place, mut value) in parts {
            for digit in key[place].iter_mut().rev() {
                *digit = b"0123456789abcdef"[(value & 15) as usize];
                value >>= 4;
            }
        }
        Self(key)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

/// Below 2^53, so that JavaScript can hold it: 20 bits of salt, 8 of round, 25 of k. The salt already sets the rounds of
/// a run apart; 33 million distributions are more than a trial can hold.
pub(crate) fn distribution_id(salt: u32, round: u32, k: u64) -> u64 {
    (u64::from(salt) << 33) | ((u64::from(round) & 0xff) << 25) | (k & 0x01ff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_meet() {
        let ids: std::collections::HashSet<_> = [(0, 1, 0), (0, 1, 1), (1, 1, 0), (0, 2, 0)]
            .into_iter()
            .map(|(salt, round, k)| distribution_id(salt, round, k))
            .collect();
        assert_eq!(ids.len(), 4);
        assert!(distribution_id((1 << 20) - 1, 255, (1 << 25) - 1) == (1 << 53) - 1);
        assert_eq!(PaymentKey::new(18, 1, 42).as_str(), "00012-001-000000002a");
    }
}
