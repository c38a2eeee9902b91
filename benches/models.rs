//! The work of one request, spread over helpers in three ways: tokio tasks, rayon, scoped threads. No server, no
//! socket: what is compared is the cost of handing work out and getting it back.
//!
//! `cargo bench --bench models`; `-- --test` runs everything once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bakeoff::domain::dataset::{Dataset, POPULATION};
use bakeoff::domain::loyalty::Distribution;
use bakeoff::domain::payment::{Payment, canonical, decide, fee_minor};
use bakeoff::domain::signature::{Key, Signature};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use tokio::runtime::Runtime;

const SEED: u64 = 42;
/// Digests of a signature: about 10 us with SHA instructions.
const ROUNDS: u32 = 100;
/// Payments authorised at once.
const PAYMENTS: usize = 64;
/// Helpers of each kind.
const HELPERS: usize = 2;

/// Verify, decide, price: everything about a payment that needs no store.
fn authorise(data: Dataset, key: &str, payment: &Payment, signature: &Signature) -> u64 {
    let user = data.user(payment.user_id).expect("the user exists");
    let merchant = data.merchant(payment.merchant_id).expect("the merchant exists");
    let limits = data.limits(payment.user_id).expect("the user exists");
    let expected = Key::stretch(SEED, payment.merchant_id, ROUNDS).sign(canonical(key, payment));
    match decide(payment, user, merchant, limits, expected == *signature) {
        Ok(()) => fee_minor(payment.amount_minor, merchant),
        Err(_) => 0,
    }
}

fn payments() -> Arc<Vec<(String, Payment, Signature)>> {
    let payment = |index: usize| {
        let key = format!("bench-{index}");
        let payment =
            Payment::new(index as u64 + 1, index as u64 % 700 + 1, 1_250, "EUR").expect("in range");
        let signature =
            Key::stretch(SEED, payment.merchant_id, ROUNDS).sign(canonical(&key, &payment));
        (key, payment, signature)
    };
    Arc::new((0..PAYMENTS).map(payment).collect())
}

/// Works out and credits the members in a range.
fn credit(
    data: Dataset,
    distribution: &Distribution,
    held: &[AtomicU64],
    members: Range<u32>,
) -> u64 {
    let mut issued = 0;
    for member in members {
        let id = distribution.members.id(member);
        let points = distribution.points(data.account(id).expect("members exist"));
        held[id as usize].fetch_add(points, Relaxed);
        issued += points;
    }
    issued
}

/// `count` things in `HELPERS` ranges.
fn shares(count: u32) -> impl Iterator<Item = Range<u32>> {
    let helpers = HELPERS as u32;
    (0..helpers).map(move |helper| {
        count / helpers * helper..if helper + 1 == helpers {
            count
        } else {
            count / helpers * (helper + 1)
        }
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(HELPERS).build().expect("a runtime")
}

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(HELPERS).build().expect("a pool")
}

fn payment_authorise(criterion: &mut Criterion) {
    let (data, runtime, pool, payments) = (Dataset::new(SEED), runtime(), pool(), payments());
    let one = move |(key, payment, signature): &(String, Payment, Signature)| {
        authorise(data, key, payment, signature)
    };
    let expected: u64 = payments.iter().map(one).sum();
    let mut group = criterion.benchmark_group("payment_authorise");
    group.throughput(Throughput::Elements(PAYMENTS as u64));
    group.bench_function("inline", |bench| {
        bench.iter(|| assert_eq!(payments.iter().map(one).sum::<u64>(), expected));
    });
    group.bench_function("tokio-tasks", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                let tasks: Vec<_> = (0..PAYMENTS)
                    .map(|index| {
                        let payments = Arc::clone(&payments);
                        tokio::spawn(async move { one(&payments[index]) })
                    })
                    .collect();
                let mut fees = 0;
                for task in tasks {
                    fees += task.await.expect("no task panics");
                }
                assert_eq!(fees, expected);
            });
        });
    });
    group.bench_function("rayon", |bench| {
        bench.iter(|| {
            assert_eq!(pool.install(|| payments.par_iter().map(one).sum::<u64>()), expected)
        });
    });
    group.bench_function("scoped-threads", |bench| {
        bench.iter(|| {
            let fees: u64 = std::thread::scope(|scope| {
                let halves: Vec<_> = payments
                    .chunks(PAYMENTS.div_ceil(HELPERS))
                    .map(|chunk| scope.spawn(move || chunk.iter().map(one).sum::<u64>()))
                    .collect();
                halves.into_iter().map(|half| half.join().expect("no thread panics")).sum()
            });
            assert_eq!(fees, expected);
        });
    });
    group.finish();
}

fn loyalty_distribution(criterion: &mut Criterion) {
    let (data, runtime, pool) = (Dataset::new(SEED), runtime(), pool());
    let held: Arc<Vec<AtomicU64>> = Arc::new((0..=POPULATION).map(|_| AtomicU64::new(0)).collect());
    let mut group = criterion.benchmark_group("loyalty_distribution");
    group.sample_size(20);
    for accounts in [1_000, POPULATION] {
        let distribution =
            Distribution::new(data, 1, 0, 1, u64::from(accounts), 12_345).expect("in range");
        let expected = credit(data, &distribution, &held, 0..accounts);
        group.throughput(Throughput::Elements(u64::from(accounts)));
        group.bench_function(BenchmarkId::new("rules-alone", accounts), |bench| {
            bench.iter(|| {
                let points = |member| {
                    let id = distribution.members.id(member);
                    distribution.points(data.account(id).expect("members exist"))
                };
                assert_eq!((0..accounts).map(points).sum::<u64>(), expected);
            });
        });
        group.bench_function(BenchmarkId::new("inline", accounts), |bench| {
            bench.iter(|| assert_eq!(credit(data, &distribution, &held, 0..accounts), expected));
        });
        group.bench_function(BenchmarkId::new("tokio-tasks", accounts), |bench| {
            bench.iter(|| {
                runtime.block_on(async {
                    let tasks: Vec<_> = shares(accounts)
                        .map(|share| {
                            let held = Arc::clone(&held);
                            tokio::spawn(async move { credit(data, &distribution, &held, share) })
                        })
                        .collect();
                    let mut issued = 0;
                    for task in tasks {
                        issued += task.await.expect("no task panics");
                    }
                    assert_eq!(issued, expected);
                });
            });
        });
        group.bench_function(BenchmarkId::new("rayon", accounts), |bench| {
            bench.iter(|| {
                let issued: u64 = pool.install(|| {
                    let shares: Vec<_> = shares(accounts).collect();
                    shares
                        .into_par_iter()
                        .map(|share| credit(data, &distribution, &held, share))
                        .sum()
                });
                assert_eq!(issued, expected);
            });
        });
        group.bench_function(BenchmarkId::new("scoped-threads", accounts), |bench| {
            bench.iter(|| {
                let issued: u64 = std::thread::scope(|scope| {
                    let threads: Vec<_> = shares(accounts)
                        .map(|share| scope.spawn(|| credit(data, &distribution, &held, share)))
                        .collect();
                    threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
                });
                assert_eq!(issued, expected);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, payment_authorise, loyalty_distribution);
criterion_main!(benches);
