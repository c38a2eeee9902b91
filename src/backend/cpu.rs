//! Work that computes instead of waiting: when it leaves the thread that has the request, and in what pieces.

use std::ops::Range;

use super::memory::WORD;
use crate::units::Nanos;
use crate::words::words;

words! {
    "CPU mode"
    /// Where CPU work runs.
    #[derive(Default)]
    pub enum CpuMode {
        /// Inline below an estimated 100 us, offloaded above.
        #[default]
        Auto = "auto",
        /// On the thread or task that has the request.
        Inline = "inline",
        /// On the model's helpers for CPU work.
        Offload = "offload",
    }
}

/// Work estimated at more than this is offloaded: handing it over costs a tenth of it at most.
const OFFLOAD_ABOVE: Nanos = Nanos(100_000);
/// Work that can be divided is handed out in pieces of about this size.
const PIECE: Nanos = Nanos(50_000);
/// One SHA-256 round with the CPU's SHA instructions. Nominal, so that every server decides alike.
const ROUND: Nanos = Nanos(100);
/// One member of a distribution: its row, its points, its credit. Measured 12 to 16 ns; nominal, as above.
const MEMBER: Nanos = Nanos(15);

impl CpuMode {
    /// The one choice for work that was measured: what `auto` means when nothing need be estimated.
    #[must_use]
    pub fn settled(self, measured: Nanos) -> Self {
        match self {
            Self::Auto if measured > OFFLOAD_ABOVE => Self::Offload,
            Self::Auto => Self::Inline,
            given => given,
        }
    }

    /// Whether work of this size leaves the thread that has the request.
    pub(crate) fn offloads(self, estimate: Nanos) -> bool {
        match self {
            Self::Auto => estimate > OFFLOAD_ABOVE,
            Self::Inline => false,
            Self::Offload => true,
        }
    }
}

/// How long `rounds` rounds of a signature should take.
pub(crate) fn signature(rounds: u32) -> Nanos {
    Nanos(u64::from(rounds) * ROUND.0)
}

/// Members of a distribution, to be worked on in pieces that may run at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    members: u32,
}

impl Pieces {
    /// Members in a piece: what takes about 50 us, in whole words of the record's bitmap.
    const LEN: u32 = (PIECE.0 / MEMBER.0) as u32 / WORD * WORD;

    pub(crate) fn of(members: u32) -> Self {
        Self { members }
    }

    pub(crate) fn estimate(self) -> Nanos {
        Nanos(u64::from(self.members) * MEMBER.0)
    }

    pub(crate) fn count(self) -> u32 {
        self.members.div_ceil(Self::LEN)
    }

    pub(crate) fn get(self, index: u32) -> Range<u32> {
        index * Self::LEN..self.members.min((index + 1) * Self::LEN)
    }

    /// The pieces dealt out to `workers`, in runs that differ by one piece at most; no share is empty.
    pub(crate) fn deal(self, workers: usize) -> impl Iterator<Item = Range<u32>> {
        let count = u64::from(self.count());
        let workers = (workers as u64).clamp(1, count);
        (0..workers).map(move |share| {
            (count * share / workers) as u32..(count * (share + 1) / workers) as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_members_once_whoever_takes_them() {
        for members in [1, 63, 64, 65, Pieces::LEN, Pieces::LEN + 1, 1_000_000] {
            for workers in [1, 2, 3, 16] {
                let pieces = Pieces::of(members);
                let mut next = 0;
                for share in pieces.deal(workers) {
                    assert!(!share.is_empty());
                    for index in share {
                        let range = pieces.get(index);
                        assert_eq!(range.start, next);
                        assert!(range.start.is_multiple_of(WORD) && !range.is_empty());
                        next = range.end;
                    }
                }
                assert_eq!(next, members);
            }
        }
    }

    #[test]
    fn the_mode_decides_before_the_size() {
        assert!(!CpuMode::Auto.offloads(OFFLOAD_ABOVE) && CpuMode::Auto.offloads(Nanos(100_001)));
        assert!(CpuMode::Offload.offloads(Nanos(0)) && !CpuMode::Inline.offloads(Nanos::SECOND));
        assert!(CpuMode::Auto.offloads(Pieces::of(6_667).estimate()));
        assert!(!CpuMode::Auto.offloads(Pieces::of(6_666).estimate()));
        assert!(CpuMode::Auto.offloads(signature(1_001)));
        assert_eq!(CpuMode::Auto.settled(OFFLOAD_ABOVE), CpuMode::Inline);
        assert_eq!(CpuMode::Auto.settled(Nanos(100_001)), CpuMode::Offload);
        assert_eq!(CpuMode::Offload.settled(Nanos(0)), CpuMode::Offload);
    }
}
