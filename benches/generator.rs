//! What the generator adds to every request by itself: finding the next instant, and recording six of them.
//!
//! `cargo bench --bench generator`; `-- --test` runs everything once.

use bakeoff::load::harness::{Record, walk_schedule};
use bakeoff::load::plan::Arrivals;
use bakeoff::units::{Nanos, Rate};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A second at 20,000/s.
const RATE: Rate = Rate(20_000.0);

fn schedule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(RATE.0 as u64));
    for arrivals in [Arrivals::Poisson, Arrivals::Constant] {
        let mut round = 0;
        group.bench_function(arrivals.name(), |bench| {
            bench.iter(|| {
                round += 1;
                let (count, last) = walk_schedule(round, RATE, arrivals, Nanos::SECOND);
                // Ten standard deviations of a Poisson count.
                assert!(count.abs_diff(RATE.0 as u64) < 1_415 && last < Nanos::SECOND, "{count}");
            });
        });
    }
    group.finish();
}

fn recorder(criterion: &mut Criterion) {
    const REQUESTS: u64 = 10_000;
    let mut group = criterion.benchmark_group("recorder");
    group.throughput(Throughput::Elements(REQUESTS));
    group.bench_function("success", |bench| {
        // One for all samples: the pages of its histograms are touched once, as in a trial.
        let mut record = Record::new();
        let mut recorded = 0;
        bench.iter(|| {
            for k in 0..REQUESTS {
                record.success(Nanos(k * 50_000), Nanos(80_000 + k * 37 % 900_000));
            }
            recorded += REQUESTS;
        });
        assert_eq!(record.requests(), recorded);
    });
    group.finish();
}

criterion_group!(benches, schedule, recorder);
criterion_main!(benches);
