//! A simulated machine, for what a gate does on it: calm, noisy or hostile.
//!
//! The logarithm of a block's p99 is a sum of what the machine does (a slow drift that neighbouring blocks share, and
//! episodes in which a neighbour takes the core away), of the process's luck at its start, of the luck of the requests
//! that a block happened to have, and of the candidate's true effect. Response times have a lognormal body and, one
//! request in 25, a Pareto tail.

use crate::judge::gate::verdict::tests::round;
use crate::record::gate::Round;
use crate::stats::test_support::Random;

/// Mean length of an episode in blocks.
const EPISODE_BLOCKS: f64 = 3.0;

/// A kind of machine, per block of five seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Standard deviation of the drift, and how much of it carries over to the next block.
    drift: f64,
    carry: f64,
    /// Chance that an episode starts, its mean size and the scatter of that, as logarithms.
    episode: f64,
    size: f64,
    size_sd: f64,
    /// Scatter of a process's luck.
    launch: f64,
    /// Independent requests of a block.
    requests: usize,
}

/// The three machines. Drift and episodes were given for blocks of ten seconds, as roots.
pub(crate) fn kinds() -> [Kind; 3] {
    let kind = |name, drift, carry: f64, episode: f64, size, size_sd, launch, requests| Kind {
        name,
        drift,
        carry: carry.sqrt(),
        episode: 1.0 - (1.0 - episode).sqrt(),
        size,
        size_sd,
        launch,
        requests,
    };
    [
        kind("calm", 0.06, 0.90, 0.01, 0.5, 0.3, 0.01, 1_500),
        kind("noisy", 0.20, 0.90, 0.06, 0.6, 0.4, 0.015, 750),
        kind("hostile", 0.30, 0.70, 0.15, 0.9, 0.5, 0.02, 500),
    ]
}

/// A machine with its random numbers.
pub(crate) struct Machine {
    kind: Kind,
    random: Random,
    /// Logarithms of the p99 of blocks of this many requests, about zero.
    pool: Vec<f64>,
}

impl Machine {
    /// Draws the luck of the requests from `pool` simulated blocks.
    pub(crate) fn new(kind: Kind, pool: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut pool: Vec<f64> = (0..pool).map(|_| p99(kind.requests, &mut random).ln()).collect();
        let mean = pool.iter().sum::<f64>() / pool.len() as f64;
        pool.iter_mut().for_each(|luck| *luck -= mean);
        Self { kind, random, pool }
    }

    /// `n` rounds of a candidate that is truly worse by `effect`: baseline and candidate, as logarithms.
    pub(crate) fn rounds(&mut self, n: usize, effect: f64) -> Vec<[f64; 2]> {
        let blocks = self.blocks(2 * n);
        let mut luck = |shift: f64| {
            let requests = self.pool[(self.random.uniform() * self.pool.len() as f64) as usize];
            shift + requests + self.kind.launch * self.random.normal()
        };
        let lucks: Vec<[f64; 2]> = (0..n).map(|_| [luck(0.0), luck(effect.ln_1p())]).collect();
        let order: Vec<bool> = (0..n).map(|_| self.random.coin()).collect();
        (0..n)
            .map(|i| {
                let (first, second) = (blocks[2 * i], blocks[2 * i + 1]);
                let (a, b) = if order[i] { (first, second) } else { (second, first) };
                [a + lucks[i][0], b + lucks[i][1]]
            })
            .collect()
    }

    /// The machine's state in `n` blocks, one after the other.
    fn blocks(&mut self, n: usize) -> Vec<f64> {
        let Kind { drift, carry, episode, size, size_sd, .. } = self.kind;
        let mut state = self.random.normal();
        let mut ongoing: Option<f64> = None;
        (0..n)
            .map(|block| {
                if block > 0 {
                    state = carry * state + (1.0 - carry * carry).sqrt() * self.random.normal();
                }
                ongoing = ongoing.filter(|_| self.random.uniform() >= 1.0 / EPISODE_BLOCKS);
                if ongoing.is_none() && self.random.uniform() < episode {
                    ongoing = Some((size + size_sd * self.random.normal()).abs());
                }
                drift * state + ongoing.unwrap_or(0.0)
            })
            .collect()
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

/// Rounds as the gate reads them: one metric.
pub(crate) fn as_rounds(logarithms: &[[f64; 2]]) -> Vec<Round> {
    (1..).zip(logarithms).map(|(n, [a, b])| round(n, &[a.exp()], &[b.exp()])).collect()
}

/// Of so many response times, between the two order statistics nearest to it.
fn p99(requests: usize, random: &mut Random) -> f64 {
    let mut times: Vec<f64> = (0..requests)
        .map(|_| {
            let body = (0.45 * random.normal()).exp();
            let tail = random.uniform() < 0.04;
            if tail { 2.2 * random.uniform().powf(-1.0 / 2.5) } else { body }
        })
        .collect();
    let place = 0.99 * (requests - 1) as f64;
    let below = place as usize;
    let (_, &mut low, above) = times.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low + (place - below as f64) * (high - low)
}
