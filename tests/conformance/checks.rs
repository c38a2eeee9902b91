//! Who is asked what.

use bakeoff::conform::{
    OF_A_PROGRAM, OF_A_SERVER, OF_A_STORE, OF_EARLY_REFUSAL, OF_PROCESSES, Requirement, UNLIKE_NODE,
};

use crate::server::Mount;
use crate::{contender, dependency, models, null, same};

/// A check of this suite alone.
type Named = (&'static str, fn(Mount));

/// Checks of the contract, or of this suite alone by their names.
#[derive(Clone, Copy)]
pub(crate) enum Checks {
    Shared(&'static [Requirement]),
    Own(&'static [Named]),
}

use Checks::{Own, Shared};

/// One check of either kind.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    Shared(&'static Requirement),
    Own(fn(Mount)),
}

impl Check {
    pub(crate) fn run(self, mount: Mount) {
        match self {
            Self::Shared(requirement) => (requirement.run)(&mount),
            Self::Own(check) => check(mount),
        }
    }
}

/// Checks by their names, from their topics.
macro_rules! checks {
    ($($topic:ident { $($check:ident,)+ })+) => {
        &[$($((stringify!($check), $topic::$check as fn(Mount))),+),+]
    };
}

const STORE: Checks = Shared(OF_A_STORE);
const SERVER: Checks = Shared(OF_A_SERVER);
const PROGRAM: Checks = Shared(OF_A_PROGRAM);
const EARLY_REFUSAL: Checks = Shared(OF_EARLY_REFUSAL);
const LIKE_GO: Checks = Shared(UNLIKE_NODE);

/// What only the models are asked.
const OF_MODELS: Checks = Own(checks! {
    models {
        a_workload_mounts_its_own_routes_alone,
        a_refusal_is_not_lost_to_a_reset,
        a_request_names_its_host_once,
        the_preface_of_http_2_is_answered,
        a_reader_that_does_not_read_holds_nobody_up,
        a_reader_that_does_not_read_is_cut_off,
        a_silent_connection_has_what_one_that_spoke_has,
        idle_connections_are_closed,
        busy_connections_are_not_idle,
        headers_that_never_end_are_cut_off,
        bodies_that_never_end_are_cut_off,
    }
    same {
        cpu_work_gives_the_same_wherever_it_runs,
    }
});

/// What CONTRACT.md leaves to a server that takes part in runs on one host only.
const OF_A_HOST: Checks = Own(checks! {
    contender {
        it_listens_at_the_address_that_it_is_given,
    }
});

/// What is asked of a pool, whoever's pool it is.
const OF_A_POOL: Checks = Own(checks! {
    dependency {
        a_pool_of_three_is_never_a_deadlock,
        a_pool_says_how_it_was_used,
        a_payment_is_captured_once_over_dropped_connections,
    }
});

/// What is asked of it beside a real database.
const OF_A_POOL_ON_POSTGRES: Checks = Own(checks! {
    dependency {
        a_payment_is_captured_once_over_killed_backends,
    }
});

/// Several processes on one port and one database.
const OF_A_CLUSTER: &[&str] = &[
    "the_published_exchanges_hold",
    "one_key_from_sixteen_connections_is_captured_once",
    "a_server_under_load_ends_without_a_broken_answer",
];

/// Checks, and on whom.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) mounts: &'static [(&'static str, Mount)],
    pub(crate) checks: &'static [Checks],
    /// Of the shared checks those with these names; all of them if there is none.
    pub(crate) only: &'static [&'static str],
    /// Whether the checks take the one database, whatever the mounts do.
    pub(crate) on_postgres: bool,
}

const fn suite(
    name: &'static str,
    mounts: &'static [(&'static str, Mount)],
    checks: &'static [Checks],
) -> Suite {
    Suite { name, mounts, checks, only: &[], on_postgres: false }
}

impl Suite {
    const fn on_postgres(self) -> Self {
        Self { on_postgres: true, ..self }
    }

    /// Every check with its name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, Check)> {
        let named = |checks: &Checks| match *checks {
            Shared(list) => list.iter().map(|it| (it.name, Check::Shared(it))).collect::<Vec<_>>(),
            Own(list) => list.iter().map(|&(name, check)| (name, Check::Own(check))).collect(),
        };
        let all = self.checks.iter().flat_map(named);
        all.filter(|(name, _)| self.only.is_empty() || self.only.contains(name))
    }

    const fn only(self, only: &'static [&'static str]) -> Self {
        Self { only, ..self }
    }
}

