//! A Poisson process that can be asked for any of its arrivals, stored as 1,024 counts.
//!
//! Arrivals are *counted* before they are placed: the number in the whole span is drawn once, halves of a span share
//! their parent's arrivals by fair coins, and in a span of few the instants are uniform and sorted. That is the process,
//! rounded down to the nanosecond: independent Poisson counts split binomially, and given their number the arrivals of a
//! span are uniform (Kingman, Poisson Processes, 2.4). No gap is ever added to another, so nothing drifts, any k can be
//! asked for in O(log), and nothing is stored but the counts, for 5 s as for an hour.

use crate::random::Stream;
use crate::units::{Nanos, Rate};

/// Spans with at most so many arrivals are not halved any more.
const LEAF_LEN: usize = 32;
/// The counts of 2^10 parts are kept, so that no halving of a large count falls between two requests.
const PARTS_LOG2: u32 = 10;
/// Poisson counts are drawn in pieces of this mean.
const PIECE_MEAN: f64 = 16.0;

/// How the arrivals are shared out over spans, halves, quarters, ..
#[derive(Clone, Debug)]
pub(super) struct Poisson {
    stream: Stream,
    /// The whole span is 2^this ns, so that every span has exact halves.
    span_log2: u32,
    /// Arrivals before each part, and at the end all of them.
    before: Vec<u64>,
}

/// A span of the tree: `1` is the whole, `2 n` and `2 n + 1` are the halves of `n`.
#[derive(Clone, Copy)]
struct Span {
    node: u64,
    start: u64,
    width: u64,
    first: u64,
    count: u64,
}

/// The instants of consecutive arrivals: `len` from number `first` on.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    first: u64,
    len: usize,
    instants: [u64; LEAF_LEN],
}

impl Poisson {
    /// The process of a seed over `span`, and on to the next power of two in ns.
    pub(super) fn new(stream: Stream, rate: Rate, span: Nanos) -> Self {
        let span_log2 = span.0.max(1 << (2 * PARTS_LOG2)).next_power_of_two().ilog2();
        let whole_s = (1_u64 << span_log2) as f64 / 1e9;
        let mut tree = Self { stream, span_log2, before: Vec::new() };
        let mut counts = vec![number(stream.child(0), rate.0 * whole_s)];
        for depth in 0..PARTS_LOG2 {
            let halves = |(count, node)| {
                let left = tree.left_share(node, count);
                [left, count - left]
            };
            counts = counts.into_iter().zip(1_u64 << depth..).flat_map(halves).collect();
        }
        let mut sum = 0;
        tree.before.push(0);
        tree.before.extend(counts.iter().map(|count| {
            sum += count;
            sum
        }));
        tree
    }

    pub(super) fn len(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// The leaf of the arrival `k`; for one beyond the last, the last leaf.
    pub(super) fn leaf_of(&self, k: u64) -> Leaf {
        let part = self.before.partition_point(|&before| before <= k) as u64;
        self.descend(part.saturating_sub(1), |_, right| k < right.first)
    }

    /// The leaf into whose span `instant` falls; for a later one, the last leaf.
    pub(super) fn leaf_at(&self, instant: Nanos) -> Leaf {
        let part = instant.0 >> (self.span_log2 - PARTS_LOG2);
        self.descend(part, |_, right| instant.0 < right.start)
    }

    /// Halves a part until few arrivals are left; `go_left` chooses by both halves.
    fn descend(&self, part: u64, go_left: impl Fn(&Span, &Span) -> bool) -> Leaf {
        let part = part.min((1 << PARTS_LOG2) - 1);
        let first = self.before[part as usize];
        let width = 1_u64 << (self.span_log2 - PARTS_LOG2);
        let mut span = Span {
            node: (1 << PARTS_LOG2) + part,
            start: part * width,
            width,
            first,
            count: self.before[part as usize + 1] - first,
        };
        while span.count > LEAF_LEN as u64 && span.width > 1 {
            let (left, right) = self.halves(&span);
            span = if go_left(&left, &right) { left } else { right };
        }
        self.sorted(&span)
    }

    fn halves(&self, span: &Span) -> (Span, Span) {
        let count = self.left_share(span.node, span.count);
        let width = span.width / 2;
        let left = Span { node: 2 * span.node, width, count, ..*span };
        let right = Span {
            node: 2 * span.node + 1,
            start: span.start + width,
            width,
            first: span.first + count,
            count: span.count - count,
        };
        (left, right)
    }

    /// How many of a node's arrivals fall into its left half: a fair coin for each, 64 to a number.
    fn left_share(&self, node: u64, count: u64) -> u64 {
        let stream = self.stream.child(node);
        let coins = |word: u64| stream.at(word).count_ones();
        let whole: u32 = (0..count / 64).map(coins).sum();
        let rest = stream.at(count / 64) & ((1 << (count % 64)) - 1);
        u64::from(whole + rest.count_ones())
    }

    fn sorted(&self, span: &Span) -> Leaf {
        let stream = self.stream.child(span.node);
        // More than LEAF_LEN in one nanosecond cannot be: a rate is at most 10^7/s.
        let len = span.count.min(LEAF_LEN as u64) as usize;
        let mut instants = [0; LEAF_LEN];
        for (n, instant) in (0..).zip(&mut instants[..len]) {
            *instant = span.start + stream.below(n, span.width);
        }
        instants[..len].sort_unstable();
        Leaf { first: span.first, len, instants }
    }
}

impl Leaf {
    pub(super) fn holds(&self, k: u64) -> bool {
        (self.first..self.first + self.len as u64).contains(&k)
    }

    /// The instant of one that it holds.
    pub(super) fn instant(&self, k: u64) -> Nanos {
        Nanos(self.instants[(k - self.first) as usize])
    }

    /// Arrivals of the process before `instant`, where that falls into this leaf.
    pub(super) fn rank(&self, instant: Nanos) -> u64 {
        self.first + self.instants[..self.len].partition_point(|&at| at < instant.0) as u64
    }

    /// Moves every instant; `to` keeps their order.
    pub(super) fn moved(mut self, to: impl Fn(u64) -> u64) -> Self {
        self.instants[..self.len].iter_mut().for_each(|at| *at = to(*at));
        self
    }
}

/// A Poisson number, as a sum of those of small means (Knuth, TAOCP 3.4.1: uniforms multiplied until below e^-mean).
fn number(stream: Stream, mean: f64) -> u64 {
    let pieces = (mean / PIECE_MEAN).ceil().max(1.0);
    let bound = (-mean / pieces).exp();
    let mut drawn = 0;
    let mut count = 0;
    for _ in 0..pieces as u64 {
        let mut product = 1.0;
        loop {
            product *= stream.unit(drawn);
            drawn += 1;
            if product < bound {
                break;
            }
            count += 1;
        }
    }
    count
}
