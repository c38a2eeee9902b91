use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::payment::Payment;

/// How many keys the merchants share.
const SIGNING_KEYS: u32 = 16;

/// A stretched signing key.
pub struct Key([u8; 32]);

impl Key {
    /// Computes the key of a merchant: the work that a scenario sets, done anew for each payment.
    pub fn stretch(seed: u64, merchant_id: u32, rounds: u32) -> Self {
        let first = Sha256::new()
            .chain_update(b"bakeoff-key")
            .chain_update(seed.to_le_bytes())
            .chain_update([(merchant_id % SIGNING_KEYS) as u8])
            .finalize();
        Self((0..rounds).fold(first.into(), |key: [u8; 32], _| Sha256::digest(key).into()))
    }

    /// Whether `signature`, in lower-case hexadecimal, is that of the payment.
    pub fn signed(&self, payment: &Payment, signature: &str) -> bool {
        let digest = Sha256::new().chain_update(self.0).chain_update(payment.canonical()).finalize();
        hex::encode(digest).as_bytes().ct_eq(signature.as_bytes()).into()
    }
}