const GO: (&str, Mount) = ("go", Mount::GO);
const NODE: (&str, Mount) = ("node", Mount::NODE);
const EXPRESS: (&str, Mount) = ("express", Mount::EXPRESS);
const FASTIFY: (&str, Mount) = ("fastify", Mount::FASTIFY);
const JAVA_VIRTUAL: (&str, Mount) = ("java_virtual", Mount::JAVA_VIRTUAL);
const JAVA_THREADS: (&str, Mount) = ("java_threads", Mount::JAVA_THREADS);
const AXUM: (&str, Mount) = ("axum", Mount::AXUM);
const URING: (&str, Mount) = ("uring", Mount::URING);
const TOKIO_POSTGRES: &str = "tokio_postgres";

const MODELS: [(&str, Mount); 4] = [
    ("event_loop", Mount::EVENT_LOOP),
    ("work_stealing", Mount::WORK_STEALING),
    ("thread_per_connection", Mount::THREAD_PER_CONNECTION),
    ("thread_pool", Mount::THREAD_POOL),
];

const BORROWED: &[(&str, Mount)] = &[(TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_PROGRAM)];

pub(crate) const SUITES: &[Suite] = &[
    suite(
        "models",
        &MODELS,
        &[STORE, SERVER, EARLY_REFUSAL, LIKE_GO, OF_MODELS, OF_A_HOST, OF_A_POOL],
    ),
    suite(
        "contenders",
        &[GO, NODE, EXPRESS, FASTIFY, JAVA_VIRTUAL, AXUM, URING],
        &[STORE, SERVER, PROGRAM, OF_A_HOST],
    ),
    // The same Tomcat with another executor.
    suite("threads_of_java", &[JAVA_THREADS], &[STORE]),
    suite("early_refusal", &[GO, NODE, FASTIFY, JAVA_VIRTUAL, AXUM, URING], &[EARLY_REFUSAL]),
    suite("unlike_node", &[GO, JAVA_VIRTUAL, AXUM, URING], &[LIKE_GO]),
    suite("processes", &[NODE, EXPRESS, FASTIFY], &[Shared(OF_PROCESSES)]),
    suite(
        "on_standin",
        &[
            ("event_loop", Mount::EVENT_LOOP_PROGRAM.on_standin()),
            ("work_stealing", Mount::WORK_STEALING_PROGRAM.on_standin()),
            ("thread_per_connection", Mount::THREAD_PER_CONNECTION_PROGRAM.on_standin()),
            ("thread_pool", Mount::THREAD_POOL_PROGRAM.on_standin()),
            (TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_PROGRAM.on_standin()),
            ("axum", Mount::AXUM.on_standin()),
            ("java_virtual", Mount::JAVA_VIRTUAL.on_standin()),
            ("java_threads", Mount::JAVA_THREADS.on_standin()),
        ],
        &[STORE],
    ),
    suite(
        "on_postgres",
        &[
            ("event_loop", Mount::EVENT_LOOP_PROGRAM.on_postgres(1)),
            ("work_stealing", Mount::WORK_STEALING_PROGRAM.on_postgres(2)),
            ("thread_per_connection", Mount::THREAD_PER_CONNECTION_PROGRAM.on_postgres(1)),
            ("thread_pool", Mount::THREAD_POOL_PROGRAM.on_postgres(1)),
            ("go", Mount::GO.on_postgres(2)),
            ("node", Mount::NODE.on_postgres(1)),
            ("axum", Mount::AXUM.on_postgres(2)),
            ("java_virtual", Mount::JAVA_VIRTUAL.on_postgres(1)),
            ("java_threads", Mount::JAVA_THREADS.on_postgres(1)),
        ],
        &[STORE],
    ),
    suite("borrowed", BORROWED, &[OF_A_POOL]),
    suite("models", &MODELS, &[OF_A_POOL_ON_POSTGRES]).on_postgres(),
    suite("borrowed", BORROWED, &[OF_A_POOL_ON_POSTGRES]).on_postgres(),
    suite(
        "in_a_cluster",
        &[
            ("node", Mount::NODE.on_postgres(2)),
            ("express", Mount::EXPRESS.on_postgres(2)),
            ("fastify", Mount::FASTIFY.on_postgres(2)),
            (TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_TWICE_PROGRAM.on_standin()),
        ],
        &[STORE],
    )
    .only(OF_A_CLUSTER),
];

/// What has a mount of its own.
pub(crate) const ALONE: &[(&str, fn())] = &[
    (
        "connections_beyond_the_threads_are_refused_until_one_is_free",
        models::connections_beyond_the_threads_are_refused_until_one_is_free,
    ),
    ("settings_that_cannot_be_are_usage_errors", models::settings_that_cannot_be_are_usage_errors),
    ("it_answers_anything_with_a_constant", null::it_answers_anything_with_a_constant),
    (
        "it_keeps_count_of_requests_however_they_arrive",
        null::it_keeps_count_of_requests_however_they_arrive,
    ),
    (
        "every_model_gives_the_same_answers_and_the_same_books",
        same::every_model_gives_the_same_answers_and_the_same_books,
    ),
];
