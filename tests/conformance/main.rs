//! One suite, mounted on every model and every contender: whatever waits and however, the answers are the same.
//!
//! The tests know `bakeoff serve` from outside only: its flags, its port, its signals and what /proc says of it. They
//! take the rows of the dataset from `bakeoff::domain`, which `contracts/` checks on its own. A test that is in no list
//! of `checks` is dead code, which the linter refuses.

mod checks;
mod contender;
mod database;
mod dependency;
mod models;
mod null;
mod same;
mod server;
mod standin;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use checks::{ALONE, SUITES, Suite};

/// Most of these tests wait for somebody, so there may be more of them than cores.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(AT_ONCE.max(cores));
    let alone = ALONE.iter().map(|&(name, check)| trial(name.to_owned(), check));
    let (taking_turns, others) =
        SUITES.iter().flat_map(mounted).partition::<Vec<_>, _>(|one| one.0);
    let [taking_turns, others] = [taking_turns, others].map(|all| all.into_iter().map(|one| one.1));
    let trials = spread(taking_turns.collect(), alone.chain(others).collect());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Every check of a suite on every mount of it, each with whether it takes turns with others at the database. What
/// cannot be started is ignored, and said once.
fn mounted(suite: &Suite) -> Vec<(bool, Trial)> {
    let mut trials = Vec::new();
    for &(name, mount) in suite.mounts {
        let takes_turns = suite.on_postgres || contender::is_on_postgres(mount);
        let missing = contender::missing(mount);
        let missing = missing.or_else(|| takes_turns.then(database::missing)?);
        if let Some(missing) = &missing {
            eprintln!("SKIPPED: {} tests {} {name}: {missing}", suite.all().count(), suite.name);
        }
        for (check, test) in suite.all() {
            let name = format!("{}::{name}::{check}", suite.name);
            let trial = trial(name, move || {
                let _alone = takes_turns.then(database::claim);
                test.run(mount);
            });
            let trial = trial.with_ignored_flag(missing.is_some());
            trials.push((takes_turns, trial));
        }
    }
    trials
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        test();
        Ok(())
    })
}

/// The few among the many, so that no more of them than must be wait for each other at a time.
fn spread(few: Vec<Trial>, many: Vec<Trial>) -> Vec<Trial> {
    let place = |trials: Vec<Trial>| {
        let all = trials.len() as f64;
        trials.into_iter().enumerate().map(move |(at, trial)| (at as f64 / all, trial))
    };
    let mut placed = place(few).chain(place(many)).collect::<Vec<_>>();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().map(|(_, trial)| trial).collect()
}
