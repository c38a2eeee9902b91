//! What a payment and a distribution mean: pure functions, without a clock, a socket or a lock.

pub mod dataset;
pub mod loyalty;
pub mod payment;
pub mod signature;

#[cfg(test)]
mod vectors;

/// An id that no table has and every table's id column can hold. Greater ones come to it.
pub const UNKNOWN: u32 = i32::MAX as u32;

fn clamp_id(id: u64) -> u32 {
    id.min(UNKNOWN.into()) as u32
}
